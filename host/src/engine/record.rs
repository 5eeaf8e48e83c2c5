//! A trial's record while it grows.

use super::message::Piece;
use crate::study::space::FullConfig;
use crate::study::trial::direction_of;
use crate::{clock, convert};
use attune_store::{Best, PluginBuild, TrialRecord, TrialState};
use std::collections::BTreeMap;

/// The record of a trial that begins now.
pub(crate) fn begun(
    config: &FullConfig,
    seed: u64,
    max_epochs: u32,
    plugin: Option<PluginBuild>,
) -> TrialRecord {
    TrialRecord {
        state: TrialState::Running,
        config: config
            .iter()
            .map(|(name, value)| (name.clone(), convert::stored(value)))
            .collect(),
        seed,
        plugin,
        started_unix_ms: Some(clock::unix_ms()),
        ended_unix_ms: None,
        epochs: 0,
        max_epochs,
        steps: 0,
        seconds: 0.0,
        reason: None,
        final_metrics: BTreeMap::new(),
        best_metrics: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

/// Takes in a piece of training. Which epoch is the best in `objective` (the recorded name) is the
/// trainer's to say: it settles ties, and its choice is the model that is saved.
pub(crate) fn grow(record: &mut TrialRecord, piece: &Piece, objective: &str) {
    for epoch in &piece.epochs {
        record.epochs = epoch.epoch;
        record.steps = epoch.step;
        record.seconds += epoch.seconds;
        for (name, &value) in &epoch.metrics {
            record.final_metrics.insert(name.clone(), value);
            let direction = convert::direction(direction_of(name));
            let best = record.best_metrics.get(name);
            let better = if name == objective {
                epoch.best
            } else {
                best.is_none_or(|best| direction.better(value, best.value))
            };
            if better {
                let epoch = epoch.epoch;
                record
                    .best_metrics
                    .insert(name.clone(), Best { value, epoch });
            }
        }
    }
    if let Some(last) = piece.steps.steps.last() {
        record.steps = record.steps.max(last + 1);
    }
}

/// Marks the end of a trial.
pub(crate) fn end(record: &mut TrialRecord, state: TrialState, reason: Option<String>) {
    record.state = state;
    record.reason = reason;
    record.ended_unix_ms = Some(clock::unix_ms());
}
