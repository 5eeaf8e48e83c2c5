//! Losses, with the slopes that the backward pass begins from.

use super::row::folded;
use super::{exp, wide};
use serde::{Deserialize, Serialize};

/// What is minimised where a number is predicted, of the difference in standard deviations of the
/// training target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Its square.
    #[default]
    Squared,
    /// Half its square up to 1, and from there on straight (Huber 1964): far-off rows pull less.
    Huber,
    /// Its magnitude.
    Absolute,
}

/// The mean over rows of the cross entropy in nats between softmax(logits) and the labels, with a
/// share of `smoothing` of each label spread evenly over all classes (Szegedy et al. 2016, §7). Its
/// slopes take the place of the logits. `weigh` has a weight for each class: the mean is then
/// weighted by the labels' (as PyTorch's, whose smoothed part each class weighs by its own).
///
/// # Panics
/// A label that is no class.
pub(crate) fn cross_entropy(
    logits: &mut [f32],
    labels: &[u32],
    smoothing: f32,
    weigh: Option<&[f32]>,
) -> f32 {
    let classes = logits.len() / labels.len();
    let weight = |class: usize| weigh.map_or(1.0, |weights| weights[class]);
    let total: f64 = match weigh {
        None => labels.len() as f64,
        Some(weights) => labels.iter().map(|&l| f64::from(weights[l as usize])).sum(),
    };
    let all: f32 = (0..classes).map(weight).sum();
    let (scale, even) = ((1.0 / total) as f32, smoothing / classes as f32);
    let mut loss = 0.0_f64;
    wide(
        #[inline(always)]
        || {
            for (row, &label) in logits.chunks_exact_mut(classes).zip(labels) {
                let label = label as usize;
                let right = (1.0 - smoothing) * weight(label);
                let (at_label, mut spread) = (row[label], 0.0);
                if smoothing > 0.0 {
                    // The sum over classes of weight · what its logit is more than the label's.
                    spread = row
                        .iter()
                        .enumerate()
                        .map(|(c, x)| weight(c) * (x - at_label))
                        .sum::<f32>();
                }
                let (highest, sum) = soft(row);
                // What the logarithm of the sum is more than the label's logit. Far from 0 the logits
                // themselves are coarse, and their differences are exact.
                let more = (highest - at_label) + sum.ln();
                loss += f64::from(right * more + even * (all * more - spread));
                let share = (right + even * all) / sum * scale;
                match weigh {
                    None => row.iter_mut().for_each(|x| *x = *x * share - even * scale),
                    Some(weights) => {
                        for (x, weight) in row.iter_mut().zip(weights) {
                            *x = *x * share - even * weight * scale;
                        }
                    }
                }
                row[label] -= right * scale;
            }
        },
    );
    (loss / total) as f32
}

/// exp(x - highest) in place of each x; returns the highest and the sum.
#[inline(always)]
pub(crate) fn soft(row: &mut [f32]) -> (f32, f32) {
    let highest = highest(row);
    let (lanes, rest) = row.as_chunks_mut::<16>();
    let mut sums = [0.0_f32; 16];
    for lane in lanes {
        for (x, sum) in lane.iter_mut().zip(&mut sums) {
            *x = exp(*x - highest);
            *sum += *x;
        }
    }
    let mut sum = folded(sums, |a, b| a + b);
    for x in rest {
        *x = exp(*x - highest);
        sum += *x;
    }
    (highest, sum)
}

#[inline(always)]
fn highest(row: &[f32]) -> f32 {
    let (lanes, rest) = row.as_chunks::<16>();
    let mut most = [f32::NEG_INFINITY; 16];
    for lane in lanes {
        for (x, most) in lane.iter().zip(&mut most) {
            *most = if *x > *most { *x } else { *most };
        }
    }
    let higher = |a: f32, b: f32| if b > a { b } else { a };
    rest.iter().copied().fold(folded(most, higher), higher)
}

/// The mean over rows of a loss of the difference; its slopes take the outputs' place.
pub(crate) fn difference_loss(loss: Loss, outputs: &mut [f32], targets: &[f32]) -> f32 {
    let scale = (1.0 / targets.len() as f64) as f32;
    let mut sum = 0.0_f64;
    for (output, target) in outputs.iter_mut().zip(targets) {
        let (value, slope) = of_difference(loss, *output - target);
        sum += f64::from(value);
        *output = slope * scale;
    }
    (sum / targets.len() as f64) as f32
}

/// The loss of a difference, and its slope.
pub(crate) fn of_difference(loss: Loss, difference: f32) -> (f32, f32) {
    let size = difference.abs();
    match loss {
        Loss::Squared => (difference * difference, 2.0 * difference),
        Loss::Huber if size > 1.0 => (size - 0.5, difference.signum()),
        Loss::Huber => (0.5 * difference * difference, difference),
        Loss::Absolute if difference == 0.0 => (0.0, 0.0),
        Loss::Absolute => (size, difference.signum()),
    }
}
