//! Parameters: flat numbers with names and shapes, in groups that share a learning rate.
//!
//! Optimizer, signals and files see a group as one slice; a layer sees the ranges that it was given
//! when the network was planned. A plan has no numbers yet, so that a network's size can be judged
//! before there is memory for it.

use super::Adapter;
use crate::layer::{Slot, Weight};
use crate::random::{Purpose, normal, stream, symmetric};
use std::mem::take;
use std::ops::Range;

/// The most parameters of a trial: 256 MiB of them, and several times that with gradients, the
/// optimizer's memory and the best epoch's copy.
pub(crate) const MAX_PARAMETERS: usize = 1 << 26;

/// What parameters are for. Each kind that a network has makes one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Factors of inputs.
    Weight,
    /// What is added.
    Bias,
    /// Factors and what is added after a normalisation.
    Norm,
    /// Vectors that stand for something.
    Embedding,
    /// The first of two factors of what is added to a frozen base's weights.
    FactorA,
    /// The second of them, which begins at 0.
    FactorB,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Kind; 6] = [
        Kind::Weight,
        Kind::Bias,
        Kind::Norm,
        Kind::Embedding,
        Kind::FactorA,
        Kind::FactorB,
    ];

    /// The group's name.
    pub(crate) fn group(self) -> &'static str {
        match self {
            Kind::Weight => "weights",
            Kind::Bias => "biases",
            Kind::Norm => "norms",
            Kind::Embedding => "embeddings",
            Kind::FactorA => "factors_a",
            Kind::FactorB => "factors_b",
        }
    }

    /// The word that schedulers know it by.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Kind::Weight => "weight",
            Kind::Bias => "bias",
            Kind::Norm => "norm",
            Kind::Embedding => "embedding",
            Kind::FactorA | Kind::FactorB => "factor",
        }
    }

    /// Whether weight decay applies: it does not to what cannot overfit much. Factors that decay fall
    /// back to their base.
    pub(crate) fn decays(self) -> bool {
        !matches!(self, Kind::Bias | Kind::Norm)
    }
}

/// Where parameters start from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Start {
    /// All at this number.
    Equal(f32),
    /// Drawn uniformly from ± this bound.
    Uniform(f64),
    /// Drawn from a normal distribution round 0 with this deviation.
    Normal(f64),
}

/// Parameters to be: names, shapes and where they start from.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    groups: Vec<PlannedGroup>,
    /// How many tensors are drawn at random: the next one's stream.
    drawn: u64,
    buffers: Buffers,
    overflowed: bool,
    /// Where a base is adapted.
    adapter: Option<Adapter>,
    /// Whether what is planned now makes the network's outputs.
    is_output: bool,
    /// What is the base's.
    frozen: Vec<NamedTensor>,
    adapted: Vec<Weight>,
}

/// What a network remembers from one batch to the next and does not learn by gradients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers {
    /// All their numbers.
    pub(crate) values: Vec<f32>,
    pub(crate) tensors: Vec<NamedTensor>,
}

#[derive(Debug)]
struct PlannedGroup {
    kind: Kind,
    size: usize,
    tensors: Vec<(NamedTensor, Start, u64)>,
}

/// A group of parameters that share a learning rate.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) kind: Kind,
    /// Whether weight decay applies.
    pub(crate) decays: bool,
    /// All its numbers.
    pub(crate) values: Vec<f32>,
    pub(crate) tensors: Vec<NamedTensor>,
}

/// One layer's part of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedTensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) range: Range<usize>,
}

impl Plan {
    /// Of a network that adapts a base, if there is one.
    pub(crate) fn of(adapter: Option<Adapter>) -> Self {
        Plan {
            adapter,
            ..Plan::default()
        }
    }

    /// How what is planned now adapts a base; nothing, where all of it is learned.
    pub(crate) fn adapter(&self) -> Option<Adapter> {
        let is_kept = |adapter: &Adapter| adapter.keeps_output || !self.is_output;
        self.adapter.filter(is_kept)
    }

    /// Plans what makes the network's outputs.
    pub(crate) fn output<T>(&mut self, make: impl FnOnce(&mut Plan) -> T) -> T {
        self.is_output = true;
        let made = make(self);
        self.is_output = false;
        made
    }

    /// Plans a tensor, frozen where a base is adapted, and says where its numbers will be.
    pub(crate) fn add(&mut self, kind: Kind, name: String, shape: &[usize], start: Start) -> Slot {
        match self.adapter() {
            Some(_) => Slot {
                group: None,
                range: self.freeze(name, shape),
            },
            None => self.learn(kind, name, shape, start),
        }
    }

    /// Plans weights of a base that are adapted.
    pub(crate) fn adapt(&mut self, weight: Weight) {
        self.adapted.push(weight);
    }

    /// What is the base's, and which weights of it are adapted.
    pub(super) fn take_frozen(&mut self) -> (Vec<NamedTensor>, Vec<Weight>) {
        (take(&mut self.frozen), take(&mut self.adapted))
    }

    /// A base is in memory already, so that its size needs no check.
    fn freeze(&mut self, name: String, shape: &[usize]) -> Range<usize> {
        let from = self.frozen.last().map_or(0, |tensor| tensor.range.end);
        let range = from..from + shape.iter().product::<usize>();
        self.frozen.push(NamedTensor {
            name,
            shape: shape.to_vec(),
            range: range.clone(),
        });
        range
    }

    /// Plans a tensor that is learned, and says where its numbers will be.
    pub(crate) fn learn(
        &mut self,
        kind: Kind,
        name: String,
        shape: &[usize],
        start: Start,
    ) -> Slot {
        let group = match self.groups.iter().position(|group| group.kind == kind) {
            Some(group) => group,
            None => {
                self.groups.push(PlannedGroup {
                    kind,
                    size: 0,
                    tensors: Vec::new(),
                });
                self.groups.len() - 1
            }
        };
        let planned = &mut self.groups[group];
        let count = shape
            .iter()
            .try_fold(1_usize, |count, &side| count.checked_mul(side));
        let end = count.and_then(|count| planned.size.checked_add(count));
        self.overflowed |= end.is_none();
        let range = planned.size..end.unwrap_or(planned.size);
        planned.size = range.end;
        let tensor = NamedTensor {
            name,
            shape: shape.to_vec(),
            range: range.clone(),
        };
        let stream = self.drawn;
        self.drawn += u64::from(!matches!(start, Start::Equal(_)));
        planned.tensors.push((tensor, start, stream));
        Slot {
            group: Some(group),
            range,
        }
    }

    /// Plans a tensor that is no parameter, all at this number, and says where its numbers will be:
    /// among the frozen ones where a base is adapted.
    pub(crate) fn buffer(&mut self, name: String, shape: &[usize], start: f32) -> Range<usize> {
        if self.adapter().is_some() {
            return self.freeze(name, shape);
        }
        let from = self.buffers.values.len();
        let range = from..from + shape.iter().product::<usize>();
        self.buffers.values.resize(range.end, start);
        self.buffers.tensors.push(NamedTensor {
            name,
            shape: shape.to_vec(),
            range: range.clone(),
        });
        range
    }

    /// What the network is to remember.
    pub(crate) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// The kinds and sizes of what is learned.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (Kind, usize)> {
        self.groups.iter().map(|group| (group.kind, group.size))
    }

    /// How many parameters there are, frozen ones among them; nothing where that overflows.
    pub(crate) fn parameters(&self) -> Option<usize> {
        let frozen = self.frozen.last().map_or(0, |tensor| tensor.range.end);
        let sizes = self.groups().map(|(_, size)| size).chain([frozen]);
        let sum = sizes.into_iter().try_fold(0_usize, usize::checked_add);
        sum.filter(|_| !self.overflowed)
    }

    /// The parameters, freshly drawn.
    pub(crate) fn draw(self, seed: u64) -> Vec<Group> {
        let groups = self.groups.into_iter();
        groups.map(|group| group.draw(seed)).collect()
    }
}

impl PlannedGroup {
    fn draw(self, seed: u64) -> Group {
        let mut values = Vec::with_capacity(self.size);
        for (tensor, start, index) in &self.tensors {
            let count = tensor.range.len();
            match *start {
                Start::Equal(value) => values.resize(values.len() + count, value),
                Start::Uniform(bound) => {
                    let mut rng = stream(seed, Purpose::Init, *index);
                    values.extend((0..count).map(|_| (bound * symmetric(&mut rng)) as f32));
                }
                Start::Normal(deviation) => {
                    let mut rng = stream(seed, Purpose::Init, *index);
                    values.extend((0..count).map(|_| (deviation * normal(&mut rng)) as f32));
                }
            }
        }
        Group {
            kind: self.kind,
            decays: self.kind.decays(),
            values,
            tensors: self
                .tensors
                .into_iter()
                .map(|(tensor, ..)| tensor)
                .collect(),
        }
    }
}
