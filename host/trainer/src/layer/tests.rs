//! Every layer against a naive form of it in 64 bits, and against that form's finite differences.

mod attention;
mod pictures;
mod rows;

use super::{
    Activate, Backward, BatchNorm, Forward, GlobalAverage, Layer, LayerNorm, Picture, Pool,
    Pooling, Residual, Sequence, Values,
};
use crate::kernel::{Activation, Level, at_level, softmax};
use crate::model::{Buffers, Group, Plan};
use crate::random::{Purpose, stream};
use proptest::prelude::*;

/// A layer with its numbers.
struct Bench {
    layer: Box<dyn Layer>,
    groups: Vec<Group>,
    buffers: Buffers,
}

/// What a pass comes to.
#[derive(Debug, PartialEq)]
struct Found {
    y: Vec<f32>,
    dx: Vec<f32>,
    gradients: Vec<f32>,
    buffers: Vec<f32>,
}

impl Bench {
    fn new<L: Layer + 'static>(make: impl FnOnce(&mut Plan) -> L) -> Self {
        let mut plan = Plan::default();
        let layer = Box::new(make(&mut plan));
        let buffers = plan.buffers().clone();
        let mut groups = plan.draw(0);
        for (index, group) in groups.iter_mut().enumerate() {
            group.values = numbers(group.values.len(), 5 + index);
        }
        Bench {
            layer,
            groups,
            buffers,
        }
    }

    fn parameters(&self) -> Vec<f32> {
        let values = self.groups.iter().map(|group| group.values.as_slice());
        values.collect::<Vec<_>>().concat()
    }

    fn predict(&mut self, x: &[f32]) -> Vec<f32> {
        let mut y = vec![f32::NAN; self.layer.width(x.len())];
        let mut pass = Forward {
            values: learned(&self.groups),
            buffers: &mut self.buffers.values,
            noise: None,
        };
        self.layer.forward(x, &mut y, &mut pass);
        y
    }

    /// Forward in training, and back from slopes without an order.
    fn pass(&mut self, x: &[f32], wants_dx: bool, adds: bool) -> Found {
        let slopes = numbers(self.layer.width(x.len()), 3);
        self.pass_back(x, slopes, wants_dx, adds)
    }

    /// The same from these slopes by the outputs.
    fn pass_back(&mut self, x: &[f32], mut dy: Vec<f32>, wants_dx: bool, adds: bool) -> Found {
        let mut y = vec![f32::NAN; self.layer.width(x.len())];
        let mut pass = Forward {
            values: learned(&self.groups),
            buffers: &mut self.buffers.values,
            noise: Some(stream(0, Purpose::Dropout, 0)),
        };
        self.layer.forward(x, &mut y, &mut pass);
        let mut dx = vec![f32::NAN; if wants_dx { x.len() } else { 0 }];
        let start = if adds { 0.5 } else { f32::NAN };
        let sizes = self.groups.iter().map(|group| group.values.len());
        let mut gradients: Vec<Vec<f32>> = sizes.map(|size| vec![start; size]).collect();
        let mut pass = Backward {
            values: learned(&self.groups),
            gradients: &mut gradients,
            adds,
        };
        let place = wants_dx.then_some(dx.as_mut_slice());
        self.layer.backward(x, &y, &mut dy, place, &mut pass);
        Found {
            y,
            dx,
            gradients: gradients.concat(),
            buffers: self.buffers.values.clone(),
        }
    }

    /// Compares with a naive form, which is given all parameters and the inputs.
    fn compare(&mut self, x: &[f32], naive: impl Fn(&[f64], &[f64]) -> Vec<f64>) {
        let found = self.pass(x, true, false);
        let (parameters, x_wide) = (double(&self.parameters()), double(x));
        close(&found.y, &naive(&parameters, &x_wide), "outputs");
        let slopes = double(&numbers(found.y.len(), 3));
        let loss = |parameters: &[f64], x: &[f64]| -> f64 {
            let y = naive(parameters, x);
            y.iter().zip(&slopes).map(|(y, slope)| y * slope).sum()
        };
        let differences = |of: &[f64], loss: &dyn Fn(&[f64]) -> f64| -> Vec<f64> {
            let each = (0..of.len()).map(|place| {
                let at = |step: f64| {
                    let mut moved = of.to_vec();
                    moved[place] += step;
                    loss(&moved)
                };
                (at(1e-5) - at(-1e-5)) / 2e-5
            });
            each.collect()
        };
        let by_inputs = differences(&x_wide, &|x| loss(&parameters, x));
        close(&found.dx, &by_inputs, "slopes by inputs");
        let by_parameters = differences(&parameters, &|parameters| loss(parameters, &x_wide));
        close(&found.gradients, &by_parameters, "slopes by parameters");

        let without = self.pass(x, false, true);
        let added: Vec<f64> = by_parameters.iter().map(|slope| slope + 0.5).collect();
        close(&without.gradients, &added, "slopes that are added");
    }
}

fn learned(groups: &[Group]) -> Values<'_> {
    Values {
        groups,
        frozen: &[],
    }
}

/// Numbers in ±1 without an order, none twice in small tensors.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let each = (0..count).map(|at| ((at * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0);
    each.collect()
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(1.0_f64, |size, x| size.max(x.abs()));
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(*found) - expected).abs();
        assert!(off < 1e-5 * size, "{what} at {at}: {found} {expected}");
    }
}

/// f in 64 bits.
fn applied(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Tanh => x.tanh(),
        Activation::Gelu => {
            let inner = std::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
    }
}

fn normalised(width: usize, parameters: &[f64], x: &[f64]) -> Vec<f64> {
    let rows = (x.len() / width) as f64;
    let column = |at: usize| x.iter().skip(at).step_by(width);
    let mut y = x.to_vec();
    for at in 0..width {
        let mean = column(at).sum::<f64>() / rows;
        let variance = column(at).map(|x| (x - mean).powi(2)).sum::<f64>() / rows;
        for y in y.iter_mut().skip(at).step_by(width) {
            *y = (*y - mean) / (variance + 1e-5).sqrt() * parameters[at] + parameters[width + at];
        }
    }
    y
}

/// The parameters are gains and then biases.
fn normalised_rows(width: usize, parameters: &[f64], x: &[f64]) -> Vec<f64> {
    let (gains, biases) = parameters.split_at(width);
    let rows = x.chunks(width).flat_map(|row| {
        let mean = row.iter().sum::<f64>() / width as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
        let units = row.iter().zip(gains.iter().zip(biases));
        units.map(move |(x, (gain, bias))| (x - mean) / (variance + 1e-5).sqrt() * gain + bias)
    });
    rows.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn batch_norm_is_that_of_the_definition(rows in 2_usize..40, width in 1_usize..20) {
        let mut bench = Bench::new(|plan| BatchNorm::new(plan, "norm", width));
        bench.compare(&numbers(rows * width, 1), |parameters, x| normalised(width, parameters, x));
    }

    #[test]
    fn layer_norm_is_that_of_the_definition_and_the_same_on_every_level(
        rows in 1_usize..6, width in 2_usize..70,
    ) {
        let x = numbers(rows * width, 1);
        let mut bench = Bench::new(|plan| LayerNorm::new(plan, "norm", width));
        let naive = |parameters: &[f64], x: &[f64]| normalised_rows(width, parameters, x);
        // Rows of few units may hardly vary, which amplifies what 32 bits round away.
        if width < 8 {
            let expected = naive(&double(&bench.parameters()), &double(&x));
            for (found, expected) in bench.predict(&x).iter().zip(expected) {
                prop_assert!((f64::from(*found) - expected).abs() < 2e-5 * (1.0 + expected.abs()));
            }
        } else {
            bench.compare(&x, naive);
        }
        let expected = bench.pass(&x, true, false);
        for level in Level::all() {
            let found = at_level(level, || bench.pass(&x, true, false));
            prop_assert_eq!(&found, &expected, "{:?}", level);
        }
    }
}

#[test]
fn running_statistics_are_pytorchs() {
    let mut bench = Bench::new(|plan| BatchNorm::new(plan, "norm", 1));
    bench.groups[0].values = vec![2.0, 1.0];
    let found = bench.pass(&[1.0, 2.0, 6.0], true, false);
    // Mean 3, unbiased variance 7; a tenth of each, and nine tenths of 0 and 1.
    assert!((found.buffers[0] - 0.3).abs() < 1e-6 && (found.buffers[1] - 1.6).abs() < 1e-6);
    let expected = 2.0 * (5.0 - 0.3) / (1.6_f32 + 1e-5).sqrt() + 1.0;
    assert!((bench.predict(&[5.0])[0] - expected).abs() < 1e-5);
    let alone = bench.pass(&[100.0], true, false);
    assert_eq!(alone.buffers, found.buffers, "one row has no spread");
    assert_eq!((alone.y, alone.dx), (vec![1.0], vec![0.0]));
}

#[test]
fn results_are_the_same_bits_on_every_level() {
    let picture = Picture {
        height: 5,
        width: 4,
        channels: 21,
    };
    let benches = || {
        [
            Bench::new(|_| Pool::new(picture, Pooling::Max)),
            Bench::new(|_| Pool::new(picture, Pooling::Average)),
            Bench::new(|_| GlobalAverage::new(picture)),
            Bench::new(|plan| BatchNorm::new(plan, "norm", 21)),
            Bench::new(|_| Activate::new(Activation::Gelu)),
            Bench::new(|_| {
                let mut inner = Sequence::default();
                inner.push(Activate::new(Activation::Tanh));
                Residual::new(inner, None)
            }),
        ]
    };
    let x = numbers(3 * picture.numbers(), 1);
    let all = || benches().map(|mut bench| (bench.pass(&x, true, false), bench.predict(&x)));
    let expected = at_level(Level::Plain, all);
    for level in Level::all() {
        assert_eq!(at_level(level, all), expected, "{level:?}");
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
        let expected: Vec<f64> = exponentials.map(|x| x / sum).collect();
        close(&found, &expected, "probabilities");
    }
}
