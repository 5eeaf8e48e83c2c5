//! Layers of pictures.

use super::{Bench, applied, close, double, numbers};
use crate::kernel::Activation;
use crate::layer::direct::Direct;
use crate::layer::{Conv, GlobalAverage, Picture, Pool, Pooling, Window};
use proptest::prelude::*;

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
        prop_assert!(Direct::new(picture, 3, outputs).is_some());
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

/// Pictures are worked on a few at once, and gradients added up in groups of them, which must not show.
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
    let slopes = numbers(together.y.len(), 3);
    let each = slopes.chunks(picture.points() * 4);
    let (mut y, mut dx) = (Vec::new(), Vec::new());
    let mut gradients = vec![0.0; together.gradients.len()];
    for (x, slopes) in x.chunks(picture.numbers()).zip(each) {
        let alone = bench.pass_back(x, slopes.to_vec(), true, false);
        y.extend(double(&alone.y));
        dx.extend(double(&alone.dx));
        let sums = gradients.iter_mut().zip(double(&alone.gradients));
        sums.for_each(|(sum, gradient)| *sum += gradient);
    }
    close(&together.y, &y, "outputs");
    close(&together.dx, &dx, "slopes");
    close(&together.gradients, &gradients, "gradients");
}
