//! A scheduler alone: it is shown what somebody says there is to see, and nothing is trained.

use anyhow::{anyhow, bail};
use attune_plugin_api::signal::Layout;
use attune_plugin_api::{Clock, Controller, Setup};
use attune_trainer::trial::{NanFilter, NanPolicy};

/// A scheduler, and the run that it believes to be in.
pub(crate) struct Solo {
    controller: Box<dyn Controller>,
    layout: Layout,
    rates: Vec<f64>,
    momenta: Vec<f64>,
    clock: Clock,
    steps_per_epoch: Option<u64>,
    nan: NanFilter,
}

impl Solo {
    /// A scheduler that was made with this setup, before its first step.
    pub(crate) fn new(controller: Box<dyn Controller>, setup: &Setup, nan: NanPolicy) -> Self {
        let momenta = setup.groups.iter().map(|group| group.momentum);
        Solo {
            layout: Layout::new(&controller.description().signals, setup.groups.len()),
            rates: setup.rates(),
            momenta: momenta.map(|momentum| momentum.unwrap_or(0.9)).collect(),
            clock: Clock::default(),
            steps_per_epoch: setup.steps_per_epoch.filter(|steps| *steps > 0),
            nan: NanFilter::new(nan),
            controller,
        }
    }

    /// Where the signals that it declared stand among what it is shown.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Steps made.
    pub(crate) fn steps(&self) -> u64 {
        self.clock.step
    }

    /// The rates of the last step, one a group.
    pub(crate) fn rates(&self) -> &[f64] {
        &self.rates
    }

    pub(crate) fn momenta(&self) -> &[f64] {
        &self.momenta
    }

    /// How many metrics were no finite numbers.
    pub(crate) fn not_finite(&self) -> u64 {
        self.nan.not_finite()
    }

    /// One step of the run: it sees the signals, then the metric where there is one, and its rates
    /// are in force. `after` looks at them before the next step begins.
    ///
    /// # Errors
    /// The scheduler's, and a rate that is none.
    pub(crate) fn step(
        &mut self,
        signals: &[f64],
        metric: Option<f64>,
        after: impl FnOnce(&Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let step = self.clock.step;
        let failed = |error| anyhow!("the scheduler failed at step {step}: {error}");
        self.controller
            .step(&self.clock, signals, &mut self.rates, &mut self.momenta)
            .map_err(failed)?;
        if let Some(metric) = metric.and_then(|metric| self.nan.admit(metric)) {
            self.controller
                .metric(metric, &self.clock, &mut self.rates, &mut self.momenta)
                .map_err(failed)?;
        }
        if let Some(bad) = self.rates.iter().find(|r| !r.is_finite() || **r < 0.0) {
            bail!(
                "the scheduler set a rate to {bad} at step {step}; a rate must be finite and not \
                 negative, so this is a mistake in the plugin"
            );
        }
        after(self)?;
        self.clock.step += 1;
        if let Some(steps) = self.steps_per_epoch {
            self.clock.epoch = self.clock.step as f64 / steps as f64;
        }
        Ok(())
    }
}
