//! `attune status` says why nothing moves.

use crate::ground::{endless, start, study, wait_for_trial};
use crate::support::{Home, one_line, says, test_library, unwrapped, wait_for, wait_until};
use serde_json::Value;
use std::path::Path;

/// The reason for being idle, once there is one that says all of these; people read the same.
#[track_caller]
fn idle(home: &Home, parts: &[&str]) {
    let mut last = Value::Null;
    let mut look = || {
        last = home.json(&["status", "--json"])["idle"].take();
        let text = last.as_str()?;
        parts
            .iter()
            .all(|part| text.contains(part))
            .then(|| text.to_owned())
    };
    let told = wait_for(&mut look, &format!("it is idle and says {parts:?}"));
    says(
        &unwrapped(&home.run(&["status"]).ok()),
        &["idle: ", &unwrapped(&told)],
    );
}

#[test]
fn nothing_is_under_way() {
    let home = Home::new();
    home.run(&["daemon", "start"]).ok();
    idle(&home, &["no study is under way"]);
    start(&home, &endless(&home));
    assert_eq!(home.json(&["status", "--json"])["idle"], Value::Null);
    home.run(&["pause", "s1"]).ok();
    idle(
        &home,
        &[
            "no study is under way",
            "s1 is paused (paused by hand)",
            "`attune resume s1`",
        ],
    );
    one_line(
        &home.run(&["stop", "s1"]).failed(1),
        &["s1 is not running; it is paused", "`attune rm s1`"],
    );
    home.run(&["rm", "s1"]).ok();
    idle(&home, &["no study is under way"]);
}

#[test]
fn there_are_more_trials_than_workers() {
    let home = Home::new();
    home.configure("workers = 1\n");
    start(&home, &endless(&home));
    let page = unwrapped(&home.run(&["status"]).ok());
    says(
        &page,
        &[
            "s1 study: trains 1 trial, ",
            " more wait for a worker",
            "inside",
            "pid",
        ][..2],
    );
    let status = home.json(&["status", "--json"]);
    assert_eq!(status["idle"], Value::Null);
    assert_eq!(status["workers"].as_array().map(Vec::len), Some(1));
    // One is in training, and others could be.
    let study = &status["studies"][0];
    assert_eq!(study["running"], 1, "{study}");
    assert!(study["queued"].as_u64() > Some(0), "{study}");
    let machine = &status["machine"];
    assert!(
        machine["host"]
            .as_str()
            .is_some_and(|host| !host.is_empty()),
        "{machine}"
    );
    for figure in [
        "cores",
        "memory_bytes",
        "memory_free_bytes",
        "disk_free_bytes",
    ] {
        assert!(machine[figure].as_u64() > Some(0), "{figure}: {machine}");
    }
    // A second study waits for the worker too.
    let second = home.start_detached(&endless(&home));
    wait_until(
        || {
            let doing = &home.json(&["status", "--json"])["studies"][1]["doing"];
            doing
                .as_str()
                .is_some_and(|doing| doing.contains("workers"))
        },
        "the second study waits",
    );
    let page = unwrapped(&home.run(&["status"]).ok());
    says(
        &page,
        &[&format!("{second} study: waits for workers to take ")],
    );
}

#[test]
fn all_trials_are_paused() {
    let home = Home::new();
    start(&home, &study(&home, 2, 1_000_000));
    for id in ["s1.0", "s1.1"] {
        home.run(&["pause", id]).ok();
        wait_for_trial(&home, id, "paused");
    }
    idle(
        &home,
        &["s1: waits for paused trials", "`attune resume s1.0`"],
    );
    home.run(&["resume", "s1.0"]).ok();
    wait_for_trial(&home, "s1.0", "running");
    assert_eq!(home.json(&["status", "--json"])["idle"], Value::Null);
}

/// The workers cannot write what they do.
#[test]
fn workers_do_not_start() {
    let home = Home::new();
    home.run(&["daemon", "start"]).ok();
    let lock = std::fs::read_to_string(home.lock_file()).expect("a lock file");
    let info: Value = serde_json::from_str(lock.lines().next().expect("a line")).expect("JSON");
    let socket = info["socket"].as_str().expect("a path");
    let folder = Path::new(socket).parent().expect("a folder");
    // Workers are numbered from ten thousand times the number of the daemon's start.
    let numbers = (0..4).flat_map(|start| (1..=40).map(move |worker| start * 10_000 + worker));
    let in_the_way: Vec<_> = numbers
        .map(|number| folder.join(format!("worker-{number}.flight")))
        .collect();
    for path in &in_the_way {
        std::fs::create_dir(path).expect("a folder");
    }
    home.start_detached(&study(&home, 1, 3));
    idle(
        &home,
        &[
            "s1: ",
            "waits for workers, which do not start",
            "flight file",
        ],
    );
    for path in &in_the_way {
        std::fs::remove_dir(path).expect("the folder is there");
    }
    home.wait_for_state("s1", "done");
}

/// A worker that is held inside a plugin keeps its study from coming to a halt, until its time is
/// over.
#[test]
fn a_study_that_comes_to_a_halt_says_whom_it_waits_for() {
    let home = Home::new();
    home.configure(&format!(
        "step_timeout = \"4s\"\nplugins = [\"{}\"]\n",
        test_library("attune-misbehave").display()
    ));
    let file = study(&home, 1, 3);
    let text = std::fs::read_to_string(&file).expect("the study file");
    let text = text.replace(
        "scheduler = [\"greedy\", \"cosine\", \"hypergradient\", \"plateau\"]",
        "scheduler = \"misbehave\"\nmisbehave.action = \"hang\"\nmisbehave.at_step = 9",
    );
    home.file("study.toml", text);
    home.start_detached(&file);
    wait_until(
        || {
            let status = home.json(&["status", "--json"]);
            let doing = status["workers"][0]["doing"].as_str().unwrap_or_default();
            doing.contains("inside `step` of scheduler `misbehave` at step 9 of s1.0")
        },
        "the worker is inside the plugin",
    );
    let pause = home.follow(&["pause", "s1"]);
    wait_until(
        || {
            let status = home.json(&["status", "--json"]);
            let doing = status["studies"][0]["doing"].as_str().unwrap_or_default();
            doing.contains("comes to a halt (paused by hand): 1 trial still to be laid down")
        },
        "the study comes to a halt",
    );
    let paused = pause.finish();
    says(&paused.err, &["s1 is paused"]);
    paused.ok();
    let trial = crate::ground::trial(&home, "s1.0");
    assert_eq!(trial["state"], "queued", "{trial:#}");
    let deaths = trial["deaths"].as_array().map_or(0, Vec::len);
    assert!((1..3).contains(&deaths), "{trial:#}");
}
