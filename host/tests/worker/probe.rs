//! Questions that only a process that may die can answer.

use crate::support::Home;
use crate::toy::*;
use serde_json::json;
use std::path::Path;

#[test]
fn a_library_is_described() {
    let file = &shipped()["greedy"];
    let answer = probe(&json!({ "describe": file }).to_string());
    assert_eq!(answer["library"]["name"], "attune-plugin-greedy");
    let schedulers = answer["library"]["schedulers"].as_array().unwrap();
    assert!(schedulers.iter().any(|one| one["name"] == "greedy"));
    assert!(answer["fingerprint"].as_str().unwrap().contains("rustc"));
    let known = shipped();
    assert!(known.len() >= 10, "{:?}", known.keys());
}

#[test]
fn a_study_is_inspected() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/wine.csv");
    let spec =
        "[data]\npath = 'data/wine.csv'\ntarget = 'cultivar'\n[objective]\nmetric = 'loss'\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/some.toml");
    let answer = probe(&json!({ "inspect": { "spec": spec, "file": file } }).to_string());
    assert_eq!(answer["metric"], "loss");
    assert_eq!(answer["minimize"], true);
    assert_eq!(answer["rows"], 178);
    assert_eq!(answer["data_hash"], hash(&data));
    assert!(!answer["notes"].as_array().unwrap().is_empty());
}

#[test]
fn what_is_wrong_is_an_answer_and_a_question_that_is_none_is_not() {
    let home = Home::new();
    let library = home.file("libnothing.so", "no library");
    let describe = json!({ "describe": { "path": library, "copy": library, "hash": "0" } });
    let file = home.path().join("study.toml");
    let inspect = |spec: &str| json!({ "inspect": { "spec": spec, "file": file } });
    let table = [
        (describe, "libnothing.so"),
        (
            inspect("trails = 3\n[data]\npath = 'd.csv'\ntarget = 'y'\n"),
            "did you mean `trials`?",
        ),
        (
            inspect("[data]\npath = 'none.csv'\ntarget = 'y'"),
            "none.csv",
        ),
    ];
    for (question, expected) in table {
        let answer = probe(&question.to_string());
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(expected), "{error} lacks {expected}");
    }
    for question in ["", "{}", "{\"describe\": 3}", "not JSON"] {
        let (code, answer) = run_probe(question);
        assert_eq!((code, answer.as_str()), (Some(1), ""), "{question:?}");
    }
}
