//! Convolutions of few channels, point by point: rows of squares for a product would cost more than
//! the product.

use super::picture::Picture;
use crate::kernel::{add, wide};

/// Points of a line that are worked on at once: so many sums stay in registers. Pictures of 28 points
/// and their halves are whole numbers of them.
const POINTS: usize = 7;
/// The most products that make one number, where this way was measured to be the faster one.
const MOST_TAPS: usize = 80;
/// The most outputs, likewise.
const MOST_OUTPUTS: usize = 16;

/// A convolution's size, over pictures in a frame of zeros.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direct {
    picture: Picture,
    kernel: usize,
    outputs: usize,
}

impl Direct {
    /// None where it is not the faster way.
    pub(super) fn new(picture: Picture, kernel: usize, outputs: usize) -> Option<Self> {
        let run = kernel * picture.channels;
        let fits = picture.width >= POINTS
            && kernel * run <= MOST_TAPS
            && outputs <= MOST_OUTPUTS
            && outputs.is_multiple_of(8)
            && (run == 3 || run.is_multiple_of(8));
        fits.then_some(Direct {
            picture,
            kernel,
            outputs,
        })
    }

    /// Whether outputs are made faster so too, and not only the slopes by the weights.
    pub(super) fn is_best_forward(self) -> bool {
        self.picture.channels == 1
    }

    fn run(self) -> usize {
        self.kernel * self.picture.channels
    }

    /// All outputs of one picture, by rows of weights that a row of biases may follow.
    pub(super) fn forward(self, framed: &[f32], weights: &[f32], out: &mut [f32]) {
        wide(
            #[inline(always)]
            || match self.outputs.is_multiple_of(16) {
                true => self.points::<16>(framed, weights, out),
                false => self.points::<8>(framed, weights, out),
            },
        );
    }

    #[inline(always)]
    fn points<const LANES: usize>(self, framed: &[f32], weights: &[f32], out: &mut [f32]) {
        let (channels, outputs, run) = (self.picture.channels, self.outputs, self.run());
        let (weights, biases) = weights.split_at(self.kernel * run * outputs);
        for y in 0..self.picture.height {
            for start in (0..self.picture.width).step_by(POINTS) {
                // The last few begin earlier, and some are made twice.
                let x = start.min(self.picture.width - POINTS);
                for lane in (0..outputs).step_by(LANES) {
                    let mut sums = [[0.0_f32; LANES]; POINTS];
                    for down in 0..self.kernel {
                        let from = &framed
                            [(y + down) * self.picture.framed_line(self.kernel) + x * channels..];
                        let points: [&[f32]; POINTS] =
                            std::array::from_fn(|point| &from[point * channels..][..run]);
                        let rows = &weights[down * run * outputs..][..run * outputs];
                        for (at, row) in rows.chunks_exact(outputs).enumerate() {
                            let Some(row) = row[lane..].first_chunk::<LANES>() else {
                                continue;
                            };
                            // Written out, or the compiler keeps the sums in memory.
                            sums[0] = plus(sums[0], points[0][at], row);
                            sums[1] = plus(sums[1], points[1][at], row);
                            sums[2] = plus(sums[2], points[2][at], row);
                            sums[3] = plus(sums[3], points[3][at], row);
                            sums[4] = plus(sums[4], points[4][at], row);
                            sums[5] = plus(sums[5], points[5][at], row);
                            sums[6] = plus(sums[6], points[6][at], row);
                        }
                    }
                    if let Some(biases) = biases.get(lane..lane + LANES) {
                        sums.iter_mut().for_each(|sums| add(sums, biases));
                    }
                    let at = (y * self.picture.width + x) * outputs + lane;
                    for (point, sums) in sums.iter().enumerate() {
                        out[at + point * outputs..][..LANES].copy_from_slice(sums);
                    }
                }
            }
        }
    }

    /// Adds one picture's share of the slopes by weights, and by biases where there is a row for
    /// them.
    pub(super) fn backward(self, framed: &[f32], slopes: &[f32], gradients: &mut [f32]) {
        wide(
            #[inline(always)]
            || {
                match (self.run() == 3, self.outputs.is_multiple_of(16)) {
                    (true, true) => self.taps::<16, 3>(framed, slopes, gradients),
                    (true, false) => self.taps::<8, 3>(framed, slopes, gradients),
                    (false, true) => self.taps::<16, 8>(framed, slopes, gradients),
                    (false, false) => self.taps::<8, 8>(framed, slopes, gradients),
                }
                let biases = &mut gradients[self.kernel * self.run() * self.outputs..];
                if !biases.is_empty() {
                    for row in slopes.chunks_exact(self.outputs) {
                        add(biases, row);
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn taps<const LANES: usize, const TAPS: usize>(
        self,
        framed: &[f32],
        slopes: &[f32],
        gradients: &mut [f32],
    ) {
        let (channels, outputs, run) = (self.picture.channels, self.outputs, self.run());
        for down in 0..self.kernel {
            for tap in (0..run).step_by(TAPS) {
                for lane in (0..outputs).step_by(LANES) {
                    let mut sums = [[0.0_f32; LANES]; TAPS];
                    for y in 0..self.picture.height {
                        let width = self.picture.width * outputs;
                        let slopes = slopes[y * width..][..width].chunks_exact(outputs);
                        let mut at = (y + down) * self.picture.framed_line(self.kernel) + tap;
                        for slopes in slopes {
                            if let (Some(xs), Some(slopes)) = (
                                framed[at..].first_chunk::<TAPS>(),
                                slopes[lane..].first_chunk::<LANES>(),
                            ) {
                                for (sums, x) in sums.iter_mut().zip(xs) {
                                    *sums = plus(*sums, *x, slopes);
                                }
                            }
                            at += channels;
                        }
                    }
                    for (row, sums) in sums.iter().enumerate() {
                        let at = (down * run + tap + row) * outputs + lane;
                        add(&mut gradients[at..][..LANES], sums);
                    }
                }
            }
        }
    }
}

/// sums + x · by.
#[inline(always)]
fn plus<const LANES: usize>(sums: [f32; LANES], x: f32, by: &[f32; LANES]) -> [f32; LANES] {
    std::array::from_fn(
        #[inline(always)]
        |lane| sums[lane] + x * by[lane],
    )
}
