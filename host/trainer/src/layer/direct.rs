//! Convolutions of few channels, point by point: rows of squares for a product would cost more than
//! the product.

use super::picture::Picture;
use crate::kernel::{add, wide};

/// Points of a line that are worked on at once: so many sums stay in registers. Pictures of 28 points
/// and their halves are whole numbers of them.
const POINTS: usize = 7;
/// Products of a line of the kernel, where pictures have one channel.
const TAPS: usize = 3;
/// The most products that make one number, where this way was measured to be the faster one.
const MOST_TAPS: usize = 80;
/// The most outputs, likewise.
const MOST_OUTPUTS: usize = 16;
/// Slopes that are added up side by side, a few points' at once.
const SUMS: usize = 64;

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
            && SUMS.is_multiple_of(outputs)
            && (run == TAPS || run.is_multiple_of(8));
        fits.then_some(Direct {
            picture,
            kernel,
            outputs,
        })
    }

    /// Whether outputs are made faster so too, and not only the slopes by the weights.
    pub(super) fn is_best_forward(self) -> bool {
        self.run() == TAPS && self.picture.channels == 1
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
        let (outputs, line) = (self.outputs, self.picture.framed_line(self.kernel));
        let (weights, biases) = weights.split_at(TAPS * TAPS * outputs);
        for y in 0..self.picture.height {
            for start in (0..self.picture.width).step_by(POINTS) {
                // The last few begin earlier, and some are made twice.
                let x = start.min(self.picture.width - POINTS);
                for lane in (0..outputs).step_by(LANES) {
                    let mut sums = [[0.0_f32; LANES]; POINTS];
                    for down in 0..TAPS {
                        let from = &framed[(y + down) * line + x..][..POINTS + TAPS - 1];
                        for tap in 0..TAPS {
                            let row = &weights[(down * TAPS + tap) * outputs + lane..];
                            let Some(row) = row.first_chunk::<LANES>() else {
                                continue;
                            };
                            // Written out, or the compiler keeps the sums in memory.
                            sums[0] = plus(sums[0], from[tap], row);
                            sums[1] = plus(sums[1], from[tap + 1], row);
                            sums[2] = plus(sums[2], from[tap + 2], row);
                            sums[3] = plus(sums[3], from[tap + 3], row);
                            sums[4] = plus(sums[4], from[tap + 4], row);
                            sums[5] = plus(sums[5], from[tap + 5], row);
                            sums[6] = plus(sums[6], from[tap + 6], row);
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
                match (self.run() == TAPS, self.outputs.is_multiple_of(16)) {
                    (true, true) => self.taps::<16, TAPS>(framed, slopes, gradients),
                    (true, false) => self.taps::<8, TAPS>(framed, slopes, gradients),
                    (false, true) => self.taps::<16, 8>(framed, slopes, gradients),
                    (false, false) => self.taps::<8, 8>(framed, slopes, gradients),
                }
                let biases = &mut gradients[self.kernel * self.run() * self.outputs..];
                if !biases.is_empty() {
                    add_rows(biases, slopes);
                }
            },
        );
    }

    #[inline(always)]
    fn taps<const LANES: usize, const RUN: usize>(
        self,
        framed: &[f32],
        slopes: &[f32],
        gradients: &mut [f32],
    ) {
        let (channels, outputs, run) = (self.picture.channels, self.outputs, self.run());
        for down in 0..self.kernel {
            for tap in (0..run).step_by(RUN) {
                for lane in (0..outputs).step_by(LANES) {
                    let mut sums = [[0.0_f32; LANES]; RUN];
                    for y in 0..self.picture.height {
                        let width = self.picture.width * outputs;
                        let slopes = slopes[y * width..][..width].chunks_exact(outputs);
                        let mut at = (y + down) * self.picture.framed_line(self.kernel) + tap;
                        for slopes in slopes {
                            if let (Some(xs), Some(slopes)) = (
                                framed[at..].first_chunk::<RUN>(),
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

/// Adds every row to the sums of its places: several at once, whose sums stay in registers. A row is
/// a whole part of them.
#[inline(always)]
fn add_rows(sums: &mut [f32], rows: &[f32]) {
    let mut side_by_side = [0.0_f32; SUMS];
    let (blocks, rest) = rows.as_chunks::<SUMS>();
    for block in blocks {
        add(&mut side_by_side, block);
    }
    let made = side_by_side.chunks_exact(sums.len());
    for row in made.chain(rest.chunks_exact(sums.len())) {
        add(sums, row);
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
