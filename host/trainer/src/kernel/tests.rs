//! What holds for all loops together.

use super::{Activation, Level, abs_max, at_level, cross_entropy, dot, softmax};
use proptest::prelude::*;

/// The bits of everything that the loops make of these numbers.
fn results(a: &[f32], b: &[f32], label: u32) -> Vec<u64> {
    let mut bits = vec![dot(a, b).to_bits(), abs_max(a).to_bits()];
    let mut keep = |numbers: &[f32]| bits.extend(numbers.iter().map(|x| u64::from(x.to_bits())));
    for activation in [Activation::Relu, Activation::Gelu, Activation::Tanh] {
        let (mut values, mut slopes) = (a.to_vec(), b.to_vec());
        activation.apply(&mut values, None);
        keep(&values);
        values.copy_from_slice(a);
        activation.apply(&mut values, Some(&mut slopes));
        keep(&slopes);
        slopes.copy_from_slice(b);
        activation.scale_by_values(&values, &mut slopes);
        keep(&slopes);
    }
    let mut logits = a.to_vec();
    keep(&[cross_entropy(&mut logits, &[label], 0.1, Some(b))]);
    keep(&logits);
    logits.copy_from_slice(a);
    softmax(&mut logits);
    keep(&logits);
    bits
}

proptest! {
    #[test]
    fn every_level_of_processor_makes_the_same_bits(
        pairs in prop::collection::vec((-30.0_f32..30.0, 0.1_f32..3.0), 1..70), label: prop::sample::Index,
    ) {
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let label = label.index(a.len()) as u32;
        let plain = at_level(Level::Plain, || results(&a, &b, label));
        for level in Level::all() {
            prop_assert_eq!(&at_level(level, || results(&a, &b, label)), &plain, "{:?}", level);
        }
    }

    #[test]
    fn the_slopes_of_a_weighted_cross_entropy_are_its_derivative(
        logits in prop::collection::vec(-3.0_f32..3.0, 12), weights in prop::collection::vec(0.1_f32..2.0, 4),
        smoothing in 0.0_f32..0.4,
    ) {
        let labels = [0, 3, 1];
        let (mut slopes, weights_64) = (logits.clone(), weights.iter().map(|&w| f64::from(w)).collect::<Vec<_>>());
        let loss = cross_entropy(&mut slopes, &labels, smoothing, Some(&weights));
        let logits: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
        let truth = |logits: &[f64]| naive(logits, &labels, f64::from(smoothing), &weights_64);
        prop_assert!((f64::from(loss) - truth(&logits)).abs() < 1e-5);
        for place in 0..logits.len() {
            let moved = |by: f64| {
                let mut logits = logits.clone();
                logits[place] += by;
                truth(&logits)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            prop_assert!((f64::from(slopes[place]) - slope).abs() < 1e-5, "{place}: {} {slope}", slopes[place]);
        }
    }
}

/// As PyTorch's documentation defines it, in 64 bits.
fn naive(logits: &[f64], labels: &[u32], smoothing: f64, weights: &[f64]) -> f64 {
    let classes = weights.len();
    let (mut sum, mut total) = (0.0, 0.0);
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        let log_sum = row.iter().map(|x| x.exp()).sum::<f64>().ln();
        for (class, (x, weight)) in row.iter().zip(weights).enumerate() {
            let is_label = f64::from(class == label as usize);
            let share = (1.0 - smoothing) * is_label + smoothing / classes as f64;
            sum += share * weight * (log_sum - x);
        }
        total += weights[label as usize];
    }
    sum / total
}
