//! An activation with what its way back needs.

use super::Forward;
use crate::kernel::{Activation, wide};

/// f, or nothing, behind a layer's own outputs.
#[derive(Debug)]
pub(super) struct Bend {
    activation: Option<Activation>,
    /// f′, where it cannot be had from f.
    slopes: Vec<f32>,
}

impl Bend {
    pub(super) fn new(activation: Option<Activation>) -> Self {
        Bend {
            activation,
            slopes: Vec::new(),
        }
    }

    pub(super) fn activation(&self) -> Option<Activation> {
        self.activation
    }

    /// Before so many outputs of a pass are bent, at once or piece by piece.
    pub(super) fn begin(&mut self, numbers: usize, pass: &Forward<'_>) {
        let kept = match pass.is_training() {
            true => self.remembers(numbers),
            false => 0,
        };
        self.slopes.resize(kept, 0.0);
    }

    /// How many numbers so many outputs leave for the way back.
    pub(super) fn remembers(&self, outputs: usize) -> usize {
        let is_told = |activation: Activation| activation.is_told_by_values();
        match self.activation.is_none_or(is_told) {
            true => 0,
            false => outputs,
        }
    }

    /// Replaces every x by f(x), in these outputs of the pass from the one at `first` on.
    pub(super) fn apply(&mut self, first: usize, outputs: &mut [f32]) {
        if let Some(activation) = self.activation {
            let slopes = self.slopes.get_mut(first..first + outputs.len());
            activation.apply(outputs, slopes);
        }
    }

    /// Multiplies the loss's slopes by f′; `y` are all outputs of the pass.
    pub(super) fn back(&self, y: &[f32], slopes: &mut [f32]) {
        let is_told = |activation: Activation| activation.scale_by_values(y, slopes);
        if !self.activation.is_none_or(is_told) {
            let each = slopes.iter_mut().zip(&self.slopes);
            wide(
                #[inline(always)]
                move || each.for_each(|(slope, by)| *slope *= by),
            );
        }
    }
}
