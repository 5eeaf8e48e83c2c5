//! Forks: another trial from the same moment.

#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_plugin_api::prelude::*;
use attune_trainer::ModelSettings;
use attune_trainer::data::Dataset;
use attune_trainer::metrics::Metric;
use attune_trainer::trial::{
    Checkpoint, CheckpointError, ClassWeights, Goal, StartRate, Trial, TrialSettings,
};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use support::{Constant, Falling, History, Watchful, blossoms, configured, trial};

static GO: AtomicBool = AtomicBool::new(false);
const EPOCHS: u32 = 5;
/// In batches of 16 of the 84 training rows.
const STEPS_PER_EPOCH: u64 = 6;

fn settings() -> TrialSettings {
    TrialSettings {
        model: ModelSettings::mlp([12, 6]),
        dropout: 0.2,
        batch_size: 16,
        max_epochs: EPOCHS,
        lr: 0.01,
        seed: 5,
        ..TrialSettings::default()
    }
}

fn checkpoint_at<S: Scheduler>(step: u64, data: &Arc<Dataset>) -> Vec<u8> {
    let mut trial = trial::<S>(settings(), data);
    run(&mut trial, step);
    trial.checkpoint().unwrap()
}

fn run(trial: &mut Trial, step: u64) -> History {
    let mut history = History::default();
    let goal = Goal {
        epoch: u32::MAX,
        step: Some(step),
    };
    trial.run_until(goal, &mut history, &GO).unwrap();
    history
}

fn fork<S: Scheduler>(
    settings: TrialSettings,
    data: &Arc<Dataset>,
    bytes: &[u8],
    start: StartRate,
) -> Result<Trial, CheckpointError> {
    let settings = settings.check().unwrap();
    let setup = Checkpoint::peek(bytes)?.fork_setup(&settings, data, start)?;
    Trial::fork(
        settings,
        data.clone(),
        configured::<S>(&setup),
        bytes,
        start,
    )
}

#[test]
fn a_fork_that_changes_nothing_is_its_parent() {
    let data = blossoms();
    let mut parent = trial::<Constant>(settings(), &data);
    let mut history = run(&mut parent, 9);
    let bytes = parent.checkpoint().unwrap();
    let expected = run(&mut parent, u64::MAX);
    let mut fork = fork::<Constant>(settings(), &data, &bytes, StartRate::InForce).unwrap();
    assert_eq!(run(&mut fork, u64::MAX), expected);
    assert_eq!(fork.snapshot(), parent.snapshot());
    history.steps.extend(expected.steps);
    assert_eq!(
        history.steps.len() as u64,
        u64::from(EPOCHS) * STEPS_PER_EPOCH
    );
}

#[test]
fn a_fork_starts_from_the_rates_in_force_or_from_its_own() {
    let data = blossoms();
    let bytes = checkpoint_at::<Falling>(9, &data);
    let total = u64::from(EPOCHS) * STEPS_PER_EPOCH;
    let in_force = 0.01 * (1.0 - 8.0 / total as f64);
    let table = [
        (StartRate::InForce, 1e3, in_force),
        (StartRate::OfSettings, 1e3, 0.002),
        (StartRate::InForce, 0.004, 0.004),
    ];
    for (start, max_lr, expected) in table {
        let other = TrialSettings {
            lr: 0.002,
            max_lr,
            ..settings()
        };
        let setup = Checkpoint::peek(&bytes)
            .unwrap()
            .fork_setup(&other.clone().check().unwrap(), &data, start)
            .unwrap();
        assert_eq!(setup.rates(), [expected; 2], "{start:?}");
        let mut fork = fork::<Constant>(other, &data, &bytes, start).unwrap();
        assert_eq!(fork.rates(), [expected; 2], "{start:?}");
        let history = run(&mut fork, 10);
        assert_eq!(history.steps[0].step, 9);
        assert_eq!(history.steps[0].rates, [expected; 2], "{start:?}");
    }
}

/// Its scheduler's run is what remains: it falls from where it starts to nothing at the end.
#[test]
fn the_clock_of_a_forks_scheduler_begins_at_the_fork() {
    let data = blossoms();
    let bytes = checkpoint_at::<Constant>(9, &data);
    let settings = TrialSettings {
        max_epochs: EPOCHS + 2,
        ..settings()
    };
    let remaining = u64::from(EPOCHS + 2) * STEPS_PER_EPOCH - 9;
    let checked = settings.clone().check().unwrap();
    let setup = Checkpoint::peek(&bytes)
        .unwrap()
        .fork_setup(&checked, &data, StartRate::InForce)
        .unwrap();
    assert_eq!(setup.total_steps, Some(remaining));
    let mut fork = fork::<Falling>(settings, &data, &bytes, StartRate::InForce).unwrap();
    let history = run(&mut fork, u64::MAX);
    assert_eq!(history.steps.len() as u64, remaining);
    for (own_step, step) in history.steps.iter().enumerate() {
        let expected = 0.01 * (1.0 - own_step as f64 / remaining as f64);
        assert_eq!(step.rates, [expected; 2]);
        assert_eq!(step.step, 9 + own_step as u64);
    }
}

#[test]
fn a_fork_is_restored_as_any_other_trial() {
    let data = blossoms();
    let bytes = checkpoint_at::<Constant>(9, &data);
    let changed = TrialSettings {
        weight_decay: 0.1,
        momentum: 0.8,
        ..settings()
    };
    let mut original = fork::<Falling>(changed, &data, &bytes, StartRate::InForce).unwrap();
    run(&mut original, 14);
    let bytes = original.checkpoint().unwrap();
    let setup = Checkpoint::peek(&bytes).unwrap().setup().clone();
    let mut restored = Trial::restore(
        original.settings().clone(),
        data,
        configured::<Falling>(&setup),
        &bytes,
    )
    .unwrap();
    let history = run(&mut restored, u64::MAX);
    assert_eq!(history, run(&mut original, u64::MAX));
    assert_eq!(history.steps[0].momenta, [0.8; 2]);
}

/// How often its metric is due follows from where it began, which its settings do not say.
#[test]
fn a_restored_fork_keeps_its_cadence() {
    let data = blossoms();
    let bytes = checkpoint_at::<Constant>(STEPS_PER_EPOCH, &data);
    let changed = TrialSettings {
        batch_size: 2,
        max_epochs: 24,
        ..settings()
    };
    let mut original = fork::<Watchful>(changed, &data, &bytes, StartRate::InForce).unwrap();
    let planned = original.setup_now().metric_calls;
    let bytes = original.checkpoint().unwrap();
    let setup = Checkpoint::peek(&bytes).unwrap().setup().clone();
    assert_eq!(setup.metric_calls, planned);
    let settings = original.settings().clone();
    assert!(Trial::setup(&settings, &data).metric_calls < planned);
    let controller = configured::<Watchful>(&setup);
    let mut restored = Trial::restore(settings, data, controller, &bytes).unwrap();
    run(&mut restored, u64::MAX);
    assert_eq!(Some(restored.steering().metric_calls), planned);
}

#[test]
fn what_a_fork_may_change_depends_on_where_it_begins() {
    type Change = fn(&mut TrialSettings);
    let anywhere: [(&str, Change); 14] = [
        ("lr", |s| s.lr = 0.1),
        ("max_lr", |s| s.max_lr = 0.02),
        ("momentum", |s| s.momentum = 0.5),
        ("weight_decay", |s| s.weight_decay = 0.5),
        ("dropout", |s| s.dropout = 0.0),
        ("label_smoothing", |s| s.label_smoothing = 0.1),
        ("clip_norm", |s| s.clip_norm = Some(0.5)),
        ("ema", |s| s.ema = Some(0.9)),
        ("class_weights", |s| {
            s.class_weights = ClassWeights::Balanced
        }),
        ("group_decay", |s| {
            s.group_decay = [("biases".to_owned(), 0.1)].into()
        }),
        ("max_epochs", |s| s.max_epochs = 40),
        ("fewer epochs", |s| s.max_epochs = 2),
        ("optimizer", |s| s.optimizer = OptimizerKind::Adam),
        ("objective", |s| s.objective = Some(Metric::Accuracy)),
    ];
    let between: [(&str, Change); 3] = [
        ("batch_size", |s| s.batch_size = 7),
        ("accumulate", |s| s.accumulate = 2),
        ("seed", |s| s.seed = 6),
    ];
    let never: [(&str, Change); 6] = [
        ("model", |s| s.model = ModelSettings::mlp([12, 7])),
        ("optimizer", |s| s.optimizer = OptimizerKind::Sgd),
        ("optimizer", |s| s.optimizer = OptimizerKind::RmsProp),
        ("optimizer", |s| s.optimizer = OptimizerKind::Adagrad),
        ("optimizer", |s| s.optimizer = OptimizerKind::Lion),
        ("objective", |s| s.objective = Some(Metric::Loss)),
    ];
    let data = blossoms();
    for step in [STEPS_PER_EPOCH, STEPS_PER_EPOCH + 3] {
        let bytes = checkpoint_at::<Constant>(step, &data);
        let begun = step % STEPS_PER_EPOCH > 0;
        let made = |change: Change| {
            let mut settings = settings();
            change(&mut settings);
            fork::<Constant>(settings, &data, &bytes, StartRate::InForce)
        };
        for (name, change) in anywhere {
            let mut fork = made(change).unwrap_or_else(|error| panic!("{name}: {error}"));
            let planned = fork.setup_now().total_steps.unwrap();
            let history = run(&mut fork, u64::MAX);
            assert_eq!(history.steps.len() as u64, planned, "{name}");
            assert_eq!(fork.epochs(), fork.settings().max_epochs, "{name}");
        }
        for (name, change) in between {
            match made(change) {
                Ok(mut fork) => {
                    assert!(!begun, "{name}");
                    let planned = fork.setup_now().total_steps.unwrap();
                    assert_eq!(
                        run(&mut fork, u64::MAX).steps.len() as u64,
                        planned,
                        "{name}"
                    );
                }
                Err(error) => assert!(
                    begun
                        && matches!(&error, CheckpointError::Fixed { setting, .. } if *setting == name),
                    "{name}: {error}"
                ),
            }
        }
        for (name, change) in never {
            let error = made(change).unwrap_err();
            assert!(
                matches!(&error, CheckpointError::Fixed { setting, .. } if *setting == name),
                "{name}: {error}"
            );
        }
        let error = made(|s| s.max_epochs = 1).unwrap_err();
        assert!(
            matches!(
                error,
                CheckpointError::NothingLeft {
                    epochs: 1,
                    max_epochs: 1
                }
            ),
            "{error}"
        );
    }
}
