//! Rows of numbers as models read them, wherever they lie.

use super::cache::Mapped;
use crate::random::{Purpose, below, shuffle, stream};

/// Rows of finite numbers.
#[derive(Debug, Clone, Default)]
pub struct Features {
    width: usize,
    rows: usize,
    /// How far apart neighbours begin: as far as a row is wide, or, in a text, 1: any token can
    /// begin a row.
    step: usize,
    data: Numbers,
}

impl Features {
    /// Rows that are already numbers; a row has one at least.
    pub(crate) fn of_rows(width: usize, data: Vec<f32>) -> Self {
        Features::of_table(width, data.len() / width, data)
    }

    /// So many rows, of which one may have no number at all.
    pub(super) fn of_table(width: usize, rows: usize, data: Vec<f32>) -> Self {
        Features {
            width,
            rows,
            step: width,
            data: Numbers::Own(data),
        }
    }

    /// Rows that lie in a file, which other workers share.
    pub(crate) fn of_mapped(width: usize, rows: usize, data: Mapped) -> Self {
        Features {
            width,
            rows,
            step: width,
            data: Numbers::Shared(data),
        }
    }

    /// Windows of a text, of which so many do not overlap.
    pub(crate) fn of_text(context: usize, rows: usize, tokens: Vec<f32>) -> Self {
        Features {
            width: context,
            rows,
            step: 1,
            data: Numbers::Own(tokens),
        }
    }

    /// How many numbers a row has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many rows there are; of a text, how many windows that do not overlap.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows of `width` numbers, one after another; of a text, all its tokens, whose last may belong
    /// to no row.
    pub fn data(&self) -> &[f32] {
        match &self.data {
            Numbers::Own(data) => data,
            Numbers::Shared(data) => data.numbers(),
        }
    }

    /// One row; of a text, the window that begins at this token.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.data()[row * self.step..][..self.width]
    }

    /// The tokens that follow those of a text's row.
    pub(crate) fn following(&self, row: usize) -> &[f32] {
        self.row(row + 1)
    }

    /// The rows of an epoch in their order. Of a text they are windows that begin at another place
    /// in each epoch and meet without overlap, so that an epoch sees everything once.
    pub(crate) fn order(&self, seed: u64, epoch: u32) -> Vec<u32> {
        let mut stream = stream(seed, Purpose::Shuffle, epoch.into());
        let apart = self.width / self.step.max(1);
        let first = match apart {
            0 | 1 => 0,
            apart => below(apart as u64, &mut stream) as u32,
        };
        let rows = 0..self.rows as u32;
        let mut order: Vec<u32> = rows.map(|row| first + row * apart as u32).collect();
        shuffle(&mut order, &mut stream);
        order
    }
}

/// Where the numbers of rows lie.
#[derive(Debug, Clone)]
enum Numbers {
    Own(Vec<f32>),
    Shared(Mapped),
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers::Own(Vec::new())
    }
}

impl PartialEq for Features {
    fn eq(&self, other: &Self) -> bool {
        let shape = |of: &Self| (of.width, of.rows, of.step);
        shape(self) == shape(other) && self.data() == other.data()
    }
}
