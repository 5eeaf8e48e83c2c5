//! A plugin that keeps killing workers is kept from running until a person lets it again.

use crate::ground::{
    TWO_OF_FOUR, Wish, home_with, library, misbehaving, others_work, reason, study, trials,
};
use crate::support::{Home, one_line, says, signal, unwrapped, wait_until};
use rustix::process::Signal;
use serde_json::Value;

/// The command that a message names: what stands in its last backticks.
#[track_caller]
fn remedy(message: &str) -> Vec<&str> {
    let command = message.rsplit('`').nth(1).expect("a command in backticks");
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some("attune"), "{message}");
    words.collect()
}

fn deadly(home: &Home) -> String {
    study(
        home,
        &Wish {
            seed: TWO_OF_FOUR,
            action: "segfault",
            at_step: 9,
            ..Wish::default()
        },
    )
}

/// Everything that names the plugin says why, and how it is lifted.
#[track_caller]
fn is_kept_from_running(home: &Home) {
    let parts = [
        "libattune_misbehave.so",
        "is in quarantine",
        "SIGSEGV",
        "s1.1",
        "s1.2",
        "`attune plugin release attune-misbehave`",
    ];
    let listed = home.run(&["plugin", "ls"]).failed(1);
    one_line(&listed, &parts);
    let doctor = home.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1));
    says(&unwrapped(&doctor.out), &parts);
    says(
        &unwrapped(&home.run(&["status"]).ok()),
        &[
            "attune-misbehave is in quarantine",
            "`attune plugin release attune-misbehave`",
        ],
    );
    let refused = home.run(&["run", &deadly(home)]).failed(1);
    one_line(&refused, &parts);
    one_line(&refused, &["no plugin holds a scheduler `misbehave`"]);
    let library = library().to_string_lossy().into_owned();
    let refused = home
        .run(&["--plugin", &library, "run", &deadly(home)])
        .failed(1);
    one_line(&refused, &parts);
}

#[test]
fn it_is_named_everywhere_until_it_is_released() {
    let home = home_with("", &library());
    let said = home.run(&["run", &deadly(&home)]).failed(3);
    says(&said, &["s1.1", "s1.2", "SIGSEGV"]);
    is_kept_from_running(&home);

    // It outlives the daemon, however that ends.
    home.run(&["daemon", "stop"]).ok();
    is_kept_from_running(&home);
    let daemon = home.daemon_pid().expect("a daemon");
    signal(daemon, Signal::KILL);
    wait_until(|| home.daemon_pid() != Some(daemon), "the daemon is gone");
    is_kept_from_running(&home);

    others_work(&home);

    let wrong = home.run(&["plugin", "release", "misbehaved"]).failed(1);
    one_line(&wrong, &["`misbehaved`", "attune-misbehave"]);
    let listed = home.run(&["plugin", "ls"]).failed(1);
    let said = home.run(&remedy(&listed));
    says(&said.err, &["attune-misbehave may run again"]);
    said.ok();
    says(&home.run(&["plugin", "ls"]).ok(), &["  misbehave"]);
    home.run(&["run", &study(&home, &Wish::default())]).ok();
    let again = home
        .run(&["plugin", "release", "attune-misbehave"])
        .failed(1);
    one_line(&again, &["no plugin is in quarantine", "attune-misbehave"]);
}

/// What a study has left of it fails without costing more workers.
#[test]
fn trials_that_would_need_it_fail_at_once() {
    let home = home_with("", &library());
    let file = study(
        &home,
        &Wish {
            seed: TWO_OF_FOUR,
            trials: 16,
            action: "segfault",
            at_step: 9,
            ..Wish::default()
        },
    );
    home.run(&["run", &file, "--parallel", "1"]).failed(3);
    let all = trials(&home, "s1");
    let misbehaving = misbehaving(&home, "s1");
    assert!(misbehaving.len() >= 4, "{}", misbehaving.len());
    let deaths = |trial: &serde_json::Value| trial["deaths"].as_array().map_or(0, Vec::len);
    let dead: usize = misbehaving.iter().map(deaths).sum();
    assert_eq!(dead, 6, "two trials killed three workers each");
    for trial in &misbehaving {
        assert_eq!(trial["state"], "failed", "{trial:#}");
        if deaths(trial) == 0 {
            says(
                reason(trial),
                &[
                    "attune-misbehave is in quarantine",
                    "SIGSEGV",
                    "`attune plugin release attune-misbehave`",
                ],
            );
        }
    }
    let well = all.iter().filter(|trial| trial["scheduler"] != "misbehave");
    assert!(well.clone().count() >= 4);
    for trial in well {
        assert_eq!(trial["state"], "done", "{trial:#}");
    }
}

/// A study that goes on in another daemon uses its private copies; the plugin has its name all the
/// same.
#[test]
fn it_has_its_name_in_every_daemon() {
    let home = home_with("", &library());
    let file = study(
        &home,
        &Wish {
            seed: TWO_OF_FOUR,
            action: "segfault",
            at_step: 100_000,
            epochs: 100_000,
            ..Wish::default()
        },
    );
    home.run(&["run", &file, "--detach"]).ok();
    let has_begun = |trial: &Value| trial["id"] == "s1.1" && trial["steps"] != 0;
    wait_until(
        || trials(&home, "s1").iter().any(has_begun),
        "the trial trains that is to have a checkpoint",
    );
    home.run(&["pause", "s1"]).ok();
    home.run(&["daemon", "stop"]).ok();
    home.run(&["resume", "s1"]).ok();
    wait_until(
        || {
            let warnings = home.json(&["status", "--json"])["warnings"].take();
            warnings.to_string().contains("in quarantine")
        },
        "it is in quarantine",
    );
    let listed = home.run(&["plugin", "ls"]).failed(1);
    one_line(
        &listed,
        &[
            "libattune_misbehave.so is in quarantine",
            "`attune plugin release attune-misbehave`",
        ],
    );
    for trial in misbehaving(&home, "s1") {
        if trial["state"] == "failed" {
            says(reason(&trial), &["misbehave", "SIGSEGV"]);
        }
    }
    // Nor does anything go on with it elsewhere.
    let fork = home.run(&["fork", "s1.1"]).failed(1);
    one_line(
        &fork,
        &[
            "attune-misbehave is in quarantine",
            "`attune plugin release attune-misbehave`",
        ],
    );
    home.run(&["stop", "s1"]).ok();
    home.run(&remedy(&listed)).ok();
    home.run(&["plugin", "ls"]).ok();
}
