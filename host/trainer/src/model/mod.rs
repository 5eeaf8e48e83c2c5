//! Multi-layer perceptrons whose widths and depth are chosen at run time.

mod activation;
mod ops;
mod parameters;

pub use activation::Activation;
pub(crate) use activation::exp;
pub(crate) use parameters::{Group, NamedTensor};

use crate::data::{Features, Targets};
use crate::random::{Purpose, stream};
use dfdx::prelude::{
    Backward, Cpu, CpuError, NoneTape, OwnedTape, PutTape, SplitTape, Tape, TensorFromVec, Trace,
};
use ops::{After, Matrix};
use rand::Rng;

/// Rows that are predicted at once: enough to keep the products efficient, and little memory.
const EVALUATION_ROWS: usize = 1024;

/// The shape of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Architecture {
    pub(crate) inputs: usize,
    pub(crate) hidden: Vec<usize>,
    pub(crate) outputs: usize,
    pub(crate) activation: Activation,
}

impl Architecture {
    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![self.inputs];
        widths.extend(&self.hidden);
        widths.push(self.outputs);
        widths
    }

    /// How many parameters it has; nothing where that overflows.
    pub(crate) fn parameters(&self) -> Option<usize> {
        self.widths().windows(2).try_fold(0_usize, |sum, pair| {
            pair[0]
                .checked_add(1)?
                .checked_mul(pair[1])?
                .checked_add(sum)
        })
    }
}

/// A batch of training rows, gathered from the dataset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) rows: &'a [u32],
    pub(crate) features: &'a Features,
    pub(crate) targets: &'a Targets,
}

/// What regularises a training step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    /// The share of hidden units that is left out.
    pub(crate) dropout: f64,
    pub(crate) label_smoothing: f32,
    pub(crate) seed: u64,
    /// Which step's masks to draw.
    pub(crate) step: u64,
}

/// A network with its parameters.
#[derive(Debug)]
pub(crate) struct Mlp {
    device: Cpu,
    architecture: Architecture,
    groups: [Group; 2],
}

impl Mlp {
    /// A network with freshly drawn weights.
    pub(crate) fn new(architecture: Architecture, seed: u64) -> Result<Self, CpuError> {
        let device = Cpu::default();
        let groups = parameters::initial(
            &device,
            &architecture.widths(),
            architecture.activation,
            seed,
        )?;
        Ok(Mlp {
            device,
            architecture,
            groups,
        })
    }

    pub(crate) fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The groups, to change their values; call [`Group::publish`] afterwards.
    pub(crate) fn groups_mut(&mut self) -> &mut [Group] {
        &mut self.groups
    }

    /// The mean loss of a batch; its gradients go into one slice a group.
    pub(crate) fn learn(
        &self,
        batch: Batch<'_>,
        noise: Noise,
        gradients: &mut [Vec<f32>],
    ) -> Result<f32, CpuError> {
        let width = self.architecture.inputs;
        let mut gathered = Vec::with_capacity(batch.rows.len() * width);
        for &row in batch.rows {
            gathered.extend_from_slice(batch.features.row(row as usize));
        }
        let input = self
            .device
            .try_tensor_from_vec(gathered, (batch.rows.len(), width))?;
        let masks = self.masks(batch.rows.len(), noise);
        let outputs = self.forward::<OwnedTape<f32, Cpu>>(input.leaky_traced(), &masks)?;
        let loss = match batch.targets {
            Targets::Classes(labels) => {
                let labels: Vec<u32> = batch.rows.iter().map(|&row| labels[row as usize]).collect();
                ops::cross_entropy(outputs, &labels, noise.label_smoothing)?
            }
            Targets::Numbers(numbers) => {
                let numbers: Vec<f32> = batch
                    .rows
                    .iter()
                    .map(|&row| numbers[row as usize])
                    .collect();
                ops::squared_error(outputs, &numbers)?
            }
        };
        let (loss, tape) = loss.split_tape();
        let mut value = [0.0];
        loss.copy_into(&mut value);
        let loss = loss.put_tape(tape);
        let mut tape_gradients = loss.try_backward()?;
        for (group, flat) in self.groups.iter().zip(gradients) {
            group.collect(&mut tape_gradients, flat)?;
        }
        Ok(value[0])
    }

    /// The outputs for every row, in large batches: logits, or standardised numbers.
    pub(crate) fn predict(&self, features: &Features) -> Result<Vec<f32>, CpuError> {
        let (inputs, outputs) = (self.architecture.inputs, self.architecture.outputs);
        let mut predicted = vec![0.0; features.rows() * outputs];
        let rows = features.data().chunks(EVALUATION_ROWS * inputs);
        for (rows, out) in rows.zip(predicted.chunks_mut(EVALUATION_ROWS * outputs)) {
            let shape = (rows.len() / inputs, inputs);
            let input = self.device.try_tensor_from_vec(rows.to_vec(), shape)?;
            self.forward::<NoneTape>(input, &[])?.copy_into(out);
        }
        Ok(predicted)
    }

    /// All parameters, group after group.
    pub(crate) fn weights(&self) -> Vec<Vec<f32>> {
        self.groups
            .iter()
            .map(|group| group.values.clone())
            .collect()
    }

    /// Puts parameters of the same sizes in place of the current ones.
    pub(crate) fn set_weights(&mut self, weights: &[Vec<f32>]) {
        for (group, values) in self.groups.iter_mut().zip(weights) {
            group.values.copy_from_slice(values);
            group.publish();
        }
    }

    fn forward<T: Tape<f32, Cpu>>(
        &self,
        input: Matrix<T>,
        masks: &[Vec<f32>],
    ) -> Result<Matrix<T>, CpuError> {
        let [weights, biases] = &self.groups;
        let last = self.architecture.hidden.len();
        let mut x = input;
        for (layer, (weight, bias)) in weights.tensors.iter().zip(&biases.tensors).enumerate() {
            let after = After {
                activation: (layer < last).then_some(self.architecture.activation),
                mask: masks.get(layer).map(Vec::as_slice),
            };
            x = ops::dense(x, &weight.tensor, &bias.tensor, after, layer > 0)?;
        }
        Ok(x)
    }

    /// A mask for each hidden layer: 0 where a unit is left out, and what keeps the expectation
    /// elsewhere (Srivastava et al. 2014, §10, inverted).
    fn masks(&self, rows: usize, noise: Noise) -> Vec<Vec<f32>> {
        // Shares are rounded to 16 bits, so that one draw of eight bytes decides four units.
        let threshold = (noise.dropout * 65_536.0).round() as u32;
        if threshold == 0 {
            return Vec::new();
        }
        let keep = 65_536.0 / (65_536 - threshold) as f32;
        let mut rng = stream(noise.seed, Purpose::Dropout, noise.step);
        let mut bytes = Vec::new();
        let mut mask = |units: usize| -> Vec<f32> {
            bytes.resize(2 * rows * units, 0);
            rng.fill_bytes(&mut bytes);
            let drawn = bytes.as_chunks::<2>().0.iter();
            drawn
                .map(|&pair| {
                    if u32::from(u16::from_le_bytes(pair)) < threshold {
                        0.0
                    } else {
                        keep
                    }
                })
                .collect()
        };
        self.architecture
            .hidden
            .iter()
            .map(|&units| mask(units))
            .collect()
    }
}

#[cfg(test)]
mod tests;
