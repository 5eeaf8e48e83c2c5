//! The matrix of a product, learned whole or by factors.

use super::{Backward, Slot, Values};
use crate::kernel::{Matrix, MatrixMut, Onto, multiply};
use crate::model::{Kind, Plan, Start};

/// W of a product x·W. That of a frozen base has factors A of shape (inputs, rank) and B of shape
/// (rank, outputs) beside it, which alone are learned: the product's matrix is W + scale · A·B (Hu et
/// al. 2021, §4.1, where all matrices stand the other way up).
#[derive(Debug, Clone)]
pub(crate) struct Weight {
    inputs: usize,
    outputs: usize,
    slot: Slot,
    factors: Option<Factors>,
}

/// A and B.
#[derive(Debug, Clone)]
struct Factors {
    a: Slot,
    b: Slot,
    rank: usize,
    scale: f32,
    /// So many numbers of each row: x·A, and later the slopes by it.
    between: Vec<f32>,
}

impl Weight {
    /// Under this name; the last side of the shape are the outputs, all others together the inputs.
    /// Of factors A is drawn so that x·A has the variance of x, and B is 0: the product begins as the
    /// base's.
    pub(crate) fn new(plan: &mut Plan, name: &str, shape: &[usize], start: Start) -> Self {
        let (inputs, outputs) = match shape {
            [sides @ .., outputs] => (sides.iter().product(), *outputs),
            [] => (1, 1),
        };
        let slot = plan.add(Kind::Weight, format!("{name}.weight"), shape, start);
        let factors = plan.adapter().map(|adapter| {
            let rank = adapter.rank;
            let normal = Start::Normal(1.0 / (inputs as f64).sqrt());
            let (a, b) = (format!("{name}.factor_a"), format!("{name}.factor_b"));
            Factors {
                a: plan.learn(Kind::FactorA, a, &[inputs, rank], normal),
                b: plan.learn(Kind::FactorB, b, &[rank, outputs], Start::Equal(0.0)),
                rank,
                scale: adapter.scale,
                between: Vec::new(),
            }
        });
        let weight = Weight {
            inputs,
            outputs,
            slot,
            factors,
        };
        if weight.factors.is_some() {
            plan.adapt(weight.clone());
        }
        weight
    }

    /// The numbers of the product's matrix, its factors among them.
    pub(crate) fn of<'a>(&self, values: Values<'a>) -> &'a [f32] {
        self.slot.of(values)
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Where its base's numbers lie among all frozen ones, puts what the factors make of them.
    pub(crate) fn merge(&self, values: Values<'_>, merged: &mut [f32]) {
        let Some(factors) = &self.factors else {
            return;
        };
        let merged = &mut merged[self.slot.range.clone()];
        merged.copy_from_slice(self.slot.of(values));
        let [a, b] = factors.of(values);
        let out = MatrixMut::of(merged, self.outputs);
        multiply(out, Onto::Itself, factors.scale, a, b);
    }

    /// Puts the gradient where it goes, of rows that came in and the slopes by what came out of them.
    /// A frozen matrix's own is never made.
    pub(super) fn learn(&mut self, x: &[f32], dy: &[f32], pass: &mut Backward<'_>) {
        let (x, dy) = (Matrix::of(x, self.inputs), Matrix::of(dy, self.outputs));
        match &mut self.factors {
            Some(factors) => factors.learn(x, dy, pass),
            None => {
                let onto = pass.onto();
                let out = MatrixMut::of(pass.at(&self.slot), self.outputs);
                multiply(out, onto, 1.0, x.turned(), dy);
            }
        }
    }

    /// The same from the gradient of the product's whole matrix, for who has made that anyway.
    pub(crate) fn learn_from(&self, gradient: &[f32], pass: &mut Backward<'_>) {
        match &self.factors {
            Some(factors) => factors.learn_from(Matrix::of(gradient, self.outputs), pass),
            None => pass.put(&self.slot, gradient),
        }
    }
}

impl Factors {
    /// A and B.
    fn of<'a>(&self, values: Values<'a>) -> [Matrix<'a>; 2] {
        let (a, b) = (self.a.of(values), self.b.of(values));
        [Matrix::of(a, self.rank), Matrix::of(b, b.len() / self.rank)]
    }

    /// As [`Weight::learn`]: ∂A = scale · xᵀ·(∂y·Bᵀ), ∂B = scale · (x·A)ᵀ·∂y.
    fn learn(&mut self, x: Matrix<'_>, dy: Matrix<'_>, pass: &mut Backward<'_>) {
        let ([a, b], onto) = (self.of(pass.values), pass.onto());
        let Factors {
            rank,
            scale,
            between,
            ..
        } = self;
        between.resize(x.rows() * *rank, 0.0);
        let out = MatrixMut::of(between, *rank);
        multiply(out, Onto::Nothing, 1.0, x, a);
        let out = MatrixMut::of(pass.at(&self.b), dy.columns());
        multiply(out, onto, *scale, Matrix::of(between, *rank).turned(), dy);
        let out = MatrixMut::of(between, *rank);
        multiply(out, Onto::Nothing, *scale, dy, b.turned());
        let out = MatrixMut::of(pass.at(&self.a), *rank);
        multiply(out, onto, 1.0, x.turned(), Matrix::of(between, *rank));
    }

    /// As [`Weight::learn_from`]: ∂A = scale · ∂W·Bᵀ, ∂B = scale · Aᵀ·∂W.
    fn learn_from(&self, gradient: Matrix<'_>, pass: &mut Backward<'_>) {
        let ([a, b], onto) = (self.of(pass.values), pass.onto());
        let out = MatrixMut::of(pass.at(&self.a), self.rank);
        multiply(out, onto, self.scale, gradient, b.turned());
        let out = MatrixMut::of(pass.at(&self.b), gradient.columns());
        multiply(out, onto, self.scale, a.turned(), gradient);
    }
}
