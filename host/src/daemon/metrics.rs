//! The daemon's state as Prometheus reads it (text format 0.0.4).
//!
//! All of it is gauges: what is counted is what is stored, so that a new daemon goes on where the
//! last one was, and only the time since its start begins anew.

use attune_protocol::{DaemonStatus, StudySummary};
use std::fmt::Write;

/// The media type.
pub(super) const FORM: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures.
pub(super) fn text(status: &DaemonStatus, studies: &[StudySummary], now_unix_ms: u64) -> String {
    let mut text = String::new();
    let up = now_unix_ms.saturating_sub(status.started_unix_ms) as f64 / 1e3;
    let running: u32 = status.studies.iter().map(|study| study.running).sum();
    let gauges: [(&str, &str, f64); 8] = [
        ("attune_up_seconds", "Time since the daemon started.", up),
        (
            "attune_memory_bytes",
            "Memory of the daemon.",
            status.memory_bytes as f64,
        ),
        (
            "attune_workers",
            "Worker processes.",
            status.workers.len() as f64,
        ),
        (
            "attune_trials_training",
            "Trials in training.",
            running.into(),
        ),
        (
            "attune_studies_active",
            "Studies that are not over.",
            status.studies.len() as f64,
        ),
        (
            "attune_store_bytes",
            "Bytes of the store's files.",
            status.store_bytes as f64,
        ),
        (
            "attune_checkpoint_bytes",
            "Bytes of checkpoints and models.",
            status.checkpoint_bytes as f64,
        ),
        (
            "attune_checkpoint_budget_bytes",
            "The most that checkpoints and models may take.",
            status.checkpoint_budget_bytes as f64,
        ),
    ];
    for (name, help, value) in gauges {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}"
        );
    }
    text.push_str(
        "# HELP attune_trials Trials of a study by outcome.\n# TYPE attune_trials gauge\n",
    );
    for study in studies {
        let counts = study.trials;
        for (state, count) in [
            // In training, waiting or paused.
            ("open", counts.running),
            ("done", counts.done),
            ("stopped", counts.stopped),
            ("diverged", counts.diverged),
            ("failed", counts.failed),
        ] {
            let (id, name) = (&study.id, label(&study.name));
            let _ = writeln!(
                text,
                "attune_trials{{study=\"{id}\",name=\"{name}\",state=\"{state}\"}} {count}"
            );
        }
    }
    text.push_str("# HELP attune_best Best objective of a study.\n# TYPE attune_best gauge\n");
    for study in studies {
        if let Some(best) = study.best_value {
            let (id, metric) = (&study.id, label(&study.metric));
            let _ = writeln!(
                text,
                "attune_best{{study=\"{id}\",metric=\"{metric}\"}} {}",
                number(best.0)
            );
        }
    }
    text
}

/// A number as the format writes it.
fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".into(),
        f64::NEG_INFINITY => "-Inf".into(),
        value => value.to_string(),
    }
}

/// A label's value, with what the format gives a meaning of its own escaped.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_format_has_them() {
        let values = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.5, 1e300];
        let written = values.map(number);
        assert_eq!(written[..4], ["+Inf", "-Inf", "NaN", "0.5"]);
        assert_eq!(written[4].parse(), Ok(1e300));
    }

    #[test]
    fn labels_cannot_break_a_line() {
        assert_eq!(label("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
