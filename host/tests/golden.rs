//! The golden traces, replayed by the real example program through the real plugin libraries.

#![allow(clippy::unwrap_used)] // The helpers below serve tests alone.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Finished;

/// Runs `cargo run --example golden` on these files, without the `cargo run`.
fn golden(files: &[PathBuf]) -> Finished {
    support::plugins_dir();
    let folder = support::build_folder();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", "attune", "--example", "golden"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", folder.parent().unwrap())
        .status()
        .unwrap();
    assert!(built.success(), "the example does not build");
    let program = folder.join("examples").join("golden");
    Command::new(program).args(files).output().unwrap().into()
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// The first line of a golden file with a text in it, as JSON.
fn line_with(file: &str, text: &str) -> serde_json::Value {
    let content = fs::read_to_string(shipped(file)).unwrap();
    let line = content.lines().find(|line| line.contains(text)).unwrap();
    serde_json::from_str(line).unwrap()
}

#[test]
fn every_golden_trace_is_reproduced() {
    let files = ["greedylr.jsonl", "schedules.jsonl", "more.jsonl"].map(shipped);
    let out = golden(&files).ok();
    let summaries: Vec<&str> = out.lines().collect();
    assert_eq!(summaries.len(), files.len(), "{out}");
    for (file, summary) in files.iter().zip(summaries) {
        let traces = fs::read_to_string(file).unwrap().lines().count();
        assert!(
            summary.starts_with(&format!("{}: {traces} traces", file.display())),
            "{summary}"
        );
        assert!(
            summary.contains(" 0 mismatches, 0 lines that could not"),
            "{summary}"
        );
    }
}

#[test]
fn a_value_that_was_tampered_with_is_named_with_line_step_and_group() {
    let folder = tempfile::tempdir().unwrap();
    let mut greedy = line_with("greedylr.jsonl", "case-000");
    let rate = greedy["lr"][17][2].as_f64().unwrap();
    greedy["lr"][17][2] = (rate * (1.0 + 2e-9)).into();
    let mut cosine = line_with("schedules.jsonl", "hf.cosine\"");
    let rate = cosine["lr"][40].as_f64().unwrap();
    cosine["lr"][40] = (rate * (1.0 + 2e-6)).into();
    let untouched = line_with("schedules.jsonl", "torch.StepLR");
    let file = folder.path().join("tampered.jsonl");
    fs::write(&file, format!("{untouched}\n\n{greedy}\n{cosine}\n")).unwrap();

    let finished = golden(std::slice::from_ref(&file));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let lines: Vec<&str> = finished.out.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let shown = file.display();
    assert!(lines[0].starts_with(&format!(
        "{shown}:3: case-000: lr at step 17, group 2: expected "
    )));
    assert!(lines[0].contains("(relative error 2.0e-9)"), "{}", lines[0]);
    assert!(lines[1].starts_with(&format!(
        "{shown}:4: hf.cosine (trace 4): lr at step 40, group 0"
    )));
    assert!(
        lines[2].contains("3 traces") && lines[2].contains(" 2 mismatches"),
        "{}",
        lines[2]
    );
}

#[test]
fn a_difference_within_the_tolerance_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut greedy = line_with("greedylr.jsonl", "case-000");
    let rate = greedy["lr"][17][2].as_f64().unwrap();
    greedy["lr"][17][2] = (rate * (1.0 + 5e-10)).into();
    let file = folder.path().join("rounded.jsonl");
    fs::write(&file, format!("{greedy}\n")).unwrap();
    golden(&[file]).ok();
}

#[test]
fn what_cannot_be_replayed_fails_and_is_named_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let good = r#"{"schedule": "hf.constant", "params": {}, "init_lr": 0.5, "steps": 1, "lr": [0.5, 0.5]}"#;
    let table: &[(&str, &str)] = &[
        ("", "holds no trace"),
        ("\n  \n", "holds no trace"),
        ("{\"schedule\": ", ":1: not a JSON object"),
        (
            r#"{"schedule": "torch.LambdaLR", "params": {}, "init_lr": 1, "lr": [1]}"#,
            ":1: torch.LambdaLR (trace 1): no scheduler of ours stands for `torch.LambdaLR`",
        ),
        (
            r#"{"schedule": "hf.constant", "params": {"x": 1}, "init_lr": 1, "lr": [1]}"#,
            "the argument `x` has no counterpart",
        ),
        (
            r#"{"schedule": "torch.StepLR", "params": {}, "init_lr": 1, "lr": [1]}"#,
            "`step_size` is missing",
        ),
        (
            r#"{"schedule": "torch.StepLR", "params": {"step_size": 3, "gamma": 7}, "init_lr": 1, "lr": [1]}"#,
            "parameter `gamma` of scheduler `step` is 7.0, but must be",
        ),
        (
            r#"{"schedule": "hf.constant", "params": {}, "init_lr": 1, "steps": 3, "lr": [1, 1]}"#,
            "`steps` is 3, but `lr` holds 2 values",
        ),
        (
            r#"{"schedule": "hf.constant", "params": {}, "init_lr": [1, 2], "lr": [1]}"#,
            "`init_lr` has 2 groups, but `lr` has 1",
        ),
        (
            r#"{"params": {}, "init_lr": [1], "lr": [[1]]}"#,
            "`metrics` are missing",
        ),
        (
            r#"{"params": {}, "init_lr": [1], "metrics": [1, 2], "lr": [[1]]}"#,
            "there are 2 metrics for 1 steps",
        ),
        (
            r#"{"params": {}, "init_lr": [1], "metrics": ["one"], "lr": [[1]]}"#,
            "`metrics` holds \"one\" where a number should be",
        ),
    ];
    let mut files = Vec::new();
    for (number, (content, _)) in table.iter().enumerate() {
        let file = folder.path().join(format!("{number}.jsonl"));
        // A good line after the bad one shows that the file is read on.
        let more = if content.trim().is_empty() { "" } else { good };
        fs::write(&file, format!("{content}\n{more}\n")).unwrap();
        files.push(file);
    }
    files.push(folder.path().join("missing.jsonl"));

    let finished = golden(&files);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for (file, (content, message)) in files.iter().zip(table) {
        let of_file: Vec<&str> = finished
            .out
            .lines()
            .filter(|l| l.starts_with(&*file.to_string_lossy()))
            .collect();
        assert!(of_file[0].contains(message), "{content}: {of_file:#?}");
        if !content.trim().is_empty() {
            let summary = "1 traces, 2 values, 0 mismatches, 1 lines that could not be replayed";
            assert!(of_file[1].ends_with(summary), "{content}: {of_file:#?}");
        }
    }
    assert!(
        finished.out.contains("missing.jsonl: cannot be read"),
        "{}",
        finished.out
    );
}

#[test]
fn nan_and_infinity_are_read_however_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not-finite.jsonl");
    let line = |metrics: &str| {
        format!(
            r#"{{"name": "a \" NaN", "params": {{"patience": 0, "factor": 0.5}}, "init_lr": [0.5], "metrics": {metrics}, "lr": [[0.25], [0.5]]}}"#
        )
    };
    let lines = ["[NaN, -Infinity]", "[null, 1]", "[Infinity, 0]"].map(line);
    fs::write(&file, lines.join("\n")).unwrap();
    golden(&[file]).ok();
}

#[test]
fn without_a_file_it_says_how_it_is_used() {
    let finished = golden(&[]);
    assert!(finished.failed(1).contains("usage: golden FILE..."));
}
