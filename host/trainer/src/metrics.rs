//! How good predictions are: named, with unit and direction.

use crate::data::{Samples, Targets, Task, TaskKind};
use crate::kernel::exp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A measure of predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// What training minimises, without label smoothing: the mean cross entropy in nats, or the
    /// mean squared error in squared standard deviations of the training target.
    Loss,
    /// The share of rows whose most likely class is right.
    Accuracy,
    /// One less the accuracy.
    Error,
    /// The mean over the classes that occur of the share of their rows that is right.
    BalancedAccuracy,
    /// The root of the mean squared error, in the target's units.
    Rmse,
    /// The mean absolute error, in the target's units.
    Mae,
    /// The share of the target's variance that is explained; NaN where the target does not vary.
    R2,
    /// e to the mean cross entropy: between how many tokens it would have to guess as well.
    Perplexity,
}

/// Measured metrics.
pub type Scores = BTreeMap<Metric, f64>;

impl Metric {
    /// The metrics of classification.
    pub const CLASSIFICATION: [Metric; 4] = [
        Metric::Loss,
        Metric::Accuracy,
        Metric::Error,
        Metric::BalancedAccuracy,
    ];
    /// The metrics of regression.
    pub const REGRESSION: [Metric; 4] = [Metric::Loss, Metric::Rmse, Metric::Mae, Metric::R2];
    /// The metrics of text: of tokens instead of rows.
    pub const TEXT: [Metric; 4] = [
        Metric::Loss,
        Metric::Perplexity,
        Metric::Accuracy,
        Metric::Error,
    ];

    /// The metrics of a kind of task.
    pub fn of(kind: TaskKind) -> &'static [Metric] {
        match kind {
            TaskKind::Classification => &Metric::CLASSIFICATION,
            TaskKind::Regression => &Metric::REGRESSION,
            TaskKind::Text => &Metric::TEXT,
        }
    }

    /// What a study optimises unless it says otherwise: accuracy, RMSE, or the loss of a text.
    pub fn default_objective(kind: TaskKind) -> Metric {
        match kind {
            TaskKind::Classification => Metric::Accuracy,
            TaskKind::Regression => Metric::Rmse,
            TaskKind::Text => Metric::Loss,
        }
    }

    /// The name in settings, records and tables.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Loss => "loss",
            Metric::Accuracy => "accuracy",
            Metric::Error => "error",
            Metric::BalancedAccuracy => "balanced_accuracy",
            Metric::Rmse => "rmse",
            Metric::Mae => "mae",
            Metric::R2 => "r2",
            Metric::Perplexity => "perplexity",
        }
    }

    /// Whether lower is better.
    pub fn minimized(self) -> bool {
        matches!(
            self,
            Metric::Loss | Metric::Error | Metric::Rmse | Metric::Mae | Metric::Perplexity
        )
    }

    /// Whether one value is better than another. NaN is never better.
    pub fn is_better(self, new: f64, old: f64) -> bool {
        if self.minimized() {
            new < old
        } else {
            new > old
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Measures a network's outputs against the truth.
pub(crate) fn score(outputs: &[f32], samples: &Samples, task: &Task) -> Scores {
    match (task, &samples.targets) {
        (Task::Regression { scale, .. }, Targets::Numbers(truth)) => {
            score_numbers(outputs, truth, *scale)
        }
        (_, Targets::Classes(labels)) => score_classes(outputs, labels, task.outputs()),
        (Task::Text { .. }, Targets::Following) => {
            let tokens = &samples.features.data()[1..][..samples.rows() * samples.features.width()];
            let labels: Vec<u32> = tokens.iter().map(|&token| token as u32).collect();
            let mut scores = score_classes(outputs, &labels, task.outputs());
            scores.remove(&Metric::BalancedAccuracy);
            scores.insert(Metric::Perplexity, scores[&Metric::Loss].exp());
            scores
        }
        // A dataset never mixes them.
        (_, Targets::Numbers(_) | Targets::Following) => Scores::new(),
    }
}

fn score_classes(logits: &[f32], labels: &[u32], classes: usize) -> Scores {
    let mut loss = 0.0;
    let mut right = vec![0_u64; classes];
    let mut seen = vec![0_u64; classes];
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        let label = label as usize;
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = row.iter().map(|logit| exp(logit - highest)).sum();
        loss += f64::from(highest + sum.ln() - row[label]);
        seen[label] += 1;
        right[label] += u64::from(most_likely(row) == label);
    }
    let rows = labels.len() as f64;
    let accuracy = right.iter().sum::<u64>() as f64 / rows;
    let recalls: Vec<f64> = right
        .iter()
        .zip(&seen)
        .filter(|&(_, &seen)| seen > 0)
        .map(|(&right, &seen)| right as f64 / seen as f64)
        .collect();
    Scores::from([
        (Metric::Loss, loss / rows),
        (Metric::Accuracy, accuracy),
        (Metric::Error, 1.0 - accuracy),
        (
            Metric::BalancedAccuracy,
            recalls.iter().sum::<f64>() / recalls.len() as f64,
        ),
    ])
}

fn score_numbers(outputs: &[f32], truth: &[f32], scale: f64) -> Scores {
    let rows = truth.len() as f64;
    let mean = truth.iter().map(|&t| f64::from(t)).sum::<f64>() / rows;
    let (mut squared, mut absolute, mut total) = (0.0, 0.0, 0.0);
    for (&output, &truth) in outputs.iter().zip(truth) {
        let difference = f64::from(output) - f64::from(truth);
        squared += difference * difference;
        absolute += difference.abs();
        total += (f64::from(truth) - mean).powi(2);
    }
    let r2 = if total > 0.0 {
        1.0 - squared / total
    } else {
        f64::NAN
    };
    Scores::from([
        (Metric::Loss, squared / rows),
        (Metric::Rmse, (squared / rows).sqrt() * scale),
        (Metric::Mae, absolute / rows * scale),
        (Metric::R2, r2),
    ])
}

/// The place of the greatest number, the first of equals.
pub(crate) fn most_likely(row: &[f32]) -> usize {
    let mut best = 0;
    for (place, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = place;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::{Metric, score_classes, score_numbers};

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn classes_are_scored_by_share_and_by_class() {
        let ln3 = 3.0_f32.ln();
        // Probabilities of the second class: 3/4, 3/4, 1/4, 1/2 (a tie goes to the first).
        let logits = [0.0, ln3, 0.0, ln3, ln3, 0.0, 0.0, 0.0];
        let scores = score_classes(&logits, &[1, 0, 0, 0], 2);
        let loss = -(0.75_f64.ln() + 0.25_f64.ln() + 0.75_f64.ln() + 0.5_f64.ln()) / 4.0;
        assert!(close(scores[&Metric::Loss], loss));
        assert!(close(scores[&Metric::Accuracy], 0.75));
        assert!(close(scores[&Metric::Error], 0.25));
        assert!(close(
            scores[&Metric::BalancedAccuracy],
            (1.0 + 2.0 / 3.0) / 2.0
        ));
    }

    #[test]
    fn numbers_are_scored_in_the_targets_units() {
        let scores = score_numbers(&[1.0, 2.0, 3.0], &[1.0, 2.0, 6.0], 10.0);
        assert!(close(scores[&Metric::Loss], 3.0));
        assert!(close(scores[&Metric::Rmse], 10.0 * 3.0_f64.sqrt()));
        assert!(close(scores[&Metric::Mae], 10.0));
        assert!(close(scores[&Metric::R2], 1.0 - 9.0 / 14.0));
        assert!(score_numbers(&[1.0], &[2.0], 1.0)[&Metric::R2].is_nan());
    }
}
