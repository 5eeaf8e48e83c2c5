//! Rows brought to mean 0 and variance 1.

use super::{Backward, Forward, Layer, Slot};
use crate::kernel::{add, row_dot, row_sum, wide};
use crate::model::{Kind, Plan, Start};
use crate::plain::Plain;

/// Layer normalisation of the last dimension with a gain and a bias of every unit (Ba, Kiros and
/// Hinton 2016, eq. 4).
#[derive(Debug)]
pub(crate) struct LayerNorm {
    width: usize,
    gain: Slot,
    bias: Slot,
    /// Each row's mean, and one over its deviation.
    moments: Vec<(f32, f32)>,
    /// The slopes by gain and bias.
    sums: [Vec<f32>; 2],
}

impl LayerNorm {
    /// Over so many units, under this name.
    pub(crate) fn new(plan: &mut Plan, name: &str, width: usize) -> Self {
        let mut add = |part, start| {
            let name = format!("{name}.{part}");
            plan.add(Kind::Norm, name, &[width], Start::Equal(start))
        };
        LayerNorm {
            width,
            gain: add("gain", 1.0),
            bias: add("bias", 0.0),
            moments: Vec::new(),
            sums: [vec![0.0; width], vec![0.0; width]],
        }
    }

    /// What keeps the division finite where a row hardly varies, as PyTorch's.
    pub(crate) const EPSILON: f64 = 1e-5;

    pub(crate) fn units(&self) -> usize {
        self.width
    }

    /// Gain and bias.
    pub(crate) fn parameters(&self) -> [&Slot; 2] {
        [&self.gain, &self.bias]
    }
}

impl Layer for LayerNorm {
    fn plain(&self) -> Plain<'_> {
        Plain::LayerNorm(self)
    }

    fn width(&self, inputs: usize) -> usize {
        inputs
    }

    fn remembers(&self, inputs: usize) -> usize {
        2 * inputs / self.width
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        let (gain, bias) = (self.gain.of(pass.values), self.bias.of(pass.values));
        let (width, share) = (self.width, 1.0 / self.width as f32);
        self.moments.resize(x.len() / width, (0.0, 0.0));
        let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width));
        let each = rows.zip(&mut self.moments);
        wide(
            #[inline(always)]
            || {
                for ((x, y), moments) in each {
                    let mean = row_sum(x) * share;
                    y.iter_mut().zip(x).for_each(|(y, x)| *y = x - mean);
                    let rate = 1.0 / (row_dot(y, y) * share + Self::EPSILON as f32).sqrt();
                    for ((y, gain), bias) in y.iter_mut().zip(gain).zip(bias) {
                        *y = *y * rate * gain + bias;
                    }
                    *moments = (mean, rate);
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
        let (width, share) = (self.width, 1.0 / self.width as f32);
        let [by_gain, by_bias] = &mut self.sums;
        by_gain.fill(0.0);
        by_bias.fill(0.0);
        let gain = self.gain.of(pass.values);
        let is_learned = self.gain.is_learned();
        // Rows of nothing where nobody needs the slopes by the inputs.
        let dx = dx.unwrap_or_default();
        let mut dx_rows = dx.chunks_exact_mut(width);
        let rows = x.chunks_exact(width).zip(dy.chunks_exact_mut(width));
        let each = rows.zip(&self.moments);
        wide(
            #[inline(always)]
            || {
                for ((x, dy), &(mean, rate)) in each {
                    if is_learned {
                        add(by_bias, dy);
                        for ((sum, x), dy) in by_gain.iter_mut().zip(x).zip(dy.iter()) {
                            *sum += dy * ((x - mean) * rate);
                        }
                    }
                    let Some(dx) = dx_rows.next() else {
                        continue;
                    };
                    dy.iter_mut().zip(gain).for_each(|(dy, gain)| *dy *= gain);
                    dx.iter_mut()
                        .zip(x)
                        .for_each(|(dx, x)| *dx = (x - mean) * rate);
                    let (flat, along) = (row_sum(dy) * share, row_dot(dy, dx) * share);
                    for (dx, dy) in dx.iter_mut().zip(dy.iter()) {
                        *dx = rate * (dy - flat - *dx * along);
                    }
                }
            },
        );
        if is_learned {
            pass.put(&self.gain, &self.sums[0]);
            pass.put(&self.bias, &self.sums[1]);
        }
    }
}
