//! Steering by hand: rates, swaps, exact steps, and who is called when.

#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_plugin_api::prelude::*;
use attune_trainer::ModelSettings;
use attune_trainer::trial::{
    Checkpoint, EpochRecord, Goal, PluginCall, SteerError, StepRecord, Telemetry, Trial,
    TrialError, TrialSettings,
};
use std::sync::atomic::AtomicBool;
use support::{Constant, Falling, History, Refusing, Watchful, blossoms, configured, trial};

static GO: AtomicBool = AtomicBool::new(false);
const EPOCHS: u32 = 4;
/// In batches of 16 of the 84 training rows.
const STEPS_PER_EPOCH: u64 = 6;
const STEPS: u64 = EPOCHS as u64 * STEPS_PER_EPOCH;

/// Multiplies the current rates at every step, of the second group a little less.
#[derive(Serialize, Deserialize)]
struct Doubling {}

impl Scheduler for Doubling {
    type Params = Doubling;

    fn describe() -> Description {
        Description::new("doubling", "Doubles the rates.")
    }

    fn configure(params: Doubling, _: &Setup) -> Result<Self, Error> {
        Ok(params)
    }

    fn step(&mut self, _: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        rates.set_each(|group, rate| rate * if group == 0 { 2.0 } else { 1.5 });
        Ok(())
    }
}

fn settings() -> TrialSettings {
    TrialSettings {
        model: ModelSettings::mlp([12, 6]),
        batch_size: 16,
        max_epochs: EPOCHS,
        lr: 0.01,
        seed: 7,
        ..TrialSettings::default()
    }
}

fn to(step: u64) -> Goal {
    Goal {
        epoch: EPOCHS,
        step: Some(step),
    }
}

fn run(trial: &mut Trial, step: u64) -> History {
    let mut history = History::default();
    trial.run_until(to(step), &mut history, &GO).unwrap();
    history
}

fn rates(history: &History) -> Vec<f64> {
    history.steps.iter().map(|step| step.rates[0]).collect()
}

#[test]
fn a_trial_stops_at_exactly_the_step_it_is_told() {
    let data = blossoms();
    let whole = run(&mut trial::<Watchful>(settings(), &data), STEPS);
    for step in 0..=STEPS {
        let mut cut = trial::<Watchful>(settings(), &data);
        let mut history = run(&mut cut, step);
        assert_eq!(cut.steps(), step);
        assert_eq!(
            u64::from(cut.epochs()),
            step / STEPS_PER_EPOCH,
            "its end is made too"
        );
        // A goal that lies behind is reached at once.
        assert_eq!(run(&mut cut, step / 2), History::default());
        cut.run_until(EPOCHS, &mut history, &GO).unwrap();
        // Text tells every bit and every NaN apart.
        assert!(format!("{history:?}") == format!("{whole:?}"), "{step}");
    }
}

#[test]
fn a_schedule_goes_on_in_its_own_shape_from_the_rate_set_by_hand() {
    let data = blossoms();
    let untouched = rates(&run(&mut trial::<Falling>(settings(), &data), STEPS));
    let mut trial = trial::<Falling>(settings(), &data);
    run(&mut trial, 10);
    trial.set_rate(0.002).unwrap();
    assert_eq!(
        (trial.rates(), trial.rate_by_hand()),
        (&[0.002; 2][..], Some(0.002))
    );
    let factor = 0.002 / untouched[9];
    for (found, own) in rates(&run(&mut trial, 15)).iter().zip(&untouched[10..15]) {
        assert!((found - own * factor).abs() < 1e-15, "{found} {own}");
    }
    trial.release_rate();
    assert_eq!(trial.rates(), [untouched[14]; 2]);
    assert_eq!(rates(&run(&mut trial, STEPS)), untouched[15..]);
}

#[test]
fn a_constant_rate_set_by_hand_is_exactly_that_and_may_be_nothing() {
    let mut trial = trial::<Constant>(settings(), &blossoms());
    run(&mut trial, 3);
    for rate in [0.003, 0.0, 0.007, 0.1] {
        trial.set_rate(rate).unwrap();
        let until = trial.steps() + 2;
        assert_eq!(rates(&run(&mut trial, until)), [rate; 2]);
    }
}

#[test]
fn a_scheduler_that_reacts_goes_on_from_the_rate_set_by_hand() {
    let mut trial = trial::<Doubling>(settings(), &blossoms());
    run(&mut trial, 2);
    let [first, second] = trial.rates()[..] else {
        panic!()
    };
    trial.set_rate(0.001).unwrap();
    let proportion = trial.rates()[1] / trial.rates()[0];
    assert!((proportion - second / first).abs() < 1e-15);
    for (found, expected) in rates(&run(&mut trial, 4)).iter().zip([0.002, 0.004]) {
        assert!((found - expected).abs() < 1e-15, "{found}");
    }
}

#[test]
fn rates_in_force_are_bounded_whatever_the_hand_does() {
    let settings = TrialSettings {
        max_lr: 0.1,
        ..settings()
    };
    let mut trial = trial::<Doubling>(settings, &blossoms());
    for (step, rate) in [(1, 0.1), (4, 0.0001), (20, 0.05)] {
        let history = run(&mut trial, step);
        assert!(rates(&history).iter().all(|&rate| rate <= 0.1));
        if step == 20 {
            let last = *rates(&history).last().unwrap();
            assert!(
                last > 0.0999,
                "the bound is reached, not a part of it: {last}"
            );
        }
        trial.set_rate(rate).unwrap();
    }
    trial.release_rate();
    assert!(
        trial.rates().iter().all(|&rate| rate <= 0.1),
        "{:?}",
        trial.rates()
    );
    assert!(trial.steering().clamped > 0);
}

#[test]
fn a_rate_that_cannot_be_set_leaves_the_trial_as_it_was() {
    let data = blossoms();
    let mut trial = trial::<Falling>(settings(), &data);
    run(&mut trial, 5);
    let before = trial.rates().to_vec();
    for rate in [f64::NAN, f64::INFINITY, -0.1, 1001.0] {
        let error = trial.set_rate(rate).unwrap_err();
        assert!(matches!(error, SteerError::OutOfBounds { .. }), "{error}");
    }
    let error = trial.set_rate(100.0).unwrap_err();
    assert!(
        matches!(error, SteerError::TooFar { step: 5, .. }),
        "{error}"
    );
    assert_eq!((trial.rates(), trial.rate_by_hand()), (&before[..], None));
}

#[test]
fn another_scheduler_starts_from_the_rates_in_force_with_a_clock_of_its_own() {
    let data = blossoms();
    let mut trial = trial::<Falling>(settings(), &data);
    run(&mut trial, 8);
    trial.set_rate(0.004).unwrap();
    let setup = trial.setup_now();
    assert_eq!(setup.total_steps, Some(STEPS - 8));
    assert_eq!(setup.rates(), [0.004; 2]);
    trial.swap(configured::<Falling>(&setup)).unwrap();
    assert_eq!((trial.scheduler(), trial.rate_by_hand()), ("falling", None));
    let expected: Vec<f64> = (0..STEPS - 8)
        .map(|step| 0.004 * (1.0 - step as f64 / (STEPS - 8) as f64))
        .collect();
    assert_eq!(rates(&run(&mut trial, STEPS)), expected);
}

#[test]
fn a_swapped_scheduler_gets_its_signals_and_metrics_as_planned() {
    let mut trial = trial::<Constant>(settings(), &blossoms());
    run(&mut trial, 8);
    let setup = trial.setup_now();
    trial.swap(configured::<Watchful>(&setup)).unwrap();
    let history = run(&mut trial, STEPS);
    assert!(
        history.steps[0]
            .signals
            .iter()
            .all(|signal| signal.is_nan()),
        "no update is known yet"
    );
    assert!(
        history.steps[1..]
            .iter()
            .flat_map(|step| &step.signals)
            .all(|signal| signal.is_finite())
    );
    assert_eq!(Some(trial.steering().metric_calls), setup.metric_calls);
    assert_eq!(setup.metric_calls, Some(STEPS - 8));

    // Directions that are remembered already stay known to the next one.
    let mut trial = support::trial::<Watchful>(settings(), &blossoms());
    run(&mut trial, 3);
    trial
        .swap(configured::<Watchful>(&trial.setup_now()))
        .unwrap();
    let history = run(&mut trial, 4);
    assert!(
        history.steps[0]
            .signals
            .iter()
            .all(|signal| signal.is_finite())
    );
    trial
        .swap(configured::<Constant>(&trial.setup_now()))
        .unwrap();
    assert!(run(&mut trial, 5).steps[0].signals.is_empty());
    trial
        .swap(configured::<Watchful>(&trial.setup_now()))
        .unwrap();
    assert!(run(&mut trial, 6).steps[0].signals[0].is_nan());
}

type Intervention = fn(&mut Trial);

/// What is done before which step.
const INTERVENTIONS: [(u64, Intervention); 6] = [
    (0, |trial| trial.set_rate(0.02).unwrap()),
    (5, |trial| {
        trial
            .swap(configured::<Watchful>(&trial.setup_now()))
            .unwrap()
    }),
    (6, |trial| trial.set_rate(0.005).unwrap()),
    (13, |trial| trial.set_rate(0.03).unwrap()),
    (15, |trial| trial.release_rate()),
    (20, |trial| {
        trial
            .swap(configured::<Falling>(&trial.setup_now()))
            .unwrap()
    }),
];

/// The same interventions before the same steps make the same trial, also where each of them is
/// followed by a restart.
#[test]
fn interventions_are_replayed_exactly_and_outlive_a_checkpoint() {
    let data = blossoms();
    let replayed = |restarts: bool| {
        let mut trial = trial::<Falling>(settings(), &data);
        let mut history = History::default();
        for (step, intervene) in INTERVENTIONS {
            trial.run_until(to(step), &mut history, &GO).unwrap();
            intervene(&mut trial);
            if restarts {
                trial = restarted(&mut trial);
            }
        }
        trial.run_until(EPOCHS, &mut history, &GO).unwrap();
        format!("{history:?} {:?}", trial.snapshot())
    };
    let straight = replayed(false);
    assert_eq!(straight, replayed(false));
    assert!(straight == replayed(true));
    let untouched = run(&mut trial::<Falling>(settings(), &data), STEPS);
    assert!(!straight.starts_with(&format!("{untouched:?}")));
}

fn restarted(trial: &mut Trial) -> Trial {
    let bytes = trial.checkpoint().unwrap();
    let checkpoint = Checkpoint::peek(&bytes).unwrap();
    let controller = match checkpoint.scheduler() {
        "falling" => configured::<Falling>(checkpoint.setup()),
        _ => configured::<Watchful>(checkpoint.setup()),
    };
    let restored = Trial::restore(
        trial.settings().clone(),
        trial.subject(),
        controller,
        &bytes,
    )
    .unwrap();
    assert_eq!(
        (restored.rates(), restored.rate_by_hand()),
        (trial.rates(), trial.rate_by_hand())
    );
    restored
}

#[test]
fn a_trial_that_failed_is_steered_no_more() {
    let mut trial = trial::<Refusing>(settings(), &blossoms());
    let error = trial.run_until(EPOCHS, &mut (), &GO).unwrap_err();
    let refused = SteerError::Trial(error);
    assert_eq!(trial.set_rate(0.1).unwrap_err(), refused);
    let other = configured::<Constant>(&trial.setup_now());
    assert_eq!(trial.swap(other).unwrap_err(), refused);
    assert_eq!(trial.scheduler(), "refusing");
}

/// Writes down what it hears, in order.
#[derive(Default)]
struct Witness(Vec<String>);

impl Telemetry for Witness {
    fn step(&mut self, record: &StepRecord<'_>) {
        self.0.push(format!("step {}", record.step));
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.0.push(format!("epoch {}", record.epoch));
    }

    fn entering(&mut self, call: PluginCall, step: u64) {
        self.0.push(format!("entering {call:?} {step}"));
    }

    fn left(&mut self) {
        self.0.push("left".into());
    }
}

#[test]
fn every_call_into_a_scheduler_is_announced_and_ended() {
    let mut trial = trial::<Refusing>(settings(), &blossoms());
    let mut witness = Witness::default();
    let error = trial.run_until(EPOCHS, &mut witness, &GO).unwrap_err();
    assert!(matches!(error, TrialError::Scheduler { step: 2, .. }));
    let expected = [
        "entering Step 0",
        "left",
        "step 0",
        "entering Metric 1",
        "left",
        "entering Step 1",
        "left",
        "step 1",
        "entering Metric 2",
        "left",
        "entering Step 2",
        "left",
    ];
    assert_eq!(witness.0, expected);
}
