//! What a trial reports while it trains.

use crate::metrics::Scores;
use attune_plugin_api::Description;

/// Receives a trial's reports, in order, on the thread that the trial trains on.
pub trait Telemetry: Send {
    /// A step was made.
    fn step(&mut self, record: &StepRecord<'_>);

    /// An epoch ended.
    fn epoch(&mut self, record: &EpochRecord);

    /// The scheduler was shown the metric, after the last step that was made. It comes before
    /// [`settled`](Telemetry::settled).
    fn metric(&mut self, value: f64) {
        let _ = value;
    }

    /// All that belongs to the last step, and to its epoch where it ended one, has been told.
    fn settled(&mut self) {}

    /// The scheduler is about to be called, after so many steps. Whoever may be killed by what a
    /// scheduler does can write down here that it was there.
    fn entering(&mut self, call: PluginCall, step: u64) {
        let _ = (call, step);
    }

    /// The scheduler's call is over, whatever came of it. One that panicked past its controller is
    /// not.
    fn left(&mut self) {}
}

/// A call into a scheduler's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginCall {
    /// It fixes a step's rates.
    Step,
    /// It is told the metric.
    Metric,
}

/// Hears nothing.
impl Telemetry for () {
    fn step(&mut self, _: &StepRecord<'_>) {}

    fn epoch(&mut self, _: &EpochRecord) {}
}

/// One training step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepRecord<'a> {
    /// Its number, from 0.
    pub step: u64,
    /// The epoch it belongs to, from 1.
    pub epoch: u32,
    /// The mean loss of its batch.
    pub loss: f32,
    /// The learning rate of each group.
    pub rates: &'a [f64],
    /// The momentum of each group, which Adam and Lion call their first decay rate.
    pub momenta: &'a [f64],
    /// The scheduler at the wheel.
    pub scheduler: &'a Description,
    /// The signals that the scheduler declared, laid out by
    /// [`Layout`](attune_plugin_api::signal::Layout). Of a step that diverged they are those of the
    /// step before.
    pub signals: &'a [f64],
}

/// One epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochRecord {
    /// Its number, from 1.
    pub epoch: u32,
    /// Steps made so far.
    pub step: u64,
    /// The mean training loss over the epoch's rows, each measured when it was trained on.
    pub train_loss: f64,
    /// Metrics on the validation rows.
    pub valid: Scores,
    /// The objective's value among them.
    pub objective: f64,
    /// Whether this is the best epoch so far: exactly then its weights became the trial's
    /// [`Snapshot`](super::Snapshot), so the last such epoch is the one that is saved.
    pub best: bool,
    /// How long the epoch took, evaluation included.
    pub seconds: f64,
}
