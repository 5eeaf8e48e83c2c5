//! Forks: a new trial that goes on from another one's checkpoint, with its lineage kept.

use crate::ground::{study, trial, wait_for_training};
use crate::support::{Home, one_line, outcome, says, unwrapped};
use serde_json::Value;

/// Pauses the one trial of a study in training, and gives the step of the checkpoint that this makes.
#[track_caller]
pub fn paused_at(home: &Home, study: &str) -> u64 {
    let id = format!("{study}.0");
    wait_for_training(home, &id);
    home.run(&["pause", study]).ok();
    let checkpoints = trial(home, &id)["checkpoints"].take();
    let steps = checkpoints.as_array().expect("checkpoints").iter();
    let steps = steps.filter_map(|checkpoint| checkpoint["step"].as_u64());
    steps.max().expect("a checkpoint")
}

/// Whoever begins with a fork's step has made the same steps since.
#[track_caller]
fn goes_on_alike(home: &Home, parent: &str, fork: &str, from: u64) {
    let csv = |id: &str| {
        let study = id.split_once('.').expect("a trial").0;
        let folder = format!("csv-{study}");
        home.run(&[
            "export", study, "--format", "csv", "--to", &folder, "--force",
        ])
        .ok();
        let text = std::fs::read_to_string(home.path().join(folder).join("steps.csv"));
        let text = text.expect("a table of steps");
        let (head, rows) = text.split_once('\n').expect("a header");
        let columns: Vec<String> = head.split(',').map(str::to_owned).collect();
        let at = columns
            .iter()
            .position(|name| name == "step")
            .expect("steps");
        let rows = rows
            .lines()
            .map(|line| line.split(',').map(str::to_owned).collect());
        let rows: Vec<Vec<String>> = rows.collect();
        let own = rows.into_iter().filter(|row| row[0].ends_with(id));
        let since = own.filter(|row| row[at].parse::<u64>().expect("a number") >= from);
        since.map(|row| row[at..].to_vec()).collect::<Vec<_>>()
    };
    let (parents, forks) = (csv(parent), csv(fork));
    assert!(!forks.is_empty(), "the fork made no step");
    assert_eq!(
        parents, forks,
        "{fork} differs from {parent} since step {from}"
    );
}

#[test]
fn a_fork_in_which_nothing_differs_is_its_parents_continuation() {
    let home = Home::new();
    home.start_detached(&study(&home, 1, 6000));
    let step = paused_at(&home, "s1");

    let forked = home.run(&["fork", "s1.0"]);
    says(
        &forked.err,
        &[
            &format!("s2.0 goes on from s1.0 at step {step}"),
            "`attune compare s1.0 s2`",
        ],
    );
    assert_eq!(forked.ok().trim(), "s2");
    // A fork of a fork, from where that is now.
    let second = paused_at(&home, "s2");
    assert!(second >= step);
    home.run(&["fork", "s2.0", "--at", &second.to_string()])
        .ok();
    for study in ["s1", "s2"] {
        home.run(&["resume", study]).ok();
    }
    for study in ["s1", "s2", "s3"] {
        home.wait_for_state(study, "done");
    }
    goes_on_alike(&home, "s1.0", "s2.0", step);
    goes_on_alike(&home, "s1.0", "s3.0", second);
    let parent = trial(&home, "s1.0");
    for fork in ["s2.0", "s3.0"] {
        let fork = trial(&home, fork);
        for same in ["value", "best_epoch", "metrics"] {
            assert_eq!(fork[same], parent[same], "{same} of {fork:#}");
        }
    }

    for (fork, parent, at) in [("s2", "s1.0", step), ("s3", "s2.0", second)] {
        let origin = home.study(fork)["origin"].take();
        assert_eq!(origin, serde_json::json!({ "trial": parent, "step": at }));
        says(
            &unwrapped(&home.run(&["ls", fork]).ok()),
            &[&format!("forked from {parent} at step {at}")],
        );
    }
    // Lineage outlives what it leads to.
    home.run(&["rm", "s1"]).ok();
    home.run(&["daemon", "stop"]).ok();
    assert_eq!(home.study("s2")["origin"]["trial"], "s1.0");
    let page = home.run(&["compare", "s2", "s3"]).ok();
    for same in ["batch_size", "width", "lr "] {
        assert!(
            !page.contains(&format!("\n{same}")),
            "{same} is shown:\n{page}"
        );
    }
}

#[test]
fn a_fork_may_have_another_scheduler_and_other_settings() {
    let home = Home::new();
    home.start_detached(&study(&home, 1, 6000));
    let step = paused_at(&home, "s1");
    let before = outcome(&home, "s1");
    let forked = home.run(&["fork", "s1.0", "--scheduler", "rex", "--set", "lr=0.0005"]);
    forked.ok();
    home.wait_for_state("s2", "done");
    let fork = trial(&home, "s2.0");
    assert_eq!(fork["scheduler"], "rex", "{fork:#}");
    assert_eq!(fork["config"]["lr"]["float"], 0.0005);
    says(
        fork["plugin"].as_str().expect("a build"),
        &["attune-plugin-cosine"],
    );
    assert!(fork["steps"].as_u64() > Some(step));
    assert_eq!(
        outcome(&home, "s1"),
        before,
        "its parent is another one now"
    );

    let page = home.run(&["compare", "s1.0", "s2"]).ok();
    says(&page, &["s1.0", "s2.0", "rex", "\nlr", "5e-4"]);
    assert!(
        !page.contains("batch_size") && !page.contains("dropout"),
        "{page}"
    );
    let both = home.json(&["compare", "s1.0", "s2", "--json"]);
    assert_eq!(both[1]["trial"]["id"], "s2.0");
}

#[test]
fn what_cannot_be_forked_is_said_in_one_line() {
    let home = Home::new();
    home.start_detached(&study(&home, 1, 200_000));
    let step = paused_at(&home, "s1");
    home.run(&["run", &study(&home, 1, 2)]).ok();
    let table: [(&[&str], &[&str]); 9] = [
        (&["fork", "s1"], &["`s1` is a study", "s1.0"]),
        (&["fork", "s9.0"], &["s9"]),
        (&["fork", "s1.7"], &["s1.7"]),
        (
            &["fork", "s1.0", "--at", "0"],
            &[
                "s1.0",
                "no checkpoint at or before step 0",
                &step.to_string(),
            ],
        ),
        (
            &["fork", "s2.0"],
            &["s2.0 has no checkpoint", "`checkpoint_every`"],
        ),
        (
            &["fork", "s1.0", "--scheduler", "gredy"],
            &["`gredy`", "did you mean `greedy`?"],
        ),
        (
            &["fork", "s1.0", "--set", "lrr=0.1"],
            &["`lrr`", "did you mean `lr`?"],
        ),
        (&["fork", "s1.0", "--set", "lr=fast"], &["`lr` is fast"]),
        (
            &["fork", "s1.0", "--set", "lr"],
            &["--set lr", "NAME=VALUE"],
        ),
    ];
    for (args, parts) in table {
        one_line(&home.run(args).failed(1), parts);
    }
    // What the checkpoint's parameters are made for cannot be another.
    let wider = home.run(&["fork", "s1.0", "--set", "width=99"]);
    one_line(&wider.failed(1), &["`width` 99", "s1.0", "`attune run`"]);
    let all = home.json(&["ls", "--json"]);
    assert_eq!(
        all.as_array().map(Vec::len),
        Some(2),
        "a refused fork is a study:\n{all:#}"
    );
    assert_ne!(all, Value::Null);
}
