//! Units left out at random.

use super::{Backward, Forward, Layer};
use crate::kernel::wide;
use crate::plain::Plain;
use rand::Rng;
use rand::rngs::ChaCha8Rng;

/// In training 0 in place of a share of the units, and the others scaled up so that the expectation
/// stays (Srivastava et al. 2014, §10, inverted); otherwise nothing.
#[derive(Debug)]
pub(crate) struct Dropout {
    /// Of 65,536: one draw of eight bytes decides four units.
    threshold: u32,
    mask: Vec<f32>,
    drawn: Vec<u8>,
}

impl Dropout {
    /// None where the share, in [0, 1), rounds to nothing.
    pub(crate) fn new(share: f64) -> Option<Self> {
        let threshold = (share * 65_536.0).round() as u32;
        (threshold > 0).then(|| Dropout {
            threshold: threshold.min(65_535),
            mask: Vec::new(),
            drawn: Vec::new(),
        })
    }

    /// The mask that the next pass would draw.
    pub(crate) fn draw(&self, noise: &mut ChaCha8Rng, mask: &mut [f32]) {
        draw(self.threshold, noise, &mut vec![0; 2 * mask.len()], mask);
    }
}

/// Draws a mask: 0, or what keeps the expectation.
fn draw(threshold: u32, noise: &mut ChaCha8Rng, drawn: &mut [u8], mask: &mut [f32]) {
    noise.fill_bytes(drawn);
    let keep = 65_536.0 / (65_536 - threshold) as f32;
    wide(
        #[inline(always)]
        || {
            for (mask, pair) in mask.iter_mut().zip(drawn.as_chunks::<2>().0) {
                let is_out = u32::from(u16::from_le_bytes(*pair)) < threshold;
                *mask = if is_out { 0.0 } else { keep };
            }
        },
    );
}

impl Layer for Dropout {
    fn plain(&self) -> Plain<'_> {
        Plain::Dropout(self)
    }

    fn width(&self, inputs: usize) -> usize {
        inputs
    }

    /// Its mask, and the two bytes by which each unit's place in it is drawn.
    fn remembers(&self, inputs: usize) -> usize {
        inputs + inputs / 2
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        let Some(noise) = &mut pass.noise else {
            y.copy_from_slice(x);
            return;
        };
        self.mask.resize(x.len(), 0.0);
        self.drawn.resize(2 * x.len(), 0);
        draw(self.threshold, noise, &mut self.drawn, &mut self.mask);
        let mask = &self.mask;
        wide(
            #[inline(always)]
            || {
                for ((y, x), mask) in y.iter_mut().zip(x).zip(mask) {
                    *y = x * mask;
                }
            },
        );
    }

    fn backward(
        &mut self,
        _: &[f32],
        _: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
        _: &mut Backward<'_>,
    ) {
        let Some(dx) = dx else {
            return;
        };
        let mask = &self.mask;
        wide(
            #[inline(always)]
            || {
                for ((dx, dy), mask) in dx.iter_mut().zip(dy).zip(mask) {
                    *dx = *dy * mask;
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Dropout;
    use crate::layer::{Forward, Layer, Values};
    use crate::random::{Purpose, stream};

    #[test]
    fn it_leaves_out_its_share_and_keeps_the_expectation() {
        let mut dropout = Dropout::new(0.25).unwrap();
        let mut dropped = |step: Option<u64>| {
            let mut out = vec![0.0; 10_000];
            let mut pass = Forward {
                values: Values::default(),
                buffers: &mut [],
                noise: step.map(|step| stream(0, Purpose::Dropout, step)),
            };
            dropout.forward(&[1.0; 10_000], &mut out, &mut pass);
            out
        };
        let out = dropped(Some(3));
        assert_eq!(out, dropped(Some(3)));
        assert_ne!(out, dropped(Some(4)));
        let zeros = out.iter().filter(|&&unit| unit == 0.0).count() as f64 / 10_000.0;
        let mean = out.iter().sum::<f32>() / 10_000.0;
        assert!((zeros - 0.25).abs() < 0.02, "{zeros}");
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        assert!(dropped(None).iter().all(|&unit| unit == 1.0));
        assert!(Dropout::new(0.0).is_none() && Dropout::new(1e-9).is_none());
    }
}
