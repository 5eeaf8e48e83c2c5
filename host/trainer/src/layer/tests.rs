//! Every layer against a naive form of it in 64 bits, and against that form's finite differences.

use super::{
    Activate, Attention, Backward, BatchNorm, Conv, Dense, Embedding, Forward, GlobalAverage,
    Heads, Inputs, Layer, LayerNorm, Picture, Pool, Pooling, Residual, Sequence, Values, Window,
};
use crate::kernel::{Activation, Level, at_level, softmax};
use crate::model::{Buffers, Group, Plan, Start};
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
        let mut y = vec![f32::NAN; self.layer.width(x.len())];
        let mut pass = Forward {
            values: learned(&self.groups),
            buffers: &mut self.buffers.values,
            noise: Some(stream(0, Purpose::Dropout, 0)),
        };
        self.layer.forward(x, &mut y, &mut pass);
        let mut dy = numbers(y.len(), 3);
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

/// The convolution of the definition. The parameters are weights and then biases, if any.
fn convolved(window: Window, parameters: &[f64], x: &[f64]) -> Vec<f64> {
    let Window {
        picture,
        outputs,
        kernel,
        ..
    } = window;
    let Picture {
        height,
        width,
        channels,
    } = picture;
    let (weights, biases) = parameters.split_at(kernel * kernel * channels * outputs);
    let mut all = Vec::new();
    for x in x.chunks(picture.numbers()) {
        for place in 0..picture.points() {
            for output in 0..outputs {
                let mut sum = biases.get(output).copied().unwrap_or(0.0);
                for square in 0..kernel * kernel {
                    let line = (place / width + square / kernel).wrapping_sub(kernel / 2);
                    let point = (place % width + square % kernel).wrapping_sub(kernel / 2);
                    if line < height && point < width {
                        for channel in 0..channels {
                            let at = (square * channels + channel) * outputs + output;
                            sum += weights[at] * x[(line * width + point) * channels + channel];
                        }
                    }
                }
                all.push(sum);
            }
        }
    }
    all
}

/// The four numbers of each square of two by two.
fn squares(picture: Picture, x: &[f64]) -> Vec<[f64; 4]> {
    let (small, channels) = (picture.halved(), picture.channels);
    let mut all = Vec::new();
    for x in x.chunks(picture.numbers()) {
        for place in 0..small.points() {
            let (line, point) = (2 * (place / small.width), 2 * (place % small.width));
            for channel in 0..channels {
                let at = |down: usize, right: usize| {
                    x[((line + down) * picture.width + point + right) * channels + channel]
                };
                all.push([at(0, 0), at(0, 1), at(1, 0), at(1, 1)]);
            }
        }
    }
    all
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

fn any_picture(least: usize) -> impl Strategy<Value = Picture> {
    let sides = (least..6_usize, least..6_usize, 1_usize..10);
    sides.prop_map(|(height, width, channels)| Picture {
        height,
        width,
        channels,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn convolutions_are_those_of_the_definition(
        picture in any_picture(1), outputs in 1_usize..5, side in 0_usize..3, has_bias: bool,
        count in 1_usize..3,
        activation in prop_oneof![
            Just(None), Just(Some(Activation::Tanh)), Just(Some(Activation::Gelu)),
        ],
    ) {
        let window = Window { picture, outputs, kernel: 2 * side + 1, before: activation };
        let mut bench =
            Bench::new(|plan| Conv::new(plan, "conv", window, has_bias, activation));
        let x = numbers(count * picture.numbers(), 1);
        bench.compare(&x, |parameters, x| {
            let mut y = convolved(window, parameters, x);
            if let Some(activation) = activation {
                y.iter_mut().for_each(|y| *y = applied(activation, *y));
            }
            y
        });
    }

    /// Sizes at which a convolution takes the way without products.
    #[test]
    fn direct_convolutions_are_those_of_the_definition(
        height in 1_usize..4, width in 7_usize..10, outputs in prop_oneof![Just(8_usize), Just(16)],
        channels in prop_oneof![Just(1_usize), Just(8)], has_bias: bool,
    ) {
        let picture = Picture { height, width, channels };
        let window = Window { picture, outputs, kernel: 3, before: None };
        let mut bench = Bench::new(|plan| Conv::new(plan, "conv", window, has_bias, None));
        prop_assert!(super::direct::Direct::new(picture, 3, outputs).is_some());
        let x = numbers(2 * picture.numbers(), 1);
        bench.compare(&x, |parameters, x| convolved(window, parameters, x));
    }

    #[test]
    fn pooling_is_that_of_the_definition(picture in any_picture(2), count in 1_usize..3) {
        let x = numbers(count * picture.numbers(), 1);
        Bench::new(|_| Pool::new(picture, Pooling::Max)).compare(&x, |_, x| {
            let squares = squares(picture, x);
            squares.iter().map(|square| square.iter().copied().fold(f64::MIN, f64::max)).collect()
        });
        Bench::new(|_| Pool::new(picture, Pooling::Average)).compare(&x, |_, x| {
            squares(picture, x).iter().map(|square| square.iter().sum::<f64>() / 4.0).collect()
        });
        Bench::new(|_| GlobalAverage::new(picture)).compare(&x, |_, x| {
            let (channels, points) = (picture.channels, picture.points() as f64);
            let pictures = x.chunks(picture.numbers());
            let mean = |picture: &[f64], channel: usize| {
                picture.iter().skip(channel).step_by(channels).sum::<f64>() / points
            };
            pictures.flat_map(|x| (0..channels).map(move |channel| mean(x, channel))).collect()
        });
    }

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
            let map = |weights: &[f64], x: &[f64], output: usize| -> f64 {
                x.iter().enumerate().map(|(input, x)| weights[input * outputs + output] * x).sum()
            };
            let (inner, projection) = parameters.split_at(inputs * outputs);
            let each = x.chunks(inputs).flat_map(|x| (0..outputs).map(move |output| {
                let straight = match inputs == outputs {
                    true => x[output],
                    false => map(projection, x, output),
                };
                straight + applied(Activation::Gelu, map(inner, x, output)).tanh()
            }));
            each.collect()
        });
    }

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

/// Equal numbers are common after a rectifier; PyTorch gives the first of them the gradient.
#[test]
fn the_first_of_equals_has_the_gradient() {
    let picture = Picture {
        height: 2,
        width: 2,
        channels: 2,
    };
    let mut bench = Bench::new(|_| Pool::new(picture, Pooling::Max));
    let found = bench.pass(&[0.0, 1.0, 0.0, 2.0, 0.0, 2.0, 0.0, 1.0], true, false);
    let [first, second] = [found.dx[0], found.dx[3]];
    assert_eq!(found.y, [0.0, 2.0]);
    assert_eq!(found.dx, [first, 0.0, 0.0, second, 0.0, 0.0, 0.0, 0.0]);
    assert!(first != 0.0 && second != 0.0);
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

/// Pictures are worked on a few at once, which must not show.
#[test]
fn many_pictures_are_convolved_as_each_alone() {
    let picture = Picture {
        height: 14,
        width: 13,
        channels: 3,
    };
    let window = Window {
        picture,
        outputs: 4,
        kernel: 3,
        before: None,
    };
    let gelu = Some(Activation::Gelu);
    let mut bench = Bench::new(|plan| Conv::new(plan, "conv", window, true, gelu));
    let x = numbers(20 * picture.numbers(), 1);
    let together = bench.pass(&x, true, false);
    assert_eq!(together.y, bench.predict(&x));
    let size = picture.points() * 4;
    for (at, x) in x.chunks(picture.numbers()).enumerate() {
        let alone = double(&bench.predict(x));
        close(&together.y[at * size..(at + 1) * size], &alone, "outputs");
    }
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
fn embeddings_are_the_sums_of_their_vectors_on_every_level() {
    let (context, vocabulary, width) = (3, 5, 21);
    let start = Start::Normal(1.0);
    let mut bench = Bench::new(|plan| Embedding::new(plan, context, vocabulary, width, start));
    let x = [4.0, 0.0, 4.0, 1.0, 2.0, 4.0];
    let by_y = numbers(x.len() * width, 3);
    let found = bench.pass(&x, true, false);
    for level in Level::all() {
        let again = at_level(level, || bench.pass(&x, true, false));
        assert_eq!(again, found, "{level:?}");
    }
    let parameters = bench.parameters();
    let (tokens, places) = parameters.split_at(vocabulary * width);
    let mut expected = vec![0.0; parameters.len()];
    for (at, token) in x.iter().enumerate() {
        for unit in 0..width {
            let (token, place) = (*token as usize * width + unit, at % context * width + unit);
            assert_eq!(found.y[at * width + unit], tokens[token] + places[place]);
            expected[token] += f64::from(by_y[at * width + unit]);
            expected[tokens.len() + place] += f64::from(by_y[at * width + unit]);
        }
    }
    close(&found.gradients, &expected, "slopes by vectors");
    let added: Vec<f64> = expected.iter().map(|slope| slope + 0.5).collect();
    close(
        &bench.pass(&x, false, true).gradients,
        &added,
        "slopes that are added",
    );
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
