//! A scheduler as the host sees it: one object-safe trait of plain scalars.
//!
//! The trainer steers through [`Controller`]. Behind it stands either a shared library (the
//! loader's implementation) or, in tests and in conformance checks, the scheduler itself
//! ([`InProcess`]).

use crate::describe::Description;
use crate::param::{self, ParamError, Value};
use crate::scheduler::{Error, Now, Rates, Scheduler, Setup};
use crate::signal::Layout;
use crate::state;
use std::collections::BTreeMap;

/// Where in the run a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Clock {
    /// Updates made so far: 0 before the first.
    pub step: u64,
    /// Passes over the training data so far, with the fraction of the running one.
    pub epoch: f64,
    /// Training rows seen so far.
    pub samples: u64,
}

/// Why a call into a scheduler failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It returned an error.
    #[error("{0}")]
    Refused(String),
    /// It panicked; it must not be called again.
    #[error("it panicked: {0}")]
    Panicked(String),
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        CallError::Refused(error.to_string())
    }
}

/// A scheduler that has been configured for one run.
///
/// `rates` and `momenta` have one place a group and hold the current values on the way in. After
/// an error the run must end: the state behind it is not defined. What comes out has *not* been
/// checked: whoever calls holds rates finite and inside their bounds.
pub trait Controller: Send {
    /// What it is and reads.
    fn description(&self) -> &Description;

    /// What the user should know before the run starts.
    fn warnings(&self) -> &[String];

    /// Fixes the rates of this step. `signals` holds the declared ones, laid out by
    /// [`Layout`].
    ///
    /// # Errors
    /// [`CallError`].
    fn step(
        &mut self,
        clock: &Clock,
        signals: &[f64],
        rates: &mut [f64],
        momenta: &mut [f64],
    ) -> Result<(), CallError>;

    /// Hands over the session's metric.
    ///
    /// # Errors
    /// [`CallError`].
    fn metric(
        &mut self,
        value: f64,
        clock: &Clock,
        rates: &mut [f64],
        momenta: &mut [f64],
    ) -> Result<(), CallError>;

    /// Its whole state, with a version byte in front.
    ///
    /// # Errors
    /// [`CallError`].
    fn save(&mut self) -> Result<Vec<u8>, CallError>;

    /// Puts a saved state in place of the current one.
    ///
    /// # Errors
    /// Bytes of another version, of a run with another number of groups, or that are not a state;
    /// the current state is then kept.
    fn load(&mut self, state: &[u8]) -> Result<(), CallError>;
}

/// A scheduler used directly, with no library between.
#[derive(Debug)]
pub struct InProcess<S> {
    scheduler: S,
    description: Description,
    layout: Layout,
    groups: usize,
    warnings: Vec<String>,
}

/// Why a scheduler could not be made for a run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigureError {
    /// A parameter was refused before the scheduler saw it.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The scheduler itself refused.
    #[error("scheduler `{scheduler}` cannot be configured: {message}")]
    Refused {
        /// The scheduler.
        scheduler: String,
        /// What it said.
        message: String,
    },
}

impl<S: Scheduler> InProcess<S> {
    /// Checks the parameters and makes the scheduler.
    ///
    /// # Errors
    /// A parameter that is unknown or out of range, or whatever the scheduler refuses.
    pub fn configure(
        given: &BTreeMap<String, Value>,
        setup: &Setup,
    ) -> Result<Self, ConfigureError> {
        let description = S::describe();
        let params = param::check(&description, given)?;
        let refused = |message: String| ConfigureError::Refused {
            scheduler: description.name.clone(),
            message,
        };
        let params = serde_json::to_value(params)
            .and_then(serde_json::from_value::<S::Params>)
            .map_err(|e| refused(format!("its parameters do not fit its description: {e}")))?;
        let scheduler = S::configure(params, setup).map_err(|e| refused(e.to_string()))?;
        Ok(InProcess {
            warnings: scheduler.warnings(setup),
            layout: Layout::new(&description.signals, setup.groups.len()),
            groups: setup.groups.len(),
            scheduler,
            description,
        })
    }
}

impl<S: Scheduler> Controller for InProcess<S> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn step(
        &mut self,
        clock: &Clock,
        signals: &[f64],
        rates: &mut [f64],
        momenta: &mut [f64],
    ) -> Result<(), CallError> {
        let now = Now::new(clock, &self.layout, signals);
        Ok(self.scheduler.step(&now, &mut Rates::new(rates, momenta))?)
    }

    fn metric(
        &mut self,
        value: f64,
        clock: &Clock,
        rates: &mut [f64],
        momenta: &mut [f64],
    ) -> Result<(), CallError> {
        let now = Now::new(clock, &self.layout, &[]);
        Ok(self
            .scheduler
            .metric(value, &now, &mut Rates::new(rates, momenta))?)
    }

    fn save(&mut self) -> Result<Vec<u8>, CallError> {
        Ok(state::pack(S::STATE_VERSION, self.groups, &self.scheduler)?)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), CallError> {
        self.scheduler = state::unpack(S::STATE_VERSION, self.groups, bytes)?;
        Ok(())
    }
}
