//! Sums over many numbers, in a fixed order that vectorises: the same bit for bit every time and on
//! every processor.
//!
//! Products are added in fours in 32 bits and from there on in 64. Only where that is too narrow for
//! the numbers at hand, all is done in 64 bits.

use super::row::folded;
use super::wide;

/// Sums that go on side by side.
const LANES: usize = 16;
/// Numbers that make one four of products in each lane.
const FOURS: usize = 4 * LANES;
/// So many numbers are summed on their own, so that a few of them decide whether 32 bits do.
const PIECE: usize = 4096;
/// Below this a sum of products may have lost some of them to underflow.
const TOO_SMALL: f64 = 1e-24;

/// ‖a‖².
pub(crate) fn norm_sq(a: &[f32]) -> f64 {
    dot(a, a)
}

/// a·b.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let pieces = a.chunks(PIECE).zip(b.chunks(PIECE));
    pieces.map(|(a, b)| dot_of_piece(a, b)).sum()
}

fn dot_of_piece(a: &[f32], b: &[f32]) -> f64 {
    let (a_fours, b_fours) = (a.as_chunks::<FOURS>().0, b.as_chunks::<FOURS>().0);
    // What a closure has of its own stays in registers; what it borrows does not.
    let sums = wide(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            for (a, b) in a_fours.iter().zip(b_fours) {
                add_four(&mut sums, a, b);
            }
            sums
        },
    );
    checked(sums, a, b)
}

/// Adds a four of products in each lane.
#[inline(always)]
fn add_four(sums: &mut [f64; LANES], a: &[f32; FOURS], b: &[f32; FOURS]) {
    let of = |four: usize, lane: usize| a[four * LANES + lane] * b[four * LANES + lane];
    for (lane, sum) in sums.iter_mut().enumerate() {
        let four = (of(0, lane) + of(1, lane)) + (of(2, lane) + of(3, lane));
        *sum += f64::from(four);
    }
}

/// a·b from the sums of its fours, where 32 bits were wide enough for them.
fn checked(sums: [f64; LANES], a: &[f32], b: &[f32]) -> f64 {
    let (a_rest, b_rest) = (a.as_chunks::<FOURS>().1, b.as_chunks::<FOURS>().1);
    let sum = folded(sums, |a, b| a + b) + exact_dot(a_rest, b_rest);
    if sum.is_finite() && sum.abs() > TOO_SMALL {
        sum
    } else {
        exact_dot(a, b)
    }
}

/// What three slices of as many numbers tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Three {
    /// ‖a‖², ‖b‖² and ‖c‖².
    pub(crate) norms_sq: [f64; 3],
    /// The largest magnitude in a; NaN where there is one.
    pub(crate) abs_max: f64,
    /// a·c.
    pub(crate) dot: f64,
}

/// The same bits as [`norm_sq`], [`abs_max`] and [`dot`], in one pass over memory; of one piece at
/// most.
pub(crate) fn of_three(a: &[f32], b: &[f32], c: &[f32]) -> Three {
    let (a_fours, a_rest) = a.as_chunks::<FOURS>();
    let (b_fours, c_fours) = (b.as_chunks::<FOURS>().0, c.as_chunks::<FOURS>().0);
    let (aa, bb, cc, ac, largest) = wide(
        #[inline(always)]
        || {
            let [mut aa, mut bb, mut cc, mut ac] = [[0.0; LANES]; 4];
            let mut largest = [0; LANES];
            for ((a, b), c) in a_fours.iter().zip(b_fours).zip(c_fours) {
                add_four(&mut aa, a, a);
                add_four(&mut bb, b, b);
                add_four(&mut cc, c, c);
                add_four(&mut ac, a, c);
                for lane in a.as_chunks().0 {
                    raise(&mut largest, lane);
                }
            }
            (aa, bb, cc, ac, largest)
        },
    );
    Three {
        norms_sq: [checked(aa, a, a), checked(bb, b, b), checked(cc, c, c)],
        abs_max: highest(largest, a_rest),
        dot: checked(ac, a, c),
    }
}

fn exact_dot(a: &[f32], b: &[f32]) -> f64 {
    let (a_lanes, a_rest) = a.as_chunks::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks::<LANES>();
    let sums = wide(
        #[inline(always)]
        || {
            let mut sums = [0.0_f64; LANES];
            for (a, b) in a_lanes.iter().zip(b_lanes) {
                for lane in 0..LANES {
                    sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
                }
            }
            sums
        },
    );
    let rest = a_rest.iter().zip(b_rest);
    let rest: f64 = rest.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    folded(sums, |a, b| a + b) + rest
}

/// The largest magnitude; NaN where there is one.
pub(crate) fn abs_max(values: &[f32]) -> f64 {
    let (lanes, rest) = values.as_chunks();
    let largest = wide(
        #[inline(always)]
        || {
            let mut largest = [0; LANES];
            for lane in lanes {
                raise(&mut largest, lane);
            }
            largest
        },
    );
    highest(largest, rest)
}

/// Raises each to the bits of its magnitude. Magnitudes are in the order of their bits, and every
/// NaN is above infinity.
#[inline(always)]
fn raise(largest: &mut [u32; LANES], values: &[f32; LANES]) {
    for (largest, value) in largest.iter_mut().zip(values) {
        *largest = (*largest).max(value.abs().to_bits());
    }
}

/// The largest magnitude of those and of the rest.
fn highest(largest: [u32; LANES], rest: &[f32]) -> f64 {
    let rest = rest.iter().map(|value| value.abs().to_bits());
    let largest = largest.into_iter().chain(rest).max().unwrap_or(0);
    f64::from(f32::from_bits(largest))
}

#[cfg(test)]
mod tests {
    use super::{PIECE, Three, abs_max, dot, norm_sq, of_three};
    use crate::kernel::{Level, at_level};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn reductions_agree_with_the_naive_ones_on_every_level(
            pairs in prop::collection::vec((-1e3_f32..1e3, -1e3_f32..1e3), 0..9000),
            scale in prop::sample::select(vec![1e-30_f32, 1e-18, 1.0, 1e18, 1e30]),
        ) {
            let pairs: Vec<_> = pairs.iter().map(|&(a, b)| (a * scale, b * scale)).collect();
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let product = |&(a, b): &(f32, f32)| f64::from(a) * f64::from(b);
            let naive: f64 = pairs.iter().map(product).sum();
            let size: f64 = pairs.iter().map(|pair| product(pair).abs()).sum();
            let largest = a.iter().map(|a| f64::from(a.abs())).fold(0.0, f64::max);
            let found = at_level(Level::Plain, || dot(&a, &b));
            prop_assert!((found - naive).abs() <= 3e-7 * size, "{} {}", found, naive);
            for level in Level::all() {
                prop_assert_eq!(at_level(level, || dot(&a, &b)), found);
                prop_assert_eq!(at_level(level, || abs_max(&a)), largest);
            }
            for (a, b) in a.chunks(PIECE).zip(b.chunks(PIECE)) {
                let c: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
                let one_by_one = Three {
                    norms_sq: [norm_sq(a), norm_sq(b), norm_sq(&c)],
                    abs_max: abs_max(a),
                    dot: dot(a, &c),
                };
                for level in Level::all() {
                    prop_assert_eq!(at_level(level, || of_three(a, b, &c)), one_by_one);
                }
            }
        }
    }

    #[test]
    fn a_nan_is_not_lost() {
        let mut values = vec![1.0; 100];
        values[70] = f32::NAN;
        assert!(abs_max(&values).is_nan());
        assert!(dot(&values, &values).is_nan());
    }
}
