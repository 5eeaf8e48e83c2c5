//! The signals that a controller declared, and no others.
//!
//! What each means is defined at [`Signal`]. Sums are taken in 64 bits, in eight interleaved lanes
//! so that they vectorise; the order is fixed, so they are the same bit for bit every time.

use crate::model::Group;
use crate::optimizer::Optimizer;
use attune_plugin_api::Signal;
use attune_plugin_api::signal::Layout;

/// Measures the declared signals into one flat slice.
#[derive(Debug)]
pub(crate) struct Signals {
    layout: Layout,
    values: Vec<f64>,
}

/// What there is to measure at a step, after clipping and before the update.
pub(crate) struct Moment<'a> {
    pub(crate) loss: f32,
    pub(crate) groups: &'a [Group],
    pub(crate) gradients: &'a [Vec<f32>],
    pub(crate) optimizer: &'a Optimizer,
}

impl Signals {
    /// The declared signals for this many groups, or the first one that this host cannot measure.
    pub(crate) fn new(declared: &[Signal], groups: usize) -> Result<Self, Signal> {
        if let Some(&unknown) = declared.iter().find(|signal| !Signal::ALL.contains(signal)) {
            return Err(unknown);
        }
        let layout = Layout::new(declared, groups);
        Ok(Signals {
            values: vec![f64::NAN; layout.len()],
            layout,
        })
    }

    /// Whether the optimizer must remember its last direction for them.
    pub(crate) fn need_direction(declared: &[Signal]) -> bool {
        declared
            .iter()
            .any(|signal| matches!(signal, Signal::PrevUpdateNormSq | Signal::GradDotPrevUpdate))
    }

    /// The last measured values, laid out by [`Layout`].
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// Puts earlier values of as many numbers in place; false where there are not as many.
    pub(crate) fn resume(&mut self, values: &[f64]) -> bool {
        let fits = values.len() == self.values.len();
        if fits {
            self.values.copy_from_slice(values);
        }
        fits
    }

    /// Measures them anew.
    pub(crate) fn measure(&mut self, moment: &Moment<'_>) {
        for signal in self.layout.signals() {
            let Some(range) = self.layout.range(signal) else {
                continue;
            };
            for (group, value) in self.values[range].iter_mut().enumerate() {
                *value = moment.signal(signal, group);
            }
        }
    }
}

impl Moment<'_> {
    fn signal(&self, signal: Signal, group: usize) -> f64 {
        let gradient = &self.gradients[group];
        let direction = self.optimizer.direction(group);
        match signal {
            Signal::Loss => f64::from(self.loss),
            Signal::GradNormSq => norm_sq(gradient),
            Signal::GradAbsMax => abs_max(gradient),
            Signal::ParamNormSq => norm_sq(&self.groups[group].values),
            Signal::PrevUpdateNormSq => direction.map_or(f64::NAN, norm_sq),
            Signal::GradDotPrevUpdate => direction.map_or(f64::NAN, |u| dot(gradient, u)),
            // `Signals::new` lets no other through.
            _ => f64::NAN,
        }
    }
}

/// ‖a‖².
pub(crate) fn norm_sq(a: &[f32]) -> f64 {
    dot(a, a)
}

/// ⟨a, b⟩ of two slices of one length.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let (a_lanes, a_rest) = a.as_chunks::<8>();
    let (b_lanes, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..8 {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let rest: f64 = a_rest
        .iter()
        .zip(b_rest)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum();
    sums.iter().sum::<f64>() + rest
}

/// The largest magnitude; NaN where there is one.
fn abs_max(values: &[f32]) -> f64 {
    let mut largest = 0.0_f32;
    let mut any_nan = false;
    for value in values {
        largest = largest.max(value.abs());
        any_nan |= value.is_nan();
    }
    if any_nan {
        f64::NAN
    } else {
        f64::from(largest)
    }
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
