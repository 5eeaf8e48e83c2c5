//! Parameters: two groups of flat numbers, of which the model's tensors are views by copy.
//!
//! Optimizer and signals see a group as one slice; dfdx sees a tensor a layer. The slice is the
//! master, because dfdx lends no mutable access to a tensor's numbers.

use super::activation::Activation;
use super::ops::Flat;
use crate::random::{Purpose, stream, symmetric};
use dfdx::prelude::{Cpu, CpuError, Gradients, TensorFromVec};
use std::ops::Range;

/// A group of parameters that share a learning rate.
#[derive(Debug)]
pub(crate) struct Group {
    /// Whether weight decay applies: it does not to biases, which cannot overfit much.
    pub(crate) decays: bool,
    /// All its numbers.
    pub(crate) values: Vec<f32>,
    pub(crate) tensors: Vec<NamedTensor>,
}

/// One layer's part of a group.
#[derive(Debug)]
pub(crate) struct NamedTensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) range: Range<usize>,
    pub(crate) tensor: Flat,
}

impl Group {
    fn new(decays: bool) -> Self {
        Group {
            decays,
            values: Vec::new(),
            tensors: Vec::new(),
        }
    }

    fn push(
        &mut self,
        device: &Cpu,
        name: String,
        shape: Vec<usize>,
        values: Vec<f32>,
    ) -> Result<(), CpuError> {
        let start = self.values.len();
        self.values.extend(&values);
        let count = values.len();
        self.tensors.push(NamedTensor {
            name,
            shape,
            range: start..start + count,
            tensor: device.try_tensor_from_vec(values, (count,))?,
        });
        Ok(())
    }

    /// Copies the master values into the tensors; call it after every change.
    pub(crate) fn publish(&mut self) {
        for tensor in &mut self.tensors {
            tensor.tensor.copy_from(&self.values[tensor.range.clone()]);
        }
    }

    /// Copies the tensors' gradients into one slice.
    pub(crate) fn collect(
        &self,
        gradients: &mut Gradients<f32, Cpu>,
        flat: &mut [f32],
    ) -> Result<(), CpuError> {
        for tensor in &self.tensors {
            let gradient = gradients.get_or_alloc_mut(&tensor.tensor)?;
            flat[tensor.range.clone()].copy_from_slice(gradient);
        }
        Ok(())
    }
}

/// The groups `weights` and `biases` of a multi-layer perceptron with these widths, inputs first.
/// Weights are drawn uniformly: He et al. 2015 (§2.2) before a rectifier and its smooth kin,
/// Glorot and Bengio 2010 (eq. 16) before tanh and at the output. Biases are 0.
pub(crate) fn initial(
    device: &Cpu,
    widths: &[usize],
    activation: Activation,
    seed: u64,
) -> Result<[Group; 2], CpuError> {
    let mut weights = Group::new(true);
    let mut biases = Group::new(false);
    let layers = widths.len() - 1;
    for layer in 0..layers {
        let (inputs, outputs) = (widths[layer], widths[layer + 1]);
        let rectified = layer + 1 < layers && activation != Activation::Tanh;
        let fan = if rectified { inputs } else { inputs + outputs };
        let bound = (6.0 / fan as f64).sqrt();
        let mut rng = stream(seed, Purpose::Init, layer as u64);
        let drawn = (0..inputs * outputs).map(|_| (bound * symmetric(&mut rng)) as f32);
        let name = |what| format!("layers.{layer}.{what}");
        weights.push(
            device,
            name("weight"),
            vec![inputs, outputs],
            drawn.collect(),
        )?;
        biases.push(device, name("bias"), vec![outputs], vec![0.0; outputs])?;
    }
    Ok([weights, biases])
}
