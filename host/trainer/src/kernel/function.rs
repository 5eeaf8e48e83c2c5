//! Activations, with the derivative that the backward pass needs.

use super::wide;
use serde::{Deserialize, Serialize};

/// What stands between two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// The Gaussian error linear unit in its tanh form (Hendrycks and Gimpel 2016, §2), as
    /// PyTorch's `gelu(approximate="tanh")`.
    Gelu,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// Replaces every x by f(x), and where `slopes` is given by f′(x) writes that there.
    pub(crate) fn apply(self, values: &mut [f32], slopes: Option<&mut [f32]>) {
        match self {
            Activation::Relu => each(
                values,
                slopes,
                #[inline(always)]
                |x| {
                    if x > 0.0 { (x, 1.0) } else { (0.0, 0.0) }
                },
            ),
            Activation::Gelu => each(values, slopes, gelu),
            Activation::Tanh => each(
                values,
                slopes,
                #[inline(always)]
                |x| {
                    let y = tanh(x);
                    (y, 1.0 - y * y)
                },
            ),
        }
    }

    /// Multiplies every slope by f′(x), given f(x), where that tells it.
    pub(crate) fn scale_by_values(self, values: &[f32], slopes: &mut [f32]) -> bool {
        let each = slopes.iter_mut().zip(values);
        match self {
            Activation::Relu => wide(
                #[inline(always)]
                || each.for_each(|(slope, y)| *slope = if *y > 0.0 { *slope } else { 0.0 }),
            ),
            Activation::Tanh => wide(
                #[inline(always)]
                || each.for_each(|(slope, y)| *slope *= 1.0 - y * y),
            ),
            Activation::Gelu => return false,
        }
        true
    }

    /// Whether f(x) tells f′(x), so that [`scale_by_values`](Activation::scale_by_values) can.
    pub(crate) fn is_told_by_values(self) -> bool {
        match self {
            Activation::Relu | Activation::Tanh => true,
            Activation::Gelu => false,
        }
    }
}

#[inline(always)]
fn each(values: &mut [f32], slopes: Option<&mut [f32]>, f: impl Fn(f32) -> (f32, f32)) {
    match slopes {
        Some(slopes) => wide(
            #[inline(always)]
            || {
                for (value, slope) in values.iter_mut().zip(slopes) {
                    (*value, *slope) = f(*value);
                }
            },
        ),
        None => wide(
            #[inline(always)]
            || {
                for value in values {
                    *value = f(*value).0;
                }
            },
        ),
    }
}

/// The probabilities that a row of logits tells, in its place.
pub(crate) fn softmax(row: &mut [f32]) {
    wide(
        #[inline(always)]
        || {
            let (_, sum) = super::loss::soft(row);
            let share = 1.0 / sum;
            row.iter_mut().for_each(|x| *x *= share);
        },
    );
}

#[inline(always)]
fn gelu(x: f32) -> (f32, f32) {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    const CUBIC: f32 = 0.044_715;
    let t = tanh(SQRT_2_OVER_PI * (x + CUBIC * x * x * x));
    let inner = SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * x * x);
    (
        0.5 * x * (1.0 + t),
        0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner,
    )
}

/// tanh(x) = 1 − 2/(e²ˣ + 1), within 2e-7 of the truth; unlike the standard library's it
/// vectorises.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// eˣ within a few units in the last place: x = k·ln 2 + r with |r| ≤ ln 2 / 2, Taylor's series for
/// eʳ, and 2ᵏ put into the exponent's bits. NaN stays NaN; beyond ±87 the ends of the range are
/// returned.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding and taking away 1.5·2²³ rounds to the nearest whole number without a call.
    const ROUNDER: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 87.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
    let k = rounded - ROUNDER;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let series = 1.0 / 5040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let series = series * r + 1.0;
    let series = series * r + 1.0;
    // The last bits of the rounded number are those of k.
    series * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

#[cfg(test)]
mod tests {
    use super::{Activation, exp, tanh};

    #[test]
    fn exp_and_tanh_are_close_to_the_standard_librarys() {
        for i in -8_700..=8_700_i32 {
            let x = i as f32 / 100.0;
            let truth = f64::from(x).exp();
            assert!((f64::from(exp(x)) / truth - 1.0).abs() < 5e-7, "exp({x})");
            assert!(
                (f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 2e-7,
                "tanh({x})"
            );
        }
        assert!(exp(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
        assert_eq!((tanh(1e30), tanh(-1e30)), (1.0, -1.0));
    }

    #[test]
    fn slopes_are_the_derivatives() {
        for activation in [Activation::Relu, Activation::Gelu, Activation::Tanh] {
            for x in [-3.0_f32, -0.7, -0.1, 0.2, 1.0, 2.5] {
                let value = |x: f32| {
                    let mut values = [x];
                    activation.apply(&mut values, None);
                    f64::from(values[0])
                };
                let mut slopes = [0.0];
                activation.apply(&mut [x], Some(&mut slopes));
                let step = 1e-2_f32;
                let numeric = (value(x + step) - value(x - step)) / f64::from(2.0 * step);
                let slope = f64::from(slopes[0]);
                assert!(
                    (slope - numeric).abs() < 2e-4,
                    "{activation:?} at {x}: {slope} {numeric}"
                );
            }
        }
    }
}
