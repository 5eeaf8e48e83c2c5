//! What a person wants is done within a second where steps are fast. A machine that does much else
//! is given five.

use crate::ground::{
    endless, start, study, trial, wait_for_an_epoch, wait_for_training, wait_for_trial,
};
use crate::support::Home;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(5);

/// Runs a command, waits until what it asks for is so, and says how long both took together.
#[track_caller]
fn obeyed(home: &Home, args: &[&str], is_done: impl FnOnce(&Home)) {
    let asked = Instant::now();
    home.run(args).ok();
    let answered = asked.elapsed();
    is_done(home);
    let done = asked.elapsed();
    eprintln!(
        "attune {}: answered after {} ms, seen by another command after {} ms",
        args.join(" "),
        answered.as_millis(),
        done.as_millis()
    );
    assert!(done < WITHIN, "{args:?} took {done:?}");
}

#[test]
fn a_worker_obeys_at_once() {
    let home = Home::new();
    // As many trials as workers, so that each finds one at once.
    home.configure("workers = 2\n");
    start(&home, &study(&home, 2, 1_000_000));
    obeyed(&home, &["steer", "s1.0", "--lr", "0.0123"], |home| {
        let done = trial(home, "s1.0")["interventions"].take();
        assert_eq!(done[0]["steer"]["set_rate"], 0.0123, "{done:#}");
    });
    obeyed(&home, &["steer", "s1.0", "--scheduler", "rex"], |home| {
        let done = trial(home, "s1.0")["interventions"].take();
        assert_eq!(done[1]["steer"]["swap"]["scheduler"], "rex", "{done:#}");
    });
    obeyed(&home, &["pause", "s1.0"], |home| {
        wait_for_trial(home, "s1.0", "paused");
    });
    obeyed(&home, &["resume", "s1.0"], |home| {
        wait_for_training(home, "s1.0");
    });
    obeyed(&home, &["stop", "s1.0"], |home| {
        wait_for_trial(home, "s1.0", "stopped");
    });
    obeyed(&home, &["pause", "s1"], |home| {
        home.wait_for_state("s1", "paused");
    });
    obeyed(&home, &["resume", "s1"], |home| {
        home.wait_for_state("s1", "running");
    });
    wait_for_training(&home, "s1.1");
    obeyed(&home, &["stop", "s1"], |home| {
        home.wait_for_state("s1", "stopped");
    });
}

/// What was trained so far is worth something, also where time was too short for any trial's end.
#[test]
fn what_is_cut_off_leaves_its_best_model() {
    let home = Home::new();
    home.configure("workers = 2\n");
    let stopped = start(&home, &study(&home, 2, 1_000_000));
    wait_for_an_epoch(&home, &format!("{stopped}.0"));
    home.run(&["stop", &stopped]).ok();
    let spent = study(&home, 2, 1_000_000);
    let spent = std::fs::read_to_string(spent).expect("the study file");
    home.file("spent.toml", format!("budget = \"1s\"\n{spent}"));
    home.run(&["run", "spent.toml", "--out", "spent.safetensors"])
        .ok();
    let to = ["--format", "model", "--to", "stopped.safetensors"];
    home.run(&[&["export", &stopped], &to[..]].concat()).ok();
    for model in ["stopped.safetensors", "spent.safetensors"] {
        let predicted = home.run(&["predict", model, "wine.csv"]).ok();
        assert_eq!(predicted.lines().count(), 1 + 178, "{model}");
    }
    // The best one stays, the others' are gone with them.
    let best = home.study(&stopped)["best_trial"].take();
    assert!(best.is_string(), "{best}");
}

/// What cannot be done is said in one line, and changes nothing.
#[test]
fn what_cannot_be_done_is_refused() {
    use crate::support::one_line;
    let home = Home::new();
    start(&home, &endless(&home));
    let table: [(&[&str], &[&str]); 12] = [
        (
            &["steer", "s1", "--lr", "0.1"],
            &["`s1` is a study", "s1.0"],
        ),
        (&["steer", "s1.0", "--lr", "nan"], &["rate", "NaN"]),
        (&["steer", "s1.0", "--lr=-1"], &["rate", "-1"]),
        (
            &["steer", "s1.0", "--scheduler", "gredy"],
            &["`gredy`", "did you mean `greedy`?"],
        ),
        (
            &[
                "steer",
                "s1.0",
                "--scheduler",
                "greedy",
                "--set",
                "factor=7",
            ],
            &["factor", "7", "(0, 1)"],
        ),
        (
            &["steer", "s1.0", "--scheduler", "greedy", "--set", "factor"],
            &["--set factor", "NAME=VALUE"],
        ),
        (&["steer", "s1.999", "--lr", "0.1"], &["s1.999"]),
        (&["steer", "s9.0", "--lr", "0.1"], &["s9"]),
        (&["pause", "s9"], &["s9"]),
        (&["pause", "s1.999"], &["s1.999"]),
        (&["stop", "s9.0"], &["s9"]),
        (&["pause", "nonsense"], &["nonsense", "s12"]),
    ];
    for (args, parts) in table {
        let error = home.run(args).failed(1);
        one_line(&error, parts);
    }
    let untouched = trial(&home, "s1.0");
    assert_eq!(untouched["interventions"], serde_json::json!([]));
    assert_eq!(untouched["state"], "running");

    home.run(&["stop", "s1"]).ok();
    for (args, parts) in [
        (&["steer", "s1.0", "--lr", "0.1"][..], &["s1.0"][..]),
        (&["pause", "s1.0"], &["s1"]),
        (&["pause", "s1"], &["s1 is not running", "stopped"]),
        (&["stop", "s1"], &["s1 is not running", "stopped"]),
        (&["resume", "s1.0"], &["s1"]),
    ] {
        one_line(&home.run(args).failed(1), parts);
    }
}
