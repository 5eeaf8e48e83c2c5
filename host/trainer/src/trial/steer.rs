//! Steering by hand: a person's rate, and another scheduler in the middle of a run.
//!
//! Whatever is done between two calls of [`Trial::run_until`] belongs to the step that comes next,
//! and is part of a checkpoint. The same interventions before the same steps make the same trial,
//! bit for bit; [`Goal`](super::Goal) stops a trial at exactly such a step.

use super::steering::Hand;
use super::{Trial, TrialError, plan};
use crate::signals::Signals;
use attune_plugin_api::{Controller, Setup};

/// How many times the scheduler's own rate a person may set.
const MOST_BY_HAND: f64 = 1000.0;

/// Why a trial is not steered so. It goes on as it was.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SteerError {
    /// The rate is none, or outside its bounds.
    #[error(
        "the rate {rate} cannot be set: it must be at least 0 and at most `max_lr` ({highest})"
    )]
    OutOfBounds {
        /// The rate.
        rate: f64,
        /// The highest allowed.
        highest: f64,
    },
    /// The scheduler's own rate is too small to be multiplied.
    #[error(
        "the rate {rate} cannot be set at step {step}: it is more than {MOST_BY_HAND} times what scheduler `{scheduler}` says there ({own}), and all its later rates would be multiplied too; wait some steps, or swap the scheduler"
    )]
    TooFar {
        /// The rate.
        rate: f64,
        /// Steps made.
        step: u64,
        /// The scheduler.
        scheduler: String,
        /// The scheduler's own highest rate.
        own: f64,
    },
    /// The trial has failed.
    #[error(transparent)]
    Trial(#[from] TrialError),
}

impl Trial {
    /// The rates in force, one a group: those of the last step, or what was set since.
    pub fn rates(&self) -> &[f64] {
        self.steering.rates()
    }

    /// The scheduler at the wheel.
    pub fn scheduler(&self) -> &str {
        self.steering.scheduler()
    }

    /// The rate that a person set, until it is released or the scheduler is swapped. It is what
    /// they asked for; the rates in force move on with the scheduler.
    pub fn rate_by_hand(&self) -> Option<f64> {
        self.steering.hand().map(|hand| hand.rate)
    }

    /// Sets the rate by hand: the highest group's rate becomes this now, the others keep their
    /// proportion to it, and from here on whatever the scheduler says is multiplied by the same
    /// factor. So a schedule goes on from this rate in its own shape, and a scheduler that reacts
    /// goes on reacting; each sees its own rates, as if nobody had touched them. Setting a rate
    /// again replaces the factor. [`TrialSettings::max_lr`](super::TrialSettings::max_lr) bounds
    /// the rates in force. A rate of 0 freezes the parameters.
    ///
    /// # Errors
    /// A rate that is no number from 0 to `max_lr`; more than a thousand times the scheduler's own
    /// rate, as at the beginning of a warm-up or where a schedule has ended at 0; a trial that
    /// failed.
    pub fn set_rate(&mut self, lr: f64) -> Result<(), SteerError> {
        self.alive()?;
        let highest = self.settings.max_lr;
        if !(0.0..=highest).contains(&lr) {
            return Err(SteerError::OutOfBounds { rate: lr, highest });
        }
        let own = self.steering.highest_own();
        if own == 0.0 || lr > own * MOST_BY_HAND {
            return Err(SteerError::TooFar {
                rate: lr,
                step: self.cursor.steps,
                scheduler: self.scheduler().to_owned(),
                own,
            });
        }
        self.steering.set_hand(Some(Hand { rate: lr, of: own }));
        Ok(())
    }

    /// Takes the hand off: the scheduler's own rates are in force again. Nothing happens where
    /// nobody set one.
    pub fn release_rate(&mut self) {
        self.steering.set_hand(None);
    }

    /// What a scheduler is told that takes the wheel now: the rates and momenta in force as its
    /// starting ones, and as its run what remains of this one, in
    /// [`total_steps`](Setup::total_steps) and [`metric_calls`](Setup::metric_calls). Its clock
    /// begins here, at step 0 and epoch 0.
    pub fn setup_now(&self) -> Setup {
        plan::setup_at(
            &self.settings,
            &self.subject,
            self.cursor,
            self.steering.due(),
            self.steering.rates(),
            self.steering.momenta(),
        )
    }

    /// Hands the wheel to another scheduler before the next step. It was configured with
    /// [`Trial::setup_now`] and starts from the rates in force, a person's hand included, which is
    /// then off the wheel. When the metric is due stays as it was; the training losses that it is
    /// the mean of are counted anew. Counts of [`SteeringStats`](super::SteeringStats) go on.
    ///
    /// # Errors
    /// A trial that failed. The old scheduler then stays.
    pub fn swap(&mut self, controller: Box<dyn Controller>) -> Result<(), SteerError> {
        self.alive()?;
        let setup = self.setup_now();
        let description = controller.description();
        let signals = Signals::new(&description.signals, self.learner.groups());
        let before = std::mem::replace(&mut self.signals, signals);
        self.signals.inherit(before);
        let directions = Signals::need_direction(&description.signals);
        self.optimizer.remember_directions(directions);
        let due = self.steering.due();
        self.steering.hand_over(controller);
        self.steering.begin(setup, self.clock(), due);
        Ok(())
    }

    fn alive(&self) -> Result<(), TrialError> {
        self.failed.clone().map_or(Ok(()), Err)
    }
}
