//! Sums over many numbers, in a fixed order that vectorises: the same bit for bit every time and on
//! every processor.
//!
//! Products are added in sixteens in 32 bits, by pairs, and from there on in 64. Only where that is
//! too narrow for the numbers at hand, all is done in 64 bits.

use super::row::folded;
use super::wide;

/// Sums that go on side by side.
const LANES: usize = 16;
/// Numbers that make sixteen terms in each lane.
const SIXTEENS: usize = 16 * LANES;
/// So many numbers are summed on their own, so that a few of them decide whether 32 bits do.
const PIECE: usize = 4096;
/// Below this a sum of products may have lost some of them to underflow.
const TOO_SMALL: f64 = 1e-24;

/// ‖a‖²: the bits of a·a, but each number is read once.
pub(crate) fn norm_sq(a: &[f32]) -> f64 {
    a.chunks(PIECE).map(norm_sq_of_piece).sum()
}

fn norm_sq_of_piece(a: &[f32]) -> f64 {
    let sixteens = a.as_chunks::<SIXTEENS>().0.iter();
    let sums = summed(
        sixteens,
        #[inline(always)]
        |a, at| a[at] * a[at],
    );
    checked(sums, a, a)
}

/// a·b.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let pieces = a.chunks(PIECE).zip(b.chunks(PIECE));
    pieces.map(|(a, b)| dot_of_piece(a, b)).sum()
}

fn dot_of_piece(a: &[f32], b: &[f32]) -> f64 {
    let a_sixteens = a.as_chunks::<SIXTEENS>().0.iter();
    let sixteens = a_sixteens.zip(b.as_chunks::<SIXTEENS>().0);
    let sums = summed(
        sixteens,
        #[inline(always)]
        |(a, b), at| a[at] * b[at],
    );
    checked(sums, a, b)
}

/// The sums of the terms that blocks of sixteens have at each of their places, lane by lane.
#[inline(always)]
fn summed<T: Copy>(
    blocks: impl Iterator<Item = T>,
    term: impl Copy + Fn(T, usize) -> f32,
) -> [f64; LANES] {
    // What a closure has of its own stays in registers; what it borrows does not.
    wide(
        #[inline(always)]
        move || {
            let mut sums = [0.0; LANES];
            for block in blocks {
                add_sixteen(
                    &mut sums,
                    #[inline(always)]
                    |at| term(block, at),
                );
            }
            sums
        },
    )
}

/// Adds sixteen terms in each lane.
#[inline(always)]
fn add_sixteen(sums: &mut [f64; LANES], term: impl Fn(usize) -> f32) {
    for (lane, sum) in sums.iter_mut().enumerate() {
        let of = |at: usize| term(at * LANES + lane);
        let four = |at: usize| (of(at) + of(at + 1)) + (of(at + 2) + of(at + 3));
        let sixteen = (four(0) + four(4)) + (four(8) + four(12));
        *sum += f64::from(sixteen);
    }
}

/// a·b from the sums of its sixteens, where 32 bits were wide enough for them.
fn checked(sums: [f64; LANES], a: &[f32], b: &[f32]) -> f64 {
    let (a_rest, b_rest) = (a.as_chunks::<SIXTEENS>().1, b.as_chunks::<SIXTEENS>().1);
    let sum = folded(sums, |a, b| a + b) + exact_dot(a_rest, b_rest);
    if sum.is_finite() && sum.abs() > TOO_SMALL {
        sum
    } else {
        exact_dot(a, b)
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

/// ‖a‖₁.
pub(crate) fn abs_sum(a: &[f32]) -> f64 {
    a.chunks(PIECE).map(abs_sum_of_piece).sum()
}

fn abs_sum_of_piece(a: &[f32]) -> f64 {
    let (sixteens, rest) = a.as_chunks::<SIXTEENS>();
    let sums = summed(
        sixteens.iter(),
        #[inline(always)]
        |a, at| a[at].abs(),
    );
    let exact = |numbers: &[f32]| numbers.iter().map(|x| f64::from(x.abs())).sum::<f64>();
    let sum = folded(sums, |a, b| a + b) + exact(rest);
    if sum.is_finite() { sum } else { exact(a) }
}

/// How many numbers are infinite or NaN.
pub(crate) fn not_finite(a: &[f32]) -> f64 {
    // As good as always there are none, which is told sooner.
    if abs_max(a).is_finite() {
        return 0.0;
    }
    let counts = a.chunks(PIECE).map(|a| {
        wide(
            #[inline(always)]
            move || a.iter().map(|x| u32::from(!x.is_finite())).sum::<u32>(),
        )
    });
    counts.map(f64::from).sum()
}

/// The largest magnitude; NaN where there is one.
pub(crate) fn abs_max(values: &[f32]) -> f64 {
    let (fours, rest) = values.as_chunks::<{ 4 * LANES }>();
    let largest = wide(
        #[inline(always)]
        || {
            let mut largest = [0; LANES];
            for four in fours {
                for (lane, largest) in largest.iter_mut().enumerate() {
                    let of = |at: usize| magnitude(four[at * LANES + lane]);
                    let found = of(0).max(of(1)).max(of(2).max(of(3)));
                    *largest = found.max(*largest);
                }
            }
            largest
        },
    );
    highest(largest, rest)
}

/// The bits of a magnitude: in the order of magnitudes, and every NaN is above infinity.
#[inline(always)]
fn magnitude(value: f32) -> u32 {
    value.abs().to_bits()
}

/// The largest magnitude of those and of the rest.
fn highest(largest: [u32; LANES], rest: &[f32]) -> f64 {
    let rest = rest.iter().copied().map(magnitude);
    let largest = largest.into_iter().chain(rest).max().unwrap_or(0);
    f64::from(f32::from_bits(largest))
}

#[cfg(test)]
mod tests {
    use super::{abs_max, abs_sum, dot, norm_sq, not_finite};
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
            let magnitudes = at_level(Level::Plain, || abs_sum(&a));
            let naive: f64 = a.iter().map(|a| f64::from(a.abs())).sum();
            prop_assert!((magnitudes - naive).abs() <= 3e-7 * naive, "{} {}", magnitudes, naive);
            for level in Level::all() {
                prop_assert_eq!(at_level(level, || dot(&a, &b)), found);
                prop_assert_eq!(at_level(level, || norm_sq(&a)), dot(&a, &a));
                prop_assert_eq!(at_level(level, || abs_max(&a)), largest);
                prop_assert_eq!(at_level(level, || abs_sum(&a)), magnitudes);
                prop_assert_eq!(at_level(level, || not_finite(&a)), 0.0);
            }
        }
    }

    #[test]
    fn a_nan_is_not_lost() {
        let mut values = vec![1.0; 100];
        values[70] = f32::NAN;
        assert!(abs_max(&values).is_nan());
        assert!(dot(&values, &values).is_nan());
        assert!(abs_sum(&values).is_nan());
        values[3] = f32::NEG_INFINITY;
        assert_eq!(not_finite(&values), 2.0);
    }
}
