//! How good predictions are: named, with unit and direction; and, where rows belong to groups, whom
//! they serve worse than others ([`Metric::disparities`]).

mod classes;
mod disparity;

use crate::data::{Samples, Targets, Task, TaskKind};
use crate::kernel::{Loss, of_difference};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A measure of predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// What training minimises, without label smoothing and class weights: the mean cross entropy
    /// in nats, or the mean of the [`Loss`] that was chosen, of differences in standard
    /// deviations of the training target.
    Loss,
    /// The share of rows whose most likely class is right.
    Accuracy,
    /// One less the accuracy.
    Error,
    /// The mean over the classes that occur of the share of their rows that is right.
    BalancedAccuracy,
    /// The mean over the classes that occur or are predicted of 2tp/(2tp + fp + fn).
    F1,
    /// The mean over the classes that occur of the chance that a row of the class is given a
    /// higher probability of it than another row, ties counting half; NaN where there is but one.
    Auc,
    /// The expected calibration error in fifteen bins of equal width (Guo et al. 2017, §2): how far
    /// the probability of the most likely class is from how often it is right.
    CalibrationError,
    /// The root of the mean squared error, in the target's units.
    Rmse,
    /// The mean absolute error, in the target's units.
    Mae,
    /// The share of the target's variance that is explained; NaN where the target does not vary.
    R2,
    /// e to the mean cross entropy: between how many tokens it would have to guess as well.
    Perplexity,
    /// The greatest share of a group that is chosen, less the smallest.
    DemographicParityDifference,
    /// The smallest such share over the greatest; NaN where nobody is chosen.
    DemographicParityRatio,
    /// The greatest difference between groups in the share that is chosen of those who should be
    /// (Hardt, Price and Srebro 2016, §2).
    EqualOpportunityDifference,
    /// That, or the same of those who should not be, whichever is greater.
    EqualizedOddsDifference,
    /// The greatest mean of what is predicted of a group, less the smallest, in the target's units.
    MeanPredictionDifference,
    /// The greatest mean absolute error of a group, less the smallest, in the target's units.
    MaeDifference,
    /// What a [`Task`](crate::task::Task) measures under a name of its own. No settings name it: a
    /// task's first metric is its objective, or [another](crate::trial::Subject::optimising).
    #[serde(skip)]
    Own(OwnMetric),
}

/// A metric that only one task has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnMetric {
    /// Its name, which none of the others has.
    pub name: &'static str,
    /// Whether lower is better.
    pub minimized: bool,
}

/// Measured metrics.
pub type Scores = BTreeMap<Metric, f64>;

impl Metric {
    /// The metrics of classification.
    pub const CLASSIFICATION: [Metric; 7] = [
        Metric::Loss,
        Metric::Accuracy,
        Metric::Error,
        Metric::BalancedAccuracy,
        Metric::F1,
        Metric::Auc,
        Metric::CalibrationError,
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

    /// What is measured beside them where rows belong to groups: how differently groups are treated,
    /// by the names that fairlearn has for it. Of text there is none.
    pub fn disparities(kind: TaskKind) -> &'static [Metric] {
        match kind {
            TaskKind::Classification => &[
                Metric::DemographicParityDifference,
                Metric::DemographicParityRatio,
                Metric::EqualOpportunityDifference,
                Metric::EqualizedOddsDifference,
            ],
            TaskKind::Regression => &[Metric::MeanPredictionDifference, Metric::MaeDifference],
            TaskKind::Text => &[],
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
            Metric::F1 => "f1",
            Metric::Auc => "auc",
            Metric::CalibrationError => "calibration_error",
            Metric::Rmse => "rmse",
            Metric::Mae => "mae",
            Metric::R2 => "r2",
            Metric::Perplexity => "perplexity",
            Metric::DemographicParityDifference => "demographic_parity_difference",
            Metric::DemographicParityRatio => "demographic_parity_ratio",
            Metric::EqualOpportunityDifference => "equal_opportunity_difference",
            Metric::EqualizedOddsDifference => "equalized_odds_difference",
            Metric::MeanPredictionDifference => "mean_prediction_difference",
            Metric::MaeDifference => "mae_difference",
            Metric::Own(own) => own.name,
        }
    }

    /// Whether lower is better.
    pub fn minimized(self) -> bool {
        matches!(
            self,
            Metric::Loss
                | Metric::Error
                | Metric::CalibrationError
                | Metric::Rmse
                | Metric::Mae
                | Metric::Perplexity
                | Metric::DemographicParityDifference
                | Metric::EqualOpportunityDifference
                | Metric::EqualizedOddsDifference
                | Metric::MeanPredictionDifference
                | Metric::MaeDifference
                | Metric::Own(OwnMetric {
                    minimized: true,
                    ..
                })
        )
    }

    /// Whether measuring it takes more than one look at each row.
    fn is_costly(self) -> bool {
        self == Metric::Auc
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

/// Which metrics are to be measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    All,
    /// Those that cost little, and these even if they do not.
    Cheap {
        objective: Metric,
        others: &'a [Metric],
    },
}

impl Wanted<'_> {
    fn has(self, metric: Metric) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Cheap { objective, others } => {
                !metric.is_costly() || metric == objective || others.contains(&metric)
            }
        }
    }
}

/// Measures a network's outputs against the truth.
pub(crate) fn score(
    outputs: &[f32],
    samples: &Samples,
    task: &Task,
    loss: Loss,
    wanted: Wanted<'_>,
) -> Scores {
    match (task, &samples.targets) {
        (Task::Regression { scale, .. }, Targets::Numbers(truth)) => {
            let mut scores = score_numbers(outputs, truth, *scale, loss);
            if let Some(groups) = &samples.groups {
                scores.extend(disparity::of_numbers(outputs, truth, groups, *scale));
            }
            scores
        }
        (_, Targets::Classes(labels)) => {
            let classes = task.outputs();
            let mut scores = classes::score(outputs, labels, classes);
            if wanted.has(Metric::Auc) {
                scores.insert(Metric::Auc, classes::auc(outputs, labels, classes));
            }
            if let Some(groups) = &samples.groups {
                scores.extend(disparity::of_outputs(outputs, labels, groups, classes));
            }
            scores
        }
        (Task::Text { .. }, Targets::Following) => {
            let tokens = &samples.features.data()[1..][..samples.rows() * samples.features.width()];
            let labels: Vec<u32> = tokens.iter().map(|&token| token as u32).collect();
            let mut scores = classes::score(outputs, &labels, task.outputs());
            scores.insert(Metric::Perplexity, scores[&Metric::Loss].exp());
            scores.retain(|metric, _| Metric::TEXT.contains(metric));
            scores
        }
        // A dataset never mixes them.
        (_, Targets::Numbers(_) | Targets::Following) => Scores::new(),
    }
}

fn score_numbers(outputs: &[f32], truth: &[f32], scale: f64, loss: Loss) -> Scores {
    let rows = truth.len() as f64;
    let mean = truth.iter().map(|&t| f64::from(t)).sum::<f64>() / rows;
    let (mut squared, mut absolute, mut total, mut minimised) = (0.0, 0.0, 0.0, 0.0);
    for (&output, &truth) in outputs.iter().zip(truth) {
        let difference = f64::from(output) - f64::from(truth);
        squared += difference * difference;
        absolute += difference.abs();
        minimised += f64::from(of_difference(loss, difference as f32).0);
        total += (f64::from(truth) - mean).powi(2);
    }
    let r2 = if total > 0.0 {
        1.0 - squared / total
    } else {
        f64::NAN
    };
    let loss = match loss {
        Loss::Squared => squared,
        Loss::Huber | Loss::Absolute => minimised,
    };
    Scores::from([
        (Metric::Loss, loss / rows),
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
mod tests;
