//! Why a trial ended early.

use super::settings::SettingsError;
use attune_plugin_api::CallError;

/// Why a trial cannot be made or cannot go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// A setting does not fit the data.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The network would need more memory than is reasonable.
    #[error(
        "a network of {model}, from {inputs} inputs to {outputs} outputs, has {parameters} parameters, but at most {most} are trained; lower `layers` or `width`, or leave out columns"
    )]
    TooManyParameters {
        /// What it is made of.
        model: String,
        /// What the data's columns became.
        inputs: usize,
        /// What the target asks for.
        outputs: usize,
        /// How many weights and biases it has.
        parameters: usize,
        /// How many it may have.
        most: usize,
    },
    /// It would need more memory than there is for it.
    #[error(
        "a network of {model} would take {needed} bytes of memory to train {rows} rows at once, but may take {most}; lower {lower}"
    )]
    TooMuchMemory {
        /// What the network is made of.
        model: String,
        /// The rows of a batch.
        rows: usize,
        /// Bytes that it would take.
        needed: u64,
        /// Bytes that it may take.
        most: u64,
        /// The settings that would help.
        lower: &'static str,
    },
    /// The data of a trial that was to adapt a base were not prepared for it.
    #[error("the data were not prepared like those of the base; prepare them with `like`")]
    UnlikeBase,
    /// What a task says of itself does not fit together.
    #[error("the task `{task}` cannot be trained: {reason}")]
    UnfitTask {
        /// The task's name; nothing where it did not even say that.
        task: String,
        /// What is wrong.
        reason: String,
    },
    /// A task returned an error or panicked.
    #[error("the task `{task}` failed at step {step}: {message}")]
    Task {
        /// The task.
        task: String,
        /// The step.
        step: u64,
        /// What happened.
        message: String,
    },
    /// A model was asked of a task.
    #[error(
        "the task `{task}` is no network, so there is no model to save; take the numbers of its best epoch"
    )]
    NoModel {
        /// The task.
        task: String,
    },
    /// The training loss was no longer finite. Every step up to this one has been reported.
    #[error("the loss is {loss} at step {step}; lower the learning rate or clip gradients")]
    Diverged {
        /// The step.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// The scheduler set a rate or momentum that is not a number.
    #[error("scheduler `{scheduler}` set {what} {value} at step {step}; check its parameters")]
    BadRate {
        /// The scheduler.
        scheduler: String,
        /// The step.
        step: u64,
        /// A rate or a momentum.
        what: &'static str,
        /// What it set.
        value: f64,
    },
    /// The scheduler returned an error or panicked.
    #[error("scheduler `{scheduler}` failed at step {step}: {source}")]
    Scheduler {
        /// The scheduler.
        scheduler: String,
        /// The step.
        step: u64,
        /// What happened.
        source: CallError,
    },
    /// A tensor operation failed or panicked: a mistake in Attune.
    #[error(
        "training broke at step {step}: {message}; please report this with the settings of the trial"
    )]
    Broken {
        /// The step.
        step: u64,
        /// What was said.
        message: String,
    },
}
