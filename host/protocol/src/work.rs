//! What a worker and the daemon say to each other.
//!
//! A worker asks for leases and reports, both in one exchange, several times a second. A lease has
//! an *attempt*, a number that is never used twice for one trial: a report that names another one
//! than the trial's last is refused. What the daemon answered is durable.
//!
//! The bodies may be JSON or, much smaller and quicker, postcard
//! (`application/vnd.attune.postcard`).

use crate::number::{Number, Single};
use crate::request::Steer;
use crate::scalar::Scalar;
use crate::trial::KeptAs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A worker that begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewWorker {
    /// Its process.
    pub pid: u32,
    /// The number that the daemon started it under, where it did.
    pub id: Option<u64>,
}

/// A worker that was taken on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Hired {
    /// Its number, which its exchanges name.
    pub id: u64,
    /// The longest silence between two exchanges, in milliseconds. A worker that is silent much
    /// longer is given up, and its trials are given to others.
    pub heartbeat_ms: u64,
}

/// One lease: this trial, for the so-many-th time.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
pub struct LeaseId {
    /// The trial, such as `s12.3`.
    pub trial: String,
    /// Its attempt.
    pub attempt: u64,
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Exchange {
    /// What happened since the last exchange, in order.
    pub reports: Vec<Report>,
    /// The leases it holds, the one in training first: what the daemon counts to it and is not
    /// here was never received, and is answered again.
    pub holds: Vec<LeaseId>,
    /// How many more leases it would take.
    pub want: u16,
    /// How long the answer may wait for something to say, in milliseconds.
    pub patience_ms: u64,
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Answer {
    /// New leases, to be worked on in this order.
    pub leases: Vec<Lease>,
    /// What is to be done with leases that the worker holds.
    pub orders: Vec<Order>,
    /// Leases that are the worker's no longer: it drops them and says nothing more of them.
    pub void: Vec<LeaseId>,
    /// How many threads its trial may share its work out to from now on; as many as before where it is
    /// 0.
    pub threads: u16,
}

/// A segment of a trial to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Lease {
    /// Which trial, and which attempt.
    pub id: LeaseId,
    /// Its whole configuration.
    pub config: BTreeMap<String, Scalar>,
    /// The seed of everything random in it.
    pub seed: u64,
    /// The epoch at whose end the segment ends.
    pub until_epoch: u32,
    /// The checkpoint to begin from; the trial's beginning where there is none.
    pub from: Option<Start>,
    /// What people did to the trial, by step: it is done again where training comes by.
    pub interventions: Vec<Intervention>,
    /// A model of the trial is wanted if its objective is better than this one; of any where it is
    /// not given.
    pub beat: Option<Number>,
}

/// The checkpoint that a segment begins from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Start {
    /// The file.
    pub path: String,
    /// Updates made by then.
    pub step: u64,
    /// Whether it is another trial's: the scheduler begins anew, and settings may differ.
    pub fork: bool,
}

/// What a person did to a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Intervention {
    /// Before this step, counted from 0.
    pub step: u64,
    /// What was done.
    pub steer: Steer,
}

/// What is to be done with a lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Order {
    /// The lease.
    pub lease: LeaseId,
    /// What.
    pub what: Do,
}

/// What can be ordered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Do {
    /// Write a checkpoint, report [`End::LaidDown`] and let go.
    LayDown,
    /// Let go at once; nothing more will be asked of it.
    Drop,
    /// Take the wheel, and report the step at which it was done.
    Steer(Steer),
}

/// What happened to a lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Report {
    /// The lease.
    pub lease: LeaseId,
    /// What.
    pub news: News,
}

/// What a worker tells of a lease: its end last, and always.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// All that the user should be warned of about this trial, so far.
    Warnings(Vec<String>),
    /// What was trained since the last piece.
    Piece(Piece),
    /// A checkpoint was written, and is on the disk.
    Checkpoint(Checkpoint),
    /// What a person asked for was done, before this step.
    Steered(Intervention),
    /// What a person asked for could not be done.
    NotSteered(String),
    /// The segment is over.
    Ended(End),
}

/// What was trained since the last report: epochs that ended, and every step, those of an epoch
/// that has not ended among them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Piece {
    /// Epochs that ended.
    pub epochs: Vec<EpochReport>,
    /// The first step.
    pub first_step: u64,
    /// The training loss of each step from there on.
    pub losses: Vec<Single>,
    /// The rate of each step from there on, a list a parameter group.
    pub rates: Vec<Vec<Number>>,
    /// What the scheduler was shown, where it asked for anything.
    #[serde(default)]
    pub signals: Vec<SignalColumn>,
}

/// What a scheduler was shown at each step of a piece.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SignalColumn {
    /// What: `metric`, a signal such as `grad_norm_sq`, or one of a parameter group such as
    /// `grad_norm_sq.0`.
    pub name: String,
    /// The value at each step; NaN where none was shown. The metric stands at the step after which
    /// it was told.
    pub values: Vec<Single>,
}

/// A trained epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EpochReport {
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// Updates by its end.
    pub step: u64,
    /// Metrics by name, as `valid_accuracy`.
    pub metrics: BTreeMap<String, Number>,
    /// The first group's rate at its last step.
    pub rate: Number,
    /// Whether the trainer counts it as the best so far: its weights are those that are saved.
    pub best: bool,
    /// Seconds it took.
    pub seconds: Number,
}

/// A checkpoint file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Checkpoint {
    /// Updates made by then.
    pub step: u64,
    /// Epochs finished by then.
    pub epoch: u32,
    /// Its size.
    pub bytes: u64,
    /// What it is kept as.
    pub kept_as: KeptAs,
}

/// How a segment ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// At the epoch that was asked for. The model is there if one was written, with its metrics on
    /// the test rows.
    Reached {
        /// The size of the model's file, where one was written.
        model: Option<SavedModel>,
    },
    /// Because it was told to; the last checkpoint is where it goes on, if it does. The model of its
    /// best epoch is there if one was written, for the case that it does not.
    LaidDown {
        /// The size of the model's file, where one was written.
        model: Option<SavedModel>,
    },
    /// By a loss that was not finite.
    Diverged {
        /// Where.
        reason: String,
        /// The size of the model's file, where one was written.
        model: Option<SavedModel>,
    },
    /// By an error of its own.
    Failed {
        /// What was wrong.
        reason: String,
    },
    /// By something that would end every trial of the study alike, as data that changed.
    Unusable {
        /// What was wrong.
        reason: String,
    },
}

/// A model file that was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SavedModel {
    /// Its size.
    pub bytes: u64,
    /// Metrics on the test rows.
    pub test: BTreeMap<String, Number>,
}

/// What a worker must know of a study to train its trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Brief {
    /// The study file.
    pub spec: String,
    /// The study file's path, for messages and relative paths.
    pub file: String,
    /// The hash of the data file as it was when the study was made, in hexadecimal.
    pub data_hash: String,
    /// The objective.
    pub metric: String,
    /// The library of each scheduler.
    pub libraries: BTreeMap<String, LibraryFile>,
    /// The folder of the study's checkpoints and models.
    pub folder: String,
    /// Seconds of training after which a checkpoint is written.
    pub checkpoint_seconds: Number,
}

/// A plugin library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LibraryFile {
    /// As it was found, for messages.
    pub path: String,
    /// The private copy that is loaded.
    pub copy: String,
    /// The hash of its content.
    pub hash: String,
}
