//! What holds for all loops together.

use super::{
    Activation, Level, Loss, abs_max, at_level, cross_entropy, difference_loss, dot, softmax,
};
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

    /// However large logits are, and wherever they lie.
    #[test]
    fn cross_entropies_are_those_of_the_definition_and_their_slopes_its_differences(
        rows in 1_usize..6, classes in 1_usize..40, spread in 0.01_f32..1000.0, centre in -1e4_f32..1e4,
        smoothing in prop_oneof![Just(0.0_f32), 0.01_f32..0.4], weighs: bool,
    ) {
        let logits: Vec<f32> =
            (0..rows * classes).map(|at| centre + spread * scattered(at, 1)).collect();
        let labels: Vec<u32> = (0..rows).map(|row| (row * 7 % classes) as u32).collect();
        let weights: Vec<f32> = (0..classes).map(|class| 1.1 + scattered(class, 2)).collect();
        let mut slopes = logits.clone();
        let loss = cross_entropy(&mut slopes, &labels, smoothing, weighs.then_some(&weights));
        let weights: Vec<f64> =
            weights.iter().map(|&weight| if weighs { weight.into() } else { 1.0 }).collect();
        let truth = |logits: &[f64]| naive(logits, &labels, smoothing.into(), &weights);
        holds(loss, &slopes, &double(&logits), truth)?;
    }

    #[test]
    fn losses_of_differences_are_those_of_the_definition_and_their_slopes_its_differences(
        rows in 1_usize..70, size in -3_i32..7,
        loss in prop::sample::select(vec![Loss::Squared, Loss::Huber, Loss::Absolute]),
    ) {
        let size = 10_f32.powi(size);
        let outputs: Vec<f32> = (0..rows).map(|at| size * scattered(at, 1)).collect();
        let targets: Vec<f32> = (0..rows).map(|at| scattered(at, 2)).collect();
        // As PyTorch's documentation defines them, in 64 bits.
        let of = |difference: f64| match loss {
            Loss::Squared => difference.powi(2),
            Loss::Huber if difference.abs() <= 1.0 => 0.5 * difference.powi(2),
            Loss::Huber => difference.abs() - 0.5,
            Loss::Absolute => difference.abs(),
        };
        let truth = |outputs: &[f64]| {
            let each = outputs.iter().zip(&targets);
            each.map(|(output, target)| of(output - f64::from(*target))).sum::<f64>() / rows as f64
        };
        // A magnitude has no slope at 0, where a difference would step over it.
        let is_bent_at = |(output, target): (&f32, &f32)| (output - target).abs() < 1e-4;
        prop_assume!(loss != Loss::Absolute || !outputs.iter().zip(&targets).any(is_bent_at));
        let mut slopes = outputs.clone();
        let found = difference_loss(loss, &mut slopes, &targets);
        holds(found, &slopes, &double(&outputs), truth)?;
    }
}

/// Whether a loss and its slopes are those of the truth, within a hundred thousandth of the largest.
fn holds(
    loss: f32,
    slopes: &[f32],
    at: &[f64],
    truth: impl Fn(&[f64]) -> f64,
) -> Result<(), TestCaseError> {
    let (loss, expected) = (f64::from(loss), truth(at));
    prop_assert!(
        (loss - expected).abs() < 1e-5 * expected.max(1.0),
        "{loss} {expected}"
    );
    // The larger a number, the less precisely 64 bits know a small step from it.
    let largest = at.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
    let step = 1e-5 * largest.sqrt();
    let differences = (0..at.len()).map(|place| {
        let moved = |by: f64| {
            let mut at = at.to_vec();
            at[place] += by;
            truth(&at)
        };
        (moved(step) - moved(-step)) / (2.0 * step)
    });
    let differences: Vec<f64> = differences.collect();
    let largest = differences
        .iter()
        .fold(1.0_f64, |most, x| most.max(x.abs()));
    for (place, (slope, expected)) in slopes.iter().zip(differences).enumerate() {
        let off = (f64::from(*slope) - expected).abs();
        prop_assert!(off < 1e-5 * largest, "{place}: {slope} {expected}");
    }
    Ok(())
}

/// Numbers in ±1 without an order.
fn scattered(at: usize, seed: usize) -> f32 {
    ((at * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// As PyTorch's documentation defines it, in 64 bits.
fn naive(logits: &[f64], labels: &[u32], smoothing: f64, weights: &[f64]) -> f64 {
    let classes = weights.len();
    let (mut sum, mut total) = (0.0, 0.0);
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        // An exponential of a large number is none.
        let highest = row.iter().copied().fold(f64::MIN, f64::max);
        let log_sum = highest + row.iter().map(|x| (x - highest).exp()).sum::<f64>().ln();
        for (class, (x, weight)) in row.iter().zip(weights).enumerate() {
            let is_label = f64::from(class == label as usize);
            let share = (1.0 - smoothing) * is_label + smoothing / classes as f64;
            sum += share * weight * (log_sum - x);
        }
        total += weights[label as usize];
    }
    sum / total
}

/// What steering looks for where a network has run away.
#[test]
fn a_logit_that_is_no_finite_number_leaves_no_finite_loss() {
    for class in [0, 1] {
        for logit in [f32::NAN, f32::INFINITY] {
            let mut logits = [0.5, -0.5, 0.1];
            logits[class] = logit;
            let loss = cross_entropy(&mut logits, &[0], 0.0, None);
            assert!(loss.is_nan(), "{logit} as class {class}: {loss}");
        }
    }
}

#[test]
fn losses_stay_finite_as_far_off_as_numbers_go() {
    let far = f32::MAX / 4.0;
    for loss in [Loss::Huber, Loss::Absolute] {
        let mut outputs = [far, -far];
        assert!(difference_loss(loss, &mut outputs, &[0.0; 2]).is_finite());
        assert_eq!(outputs, [0.5, -0.5], "{loss:?}");
    }
    let mut logits = [far, -far];
    let loss = cross_entropy(&mut logits, &[1], 0.0, None);
    assert_eq!(loss, 2.0 * far);
    assert_eq!(logits, [1.0, -1.0]);
}
