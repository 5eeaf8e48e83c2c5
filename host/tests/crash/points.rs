//! The named points at which the program can be ended.

use crate::ground::{Ground, undisturbed, wait};

/// Points of a daemon's that a study passes many times.
pub const DAEMON: [&str; 4] = [
    "daemon-before-commit",
    "daemon-after-commit",
    "daemon-leased",
    "daemon-before-deleting",
];

/// Points of workers.
pub const WORKER: [&str; 7] = [
    "worker-before-report",
    "worker-before-checkpoint",
    "worker-checkpoint-written",
    "worker-before-model",
    "worker-model-written",
    "worker-before-exchange",
    "worker-after-exchange",
];

/// Points that a study passes once.
pub const AT_THE_END: [&str; 1] = ["daemon-settled"];

/// A study whose daemon dies before it could say yes was never there, and neither was a fork, whose
/// one trial would be another one without what was asked of it.
#[test]
fn a_study_that_was_not_acknowledged_is_not_there() {
    let ground = Ground::new();
    let point = ground.arm("daemon-study-created", "kill 1");
    let mut refused = ground.begin();
    let code = wait("the command gives up", || refused.child.try_wait().unwrap());
    assert!(!point.exists() && !code.success());
    assert_eq!(ground.command(&["ls", "--json"]).ok().trim(), "[]");
    ground.stop();

    let ground = Ground::new();
    let mut watching = ground.run();
    ground.ends_well(&mut watching);
    let study = ground.study().unwrap();
    let trial = study
        .trials
        .iter()
        .find(|trial| !trial.checkpoints.is_empty());
    let trial = trial.unwrap().id.clone();
    let point = ground.arm("daemon-study-created", "kill 1");
    let fork = ["fork", &trial, "--scheduler", "cosine"];
    let refused = ground.command(&fork);
    assert!(
        !point.exists() && refused.code == Some(1),
        "{}",
        refused.err
    );
    let studies = |ground: &Ground| {
        let studies: serde_json::Value =
            serde_json::from_str(&ground.command(&["ls", "--json"]).ok()).unwrap();
        studies.as_array().unwrap().len()
    };
    assert_eq!(studies(&ground), 1);
    ground.command(&fork).ok();
    assert_eq!(studies(&ground), 2);
    ground.stop();
    ground.nothing_half_written();
    ground.nobody_panicked();
    ground.outcome().is(undisturbed());
}

/// The daemon may die between its answer and the first event: whoever asked starts another one.
#[test]
fn whoever_began_a_study_sees_its_end() {
    let ground = Ground::new();
    let point = ground.arm("daemon-before-events", "kill 1");
    let mut watching = ground.run();
    ground.ends_well(&mut watching);
    assert!(!point.exists());
    ground.stop();
    ground.nobody_panicked();
    ground.outcome().is(undisturbed());
    assert!(ground.saved() == undisturbed().model());
}
