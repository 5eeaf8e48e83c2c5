//! Smaller pictures.

use super::picture::Picture;
use super::{Backward, Forward, Layer};
use crate::kernel::wide;
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

    /// Where the two lines of a square's numbers begin in their picture.
    #[inline(always)]
    fn lines(&self, y: usize, x: usize) -> [usize; 2] {
        let Picture {
            width, channels, ..
        } = self.picture;
        let first = (2 * y * width + 2 * x) * channels;
        [first, first + width * channels]
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
        let (small, channels) = (self.picture.halved(), self.picture.channels);
        let pictures = x.chunks_exact(self.picture.numbers());
        wide(
            #[inline(always)]
            || {
                let mut outs = y.chunks_exact_mut(channels);
                for picture in pictures {
                    for row in 0..small.height {
                        for (column, out) in (0..small.width).zip(&mut outs) {
                            let [a, b] = self.lines(row, column);
                            let [a, b] = [a, b].map(|at| &picture[at..at + 2 * channels]);
                            let ((a, b), (c, d)) = (a.split_at(channels), b.split_at(channels));
                            match self.pooling {
                                Pooling::Max => largest(out, [a, b, c, d]),
                                Pooling::Average => mean(out, [a, b, c, d]),
                            }
                        }
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
        _: &mut Backward<'_>,
    ) {
        let Some(dx) = dx else {
            return;
        };
        let (small, channels) = (self.picture.halved(), self.picture.channels);
        let odd = self.picture.height % 2 + self.picture.width % 2 > 0;
        if odd {
            dx.fill(0.0);
        }
        let numbers = self.picture.numbers();
        let pictures = x.chunks_exact(numbers).zip(dx.chunks_exact_mut(numbers));
        wide(
            #[inline(always)]
            || {
                let mut slopes = dy.chunks_exact(channels);
                for (picture, dx) in pictures {
                    for row in 0..small.height {
                        for (column, slopes) in (0..small.width).zip(&mut slopes) {
                            let [first, second] = self.lines(row, column);
                            let (upper, lower) = dx.split_at_mut(second);
                            let (to_a, to_b) =
                                upper[first..first + 2 * channels].split_at_mut(channels);
                            let (to_c, to_d) = lower[..2 * channels].split_at_mut(channels);
                            let to = [to_a, to_b, to_c, to_d];
                            let [a, b] = [first, second].map(|at| &picture[at..at + 2 * channels]);
                            let ((a, b), (c, d)) = (a.split_at(channels), b.split_at(channels));
                            match self.pooling {
                                Pooling::Max => to_largest(to, slopes, [a, b, c, d]),
                                Pooling::Average => to_all(to, slopes),
                            }
                        }
                    }
                }
            },
        );
    }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

#[inline(always)]
fn largest(out: &mut [f32], [a, b, c, d]: [&[f32]; 4]) {
    let points = a.iter().zip(b).zip(c.iter().zip(d));
    for (out, ((a, b), (c, d))) in out.iter_mut().zip(points) {
        *out = larger(larger(*a, *b), larger(*c, *d));
    }
}

#[inline(always)]
fn mean(out: &mut [f32], [a, b, c, d]: [&[f32]; 4]) {
    let points = a.iter().zip(b).zip(c.iter().zip(d));
    for (out, ((a, b), (c, d))) in out.iter_mut().zip(points) {
        *out = 0.25 * ((a + b) + (c + d));
    }
}

#[inline(always)]
fn to_largest(to: [&mut [f32]; 4], slopes: &[f32], [a, b, c, d]: [&[f32]; 4]) {
    let [to_a, to_b, to_c, to_d] = to;
    let to = to_a.iter_mut().zip(to_b).zip(to_c.iter_mut().zip(to_d));
    let points = a.iter().zip(b).zip(c.iter().zip(d));
    let each = to.zip(points).zip(slopes);
    for ((((to_a, to_b), (to_c, to_d)), ((a, b), (c, d))), &slope) in each {
        // The later of a pair wins only where it is larger, as on the way there.
        let (upper, lower) = (larger(*a, *b), larger(*c, *d));
        let is_lower = lower > upper;
        let (up, down) = match is_lower {
            true => (0.0, slope),
            false => (slope, 0.0),
        };
        (*to_a, *to_b) = if *b > *a { (0.0, up) } else { (up, 0.0) };
        (*to_c, *to_d) = if *d > *c { (0.0, down) } else { (down, 0.0) };
    }
}

#[inline(always)]
fn to_all(to: [&mut [f32]; 4], slopes: &[f32]) {
    for to in to {
        to.iter_mut()
            .zip(slopes)
            .for_each(|(to, slope)| *to = 0.25 * slope);
    }
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
