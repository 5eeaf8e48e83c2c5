//! x + g(x).

use super::{Backward, Dense, Forward, Layer, Sequence};
use crate::kernel::add_all;
use crate::plain::Plain;

/// What layers make of x, and x itself or a linear map of it (He et al. 2015, eq. 1 and 2).
#[derive(Debug)]
pub(crate) struct Residual {
    inner: Sequence,
    /// What makes x as wide as the rest; without an activation.
    projection: Option<Dense>,
    made: Vec<f32>,
    slopes: Vec<f32>,
}

impl Residual {
    pub(crate) fn new(inner: Sequence, projection: Option<Dense>) -> Self {
        Residual {
            inner,
            projection,
            made: Vec::new(),
            slopes: Vec::new(),
        }
    }

    /// What is added to x, and what makes x as wide.
    pub(crate) fn parts(&self) -> (&Sequence, Option<&Dense>) {
        (&self.inner, self.projection.as_ref())
    }
}

impl Layer for Residual {
    fn plain(&self) -> Plain<'_> {
        Plain::Residual(self)
    }

    fn width(&self, inputs: usize) -> usize {
        self.inner.width(inputs)
    }

    fn kept(&self, inputs: usize) -> usize {
        self.inner.kept(inputs) + self.inner.width(inputs)
    }

    fn remembers(&self, inputs: usize) -> usize {
        let outputs = self.inner.width(inputs);
        self.inner.remembers(inputs) + outputs + outputs.max(inputs)
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        match &mut self.projection {
            Some(projection) => projection.forward(x, y, pass),
            None => y.copy_from_slice(x),
        }
        self.made.resize(y.len(), 0.0);
        self.inner.forward(x, &mut self.made, pass);
        add_all(y, &self.made);
    }

    fn backward(
        &mut self,
        x: &[f32],
        _: &[f32],
        dy: &mut [f32],
        mut dx: Option<&mut [f32]>,
        pass: &mut Backward<'_>,
    ) {
        self.slopes.resize(dy.len(), 0.0);
        self.slopes.copy_from_slice(dy);
        let slopes = &mut self.slopes;
        self.inner
            .backward(x, &self.made, slopes, dx.as_deref_mut(), pass);
        match (&mut self.projection, dx) {
            (Some(projection), Some(dx)) => {
                slopes.resize(dx.len(), 0.0);
                projection.backward(x, &[], dy, Some(slopes), pass);
                add_all(dx, slopes);
            }
            (Some(projection), None) => projection.backward(x, &[], dy, None, pass),
            (None, Some(dx)) => add_all(dx, dy),
            (None, None) => {}
        }
    }
}
