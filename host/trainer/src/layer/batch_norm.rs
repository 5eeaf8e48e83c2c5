//! (x − mean) / deviation · scale + shift.

use super::{Backward, Forward, Layer, Slot, Values};
use crate::kernel::wide;
use crate::model::{Kind, Plan, Start};
use crate::plain::Plain;
use std::ops::Range;

/// How much of the running statistics each batch replaces.
const SHARE: f64 = 0.1;

/// Batch normalisation of the last dimension (Ioffe and Szegedy 2015, algorithm 1): by the batch's
/// own mean and variance in training, by running ones where predictions are made. Everything is as
/// in PyTorch, but that a batch of a single row leaves the running statistics as they are. One of a
/// frozen base always takes the base's running statistics, which then are among the frozen numbers.
#[derive(Debug, Clone)]
pub(crate) struct BatchNorm {
    width: usize,
    scale: Slot,
    shift: Slot,
    running_mean: Range<usize>,
    running_variance: Range<usize>,
    /// The last batch's, one each a column.
    mean: Vec<f32>,
    inverse: Vec<f32>,
    sums: [Vec<f64>; 2],
}

impl BatchNorm {
    pub(crate) fn new(plan: &mut Plan, name: &str, width: usize) -> Self {
        let mut slot = |what: &str, start| {
            let name = format!("{name}.{what}");
            plan.add(Kind::Norm, name, &[width], Start::Equal(start))
        };
        let (scale, shift) = (slot("weight", 1.0), slot("bias", 0.0));
        let mut buffer = |what: &str, start| plan.buffer(format!("{name}.{what}"), &[width], start);
        BatchNorm {
            width,
            scale,
            shift,
            running_mean: buffer("running_mean", 0.0),
            running_variance: buffer("running_var", 1.0),
            mean: vec![0.0; width],
            inverse: vec![0.0; width],
            sums: [vec![0.0; width], vec![0.0; width]],
        }
    }

    /// Mean and variance of the batch, and what they make of the running ones.
    fn measure(&mut self, x: &[f32], buffers: &mut [f32]) {
        let rows = x.len() / self.width;
        let [sums, squares] = &mut self.sums;
        sums.fill(0.0);
        squares.fill(0.0);
        let share = 1.0 / rows as f64;
        wide(
            #[inline(always)]
            || {
                for row in x.chunks_exact(self.width) {
                    for (sum, x) in sums.iter_mut().zip(row) {
                        *sum += f64::from(*x);
                    }
                }
                sums.iter_mut().for_each(|sum| *sum *= share);
                for row in x.chunks_exact(self.width) {
                    for ((square, mean), x) in squares.iter_mut().zip(&*sums).zip(row) {
                        let from_mean = f64::from(*x) - mean;
                        *square += from_mean * from_mean;
                    }
                }
            },
        );
        for column in 0..self.width {
            let (mean, square) = (sums[column], squares[column]);
            self.mean[column] = mean as f32;
            self.inverse[column] = (1.0 / (square * share + Self::EPSILON).sqrt()) as f32;
            if rows > 1 {
                let blend = |place: &mut f32, new: f64| {
                    *place = ((1.0 - SHARE) * f64::from(*place) + SHARE * new) as f32;
                };
                blend(&mut buffers[self.running_mean.start + column], mean);
                let variance = square / (rows - 1) as f64;
                blend(&mut buffers[self.running_variance.start + column], variance);
            }
        }
    }

    /// What keeps the division finite.
    pub(crate) const EPSILON: f64 = 1e-5;

    pub(crate) fn columns(&self) -> usize {
        self.width
    }

    /// Scale and shift.
    pub(crate) fn parameters(&self) -> [&Slot; 2] {
        [&self.scale, &self.shift]
    }

    /// The way back where the statistics do not depend on the batch.
    fn back(&self, dy: &[f32], dx: &mut [f32], pass: &Backward<'_>) {
        let scale = self.scale.of(pass.values);
        let rows = dy.chunks_exact(self.width);
        wide(
            #[inline(always)]
            || {
                for (dy, dx) in rows.zip(dx.chunks_exact_mut(self.width)) {
                    let columns = self.inverse.iter().zip(scale);
                    for ((dx, dy), (inverse, scale)) in dx.iter_mut().zip(dy).zip(columns) {
                        *dx = dy * inverse * scale;
                    }
                }
            },
        );
    }

    /// Whether it is one of a frozen base.
    pub(crate) fn is_frozen(&self) -> bool {
        !self.scale.is_learned()
    }

    /// Does to the running statistics what a training pass of these numbers does.
    pub(crate) fn remember(&self, x: &[f32], buffers: &mut [f32]) {
        self.clone().measure(x, buffers);
    }

    /// The running means, and one over the running deviations.
    pub(crate) fn running(&self, values: Values<'_>, buffers: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let buffers = match self.is_frozen() {
            true => values.frozen,
            false => buffers,
        };
        let variances = buffers[self.running_variance.clone()].iter();
        let inverse = |variance: &f32| (1.0 / (f64::from(*variance) + Self::EPSILON).sqrt()) as f32;
        let means = buffers[self.running_mean.clone()].to_vec();
        (means, variances.map(inverse).collect())
    }
}

impl Layer for BatchNorm {
    fn plain(&self) -> Plain<'_> {
        Plain::BatchNorm(self)
    }

    fn width(&self, inputs: usize) -> usize {
        inputs
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        if pass.is_training() && !self.is_frozen() {
            self.measure(x, pass.buffers);
        } else {
            (self.mean, self.inverse) = self.running(pass.values, pass.buffers);
        }
        let (scale, shift) = (self.scale.of(pass.values), self.shift.of(pass.values));
        let (mean, inverse) = (&self.mean, &self.inverse);
        let rows = x.chunks_exact(self.width);
        wide(
            #[inline(always)]
            || {
                for (x, y) in rows.zip(y.chunks_exact_mut(self.width)) {
                    let columns = mean.iter().zip(inverse).zip(scale.iter().zip(shift));
                    for ((y, x), ((mean, inverse), (scale, shift))) in
                        y.iter_mut().zip(x).zip(columns)
                    {
                        *y = (x - mean) * inverse * scale + shift;
                    }
                }
            },
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
        if self.is_frozen() {
            if let Some(dx) = dx {
                self.back(dy, dx, pass);
            }
            return;
        }
        let (mean, inverse) = (&self.mean, &self.inverse);
        let [slopes, products] = &mut self.sums;
        slopes.fill(0.0);
        products.fill(0.0);
        let rows = || x.chunks_exact(self.width);
        wide(
            #[inline(always)]
            || {
                for (x, dy) in rows().zip(dy.chunks_exact(self.width)) {
                    let columns = slopes.iter_mut().zip(&mut *products);
                    let norms = mean.iter().zip(inverse);
                    for (((slope, product), (mean, inverse)), (x, dy)) in
                        columns.zip(norms).zip(x.iter().zip(dy))
                    {
                        *slope += f64::from(*dy);
                        *product += f64::from(*dy * ((x - mean) * inverse));
                    }
                }
            },
        );
        for (slot, sums) in [(&self.scale, &*products), (&self.shift, &*slopes)] {
            for (place, sum) in pass.sums(slot).iter_mut().zip(sums) {
                *place += *sum as f32;
            }
        }
        let Some(dx) = dx else {
            return;
        };
        let share = self.width as f64 / x.len() as f64;
        for sums in [&mut *slopes, &mut *products] {
            sums.iter_mut().for_each(|sum| *sum *= share);
        }
        let (slopes, products) = (&*slopes, &*products);
        let scale = self.scale.of(pass.values);
        wide(
            #[inline(always)]
            || {
                let rows = rows().zip(dy.chunks_exact(self.width));
                for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(self.width)) {
                    let sums = slopes.iter().zip(products);
                    let norms = mean.iter().zip(inverse).zip(scale);
                    for ((dx, (x, dy)), ((slope, product), ((mean, inverse), scale))) in
                        dx.iter_mut().zip(x.iter().zip(dy)).zip(sums.zip(norms))
                    {
                        let normal = (x - mean) * inverse;
                        *dx = (dy - *slope as f32 - normal * *product as f32) * inverse * scale;
                    }
                }
            },
        );
    }
}
