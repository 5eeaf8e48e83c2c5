//! Pausing and going on: whatever is interrupted, and whoever goes on with it, comes to the same.

use crate::ground::{study, trial, wait_for_training, wait_for_trial};
use crate::support::{Home, SPACE, outcome, says, study_of, wait_until};
use serde_json::Value;

/// A study with a rung that takes a few seconds. The rung is late, so that no trial ends there between
/// its being seen in training and its being paused.
fn with_rungs(home: &Home) -> String {
    let rungs = "min_epochs = 2000\nmax_epochs = 6000";
    study_of(home, "trials = 8\nvirtual_width = 4", rungs, SPACE)
}

/// What a study comes to that nobody touches.
fn undisturbed(file: impl Fn(&Home) -> String) -> Value {
    let home = Home::new();
    home.run(&["run", &file(&home)]).ok();
    outcome(&home, "s1")
}

#[test]
fn a_study_that_is_paused_under_its_terminal_and_goes_on_in_another_daemon_comes_to_the_same() {
    let home = Home::new();
    let mut terminal = home.follow(&["run", &with_rungs(&home), "--json"]);
    terminal.wait_for_epochs(1);
    home.run(&["pause", "s1"]).ok();
    let said = terminal.finish().failed(130);
    says(
        &said,
        &["study s1 is paused (paused by hand)", "`attune resume s1`"],
    );
    let paused = home.study("s1");
    assert_eq!(paused["state"], "paused", "{paused:#}");
    assert_eq!(paused["reason"], "paused by hand", "{paused:#}");

    home.run(&["daemon", "stop"]).ok();
    home.run(&["ls"]).ok();
    assert_eq!(
        home.study("s1")["state"],
        "paused",
        "another daemon resumed it"
    );
    home.run(&["resume", "s1", "--wait"]).ok();
    assert_eq!(outcome(&home, "s1"), undisturbed(with_rungs));
}

/// In a reproducible study the others wait for it in the end, and `attune status` names it.
#[test]
fn a_trial_that_is_paused_holds_up_its_study_and_comes_to_the_same() {
    let home = Home::new();
    home.start_detached(&with_rungs(&home));
    wait_for_training(&home, "s1.0");
    home.run(&["pause", "s1.0"]).ok();
    wait_for_trial(&home, "s1.0", "paused");
    let mut idle = Value::Null;
    wait_until(
        || {
            idle = home.json(&["status", "--json"])["idle"].take();
            idle.is_string()
        },
        "the study waits for its paused trial",
    );
    says(
        idle.as_str().expect("a sentence"),
        &["s1: waits for paused trials", "`attune resume s1.0`"],
    );
    // It stays paused, whoever is the daemon.
    home.run(&["daemon", "stop"]).ok();
    assert_eq!(trial(&home, "s1.0")["state"], "paused");
    home.run(&["resume", "s1.0"]).ok();
    home.wait_for_state("s1", "done");
    assert_eq!(outcome(&home, "s1"), undisturbed(with_rungs));
}

#[test]
fn pausing_again_and_again_changes_nothing() {
    let small = |home: &Home| study(home, 3, 1500);
    let home = Home::new();
    home.start_detached(&small(&home));
    for _ in 0..3 {
        let summary = home.study("s1");
        if summary["state"] == "done" {
            break;
        }
        // It may end first.
        let paused = home.run(&["pause", "s1"]);
        assert!(
            paused.code == Some(0) || paused.err.contains("it is done"),
            "{}",
            paused.err
        );
        if paused.code == Some(0) && home.study("s1")["state"] == "paused" {
            home.run(&["resume", "s1"]).ok();
        }
    }
    home.wait_for_state("s1", "done");
    assert_eq!(outcome(&home, "s1"), undisturbed(small));
}
