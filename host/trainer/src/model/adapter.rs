//! A base that stays as it is, and factors that learn what is to be added to it.

use super::{Group, NamedTensor, Plan};
use crate::layer::{Values, Weight};
use std::collections::BTreeMap;

/// How a network adapts a base of its shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Adapter {
    /// The inner side of every pair of factors.
    pub(crate) rank: usize,
    /// What their product counts.
    pub(crate) scale: f32,
    /// Whether the base's output layer is adapted too; otherwise a new one is learned.
    pub(crate) keeps_output: bool,
}

/// The numbers of a base; none where a network has no base.
#[derive(Debug, Clone, Default)]
pub(super) struct Frozen {
    tensors: Vec<NamedTensor>,
    /// As they are in the base.
    base: Vec<f32>,
    /// The same, with what the factors make of the matrices of products.
    merged: Vec<f32>,
    adapted: Vec<Weight>,
}

impl Frozen {
    pub(super) fn of(plan: &mut Plan) -> Self {
        let (tensors, adapted) = plan.take_frozen();
        let size = tensors.last().map_or(0, |tensor| tensor.range.end);
        Frozen {
            tensors,
            base: vec![0.0; size],
            merged: vec![0.0; size],
            adapted,
        }
    }

    /// Takes over the base's numbers.
    pub(super) fn take(&mut self, base: &BTreeMap<&str, &[f32]>) {
        copy_named(&self.tensors, &mut self.base, base);
        self.merged.copy_from_slice(&self.base);
    }

    /// Makes the matrices of products anew by these factors.
    pub(super) fn merge(&mut self, groups: &[Group]) {
        let values = Values {
            groups,
            frozen: &self.base,
        };
        for weight in &self.adapted {
            weight.merge(values, &mut self.merged);
        }
    }

    /// What layers compute with.
    pub(super) fn values(&self) -> &[f32] {
        &self.merged
    }

    pub(super) fn tensors(&self) -> &[NamedTensor] {
        &self.tensors
    }
}

/// Copies the numbers of those tensors that have a name among these.
pub(super) fn copy_named(
    tensors: &[NamedTensor],
    values: &mut [f32],
    named: &BTreeMap<&str, &[f32]>,
) {
    for tensor in tensors {
        if let Some(numbers) = named.get(tensor.name.as_str()) {
            values[tensor.range.clone()].copy_from_slice(numbers);
        }
    }
}

/// Numbers by their tensors' names.
pub(crate) fn by_name<'a>(
    all: impl Iterator<Item = (&'a [NamedTensor], &'a [f32])>,
) -> BTreeMap<&'a str, &'a [f32]> {
    let tensors = all.flat_map(|(tensors, values)| {
        let each = tensors.iter();
        each.map(move |tensor| (tensor.name.as_str(), &values[tensor.range.clone()]))
    });
    tensors.collect()
}
