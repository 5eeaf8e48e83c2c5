//! What a scheduler was shown at each decision, kept with the trial's steps.

use crate::asking::Asking;
use crate::ground::study;
use crate::support::{Home, says};
use attune_protocol::{StepRows, StepsQuery, ZoomQuery};
use std::collections::BTreeMap;

fn steps(asking: &Asking, trial: &str) -> StepRows {
    let query = StepsQuery::default();
    asking.to(|client| async move { client.steps(trial, &query).await })
}

/// The columns of what was shown, by name, each with the steps at which it was.
fn shown(rows: &StepRows) -> BTreeMap<&str, Vec<u64>> {
    let signals = rows.columns.iter().filter_map(|(name, values)| {
        let signal = name.strip_prefix("signal.")?;
        let steps = rows.steps.iter().zip(values);
        let at = steps
            .filter(|(_, value)| !value.0.is_nan())
            .map(|(step, _)| *step);
        Some((signal, at.collect()))
    });
    signals.collect()
}

#[test]
fn a_scheduler_s_signals_are_kept_and_one_that_asks_for_nothing_has_none() {
    let home = Home::new();
    let file = study(&home, 1, 8);
    let text = std::fs::read_to_string(&file).unwrap();
    let list = "scheduler = [\"greedy\", \"cosine\", \"hypergradient\", \"plateau\"]";
    let asking = Asking::of(&home);
    for (number, scheduler) in ["cosine", "greedy", "hypergradient"].iter().enumerate() {
        let text = text.replace(list, &format!("scheduler = \"{scheduler}\""));
        let text = format!("{text}\n[steering]\nmetric = \"valid_loss\"\nevery = \"1 epochs\"\n");
        home.file("study.toml", text);
        let id = home.start_detached("study.toml");
        assert_eq!(id, format!("s{}", number + 1));
        home.wait_for_state(&id, "done");
    }
    let closed = steps(&asking, "s1.0");
    assert!(shown(&closed).is_empty());
    let all: Vec<u64> = closed.steps.clone();
    let per_epoch = all.len() as u64 / 8;
    // Told at the end of each epoch, after its last step.
    let greedy = steps(&asking, "s2.0");
    let ends: Vec<u64> = (1..=8).map(|epoch| epoch * per_epoch - 1).collect();
    assert_eq!(shown(&greedy), BTreeMap::from([("metric", ends)]));
    let metrics = home.json(&["show", "s2.0", "--json"]);
    let curves = metrics["epoch_curves"].as_array().unwrap();
    let valid = curves
        .iter()
        .find(|curve| curve["name"] == "valid_loss")
        .unwrap();
    let told = greedy.columns["signal.metric"]
        .iter()
        .filter(|value| !value.0.is_nan());
    for (told, point) in told.zip(valid["points"].as_array().unwrap()) {
        assert_eq!(told.0 as f32, point[1].as_f64().unwrap() as f32);
    }
    let page = home.run(&["show", "s2.0"]).ok();
    says(&page, &["learning rate", "metric, as its scheduler saw it"]);

    let hyper = steps(&asking, "s3.0");
    let told = shown(&hyper);
    assert!(told.contains_key("grad_dot_prev_update.0"), "{told:?}");
    assert!(told.contains_key("grad_dot_prev_update.1") && !told.contains_key("metric"));
    // Before the first update there is no direction.
    assert_eq!(told["grad_dot_prev_update.0"], all[1..]);
    let zoom = ZoomQuery {
        column: "signal.grad_dot_prev_update.0".into(),
        points: Some(10),
        ..ZoomQuery::default()
    };
    let zoom = asking.to(|client| async move { client.zoom("s3.0", &zoom).await });
    assert!(!zoom.buckets.is_empty());

    // It goes where the trial goes.
    home.run(&["export", "s3", "--format", "jsonl", "--to", "out.jsonl"])
        .ok();
    home.run(&["import", "out.jsonl"]).ok();
    let back = steps(&asking, "s4.0");
    let bits = |rows: &StepRows| {
        let columns = rows.columns.iter().map(|(name, values)| {
            let bits: Vec<u64> = values.iter().map(|value| value.0.to_bits()).collect();
            (name.clone(), bits)
        });
        columns.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(bits(&back), bits(&hyper));
    for (format, to) in [
        ("csv", "csv"),
        ("tensorboard", "board"),
        ("optuna", "out.journal"),
    ] {
        home.run(&["export", "s2", "--format", format, "--to", to])
            .ok();
    }
    let table = std::fs::read_to_string(home.path().join("csv/steps.csv")).unwrap();
    says(table.lines().next().unwrap(), &["signal.metric"]);
}
