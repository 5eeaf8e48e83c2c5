//! Attention.

use super::{double, numbers};
use crate::layer::{Attention, Heads};
use crate::model::{Plan, Start};
use proptest::prelude::*;

/// The definition, in 64 bits: what comes out of the heads for `seen`.
fn attended(seen: &[f64], shape: Heads) -> Vec<f64> {
    let Heads {
        context,
        width,
        heads,
        causal,
    } = shape;
    let size = width / heads;
    let mut mixed = vec![0.0; seen.len() / 3];
    for place in 0..mixed.len() / width {
        let (row, here) = (place / context, place % context);
        for unit in 0..width {
            let head = unit / size * size;
            let part = |other: usize, part: usize, unit: usize| {
                seen[(row * context + other) * 3 * width + part * width + unit]
            };
            let visible = if causal { here + 1 } else { context };
            let weights: Vec<f64> = (0..visible)
                .map(|other| {
                    let units = head..head + size;
                    let dot: f64 = units.map(|u| part(here, 0, u) * part(other, 1, u)).sum();
                    (dot / (size as f64).sqrt()).exp()
                })
                .collect();
            let total: f64 = weights.iter().sum();
            let sum: f64 = (0..visible).map(|o| weights[o] * part(o, 2, unit)).sum();
            mixed[place * width + unit] = sum / total;
        }
    }
    mixed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn attention_is_that_of_the_definition_and_its_slopes_are_its_differences(
        rows in 1_usize..3, context in 1_usize..70, heads in 1_usize..4, size in 1_usize..6, causal: bool,
    ) {
        let width = heads * size;
        let shape = Heads { context, width, heads, causal };
        let seen = numbers(rows * context * 3 * width, 1);
        let mut plan = Plan::default();
        let start = Start::Uniform(0.5);
        let mut layer = Attention::new(&mut plan, "attention", shape, start, start);
        // The core alone: what surrounds it are dense layers.
        let by_mixed = numbers(rows * context * width, 3);
        let (mixed, by_seen) = layer.of_seen(&seen, &by_mixed);
        let exact = double(&seen);
        for (found, expected) in mixed.iter().zip(attended(&exact, shape)) {
            prop_assert!((f64::from(*found) - expected).abs() < 1e-5);
        }
        let value = |seen: &[f64]| -> f64 {
            attended(seen, shape).iter().zip(&by_mixed).map(|(y, by)| y * f64::from(*by)).sum()
        };
        for at in (0..seen.len()).step_by(seen.len().div_ceil(9)) {
            let moved = |step: f64| {
                let mut seen = exact.clone();
                seen[at] += step;
                value(&seen)
            };
            let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
            prop_assert!((slope - f64::from(by_seen[at])).abs() < 2e-5, "{at}: {} {slope}", by_seen[at]);
        }
    }
}
