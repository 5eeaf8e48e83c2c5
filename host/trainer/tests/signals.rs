//! What schedulers are shown of a trial, and told before it.

mod support;

use attune_plugin_api::prelude::*;
use attune_plugin_api::signal::Layout;
use attune_trainer::task::{Function, FunctionSettings};
use attune_trainer::trial::{Checkpoint, Goal, StartRate, Subject, Trial, TrialSettings};
use attune_trainer::{MlpSettings, ModelSettings, NormKind};
use std::sync::atomic::AtomicBool;
use support::{
    Constant, History, Step, Watching, configured, dataset, flowers, hills, settings, trial,
};

static GO: AtomicBool = AtomicBool::new(false);

/// What was shown of a signal at a step, of two groups.
fn shown(step: &Step, signal: Signal) -> Vec<f64> {
    let signals: Vec<Signal> = Signal::all().collect();
    let place = Layout::new(&signals, 2).range(signal).unwrap_or_default();
    let shown = step.signals[place].to_vec();
    assert_eq!(shown.len(), signal.width(2), "{signal}");
    shown
}

#[test]
fn a_scheduler_sees_only_what_it_declared() {
    let data = dataset(&flowers(100), "kind");
    let mut history = History::default();
    let mut trial = trial::<Constant>(settings(), &data);
    trial.run_until(1, &mut history, &GO).unwrap();
    assert!(history.steps.iter().all(|step| step.signals.is_empty()));
}

/// For plain descent at one rate the last direction is the last gradient, so the signals of one
/// step foretell those of the next.
#[test]
fn signals_of_one_step_agree_with_the_next() {
    let data = dataset(&flowers(100), "kind");
    let settings = TrialSettings {
        optimizer: OptimizerKind::Sgd,
        momentum: 0.0,
        weight_decay: 0.0,
        ..settings()
    };
    let mut history = History::default();
    trial::<Watching>(settings, &data)
        .run_until(2, &mut history, &GO)
        .unwrap();
    let norms = |step: &Step, slot| shown(step, Signal::norm_sq(slot));
    let first = &history.steps[0];
    let behind = [
        Signal::norm_sq(Slot::PrevGrad),
        Signal::dot(Slot::Grad, Slot::PrevUpdate),
    ];
    for signal in behind {
        assert!(
            shown(first, signal).iter().all(|value| value.is_nan()),
            "{signal}"
        );
    }
    assert_eq!(norms(first, Slot::FromStart), [0.0, 0.0]);
    for pair in history.steps.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        assert_eq!(shown(before, Signal::Loss), [f64::from(before.loss)]);
        let gradients = norms(before, Slot::Grad);
        assert_eq!(norms(before, Slot::Update), gradients);
        assert_eq!(norms(after, Slot::PrevUpdate), gradients);
        assert_eq!(norms(after, Slot::PrevGrad), gradients);
        let (raw, now) = (norms(before, Slot::RawGrad), norms(after, Slot::Grad));
        let dots = shown(after, Signal::dot(Slot::Grad, Slot::PrevUpdate));
        let largest = shown(before, Signal::abs_max(Slot::Grad));
        for group in 0..2 {
            let most = now[group] * gradients[group] * (1.0 + 1e-6);
            assert!(dots[group].powi(2) <= most);
            assert!(largest[group].powi(2) <= gradients[group]);
            assert!(gradients[group] <= raw[group]);
        }
        // Clipping holds the whole gradient at a length of one.
        assert!(gradients.iter().sum::<f64>() <= 1.0 + 1e-5);
    }
    let clips = |step: &Step| norms(step, Slot::Grad) != norms(step, Slot::RawGrad);
    assert!(history.steps.iter().any(clips));
}

/// However rows are put into batches, they vary as much, up to chance; of one batch nothing is told.
#[test]
fn how_much_gradients_vary_is_told_where_a_step_takes_several_batches() {
    let data = dataset(&flowers(100), "kind");
    let of = |batch_size, accumulate| {
        let settings = TrialSettings {
            batch_size,
            accumulate,
            max_epochs: 2,
            lr: 1e-6,
            ..settings()
        };
        let mut history = History::default();
        let mut trial = trial::<Watching>(settings, &data);
        trial.run_until(2, &mut history, &GO).unwrap();
        let steps = history.steps.iter();
        let of_steps: Vec<f64> = steps
            .map(|step| shown(step, Signal::GradVariance)[0])
            .collect();
        of_steps
    };
    assert!(of(30, 1).iter().all(|variance| variance.is_nan()));
    // An epoch's last step may have rows for one batch only.
    let mean = |mut values: Vec<f64>| {
        values.retain(|variance| variance.is_finite());
        values.iter().sum::<f64>() / values.len() as f64
    };
    let (of_rows, of_tens) = (mean(of(1, 30)), mean(of(10, 3)));
    assert!(of_rows > 0.0);
    assert!((of_tens / of_rows - 1.0).abs() < 0.5, "{of_tens} {of_rows}");
}

/// What lies behind stays known to the next scheduler, where the one before looked at it too: whoever
/// takes the wheel, or goes on from a fork, is shown what would have been shown.
#[test]
fn the_next_scheduler_sees_as_far_back() {
    let data = dataset(&flowers(100), "kind");
    let settings = TrialSettings {
        optimizer: OptimizerKind::AdamW,
        ..settings()
    };
    let made = || trial::<Watching>(settings.clone(), &data);
    let go = |trial: &mut Trial, step| {
        let mut history = History::default();
        let goal = Goal { epoch: 6, step };
        trial.run_until(goal, &mut history, &GO).unwrap();
        let shown = history.steps.into_iter().map(|step| step.signals);
        let bits = shown.map(|signals| signals.into_iter().map(f64::to_bits).collect());
        bits.collect::<Vec<Vec<u64>>>()
    };
    let whole = go(&mut made(), None);
    let (begun, rest) = whole.split_at(7);

    let mut swapped = made();
    assert_eq!(go(&mut swapped, Some(7)), begun);
    let bytes = swapped.checkpoint().unwrap();
    swapped
        .swap(configured::<Watching>(&swapped.setup_now()))
        .unwrap();
    assert_eq!(go(&mut swapped, None), rest);

    let checked = settings.clone().check().unwrap();
    let start = StartRate::InForce;
    let setup = Checkpoint::peek(&bytes).unwrap();
    let setup = setup.fork_setup(&checked, &data, start).unwrap();
    let controller = || configured::<Watching>(&setup);
    let mut fork = Trial::fork(checked.clone(), &data, controller(), &bytes, start).unwrap();
    // Put aside before its first step, too.
    let again = fork.checkpoint().unwrap();
    let mut restored = Trial::restore(checked.clone(), &data, controller(), &again).unwrap();
    for trial in [&mut fork, &mut restored] {
        assert_eq!(go(trial, None), rest);
    }

    // One that was shown nothing leaves nothing to look back to.
    let mut blind = trial::<Constant>(settings.clone(), &data);
    go(&mut blind, Some(7));
    blind
        .swap(configured::<Watching>(&blind.setup_now()))
        .unwrap();
    let mut history = History::default();
    let goal = Goal {
        epoch: 6,
        step: Some(9),
    };
    blind.run_until(goal, &mut history, &GO).unwrap();
    let of_first = |signal| shown(&history.steps[0], signal);
    assert_eq!(of_first(Signal::norm_sq(Slot::FromStart)), [0.0, 0.0]);
    assert!(of_first(Signal::norm_sq(Slot::PrevGrad))[0].is_nan());
    assert!(shown(&history.steps[1], Signal::norm_sq(Slot::PrevGrad))[0] > 0.0);
}

#[test]
fn a_scheduler_is_told_what_it_steers() {
    let data = dataset(&hills(100), "height");
    let told = |norm, optimizer| {
        let settings = TrialSettings {
            model: ModelSettings::Mlp(MlpSettings {
                hidden: vec![8],
                norm,
                ..MlpSettings::default()
            }),
            optimizer,
            weight_decay: 0.02,
            max_lr: 3.0,
            ..settings()
        };
        Trial::setup(&settings.check().unwrap(), &data)
    };
    let setup = told(NormKind::Batch, OptimizerKind::AdamW);
    assert!(setup.batch_norm);
    assert_eq!(setup.lr_upper_bound, Some(3.0));
    assert_eq!(setup.loss_lower_bound, Some(0.0));
    let groups = setup.groups.iter();
    let groups: Vec<_> = groups
        .map(|group| (group.name.as_str(), group.weight_decay, group.beta2))
        .collect();
    let beta2 = Some(0.999);
    let expected = [
        ("weights", 0.02, beta2),
        ("norms", 0.0, beta2),
        ("biases", 0.0, beta2),
    ];
    for group in expected {
        assert!(groups.contains(&group), "{groups:?}");
    }
    let setup = told(NormKind::Layer, OptimizerKind::Sgd);
    assert!(!setup.batch_norm);
    assert_eq!(setup.groups[0].beta2, None);
}

#[test]
fn only_a_loss_without_noise_has_a_lower_bound() {
    let bound = |noise| {
        let function: Function = FunctionSettings {
            noise,
            ..FunctionSettings::default()
        }
        .check()
        .unwrap();
        let subject = Subject::task(function).unwrap();
        let settings = TrialSettings::default().check().unwrap();
        Trial::setup(&settings, &subject).loss_lower_bound
    };
    assert_eq!(bound(0.0), Some(0.0));
    assert_eq!(bound(0.5), None);
}
