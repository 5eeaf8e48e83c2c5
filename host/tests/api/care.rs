//! What is kept, taken elsewhere and brought back: exports, imports and backups of a real daemon.

use crate::fuzz::{endless, start};
use crate::support::{Home, outcome, small_study};
use serde_json::Value;
use std::path::Path;

/// The lines of an export, without what must differ between a study and its like.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("an export");
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        let (kind, content) = line.as_object_mut().unwrap().iter_mut().next().unwrap();
        let differs: &[&str] = match kind.as_str() {
            "export" => &["attune"],
            "trial" => &["checkpoints"],
            _ => &[],
        };
        for name in differs {
            content[name] = Value::Null;
        }
        for name in ["id", "of"] {
            if let Some(id) = content[name].as_str() {
                content[name] = id.split_once('.').expect("STUDY.TRIAL").1.into();
            }
        }
        if kind == "export" {
            let notes = content["notes"].as_array_mut().expect("notes");
            notes.retain(|note| !note.as_str().unwrap().starts_with("imported from"));
            let study = &mut content["study"];
            study["id"] = Value::Null;
            let best = study["best_trial"]
                .as_str()
                .map(|id| id.split_once('.').unwrap().1);
            study["best_trial"] = best.into();
        }
        line
    });
    lines.collect()
}

#[test]
fn a_study_that_is_exported_and_imported_is_the_same() {
    let home = Home::new();
    let file = small_study(&home, "trials = 6");
    home.run(&["run", &file]).ok();
    home.run(&["resume", "s1", "--trials", "8", "--wait"]).ok();
    home.run(&["export", "s1", "--to", "before.jsonl"]).ok();
    let id = home.run(&["import", "before.jsonl"]).ok();
    assert_eq!(id.trim(), "s2");
    home.run(&["export", "s2", "--to", "after.jsonl"]).ok();
    let [before, after] =
        ["before.jsonl", "after.jsonl"].map(|name| lines(&home.path().join(name)));
    assert_eq!(before, after);
    // Changes, and how it was made, are there to be seen.
    let shown = home.json(&["show", "s2", "--json"]);
    assert_eq!(
        shown["changes"],
        home.json(&["show", "s1", "--json"])["changes"]
    );
    assert_ne!(shown["changes"], Value::Array(Vec::new()));
    assert_eq!(outcome(&home, "s1"), outcome(&home, "s2"));
}

#[test]
fn a_backup_of_a_running_daemon_is_a_store_like_it() {
    let home = Home::new();
    let file = small_study(&home, "trials = 4");
    home.run(&["run", &file]).ok();
    let running = start(&home, endless());

    home.run(&["store", "verify"]).ok();
    home.run(&["store", "compact"]).ok();
    let told = home.run(&["store", "backup", "saved/store"]).ok();
    assert!(
        told.contains("copied") && told.contains("saved/store"),
        "{told}"
    );
    for (place, why) in [("saved/store", "is not empty"), ("wine.csv", "wine.csv")] {
        let refused = home.run(&["store", "backup", place]).failed(1);
        assert!(refused.contains(why), "{refused}");
        assert_eq!(refused.lines().count(), 1, "{refused}");
    }
    home.run(&["stop", &running]).ok();

    // Another home takes it for its own.
    let other = Home::new();
    std::fs::create_dir_all(other.state()).unwrap();
    std::fs::rename(home.path().join("saved/store"), other.state().join("store")).unwrap();
    // A store is not all: checkpoints and models are files beside it, of which those of what ran
    // have changed since.
    std::fs::rename(
        home.state().join("checkpoints"),
        other.state().join("checkpoints"),
    )
    .unwrap();
    let verified = other.run(&["store", "verify"]);
    assert!(verified.out.contains("2 studies, "), "{verified:?}");
    assert!(!verified.err.contains("s1."), "{}", verified.err);
    assert_eq!(outcome(&home, "s1"), outcome(&other, "s1"));
    // What ran goes on there, with the same builds of its plugins.
    let there = other.study(&running);
    assert_eq!(
        (&there["name"], &there["state"]),
        (&"endless".into(), &"running".into()),
        "{there}"
    );
    other.run(&["stop", &running]).ok();
}
