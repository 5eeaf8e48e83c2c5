//! Clients that are slow, or gone without a word, in every place where one can be: nobody else may
//! notice.

use crate::fuzz::{quick, start};
use crate::support::{Home, outcome, small_study, wait_until};
use crate::wire::{DEADLINE, connect, get};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// So many clients of each kind.
const EACH: usize = 30;

/// Clients that hold their connections and do nothing that they should, of every kind.
fn stalled(home: &Home) -> Vec<UnixStream> {
    let said: [&str; 7] = [
        // Nothing at all.
        "",
        // Half a head.
        "GET /v1/status HTTP/1.1\r\nhost: attune\r\nx-",
        // A stalled upload of a study, and one of an import, which may be large.
        "POST /v1/studies HTTP/1.1\r\nhost: attune\r\ncontent-length: 1000000\r\n\r\n{\"spec\": \"",
        "POST /v1/import HTTP/1.1\r\nhost: attune\r\ncontent-length: 200000000\r\n\r\n{\"study\": {",
        // Listeners that never read.
        "GET /v1/events HTTP/1.1\r\nhost: attune\r\n\r\n",
        "GET /v1/studies/s1/events HTTP/1.1\r\nhost: attune\r\n\r\n",
        // Asks again and again for what is large, and takes none of it.
        "GET /v1/openapi.json HTTP/1.1\r\nhost: attune\r\n\r\nGET /v1/openapi.json HTTP/1.1\r\n\
         host: attune\r\n\r\nGET /v1/openapi.json HTTP/1.1\r\nhost: attune\r\n\r\n",
    ];
    let mut streams = Vec::new();
    for said in said {
        for number in 0..EACH {
            let mut stream = connect(home);
            stream.write_all(said.as_bytes()).expect("it is taken");
            // Some say that nothing more will come, and still hold on; the daemon may let them go.
            if number % 3 == 0 {
                let _ = stream.shutdown(Shutdown::Write);
            }
            streams.push(stream);
        }
    }
    streams
}

#[test]
fn slow_and_vanished_clients_slow_nobody() {
    let home = Home::new();
    let file = small_study(&home, "trials = 6");
    home.run(&["run", &file]).ok();

    let held = stalled(&home);
    // A study that runs among them comes to the same, and everybody else is answered soon.
    let began = Instant::now();
    home.run(&["run", &file]).ok();
    assert_eq!(outcome(&home, "s1"), outcome(&home, "s2"));
    for path in ["/v1/status", "/v1/studies", "/v1/trials/s1.0", "/metrics"] {
        for _ in 0..20 {
            assert_eq!(get(&home, path).status, 200, "{path}");
        }
    }
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
    drop(held);
    // Gone in the middle of what they said, they take nothing with them.
    for _ in 0..3 {
        drop(stalled(&home));
    }
    assert_eq!(home.json(&["ls", "--json"]).as_array().unwrap().len(), 2);
    let file = small_study(&home, "trials = 2");
    home.run(&["run", &file]).ok();
}

#[test]
fn a_listener_that_fell_behind_begins_anew_from_how_things_stand() {
    let home = Home::new();
    let id = start(&home, &quick());
    let mut slow = connect(&home);
    slow.write_all(b"GET /v1/events HTTP/1.1\r\nhost: attune\r\n\r\n")
        .unwrap();
    let mut first = [0; 400];
    slow.read_exact(&mut first).unwrap();
    assert!(String::from_utf8_lossy(&first).contains("study_started"));
    let epochs = || {
        let detail = home.json(&["ls", &id, "--json"]);
        let trials = detail["trials"].as_array().cloned().unwrap_or_default();
        trials
            .iter()
            .filter_map(|t| t["epochs"].as_u64())
            .sum::<u64>()
    };
    // More than is kept for anybody, and than lies in the connection's buffers.
    let seen = epochs();
    wait_until(|| epochs() > seen + 12_000, "it trains far ahead");
    let mut told = Vec::new();
    let mut part = [0; 1 << 16];
    let again = b"event: study_started";
    while !told.windows(again.len()).any(|seen| seen == again) {
        let read = slow.read(&mut part).expect("it is still told");
        assert!(read > 0, "the stream ended");
        told.extend_from_slice(&part[..read]);
    }
    home.run(&["stop", &id]).ok();
}
