//! What is removed is gone, with its files, and its id is never another's.

use crate::ground::{endless, start, study};
use crate::support::{Home, one_line, wait_until};

/// The folder of a study's checkpoints and models.
fn folder(home: &Home, study: &str) -> std::path::PathBuf {
    home.state().join("checkpoints").join(study)
}

#[track_caller]
fn is_gone(home: &Home, study: &str) {
    let trial = format!("{study}.0");
    for args in [
        &["show", study][..],
        &["show", &trial],
        &["ls", study],
        &["resume", study],
        &["pause", study],
        &["rm", study],
        &["fork", &trial],
        &["export", study],
    ] {
        one_line(&home.run(args).failed(1), &[study]);
    }
    wait_until(|| !folder(home, study).exists(), "its files are gone");
    let listed = home.json(&["ls", "--json"]);
    let listed = listed.as_array().expect("studies");
    assert!(listed.iter().all(|one| one["id"] != study), "{listed:?}");
}

#[test]
fn a_study_that_runs_is_removed_and_its_workers_go_on_with_another() {
    let home = Home::new();
    home.configure("checkpoint_every = \"1s\"\n");
    start(&home, &endless(&home));
    wait_until(|| folder(&home, "s1").exists(), "it has files");
    home.run(&["rm", "s1"]).ok();
    is_gone(&home, "s1");
    start(&home, &endless(&home));
    assert_eq!(home.study("s2")["state"], "running");
    // What its workers wrote meanwhile goes too.
    is_gone(&home, "s1");
    home.run(&["rm", "s2"]).ok();
    is_gone(&home, "s2");
}

#[test]
fn an_ended_study_is_removed_and_its_id_never_used_again() {
    let home = Home::new();
    let file = study(&home, 2, 2);
    home.run(&["run", &file]).ok();
    home.run(&["run", &file]).ok();
    assert!(folder(&home, "s2").exists());
    home.run(&["rm", "s2"]).ok();
    is_gone(&home, "s2");
    home.run(&["daemon", "stop"]).ok();
    home.run(&["run", &file]).ok();
    is_gone(&home, "s2");
    assert_eq!(home.study("s3")["state"], "done");
    let several = home.run(&["rm", "s1", "s3"]);
    several.ok();
    is_gone(&home, "s1");
    is_gone(&home, "s3");
    one_line(
        &home.run(&["rm", "s1.0"]).failed(1),
        &["s1.0", "`attune rm s1`"],
    );
}

/// Whoever watches is told.
#[test]
fn who_watches_a_study_that_is_removed_is_told() {
    let home = Home::new();
    let terminal = home.follow(&["run", &endless(&home), "--json"]);
    wait_until(
        || home.json(&["ls", "--json"]).as_array().map(Vec::len) == Some(1),
        "the study is there",
    );
    home.run(&["rm", "s1"]).ok();
    let said = terminal.finish().failed(1);
    assert!(said.contains("study s1 was removed while it ran"), "{said}");
}
