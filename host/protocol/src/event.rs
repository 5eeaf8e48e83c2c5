//! Events: what happens in a running study, as it happens.

use crate::number::Number;
use crate::study::StudySummary;
use crate::trial::TrialSummary;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something that happened. Whoever missed some catches up from any later
/// [`StudySummary`]: each event carries the whole of what it is about, not a difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
#[expect(
    clippy::large_enum_variant,
    reason = "few are held at a time, and most are large"
)]
pub enum Event {
    /// A study began.
    StudyStarted {
        /// The study.
        study: StudySummary,
    },
    /// A trial began.
    TrialStarted {
        /// The trial.
        trial: TrialSummary,
    },
    /// A trial trained an epoch.
    Epoch(Progress),
    /// A trial waits, was lost, paused or resumed, or was steered by a person.
    TrialChanged {
        /// The trial.
        trial: TrialSummary,
    },
    /// A study was paused or resumed, or goes on by another study file.
    StudyChanged {
        /// The study.
        study: StudySummary,
    },
    /// A trial ended, in any state; the study's counts and best value include it.
    TrialEnded {
        /// The trial.
        trial: TrialSummary,
        /// The study as it stands now.
        study: StudySummary,
    },
    /// A study ended.
    StudyEnded {
        /// The study.
        study: StudySummary,
    },
    /// A study, with all its trials, was deleted.
    StudyRemoved {
        /// The study, such as `s12`.
        id: String,
    },
    /// Something the user should know.
    Warning {
        /// A sentence, naming what it is about.
        message: String,
    },
}

/// How events are told.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::IntoParams,
)]
pub struct EventsQuery {
    /// Tell at most every so many milliseconds, and then of each study and trial only how it stands:
    /// for whoever draws pictures of it, over a slow line. Where not given, everything that happens
    /// is told as it happens.
    #[serde(default)]
    #[param(minimum = 1, maximum = 60000)]
    pub pace_ms: Option<u32>,
    /// Tell of studies only, not of their trials.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub studies_only: bool,
}

/// A trained epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    /// The trial, such as `s12.3`.
    pub trial: String,
    /// The epoch that ended, counted from 1.
    pub epoch: u32,
    /// Updates so far.
    pub step: u64,
    /// The metrics of this epoch.
    pub metrics: BTreeMap<String, Number>,
    /// The rate of the first group at the epoch's last step.
    pub rate: Number,
}

impl Progress {
    /// The study's objective in this epoch, which is the metric of that name on the validation rows.
    pub fn objective(&self, metric: &str) -> Option<f64> {
        let on_valid = self.metrics.get(&format!("valid_{metric}"));
        let value = on_valid.or_else(|| self.metrics.get(metric))?;
        Some(value.0)
    }
}

impl Event {
    /// Every event's tag.
    pub const TAGS: [&str; 9] = [
        "study_started",
        "trial_started",
        "epoch",
        "trial_changed",
        "study_changed",
        "trial_ended",
        "study_ended",
        "study_removed",
        "warning",
    ];

    /// What kind of event it is: the field `event` of its JSON, and its name in a stream.
    pub fn tag(&self) -> &'static str {
        let index = match self {
            Event::StudyStarted { .. } => 0,
            Event::TrialStarted { .. } => 1,
            Event::Epoch(_) => 2,
            Event::TrialChanged { .. } => 3,
            Event::StudyChanged { .. } => 4,
            Event::TrialEnded { .. } => 5,
            Event::StudyEnded { .. } => 6,
            Event::StudyRemoved { .. } => 7,
            Event::Warning { .. } => 8,
        };
        Self::TAGS[index]
    }
}
