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

    /// Before so many outputs of a pass are bent, at once or piece by piece: where their slopes are
    /// kept, if they are.
    pub(super) fn begin(&mut self, numbers: usize, pass: &Forward<'_>) -> &mut [f32] {
        let kept = match pass.is_training() {
            true => self.remembers(numbers),
            false => 0,
        };
        self.slopes.resize(kept, 0.0);
        &mut self.slopes
    }

    /// How many numbers so many outputs leave for the way back.
    pub(super) fn remembers(&self, outputs: usize) -> usize {
        let is_told = |activation: Activation| activation.is_told_by_values();
        match self.activation.is_none_or(is_told) {
            true => 0,
            false => outputs,
        }
    }

    /// Replaces every x by f(x), in all outputs of a pass.
    pub(super) fn apply(&mut self, outputs: &mut [f32], pass: &Forward<'_>) {
        let activation = self.activation;
        let slopes = self.begin(outputs.len(), pass);
        bend(activation, outputs, slopes);
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

/// Replaces every x by f(x); where slopes are kept, they are f′(x).
pub(super) fn bend(activation: Option<Activation>, outputs: &mut [f32], slopes: &mut [f32]) {
    if let Some(activation) = activation {
        activation.apply(outputs, (!slopes.is_empty()).then_some(slopes));
    }
}
