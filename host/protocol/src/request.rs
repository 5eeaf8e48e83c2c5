//! What clients ask for, and what they are answered.

use crate::number::Number;
use crate::scalar::Scalar;
use crate::study::StudySummary;
use crate::trial::TrialSummary;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A study to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NewStudy {
    /// The study file's text, TOML.
    pub spec: String,
    /// The study file's path, absolute: relative paths in the text begin at its folder, and errors
    /// name it. It need not exist.
    pub file: String,
    /// Plugin libraries, or folders of them, to look into before all others; absolute paths.
    #[serde(default)]
    pub plugins: Vec<String>,
    /// Trials at the same time, whatever the text says.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1024)]
    pub parallel: Option<u16>,
}

/// A study that was accepted, and is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Created {
    /// The study.
    pub study: StudySummary,
    /// What was done to its data, a sentence each.
    pub notes: Vec<String>,
    /// What the user should know, as a plugin that did not load.
    pub warnings: Vec<String>,
    /// The number of the last event before it began: who listens from there on misses nothing.
    pub event: u64,
}

/// Where else to look for plugins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LookForPlugins {
    /// Libraries, or folders of them; absolute paths.
    pub places: Vec<String>,
}

/// More for a study that waits, was paused or has ended. Nothing given: it goes on as it was.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResumeStudy {
    /// So many trials in all.
    #[serde(default)]
    pub trials: Option<u32>,
    /// This much more time, such as `10m`.
    #[serde(default)]
    pub budget: Option<String>,
    /// A study file whose space, number of trials and budget are used from now on.
    #[serde(default)]
    pub spec: Option<String>,
    /// Where that file lies; where the study's own does if not given.
    #[serde(default)]
    pub file: Option<String>,
    /// Trials at the same time.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1024)]
    pub parallel: Option<u16>,
}

/// What came of resuming a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Resumed {
    /// The study.
    pub study: StudySummary,
    /// What is different from before, a sentence each; it is stored with the study.
    pub changes: Vec<String>,
    /// The number of the last event before it went on.
    pub event: u64,
}

/// Takes the wheel of a running trial. What was done is recorded with the trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Steer {
    /// Sets the learning rate.
    SetRate(Number),
    /// Puts another scheduler at the wheel, from the rates in force.
    Swap {
        /// The scheduler.
        scheduler: String,
        /// Its parameters, those left out at their defaults.
        params: BTreeMap<String, Scalar>,
    },
}

/// A new trial from another one's checkpoint, in a study of its own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Fork {
    /// From the last checkpoint at or before this step; the last one of all where not given.
    #[serde(default)]
    pub at: Option<u64>,
    /// Another scheduler.
    #[serde(default)]
    pub scheduler: Option<String>,
    /// Other settings, such as `lr` or `SCHEDULER.PARAMETER`, as a user would write them.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// A fork that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Forked {
    /// Its study.
    pub study: StudySummary,
    /// The checkpoint's step.
    pub step: u64,
    /// The number of the last event before it began.
    pub event: u64,
}

/// The least and most of a stretch of steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Bucket {
    /// Its first step.
    pub from: u64,
    /// Its last step.
    pub to: u64,
    /// The least value that is a number.
    pub min: Number,
    /// The mean of the values that are numbers.
    pub mean: Number,
    /// The greatest value that is a number.
    pub max: Number,
    /// The value at its last step.
    pub last: Number,
}

/// One column of a trial's steps at some zoom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Zoom {
    /// The column, such as `loss` or `lr`.
    pub name: String,
    /// Its stretches, in order.
    pub buckets: Vec<Bucket>,
}

/// Exact rows of a trial's steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepRows {
    /// The steps.
    pub steps: Vec<u64>,
    /// A value a step, by column.
    pub columns: BTreeMap<String, Vec<Number>>,
    /// Where to ask on, if there is more.
    pub next: Option<u64>,
}

/// A trial that ran elsewhere, or before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImportedTrial {
    /// The trial; its id is given anew.
    pub trial: TrialSummary,
    /// Metrics by epoch.
    #[serde(default)]
    pub epochs: BTreeMap<u32, BTreeMap<String, Number>>,
    /// Its steps.
    #[serde(default)]
    pub steps: StepRows,
}

/// A study that ran elsewhere, or before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ImportedStudy {
    /// The study; its id is given anew.
    pub study: StudySummary,
    /// Its study file, or nothing.
    #[serde(default)]
    pub spec: String,
    /// What was done to its data, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What was changed while it ran, a sentence each.
    #[serde(default)]
    pub changes: Vec<String>,
    /// Where it comes from, such as a file's path.
    pub source: String,
    /// Its trials in order.
    pub trials: Vec<ImportedTrial>,
}

/// A scheduler plugin as the daemon knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PluginInfo {
    /// The library as it was found.
    pub path: String,
    /// The hash of its content, empty where it could not be read.
    pub hash: String,
    /// What it holds, as `attune_plugin_api::describe::Library` writes itself as JSON; nothing
    /// where it could not be asked.
    pub library: Option<serde_json::Value>,
    /// Which kit, compiler, target and profile built it.
    pub fingerprint: String,
    /// Why it is not used, and what to do.
    pub error: Option<String>,
    /// Since when and why it is kept from running, where it is.
    pub quarantine: Option<Quarantine>,
}

/// Why a library is kept from running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Quarantine {
    /// Since when, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The name under which the library is released.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What a look through everything that is kept found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StoreReport {
    /// What was done or found, a sentence each.
    pub lines: Vec<String>,
    /// What is damaged, a sentence each that names file and record.
    pub damage: Vec<String>,
}

/// Where to write a copy of everything that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Backup {
    /// A folder that does not exist yet; an absolute path.
    pub path: String,
}

/// Which part of which column is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::IntoParams)]
pub struct ZoomQuery {
    /// The column, such as `loss` or `lr`.
    pub column: String,
    /// From this step on; from the first one where not given.
    #[serde(default)]
    pub from: Option<u64>,
    /// To this step, which is in it; to the last one where not given.
    #[serde(default)]
    pub to: Option<u64>,
    /// At most so many stretches; 1000 where not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 10000)]
    pub points: Option<u32>,
}

/// Which steps are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::IntoParams)]
pub struct StepsQuery {
    /// From this step on; from the first one where not given.
    #[serde(default)]
    pub from: Option<u64>,
    /// At most so many; 10000 where not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 100000)]
    pub limit: Option<u32>,
}

/// Which lines of the daemon's log are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::IntoParams)]
pub struct LogQuery {
    /// At most so many lines, the latest; 200 where not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 5000)]
    pub lines: Option<u32>,
    /// Only lines at least as grave: `error`, `warn`, `info` or `debug`; all where not given.
    #[serde(default)]
    pub level: Option<String>,
}

/// A line of the daemon's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogLine {
    /// When it was written, as it stands there.
    pub time: String,
    /// `error`, `warn`, `info` or `debug`; empty for what has none.
    pub level: String,
    /// What it says.
    pub text: String,
}
