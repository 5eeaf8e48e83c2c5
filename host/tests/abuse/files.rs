//! Files that change or vanish under a study.

use crate::ground::{Wish, library, study, trials};
use crate::support::{Home, one_line, outcome, says, signal, unwrapped, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;

/// What happens to a file.
type Deed<'d> = dyn Fn(&Path) + 'd;

/// A study of some seconds, which the misbehaving plugin takes part in and behaves.
fn long(home: &Home) -> String {
    study(
        home,
        &Wish {
            trials: 3,
            epochs: 3_000,
            ..Wish::default()
        },
    )
}

/// A home with a library of its own, its study begun.
fn begin() -> Home {
    let home = home_of_its_own();
    home.start_detached(&long(&home));
    wait_for_training(&home);
    home
}

fn home_of_its_own() -> Home {
    let folder = Home::new();
    let own = folder.path().join("libours.so");
    std::fs::copy(library(), &own).expect("a copy");
    folder.configure(&format!("plugins = [\"{}\"]\n", own.display()));
    folder
}

fn wait_for_training(home: &Home) {
    wait_until(
        || !trials(home, "s1").is_empty() && trials(home, "s1").iter().any(|t| t["steps"] != 0),
        "a trial trains",
    );
}

/// What such a study comes to where nothing happens to its files.
fn undisturbed() -> Value {
    let home = home_of_its_own();
    home.run(&["run", &long(&home)]).ok();
    outcome(&home, "s1")
}

fn kill_workers(home: &Home) {
    let workers = home.worker_pids();
    assert!(!workers.is_empty());
    for pid in &workers {
        signal(*pid, Signal::KILL);
    }
    wait_until(
        || !home.processes().iter().any(|pid| workers.contains(pid)),
        "the workers are gone",
    );
}

/// Data are read once by each worker. One that finds them changed, or nothing, holds the study and
/// says so; nothing is lost.
#[test]
fn data_that_change_or_vanish_pause_the_study_with_the_reason() {
    let home = begin();
    let data = home.path().join("wine.csv");
    let whole = std::fs::read(&data).expect("the data");
    let change = |path: &Path| std::fs::write(path, &whole[..whole.len() / 2]).expect("a write");
    let vanish = |path: &Path| std::fs::remove_file(path).expect("it is there");
    let deeds: [(&Deed<'_>, &str); 2] = [(&change, "changed since"), (&vanish, "cannot read")];
    for (deed, why) in deeds {
        deed(&data);
        // Those who hold them in memory go on.
        kill_workers(&home);
        home.wait_for_state("s1", "paused");
        let study = home.study("s1");
        let reason = study["reason"].as_str().expect("a reason");
        says(reason, &["wine.csv", why]);
        says(
            &unwrapped(&home.run(&["ls", "s1"]).ok()),
            &[&unwrapped(reason)],
        );
        // To try again is allowed, and comes to the same.
        home.run(&["resume", "s1"]).ok();
        home.wait_for_state("s1", "paused");
        std::fs::write(&data, &whole).expect("a write");
        home.run(&["resume", "s1"]).ok();
        wait_for_training(&home);
    }
    home.wait_for_state("s1", "done");
    assert_eq!(outcome(&home, "s1"), undisturbed());
}

/// What the daemon needs of them it holds itself.
#[test]
fn a_study_file_and_a_plugin_that_vanish_or_are_overwritten_are_nothing_to_the_study() {
    let home = begin();
    let own = home.path().join("libours.so");
    std::fs::remove_file(home.path().join("study.toml")).expect("it is there");
    // In place, as a careless build would.
    std::fs::write(&own, b"no library any more").expect("a write");
    kill_workers(&home);
    wait_for_training(&home);
    std::fs::remove_file(&own).expect("it is there");
    home.run(&["pause", "s1"]).ok();
    home.run(&["daemon", "stop"]).ok();
    home.run(&["resume", "s1"]).ok();
    home.wait_for_state("s1", "done");
    assert_eq!(outcome(&home, "s1"), undisturbed());
    // Only a new study misses it.
    let refused = home.run(&["run", &long(&home)]).failed(1);
    one_line(
        &refused,
        &["no plugin holds a scheduler `misbehave`", "libours.so"],
    );
}

/// A cache may be cleared at any time: where the plugin folders still have the builds that a study
/// began with, it goes on with those.
#[test]
fn a_private_copy_that_is_gone_is_made_anew() {
    let home = begin();
    home.run(&["pause", "s1"]).ok();
    home.run(&["daemon", "stop"]).ok();
    let cache = home.attune_home().join("cache");
    for copy in libraries(&cache) {
        std::fs::remove_file(copy).expect("it is there");
    }
    home.run(&["resume", "s1"]).ok();
    assert_eq!(home.study("s1")["state"], "running");
    assert!(!libraries(&cache).is_empty());
    home.run(&["stop", "s1"]).ok();
}

fn libraries(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        match path.is_dir() {
            true => found.extend(libraries(&path)),
            false if path.extension().is_some_and(|end| end == "so") => found.push(path),
            false => {}
        }
    }
    found
}
