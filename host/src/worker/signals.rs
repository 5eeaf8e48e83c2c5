//! What a scheduler was shown, as columns of a trial's steps.
//!
//! Only what it declared: one that asks for nothing costs nothing. The loss of a step is a column of
//! its own for every trial, and so is none here.

use attune_plugin_api::signal::{Layout, Scope};
use attune_plugin_api::{Description, Signal};
use attune_protocol::Single;
use attune_protocol::work::SignalColumn;
use attune_trainer::trial::StepRecord;

/// The column of the metric that it is told.
const METRIC: &str = "metric";

/// The columns for a scheduler, empty, in the order in which their values are laid out, the metric
/// last.
pub(super) fn columns(scheduler: &Description, groups: usize) -> Vec<SignalColumn> {
    let mut names = Vec::new();
    for signal in &scheduler.signals {
        match (signal, signal.scope()) {
            (Signal::Loss, _) => {}
            (_, Scope::Group) if groups > 1 => {
                names.extend((0..groups).map(|group| format!("{signal}.{group}")));
            }
            _ => names.push(signal.to_string()),
        }
    }
    if scheduler.metric {
        names.push(METRIC.into());
    }
    let columns = names.into_iter().map(|name| SignalColumn {
        name,
        values: Vec::new(),
    });
    columns.collect()
}

/// Adds what was shown at a step.
pub(super) fn push(columns: &mut [SignalColumn], record: &StepRecord<'_>) {
    if columns.is_empty() {
        return;
    }
    let layout = Layout::new(&record.scheduler.signals, record.rates.len());
    let shown = layout
        .signals()
        .filter(|signal| *signal != Signal::Loss)
        .filter_map(|signal| record.signals.get(layout.range(signal)?))
        .flatten();
    // At a step that diverged it was not asked.
    let is_shown = record.loss.is_finite();
    let mut shown = shown.filter(|_| is_shown);
    for column in columns {
        // The metric comes after the step, if it comes.
        let value = match column.name == METRIC {
            true => None,
            false => shown.next(),
        };
        let value = value.map_or(f32::NAN, |value| *value as f32);
        column.values.push(Single(value));
    }
}

/// Notes the metric that was told after the last step.
pub(super) fn note_metric(columns: &mut [SignalColumn], value: f64) {
    let metric = columns.last_mut().filter(|column| column.name == METRIC);
    if let Some(last) = metric.and_then(|column| column.values.last_mut()) {
        *last = Single(value as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attune_plugin_api::Slot;

    fn shown(scheduler: &Description, steps: &[(f32, &[f64])]) -> Vec<(String, Vec<f32>)> {
        let mut columns = columns(scheduler, 2);
        for (step, (loss, signals)) in steps.iter().enumerate() {
            let record = StepRecord {
                step: step as u64,
                epoch: 1,
                loss: *loss,
                rates: &[0.1, 0.2],
                momenta: &[0.9, 0.9],
                scheduler,
                signals,
            };
            push(&mut columns, &record);
            if step == 1 {
                note_metric(&mut columns, 0.25);
            }
        }
        let told = columns.into_iter().map(|column| {
            let values = column.values.iter().map(|value| value.0);
            (column.name, values.collect())
        });
        told.collect()
    }

    #[test]
    fn each_signal_of_each_group_is_a_column_and_the_loss_is_not() {
        let mut scheduler = Description::new("s", "").reads_metric();
        scheduler.signals = vec![
            Signal::norm_sq(Slot::Grad),
            Signal::Loss,
            Signal::abs_max(Slot::Grad),
        ];
        let steps: [(f32, &[f64]); 3] = [
            (2.0, &[1.0, 2.0, 2.0, 3.0, 4.0]),
            (1.0, &[5.0, 6.0, 1.0, 7.0, 8.0]),
            (f32::INFINITY, &[5.0, 6.0, 1.0, 7.0, 8.0]),
        ];
        let told = shown(&scheduler, &steps);
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let nan = f32::NAN;
        let expected = [
            ("grad_norm_sq.0", [1.0, 5.0, nan]),
            ("grad_norm_sq.1", [2.0, 6.0, nan]),
            ("grad_abs_max.0", [3.0, 7.0, nan]),
            ("grad_abs_max.1", [4.0, 8.0, nan]),
            ("metric", [nan, 0.25, nan]),
        ];
        assert_eq!(told.len(), expected.len());
        for ((name, values), (expected, wanted)) in told.iter().zip(expected) {
            assert_eq!((name.as_str(), bits(values)), (expected, bits(&wanted)));
        }
        assert_eq!(shown(&Description::new("closed", ""), &steps), []);
    }
}
