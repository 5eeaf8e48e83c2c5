//! Studies that last as long as a test needs, and looks at them.

use crate::support::{Home, SPACE, study_of, wait_until};
use serde_json::Value;

/// A study of so many trials and epochs, all of them trained to their end.
pub fn study(home: &Home, trials: u32, epochs: u32) -> String {
    let fidelity = format!("method = \"none\"\nmax_epochs = {epochs}");
    study_of(home, &format!("trials = {trials}"), &fidelity, SPACE)
}

/// A study that nobody waits for to end.
pub fn endless(home: &Home) -> String {
    study(home, 1_000, 1_000_000)
}

/// Hands a study to the daemon, and returns its id once its first trial trains.
#[track_caller]
pub fn start(home: &Home, file: &str) -> String {
    let id = home.start_detached(file);
    wait_for_training(home, &format!("{id}.0"));
    id
}

/// Waits until a trial has made steps, and makes more.
#[track_caller]
pub fn wait_for_training(home: &Home, id: &str) {
    wait_until(
        || {
            let trial = trial(home, id);
            trial["state"] == "running" && trial["steps"] != 0
        },
        &format!("{id} trains"),
    );
}

/// A trial as its study lists it: without its curves, which may be long. Null where there is none.
#[track_caller]
pub fn trial(home: &Home, id: &str) -> Value {
    let study = id.split_once('.').expect("STUDY.TRIAL").0;
    let mut detail = home.json(&["ls", study, "--json"]);
    let trials = detail["trials"].as_array_mut().expect("trials");
    let found = trials.iter_mut().find(|trial| trial["id"] == id);
    found.map_or(Value::Null, Value::take)
}

/// Waits until a trial is in this state.
#[track_caller]
pub fn wait_for_trial(home: &Home, id: &str, state: &str) {
    wait_until(
        || trial(home, id)["state"] == state,
        &format!("{id} is {state}"),
    );
}

/// Waits until a trial has been evaluated.
#[track_caller]
pub fn wait_for_an_epoch(home: &Home, id: &str) {
    wait_until(
        || {
            trial(home, id)["epochs"]
                .as_u64()
                .is_some_and(|epochs| epochs > 0)
        },
        &format!("{id} has trained an epoch"),
    );
}
