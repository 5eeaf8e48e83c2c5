//! Sums over many numbers, in 64 bits and in a fixed order: eight interleaved lanes, so that they
//! vectorise and are the same bit for bit every time.

use super::wide;

/// ‖a‖².
pub(crate) fn norm_sq(a: &[f32]) -> f64 {
    dot(a, a)
}

/// a·b.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let (a_lanes, a_rest) = a.as_chunks::<8>();
    let (b_lanes, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    wide(
        #[inline(always)]
        || {
            for (a, b) in a_lanes.iter().zip(b_lanes) {
                for lane in 0..8 {
                    sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
                }
            }
        },
    );
    let rest = a_rest.iter().zip(b_rest);
    let rest: f64 = rest.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    sums.iter().sum::<f64>() + rest
}

/// The largest magnitude; NaN where there is one.
pub(crate) fn abs_max(values: &[f32]) -> f64 {
    let (lanes, rest) = values.as_chunks::<16>();
    // Magnitudes are in the order of their bits, and every NaN is above infinity.
    let mut largest = [0_u32; 16];
    wide(
        #[inline(always)]
        || {
            for lane in lanes {
                for (largest, value) in largest.iter_mut().zip(lane) {
                    *largest = (*largest).max(value.abs().to_bits());
                }
            }
        },
    );
    let rest = rest.iter().map(|value| value.abs().to_bits());
    let largest = largest.into_iter().chain(rest).max().unwrap_or(0);
    f64::from(f32::from_bits(largest))
}

#[cfg(test)]
mod tests {
    use super::{abs_max, dot};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reductions_agree_with_the_naive_ones(
            pairs in prop::collection::vec((-1e3_f32..1e3, -1e3_f32..1e3), 0..70),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let naive: f64 = pairs.iter().map(|&(a, b)| f64::from(a) * f64::from(b)).sum();
            let size: f64 = pairs.iter().map(|&(a, b)| f64::from(a * b).abs()).sum();
            prop_assert!((dot(&a, &b) - naive).abs() <= 1e-12 * size);
            let largest = a.iter().map(|a| f64::from(a.abs())).fold(0.0, f64::max);
            prop_assert_eq!(abs_max(&a), largest);
        }
    }

    #[test]
    fn a_nan_is_not_lost() {
        assert!(abs_max(&[1.0, f32::NAN, 2.0]).is_nan());
    }
}
