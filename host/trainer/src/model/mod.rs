//! Networks whose shape is chosen at run time.

mod mlp;
mod parameters;
mod settings;
mod transformer;

pub(crate) use parameters::{Group, Kind, NamedTensor, Plan, Start};
pub use settings::{MlpSettings, ModelSettings, TransformerSettings};

use crate::data::{Features, Shape, Targets};
use crate::kernel::{cross_entropy, squared_error};
use crate::layer::{Backward, Forward, Layer, Sequence};
use crate::random::{Purpose, stream};

/// Numbers that predicting may keep between layers at once: enough to keep the products efficient,
/// and little memory.
const EVALUATION_NUMBERS: usize = 1 << 19;

/// The shape of a network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Architecture {
    pub(crate) model: ModelSettings,
    pub(crate) inputs: Shape,
    /// Numbers that are predicted at each place of a row.
    pub(crate) outputs: usize,
}

impl Architecture {
    /// Its parameters to be, and its layers; with this share of units left out in training.
    fn planned(&self, dropout: f64) -> (Plan, Sequence) {
        let mut plan = Plan::default();
        let layers = match &self.model {
            ModelSettings::Mlp(settings) => mlp::layers(settings, self, dropout, &mut plan),
            ModelSettings::Transformer(settings) => {
                transformer::layers(settings, self, dropout, &mut plan)
            }
        };
        (plan, layers)
    }

    /// How many numbers are predicted of one row.
    fn predicted(&self) -> usize {
        self.inputs.places() * self.outputs
    }

    /// Its parameters to be.
    pub(crate) fn plan(&self) -> Plan {
        self.planned(0.0).0
    }
}

/// A batch of training rows, gathered from the dataset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) rows: &'a [u32],
    pub(crate) features: &'a Features,
    pub(crate) targets: &'a Targets,
}

/// What a training step's loss is made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    pub(crate) label_smoothing: f32,
    pub(crate) seed: u64,
    /// Which step's masks to draw.
    pub(crate) step: u64,
}

/// A network with its parameters.
#[derive(Debug)]
pub(crate) struct Network {
    architecture: Architecture,
    layers: Sequence,
    groups: Vec<Group>,
    input: Vec<f32>,
    output: Vec<f32>,
    labels: Vec<u32>,
    numbers: Vec<f32>,
}

impl Network {
    /// A network with freshly drawn weights, in which this share of hidden units is left out in
    /// training.
    pub(crate) fn new(architecture: Architecture, dropout: f64, seed: u64) -> Self {
        let (plan, layers) = architecture.planned(dropout);
        Network {
            architecture,
            layers,
            groups: plan.draw(seed),
            input: Vec::new(),
            output: Vec::new(),
            labels: Vec::new(),
            numbers: Vec::new(),
        }
    }

    pub(crate) fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The groups, to change their values.
    pub(crate) fn groups_mut(&mut self) -> &mut [Group] {
        &mut self.groups
    }

    /// The mean loss of a batch; its gradients go into one slice a group.
    pub(crate) fn learn(
        &mut self,
        batch: Batch<'_>,
        noise: Noise,
        gradients: &mut [Vec<f32>],
    ) -> f32 {
        self.input.clear();
        for &row in batch.rows {
            let row = batch.features.row(row as usize);
            self.input.extend_from_slice(row);
        }
        let outputs = batch.rows.len() * self.architecture.predicted();
        self.output.resize(outputs, 0.0);
        let mut forward = Forward {
            groups: &self.groups,
            noise: Some(stream(noise.seed, Purpose::Dropout, noise.step)),
        };
        self.layers
            .forward(&self.input, &mut self.output, &mut forward);
        // The last layer has no activation, so its way back needs no outputs; they become slopes.
        let outputs = &mut self.output;
        let loss = match batch.targets {
            Targets::Classes(labels) => {
                self.labels.clear();
                self.labels
                    .extend(batch.rows.iter().map(|&row| labels[row as usize]));
                cross_entropy(outputs, &self.labels, noise.label_smoothing, None)
            }
            Targets::Following => {
                self.labels.clear();
                for &row in batch.rows {
                    let tokens = batch.features.following(row as usize).iter();
                    self.labels.extend(tokens.map(|&token| token as u32));
                }
                cross_entropy(outputs, &self.labels, noise.label_smoothing, None)
            }
            Targets::Numbers(numbers) => {
                self.numbers.clear();
                self.numbers
                    .extend(batch.rows.iter().map(|&row| numbers[row as usize]));
                squared_error(outputs, &self.numbers)
            }
        };
        let mut backward = Backward {
            groups: &self.groups,
            gradients,
            adds: false,
        };
        self.layers
            .backward(&self.input, &[], outputs, None, &mut backward);
        loss
    }

    /// The outputs for every row: logits, or standardised numbers.
    pub(crate) fn predict(&mut self, features: &Features) -> Vec<f32> {
        let (inputs, outputs) = (features.width(), self.architecture.predicted());
        let mut predicted = vec![0.0; features.rows() * outputs];
        let kept = self.layers.kept(inputs).max(1);
        let rows = (EVALUATION_NUMBERS / kept).max(1);
        let mut forward = Forward {
            groups: &self.groups,
            noise: None,
        };
        let numbers = &features.data()[..features.rows() * inputs];
        let batches = numbers.chunks(rows * inputs);
        for (rows, out) in batches.zip(predicted.chunks_mut(rows * outputs)) {
            self.layers.forward(rows, out, &mut forward);
        }
        predicted
    }

    /// All parameters, group after group.
    pub(crate) fn weights(&self) -> Vec<Vec<f32>> {
        let groups = self.groups.iter();
        groups.map(|group| group.values.clone()).collect()
    }

    /// Puts parameters of the same sizes in place of the current ones.
    pub(crate) fn set_weights(&mut self, weights: &[Vec<f32>]) {
        for (group, values) in self.groups.iter_mut().zip(weights) {
            group.values.copy_from_slice(values);
        }
    }
}

#[cfg(test)]
mod tests;
