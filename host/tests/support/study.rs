//! A small study, and all that it came to.

use super::Home;
use serde_json::Value;

const WINE: &str = include_str!("../../../examples/data/wine.csv");

/// How long a small study trains its trials.
pub const RUNGS: &str = "min_epochs = 2\nmax_epochs = 9";

/// What it searches.
pub const SPACE: &str = "scheduler = [\"greedy\", \"cosine\", \"hypergradient\", \"plateau\"]\n\
     lr = \"search\"\nwidth = [8, 16]\nbatch_size = 16\ndropout = 0.2";

/// A small study over a real table: `study.toml` in this home, with these lines at its top.
pub fn small_study(home: &Home, more: &str) -> String {
    study_of(home, more, RUNGS, SPACE)
}

/// The same with another `[fidelity]` and another `[space]`.
pub fn study_of(home: &Home, more: &str, fidelity: &str, space: &str) -> String {
    home.file("wine.csv", WINE);
    let text = format!(
        "seed = 5\n{more}\n[data]\npath = \"wine.csv\"\ntarget = \"cultivar\"\n\
         [fidelity]\n{fidelity}\n[space]\n{space}\n"
    );
    home.file("study.toml", text).to_string_lossy().into_owned()
}

/// Takes the metrics on test rows out of what studies came to: they are told of whichever trial is
/// the best one at an end, and stay told.
pub fn without_test_rows(mut outcome: Value) -> Value {
    for trial in outcome.as_array_mut().expect("trials") {
        let metrics = trial["metrics"].as_object_mut().expect("metrics");
        metrics.retain(|name, _| !name.starts_with("test_"));
    }
    outcome
}

/// All that a study came to: its leaderboard and every curve, without times, ids, and what happened
/// to its workers on the way.
#[track_caller]
pub fn outcome(home: &Home, study: &str) -> Value {
    let mut detail = home.json(&["show", study, "--json"]);
    let trials = detail["trials"].as_array_mut().expect("trials").clone();
    let whole: Vec<Value> = trials
        .into_iter()
        .map(|mut trial| {
            let id = trial["id"].as_str().expect("an id").to_owned();
            let mut curves = home.json(&["show", &id, "--json"]);
            trial["id"] = id.split_once('.').expect("STUDY.TRIAL").1.into();
            for by_chance in [
                "seconds",
                "started_unix_ms",
                "ended_unix_ms",
                "checkpoints",
                "deaths",
            ] {
                trial[by_chance] = Value::Null;
            }
            trial["curves"] = [curves["epoch_curves"].take(), curves["step_curves"].take()]
                .to_vec()
                .into();
            trial
        })
        .collect();
    whole.into()
}
