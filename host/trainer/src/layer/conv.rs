//! f(x ∗ W + b) over pictures.

use super::back::{self, Back};
use super::bend::{Bend, bend};
use super::direct::Direct;
use super::picture::{Patches, Picture, Squares};
use super::{Backward, Forward, Inputs, Layer, Slot, Weight};
use crate::kernel::{Activation, Matrix, MatrixMut, Onto, add_all, multiply_here};
use crate::model::{Kind, Plan, Start};
use crate::plain::Plain;
use crate::threads;

/// Numbers of squares that are made at once: they stay in the nearer caches until the product has
/// read them.
const AT_ONCE: usize = 1 << 15;

/// The slopes by the weights are added up in so many groups of pictures at most, each of which has so
/// many points at least that to add up the groups costs next to nothing.
const GROUPS: usize = 8;
const GROUP_POINTS: usize = 1 << 10;

/// A convolution with bias and activation: an odd square kernel, every point, zeros beyond the
/// edge. Each picture's squares become rows, of which one product makes all outputs.
#[derive(Debug)]
pub(crate) struct Conv {
    weight: Weight,
    bias: Option<Slot>,
    bend: Bend,
    ways: Ways,
    back: Back,
    /// One for each thread that pictures are shared out to.
    hands: Vec<Hand>,
    /// The weights and below them the biases.
    stacked: Vec<f32>,
    /// The gradients of both, group after group.
    groups: Vec<f32>,
}

/// What a thread makes squares in, and on the way back the shares of their points.
#[derive(Debug, Default)]
struct Hand {
    squares: Squares,
    shares: Vec<f32>,
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
            weight,
            bias: has_bias.then(bias),
            bend: Bend::new(activation),
            ways: Ways {
                picture,
                outputs,
                patches: Patches::new(picture, kernel, has_bias),
                direct: Direct::new(picture, kernel, outputs),
            },
            back: Back::new(picture, kernel, outputs),
            hands: Vec::new(),
            stacked: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// How many threads work on these numbers that came in, of which so many units can be made.
    fn parts(&self, inputs: usize, units: usize) -> usize {
        let points = inputs / self.ways.picture.channels;
        threads::parts(
            points * self.ways.patches.width() * self.ways.outputs,
            units,
        )
    }

    /// How many pictures of so many are added up in one group.
    fn group(&self, pictures: usize) -> usize {
        let least = GROUP_POINTS.div_ceil(self.ways.picture.points().max(1));
        pictures.div_ceil(GROUPS).max(least)
    }

    /// What comes in, the kernel's side, and the channels that come out.
    pub(crate) fn shape(&self) -> (Picture, usize, usize) {
        (
            self.ways.picture,
            self.ways.patches.kernel(),
            self.ways.outputs,
        )
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

/// How outputs of a few pictures are made, and slopes by weights.
#[derive(Debug, Clone, Copy)]
struct Ways {
    picture: Picture,
    outputs: usize,
    patches: Patches,
    /// The way without squares and products, where it was measured to be the faster one.
    direct: Option<Direct>,
}

impl Ways {
    fn direct_forward(self) -> Option<Direct> {
        self.direct.filter(|direct| direct.is_best_forward())
    }

    /// How many pictures are worked on at once.
    fn at_once(self, direct: Option<Direct>) -> usize {
        match direct {
            Some(_) => 1,
            None => (AT_ONCE / (self.picture.points() * self.patches.width()).max(1)).max(1),
        }
    }

    /// Outputs of as many pictures as are worked on at once.
    fn forward(self, x: &[f32], stacked: &[f32], y: &mut [f32], squares: &mut Squares) {
        match self.direct_forward() {
            Some(direct) => direct.forward(self.patches.framed(x, squares), stacked, y),
            None => multiply_here(
                MatrixMut::of(y, self.outputs),
                Onto::Nothing,
                1.0,
                Matrix::of(self.patches.of(x, squares), self.patches.width()),
                Matrix::of(stacked, self.outputs),
            ),
        }
    }

    /// The slopes by weights and biases, added up over any number of pictures.
    fn learn(self, x: &[f32], dy: &[f32], sums: &mut [f32], squares: &mut Squares) {
        sums.fill(0.0);
        let pictures = self.at_once(self.direct);
        let x = x.chunks(pictures * self.picture.numbers());
        let dy = dy.chunks(pictures * self.picture.points() * self.outputs);
        for (x, dy) in x.zip(dy) {
            match self.direct {
                Some(direct) => direct.backward(self.patches.framed(x, squares), dy, sums),
                None => multiply_here(
                    MatrixMut::of(sums, self.outputs),
                    Onto::Itself,
                    1.0,
                    Matrix::of(self.patches.of(x, squares), self.patches.width()).turned(),
                    Matrix::of(dy, self.outputs),
                ),
            }
        }
    }
}

impl Layer for Conv {
    fn plain(&self) -> Plain<'_> {
        Plain::Conv(self)
    }

    fn width(&self, inputs: usize) -> usize {
        inputs / self.ways.picture.channels * self.ways.outputs
    }

    /// Squares are made for a few pictures at once, or for one that is large, on the way there and on
    /// the way back.
    fn remembers(&self, inputs: usize) -> usize {
        let square = self.ways.picture.points() * self.ways.patches.width();
        let pictures = inputs / self.ways.picture.numbers().max(1);
        let at_once = |most: usize| square.max(most);
        let hands = threads::count().min(pictures) * (at_once(AT_ONCE) + at_once(back::AT_ONCE));
        let groups = pictures.div_ceil(self.group(pictures).max(1));
        let stacked = (groups.min(1) + groups) * self.ways.patches.width() * self.ways.outputs;
        self.bend.remembers(self.width(inputs)) + hands.min(2 * pictures * square) + stacked
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        self.stacked.clear();
        self.stacked.extend_from_slice(self.weight.of(pass.values));
        if let Some(bias) = &self.bias {
            self.stacked.extend_from_slice(bias.of(pass.values));
        }
        let ways = self.ways;
        let pictures = ways.at_once(ways.direct_forward());
        let inputs = pictures * self.ways.picture.numbers();
        let outputs = pictures * self.ways.picture.points() * self.ways.outputs;
        let chunks = x.len().div_ceil(inputs);
        let parts = self.parts(x.len(), chunks);
        let activation = self.bend.activation();
        let slopes = self.bend.begin(y.len(), pass);
        let kept = outputs.min(slopes.len());
        threads::units(
            chunks,
            parts,
            &mut self.hands,
            [(x, inputs)],
            [(y, outputs), (slopes, kept)],
            &|hand: &mut Hand, [x], [y, slopes]| {
                let mut slopes = slopes.chunks_mut(outputs);
                for (x, y) in x.chunks(inputs).zip(y.chunks_mut(outputs)) {
                    ways.forward(x, &self.stacked, y, &mut hand.squares);
                    bend(activation, y, slopes.next().unwrap_or_default());
                }
            },
        );
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
        let (inputs, outputs) = (
            self.ways.picture.numbers(),
            self.ways.picture.points() * self.ways.outputs,
        );
        if let Some(dx) = dx {
            let pictures = self.back.at_once();
            let chunks = x.len().div_ceil(pictures * inputs);
            let parts = self.parts(x.len(), chunks);
            let weight = self.weight.of(pass.values);
            threads::units(
                chunks,
                parts,
                &mut self.hands,
                [(&*dy, pictures * outputs)],
                [(dx, pictures * inputs)],
                &|hand: &mut Hand, [dy], [dx]| self.back.apply(weight, dy, dx, &mut hand.shares),
            );
        }

        // However many threads there are, the groups are the same, and so are the sums.
        let ways = self.ways;
        let stacked = ways.patches.width() * self.ways.outputs;
        let group = self.group(x.len() / inputs);
        let groups = x.len().div_ceil(group * inputs);
        let parts = self.parts(x.len(), groups);
        self.groups.resize(groups * stacked, 0.0);
        threads::units(
            groups,
            parts,
            &mut self.hands,
            [(x, group * inputs), (&*dy, group * outputs)],
            [(&mut self.groups, stacked)],
            &|hand: &mut Hand, [x, dy], [sums]| {
                let x = x.chunks(group * inputs);
                let each = x.zip(dy.chunks(group * outputs));
                for ((x, dy), sums) in each.zip(sums.chunks_exact_mut(stacked)) {
                    ways.learn(x, dy, sums, &mut hand.squares);
                }
            },
        );
        let (sums, others) = self.groups.split_at_mut(stacked);
        others
            .chunks_exact(stacked)
            .for_each(|other| add_all(sums, other));
        let (weight, bias) = sums.split_at(self.weight.slot().range.len());
        self.weight.learn_from(weight, pass);
        if let Some(slot) = self.bias.as_ref().filter(|bias| bias.is_learned()) {
            pass.put(slot, bias);
        }
    }
}
