//! Where there is no terminal, or none is wanted: plain lines.

use crate::studies::{endless, start, study};
use crate::support::{Finished, Home, one_line, signal, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader};

#[test]
fn without_a_terminal_there_is_one_clear_error() {
    let home = Home::new();
    let none: [&str; 0] = [];
    for args in [&none[..], &["dash"], &["dash", "s1"]] {
        let told = home.run(args).failed(1);
        one_line(&told, &["needs a terminal", "`attune watch STUDY`"]);
    }
    assert_eq!(home.daemon_pid(), None, "no daemon was started for it");
}

#[test]
fn a_study_is_watched_to_its_end_in_lines() {
    let home = Home::new();
    // Each is begun and watched at once, so that there is much left to be seen of it.
    let lines = watched(&home, &[]);
    let text = lines.join("\n");
    assert!(lines.iter().any(|line| line.contains(".0")), "{text}");
    assert!(text.contains("done"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");

    let events: Vec<Value> = watched(&home, &["--json"])
        .iter()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let last = events.last().expect("events");
    assert_eq!(last["event"], "study_ended", "{last:#}");
    let epochs = events.iter().filter(|event| event["event"] == "epoch");
    assert!(epochs.count() > 0);
}

/// The lines of a study that is watched from its begin to its end.
#[track_caller]
fn watched(home: &Home, more: &[&str]) -> Vec<String> {
    let id = home.start_detached(&study(home, 2, 2_000));
    let args = [&["watch", id.as_str()], more].concat();
    let out = home.run(&args).ok();
    assert_eq!(home.study(&id)["state"], "done");
    out.lines().map(str::to_owned).collect()
}

#[test]
fn whoever_stops_watching_stops_nothing_else() {
    let home = Home::new();
    let id = start(&home, &endless(&home));
    let mut watch = home.begin(&["watch", &id, "--json"]);
    let mut lines = BufReader::new(watch.stdout.take().expect("its lines")).lines();
    lines.next().expect("a line").expect("a line");
    signal(watch.id(), Signal::INT);
    let left = Finished::of(watch);
    assert_eq!(left.err, "");

    let mut watch = home.begin(&["watch", &id, "--json"]);
    let mut lines = BufReader::new(watch.stdout.take().expect("its lines")).lines();
    lines.next().expect("a line").expect("a line");
    // As `head -1` does.
    drop(lines);
    assert_eq!(Finished::of(watch).ok(), "");

    let steps = || home.json(&["ls", &id, "--json"])["trials"][0]["steps"].as_u64();
    let before = steps();
    wait_until(|| steps() > before, "it trains on");
    assert_eq!(home.study(&id)["state"], "running");
}
