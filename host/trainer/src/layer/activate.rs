//! f(x).

use super::bend::Bend;
use super::{Backward, Forward, Layer};
use crate::kernel::Activation;
use crate::plain::Plain;

/// An activation alone, after a layer that has none.
#[derive(Debug)]
pub(crate) struct Activate {
    bend: Bend,
}

impl Activate {
    pub(crate) fn new(activation: Activation) -> Self {
        Activate {
            bend: Bend::new(Some(activation)),
        }
    }
}

impl Layer for Activate {
    fn plain(&self) -> Plain<'_> {
        Plain::Activate(self.bend.activation())
    }

    fn width(&self, inputs: usize) -> usize {
        inputs
    }

    fn remembers(&self, inputs: usize) -> usize {
        self.bend.remembers(inputs)
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        y.copy_from_slice(x);
        self.bend.apply(y, pass);
    }

    fn backward(
        &mut self,
        _: &[f32],
        y: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
        _: &mut Backward<'_>,
    ) {
        if let Some(dx) = dx {
            dx.copy_from_slice(dy);
            self.bend.back(y, dx);
        }
    }
}
