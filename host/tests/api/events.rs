//! Events of a real daemon: listened to again after a break, and after a daemon's death.

use crate::fuzz::{endless, wait_for_epoch};
use crate::support::{Home, signal, small_study, wait_until};
use crate::wire::connect;
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

/// A stream of events as it comes.
struct Listener(BufReader<UnixStream>);

impl Listener {
    fn new(home: &Home, path: &str, after: Option<u64>) -> Self {
        let mut stream = connect(home);
        let seen = after.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        write!(stream, "GET {path} HTTP/1.1\r\nhost: attune\r\n{seen}\r\n").expect("it is taken");
        Listener(BufReader::new(stream))
    }

    /// The next event: its number and its kind.
    fn next(&mut self) -> (u64, String) {
        let (mut id, mut line) = (None, String::new());
        loop {
            line.clear();
            let read = self.0.read_line(&mut line).expect("a line");
            assert!(read > 0, "the stream ended");
            if let Some(number) = line.strip_prefix("id: ") {
                id = number.trim().parse().ok();
            }
            // The order of an event's lines is not fixed.
            if let Some(json) = line.strip_prefix("data: ") {
                let event: serde_json::Value = serde_json::from_str(json).expect("JSON");
                let kind = event["event"].as_str().expect("a kind").to_owned();
                while id.is_none() {
                    line.clear();
                    assert!(self.0.read_line(&mut line).expect("a line") > 0);
                    id = line
                        .strip_prefix("id: ")
                        .and_then(|id| id.trim().parse().ok());
                }
                return (id.expect("a number"), kind);
            }
        }
    }
}

#[test]
fn who_comes_back_misses_nothing_and_after_a_daemons_death_begins_anew() {
    let home = Home::new();
    small_study(&home, "");
    let file = home.file("endless.toml", endless());
    let id = home.start_detached(&file.to_string_lossy());
    wait_for_epoch(&home, &id);
    let mut listener = Listener::new(&home, "/v1/events", None);
    assert_eq!(listener.next().1, "study_started");
    let numbers = |listener: &mut Listener, count: usize| -> Vec<u64> {
        (0..count).map(|_| listener.next().0).collect()
    };
    let last = loop {
        let (number, kind) = listener.next();
        if kind == "epoch" {
            break number;
        }
    };
    let rest = numbers(&mut listener, 5);
    drop(listener);
    // The same again, and on from there.
    let mut again = Listener::new(&home, "/v1/events", Some(last));
    assert_eq!(numbers(&mut again, 5), rest);
    assert_eq!(rest, (last + 1..=last + 5).collect::<Vec<_>>());
    // One who has seen what never was, or long ago, is told how things stand.
    for never in [0, 1, u64::MAX, last + 1_000_000_000] {
        let mut lost = Listener::new(&home, "/v1/events", Some(never));
        assert_eq!(lost.next().1, "study_started", "after {never}");
    }

    let daemon = home.daemon_pid().expect("a daemon");
    signal(daemon, Signal::KILL);
    wait_until(|| home.daemon_pid().is_none(), "the daemon is dead");
    home.json(&["ls", "--json"]);
    let path = format!("/v1/studies/{id}/events");
    let mut after_death = Listener::new(&home, &path, Some(rest[4]));
    let (number, kind) = after_death.next();
    assert_eq!(kind, "study_started");
    assert!(number > rest[4], "{number} is not above {}", rest[4]);
    while after_death.next().1 != "epoch" {}
    home.run(&["stop", &id]).ok();
}
