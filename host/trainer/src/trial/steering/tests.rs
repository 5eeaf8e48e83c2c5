use super::{Due, Hand, Steering};
use crate::trial::{Cadence, Every, MetricSource, NanPolicy, TrialError, TrialSettings};
use attune_plugin_api::{CallError, Clock, Controller, Description, Setup};
use std::sync::{Arc, Mutex};

/// Answers as it is told, and writes down what it sees.
struct Puppet {
    description: Description,
    answer: Result<f64, CallError>,
    momentum: f64,
    seen: Arc<Mutex<Vec<f64>>>,
}

impl Controller for Puppet {
    fn description(&self) -> &Description {
        &self.description
    }

    fn warnings(&self) -> &[String] {
        &[]
    }

    fn step(
        &mut self,
        _: &Clock,
        _: &[f64],
        rates: &mut [f64],
        momenta: &mut [f64],
    ) -> Result<(), CallError> {
        momenta.fill(self.momentum);
        rates.fill(self.answer.clone()?);
        Ok(())
    }

    fn metric(
        &mut self,
        value: f64,
        _: &Clock,
        _: &mut [f64],
        _: &mut [f64],
    ) -> Result<(), CallError> {
        self.seen.lock().unwrap().push(value);
        Ok(())
    }

    fn save(&mut self) -> Result<Vec<u8>, CallError> {
        Ok(Vec::new())
    }

    fn load(&mut self, _: &[u8]) -> Result<(), CallError> {
        Ok(())
    }
}

fn steering(
    answer: Result<f64, CallError>,
    settings: &TrialSettings,
) -> (Steering, Arc<Mutex<Vec<f64>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let puppet = Puppet {
        description: Description::new("puppet", "").reads_metric(),
        answer,
        momentum: 1.5,
        seen: seen.clone(),
    };
    let due = Due::of(settings, 1000);
    let mut setup = Setup::of_rates(&[0.1; 2]);
    for group in &mut setup.groups {
        group.momentum = Some(settings.momentum);
    }
    let steering = Steering::new(Box::new(puppet), settings, due, setup);
    (steering, seen)
}

#[test]
fn rates_and_momenta_are_held_within_bounds_and_counted() {
    for (answer, held) in [(-1.0, 0.0), (0.25, 0.25), (1e9, 1e3)] {
        let (mut steering, _) = steering(Ok(answer), &TrialSettings::default());
        steering.decide(&Clock::default(), &[]).unwrap();
        assert_eq!(steering.rates(), [held, held]);
        assert!(steering.momenta().iter().all(|&momentum| momentum < 1.0));
        let rates_held = if held == answer { 0 } else { 2 };
        assert_eq!(steering.stats().clamped, rates_held + 2);
    }
}

#[test]
fn an_optimizer_without_momentum_gets_none() {
    let settings = TrialSettings {
        momentum: 0.0,
        ..TrialSettings::default()
    };
    let (mut steering, _) = steering(Ok(0.1), &settings);
    steering.decide(&Clock::default(), &[]).unwrap();
    assert_eq!(steering.momenta(), [0.0, 0.0]);
}

#[test]
fn a_bad_rate_names_scheduler_and_step() {
    let clock = Clock {
        step: 7,
        ..Clock::default()
    };
    let (mut steering, _) = steering(Ok(f64::NAN), &TrialSettings::default());
    let error = steering.decide(&clock, &[]).unwrap_err();
    assert!(matches!(error, TrialError::BadRate { step: 7, .. }));
    assert!(
        error
            .to_string()
            .starts_with("scheduler `puppet` set the rate NaN at step 7")
    );
}

#[test]
fn a_call_that_fails_names_scheduler_and_step() {
    let clock = Clock {
        step: 3,
        ..Clock::default()
    };
    let panicked = Err(CallError::Panicked("oh no".into()));
    let (mut steering, _) = steering(panicked, &TrialSettings::default());
    let message = steering.decide(&clock, &[]).unwrap_err().to_string();
    assert_eq!(
        message,
        "scheduler `puppet` failed at step 3: it panicked: oh no"
    );
}

#[test]
fn metrics_that_are_not_finite_follow_the_policy() {
    let table = [
        (NanPolicy::Drop, vec![1.0, 2.0]),
        (NanPolicy::Substitute, vec![1.0, 1.0, 2.0]),
        (
            NanPolicy::Pass,
            vec![f64::INFINITY, 1.0, f64::INFINITY, 2.0],
        ),
    ];
    for (nan_policy, expected) in table {
        let settings = TrialSettings {
            nan_policy,
            ..TrialSettings::default()
        };
        let (mut steering, seen) = steering(Ok(0.1), &settings);
        for value in [f64::INFINITY, 1.0, f64::INFINITY, 2.0] {
            steering.metric(value, &Clock::default()).unwrap();
        }
        assert_eq!(*seen.lock().unwrap(), expected, "{nan_policy:?}");
        assert_eq!(steering.stats().metrics_not_finite, 2);
        assert_eq!(steering.stats().metric_calls, expected.len() as u64);
    }
}

#[test]
fn the_cadence_is_resolved_from_the_length_of_the_run() {
    let (loss, objective) = (MetricSource::TrainLoss, MetricSource::Objective);
    let table = [
        (loss, Every::Auto, Due::Steps(5), 200),
        (objective, Every::Auto, Due::Epochs(1), 10),
        (objective, Every::Steps(30), Due::Steps(30), 33),
        (loss, Every::Epochs(3), Due::Epochs(3), 3),
    ];
    for (source, every, due, calls) in table {
        let cadence = Cadence { source, every };
        let found = Due::of(
            &TrialSettings {
                cadence,
                ..TrialSettings::default()
            },
            1000,
        );
        assert_eq!(found, due);
        assert_eq!(found.calls(1000, 10), calls);
    }
    let short = Due::of(&TrialSettings::default(), 30);
    assert_eq!(short, Due::Steps(1));
}

#[test]
fn the_mean_loss_starts_anew_each_time() {
    let (mut steering, _) = steering(Ok(0.1), &TrialSettings::default());
    for loss in [1.0, 3.0] {
        steering.note_loss(loss);
    }
    assert_eq!(steering.take_mean_loss(), 2.0);
    steering.note_loss(5.0);
    assert_eq!(steering.take_mean_loss(), 5.0);
}

#[test]
fn a_state_that_is_resumed_forgets_no_metric_and_no_hand() {
    let settings = TrialSettings {
        nan_policy: NanPolicy::Substitute,
        ..TrialSettings::default()
    };
    let clock = Clock::default();
    let (mut first, _) = steering(Ok(0.2), &settings);
    first.decide(&clock, &[]).unwrap();
    first.set_hand(Some(Hand { rate: 0.1, of: 0.2 }));
    first.metric(7.0, &clock).unwrap();
    first.metric(f64::NAN, &clock).unwrap();
    first.note_loss(3.0);

    let (mut second, seen) = steering(Ok(0.3), &settings);
    second.resume(first.state(), &[]).unwrap();
    assert_eq!(second.state(), first.state());
    assert_eq!(
        (second.stats(), second.rates()),
        (first.stats(), first.rates())
    );
    second.metric(f64::INFINITY, &clock).unwrap();
    assert_eq!(*seen.lock().unwrap(), [7.0]);
    assert_eq!(second.take_mean_loss(), 3.0);
    second.decide(&clock, &[]).unwrap();
    assert_eq!(second.rates(), [0.3 / 0.2 * 0.1; 2]);
}
