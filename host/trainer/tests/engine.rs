//! Whole trials by plain operations of dfdx.

#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_trainer::ModelSettings;
use attune_trainer::trial::{Checkpoint, Engine, Goal, Trial, TrialSettings};
use std::sync::atomic::AtomicBool;
use support::{Constant, History, blossoms, configured, trial};

fn settings(engine: Engine) -> TrialSettings {
    TrialSettings {
        model: ModelSettings::mlp([16, 8]),
        engine,
        dropout: 0.2,
        label_smoothing: 0.1,
        batch_size: 16,
        ..TrialSettings::default()
    }
}

fn run(trial: &mut Trial, goal: impl Into<Goal>) -> History {
    let mut history = History::default();
    let stop = AtomicBool::new(false);
    trial.run_until(goal, &mut history, &stop).unwrap();
    history
}

#[test]
fn it_trains_what_the_own_operations_do() {
    let data = blossoms();
    let [own, dfdx] = [Engine::Own, Engine::Dfdx]
        .map(|engine| run(&mut trial::<Constant>(settings(engine), &data), 5));
    assert_eq!(own.steps.len(), 30);
    for (own, dfdx) in own.steps.iter().zip(&dfdx.steps) {
        assert!((own.loss - dfdx.loss).abs() < 1e-4, "{own:?} {dfdx:?}");
    }
    assert_ne!(own.steps, dfdx.steps, "they are the same operations");
}

#[test]
fn it_goes_on_bit_for_bit_from_any_step() {
    let data = blossoms();
    let whole = run(&mut trial::<Constant>(settings(Engine::Dfdx), &data), 3);
    for step in [1, 6, 11] {
        let mut first = trial::<Constant>(settings(Engine::Dfdx), &data);
        let mut history = run(
            &mut first,
            Goal {
                epoch: 3,
                step: Some(step),
            },
        );
        let bytes = first.checkpoint().unwrap();
        let checked = settings(Engine::Dfdx).check().unwrap();
        let setup = Checkpoint::peek(&bytes).unwrap().setup().clone();
        let scheduler = configured::<Constant>(&setup);
        let mut second = Trial::restore(checked, data.clone(), scheduler, &bytes).unwrap();
        let rest = run(&mut second, 3);
        history.steps.extend(rest.steps);
        history.epochs.extend(rest.epochs);
        assert_eq!(history, whole, "from step {step}");
    }
}
