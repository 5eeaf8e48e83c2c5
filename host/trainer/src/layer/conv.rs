//! f(x ∗ W + b) over pictures.

use super::back::{self, Back};
use super::bend::Bend;
use super::direct::Direct;
use super::picture::{Patches, Picture};
use super::{Backward, Forward, Inputs, Layer, Slot, Weight};
use crate::kernel::{Activation, Matrix, MatrixMut, Onto, multiply_here};
use crate::model::{Kind, Plan, Start};
use crate::plain::Plain;

/// Numbers of squares that are made at once: they stay in the nearer caches until the product has
/// read them.
const AT_ONCE: usize = 1 << 15;

/// A convolution with bias and activation: an odd square kernel, every point, zeros beyond the
/// edge. Each picture's squares become rows, of which one product makes all outputs.
#[derive(Debug)]
pub(crate) struct Conv {
    picture: Picture,
    outputs: usize,
    weight: Weight,
    bias: Option<Slot>,
    bend: Bend,
    patches: Patches,
    back: Back,
    /// The way without squares and products, where it was measured to be the faster one.
    direct: Option<Direct>,
    /// The weights and below them the biases, or the gradients of both.
    stacked: Vec<f32>,
}

/// A convolution's size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// What comes in.
    pub(crate) picture: Picture,
    /// Channels that come out.
    pub(crate) outputs: usize,
    /// The kernel's side, an odd number.
    pub(crate) kernel: usize,
    /// What stands right after it, here or in a later layer.
    pub(crate) before: Option<Activation>,
}

impl Conv {
    /// W of shape (kernel, kernel, inputs, outputs) and b, under this name.
    pub(crate) fn new(
        plan: &mut Plan,
        name: &str,
        window: Window,
        has_bias: bool,
        activation: Option<Activation>,
    ) -> Self {
        let Window {
            picture,
            outputs,
            kernel,
            before,
        } = window;
        let square = kernel * kernel;
        let fan = Inputs {
            inputs: square * picture.channels,
            outputs: square * outputs,
            before,
        };
        let shape = [kernel, kernel, picture.channels, outputs];
        let weight = Weight::new(plan, name, &shape, Start::Uniform(fan.bound()));
        let bias = || {
            let name = format!("{name}.bias");
            plan.add(Kind::Bias, name, &[outputs], Start::Equal(0.0))
        };
        Conv {
            picture,
            outputs,
            weight,
            bias: has_bias.then(bias),
            bend: Bend::new(activation),
            patches: Patches::new(picture, kernel, has_bias),
            back: Back::new(picture, kernel, outputs),
            direct: Direct::new(picture, kernel, outputs),
            stacked: Vec::new(),
        }
    }

    /// How many pictures are worked on at once.
    fn at_once(&self, direct: Option<Direct>) -> usize {
        match direct {
            Some(_) => 1,
            None => (AT_ONCE / (self.picture.points() * self.patches.width()).max(1)).max(1),
        }
    }

    /// What comes in, the kernel's side, and the channels that come out.
    pub(crate) fn shape(&self) -> (Picture, usize, usize) {
        (self.picture, self.patches.kernel(), self.outputs)
    }

    pub(crate) fn weight(&self) -> &Weight {
        &self.weight
    }

    pub(crate) fn bias(&self) -> Option<&Slot> {
        self.bias.as_ref()
    }

    pub(crate) fn activation(&self) -> Option<Activation> {
        self.bend.activation()
    }
}

impl Layer for Conv {
    fn plain(&self) -> Plain<'_> {
        Plain::Conv(self)
    }

    fn width(&self, inputs: usize) -> usize {
        inputs / self.picture.channels * self.outputs
    }

    /// Squares are made for a few pictures at once, or for one that is large, on the way there and on
    /// the way back.
    fn remembers(&self, inputs: usize) -> usize {
        let square = self.picture.points() * self.patches.width();
        let all = inputs / self.picture.numbers().max(1) * square;
        let at_once = |most: usize| all.min(square.max(most));
        self.bend.remembers(self.width(inputs)) + at_once(AT_ONCE) + at_once(back::AT_ONCE)
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        self.stacked.clear();
        self.stacked.extend_from_slice(self.weight.of(pass.values));
        if let Some(bias) = &self.bias {
            self.stacked.extend_from_slice(bias.of(pass.values));
        }
        self.bend.begin(y.len(), pass);
        let width = self.patches.width();
        let direct = self.direct.filter(|direct| direct.is_best_forward());
        let pictures = self.at_once(direct);
        let numbers = pictures * self.picture.points() * self.outputs;
        let x = x.chunks(pictures * self.picture.numbers());
        for (at, (x, y)) in x.zip(y.chunks_mut(numbers)).enumerate() {
            match direct {
                Some(direct) => direct.forward(self.patches.frame(x), &self.stacked, y),
                None => multiply_here(
                    MatrixMut::of(y, self.outputs),
                    Onto::Nothing,
                    1.0,
                    Matrix::of(self.patches.of(x), width),
                    Matrix::of(&self.stacked, self.outputs),
                ),
            }
            self.bend.apply(at * numbers, y);
        }
    }

    fn backward(
        &mut self,
        x: &[f32],
        y: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
        pass: &mut Backward<'_>,
    ) {
        self.bend.back(y, dy);
        let width = self.patches.width();
        let pictures = self.at_once(self.direct);
        if let Some(dx) = dx {
            self.back.apply(self.weight.of(pass.values), dy, dx);
        }
        self.stacked.clear();
        self.stacked.resize(width * self.outputs, 0.0);
        let mut onto = Onto::Nothing;
        let chunks = x.chunks(pictures * self.picture.numbers());
        let slopes = dy.chunks(pictures * self.picture.points() * self.outputs);
        for (x, dy) in chunks.zip(slopes) {
            match self.direct {
                Some(direct) => direct.backward(self.patches.frame(x), dy, &mut self.stacked),
                None => multiply_here(
                    MatrixMut::of(&mut self.stacked, self.outputs),
                    onto,
                    1.0,
                    Matrix::of(self.patches.of(x), width).turned(),
                    Matrix::of(dy, self.outputs),
                ),
            }
            onto = Onto::Itself;
        }
        let (weight, bias) = self.stacked.split_at(self.weight.slot().range.len());
        self.weight.learn_from(weight, pass);
        if let Some(slot) = self.bias.as_ref().filter(|bias| bias.is_learned()) {
            pass.put(slot, bias);
        }
    }
}
