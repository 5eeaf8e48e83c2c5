//! Whole studies, run by the real program: reproducible, interrupted, killed, with trials that
//! fail, and with every kind of bad input.
#![allow(clippy::expect_used)]

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use support::{Followed, Home, outcome, signal, small_study, test_library, wait_until};

#[test]
fn the_outcome_is_the_same_whatever_runs_beside_it() {
    let home = Home::new();
    let file = small_study(&home, "trials = 14");
    for parallel in ["1", "2", "5"] {
        home.run(&["run", &file, "--parallel", parallel]).ok();
    }
    let first = outcome(&home, "s1");
    let trials = first.as_array().expect("trials");
    assert_eq!(trials.len(), 14);
    let states: Vec<&str> = trials.iter().filter_map(|t| t["state"].as_str()).collect();
    assert!(
        states.contains(&"done") && states.contains(&"stopped"),
        "{states:?}"
    );
    for other in ["s2", "s3"] {
        assert_eq!(first, outcome(&home, other), "{other} differs from s1");
    }
}

#[test]
fn another_seed_is_another_study_and_arrival_order_still_finishes() {
    let home = Home::new();
    let file = small_study(&home, "trials = 6");
    home.run(&["run", &file]).ok();
    let text = std::fs::read_to_string(&file).expect("the study file");
    home.file(
        "study.toml",
        text.replace("seed = 5", "seed = 6\nreproducible = false"),
    );
    home.run(&["run", &file, "--parallel", "3"]).ok();
    assert_ne!(outcome(&home, "s1"), outcome(&home, "s2"));
    let studies = home.json(&["ls", "--json"]);
    assert_eq!(studies[1]["trials"]["running"], 0);
    assert_eq!(studies[1]["state"], "done");
}

/// A study that would take minutes. Half of its trials fail at once, long before the first decision
/// is due.
fn long_study(home: &Home) -> String {
    let file = small_study(home, "trials = 1000");
    let text = std::fs::read_to_string(&file).expect("the study file");
    let text = with_misbehaviour(&text, "error", "configure")
        .replace("min_epochs = 2", "min_epochs = 50000")
        .replace("max_epochs = 9", "max_epochs = 100000")
        // One step an epoch: as many reports as there can be.
        .replace("batch_size = 16", "batch_size = 512");
    home.file("study.toml", text).to_string_lossy().into_owned()
}

/// Starts a long study, and returns once some epochs were told of.
fn start_long_study(home: &Home) -> Followed {
    let plugin = test_library("attune-misbehave");
    let plugin = plugin.to_string_lossy();
    let mut study = home.follow(&["--plugin", &plugin, "run", &long_study(home), "--json"]);
    study.wait_for_epochs(20);
    study
}

/// A study file with the scheduler that misbehaves beside one that does not.
fn with_misbehaviour(text: &str, action: &str, call: &str) -> String {
    let named = text.lines().map(|line| match line {
        line if line.starts_with("scheduler") => format!(
            "scheduler = [\"misbehave\", \"cosine\"]\n\
             misbehave.action = \"{action}\"\nmisbehave.call = \"{call}\""
        ),
        line => line.to_owned(),
    });
    named.collect::<Vec<_>>().join("\n")
}

/// How many of a study's trials failed.
fn failed(study: &Value) -> u64 {
    study["trials"]["failed"].as_u64().expect("a count")
}

/// How many epochs of a study are stored.
fn epochs(home: &Home, id: &str) -> u64 {
    let detail = home.json(&["ls", id, "--json"]);
    let trials = detail["trials"].as_array().expect("trials");
    trials.iter().filter_map(|t| t["epochs"].as_u64()).sum()
}

#[test]
fn ctrl_c_pauses_a_run_within_two_seconds_and_it_can_be_resumed() {
    let home = Home::new();
    let study = start_long_study(&home);
    let told = Instant::now();
    signal(study.id(), Signal::INT);
    let finished = study.finish();
    assert!(
        told.elapsed() < Duration::from_secs(2),
        "{:?}",
        told.elapsed()
    );
    finished.failed(130);

    let detail = home.json(&["ls", "s1", "--json"]);
    let study = &detail["study"];
    assert_eq!(study["state"], "paused", "{study}");
    assert!(study["reason"].is_string(), "{study}");
    let trials = detail["trials"].as_array().expect("trials");
    let states: Vec<&str> = trials.iter().filter_map(|t| t["state"].as_str()).collect();
    assert!(
        !states.contains(&"running") && states.contains(&"queued"),
        "{states:?}"
    );
    let reasons: Vec<&str> = trials.iter().filter_map(|t| t["reason"].as_str()).collect();
    assert!(
        reasons.iter().any(|reason| reason.contains("misbehave")),
        "a trial that had failed before is not told as failed: {reasons:?}"
    );

    let before = epochs(&home, "s1");
    assert!(before >= 20, "20 epochs were told of, {before} are stored");
    home.run(&["resume", "s1"]).ok();
    assert_eq!(home.study("s1")["state"], "running");
    wait_until(|| epochs(&home, "s1") > before, "a resumed study goes on");
}

#[test]
fn a_killed_client_leaves_its_study_running_and_a_killed_daemon_goes_on_with_it() {
    let home = Home::new();
    let client = start_long_study(&home);
    // Whoever looks does not wait for those who train.
    let listed = home.run(&["ls"]).ok();
    assert!(
        listed.contains("s1") && listed.contains("running"),
        "{listed}"
    );
    signal(client.id(), Signal::KILL);
    client.finish();
    let before = epochs(&home, "s1");
    assert!(before >= 20, "20 epochs were told of, {before} are stored");
    wait_until(
        || epochs(&home, "s1") > before,
        "a study without a client goes on",
    );

    let (daemon, workers) = (home.daemon_pid().expect("a daemon"), home.worker_pids());
    assert!(!workers.is_empty());
    let before = epochs(&home, "s1");
    signal(daemon, Signal::KILL);
    wait_until(
        || home.processes().is_empty(),
        "the workers of a daemon that was killed end",
    );

    // The next command starts another daemon, which has it all and goes on by itself.
    let study = home.study("s1");
    assert_eq!(study["state"], "running", "{study}");
    assert_ne!(home.daemon_pid(), Some(daemon));
    let after = epochs(&home, "s1");
    assert!(after >= before, "of {before} epochs {after} are left");
    wait_until(
        || epochs(&home, "s1") > before,
        "a study goes on after its daemon was killed",
    );
    home.run(&["stop", "s1"]).ok();
    home.wait_for_state("s1", "stopped");
    assert_eq!(home.study("s1")["trials"]["running"], 0);
}

#[test]
fn a_time_budget_ends_the_study_and_counts_as_done() {
    let home = Home::new();
    let file = small_study(&home, "budget = \"1s\"");
    let text = std::fs::read_to_string(&file).expect("the study file");
    home.file(
        "study.toml",
        text.replace("batch_size = 16", "batch_size = 512")
            .replace("max_epochs = 9", "max_epochs = 100000"),
    );
    let begun = Instant::now();
    home.run(&["run", &file]).ok();
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    let study = &home.json(&["ls", "--json"])[0];
    assert_eq!(study["state"], "done");
    assert_eq!(study["trials"]["running"], 0);
}

#[test]
fn a_scheduler_that_misbehaves_costs_its_own_trials_alone() {
    let home = Home::new();
    let library = test_library("attune-misbehave");
    let library = library.to_string_lossy();
    for (action, call, expected) in [
        ("panic", "step", "panicked"),
        ("nan", "step", "NaN at step"),
        ("error", "configure", "misbehave"),
        ("panic", "configure", "panicked"),
    ] {
        let file = small_study(&home, "trials = 8");
        let text = std::fs::read_to_string(&file).expect("the study file");
        home.file("study.toml", with_misbehaviour(&text, action, call));
        let error = home.run(&["--plugin", &library, "run", &file]).failed(3);
        assert!(
            error.contains(expected) && error.contains("misbehave"),
            "{action}@{call}: {error}"
        );

        let studies = home.json(&["ls", "--json"]);
        let study = studies.as_array().expect("studies").last().expect("one");
        assert!((1..8).contains(&failed(study)), "{study}");
        assert_eq!(study["trials"]["running"], 0);
    }
}

#[test]
fn bad_input_gives_one_error_with_place_and_remedy() {
    let home = Home::new();
    let rows: String = (0..60)
        .map(|row| format!("{row},{},{}\n", row % 7, ["x", "z"][row % 2]))
        .collect();
    home.file("ok.csv", format!("a,b,y\n{rows}"));
    home.file("short.csv", "a,b,y\n1,2,x\n2,3\n3,4,x\n");
    home.file("empty.csv", "");
    home.file("header.csv", "a,b,y\n");
    home.file("blank.csv", "a,y\n1,\n2,\n3,\n");
    home.file("same.csv", "a,y\n1,x\n2,x\n3,x\n");
    home.file("model.safetensors", "somebody's file");
    home.file("notes.json", r#"{"task": "mine"}"#);
    let study = |name: &str, text: &str| home.file(name, text).to_string_lossy().into_owned();
    let data = "[data]\npath = \"ok.csv\"\ntarget = \"y\"\n";
    let misspelt = study("misspelt.toml", &format!("trails = 3\n{data}"));
    let range = study(
        "range.toml",
        &format!("{data}[space]\nscheduler = \"greedy\"\ngreedy.factor = 1.5\n"),
    );
    let parameter = study(
        "parameter.toml",
        &format!("{data}[space]\nscheduler = \"greedy\"\ngreedy.patiense = 2\n"),
    );
    let scheduler = study(
        "scheduler.toml",
        &format!("{data}[space]\nscheduler = \"gredy\"\n"),
    );
    let metric = study(
        "metric.toml",
        &format!("{data}[objective]\nmetric = \"rmse\"\n"),
    );
    let toml = study("broken.toml", "[data\n");

    let fit = |file: &'static str, target: &'static str| vec!["fit", file, "--target", target];
    let table: Vec<(Vec<&str>, &[&str])> = vec![
        (fit("gone.csv", "y"), &["gone.csv"]),
        (fit("ok.csv", "z"), &["ok.csv", "`z`"]),
        (fit("short.csv", "y"), &["short.csv:3", "2 cells", "3"]),
        (fit("empty.csv", "y"), &["empty.csv", "empty"]),
        (fit("header.csv", "y"), &["header.csv"]),
        (fit("blank.csv", "y"), &["blank.csv", "`y`"]),
        (
            fit("same.csv", "y"),
            &["same.csv", "`y`", "`x` in every row"],
        ),
        (
            [fit("ok.csv", "y"), vec!["--out", "model.safetensors"]].concat(),
            &["model.safetensors", "--out"],
        ),
        (
            [fit("ok.csv", "y"), vec!["--out", "notes.safetensors"]].concat(),
            &["notes.json exists", "configuration", "move it away"],
        ),
        (
            [fit("ok.csv", "y"), vec!["--out", "no/such/folder/m"]].concat(),
            &["no folder no/such/folder"],
        ),
        (
            [fit("ok.csv", "y"), vec!["--schedulers", "greedy,cosin"]].concat(),
            &["`cosin`", "did you mean `cosine`?"],
        ),
        (vec!["run", "gone.toml"], &["gone.toml", "check the path"]),
        (
            vec!["run", &misspelt],
            &["misspelt.toml:1", "did you mean `trials`?"],
        ),
        (
            vec!["run", &range],
            &["range.toml:6", "`factor` is 1.5", "(0, 1)"],
        ),
        (
            vec!["run", &parameter],
            &["parameter.toml:6", "did you mean `patience`?"],
        ),
        (
            vec!["run", &scheduler],
            &["scheduler.toml:5", "did you mean `greedy`?"],
        ),
        (
            vec!["run", &metric],
            &["metric.toml", "`rmse` does not fit", "accuracy"],
        ),
        (vec!["run", &toml], &["broken.toml:1", "not valid TOML"]),
        (vec!["show", "s99"], &["s99"]),
        (vec!["show", "nonsense"], &["nonsense"]),
        (vec!["compare", "s1", "s2"], &["s1"]),
        (
            vec!["predict", "model.safetensors", "ok.csv"],
            &["model.safetensors"],
        ),
    ];
    for (args, expected) in table {
        let error = home.run(&args).failed(1);
        for part in expected {
            assert!(error.contains(part), "{args:?}: no {part:?} in\n{error}");
        }
        let errors = error
            .lines()
            .filter(|line| line.starts_with("error:"))
            .count();
        assert_eq!(errors, 1, "{args:?}:\n{error}");
    }
    let usage = home
        .run(&["fit", "ok.csv", "--target", "y", "--budget", "soon"])
        .failed(2);
    assert!(
        usage.contains("`soon` is not a duration; write 90s"),
        "{usage}"
    );
    // None of it left anything behind.
    let studies = home.json(&["ls", "--json"]);
    assert_eq!(studies.as_array().map(Vec::len), Some(0), "{studies}");
    let kept = std::fs::read_to_string(home.path().join("model.safetensors"));
    assert_eq!(kept.expect("it is still there"), "somebody's file");
}

#[test]
fn results_can_be_listed_shown_and_compared() {
    let home = Home::new();
    let file = small_study(&home, "trials = 6");
    let board = home.run(&["run", &file]).ok();
    assert!(board.contains("* 1"), "{board}");
    assert!(home.run(&["ls"]).ok().contains("s1"));
    assert!(home.run(&["ls", "s1"]).ok().contains("s1.5"));
    let page = home.run(&["show", "s1.0"]).ok();
    assert!(
        page.contains("accuracy by epoch") && page.contains("learning rate by step"),
        "{page}"
    );
    assert!(
        home.run(&["show", "s1"])
            .ok()
            .contains("target = \"cultivar\"")
    );

    let page = home.run(&["compare", "s1.0", "s1.1", "s1.2"]).ok();
    assert!(
        page.contains("s1.0") && page.contains("last valid_accuracy"),
        "{page}"
    );
    assert!(
        !page.contains("batch_size"),
        "what does not differ is shown:\n{page}"
    );
    // A study stands for its best trial.
    let trials = home.json(&["ls", "s1", "--json"])["trials"].take();
    let (best, other) = (&trials[0]["id"], &trials[1]["id"]);
    let other = other.as_str().expect("an id");
    let both = home.json(&["compare", "s1", other, "--json"]);
    assert_eq!(both[0]["trial"]["id"], *best);
    let twice = home.run(&["compare", "s1", best.as_str().expect("an id")]);
    assert!(twice.failed(1).contains("already compared"));
}

/// What the README's first command promises.
#[test]
fn the_digits_example_keeps_its_promise() {
    let home = Home::new();
    let begun = Instant::now();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits.toml");
    home.run(&["run", &examples.to_string_lossy()]).ok();
    assert!(begun.elapsed() < Duration::from_secs(180));
    let detail = home.json(&["show", "s1", "--json"]);
    let trials = detail["trials"].as_array().expect("trials");
    let schedulers: std::collections::BTreeSet<_> = trials
        .iter()
        .filter_map(|trial| trial["scheduler"].as_str())
        .collect();
    assert!(
        trials.len() >= 16 && schedulers.len() >= 4,
        "{schedulers:?}"
    );
    let best = &trials[0];
    let value = |of: &Value| of.as_f64().expect("a number");
    assert!(value(&best["value"]) >= 0.975, "{best}");
    // Rows that chose nothing: a weaker bound, since they are few and nobody tuned for them.
    assert!(value(&best["metrics"]["test_accuracy"]) >= 0.96, "{best}");
}

/// A trial that is lost with its worker cannot be the one whose model is saved.
#[test]
fn the_saved_model_is_that_of_the_trial_it_names() {
    let home = Home::new();
    let library = test_library("attune-misbehave");
    let file = small_study(&home, "budget = \"1s\"");
    let text = std::fs::read_to_string(&file).expect("the study file");
    home.file(
        "study.toml",
        with_misbehaviour(&text, "hang", "metric")
            .replace("max_epochs = 9", "max_epochs = 100000")
            // The hanging ones have a result before they hang.
            .replace("[space]", "[steering]\nevery = \"5 epochs\"\n[space]"),
    );
    home.run(&[
        "--plugin",
        &library.to_string_lossy(),
        "run",
        &file,
        "--parallel",
        "4",
    ])
    .ok();
    let model = std::fs::read(home.path().join("study.safetensors")).expect("a model");
    let header = String::from_utf8_lossy(&model[8..model.len().min(65536)]).into_owned();
    let named = header
        .split("trial\\\":\\\"")
        .nth(1)
        .expect("the card names its trial");
    let id = named.split('\\').next().expect("an id");
    let trial = home.json(&["show", id, "--json"])["trial"].take();
    assert!(trial["metrics"]["test_accuracy"].is_number(), "{trial}");
    let epoch = header
        .split("epoch\\\":")
        .nth(1)
        .expect("the card names its epoch");
    let epoch = epoch.split(',').next().expect("a number");
    assert_eq!(trial["best_epoch"].to_string(), epoch, "{trial}");
}

#[test]
fn the_examples_are_valid_studies() {
    let home = Home::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    for name in ["wine.toml", "diabetes.toml"] {
        let text = std::fs::read_to_string(examples.join(name)).expect("an example");
        let data = examples
            .join("data")
            .canonicalize()
            .expect("the examples' data");
        let text = text.replace("\"data/", &format!("\"{}/", data.display()));
        let text = text
            .replace("trials = 16", "trials = 4")
            .replace("max_epochs = 60", "max_epochs = 6");
        let file = home.file(name, text);
        home.run(&["run", &file.to_string_lossy()]).ok();
    }
}

#[test]
fn who_speaks_to_somebody_who_is_gone_does_not_panic() {
    let home = Home::new();
    let gone = || std::io::pipe().expect("a pipe").1;
    for args in [&["show", "nothing"][..], &["status"], &["daemon", "start"]] {
        let mut speaker = home.attune();
        speaker.args(args).stdout(gone()).stderr(gone());
        let code = speaker.status().expect("the program starts").code();
        assert!(matches!(code, Some(0 | 1)), "{args:?}: {code:?}");
    }
}
