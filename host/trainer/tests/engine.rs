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
    let train = |engine| run(&mut trial::<Constant>(settings(engine), &data), 5);
    let own = train(Engine::Own);
    let others = [
        Engine::Dfdx,
        #[cfg(feature = "cuda")]
        Engine::Cuda,
    ];
    assert_eq!(own.steps.len(), 30);
    for engine in others {
        let other = train(engine);
        for (own, other) in own.steps.iter().zip(&other.steps) {
            assert!((own.loss - other.loss).abs() < 1e-4, "{own:?} {other:?}");
        }
        assert_ne!(own.steps, other.steps, "they are the same operations");
    }
}

/// With the feature `cuda` and a GPU it trains as the others do.
#[cfg(not(feature = "cuda"))]
#[test]
fn a_build_without_cuda_says_so() {
    let (settings, data) = (settings(Engine::Cuda), blossoms());
    let scheduler =
        configured::<Constant>(&Trial::setup(&settings.clone().check().unwrap(), &data));
    let error = Trial::new(settings.check().unwrap(), data, scheduler).unwrap_err();
    let told = "`engine` is cuda, but it must be another one here: this build has no CUDA";
    assert!(error.to_string().starts_with(told), "{error}");
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
