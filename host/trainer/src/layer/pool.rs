//! Smaller pictures.

use super::picture::Picture;
use super::{Backward, Forward, Layer};
use crate::kernel::{put, taken, wide};
use crate::plain::Plain;
use serde::{Deserialize, Serialize};

/// What a square of two by two points becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The largest number of each channel; of equals the first has the gradient, as in PyTorch.
    Max,
    /// The mean of each channel.
    Average,
}

/// Pooling of squares of two by two points. An odd last line or column is left out.
#[derive(Debug)]
pub(crate) struct Pool {
    picture: Picture,
    pooling: Pooling,
}

impl Pool {
    pub(crate) fn new(picture: Picture, pooling: Pooling) -> Self {
        Pool { picture, pooling }
    }

    /// The way there, so many channels at once.
    #[inline(always)]
    fn shrink<const LANES: usize>(&self, x: &[f32], y: &mut [f32]) {
        let (small, channels) = (self.picture.halved(), self.picture.channels);
        let line = self.picture.width * channels;
        let mut outs = y.chunks_exact_mut(small.width * channels);
        for picture in x.chunks_exact(self.picture.numbers()) {
            for (lines, out) in picture.chunks_exact(2 * line).zip(&mut outs) {
                for column in 0..small.width {
                    for lane in (0..channels).step_by(LANES) {
                        let square = square::<LANES>(lines, 2 * column * channels + lane, channels);
                        let found = match self.pooling {
                            Pooling::Max => largest(square),
                            Pooling::Average => mean(square),
                        };
                        put(out, column * channels + lane, found);
                    }
                }
            }
        }
    }

    /// The way back.
    #[inline(always)]
    fn spread<const LANES: usize>(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        let (small, channels) = (self.picture.halved(), self.picture.channels);
        let (line, numbers) = (self.picture.width * channels, self.picture.numbers());
        let mut slopes = dy.chunks_exact(small.width * channels);
        for (picture, dx) in x.chunks_exact(numbers).zip(dx.chunks_exact_mut(numbers)) {
            let lines = picture.chunks_exact(2 * line);
            let to = dx.chunks_exact_mut(2 * line);
            for ((lines, to), slopes) in lines.zip(to).zip(&mut slopes) {
                for column in 0..small.width {
                    for lane in (0..channels).step_by(LANES) {
                        let at = 2 * column * channels + lane;
                        let slopes = taken(slopes, column * channels + lane);
                        let found = match self.pooling {
                            Pooling::Max => {
                                to_largest::<LANES>(slopes, square(lines, at, channels))
                            }
                            Pooling::Average => [slopes.map(|slope| 0.25 * slope); 4],
                        };
                        let [a, b, c, d] = found;
                        put(to, at, a);
                        put(to, at + channels, b);
                        put(to, at + line, c);
                        put(to, at + line + channels, d);
                    }
                }
            }
        }
    }
}

impl Layer for Pool {
    fn plain(&self) -> Plain<'_> {
        Plain::Pool(self.picture, self.pooling)
    }

    fn width(&self, inputs: usize) -> usize {
        inputs / self.picture.numbers() * self.picture.halved().numbers()
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], _: &mut Forward<'_>) {
        wide(
            #[inline(always)]
            || match self.picture.channels {
                channels if channels.is_multiple_of(16) => self.shrink::<16>(x, y),
                channels if channels.is_multiple_of(8) => self.shrink::<8>(x, y),
                _ => self.shrink::<1>(x, y),
            },
        );
    }

    fn backward(
        &mut self,
        x: &[f32],
        _: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
        _: &mut Backward<'_>,
    ) {
        let Some(dx) = dx else {
            return;
        };
        let odd = self.picture.height % 2 + self.picture.width % 2 > 0;
        if odd {
            dx.fill(0.0);
        }
        wide(
            #[inline(always)]
            || match self.picture.channels {
                channels if channels.is_multiple_of(16) => self.spread::<16>(x, dy, dx),
                channels if channels.is_multiple_of(8) => self.spread::<8>(x, dy, dx),
                _ => self.spread::<1>(x, dy, dx),
            },
        );
    }
}

/// Some channels of the square that begins there in two lines.
#[inline(always)]
fn square<const LANES: usize>(lines: &[f32], at: usize, channels: usize) -> [[f32; LANES]; 4] {
    let below = at + lines.len() / 2;
    [
        taken(lines, at),
        taken(lines, at + channels),
        taken(lines, below),
        taken(lines, below + channels),
    ]
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

#[inline(always)]
fn largest<const LANES: usize>([a, b, c, d]: [[f32; LANES]; 4]) -> [f32; LANES] {
    std::array::from_fn(
        #[inline(always)]
        |at| larger(larger(a[at], b[at]), larger(c[at], d[at])),
    )
}

#[inline(always)]
fn mean<const LANES: usize>([a, b, c, d]: [[f32; LANES]; 4]) -> [f32; LANES] {
    std::array::from_fn(
        #[inline(always)]
        |at| 0.25 * ((a[at] + b[at]) + (c[at] + d[at])),
    )
}

/// What each point of a square gets.
#[inline(always)]
fn to_largest<const LANES: usize>(
    slopes: [f32; LANES],
    [a, b, c, d]: [[f32; LANES]; 4],
) -> [[f32; LANES]; 4] {
    let mut to = [[0.0; LANES]; 4];
    for at in 0..LANES {
        // The later of a pair wins only where it is larger, as on the way there.
        let is_lower = larger(c[at], d[at]) > larger(a[at], b[at]);
        let (is_b, is_d) = (b[at] > a[at], d[at] > c[at]);
        let slope = slopes[at];
        to[0][at] = if is_lower | is_b { 0.0 } else { slope };
        to[1][at] = if !is_lower & is_b { slope } else { 0.0 };
        to[2][at] = if is_lower & !is_d { slope } else { 0.0 };
        to[3][at] = if is_lower & is_d { slope } else { 0.0 };
    }
    to
}

/// The mean of each channel over all points.
#[derive(Debug)]
pub(crate) struct GlobalAverage {
    picture: Picture,
}

impl GlobalAverage {
    pub(crate) fn new(picture: Picture) -> Self {
        GlobalAverage { picture }
    }

    fn share(&self) -> f32 {
        1.0 / self.picture.points() as f32
    }
}

impl Layer for GlobalAverage {
    fn plain(&self) -> Plain<'_> {
        Plain::GlobalAverage(self.picture)
    }

    fn width(&self, inputs: usize) -> usize {
        inputs / self.picture.points()
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], _: &mut Forward<'_>) {
        let (channels, share) = (self.picture.channels, self.share());
        let pictures = x.chunks_exact(self.picture.numbers());
        wide(
            #[inline(always)]
            || {
                for (picture, out) in pictures.zip(y.chunks_exact_mut(channels)) {
                    out.fill(0.0);
                    for point in picture.chunks_exact(channels) {
                        crate::kernel::add(out, point);
                    }
                    out.iter_mut().for_each(|sum| *sum *= share);
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
        let (channels, share) = (self.picture.channels, self.share());
        dy.iter_mut().for_each(|slope| *slope *= share);
        let pictures = dx.chunks_exact_mut(self.picture.numbers());
        for (picture, slopes) in pictures.zip(dy.chunks_exact(channels)) {
            for point in picture.chunks_exact_mut(channels) {
                point.copy_from_slice(slopes);
            }
        }
    }
}
