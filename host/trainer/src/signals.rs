//! The signals that a controller declared, and no others.
//!
//! What each means is defined at [`Signal`]. Numbers are looked at in pieces that stay in the
//! nearest cache, so that memory is read once whatever was declared.

use crate::kernel::{Three, abs_max, dot, norm_sq, of_three};
use crate::model::Group;
use crate::optimizer::Optimizer;
use attune_plugin_api::Signal;
use attune_plugin_api::signal::Layout;

/// So many numbers of a group at once: those of gradients, values and directions together fill half
/// of a common first-level cache.
const PIECE: usize = 2048;

/// As many signals of a group or more are measured in one pass.
const IN_ONE_PASS: usize = 3;

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
        let layout = &self.layout;
        let of_groups = || layout.signals().filter(|&signal| signal != Signal::Loss);
        let in_one_pass = of_groups().count() >= IN_ONE_PASS;
        for group in 0..moment.groups.len() {
            let direction = moment.optimizer.direction(group);
            let values = moment.groups[group].values.chunks(PIECE);
            let gradients = moment.gradients[group].chunks(PIECE);
            for (at, (values, gradients)) in values.zip(gradients).enumerate() {
                let direction = direction.map(|direction| {
                    let start = at * PIECE;
                    &direction[start..start + values.len()]
                });
                let piece = Piece {
                    values,
                    gradients,
                    direction,
                };
                let all = direction
                    .filter(|_| in_one_pass)
                    .map(|direction| of_three(gradients, values, direction));
                for signal in of_groups() {
                    if let Some(range) = layout.range(signal) {
                        let found = match &all {
                            Some(all) => of_all(signal, all),
                            None => piece.of(signal),
                        };
                        let sum = &mut self.values[range][group];
                        *sum = joined(signal, *sum, found);
                    }
                }
            }
        }
    }
}

/// A signal's value so far with one more piece's.
fn joined(signal: Signal, sum: f64, found: f64) -> f64 {
    match signal {
        Signal::GradAbsMax if sum.is_nan() || sum > found => sum,
        Signal::GradAbsMax => found,
        _ => sum + found,
    }
}

/// A run of a group's numbers.
struct Piece<'a> {
    values: &'a [f32],
    gradients: &'a [f32],
    direction: Option<&'a [f32]>,
}

impl Piece<'_> {
    fn of(&self, signal: Signal) -> f64 {
        match signal {
            Signal::GradNormSq => norm_sq(self.gradients),
            Signal::GradAbsMax => abs_max(self.gradients),
            Signal::ParamNormSq => norm_sq(self.values),
            Signal::PrevUpdateNormSq => self.direction.map_or(f64::NAN, norm_sq),
            Signal::GradDotPrevUpdate => {
                let direction = self.direction;
                direction.map_or(f64::NAN, |direction| dot(self.gradients, direction))
            }
            // `Signals::new` lets no other through.
            _ => f64::NAN,
        }
    }
}

/// The same from what gradients, values and direction tell together.
fn of_all(signal: Signal, all: &Three) -> f64 {
    let [gradients, values, direction] = all.norms_sq;
    match signal {
        Signal::GradNormSq => gradients,
        Signal::GradAbsMax => all.abs_max,
        Signal::ParamNormSq => values,
        Signal::PrevUpdateNormSq => direction,
        Signal::GradDotPrevUpdate => all.dot,
        _ => f64::NAN,
    }
}
