//! Each deed in each call: it costs its own trial, and says what happened.

use crate::ground::{
    ONE_OF_FOUR, Wish, home_with, library, misbehaving, others, reason, start, study, undisturbed,
};
use crate::support::{Home, says, unwrapped, wait_until};
use serde_json::Value;

/// Small, so that whoever takes all memory meets the limit soon.
const MEMORY: &str = "worker_memory = \"128MiB\"\n";

/// Where in the trial it happens, where it happens in a step.
const AT_STEP: u64 = 9;

/// The deeds that end a process at once, and how that is told.
const DEADLY: [(&str, &str); 4] = [
    ("segfault", "SIGSEGV (memory that is not its own)"),
    ("abort", "SIGABRT"),
    ("exit", "exit code 7"),
    (
        "allocate",
        "more memory than the 128 MiB of `worker_memory`",
    ),
];

fn in_study(home: &Home, action: &str, call: &str) -> Value {
    let file = study(
        home,
        &Wish {
            action,
            call,
            at_step: match call {
                "step" | "metric" => AT_STEP,
                _ => 0,
            },
            ..Wish::default()
        },
    );
    costs_its_own_trial(home, &["run", &file])
}

/// Runs a study whose one misbehaving trial fails, gives that trial, and lets the plugin run again
/// if it is kept from that by now.
#[track_caller]
fn costs_its_own_trial(home: &Home, args: &[&str]) -> Value {
    home.run(&["daemon", "start"]).ok();
    let daemon = home.daemon_pid().expect("a daemon");
    let said = home.run(args).failed(3);
    assert_eq!(home.daemon_pid(), Some(daemon), "it cost the daemon");
    let all = home.json(&["ls", "--json"]);
    let summary = all.as_array().and_then(|all| all.last()).expect("a study");
    let study = summary["id"].as_str().expect("an id");
    assert_eq!(
        &others(home, study),
        undisturbed(),
        "the others came to something else; seed {ONE_OF_FOUR}"
    );
    assert_eq!(summary["state"], "done", "{summary:#}");
    assert_eq!(summary["trials"]["running"], 0, "{summary:#}");
    assert_eq!(summary["trials"]["failed"], 1, "{summary:#}");
    let mut trials = misbehaving(home, study);
    assert_eq!(trials.len(), 1);
    let trial = trials.remove(0);
    assert_eq!(trial["state"], "failed", "{trial:#}");
    // Everybody who asks is told the same: the one who waited, the list, the page.
    let why = unwrapped(reason(&trial));
    for page in [
        said,
        home.run(&["ls", study]).ok(),
        home.run(&["show", trial["id"].as_str().expect("an id")])
            .ok(),
    ] {
        says(&unwrapped(&page), &[&why]);
    }
    // Refused where it is in no quarantine yet.
    drop(home.run(&["plugin", "release", "attune-misbehave"]));
    trial
}

/// Its worker died three times of it, each time in this call.
#[track_caller]
fn died(trial: &Value, call: &str, how: &str) {
    let id = trial["id"].as_str().expect("an id");
    let place = match call {
        "open" => "inside `open` of the library ".to_owned(),
        "configure" => format!("inside `configure` of scheduler `misbehave` for {id}"),
        call => format!("inside `{call}` of scheduler `misbehave` at step {AT_STEP} of {id}"),
    };
    says(
        reason(trial),
        &[
            "its worker died 3 times",
            how,
            &place,
            id,
            "libattune_misbehave.so",
        ],
    );
    let deaths = trial["deaths"].as_array().expect("deaths");
    assert_eq!(deaths.len(), 3, "{trial:#}");
    for death in deaths {
        says(death.as_str().expect("a sentence"), &[how, &place]);
    }
}

#[test]
fn in_a_step() {
    let home = home_with(MEMORY, &library());
    for (action, how) in DEADLY {
        died(&in_study(&home, action, "step"), "step", how);
    }
}

#[test]
fn as_it_is_configured() {
    let home = home_with(MEMORY, &library());
    for (action, how) in DEADLY {
        died(&in_study(&home, action, "configure"), "configure", how);
    }
}

/// As its library is loaded by a worker, after it was found sound by whoever asked what it holds.
#[test]
fn as_it_is_loaded() {
    let panics = ("panic", "SIGABRT");
    for (action, how) in DEADLY.into_iter().chain([panics]) {
        let home = home_with(MEMORY, &library());
        start(&home, Some(&format!("{action}@open")));
        home.run(&["plugin", "ls"]).ok();
        home.file("now", "");
        let file = study(&home, &Wish::default());
        died(&costs_its_own_trial(&home, &["run", &file]), "open", how);
    }
}

#[test]
fn by_hanging_in_a_step() {
    let home = home_with("step_timeout = \"1s\"\n", &library());
    let trial = in_study(&home, "hang", "step");
    died(&trial, "step", "longer than the 1 s of `step_timeout`");
}

#[test]
fn by_hanging_as_it_is_configured() {
    // A plugin is loaded, and asked what it holds, within the same time.
    let home = home_with("load_timeout = \"3s\"\n", &library());
    let trial = in_study(&home, "hang", "configure");
    died(&trial, "configure", "longer than the 3 s of `load_timeout`");
}

/// What can be caught costs no worker.
#[test]
fn errors_and_panics_end_the_trial_at_once() {
    let home = home_with("", &library());
    for (action, call, parts) in [
        ("panic", "configure", &["misbehave", "panicked"][..]),
        (
            "error",
            "configure",
            &["misbehave", "an error in configure"],
        ),
        ("panic", "step", &["misbehave", "panicked", "step 9"]),
        (
            "error",
            "step",
            &["misbehave", "an error in step", "step 9"],
        ),
        ("nan", "step", &["misbehave", "set the rate NaN at step 9"]),
        (
            "infinite",
            "step",
            &["misbehave", "set the rate inf at step 9"],
        ),
        ("error", "metric", &["misbehave", "an error in metric"]),
    ] {
        let trial = in_study(&home, action, call);
        says(reason(&trial), parts);
        assert_eq!(trial["deaths"], Value::Array(Vec::new()), "{trial:#}");
    }
}

/// What is a number, but no rate, is held in its bounds, and the trial says so.
#[test]
fn a_negative_rate_is_held_in_its_bounds() {
    let home = home_with("", &library());
    let file = study(
        &home,
        &Wish {
            action: "negative",
            at_step: AT_STEP,
            ..Wish::default()
        },
    );
    home.run(&["run", &file]).ok();
    assert_eq!(&others(&home, "s1"), undisturbed(), "seed {ONE_OF_FOUR}");
    let trial = misbehaving(&home, "s1").remove(0);
    assert_eq!(trial["state"], "done", "{trial:#}");
    says(&trial["warnings"].to_string(), &["outside their bounds"]);
}

/// A trial that ended is not taken back by what happens as its scheduler is let go.
#[test]
fn as_it_is_let_go_its_trial_is_over() {
    let home = home_with("", &library());
    let file = study(
        &home,
        &Wish {
            action: "segfault",
            call: "drop",
            ..Wish::default()
        },
    );
    home.run(&["run", &file]).ok();
    assert_eq!(&others(&home, "s1"), undisturbed(), "seed {ONE_OF_FOUR}");
    let trial = misbehaving(&home, "s1").remove(0);
    assert_eq!(trial["state"], "done", "{trial:#}");
}

/// What cannot be saved is trained again, until its workers have died of it too often.
#[test]
fn as_it_is_saved() {
    let home = home_with("", &library());
    let file = study(
        &home,
        &Wish {
            trials: 1,
            epochs: 100_000,
            action: "segfault",
            call: "save",
            ..Wish::default()
        },
    );
    home.start_detached(&file);
    let state = || {
        misbehaving(&home, "s1")
            .first()
            .map(|trial| trial["state"].clone())
    };
    // More often than three times, for a pause may come before there is anything to save.
    for _ in 0..20 {
        wait_until(
            || state().is_some_and(|state| state == "running" || state == "failed"),
            "the trial trains, or is given up",
        );
        if state().is_some_and(|state| state == "failed") {
            break;
        }
        // Too late where it has just been given up.
        drop(home.run(&["pause", "s1"]));
        drop(home.run(&["resume", "s1"]));
    }
    home.wait_for_state("s1", "done");
    let trial = misbehaving(&home, "s1").remove(0);
    assert_eq!(trial["state"], "failed", "{trial:#}");
    says(
        reason(&trial),
        &[
            "its worker died 3 times",
            "SIGSEGV",
            "inside `save` of scheduler `misbehave`",
        ],
    );
}
