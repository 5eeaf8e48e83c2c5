use super::{Attention, Backward, Embedding, Forward, Heads, Layer, LayerNorm};
use crate::kernel::{Level, at_level, softmax};
use crate::model::{Group, Plan, Start};
use crate::random::{Purpose, stream, symmetric};
use proptest::prelude::*;

fn numbers(count: usize, index: u64) -> Vec<f32> {
    let mut rng = stream(5, Purpose::Init, index);
    (0..count).map(|_| symmetric(&mut rng) as f32).collect()
}

/// One pass forward and back; everything that came out.
fn passes(
    layer: &mut dyn Layer,
    groups: &[Group],
    x: &[f32],
    by_y: &[f32],
) -> (Vec<f32>, Vec<f32>, Vec<Vec<f32>>) {
    let mut y = vec![f32::NAN; by_y.len()];
    let mut forward = Forward {
        groups,
        noise: Some(stream(0, Purpose::Dropout, 0)),
    };
    layer.forward(x, &mut y, &mut forward);
    let sizes = groups.iter().map(|group| group.values.len());
    let mut gradients: Vec<Vec<f32>> = sizes.map(|size| vec![f32::NAN; size]).collect();
    let mut dx = vec![f32::NAN; x.len()];
    for adds in [false, true] {
        let mut backward = Backward {
            groups,
            gradients: &mut gradients,
            adds,
        };
        layer.backward(x, &y, &mut by_y.to_vec(), Some(&mut dx), &mut backward);
    }
    // Each was added to itself once.
    gradients.iter_mut().flatten().for_each(|x| *x *= 0.5);
    (y, dx, gradients)
}

/// The definition, in 64 bits: what comes out of the heads for `seen`.
fn naive(seen: &[f64], shape: Heads) -> Vec<f64> {
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

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn attention_is_that_of_the_definition_and_its_slopes_are_its_differences(
        rows in 1_usize..3, context in 1_usize..70, heads in 1_usize..4, size in 1_usize..6, causal: bool,
    ) {
        let width = heads * size;
        let shape = Heads { context, width, heads, causal };
        let seen = numbers(rows * context * 3 * width, 0);
        let mut plan = Plan::default();
        let start = Start::Uniform(0.5);
        let mut layer = Attention::new(&mut plan, "attention", shape, start, start);
        // The core alone: what surrounds it are dense layers.
        let by_mixed = numbers(rows * context * width, 1);
        let (mixed, by_seen) = layer.of_seen(&seen, &by_mixed);
        let exact = double(&seen);
        for (found, expected) in mixed.iter().zip(naive(&exact, shape)) {
            prop_assert!((f64::from(*found) - expected).abs() < 1e-5);
        }
        let value = |seen: &[f64]| -> f64 {
            naive(seen, shape).iter().zip(&by_mixed).map(|(y, by)| y * f64::from(*by)).sum()
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

    #[test]
    fn layer_norm_is_that_of_the_definition_and_the_same_on_every_level(
        rows in 1_usize..6, width in 2_usize..70,
    ) {
        let mut plan = Plan::default();
        let mut layer = LayerNorm::new(&mut plan, "norm", width);
        let mut groups = plan.draw(0);
        groups[0].values = numbers(2 * width, 1);
        let (x, by_y) = (numbers(rows * width, 2), numbers(rows * width, 3));
        let found = passes(&mut layer, &groups, &x, &by_y);
        for level in Level::all() {
            let again = at_level(level, || passes(&mut layer, &groups, &x, &by_y));
            prop_assert_eq!(&again, &found, "{:?}", level);
        }
        let (y, dx, gradients) = found;
        let parameters = double(&groups[0].values);
        let naive = |x: &[f64], parameters: &[f64]| -> Vec<f64> {
            let (gain, bias) = parameters.split_at(width);
            let rows = x.chunks(width).flat_map(|row| {
                let mean = row.iter().sum::<f64>() / width as f64;
                let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
                let row = row.iter().zip(gain).zip(bias);
                row.map(move |((x, gain), bias)| (x - mean) / (variance + 1e-5).sqrt() * gain + bias)
            });
            rows.collect()
        };
        let exact = double(&x);
        for (found, expected) in y.iter().zip(naive(&exact, &parameters)) {
            prop_assert!((f64::from(*found) - expected).abs() < 2e-5 * (1.0 + expected.abs()));
        }
        let value = |x: &[f64], parameters: &[f64]| -> f64 {
            naive(x, parameters).iter().zip(&by_y).map(|(y, by)| y * f64::from(*by)).sum()
        };
        let close = |slope: f64, found: f32| (slope - f64::from(found)).abs() < 1e-4 * (1.0 + slope.abs());
        for at in (0..x.len()).step_by(x.len().div_ceil(9)) {
            let moved = |step: f64| {
                let mut x = exact.clone();
                x[at] += step;
                value(&x, &parameters)
            };
            let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            // Rows that hardly vary amplify what 32 bits round away.
            prop_assert!(close(slope, dx[at]) || width < 4, "x {}: {} {}", at, dx[at], slope);
        }
        for at in 0..2 * width {
            let moved = |step: f64| {
                let mut parameters = parameters.clone();
                parameters[at] += step;
                value(&exact, &parameters)
            };
            let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
            prop_assert!(close(slope, gradients[0][at]), "{}: {} {}", at, gradients[0][at], slope);
        }
    }
}

#[test]
fn embeddings_are_the_sums_of_their_vectors_on_every_level() {
    let (context, vocabulary, width) = (3, 5, 21);
    let mut plan = Plan::default();
    let start = Start::Normal(1.0);
    let mut layer = Embedding::new(&mut plan, context, vocabulary, width, start);
    let groups = plan.draw(0);
    let x = [4.0, 0.0, 4.0, 1.0, 2.0, 4.0];
    let by_y = numbers(x.len() * width, 4);
    let found = passes(&mut layer, &groups, &x, &by_y);
    for level in Level::all() {
        let again = at_level(level, || passes(&mut layer, &groups, &x, &by_y));
        assert_eq!(again, found, "{level:?}");
    }
    let (tokens, places) = groups[0].values.split_at(vocabulary * width);
    let (y, _, gradients) = found;
    let mut expected = vec![0.0; groups[0].values.len()];
    for (at, token) in x.iter().enumerate() {
        for unit in 0..width {
            let (token, place) = (*token as usize * width + unit, at % context * width + unit);
            assert_eq!(y[at * width + unit], tokens[token] + places[place]);
            expected[token] += by_y[at * width + unit];
            expected[tokens.len() + place] += by_y[at * width + unit];
        }
    }
    for (found, expected) in gradients[0].iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn probabilities_are_the_same_on_every_level() {
    for width in [1, 7, 16, 50, 96] {
        let logits: Vec<f32> = numbers(width, 9).iter().map(|x| 20.0 * x).collect();
        let shares = |level| {
            let mut row = logits.clone();
            at_level(level, || softmax(&mut row));
            row
        };
        let found = shares(Level::Plain);
        for level in Level::all() {
            assert_eq!(shares(level), found, "{level:?}");
        }
        let exponentials = logits.iter().map(|x| f64::from(*x).exp());
        let sum: f64 = exponentials.clone().sum();
        for (found, expected) in found.iter().zip(exponentials) {
            assert!((f64::from(*found) - expected / sum).abs() < 1e-6);
        }
    }
}
