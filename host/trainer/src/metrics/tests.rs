use super::{Metric, Scores, classes, disparity, score_numbers};
use crate::data::TaskKind;
use crate::kernel::Loss;
use proptest::prelude::*;
use serde::Deserialize;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

/// Values made by scikit-learn and fairlearn; `tests/golden/make_metrics.py` says how.
#[derive(Deserialize)]
struct Golden {
    classes: usize,
    logits: Vec<f32>,
    labels: Vec<u32>,
    groups: Vec<u32>,
    scores: Scores,
    disparities: Scores,
}

/// The same of numbers.
#[derive(Deserialize)]
struct GoldenNumbers {
    outputs: Vec<f32>,
    truth: Vec<f32>,
    groups: Vec<u32>,
    scale: f64,
    disparities: Scores,
}

#[derive(Deserialize)]
struct GoldenFile {
    classification: Vec<Golden>,
    regression: Vec<GoldenNumbers>,
}

fn golden() -> GoldenFile {
    serde_json::from_str(include_str!("../../tests/golden/metrics.json")).unwrap()
}

#[test]
fn disparities_of_numbers_agree_with_fairlearn() {
    let golden = golden().regression;
    assert_eq!(golden.len(), 3);
    for (case, golden) in golden.iter().enumerate() {
        let (outputs, truth, groups) = (&golden.outputs, &golden.truth, &golden.groups);
        let found = disparity::of_numbers(outputs, truth, groups, golden.scale);
        assert!(found.keys().eq(golden.disparities.keys()));
        assert!(found.keys().eq(Metric::disparities(TaskKind::Regression)));
        for (metric, &expected) in &golden.disparities {
            let value = found[metric];
            assert!(
                close(value, expected),
                "case {case}, {metric}: {value} {expected}"
            );
        }
    }
    let lost = disparity::of_numbers(&[1.0, f32::NAN, 2.0], &[0.0; 3], &[0, 1, 2], 1.0);
    assert!(lost.values().all(|value| value.is_nan()), "{lost:?}");
}

#[test]
fn metrics_agree_with_scikit_learn_and_fairlearn() {
    let golden = golden().classification;
    assert_eq!(golden.len(), 6);
    for (case, golden) in golden.iter().enumerate() {
        let (logits, labels, classes) = (&golden.logits, &golden.labels, golden.classes);
        let mut found = classes::score(logits, labels, classes);
        found.insert(Metric::Auc, classes::auc(logits, labels, classes));
        found.remove(&Metric::Error);
        assert!(
            found.keys().eq(golden.scores.keys()),
            "case {case}: {found:?}"
        );
        for (metric, &expected) in &golden.scores {
            let value = found[metric];
            assert!(
                close(value, expected),
                "case {case}, {metric}: {value} {expected}"
            );
        }
        let found = disparity::of_outputs(logits, labels, &golden.groups, classes);
        assert!(found.keys().eq(golden.disparities.keys()));
        assert!(
            found
                .keys()
                .eq(Metric::disparities(TaskKind::Classification))
        );
        for (metric, &expected) in &golden.disparities {
            let value = found[metric];
            assert!(
                close(value, expected),
                "case {case}, {metric}: {value} {expected}"
            );
        }
    }
}

#[test]
fn classes_are_scored_by_share_and_by_class() {
    let ln3 = 3.0_f32.ln();
    // Probabilities of the second class: 3/4, 3/4, 1/4, 1/2 (a tie goes to the first).
    let logits = [0.0, ln3, 0.0, ln3, ln3, 0.0, 0.0, 0.0];
    let scores = classes::score(&logits, &[1, 0, 0, 0], 2);
    let loss = -(0.75_f64.ln() + 0.25_f64.ln() + 0.75_f64.ln() + 0.5_f64.ln()) / 4.0;
    assert!(close(scores[&Metric::Loss], loss));
    assert!(close(scores[&Metric::Accuracy], 0.75));
    assert!(close(scores[&Metric::Error], 0.25));
    assert!(close(
        scores[&Metric::BalancedAccuracy],
        (1.0 + 2.0 / 3.0) / 2.0
    ));
    // The first class is right twice and missed once, the second right once and guessed twice.
    assert!(close(scores[&Metric::F1], (4.0 / 5.0 + 2.0 / 3.0) / 2.0));
    // Three rows of 3/4, of which two are right, and one of 1/2.
    assert!(close(scores[&Metric::CalibrationError], (0.25 + 0.5) / 4.0));
    // The positive stands above two, and beside one.
    assert!(close(classes::auc(&logits, &[1, 0, 0, 0], 2), 2.5 / 3.0));
}

/// Only how far apart logits lie says anything of the classes, not where.
#[test]
fn classes_are_scored_the_same_wherever_their_logits_lie() {
    let scores = |shift: f32| {
        let logits = [0.5, -0.25, 1.0, 0.0, -2.5, 0.75].map(|logit| logit + shift);
        classes::score(&logits, &[1, 0], 3)
    };
    for shift in [-65_536.0, -4096.0, 4096.0, 65_536.0] {
        assert_eq!(scores(shift), scores(0.0), "{shift}");
    }
}

#[test]
fn what_cannot_be_ranked_has_no_area() {
    assert!(classes::auc(&[0.1, 0.2, 0.3, 0.4], &[1, 1], 2).is_nan());
    assert!(classes::auc(&[0.1, f32::NAN, 0.3, 0.4], &[0, 1], 2).is_nan());
}

proptest! {
    /// Every pair of a row of the class and another one is looked at.
    #[test]
    fn the_area_is_the_share_of_pairs_in_order(
        rows in prop::collection::vec((0_u8..6, 0_u8..6, 0_u8..6, 0_u32..3), 3..40),
    ) {
        let logits: Vec<f32> = rows
            .iter()
            .flat_map(|&(a, b, c, _)| [a, b, c].map(|x| f32::from(x) / 2.0))
            .collect();
        let labels: Vec<u32> = rows.iter().map(|row| row.3).collect();
        let probability = |row: usize, class: usize| {
            let row = &logits[row * 3..row * 3 + 3];
            let sum: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
            (f64::from(row[class]).exp() / sum * 1e9).round()
        };
        let mut areas = Vec::new();
        for class in 0..3 {
            let (mut won, mut pairs) = (0.0, 0.0);
            for a in (0..rows.len()).filter(|&a| labels[a] == class) {
                for b in (0..rows.len()).filter(|&b| labels[b] != class) {
                    let (a, b) = (probability(a, class as usize), probability(b, class as usize));
                    won += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                    pairs += 1.0;
                }
            }
            if pairs > 0.0 {
                areas.push(won / pairs);
            }
        }
        let naive = areas.iter().sum::<f64>() / areas.len() as f64;
        let found = classes::auc(&logits, &labels, 3);
        prop_assert!(close(found, naive) || found.is_nan() && naive.is_nan(), "{} {}", found, naive);
    }
}

#[test]
fn of_many_classes_the_worst_counts() {
    // Class 2 is chosen for all of the first group, and for none of the second.
    let found = disparity::of_classes(&[2, 2, 0, 1], &[2, 0, 0, 1], &[0, 0, 1, 1], 3);
    assert!(close(found[&Metric::DemographicParityDifference], 1.0));
    assert!(close(found[&Metric::DemographicParityRatio], 0.0));
    assert!(close(found[&Metric::EqualOpportunityDifference], 1.0));
    assert!(close(found[&Metric::EqualizedOddsDifference], 1.0));
}

#[test]
fn numbers_are_scored_in_the_targets_units() {
    let score = |loss| score_numbers(&[1.0, 2.0, 3.0], &[1.0, 2.5, 6.0], 10.0, loss);
    let scores = score(Loss::Squared);
    assert!(close(scores[&Metric::Loss], 9.25 / 3.0));
    assert!(close(
        score(Loss::Huber)[&Metric::Loss],
        (0.125 + 2.5) / 3.0
    ));
    assert!(close(score(Loss::Absolute)[&Metric::Loss], 3.5 / 3.0));
    assert!(close(scores[&Metric::Rmse], 10.0 * (9.25_f64 / 3.0).sqrt()));
    assert!(close(scores[&Metric::Mae], 35.0 / 3.0));
    let total = 1.0_f64 + 6.25 + 36.0 - 9.5 * 9.5 / 3.0;
    assert!(close(scores[&Metric::R2], 1.0 - 9.25 / total));
    let one = score_numbers(&[1.0], &[2.0], 1.0, Loss::Squared);
    assert!(one[&Metric::R2].is_nan());
}
