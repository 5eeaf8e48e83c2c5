//! Layers: what a network is made of, each with its forward and its backward pass.
//!
//! A layer sees a batch as a matrix whose last dimension is the one it works on, and writes where it
//! is told to: buffers belong to the [`Sequence`] that holds it and are used again at every step. It
//! keeps what its backward pass needs and cannot be had from its input and output.

mod activate;
mod attention;
mod back;
mod batch_norm;
mod bend;
mod conv;
mod dense;
mod direct;
mod dropout;
mod embedding;
mod layer_norm;
mod picture;
mod pool;
mod residual;
mod sequence;
mod weight;

pub(crate) use activate::Activate;
pub(crate) use attention::{Attention, Heads};
pub(crate) use batch_norm::BatchNorm;
pub(crate) use conv::{Conv, Window};
pub(crate) use dense::{Dense, Inputs};
pub(crate) use dropout::Dropout;
pub(crate) use embedding::Embedding;
pub(crate) use layer_norm::LayerNorm;
pub(crate) use picture::Picture;
pub use pool::Pooling;
pub(crate) use pool::{GlobalAverage, Pool};
pub(crate) use residual::Residual;
pub(crate) use sequence::Sequence;
pub(crate) use weight::Weight;

use crate::kernel::{Onto, add_all};
use crate::model::Group;
use crate::plain::Plain;
use rand::rngs::ChaCha8Rng;
use std::fmt::Debug;
use std::ops::Range;

/// Where a layer's numbers are: a range of a group's, or of a frozen base's.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// None where they are frozen.
    pub(crate) group: Option<usize>,
    pub(crate) range: Range<usize>,
}

impl Slot {
    pub(crate) fn of<'a>(&self, values: Values<'a>) -> &'a [f32] {
        let all = match self.group {
            Some(group) => values.groups[group].values.as_slice(),
            None => values.frozen,
        };
        &all[self.range.clone()]
    }

    /// Whether gradients are wanted.
    pub(crate) fn is_learned(&self) -> bool {
        self.group.is_some()
    }
}

/// All numbers that layers compute with.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Values<'a> {
    /// Those that are learned.
    pub(crate) groups: &'a [Group],
    /// Those of a base that stay as they are.
    pub(crate) frozen: &'a [f32],
}

/// One pass over a batch.
pub(crate) struct Forward<'a> {
    pub(crate) values: Values<'a>,
    /// What layers remember from one batch to the next: a training pass may change it.
    pub(crate) buffers: &'a mut [f32],
    /// Where masks are drawn from in a training step; none where predictions are made.
    pub(crate) noise: Option<ChaCha8Rng>,
}

impl Forward<'_> {
    pub(crate) fn is_training(&self) -> bool {
        self.noise.is_some()
    }
}

/// The way back.
pub(crate) struct Backward<'a> {
    pub(crate) values: Values<'a>,
    /// One slice a group.
    pub(crate) gradients: &'a mut [Vec<f32>],
    /// Whether gradients are added to those of the batches before.
    pub(crate) adds: bool,
}

impl Backward<'_> {
    /// Where the gradients of these parameters go; nowhere, if they are frozen.
    pub(crate) fn at(&mut self, slot: &Slot) -> &mut [f32] {
        match slot.group {
            Some(group) => &mut self.gradients[group][slot.range.clone()],
            None => &mut [],
        }
    }

    /// What a product that is a gradient is written onto.
    pub(crate) fn onto(&self) -> Onto {
        match self.adds {
            true => Onto::Itself,
            false => Onto::Nothing,
        }
    }

    /// Where the gradients of these parameters are added up: what is there is this pass's to begin
    /// from.
    pub(crate) fn sums(&mut self, slot: &Slot) -> &mut [f32] {
        let adds = self.adds;
        let sums = self.at(slot);
        if !adds {
            sums.fill(0.0);
        }
        sums
    }

    /// Puts the gradients of these parameters where they go.
    pub(crate) fn put(&mut self, slot: &Slot, found: &[f32]) {
        match self.adds {
            true => add_all(self.at(slot), found),
            false => self.at(slot).copy_from_slice(found),
        }
    }
}

/// A part of a network. Its passes come in pairs: forward in training, then backward.
pub(crate) trait Layer: Debug + Send + Sync {
    /// What it is made of, for whoever computes it by plain operations.
    fn plain(&self) -> Plain<'_>;

    /// How many numbers come out for as many of one row.
    fn width(&self, inputs: usize) -> usize;

    /// How many numbers it keeps and gives out for as many of one row.
    fn kept(&self, inputs: usize) -> usize {
        self.width(inputs)
    }

    /// How many numbers a training pass over so many takes beside them and what comes out, for all of
    /// a batch at once.
    fn remembers(&self, _inputs: usize) -> usize {
        0
    }

    /// Writes every number of `y`.
    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>);

    /// From the loss's slopes by the outputs to those by the parameters, and where `dx` is given to
    /// those by the inputs: every number of it is written. `x` and `y` are those of the last forward
    /// pass; `dy` is the layer's to change.
    fn backward(
        &mut self,
        x: &[f32],
        y: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
        pass: &mut Backward<'_>,
    );
}

#[cfg(test)]
mod tests;
