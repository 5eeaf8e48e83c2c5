//! Which of a trial's metrics is the study's objective.

use attune_protocol::{ImportedTrial, Metrics, Number, StudySummary};

/// The objective at each epoch where it was recorded. It is recorded as a metric on the validation
/// rows; what was imported may have it under its own name.
pub(super) fn by_epoch(
    study: &StudySummary,
    trial: &ImportedTrial,
) -> impl Iterator<Item = (u32, f64)> {
    let on_valid = format!("valid_{}", study.metric);
    let find = move |metrics: &Metrics| -> Option<Number> {
        let found = metrics.get(&on_valid);
        found.or_else(|| metrics.get(&study.metric)).copied()
    };
    trial
        .epochs
        .iter()
        .filter_map(move |(epoch, metrics)| Some((*epoch, find(metrics)?.0)))
}
