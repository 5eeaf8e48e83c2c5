//! A study that is given more: what changed is recorded and shown, and what cannot change is
//! refused.

use crate::ground::{endless, start, study};
use crate::support::{Home, one_line, outcome, says, unwrapped, without_test_rows};
use std::path::PathBuf;

/// The study file with something in it replaced, as another file.
fn edited(home: &Home, name: &str, edits: &[(&str, &str)]) -> String {
    let text = std::fs::read_to_string(home.path().join("study.toml")).expect("the study file");
    let text = edits.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "no {old} in\n{text}");
        text.replace(old, new)
    });
    let file: PathBuf = home.file(name, text);
    file.to_string_lossy().into_owned()
}

#[test]
fn more_trials_are_those_that_a_larger_study_would_have_had() {
    let home = Home::new();
    home.run(&["run", &study(&home, 3, 3)]).ok();
    let resumed = home.run(&["resume", "s1", "--trials", "7", "--wait"]);
    says(&resumed.err, &["changed: trials: 3 → 7", "s1 goes on"]);
    resumed.ok();
    says(
        &unwrapped(&home.run(&["show", "s1"]).ok()),
        &["changed while it ran trials: 3 → 7"],
    );
    let detail = home.json(&["show", "s1", "--json"]);
    assert_eq!(detail["changes"], serde_json::json!(["trials: 3 → 7"]));
    assert_eq!(detail["study"]["trials"]["planned"], 7);
    home.run(&["run", &study(&home, 7, 3)]).ok();
    let [one, other] = ["s1", "s2"].map(|id| without_test_rows(outcome(&home, id)));
    for (one, other) in one
        .as_array()
        .expect("trials")
        .iter()
        .zip(other.as_array().expect("trials"))
    {
        for (key, value) in one.as_object().expect("a trial") {
            assert_eq!(*value, other[key], "{key} of {}", one["id"]);
        }
    }
    assert!(one == other, "s1 and s2 differ");
}

#[test]
fn more_time_is_added_to_what_was_spent() {
    let home = Home::new();
    study(&home, 1000, 200_000);
    let file = edited(&home, "timed.toml", &[("trials = 1000", "budget = \"1s\"")]);
    drop(home.run(&["run", &file]));
    let before = home.study("s1");
    assert_eq!(before["state"], "done", "{before:#}");
    assert_eq!(before["reason"], "the time budget was spent");
    one_line(
        &home.run(&["resume", "s1"]).failed(1),
        &["s1", "has reached its end", "`--budget TIME`"],
    );
    one_line(
        &home.run(&["resume", "s1", "--trials", "9"]).failed(1),
        &["s1", "`--budget TIME`"],
    );
    let resumed = home.run(&["resume", "s1", "--budget", "1s"]);
    says(&resumed.err, &["changed: budget: \"1s\" → "]);
    resumed.ok();
    home.wait_for_state("s1", "done");
    let after = home.study("s1");
    let seconds = |study: &serde_json::Value| study["seconds"].as_f64().expect("a number");
    let more = seconds(&after) - seconds(&before);
    assert!((0.5..10.0).contains(&more), "{more} s more");
}

#[test]
fn another_space_is_searched_from_then_on() {
    let home = Home::new();
    home.run(&["run", &study(&home, 3, 3)]).ok();
    let other = edited(
        &home,
        "other.toml",
        &[
            ("width = [8, 16]", "width = 24"),
            ("trials = 3", "trials = 6"),
        ],
    );
    let resumed = home.run(&["resume", "s1", "--study", &other, "--wait"]);
    says(
        &resumed.err,
        &[
            "changed: space.width: [8, 16] → 24",
            "changed: trials: 3 → 6",
        ],
    );
    resumed.ok();
    let detail = home.json(&["show", "s1", "--json"]);
    assert_eq!(
        detail["changes"],
        serde_json::json!(["space.width: [8, 16] → 24", "trials: 3 → 6"])
    );
    for number in 0..6 {
        let trial = crate::ground::trial(&home, &format!("s1.{number}"));
        let width = trial["config"]["width"]["int"].as_u64();
        assert_eq!(width == Some(24), number >= 3, "{trial:#}");
    }
}

#[test]
fn what_cannot_change_is_refused_in_one_line() {
    let home = Home::new();
    let file = study(&home, 4, 3);
    home.run(&["run", &file]).ok();
    let seed = edited(&home, "seed.toml", &[("seed = 5", "seed = 6")]);
    home.file(
        "wine2.csv",
        std::fs::read(home.path().join("wine.csv")).expect("data"),
    );
    let data = edited(&home, "data.toml", &[("wine.csv", "wine2.csv")]);
    let typo = edited(&home, "typo.toml", &[("trials = 4", "trails = 8")]);
    let scheduler = edited(
        &home,
        "scheduler.toml",
        &[("\"plateau\"", "\"rex\""), ("trials = 4", "trials = 8")],
    );
    let table: [(&[&str], &[&str]); 12] = [
        (
            &["resume", "s1"],
            &["s1", "has reached its end", "--trials N"],
        ),
        (
            &["resume", "s1", "--trials", "2"],
            &["s1 has 4 trials", "fewer"],
        ),
        (
            &["resume", "s1", "--trials", "4"],
            &["s1", "has reached its end", "--trials N"],
        ),
        (&["resume", "s1", "--study", &file], &["s1", "--trials N"]),
        (
            &["resume", "s1", "--study", &seed],
            &["seed.toml", "`seed`"],
        ),
        (
            &["resume", "s1", "--study", &data],
            &["data.toml", "`[data]`"],
        ),
        (
            &["resume", "s1", "--study", &typo],
            &["typo.toml:2", "did you mean `trials`?"],
        ),
        (
            &["resume", "s1", "--study", &scheduler],
            &["scheduler.toml", "`rex`", "began with"],
        ),
        (
            &["resume", "s1", "--study", "gone.toml"],
            &["gone.toml", "cannot read"],
        ),
        (&["resume", "s9"], &["s9"]),
        (&["resume", "s1.0"], &["s1"]),
        (&["resume", "s1.77"], &["s1"]),
    ];
    for (args, parts) in table {
        one_line(&home.run(args).failed(1), parts);
    }
    assert_eq!(
        home.json(&["show", "s1", "--json"])["changes"],
        serde_json::json!([])
    );

    // Nothing of an imported study can be trained on.
    home.run(&["export", "s1", "--to", "out.jsonl"]).ok();
    home.run(&["import", "out.jsonl"]).ok();
    one_line(
        &home.run(&["resume", "s2", "--trials", "9"]).failed(1),
        &["s2 was imported from"],
    );
    one_line(
        &home.run(&["resume", "s2"]).failed(1),
        &["s2 was imported from"],
    );
}

#[test]
fn a_study_that_runs_needs_no_resuming_but_can_be_given_more() {
    let home = Home::new();
    start(&home, &endless(&home));
    one_line(
        &home.run(&["resume", "s1"]).failed(1),
        &["s1 is running already", "--trials N"],
    );
    one_line(
        &home.run(&["resume", "s1.0"]).failed(1),
        &["s1.0", "not paused"],
    );
    let more = home.run(&["resume", "s1", "--trials", "2000"]);
    says(&more.err, &["changed: trials: 1000 → 2000"]);
    more.ok();
    home.run(&["resume", "s1", "--parallel", "1"]).ok();
    assert_eq!(home.study("s1")["state"], "running");
    home.run(&["stop", "s1"]).ok();
    // What was stopped by hand may go on.
    home.run(&["resume", "s1"]).ok();
    assert_eq!(home.study("s1")["state"], "running");
    home.run(&["stop", "s1"]).ok();
}
