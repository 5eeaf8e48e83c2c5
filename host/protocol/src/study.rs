//! Studies.

use crate::event::Progress;
use crate::number::Number;
use crate::trial::TrialSummary;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One tuning session at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StudySummary {
    /// Such as `s12`.
    pub id: String,
    /// The name that the user gave it, or the data file's.
    pub name: String,
    /// Where it stands.
    pub state: StudyState,
    /// The objective's metric, such as `accuracy`.
    pub metric: String,
    /// Whether it is better lower or higher.
    pub direction: Direction,
    /// The seed that everything random in it is drawn from.
    pub seed: u64,
    /// How many trials there are, by outcome.
    pub trials: TrialCounts,
    /// The best trial so far, such as `s12.3`.
    pub best_trial: Option<String>,
    /// Its objective on the validation rows.
    pub best_value: Option<Number>,
    /// When it was created, in milliseconds since 1970.
    pub created_unix_ms: u64,
    /// When it ended.
    pub ended_unix_ms: Option<u64>,
    /// Seconds in which it was under way.
    #[serde(default)]
    pub seconds: Number,
    /// Why it is paused, stopped or failed.
    #[serde(default)]
    pub reason: Option<String>,
    /// The trial and step that it was forked from, such as `s12.3` and 400.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// What people wrote about it.
    #[serde(default)]
    pub note: Note,
    /// The best value so far after some of its trials, the last of them among these; at most 48.
    /// Told where studies are listed, and left out where one is told of as it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trend: Vec<Number>,
}

/// What people wrote about a study or a trial.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Note {
    /// Any text, at most 10,000 characters.
    #[serde(default)]
    pub text: String,
    /// Words to find it by, at most 20 of at most 40 characters, without spaces.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Where a fork begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Origin {
    /// The trial, such as `s12.3`.
    pub trial: String,
    /// Its step.
    pub step: u64,
}

/// A study with its trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StudyDetail {
    /// The study at a glance.
    pub study: StudySummary,
    /// The checked study file it runs by, as TOML.
    pub spec: String,
    /// The study file's path: relative paths in it begin at its folder. It need not be there any
    /// more.
    #[serde(default)]
    pub file: String,
    /// Its trials, best first; those without a value last.
    pub trials: Vec<TrialSummary>,
    /// What was done to each column of the data, a sentence each.
    pub notes: Vec<String>,
    /// What was changed while it ran, a sentence each.
    #[serde(default)]
    pub changes: Vec<String>,
}

/// Where a study stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StudyState {
    /// It waits for its turn.
    Queued,
    /// Trials are running.
    Running,
    /// The user holds it, to go on later.
    Paused,
    /// The user ended it; what it had is kept.
    Stopped,
    /// It reached its end.
    Done,
    /// It could not go on.
    Failed,
    /// Its process ended without a word; what it had is kept.
    Interrupted,
}

/// Whether a metric is better lower or higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Lower is better.
    Minimize,
    /// Higher is better.
    Maximize,
}

/// How many trials there are, by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrialCounts {
    /// Planned at most; 0 where only time limits the study.
    pub planned: u32,
    /// Started and not ended, whether training or waiting at a rung.
    pub running: u32,
    /// Trained to the end.
    pub done: u32,
    /// Stopped early by the fidelity policy, or interrupted.
    pub stopped: u32,
    /// Ended by a loss that was not finite.
    pub diverged: u32,
    /// Ended by an error.
    pub failed: u32,
}

impl StudySummary {
    /// Counts an epoch of one of the study's trials, which may make that trial the best.
    pub fn count_epoch(&mut self, progress: &Progress) {
        let best = self.best_value.map_or(f64::NAN, |best| best.0);
        if let Some(value) = progress.objective(&self.metric)
            && self.direction.better(value, best)
        {
            self.best_value = Some(Number(value));
            self.best_trial = Some(progress.trial.clone());
        }
    }
}

impl TrialCounts {
    /// Trials that ended, however.
    pub fn ended(&self) -> u32 {
        self.done + self.stopped + self.diverged + self.failed
    }
}

impl Direction {
    /// Whether `a` is strictly better than `b`. NaN is never better, and anything is better than
    /// NaN.
    pub fn better(self, a: f64, b: f64) -> bool {
        match self {
            _ if a.is_nan() => false,
            _ if b.is_nan() => true,
            Direction::Minimize => a < b,
            Direction::Maximize => a > b,
        }
    }
}

impl fmt::Display for StudyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            StudyState::Queued => "queued",
            StudyState::Running => "running",
            StudyState::Paused => "paused",
            StudyState::Stopped => "stopped",
            StudyState::Done => "done",
            StudyState::Failed => "failed",
            StudyState::Interrupted => "interrupted",
        })
    }
}
