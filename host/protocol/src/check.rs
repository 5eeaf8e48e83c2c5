//! What can be known of a study before it runs: for forms and editors.

use crate::number::Number;
use crate::scalar::Scalar;
use crate::study::Direction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a study file comes to, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Checked {
    /// What is wrong; nothing where the study can be run.
    pub problems: Vec<SpecProblem>,
    /// The name it would have.
    pub name: String,
    /// The objective's metric; empty where that is not known yet.
    pub metric: String,
    /// Whether it is better lower or higher.
    pub direction: Option<Direction>,
    /// Trials at most, if they are limited.
    pub trials: Option<u32>,
    /// Seconds at most, if they are limited.
    pub budget_seconds: Option<Number>,
    /// Epochs of a trial at most.
    pub max_epochs: u32,
    /// What is searched.
    pub space: Vec<SpacePart>,
    /// What would be done to the data, a sentence each.
    pub notes: Vec<String>,
    /// What the user should know, as a plugin that does not load.
    pub warnings: Vec<String>,
    /// How long it will take.
    pub estimate: Option<Estimate>,
}

/// Something wrong with a study file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SpecProblem {
    /// The line, counted from 1, if it is about one.
    pub line: Option<u32>,
    /// The key, such as `space.lr`, if it is about one.
    pub key: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

/// One setting of a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SpacePart {
    /// The setting, such as `lr` or `greedy.patience`.
    pub name: String,
    /// Its values, such as `0.01 to 0.2 (log)`, `64, 128, 256` or `0.9`.
    pub values: String,
    /// Whether there is a choice.
    pub searched: bool,
    /// The scheduler that it belongs to, if it does to one.
    pub scheduler: Option<String>,
}

/// How long a study will take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Estimate {
    /// Seconds, with as many workers as the study asks for.
    pub seconds: Number,
    /// What that is taken from, such as `the trials of s3, on the same data`.
    pub basis: String,
}

/// A file or folder on the daemon's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LookAtData {
    /// An absolute path; of a file, a folder, or the beginning of one.
    pub path: String,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DataLook {
    /// What the folder holds, or what begins with the path; folders and data files only.
    pub entries: Vec<DataEntry>,
    /// The table, where the path is one that can be read.
    pub table: Option<DataTable>,
    /// Why there is no table where the path is a file.
    pub problem: Option<String>,
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DataEntry {
    /// Its absolute path.
    pub path: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Its size.
    pub bytes: u64,
}

/// A table of data.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DataTable {
    /// Its rows.
    pub rows: u64,
    /// Its columns.
    pub columns: Vec<DataColumn>,
    /// Where its rows are pictures, of which the only column is their class, the height and width to
    /// which they are best brought.
    #[serde(default)]
    pub pictures: Option<(u32, u32)>,
}

/// A column of data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DataColumn {
    /// Its name.
    pub name: String,
    /// What it holds: `numbers`, `categories`, `dates`, `text` or `constant`.
    pub kind: String,
    /// Cells without a value.
    pub missing: u64,
    /// Different values, counted up to 1000.
    pub distinct: u64,
    /// A few of its values.
    pub examples: Vec<String>,
}

/// A study file to be written for a table.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Draft {
    /// The data, an absolute path.
    pub data: String,
    /// The column to predict; of pictures `label`, and empty for a text.
    pub target: String,
    /// `classification`, `regression` or `text`; the former two are found out where not given.
    #[serde(default)]
    pub task: Option<String>,
    /// The column whose values are the groups that metrics compare.
    #[serde(default)]
    pub protected: Option<String>,
    /// The metric to optimise.
    #[serde(default)]
    pub metric: Option<String>,
    /// The schedulers to try; a good mix where there are none.
    #[serde(default)]
    pub schedulers: Vec<String>,
    /// The kinds of models to try; one that suits the data where there are none.
    #[serde(default)]
    pub models: Vec<String>,
    /// A trained model to adapt, an absolute path.
    #[serde(default)]
    pub base: Option<String>,
    /// Trials at most; 32 where neither this nor a budget is given.
    #[serde(default)]
    pub trials: Option<u32>,
    /// Time at most, such as `5m`.
    #[serde(default)]
    pub budget: Option<String>,
    /// The seed of everything random.
    #[serde(default)]
    pub seed: u64,
}

/// A study file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Drafted {
    /// Its text, TOML.
    pub spec: String,
}

/// A schedule to be tried without training.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Preview {
    /// The scheduler.
    pub scheduler: String,
    /// Its parameters, those left out at their defaults.
    #[serde(default)]
    pub params: BTreeMap<String, Scalar>,
    /// The rate it begins with.
    pub rate: Number,
    /// Steps, at most a million.
    #[schema(minimum = 1, maximum = 1000000)]
    pub steps: u64,
    /// Steps in an epoch.
    #[schema(minimum = 1)]
    pub steps_per_epoch: u64,
}

/// What a scheduler did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Previewed {
    /// The rate by step, at most 500 points.
    pub rates: Vec<(u64, Number)>,
    /// The loss that it was shown, where it looks at one: a made-up run that falls, stalls and
    /// falls again.
    pub losses: Vec<(u64, Number)>,
    /// What must be kept in mind, as that the loss is made up.
    pub note: Option<String>,
}
