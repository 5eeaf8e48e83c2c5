//! Between a trial and its scheduler: when it is called, what it is shown, and what of its answers
//! is let through.
//!
//! A scheduler may take the wheel in the middle of a run. It then sees its own run: its clock begins
//! at zero, and the steps that it was told of are those that remain. And a person may put a hand on
//! the wheel ([`Hand`]): the scheduler goes on deciding its own rates, of which those in force are
//! a multiple.

use super::error::TrialError;
use super::nan::NanFilter;
use super::settings::{Every, MetricSource, TrialSettings};
use attune_plugin_api::{CallError, Clock, Controller, Description, Setup, Signal};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// The planned calls for the training loss where the cadence is automatic.
const AUTO_CALLS: u64 = 200;
/// Momenta are held below 1 by this much.
const HIGHEST_MOMENTUM: f64 = 1.0 - 1e-6;

/// When the scheduler's metric is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Due {
    Steps(u64),
    Epochs(u64),
}

impl Due {
    /// The cadence of these settings in a run of so many steps.
    pub(crate) fn of(settings: &TrialSettings, total_steps: u64) -> Due {
        let by_loss = settings.cadence.source == MetricSource::TrainLoss;
        match settings.cadence.every {
            Every::Steps(steps) => Due::Steps(steps.max(1)),
            Every::Epochs(epochs) => Due::Epochs(u64::from(epochs).max(1)),
            Every::Auto if by_loss => Due::Steps((total_steps / AUTO_CALLS).max(1)),
            Every::Auto => Due::Epochs(1),
        }
    }

    /// How often that is in a whole run.
    pub(crate) fn calls(self, total_steps: u64, epochs: u64) -> u64 {
        match self {
            Due::Steps(steps) => total_steps / steps,
            Due::Epochs(each) => epochs / each,
        }
    }
}

/// What a scheduler's calls came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SteeringStats {
    /// Metrics that it was shown.
    pub metric_calls: u64,
    /// Metrics that were not finite, whatever was done with them.
    pub metrics_not_finite: u64,
    /// Rates and momenta that were outside their bounds and were set to the nearest bound.
    pub clamped: u64,
    /// The longest that one call took.
    pub slowest_call: Duration,
}

/// Rates that a person set: where the scheduler's own is `of`, `rate` is in force, and every other
/// in proportion. So a schedule keeps its shape, a scheduler that reacts goes on from the new rate,
/// and both see only their own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hand {
    pub(crate) rate: f64,
    pub(crate) of: f64,
}

/// A scheduler at the wheel.
pub(crate) struct Steering {
    controller: Box<dyn Controller>,
    /// What the scheduler was told when it took the wheel.
    setup: Setup,
    /// When that was.
    origin: Clock,
    due: Due,
    source: MetricSource,
    nan: NanFilter,
    max_rate: f64,
    has_momentum: bool,
    /// The scheduler's own rates.
    own: Vec<f64>,
    hand: Option<Hand>,
    /// The rates in force.
    rates: Vec<f64>,
    momenta: Vec<f64>,
    /// Those before the scheduler was last called.
    momenta_before: Vec<f64>,
    loss_sum: f64,
    loss_count: u64,
    stats: SteeringStats,
}

/// All of it that changes during a run, apart from the scheduler's own state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SteeringState {
    pub(crate) setup: Setup,
    pub(crate) origin: Clock,
    pub(crate) due: Due,
    pub(crate) last_metric: Option<f64>,
    pub(crate) own: Vec<f64>,
    pub(crate) hand: Option<Hand>,
    pub(crate) momenta: Vec<f64>,
    pub(crate) loss_sum: f64,
    pub(crate) loss_count: u64,
    pub(crate) stats: SteeringStats,
}

impl SteeringState {
    /// The rates in force, below this bound.
    pub(crate) fn rates_in_force(&self, max_rate: f64) -> Vec<f64> {
        let own = self.own.iter();
        own.map(|&own| in_force(own, self.hand, max_rate)).collect()
    }
}

impl Steering {
    /// Hands the wheel over before the first step. The setup has the starting rates and momenta; an
    /// optimizer without momentum has zeros there, and they stay.
    pub(crate) fn new(
        controller: Box<dyn Controller>,
        settings: &TrialSettings,
        due: Due,
        setup: Setup,
    ) -> Self {
        let rates = setup.rates();
        Steering {
            controller,
            origin: Clock::default(),
            due,
            source: settings.cadence.source,
            nan: NanFilter::new(settings.nan_policy),
            max_rate: settings.max_lr,
            has_momentum: settings.start_momentum() > 0.0,
            own: rates.clone(),
            hand: None,
            rates,
            momenta: momenta(&setup),
            momenta_before: Vec::new(),
            setup,
            loss_sum: 0.0,
            loss_count: 0,
            stats: SteeringStats::default(),
        }
    }

    /// Hands the wheel to another scheduler, which has yet to [`begin`](Steering::begin).
    pub(crate) fn hand_over(&mut self, controller: Box<dyn Controller>) {
        self.controller = controller;
    }

    /// The scheduler's run begins at this moment, with the rates and momenta of its setup. A hand
    /// is taken off, and what it sees of the losses begins here.
    pub(crate) fn begin(&mut self, setup: Setup, origin: Clock, due: Due) {
        self.origin = origin;
        self.due = due;
        self.own = setup.rates();
        self.momenta = momenta(&setup);
        self.setup = setup;
        self.hand = None;
        self.loss_sum = 0.0;
        self.loss_count = 0;
        self.apply();
    }

    /// The scheduler's own state.
    pub(crate) fn save(&mut self, step: u64) -> Result<Vec<u8>, TrialError> {
        self.controller
            .save()
            .map_err(|source| TrialError::Scheduler {
                scheduler: self.controller.description().name.clone(),
                step,
                source,
            })
    }

    /// The rest of the state.
    pub(crate) fn state(&self) -> SteeringState {
        SteeringState {
            setup: self.setup.clone(),
            origin: self.origin,
            due: self.due,
            last_metric: self.nan.last_finite(),
            own: self.own.clone(),
            hand: self.hand,
            momenta: self.momenta.clone(),
            loss_sum: self.loss_sum,
            loss_count: self.loss_count,
            stats: self.stats(),
        }
    }

    /// Goes on from a saved state.
    pub(crate) fn resume(
        &mut self,
        state: SteeringState,
        scheduler: &[u8],
    ) -> Result<(), CallError> {
        self.controller.load(scheduler)?;
        self.nan = NanFilter::resumed(
            self.nan.policy(),
            state.last_metric,
            state.stats.metrics_not_finite,
        );
        self.setup = state.setup;
        self.origin = state.origin;
        self.due = state.due;
        self.own = state.own;
        self.hand = state.hand;
        self.momenta = state.momenta;
        self.loss_sum = state.loss_sum;
        self.loss_count = state.loss_count;
        self.stats = state.stats;
        self.apply();
        Ok(())
    }

    pub(crate) fn scheduler(&self) -> &str {
        &self.controller.description().name
    }

    pub(crate) fn description(&self) -> &Description {
        self.controller.description()
    }

    pub(crate) fn signals(&self) -> &[Signal] {
        &self.controller.description().signals
    }

    pub(crate) fn due(&self) -> Due {
        self.due
    }

    /// The scheduler's own highest rate, of which a person's rate is a multiple.
    pub(crate) fn highest_own(&self) -> f64 {
        self.own.iter().copied().fold(0.0, f64::max)
    }

    pub(crate) fn hand(&self) -> Option<Hand> {
        self.hand
    }

    /// Puts a hand on the wheel, or takes it off.
    pub(crate) fn set_hand(&mut self, hand: Option<Hand>) {
        self.hand = hand;
        self.apply();
    }

    /// What there is in force follows from the scheduler's own rates and the hand.
    fn apply(&mut self) {
        for (rate, &own) in self.rates.iter_mut().zip(&self.own) {
            *rate = in_force(own, self.hand, self.max_rate);
        }
    }

    pub(crate) fn rates(&self) -> &[f64] {
        &self.rates
    }

    pub(crate) fn momenta(&self) -> &[f64] {
        &self.momenta
    }

    pub(crate) fn stats(&self) -> SteeringStats {
        SteeringStats {
            metrics_not_finite: self.nan.not_finite(),
            ..self.stats
        }
    }

    pub(crate) fn source(&self) -> MetricSource {
        self.source
    }

    /// Just before an update: fixes the rates of this step.
    pub(crate) fn decide(&mut self, clock: &Clock, signals: &[f64]) -> Result<(), TrialError> {
        let started = Instant::now();
        self.momenta_before.clone_from(&self.momenta);
        let own = self.own_clock(clock);
        let called = self
            .controller
            .step(&own, signals, &mut self.own, &mut self.momenta);
        self.enforce(called, clock.step, started)
    }

    /// A step's training loss, for the mean that the scheduler may see.
    pub(crate) fn note_loss(&mut self, loss: f32) {
        self.loss_sum += f64::from(loss);
        self.loss_count += 1;
    }

    /// Whether the metric is due after so many steps.
    pub(crate) fn due_after_step(&self, steps: u64) -> bool {
        let due = matches!(self.due, Due::Steps(every) if steps.is_multiple_of(every));
        due && self.controller.description().metric
    }

    /// Whether the metric is due after so many epochs.
    pub(crate) fn due_after_epoch(&self, epochs: u32) -> bool {
        let due = matches!(self.due, Due::Epochs(every) if u64::from(epochs).is_multiple_of(every));
        due && self.controller.description().metric
    }

    /// The mean of the training losses since this was last asked.
    pub(crate) fn take_mean_loss(&mut self) -> f64 {
        let mean = self.loss_sum / self.loss_count as f64;
        self.loss_sum = 0.0;
        self.loss_count = 0;
        mean
    }

    /// The metric arrived. Gives what the scheduler was shown of it, if anything.
    pub(crate) fn metric(&mut self, value: f64, clock: &Clock) -> Result<Option<f64>, TrialError> {
        let Some(value) = self.nan.admit(value) else {
            return Ok(None);
        };
        self.stats.metric_calls += 1;
        let started = Instant::now();
        self.momenta_before.clone_from(&self.momenta);
        let own = self.own_clock(clock);
        let called = self
            .controller
            .metric(value, &own, &mut self.own, &mut self.momenta);
        self.enforce(called, clock.step, started)?;
        Ok(Some(value))
    }

    /// The scheduler's clock began when it took the wheel.
    fn own_clock(&self, clock: &Clock) -> Clock {
        Clock {
            step: clock.step.saturating_sub(self.origin.step),
            epoch: clock.epoch - self.origin.epoch,
            samples: clock.samples.saturating_sub(self.origin.samples),
        }
    }

    /// Lets through what is a number, and holds it within bounds.
    fn enforce(
        &mut self,
        called: Result<(), CallError>,
        step: u64,
        started: Instant,
    ) -> Result<(), TrialError> {
        self.stats.slowest_call = self.stats.slowest_call.max(started.elapsed());
        let scheduler = || self.controller.description().name.clone();
        called.map_err(|source| TrialError::Scheduler {
            scheduler: scheduler(),
            step,
            source,
        })?;
        if !self.has_momentum {
            self.momenta.clone_from(&self.momenta_before);
        }
        let not_a_number = |values: &[f64]| values.iter().copied().find(|value| !value.is_finite());
        let bad = not_a_number(&self.own)
            .map(|value| ("the rate", value))
            .or_else(|| not_a_number(&self.momenta).map(|value| ("the momentum", value)));
        if let Some((what, value)) = bad {
            return Err(TrialError::BadRate {
                scheduler: scheduler(),
                step,
                what,
                value,
            });
        }
        // The bound is on the rates in force.
        let highest_own = match self.hand {
            Some(Hand { rate, of }) if rate > 0.0 => self.max_rate / rate * of,
            Some(_) => f64::INFINITY,
            None => self.max_rate,
        };
        let bounds = [
            (&mut self.own, highest_own),
            (&mut self.momenta, HIGHEST_MOMENTUM),
        ];
        for (values, highest) in bounds {
            for value in values {
                let held = value.clamp(0.0, highest);
                self.stats.clamped += u64::from(held != *value);
                *value = held;
            }
        }
        self.apply();
        Ok(())
    }
}

fn in_force(own: f64, hand: Option<Hand>, max_rate: f64) -> f64 {
    match hand {
        // A hand that was just taken off may have held down what now is above.
        None => own.min(max_rate),
        // However small `of` is.
        Some(Hand { rate: 0.0, .. }) => 0.0,
        Some(Hand { rate, of }) => (own / of * rate).min(max_rate),
    }
}

fn momenta(setup: &Setup) -> Vec<f64> {
    let groups = setup.groups.iter();
    groups.map(|group| group.momentum.unwrap_or(0.0)).collect()
}

impl std::fmt::Debug for Steering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steering")
            .field("scheduler", &self.controller.description().name)
            .field("rates", &self.rates)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
