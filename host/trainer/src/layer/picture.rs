//! Pictures, point by point, and the squares round their points.

use crate::kernel::wide;

/// The size of a picture: `height` lines of `width` points of `channels` numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
}

impl Picture {
    pub(crate) fn points(self) -> usize {
        self.height * self.width
    }

    pub(crate) fn numbers(self) -> usize {
        self.points() * self.channels
    }

    /// Numbers of a line within a frame of zeros, as wide as half of this kernel on each side.
    #[inline(always)]
    pub(crate) fn framed_line(self, kernel: usize) -> usize {
        (self.width + kernel - 1) * self.channels
    }

    /// The same points with so many numbers each.
    pub(crate) fn of(self, channels: usize) -> Self {
        Picture { channels, ..self }
    }

    /// One point for each square of two by two; an odd last line or column falls away.
    pub(crate) fn halved(self) -> Self {
        Picture {
            height: self.height / 2,
            width: self.width / 2,
            ..self
        }
    }
}

/// Puts the square round each point of a picture into a row of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patches {
    picture: Picture,
    kernel: usize,
    /// Whether a 1 ends each row, which a product multiplies by the bias.
    has_one: bool,
}

/// Where patches are made, for one convolution alone.
#[derive(Debug, Default)]
pub(super) struct Squares {
    /// A picture in a frame of zeros.
    framed: Vec<f32>,
    rows: Vec<f32>,
}

impl Patches {
    pub(super) fn new(picture: Picture, kernel: usize, has_one: bool) -> Self {
        Patches {
            picture,
            kernel,
            has_one,
        }
    }

    /// The side of a square.
    pub(super) fn kernel(self) -> usize {
        self.kernel
    }

    /// How many numbers a row has.
    pub(super) fn width(self) -> usize {
        self.kernel * self.kernel * self.picture.channels + usize::from(self.has_one)
    }

    /// The rows of these pictures, one for each of their points.
    pub(super) fn of<'a>(self, pictures: &[f32], squares: &'a mut Squares) -> &'a [f32] {
        let width = self.width();
        let count = pictures.len() / self.picture.channels * width;
        if squares.rows.len() < count {
            // What is not written below stays as it is here: the ones.
            squares.rows.resize(count, 1.0);
        }
        let Squares { framed, rows } = squares;
        let each = pictures.chunks_exact(self.picture.numbers());
        let places = rows.chunks_exact_mut(self.picture.points() * width);
        for (picture, rows) in each.zip(places) {
            self.frame(picture, framed);
            let cut = Cut {
                picture: self.picture,
                kernel: self.kernel,
                line: self.picture.framed_line(self.kernel),
                width,
            };
            cut.apply(framed, rows);
        }
        &squares.rows[..count]
    }

    /// A picture in a frame of zeros.
    pub(super) fn framed<'a>(self, picture: &[f32], squares: &'a mut Squares) -> &'a [f32] {
        self.frame(picture, &mut squares.framed);
        &squares.framed
    }

    fn frame(self, picture: &[f32], framed: &mut Vec<f32>) {
        let (line, frame) = (self.picture.framed_line(self.kernel), self.kernel / 2);
        framed.resize((self.picture.height + 2 * frame) * line, 0.0);
        let inner = framed.chunks_exact_mut(line).skip(frame);
        let lines = picture.chunks_exact(self.picture.width * self.picture.channels);
        for (inner, line) in inner.zip(lines) {
            let start = frame * self.picture.channels;
            inner[start..start + line.len()].copy_from_slice(line);
        }
    }
}

/// How squares are cut out of a framed picture.
#[derive(Clone, Copy)]
struct Cut {
    picture: Picture,
    kernel: usize,
    /// Numbers in a line of the framed picture.
    line: usize,
    /// Numbers in a row of the squares.
    width: usize,
}

impl Cut {
    fn apply(self, framed: &[f32], rows: &mut [f32]) {
        // Each line of a square is one run of numbers. Runs of a known length are a few moves.
        match self.kernel * self.picture.channels {
            3 => self.runs::<3>(framed, rows),
            5 => self.runs::<5>(framed, rows),
            9 => self.runs::<9>(framed, rows),
            24 => self.runs::<24>(framed, rows),
            48 => self.runs::<48>(framed, rows),
            96 => self.runs::<96>(framed, rows),
            run => self.each(framed, rows, |from, to| {
                to[..run].copy_from_slice(&from[..run]);
            }),
        }
    }

    fn runs<const RUN: usize>(self, framed: &[f32], rows: &mut [f32]) {
        wide(
            #[inline(always)]
            || {
                self.each(
                    framed,
                    rows,
                    #[inline(always)]
                    |from, to| {
                        if let (Some(from), Some(to)) =
                            (from.first_chunk::<RUN>(), to.first_chunk_mut::<RUN>())
                        {
                            *to = *from;
                        }
                    },
                );
            },
        );
    }

    #[inline(always)]
    fn each(self, framed: &[f32], rows: &mut [f32], copy: impl Fn(&[f32], &mut [f32])) {
        let channels = self.picture.channels;
        let run = self.kernel * channels;
        let mut rows = rows.chunks_exact_mut(self.width);
        for y in 0..self.picture.height {
            for (x, row) in (0..self.picture.width).zip(&mut rows) {
                for down in 0..self.kernel {
                    let from = (y + down) * self.line + x * channels;
                    copy(&framed[from..], &mut row[down * run..]);
                }
            }
        }
    }
}
