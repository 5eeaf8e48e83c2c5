//! Many trials at once, in as few bytes as they can be told: for whoever shows or sorts all of
//! them.

use crate::number::{Number, Single};
use crate::scalar::Scalar;
use crate::trial::{TrialState, TrialSummary};
use serde::{Deserialize, Serialize};

/// Which trials of a study are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::IntoParams)]
pub struct TrialsQuery {
    /// From the trial with this number on; from the first one where not given.
    #[serde(default)]
    pub from: Option<u32>,
    /// At most so many; 5000 where not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 20000)]
    pub limit: Option<u32>,
}

/// Trials of a study by their numbers, rising.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrialTable {
    /// What [`TrialRow::config`] lists.
    pub keys: Vec<String>,
    /// What [`TrialRow::metrics`] lists.
    pub metrics: Vec<String>,
    /// A row a trial.
    pub rows: Vec<TrialRow>,
    /// The number to ask on from, if there are more.
    pub next: Option<u32>,
}

/// One trial of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrialRow {
    /// Its number within its study: 3 of `s12.3`.
    pub number: u32,
    /// Where it stands.
    pub state: TrialState,
    /// The scheduler that steers its rate.
    pub scheduler: String,
    /// Its configuration, a value for each of the table's keys.
    pub config: Vec<Option<Scalar>>,
    /// Its last metrics, a value for each of the table's metrics.
    pub metrics: Vec<Option<Single>>,
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
    /// Epochs of the rungs it came to.
    pub rungs: Vec<u32>,
    /// Seconds of training, waiting not counted.
    pub seconds: Number,
    /// When it started, in milliseconds since 1970.
    pub started_unix_ms: Option<u64>,
    /// When it ended.
    pub ended_unix_ms: Option<u64>,
    /// Why it ended, where that needs saying, cut to 200 characters.
    pub reason: Option<String>,
    /// How many of its workers died.
    pub deaths: u32,
    /// Words that people gave it.
    pub tags: Vec<String>,
}

impl TrialRow {
    /// A trial as it stands, without settings and metrics: where those are in a row depends on the
    /// table.
    pub fn of(number: u32, trial: &TrialSummary) -> Self {
        TrialRow {
            number,
            state: trial.state,
            scheduler: trial.scheduler.clone(),
            config: Vec::new(),
            metrics: Vec::new(),
            epochs: trial.epochs,
            max_epochs: trial.max_epochs,
            steps: trial.steps,
            value: trial.value,
            best_epoch: trial.best_epoch,
            rungs: trial.rungs.clone(),
            seconds: trial.seconds,
            started_unix_ms: trial.started_unix_ms,
            ended_unix_ms: trial.ended_unix_ms,
            reason: trial.reason.clone(),
            deaths: u32::try_from(trial.deaths.len()).unwrap_or(u32::MAX),
            tags: trial.note.tags.clone(),
        }
    }
}

/// Which learning curves of a study are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::IntoParams)]
pub struct CurvesQuery {
    /// The metric, such as `valid_accuracy`.
    pub metric: String,
    /// The trials' numbers, separated by commas; the best and those in training where not given.
    #[serde(default)]
    pub trials: Option<String>,
    /// At most so many trials where they are not named; 40 where not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    pub count: Option<u32>,
    /// At most so many points a trial; 200 where not given.
    #[serde(default)]
    #[param(minimum = 4, maximum = 10000)]
    pub points: Option<u32>,
}

/// A metric of a trial by epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrialCurve {
    /// The trial's number within its study.
    pub trial: u32,
    /// Epochs, rising. Thinned where there are too many; the first, the last, the least and the
    /// greatest value are always among them.
    pub epochs: Vec<u32>,
    /// The metric at each of them.
    pub values: Vec<Number>,
    /// Updates in an epoch.
    pub steps_per_epoch: Number,
    /// Seconds that an epoch took, in the mean.
    pub seconds_per_epoch: Number,
}

/// How much of a study is asked for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::IntoParams,
)]
pub struct StudyQuery {
    /// Leave its trials out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub brief: bool,
}

/// How much of a trial is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::IntoParams)]
pub struct TrialQuery {
    /// At most so many points a curve; every epoch and two thousand stretches of steps where not
    /// given.
    #[serde(default)]
    #[param(minimum = 4, maximum = 10000)]
    pub points: Option<u32>,
}
