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

/// What a worker tells of a job: warnings and pieces as they come, and last of all, always, its end.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) trial: TrialNumber,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// All that the user should be warned of about this trial, so far.
    Warnings(Vec<String>),
    /// What was trained since the last piece.
    Piece(Piece),
    /// The segment is over.
    Ended(End),
}

/// What was trained since the last report: epochs that ended, and every step, those of an epoch
/// that has not ended among them.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) epochs: Vec<EpochReport>,
    pub(crate) steps: Steps,
}

#[derive(Debug)]
pub(crate) struct EpochReport {
    /// The epoch, counted from 1.
    pub(crate) epoch: u32,
    /// Updates by its end.
    pub(crate) step: u64,
    /// Metrics by name, as `valid_accuracy`.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// The first group's rate at its last step.
    pub(crate) rate: f64,
    /// Whether the trainer counts it as the best so far: its weights are those that are saved.
    pub(crate) best: bool,
    /// Seconds it took.
    pub(crate) seconds: f64,
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
