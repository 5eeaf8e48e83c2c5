//! Trials that are trained once more, from their beginning.

use crate::ground::{endless, start, study, trial};
use crate::support::{
    Home, RUNGS, one_line, outcome, says, study_of, test_library, unwrapped, without_test_rows,
};

#[test]
fn a_retry_makes_the_same_trial_again() {
    let home = Home::new();
    let id = home.start_detached(&study(&home, 2, 5));
    home.wait_for_state(&id, "done");
    let again = home.run(&["retry", "s1.1"]);
    says(
        &again.err,
        &["s2.0 is s1.1 once more", "`attune compare s1.1 s2`"],
    );
    assert_eq!(again.ok().trim(), "s2");
    home.wait_for_state("s2", "done");
    // Test rows are told of whichever trial is the best of its study.
    let [first, second] = ["s1", "s2"].map(|id| without_test_rows(outcome(&home, id)));
    let find = |all: &serde_json::Value, number: &str| {
        let mut all = all.as_array().unwrap().iter();
        all.find(|trial| trial["id"] == number).unwrap().clone()
    };
    let (mut first, mut second) = (find(&first, "1"), find(&second, "0"));
    for of_its_own in ["id", "rungs"] {
        first[of_its_own].take();
        second[of_its_own].take();
    }
    assert_eq!(first, second);
    let told = home.study("s2");
    assert_eq!(
        told["origin"],
        serde_json::json!({ "trial": "s1.1", "step": 0 })
    );
    assert!(
        told["name"].as_str().unwrap().ends_with("retry of s1.1"),
        "{told}"
    );
    says(
        &unwrapped(&home.run(&["ls", "s2"]).ok()),
        &["s1.1 once more, from its beginning"],
    );
    // It outlives the daemon that began it.
    home.run(&["retry", "s2.0", "--wait"]).ok();
    assert_eq!(home.study("s3")["origin"]["trial"], "s2.0");
}

#[test]
fn one_that_failed_is_tried_again_and_what_cannot_be_says_why() {
    let home = Home::new();
    let library = test_library("attune-misbehave");
    home.configure(&format!("plugins = [{library:?}]\n"));
    let file = study_of(
        &home,
        "trials = 1\nparallel = 1",
        RUNGS,
        "scheduler = \"misbehave\"\nmisbehave.action = \"error\"",
    );
    let id = home.start_detached(&file);
    home.wait_for_state(&id, "done");
    assert_eq!(trial(&home, "s1.0")["state"], "failed");
    home.run(&["retry", "s1.0"]).ok();
    home.wait_for_state("s2", "done");
    let again = trial(&home, "s2.0");
    assert_eq!(again["state"], "failed");
    assert_eq!(again["seed"], trial(&home, "s1.0")["seed"]);

    let running = start(&home, &endless(&home));
    let refused = home.run(&["retry", &format!("{running}.0")]).failed(1);
    one_line(
        &refused,
        &["has not ended, it is running", "`attune stop s3.0`"],
    );
    home.run(&["pause", &running]).ok();
    home.run(&["fork", "s3.0"]).ok();
    home.run(&["stop", "s4"]).ok();
    let refused = home.run(&["retry", "s4.0"]).failed(1);
    one_line(
        &refused,
        &["began with a checkpoint of s3.0", "`attune fork s3.0 --at"],
    );
    home.run(&["export", "s1", "--format", "jsonl", "--to", "out.jsonl"])
        .ok();
    home.run(&["import", "out.jsonl"]).ok();
    let refused = home.run(&["retry", "s5.0"]).failed(1);
    one_line(&refused, &["was imported from", "cannot be trained here"]);
    one_line(&home.run(&["retry", "s9.0"]).failed(1), &["s9"]);
    one_line(&home.run(&["retry", "s1"]).failed(1), &["`s1` is a study"]);
}
