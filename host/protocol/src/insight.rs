//! What a study's trials teach about its settings.

use crate::number::Number;
use serde::{Deserialize, Serialize};

/// Which of a study's trials are looked at.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::IntoParams)]
pub struct InsightQuery {
    /// What part of the trials counts as good, in percent; 10 where not given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 99)]
    pub good_percent: Option<u32>,
}

/// Which settings decide how good a trial becomes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Insight {
    /// Trials with a result.
    pub trials: u32,
    /// How many of them count as good.
    pub good: u32,
    /// How it was found out, such as `PED-ANOVA`.
    pub method: String,
    /// The settings, the most important first.
    pub importance: Vec<Importance>,
    /// What must be kept in mind, as that there are few trials.
    pub caveats: Vec<String>,
}

/// How much one setting matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Importance {
    /// The setting, such as `lr` or `greedy.patience`.
    pub name: String,
    /// Its share of what all settings explain, 0 to 1; NaN where too few trials have it to tell.
    pub share: Number,
    /// Trials that have it: a scheduler's own parameters are not in all of them.
    pub trials: u32,
    /// What the good ones have, such as `0.02 to 0.06` or `greedy`.
    pub good_values: String,
}
