//! f(x·W + b).

use super::bend::Bend;
use super::{Backward, Forward, Layer, Slot, Weight};
use crate::kernel::{Activation, Matrix, MatrixMut, Onto, add, multiply, wide};
use crate::model::{Kind, Plan, Start};
use crate::plain::Plain;

/// A linear map with bias and activation, of the last dimension.
#[derive(Debug)]
pub(crate) struct Dense {
    inputs: usize,
    outputs: usize,
    weight: Weight,
    bias: Option<Slot>,
    bend: Bend,
}

/// What comes into a dense layer, for drawing its weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// What stands right after it, here or in a later layer.
    pub(crate) before: Option<Activation>,
}

impl Inputs {
    /// He et al. 2015 (§2.2) before a rectifier and its smooth kin, Glorot and Bengio 2010 (eq. 16)
    /// before tanh and at the output; both uniform.
    pub(super) fn bound(self) -> f64 {
        let rectified = self
            .before
            .is_some_and(|activation| activation != Activation::Tanh);
        let fan = match rectified {
            true => self.inputs,
            false => self.inputs + self.outputs,
        };
        (6.0 / fan as f64).sqrt()
    }
}

impl Dense {
    /// W of shape (inputs, outputs) and b, under this name.
    pub(crate) fn new(
        plan: &mut Plan,
        name: &str,
        shape: Inputs,
        has_bias: bool,
        activation: Option<Activation>,
    ) -> Self {
        let start = Start::Uniform(shape.bound());
        let shape = [shape.inputs, shape.outputs];
        Dense::starting(plan, name, shape, start, has_bias, activation)
    }

    /// The same with weights of another start.
    pub(crate) fn starting(
        plan: &mut Plan,
        name: &str,
        [inputs, outputs]: [usize; 2],
        start: Start,
        has_bias: bool,
        activation: Option<Activation>,
    ) -> Self {
        let weight = Weight::new(plan, name, &[inputs, outputs], start);
        let bias = || {
            plan.add(
                Kind::Bias,
                format!("{name}.bias"),
                &[outputs],
                Start::Equal(0.0),
            )
        };
        Dense {
            inputs,
            outputs,
            weight,
            bias: has_bias.then(bias),
            bend: Bend::new(activation),
        }
    }
}

impl Dense {
    /// How many numbers come in and go out.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
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

impl Layer for Dense {
    fn plain(&self) -> Plain<'_> {
        Plain::Dense(self)
    }

    fn width(&self, inputs: usize) -> usize {
        inputs / self.inputs * self.outputs
    }

    fn remembers(&self, inputs: usize) -> usize {
        self.bend.remembers(self.width(inputs))
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        let weight = Matrix::of(self.weight.of(pass.values), self.outputs);
        let onto = match &self.bias {
            Some(bias) => {
                let bias = bias.of(pass.values);
                y.chunks_exact_mut(self.outputs)
                    .for_each(|row| row.copy_from_slice(bias));
                Onto::Itself
            }
            None => Onto::Nothing,
        };
        let out = MatrixMut::of(y, self.outputs);
        multiply(out, onto, 1.0, Matrix::of(x, self.inputs), weight);
        self.bend.apply(y, pass);
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
        if let Some(bias) = self.bias.as_ref().filter(|bias| bias.is_learned()) {
            let sums = pass.sums(bias);
            wide(
                #[inline(always)]
                || dy.chunks_exact(sums.len()).for_each(|row| add(sums, row)),
            );
        }
        self.weight.learn(x, dy, pass);
        if let Some(dx) = dx {
            let slopes = Matrix::of(dy, self.outputs);
            let weight = Matrix::of(self.weight.of(pass.values), self.outputs);
            let out = MatrixMut::of(dx, self.inputs);
            multiply(out, Onto::Nothing, 1.0, slopes, weight.turned());
        }
    }
}
