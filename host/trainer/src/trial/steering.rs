//! Between a trial and its scheduler: when it is called, what it is shown, and what of its answers
//! is let through.

use super::error::TrialError;
use super::nan::NanFilter;
use super::settings::{Every, MetricSource, TrialSettings};
use attune_plugin_api::{CallError, Clock, Controller};
use std::time::{Duration, Instant};

/// The planned calls for the training loss where the cadence is automatic.
const AUTO_CALLS: u64 = 200;
/// Momenta are held below 1 by this much.
const HIGHEST_MOMENTUM: f64 = 1.0 - 1e-6;

/// When the scheduler's metric is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// A scheduler at the wheel.
pub(crate) struct Steering {
    controller: Box<dyn Controller>,
    due: Due,
    source: MetricSource,
    nan: NanFilter,
    max_rate: f64,
    has_momentum: bool,
    rates: Vec<f64>,
    momenta: Vec<f64>,
    loss_sum: f64,
    loss_count: u64,
    stats: SteeringStats,
}

impl Steering {
    /// Hands the wheel over, with these starting rates and momenta, one a group. An optimizer
    /// without momentum has zeros there, and they stay.
    pub(crate) fn new(
        controller: Box<dyn Controller>,
        settings: &TrialSettings,
        due: Due,
        rates: Vec<f64>,
        momenta: Vec<f64>,
    ) -> Self {
        Steering {
            controller,
            due,
            source: settings.cadence.source,
            nan: NanFilter::new(settings.nan_policy),
            max_rate: settings.max_lr,
            has_momentum: momenta.iter().any(|&momentum| momentum > 0.0),
            rates,
            momenta,
            loss_sum: 0.0,
            loss_count: 0,
            stats: SteeringStats::default(),
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
        let momenta = self.momenta.clone();
        let called = self
            .controller
            .step(clock, signals, &mut self.rates, &mut self.momenta);
        self.enforce(called, momenta, clock.step, started)
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

    /// The metric arrived.
    pub(crate) fn metric(&mut self, value: f64, clock: &Clock) -> Result<(), TrialError> {
        let Some(value) = self.nan.admit(value) else {
            return Ok(());
        };
        self.stats.metric_calls += 1;
        let started = Instant::now();
        let momenta = self.momenta.clone();
        let called = self
            .controller
            .metric(value, clock, &mut self.rates, &mut self.momenta);
        self.enforce(called, momenta, clock.step, started)
    }

    /// Lets through what is a number, and holds it within bounds.
    fn enforce(
        &mut self,
        called: Result<(), CallError>,
        momenta_before: Vec<f64>,
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
            self.momenta = momenta_before;
        }
        let not_a_number = |values: &[f64]| values.iter().copied().find(|value| !value.is_finite());
        let bad = not_a_number(&self.rates)
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
        let bounds = [
            (&mut self.rates, self.max_rate),
            (&mut self.momenta, HIGHEST_MOMENTUM),
        ];
        for (values, highest) in bounds {
            for value in values {
                let held = value.clamp(0.0, highest);
                self.stats.clamped += u64::from(held != *value);
                *value = held;
            }
        }
        Ok(())
    }
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
