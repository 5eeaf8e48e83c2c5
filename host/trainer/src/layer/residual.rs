//! A way past some layers.

use super::{Backward, Forward, Layer, Sequence};
use crate::kernel::{add, wide};

/// y = x + f(x), for layers f that change no width and whose last has no activation.
#[derive(Debug)]
pub(crate) struct Residual {
    inner: Sequence,
    /// The slopes on their way through f, which may change them.
    slopes: Vec<f32>,
}

impl Residual {
    pub(crate) fn new(inner: Sequence) -> Self {
        Residual {
            inner,
            slopes: Vec::new(),
        }
    }
}

impl Layer for Residual {
    fn width(&self, inputs: usize) -> usize {
        inputs
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        self.inner.forward(x, y, pass);
        wide(
            #[inline(always)]
            || add(y, x),
        );
    }

    fn backward(
        &mut self,
        x: &[f32],
        _: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
        pass: &mut Backward<'_>,
    ) {
        let Some(dx) = dx else {
            self.inner.backward(x, &[], dy, None, pass);
            return;
        };
        self.slopes.clear();
        self.slopes.extend_from_slice(dy);
        self.inner
            .backward(x, &[], &mut self.slopes, Some(&mut *dx), pass);
        wide(
            #[inline(always)]
            || add(dx, dy),
        );
    }
}
