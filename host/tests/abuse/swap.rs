//! A plugin that is put at the wheel of a trial in training, and misbehaves there.

use crate::ground::{WELL_BEHAVED, Wish, home_with, library, others, reason, start, study, trials};
use crate::support::{Finished, Home, one_line, says, wait_until};

/// Two trials that take some seconds.
fn long(home: &Home) -> String {
    study(
        home,
        &Wish {
            trials: 2,
            epochs: 10_000,
            schedulers: WELL_BEHAVED,
            ..Wish::default()
        },
    )
}

/// Starts it, and returns once its first trial trains.
fn begin(home: &Home) {
    home.start_detached(&long(home));
    wait_for_training(home);
}

fn wait_for_training(home: &Home) {
    wait_until(
        || {
            trials(home, "s1")
                .first()
                .is_some_and(|t| t["state"] == "running" && t["steps"] != 0)
        },
        "the first trial trains",
    );
}

/// Puts it at the wheel of the first trial, with these settings.
fn swap(home: &Home, settings: &[&str]) -> Finished {
    let mut args = vec!["steer", "s1.0", "--scheduler", "misbehave"];
    for setting in settings {
        args.extend(["--set", setting]);
    }
    home.run(&args)
}

#[test]
fn one_that_crashes_at_the_wheel_costs_the_trial_that_it_was_put_into() {
    let expected = {
        let home = Home::new();
        home.run(&["run", &long(&home)]).ok();
        others(&home, "s1")
    };
    let home = home_with("", &library());
    start(&home, None);
    begin(&home);
    let daemon = home.daemon_pid();
    swap(&home, &["action=segfault"]).ok();
    home.file("now", "");
    home.wait_for_state("s1", "done");
    assert_eq!(home.daemon_pid(), daemon);
    let after = trials(&home, "s1");
    assert_eq!(after[0]["state"], "failed", "{:#}", after[0]);
    says(
        reason(&after[0]),
        &[
            "its worker died 3 times",
            "SIGSEGV",
            "inside `step` of scheduler `misbehave` at step ",
            "libattune_misbehave.so",
        ],
    );
    assert_eq!(after[0]["deaths"].as_array().map(Vec::len), Some(3));
    assert_eq!(after[0]["interventions"].as_array().map(Vec::len), Some(1));
    let untouched = others(&home, "s1");
    assert_eq!(untouched[1], expected[1], "the other trial");
}

#[test]
fn one_that_crashes_as_it_is_made_is_never_put_there() {
    let home = home_with("", &library());
    begin(&home);
    let said = swap(&home, &["action=segfault", "call=configure"]).failed(1);
    one_line(
        &said,
        &[
            "nothing was changed in trial s1.0",
            "SIGSEGV",
            "inside `configure`",
            "misbehave",
        ],
    );
    wait_for_training(&home);
    let said = swap(&home, &["action=error", "call=configure"]).failed(1);
    says(&said, &["misbehave", "an error in configure"]);
    home.wait_for_state("s1", "done");
    let after = trials(&home, "s1");
    assert_eq!(after[0]["state"], "done", "{:#}", after[0]);
    assert_eq!(after[0]["interventions"], serde_json::json!([]));
    assert_eq!(after[0]["deaths"].as_array().map(Vec::len), Some(1));
}
