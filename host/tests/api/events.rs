//! Events of a real daemon: listened to again after a break, and after a daemon's death.

use crate::fuzz::{endless, quick, start};
use crate::support::{Home, signal, wait_until};
use crate::wire::{connect, get};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A stream of events as it comes.
struct Listener(BufReader<UnixStream>);

impl Listener {
    fn new(home: &Home, path: &str, after: Option<u64>) -> Self {
        let mut stream = connect(home);
        let seen = after.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        write!(stream, "GET {path} HTTP/1.1\r\nhost: attune\r\n{seen}\r\n").expect("it is taken");
        Listener(BufReader::new(stream))
    }

    /// The next event as it stands in the stream: its number, if it has one, and what it says.
    fn frame(&mut self) -> (Option<u64>, serde_json::Value) {
        let (mut id, mut event, mut line) = (None, None, String::new());
        loop {
            line.clear();
            assert!(
                self.0.read_line(&mut line).expect("a line") > 0,
                "the stream ended"
            );
            if let Some(number) = line.strip_prefix("id: ") {
                id = number.trim().parse().ok();
            } else if let Some(json) = line.strip_prefix("data: ") {
                event = Some(serde_json::from_str(json).expect("JSON"));
            } else if let (true, Some(event)) = (line == "\n", event.take()) {
                return (id, event);
            }
        }
    }

    /// The events that come together at a pace, and the number of the last one.
    fn piece(&mut self) -> (u64, Vec<serde_json::Value>) {
        let mut events = Vec::new();
        loop {
            let (id, event) = self.frame();
            events.push(event);
            if let Some(id) = id {
                return (id, events);
            }
        }
    }

    /// The next event: its number and its kind.
    fn next(&mut self) -> (u64, String) {
        let (id, event) = self.frame();
        let kind = event["event"].as_str().expect("a kind").to_owned();
        (id.expect("a number"), kind)
    }
}

#[test]
fn who_comes_back_misses_nothing_and_after_a_daemons_death_begins_anew() {
    let home = Home::new();
    let id = start(&home, endless());
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

#[test]
fn at_a_pace_of_each_trial_the_latest_is_told_and_at_no_other_all_of_it() {
    let home = Home::new();
    let id = start(&home, &quick());
    let pace = Duration::from_millis(150);
    let path = format!("/v1/studies/{id}/events?pace_ms=150");
    let mut paced = Listener::new(&home, &path, None);
    let (mut last, standing) = paced.piece();
    let kinds = |events: &[serde_json::Value]| -> Vec<String> {
        let kinds = events
            .iter()
            .map(|event| event["event"].as_str().unwrap().to_owned());
        kinds.collect()
    };
    // What happens until this is on its way comes with it.
    assert_eq!(kinds(&standing)[..2], ["study_started", "trial_changed"]);
    let (began, mut epochs) = (Instant::now(), None);
    let mut round = 0;
    while round < 6 {
        if round == 3 {
            // It comes back, and goes on from there.
            paced = Listener::new(&home, &path, Some(last));
        }
        let (number, events) = paced.piece();
        assert!(number > last, "{number} after {last}");
        last = number;
        let about: Vec<String> = events
            .iter()
            .map(|event| format!("{} {}", event["event"], event["trial"]))
            .collect();
        let once: BTreeSet<&String> = about.iter().collect();
        assert_eq!(once.len(), about.len(), "{about:?}");
        let trained = |event: &serde_json::Value| {
            let number = event["trial"].as_str()?.split_once('.')?.1;
            Some((number.parse::<u32>().ok()?, event["epoch"].as_u64()?))
        };
        // Many epochs are trained in this time, of one trial after another, where there are cores.
        if let Some(latest) = events.iter().filter_map(trained).max() {
            assert!(
                Some(latest) > epochs,
                "{latest:?} after {epochs:?}: {events:?}"
            );
            (epochs, round) = (Some(latest), round + 1);
        }
    }
    // All rested, but for the first one of each connection.
    assert!(began.elapsed() >= 4 * pace, "{:?}", began.elapsed());

    let mut studies = Listener::new(&home, "/v1/events?studies_only=true&pace_ms=20", None);
    assert_eq!(kinds(&studies.piece().1), ["study_started"]);
    let [mut plain, mut told] = ["/v1/events", "/v1/events?studies_only=false"]
        .map(|path| Listener::new(&home, path, Some(last)));
    for _ in 0..50 {
        assert_eq!(plain.frame(), told.frame());
    }
    home.run(&["stop", &id]).ok();
    let mut seen = Vec::new();
    while seen.last().is_none_or(|kind| kind != "study_ended") {
        seen.extend(kinds(&studies.piece().1));
    }
    let only = |kind: &String| ["study_changed", "study_ended"].contains(&kind.as_str());
    assert!(seen.iter().all(only), "{seen:?}");

    for wrong in [
        "pace_ms=0",
        "pace_ms=60001",
        "pace_ms=often",
        "studies_only=perhaps",
    ] {
        for path in ["/v1/events", "/v1/studies/s1/events"] {
            assert_eq!(
                get(&home, &format!("{path}?{wrong}")).status,
                400,
                "{wrong}"
            );
        }
    }
}
