//! A scheduler whose every call the flight recorder knows of.

use super::flight::{Call, Doing, Recorder, Subject};
use attune_plugin_api::{CallError, Clock, Controller, Description};
use std::sync::Arc;

/// A scheduler of a library, watched.
pub(crate) struct Watched {
    /// There until it is dropped.
    inner: Option<Box<dyn Controller>>,
    description: Description,
    warnings: Vec<String>,
    recorder: Arc<Recorder>,
    /// What to write down when it is let go, which may happen while another trial is worked on.
    subject: Subject,
}

impl Watched {
    pub(crate) fn new(
        inner: Box<dyn Controller>,
        recorder: Arc<Recorder>,
        subject: Subject,
    ) -> Self {
        Watched {
            description: inner.description().clone(),
            warnings: inner.warnings().to_vec(),
            inner: Some(inner),
            recorder,
            subject,
        }
    }

    fn call<T>(
        &mut self,
        call: Call,
        after: Doing,
        ask: impl FnOnce(&mut dyn Controller) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let Some(inner) = &mut self.inner else {
            return Err(CallError::Refused("it was let go".into()));
        };
        let _inside = self.recorder.enter(call, after);
        ask(inner.as_mut())
    }
}

impl Controller for Watched {
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
        self.call(Call::Step, Doing::Training, |inner| {
            inner.step(clock, signals, rates, momenta)
        })
    }

    fn metric(
        &mut self,
        value: f64,
        clock: &Clock,
        rates: &mut [f64],
        momenta: &mut [f64],
    ) -> Result<(), CallError> {
        self.call(Call::Metric, Doing::Training, |inner| {
            inner.metric(value, clock, rates, momenta)
        })
    }

    fn save(&mut self) -> Result<Vec<u8>, CallError> {
        self.call(Call::Save, Doing::Training, |inner| inner.save())
    }

    fn load(&mut self, state: &[u8]) -> Result<(), CallError> {
        self.call(Call::Load, Doing::Building, |inner| inner.load(state))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.recorder
            .begin(Doing::Training, &self.subject, self.recorder.step());
        let _inside = self.recorder.enter(Call::Drop, Doing::Idle);
        drop(self.inner.take());
    }
}
