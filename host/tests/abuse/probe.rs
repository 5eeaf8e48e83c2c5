//! Libraries that do not survive being asked what they hold.

use crate::ground::{Wish, home_with, library, others_work, start, study, trials};
use crate::support::{Home, says, unwrapped};

/// A home whose daemon finds a library that does this in this call, while the file `now` is there.
fn home_where(configuration: &str, action: &str, call: &str) -> Home {
    let home = home_with(configuration, &library());
    home.file("now", "");
    start(&home, Some(&format!("{action}@{call}")));
    home
}

#[test]
fn a_library_that_dies_of_the_question_is_named_and_kept_from_running() {
    for (action, call, how) in [
        ("segfault", "open", "SIGSEGV"),
        ("abort", "describe", "SIGABRT"),
        ("exit", "open", "exit code 7"),
        ("hang", "describe", "longer than 3 s"),
        ("allocate", "describe", "memory"),
    ] {
        let home = home_where(
            "load_timeout = \"3s\"\nworker_memory = \"128MiB\"\n",
            action,
            call,
        );
        let daemon = home.daemon_pid();
        for again in [false, true] {
            let finished = home.run(&["plugin", "ls"]);
            says(&finished.out, &["  cosine", "  greedy"]);
            let listed = finished.failed(1);
            says(
                &listed,
                &[
                    "libattune_misbehave.so",
                    "is in quarantine",
                    how,
                    "`attune plugin release attune-misbehave`",
                ],
            );
            let lines = listed.lines().count();
            assert_eq!(lines, 1, "{action}@{call}, again: {again}:\n{listed}");
        }
        let doctor = home.run(&["doctor"]);
        assert_eq!(doctor.code, Some(1));
        says(
            &unwrapped(&doctor.out),
            &[how, "`attune plugin release attune-misbehave`"],
        );
        others_work(&home);
        assert_eq!(home.daemon_pid(), daemon, "it cost the daemon");

        // Once it is mended it may be released, and runs.
        std::fs::remove_file(home.path().join("now")).expect("the file is there");
        home.run(&["plugin", "release", "attune-misbehave"]).ok();
        says(&home.run(&["plugin", "ls"]).ok(), &["  misbehave"]);
        home.run(&["run", &study(&home, &Wish::default())]).ok();
        assert!(trials(&home, "s2").iter().all(|t| t["state"] == "done"));
    }
}

/// A panic there cannot be caught by anybody, or is caught inside the plugin and told.
#[test]
fn a_library_that_panics_at_the_question_is_named() {
    for (call, how) in [("open", "SIGABRT"), ("describe", "panic")] {
        let home = home_where("", "panic", call);
        let finished = home.run(&["plugin", "ls"]);
        says(&finished.out, &["  cosine", "  greedy"]);
        says(&finished.failed(1), &["libattune_misbehave.so", how]);
    }
}

/// A study goes on with its own copies, which the next daemon asks again what they hold.
#[test]
fn a_study_whose_plugin_dies_of_the_question_later_is_held_and_can_go_on() {
    let home = home_with("", &library());
    let file = study(
        &home,
        &Wish {
            epochs: 100_000,
            ..Wish::default()
        },
    );
    home.run(&["run", &file, "--detach"]).ok();
    home.run(&["daemon", "stop"]).ok();
    home.file("now", "");
    start(&home, Some("segfault@open"));
    home.wait_for_state("s1", "paused");
    let held = home.study("s1");
    says(
        held["reason"].as_str().expect("a reason"),
        &[
            "it could not go on when the daemon started",
            "the scheduler `misbehave` of attune-misbehave 0.1.0",
            "it killed the process that asked what it holds",
            "SIGSEGV",
        ],
    );
    std::fs::remove_file(home.path().join("now")).expect("the file is there");
    home.run(&["resume", "s1"]).ok();
    assert_eq!(home.study("s1")["state"], "running");
    home.run(&["stop", "s1"]).ok();
}
