//! Records as earlier versions wrote them, and what they are now. What those versions did not keep
//! is filled in with "nobody knows".

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Best, Direction, PluginBuild, Scalar, StudyRecord, StudyState, TrialRecord, TrialState,
};

#[derive(Deserialize)]
pub(super) struct StudyV1 {
    name: String,
    state: StudyState,
    spec: String,
    seed: u64,
    metric: String,
    direction: Direction,
    planned_trials: u32,
    notes: Vec<String>,
    created_unix_ms: u64,
    ended_unix_ms: Option<u64>,
    attune_version: String,
}

impl From<StudyV1> for StudyRecord {
    fn from(old: StudyV1) -> Self {
        Self {
            name: old.name,
            state: old.state,
            spec: old.spec,
            seed: old.seed,
            metric: old.metric,
            direction: old.direction,
            planned_trials: old.planned_trials,
            notes: old.notes,
            created_unix_ms: old.created_unix_ms,
            ended_unix_ms: old.ended_unix_ms,
            attune_version: old.attune_version,
            reason: None,
            file: String::new(),
            data_hash: String::new(),
            parallel: 0,
            plugins: BTreeMap::new(),
            seconds: 0.0,
            changes: Vec::new(),
            origin: None,
            imported: None,
            swapped: BTreeMap::new(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct TrialV1 {
    state: TrialState,
    config: BTreeMap<String, Scalar>,
    seed: u64,
    plugin: Option<PluginBuild>,
    started_unix_ms: Option<u64>,
    ended_unix_ms: Option<u64>,
    epochs: u32,
    max_epochs: u32,
    steps: u64,
    seconds: f64,
    reason: Option<String>,
    final_metrics: BTreeMap<String, f64>,
    best_metrics: BTreeMap<String, Best>,
    warnings: Vec<String>,
}

impl From<TrialV1> for TrialRecord {
    fn from(old: TrialV1) -> Self {
        Self {
            state: old.state,
            config: old.config,
            seed: old.seed,
            plugin: old.plugin,
            started_unix_ms: old.started_unix_ms,
            ended_unix_ms: old.ended_unix_ms,
            epochs: old.epochs,
            max_epochs: old.max_epochs,
            steps: old.steps,
            seconds: old.seconds,
            reason: old.reason,
            final_metrics: old.final_metrics,
            best_metrics: old.best_metrics,
            warnings: old.warnings,
            attempt: 0,
            deaths: Vec::new(),
            outcomes: Vec::new(),
            checkpoints: Vec::new(),
            model: None,
            interventions: Vec::new(),
        }
    }
}
