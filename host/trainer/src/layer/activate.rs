//! f(x).

use super::{Backward, Forward, Layer};
use crate::kernel::{Activation, wide};

/// An activation alone, after a layer that has none.
#[derive(Debug)]
pub(crate) struct Activate {
    activation: Activation,
    /// f′, where it cannot be had from f.
    slopes: Vec<f32>,
}

impl Activate {
    pub(crate) fn new(activation: Activation) -> Self {
        Activate {
            activation,
            slopes: Vec::new(),
        }
    }
}

impl Layer for Activate {
    fn width(&self, inputs: usize) -> usize {
        inputs
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        y.copy_from_slice(x);
        let is_kept = pass.is_training() && !self.activation.is_told_by_values();
        let slopes = is_kept.then(|| {
            self.slopes.resize(y.len(), 0.0);
            self.slopes.as_mut_slice()
        });
        self.activation.apply(y, slopes);
    }

    fn backward(
        &mut self,
        _: &[f32],
        y: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
        _: &mut Backward<'_>,
    ) {
        let Some(dx) = dx else {
            return;
        };
        dx.copy_from_slice(dy);
        if !self.activation.scale_by_values(y, dx) {
            let slopes = &self.slopes;
            wide(
                #[inline(always)]
                || dx.iter_mut().zip(slopes).for_each(|(dx, by)| *dx *= by),
            );
        }
    }
}
