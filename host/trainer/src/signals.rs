//! The signals that a controller declared, and no others.
//!
//! What each means is defined at [`Signal`]. Numbers are looked at in pieces that stay in the
//! nearest cache, so that memory is read once whatever was declared.

use crate::kernel::{abs_max, dot, norm_sq};
use crate::model::Group;
use crate::optimizer::Optimizer;
use attune_plugin_api::Signal;
use attune_plugin_api::signal::Layout;

/// So many numbers of a group at once: those of gradients, values and directions together fill half
/// of a common first-level cache.
const PIECE: usize = 2048;

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
        if self.layout.is_empty() {
            return;
        }
        for signal in self.layout.signals() {
            if let Some(range) = self.layout.range(signal) {
                let start = match signal {
                    Signal::Loss => f64::from(moment.loss),
                    _ => 0.0,
                };
                self.values[range].fill(start);
            }
        }
        for group in 0..moment.groups.len() {
            let direction = moment.optimizer.direction(group);
            let values = moment.groups[group].values.chunks(PIECE);
            let gradients = moment.gradients[group].chunks(PIECE);
            for (at, (values, gradients)) in values.zip(gradients).enumerate() {
                let direction = direction.map(|direction| {
                    let start = at * PIECE;
                    &direction[start..start + values.len()]
                });
                for signal in self.layout.signals() {
                    if let (Some(range), false) =
                        (self.layout.range(signal), signal == Signal::Loss)
                    {
                        let sum = &mut self.values[range][group];
                        *sum = joined(signal, *sum, values, gradients, direction);
                    }
                }
            }
        }
    }
}

/// A signal of a group with one more piece of it.
fn joined(
    signal: Signal,
    sum: f64,
    values: &[f32],
    gradients: &[f32],
    direction: Option<&[f32]>,
) -> f64 {
    match signal {
        Signal::GradNormSq => sum + norm_sq(gradients),
        Signal::GradAbsMax => {
            let largest = abs_max(gradients);
            if sum.is_nan() || sum > largest {
                sum
            } else {
                largest
            }
        }
        Signal::ParamNormSq => sum + norm_sq(values),
        Signal::PrevUpdateNormSq => direction.map_or(f64::NAN, |u| sum + norm_sq(u)),
        Signal::GradDotPrevUpdate => direction.map_or(f64::NAN, |u| sum + dot(gradients, u)),
        // `Signals::new` lets no other through.
        _ => f64::NAN,
    }
}
