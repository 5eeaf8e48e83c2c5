//! Layers of rows and of tokens.

use super::{Bench, applied, double, numbers};
use crate::kernel::{Activation, Level, at_level};
use crate::layer::{Activate, Dense, Dropout, Embedding, Inputs, Residual, Sequence};
use crate::model::{Plan, Start};
use crate::random::{Purpose, stream};
use proptest::prelude::*;

/// x·W + b. The parameters are weights and then biases, if any.
fn mapped(inputs: usize, outputs: usize, parameters: &[f64], x: &[f64]) -> Vec<f64> {
    let (weights, biases) = parameters.split_at(inputs * outputs);
    let unit = |x: &[f64], output: usize| -> f64 {
        let products = x.iter().enumerate();
        let sum: f64 = products
            .map(|(input, x)| x * weights[input * outputs + output])
            .sum();
        sum + biases.get(output).unwrap_or(&0.0)
    };
    let rows = x.chunks(inputs);
    rows.flat_map(|x| (0..outputs).map(move |output| unit(x, output)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn dense_layers_are_those_of_the_definition(
        rows in 1_usize..7, inputs in 1_usize..12, outputs in 1_usize..36, has_bias: bool,
        activation in prop::option::of(prop::sample::select(vec![
            Activation::Relu, Activation::Gelu, Activation::Tanh,
        ])),
    ) {
        let shape = Inputs { inputs, outputs, before: activation };
        let mut bench = Bench::new(|plan| Dense::new(plan, "dense", shape, has_bias, activation));
        let x = numbers(rows * inputs, 1);
        let map = |parameters: &[f64], x: &[f64]| mapped(inputs, outputs, parameters, x);
        // A rectifier has no slope at 0, where a difference would step over it.
        let before = map(&double(&bench.parameters()), &double(&x));
        let is_bent_at = |y: &f64| activation == Some(Activation::Relu) && y.abs() < 1e-4;
        prop_assume!(!before.iter().any(is_bent_at));
        bench.compare(&x, |parameters, x| {
            let mut y = map(parameters, x);
            if let Some(activation) = activation {
                y.iter_mut().for_each(|y| *y = applied(activation, *y));
            }
            y
        });
    }

    #[test]
    fn residual_layers_add_what_comes_in(
        rows in 1_usize..6, inputs in 1_usize..6, outputs in 1_usize..6,
    ) {
        let dense = |plan: &mut Plan, name: &str| {
            let shape = Inputs { inputs, outputs, before: None };
            Dense::new(plan, name, shape, false, None)
        };
        let mut bench = Bench::new(|plan| {
            let mut inner = Sequence::default();
            inner.push(dense(plan, "inner"));
            inner.push(Activate::new(Activation::Gelu));
            inner.push(Activate::new(Activation::Tanh));
            let projection = (inputs != outputs).then(|| dense(plan, "projection"));
            Residual::new(inner, projection)
        });
        bench.compare(&numbers(rows * inputs, 1), |parameters, x| {
            let (inner, projection) = parameters.split_at(inputs * outputs);
            let straight = match inputs == outputs {
                true => x.to_vec(),
                false => mapped(inputs, outputs, projection, x),
            };
            let made = mapped(inputs, outputs, inner, x);
            let made = made.into_iter().map(|y| applied(Activation::Gelu, y).tanh());
            straight.into_iter().zip(made).map(|(straight, made)| straight + made).collect()
        });
    }

    /// Two in a row draw their masks one after the other from what the pass draws from.
    #[test]
    fn what_is_dropped_passes_no_slope_and_what_is_kept_is_scaled_both_ways(
        count in 1_usize..100, first in 0.01_f64..0.9, second in 0.01_f64..0.9,
    ) {
        let dropout = |share| Dropout::new(share).unwrap();
        let mut bench = Bench::new(|_| {
            let mut layers = Sequence::default();
            layers.push(dropout(first));
            layers.push(dropout(second));
            layers
        });
        let mut noise = stream(0, Purpose::Dropout, 0);
        let masks = [first, second].map(|share| {
            let mut mask = vec![f32::NAN; count];
            dropout(share).draw(&mut noise, &mut mask);
            double(&mask)
        });
        for (mask, share) in masks.iter().zip([first, second]) {
            let keep = 1.0 / (1.0 - share);
            prop_assert!(mask.iter().all(|m| *m == 0.0 || (m / keep - 1.0).abs() < 1e-4), "{mask:?}");
        }
        let x = numbers(count, 1);
        bench.compare(&x, |_, x| {
            let masks = masks[0].iter().zip(&masks[1]);
            x.iter().zip(masks).map(|(x, (first, second))| x * first * second).collect()
        });
        prop_assert_eq!(bench.predict(&x), x, "nothing is dropped where predictions are made");
    }

    #[test]
    fn embeddings_are_the_sums_of_their_vectors_on_every_level(
        rows in 1_usize..4, context in 1_usize..6, vocabulary in 1_usize..8, width in 1_usize..40,
        step in 1_usize..8,
    ) {
        let start = Start::Normal(1.0);
        let mut bench =
            Bench::new(|plan| Embedding::new(plan, context, vocabulary, width, start));
        let tokens = (0..rows * context).map(|at| (at * step % vocabulary) as f32);
        let x: Vec<f32> = tokens.collect();
        bench.compare(&x, |parameters, x| {
            let (tokens, places) = parameters.split_at(vocabulary * width);
            // A token is a whole number, which a difference leaves the one that it is.
            let vector = |(at, token): (usize, &f64)| {
                let token = &tokens[token.round() as usize * width..][..width];
                let place = &places[at % context * width..][..width];
                token.iter().zip(place).map(|(a, b)| a + b).collect::<Vec<_>>()
            };
            x.iter().enumerate().flat_map(vector).collect()
        });
        let expected = bench.pass(&x, true, false);
        for level in Level::all() {
            let found = at_level(level, || bench.pass(&x, true, false));
            prop_assert_eq!(&found, &expected, "{:?}", level);
        }
    }
}
