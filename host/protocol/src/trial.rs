//! Trials.

use crate::number::Number;
use crate::scalar::Scalar;
use crate::study::Note;
use crate::work::{Checkpoint, Intervention};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Metric values by name.
pub type Metrics = BTreeMap<String, Number>;

/// One training run at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrialSummary {
    /// Such as `s12.3`.
    pub id: String,
    /// Where it stands.
    pub state: TrialState,
    /// The scheduler that steers its rate.
    pub scheduler: String,
    /// Its configuration, the scheduler's parameters as `SCHEDULER.PARAMETER`.
    pub config: BTreeMap<String, Scalar>,
    /// The seed of its own.
    pub seed: u64,
    /// Epochs trained.
    pub epochs: u32,
    /// Epochs it may train at most.
    pub max_epochs: u32,
    /// Updates made.
    pub steps: u64,
    /// The objective at its best epoch, on the validation rows.
    pub value: Option<Number>,
    /// The epoch of `value`.
    pub best_epoch: Option<u32>,
    /// The metrics of the last epoch.
    pub metrics: BTreeMap<String, Number>,
    /// Seconds of training, waiting not counted.
    pub seconds: Number,
    /// Why it ended, where that needs saying: an error, or the step at which it diverged.
    pub reason: Option<String>,
    /// What its scheduler warned of.
    pub warnings: Vec<String>,
    /// The plugin that held its scheduler: name, version and the hash of its build.
    pub plugin: String,
    /// What people did to it while it ran.
    #[serde(default)]
    pub interventions: Vec<Intervention>,
    /// How its workers died, one a death.
    #[serde(default)]
    pub deaths: Vec<String>,
    /// Its checkpoints, by step.
    #[serde(default)]
    pub checkpoints: Vec<Checkpoint>,
    /// Epochs of the rungs it came to.
    #[serde(default)]
    pub rungs: Vec<u32>,
    /// When it started, in milliseconds since 1970.
    #[serde(default)]
    pub started_unix_ms: Option<u64>,
    /// When it ended.
    #[serde(default)]
    pub ended_unix_ms: Option<u64>,
    /// What people wrote about it.
    #[serde(default)]
    pub note: Note,
}

/// What a checkpoint is kept as. A later one of a kind takes the place of an earlier one, but for
/// those of rungs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeptAs {
    /// To go on from.
    Last,
    /// The best epoch's.
    Best,
    /// At a rung that the trial survived.
    Rung,
}

/// A trial with its curves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrialDetail {
    /// The trial at a glance.
    pub trial: TrialSummary,
    /// What was recorded at each epoch, by metric; x is the epoch.
    pub epoch_curves: Vec<Curve>,
    /// What was recorded at each step (loss and rates); x is the step. Thinned where there are
    /// more points than anyone can see.
    pub step_curves: Vec<Curve>,
}

/// A named series of points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Curve {
    /// What it shows, such as `valid_loss` or `lr`.
    pub name: String,
    /// The points, x rising.
    pub points: Vec<(Number, Number)>,
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// It waits for a worker.
    Queued,
    /// It trains, or waits at a rung for its turn.
    Running,
    /// It was paused and can go on.
    Paused,
    /// The fidelity policy or the user stopped it.
    Stopped,
    /// It trained to the end.
    Done,
    /// Its loss was not finite.
    Diverged,
    /// An error ended it.
    Failed,
    /// Its worker was lost.
    Lost,
}

impl fmt::Display for TrialState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TrialState::Queued => "queued",
            TrialState::Running => "running",
            TrialState::Paused => "paused",
            TrialState::Stopped => "stopped",
            TrialState::Done => "done",
            TrialState::Diverged => "diverged",
            TrialState::Failed => "failed",
            TrialState::Lost => "lost",
        })
    }
}
