//! How a daemon ends, and who it speaks with.

use crate::ground::{start, study, wait_for_training};
use crate::support::{Home, one_line, outcome, says, signal, wait_until};
use rustix::process::Signal;
use serde_json::json;
use std::fs::File;
use std::io::Write;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn some_seconds(home: &Home) -> String {
    study(home, 4, 3000)
}

/// Running trials are laid down with a checkpoint, and the next daemon goes on with them.
#[test]
fn told_to_end_it_lays_everything_down_and_the_next_one_goes_on() {
    let expected = {
        let home = Home::new();
        home.run(&["run", &some_seconds(&home)]).ok();
        outcome(&home, "s1")
    };
    for told in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        // No checkpoint but those of the end.
        home.configure("checkpoint_every = \"1h\"\n");
        start(&home, &some_seconds(&home));
        signal(home.daemon_pid().expect("a daemon"), told);
        wait_until(|| home.processes().is_empty(), "daemon and workers end");
        let checkpoints = files_named(&home, "ckpt");
        assert!(checkpoints > 0, "{told:?}: nothing was laid down");

        let study = home.study("s1");
        assert_eq!(study["state"], "running", "{told:?}: {study:#}");
        home.wait_for_state("s1", "done");
        assert_eq!(outcome(&home, "s1"), expected, "{told:?}");
        let trials = home.json(&["show", "s1", "--json"])["trials"].take();
        for trial in trials.as_array().expect("trials") {
            assert_eq!(trial["deaths"], json!([]), "{told:?}");
        }
        let log = home.run(&["daemon", "logs"]).ok();
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// Files in the folder of checkpoints whose names end so.
fn files_named(home: &Home, end: &str) -> usize {
    fn count(folder: &std::path::Path, end: &str) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .map(|path| match path.is_dir() {
                true => count(&path, end),
                false => usize::from(path.extension().is_some_and(|ext| ext == end)),
            })
            .sum()
    }
    count(&home.state().join("checkpoints"), end)
}

#[test]
fn one_that_was_started_by_a_command_ends_when_it_has_had_nothing_to_do() {
    let home = Home::new();
    home.configure("idle_exit = \"1s\"\n");
    home.run(&["ls"]).ok();
    assert!(home.daemon_pid().is_some());
    wait_until(|| home.processes().is_empty(), "the daemon ends");
    // One that was started to stay does.
    home.run(&["daemon", "start"]).ok();
    let staying = home.daemon_pid();
    start(&home, &study(&home, 1, 1_000_000));
    home.run(&["stop", "s1"]).ok();
    assert_eq!(home.daemon_pid(), staying);
    home.run(&["daemon", "stop"]).ok();
    // One that was started by a command stays as long as there is work.
    start(&home, &study(&home, 1, 12_000));
    let busy = home.daemon_pid();
    home.wait_for_state("s2", "done");
    assert_eq!(home.daemon_pid(), busy, "it ended in the middle");
}

/// A daemon of another version may speak otherwise: nobody asks it anything.
#[test]
fn a_daemon_that_speaks_another_protocol_is_named_with_the_way_to_end_it() {
    let home = Home::new();
    std::fs::create_dir_all(home.state()).expect("the state folder");
    let mut lock = File::create(home.lock_file()).expect("a lock file");
    let info = json!({
        "pid": std::process::id(),
        "version": "99.0.0",
        "protocol": 4_000_000,
        "socket": home.state().join("nobody.sock"),
        "embedded": false,
        "started_unix_ms": 0,
        "something": "new",
    });
    writeln!(lock, "{info}").expect("a description");
    lock.lock().expect("the lock");
    let pid = std::process::id().to_string();
    let file = study(&home, 1, 2);
    for args in [
        &["ls"][..],
        &["run", &file],
        &["pause", "s1"],
        &["status"],
        &["daemon", "stop"],
        &["daemon", "start"],
        &["doctor"],
    ] {
        let finished = home.run(args);
        assert_eq!(finished.code, Some(1), "{args:?}: {finished:?}");
        says(
            &(finished.out + &finished.err),
            &["pid", &pid, "99.0.0", VERSION, "another protocol", "kill"],
        );
    }
    let error = home.run(&["ls"]).failed(1);
    one_line(&error, &["another protocol"]);
    let error = home.run(&["daemon", "run"]).failed(4);
    one_line(&error, &[&pid, "99.0.0"]);
    // Not only dropped: a process that another test begins just now may have it too for a moment.
    lock.unlock().expect("the lock");
    home.run(&["ls"]).ok();
}

#[test]
fn a_study_outlives_its_terminal() {
    let home = Home::new();
    let mut terminal = home.begin(&["run", &some_seconds(&home)]);
    wait_until(
        || home.json(&["ls", "--json"])[0]["state"] == "running",
        "the study runs",
    );
    wait_for_training(&home, "s1.0");
    // As when a terminal is closed.
    signal(terminal.id(), Signal::HUP);
    terminal.wait().expect("it ends");
    home.wait_for_state("s1", "done");
}
