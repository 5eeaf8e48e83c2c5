//! What the coordinator and a worker say to each other: plain data, no handles.

use crate::study::space::FullConfig;
use attune_search::TrialNumber;
use attune_store::Steps;
use std::collections::BTreeMap;

/// A segment of a trial to train.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) trial: TrialNumber,
    /// The trial's whole configuration.
    pub(crate) config: FullConfig,
    /// The seed of everything random in the trial.
    pub(crate) seed: u64,
    /// The epoch at whose end the segment ends.
    pub(crate) until_epoch: u32,
}

/// What a worker tells of a job: warnings and epochs as they come, and last of all, always, its end.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) trial: TrialNumber,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// All that the user should be warned of about this trial, so far.
    Warnings(Vec<String>),
    /// An epoch was trained, or a part of one that was the last.
    Epoch(EpochReport),
    /// The segment is over.
    Ended(End),
}

#[derive(Debug, Default)]
pub(crate) struct EpochReport {
    /// The epoch, counted from 1; 0 for steps of an epoch that was not finished.
    pub(crate) epoch: u32,
    /// Updates so far.
    pub(crate) step: u64,
    /// Metrics by name, as `valid_accuracy`; empty for an epoch that was not finished.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// The first group's rate at the last step.
    pub(crate) rate: f64,
    /// Seconds of training.
    pub(crate) seconds: f64,
    /// What was recorded at each step.
    pub(crate) steps: Option<Steps>,
}

/// How a segment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// At the epoch that was asked for.
    Reached,
    /// Because everybody was told to stop.
    Interrupted,
    /// By a loss that was not finite.
    Diverged { reason: String },
    /// By an error.
    Failed { reason: String },
}
