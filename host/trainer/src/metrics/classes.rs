//! Metrics of classification.

use super::{Metric, Scores, most_likely};
use crate::kernel::exp;

/// Bins of the calibration error.
const BINS: usize = 15;

/// What one look at each row tells.
pub(super) fn score(logits: &[f32], labels: &[u32], classes: usize) -> Scores {
    let mut loss = 0.0;
    let mut counts = vec![Counts::default(); classes];
    let mut bins = [Bin::default(); BINS];
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        let label = label as usize;
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = row.iter().map(|logit| exp(logit - highest)).sum();
        // Far from 0 the logits themselves are coarse, and their differences are exact.
        loss += f64::from((highest - row[label]) + sum.ln());
        let guess = most_likely(row);
        let is_right = guess == label;
        counts[label].seen += 1;
        counts[guess].guessed += 1;
        counts[label].right += u64::from(is_right);
        // Its bins are open below and closed above; NaN, which is in none, falls into the first.
        let confidence = 1.0 / sum;
        let bin = (confidence * BINS as f32).ceil() as usize;
        let bin = &mut bins[bin.clamp(1, BINS) - 1];
        bin.confidence += f64::from(confidence);
        bin.right += u64::from(is_right);
    }
    let rows = labels.len() as f64;
    let accuracy = counts.iter().map(|count| count.right).sum::<u64>() as f64 / rows;
    let calibration = bins
        .iter()
        .map(|bin| (bin.confidence - bin.right as f64).abs());
    Scores::from([
        (Metric::Loss, loss / rows),
        (Metric::Accuracy, accuracy),
        (Metric::Error, 1.0 - accuracy),
        (
            Metric::BalancedAccuracy,
            mean(counts.iter().filter_map(Counts::recall)),
        ),
        (Metric::F1, mean(counts.iter().filter_map(Counts::f1))),
        (Metric::CalibrationError, calibration.sum::<f64>() / rows),
    ])
}

#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    confidence: f64,
    right: u64,
}

/// How often a class is the true one, the most likely one, and both.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    seen: u64,
    guessed: u64,
    right: u64,
}

impl Counts {
    fn recall(&self) -> Option<f64> {
        (self.seen > 0).then(|| self.right as f64 / self.seen as f64)
    }

    fn f1(&self) -> Option<f64> {
        let all = self.seen + self.guessed;
        (all > 0).then(|| 2.0 * self.right as f64 / all as f64)
    }
}

/// NaN of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
    sum / count as f64
}

/// The mean over classes, each against all others, of the area under the curve of true positives
/// over false ones. It sorts the rows once a class.
pub(super) fn auc(logits: &[f32], labels: &[u32], classes: usize) -> f64 {
    if logits.iter().any(|logit| logit.is_nan()) {
        return f64::NAN;
    }
    // Of two classes one is ranked as the other, turned round.
    let asked = if classes == 2 { 1..2 } else { 0..classes };
    let normalisers: Vec<(f64, f64)> = logits.chunks_exact(classes).map(normaliser).collect();
    // In 32 bits, because sums in 64 would part equal ones by their last bit.
    let mut ranked: Vec<(f32, bool)> = Vec::with_capacity(labels.len());
    let areas = asked.filter_map(|class| {
        ranked.clear();
        let rows = logits.chunks_exact(classes).zip(labels).zip(&normalisers);
        ranked.extend(rows.map(|((row, &label), (highest, sum))| {
            let probability = (f64::from(row[class]) - highest).exp() / sum;
            (probability as f32, label as usize == class)
        }));
        area(&mut ranked)
    });
    mean(areas)
}

fn normaliser(row: &[f32]) -> (f64, f64) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let highest = f64::from(highest);
    let sum = row.iter().map(|&logit| (f64::from(logit) - highest).exp());
    (highest, sum.sum())
}

/// The chance that a positive stands above a negative, ties counting half (Mann and Whitney 1947).
fn area(ranked: &mut [(f32, bool)]) -> Option<f64> {
    ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let positives = ranked.iter().filter(|(_, positive)| *positive).count() as f64;
    let negatives = ranked.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut above, mut below) = (0.0, 0.0);
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let in_tie = tied.iter().filter(|(_, positive)| *positive).count() as f64;
        let others = tied.len() as f64 - in_tie;
        above += in_tie * (below + others / 2.0);
        below += others;
    }
    Some(above / (positives * negatives))
}
