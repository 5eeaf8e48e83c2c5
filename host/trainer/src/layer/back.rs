//! The way back of a convolution, to its inputs.

use super::picture::Picture;
use crate::kernel::{Matrix, MatrixMut, Onto, add, multiply_here, put, taken, wide};

/// Numbers of shares that are made at once: they stay in the nearer caches until they are added.
pub(super) const AT_ONCE: usize = 1 << 18;

/// From the slopes by a convolution's outputs to those by its inputs: one product makes what each
/// output gives to the square that it was made of, and each input adds up its shares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Back {
    /// What came in.
    picture: Picture,
    kernel: usize,
    outputs: usize,
}

impl Back {
    pub(super) fn new(picture: Picture, kernel: usize, outputs: usize) -> Self {
        Back {
            picture,
            kernel,
            outputs,
        }
    }

    /// How many pictures are worked on at once.
    pub(super) fn at_once(self) -> usize {
        let square = self.kernel * self.kernel * self.picture.channels;
        (AT_ONCE / (self.picture.points() * square).max(1)).max(1)
    }

    /// Writes every number of `dx`, by weights of shape (kernel, kernel, inputs, outputs); `shares` is
    /// for its own use.
    pub(super) fn apply(self, weight: &[f32], dy: &[f32], dx: &mut [f32], shares: &mut Vec<f32>) {
        let square = weight.len() / self.outputs;
        let (points, numbers) = (self.picture.points(), self.picture.numbers());
        let pictures = self.at_once();
        let slopes = dy.chunks(pictures * points * self.outputs);
        for (dy, dx) in slopes.zip(dx.chunks_mut(pictures * numbers)) {
            shares.resize(dx.len() / numbers * points * square, 0.0);
            multiply_here(
                MatrixMut::of(shares, square),
                Onto::Nothing,
                1.0,
                Matrix::of(dy, self.outputs),
                Matrix::of(weight, self.outputs).turned(),
            );
            let shares = shares.chunks_exact(points * square);
            for (shares, dx) in shares.zip(dx.chunks_exact_mut(numbers)) {
                wide(
                    #[inline(always)]
                    || match self.picture.channels {
                        channels if channels.is_multiple_of(16) => self.gather::<16>(shares, dx),
                        channels if channels.is_multiple_of(8) => self.gather::<8>(shares, dx),
                        _ => self.gather::<1>(shares, dx),
                    },
                );
            }
        }
    }

    /// Adds up a picture's shares, so many channels at once.
    #[inline(always)]
    fn gather<const LANES: usize>(self, shares: &[f32], dx: &mut [f32]) {
        let Picture {
            height,
            width,
            channels,
        } = self.picture;
        let (kernel, half) = (self.kernel, self.kernel / 2);
        // Which of a kernel's lines or columns have made an output of this input's.
        let of = |at: usize, side: usize| {
            let end = at + half + 1;
            end.saturating_sub(side)..end.min(kernel)
        };
        let square = kernel * kernel * channels;
        let mut points = dx.chunks_exact_mut(channels);
        for y in 0..height {
            for (x, point) in (0..width).zip(&mut points) {
                for lane in (0..channels).step_by(LANES) {
                    let mut sums = [0.0; LANES];
                    for down in of(y, height) {
                        for right in of(x, width) {
                            let from = (y + half - down) * width + x + half - right;
                            let share = from * square + (down * kernel + right) * channels;
                            add(&mut sums, &taken::<LANES>(shares, share + lane));
                        }
                    }
                    put(point, lane, sums);
                }
            }
        }
    }
}
