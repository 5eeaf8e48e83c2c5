//! Networks whose shape is chosen at run time.

mod adapter;
mod cnn;
mod mlp;
mod parameters;
mod settings;
mod tabular_resnet;
mod transformer;

pub(crate) use adapter::{Adapter, by_name};
pub use parameters::Kind;
pub(crate) use parameters::{Buffers, Group, MAX_PARAMETERS, NamedTensor, Plan, Start};
pub use settings::{
    AdapterSettings, CnnSettings, MlpSettings, ModelSettings, NormKind, TabularResnetSettings,
    TransformerSettings,
};

use crate::data::{Features, Shape, Targets};
use crate::kernel::{Loss, cross_entropy, difference_loss, scale};
use crate::layer::{Backward, Forward, Layer, Sequence, Values};
use crate::plain;
use crate::random::{Purpose, stream};
use adapter::{Frozen, copy_named};
use dfdx::prelude::Cpu;
use rand::rngs::ChaCha8Rng;
use std::collections::BTreeMap;

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
    fn planned(&self, adapter: Option<Adapter>, dropout: f64) -> (Plan, Sequence) {
        let mut plan = Plan::of(adapter);
        let layers = match &self.model {
            ModelSettings::Mlp(settings) => mlp::layers(settings, self, dropout, &mut plan),
            ModelSettings::Cnn(settings) => cnn::layers(settings, self, dropout, &mut plan),
            ModelSettings::TabularResnet(settings) => {
                tabular_resnet::layers(settings, self, dropout, &mut plan)
            }
            ModelSettings::Transformer(settings) => {
                transformer::layers(settings, self, dropout, &mut plan)
            }
            // It has none of its own: where a base is adapted, the base's settings stand here.
            ModelSettings::Adapter(_) => Sequence::default(),
        };
        (plan, layers)
    }

    /// How many numbers are predicted of one row.
    pub(crate) fn predicted(&self) -> usize {
        self.inputs.places() * self.outputs
    }

    /// How many numbers a training pass over so many rows takes, with what comes in and out.
    pub(crate) fn passed(&self, rows: usize, adapter: Option<Adapter>, dropout: f64) -> usize {
        let (_, layers) = self.planned(adapter, dropout);
        let inputs = rows * self.inputs.numbers();
        inputs + layers.remembers(inputs) + rows * self.predicted()
    }

    /// Its parameters to be, where it adapts a base or none.
    pub(crate) fn plan(&self, adapter: Option<Adapter>) -> Plan {
        self.planned(adapter, 0.0).0
    }
}

/// A batch of training rows, gathered from the dataset.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) rows: &'a [u32],
    pub(crate) features: &'a Features,
    pub(crate) targets: &'a Targets,
}

/// What is minimised.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    pub(crate) label_smoothing: f32,
    /// How much each class counts, where that is not the same.
    pub(crate) class_weights: Option<Vec<f32>>,
    pub(crate) loss: Loss,
}

impl Aim {
    /// How much rows count together in a mean loss.
    pub(crate) fn weight(&self, rows: &[u32], targets: &Targets) -> f64 {
        match (targets, &self.class_weights) {
            (Targets::Classes(labels), Some(weights)) => {
                let label = |row: &u32| labels[*row as usize] as usize;
                rows.iter().map(|row| f64::from(weights[label(row)])).sum()
            }
            _ => rows.len() as f64,
        }
    }
}

/// One batch's part in a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub(crate) seed: u64,
    /// Which batch's masks to draw.
    pub(crate) batch: u64,
    /// What its mean loss counts in the step's.
    pub(crate) of_step: f64,
    /// Whether its gradients are added to those of the batches before.
    pub(crate) adds: bool,
}

impl Share {
    /// What its masks are drawn from.
    pub(crate) fn noise(&self) -> ChaCha8Rng {
        stream(self.seed, Purpose::Dropout, self.batch)
    }
}

/// What the outputs should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Truth<'a> {
    /// A class for each place.
    Classes(&'a [u32]),
    Numbers(&'a [f32]),
}

/// All that a training pass is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) input: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) truth: Truth<'a>,
    pub(crate) aim: &'a Aim,
    pub(crate) share: Share,
}

/// A network with its parameters.
#[derive(Debug)]
pub(crate) struct Network {
    architecture: Architecture,
    adapter: Option<Adapter>,
    dropout: f64,
    layers: Sequence,
    /// What is learned.
    groups: Vec<Group>,
    frozen: Frozen,
    buffers: Buffers,
    engine: Engine,
    gathered: Gathered,
    output: Vec<f32>,
}

/// What computes a network's passes.
#[derive(Debug)]
enum Engine {
    /// Our own operations for CPUs.
    Own,
    /// Plain operations of dfdx.
    Dfdx(Cpu),
    #[cfg(feature = "cuda")]
    Cuda,
}

/// A batch's numbers side by side.
#[derive(Debug, Default)]
struct Gathered {
    input: Vec<f32>,
    labels: Vec<u32>,
    numbers: Vec<f32>,
}

impl Gathered {
    fn fill(&mut self, batch: &Batch<'_>) {
        self.input.clear();
        for &row in batch.rows {
            let row = batch.features.row(row as usize);
            self.input.extend_from_slice(row);
        }
        let rows = batch.rows.iter().map(|&row| row as usize);
        match batch.targets {
            Targets::Classes(labels) => {
                self.labels.clear();
                self.labels.extend(rows.map(|row| labels[row]));
            }
            Targets::Numbers(numbers) => {
                self.numbers.clear();
                self.numbers.extend(rows.map(|row| numbers[row]));
            }
            Targets::Following => {
                let tokens = rows.flat_map(|row| batch.features.following(row));
                self.labels.clear();
                self.labels.extend(tokens.map(|&token| token as u32));
            }
        }
    }
}

impl Network {
    /// A network with freshly drawn weights, in which this share of hidden units is left out in
    /// training.
    pub(crate) fn new(architecture: Architecture, dropout: f64, seed: u64) -> Self {
        Network::planned(architecture, None, dropout, seed)
    }

    /// The same shape as a base, but maybe for its number of outputs, with the base's numbers, and
    /// with freshly drawn factors, under which it predicts as the base does.
    pub(crate) fn adapting(
        base: &Network,
        outputs: usize,
        adapter: Adapter,
        dropout: f64,
        seed: u64,
    ) -> Self {
        let architecture = Architecture {
            outputs,
            ..base.architecture.clone()
        };
        let mut network = Network::planned(architecture, Some(adapter), dropout, seed);
        network.frozen.take(&base.by_name());
        network
    }

    fn planned(
        architecture: Architecture,
        adapter: Option<Adapter>,
        dropout: f64,
        seed: u64,
    ) -> Self {
        let (mut plan, layers) = architecture.planned(adapter, dropout);
        Network {
            architecture,
            adapter,
            dropout,
            layers,
            frozen: Frozen::of(&mut plan),
            buffers: plan.buffers().clone(),
            groups: plan.draw(seed),
            engine: Engine::Own,
            gathered: Gathered::default(),
            output: Vec::new(),
        }
    }

    /// Computes it by plain operations of dfdx from here on.
    pub(crate) fn use_dfdx(&mut self) {
        self.engine = Engine::Dfdx(Cpu::default());
    }

    /// Computes it on the first GPU from here on.
    ///
    /// # Errors
    /// Why there is none.
    #[cfg(feature = "cuda")]
    pub(crate) fn use_cuda(&mut self) -> Result<(), String> {
        self.engine = Engine::Cuda;
        plain::on_cuda(|_| Ok(()))
    }

    #[cfg(not(feature = "cuda"))]
    #[expect(clippy::unused_self, reason = "as in a build that has one")]
    pub(crate) fn use_cuda(&mut self) -> Result<(), String> {
        Err("this build has no CUDA; build it with the feature `cuda`".into())
    }

    /// Lets go of all memory that is only for passes; the next one takes what it needs anew.
    pub(crate) fn rest(&mut self) {
        (_, self.layers) = self.architecture.planned(self.adapter, self.dropout);
        self.gathered = Gathered::default();
        self.output = Vec::new();
    }

    pub(crate) fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// What is learned.
    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// All its tensors with their group's numbers, frozen ones and what is no parameter among them.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (&[NamedTensor], &[f32])> {
        let groups = self.groups.iter();
        let groups = groups.map(|group| (group.tensors.as_slice(), group.values.as_slice()));
        groups.chain([
            (self.frozen.tensors(), self.frozen.values()),
            (self.buffers.tensors.as_slice(), &self.buffers.values),
        ])
    }

    /// The same numbers by their tensors' names.
    pub(crate) fn by_name(&self) -> BTreeMap<&str, &[f32]> {
        by_name(self.tensors())
    }

    /// The groups, to change their values.
    pub(crate) fn groups_mut(&mut self) -> &mut [Group] {
        &mut self.groups
    }

    /// What is no parameter and is remembered.
    pub(crate) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// The same, to change their values.
    pub(crate) fn buffers_mut(&mut self) -> &mut Buffers {
        &mut self.buffers
    }

    #[cfg(test)]
    pub(crate) fn layers(&self) -> &dyn Layer {
        &self.layers
    }

    /// Brings the weights that layers see up to date with what was learned.
    pub(crate) fn merge(&mut self) {
        self.frozen.merge(&self.groups);
    }

    #[cfg(test)]
    pub(crate) fn values(&self) -> Values<'_> {
        values(&self.groups, &self.frozen)
    }

    /// The mean loss of a batch; its share of the step's gradients goes into one slice a group.
    ///
    /// # Errors
    /// The device's.
    pub(crate) fn learn(
        &mut self,
        batch: Batch<'_>,
        aim: &Aim,
        share: Share,
        gradients: &mut [Vec<f32>],
    ) -> Result<f32, String> {
        self.merge();
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.fill(&batch);
        let truth = match batch.targets {
            Targets::Classes(_) | Targets::Following => Truth::Classes(&gathered.labels),
            Targets::Numbers(_) => Truth::Numbers(&gathered.numbers),
        };
        let task = Task {
            input: &gathered.input,
            rows: batch.rows.len(),
            truth,
            aim,
            share,
        };
        let loss = match &self.engine {
            Engine::Own => Ok(self.pass(&task, gradients)),
            Engine::Dfdx(device) => plain::learn(&device.clone(), self.net(), &task, gradients),
            #[cfg(feature = "cuda")]
            Engine::Cuda => plain::on_cuda(|gpu| plain::learn(gpu, self.net(), &task, gradients)),
        };
        self.gathered = gathered;
        loss
    }

    /// What dfdx's operations see of it.
    fn net(&mut self) -> plain::Net<'_> {
        plain::Net {
            layers: &self.layers,
            values: values(&self.groups, &self.frozen),
            buffers: &mut self.buffers.values,
            outputs: self.architecture.outputs,
        }
    }

    /// The same by our own operations.
    pub(crate) fn pass(&mut self, task: &Task<'_>, gradients: &mut [Vec<f32>]) -> f32 {
        let &Task {
            input,
            rows,
            truth,
            aim,
            share,
        } = task;
        let outputs = &mut self.output;
        outputs.resize(rows * self.architecture.predicted(), 0.0);
        let mut forward = Forward {
            values: values(&self.groups, &self.frozen),
            buffers: &mut self.buffers.values,
            noise: Some(share.noise()),
        };
        self.layers.forward(input, outputs, &mut forward);
        // The last layer has no activation, so its way back needs no outputs; they become slopes.
        let loss = match truth {
            Truth::Classes(labels) => {
                let weights = aim.class_weights.as_deref();
                cross_entropy(outputs, labels, aim.label_smoothing, weights)
            }
            Truth::Numbers(numbers) => difference_loss(aim.loss, outputs, numbers),
        };
        if share.of_step != 1.0 {
            scale(outputs, share.of_step as f32);
        }
        let mut backward = Backward {
            values: values(&self.groups, &self.frozen),
            gradients,
            adds: share.adds,
        };
        self.layers
            .backward(input, &[], outputs, None, &mut backward);
        loss
    }

    /// The outputs for every row: logits, or standardised numbers.
    ///
    /// # Errors
    /// The device's.
    pub(crate) fn predict(&mut self, features: &Features) -> Result<Vec<f32>, String> {
        self.merge();
        let inputs = features.width();
        let mut predicted = Vec::with_capacity(features.rows() * self.architecture.predicted());
        let kept = self.layers.kept(inputs).max(1);
        let rows = (EVALUATION_NUMBERS / kept).max(1);
        // What stands behind a text's last row belongs to none.
        let numbers = &features.data()[..features.rows() * inputs];
        for batch in numbers.chunks(rows * inputs) {
            let outputs = match &self.engine {
                Engine::Own => self.outputs(batch, batch.len() / inputs),
                Engine::Dfdx(device) => plain::predict(&device.clone(), self.net(), batch)?,
                #[cfg(feature = "cuda")]
                Engine::Cuda => plain::on_cuda(|gpu| plain::predict(gpu, self.net(), batch))?,
            };
            predicted.extend_from_slice(&outputs);
        }
        Ok(predicted)
    }

    /// The same for few rows, by our own operations.
    pub(crate) fn outputs(&mut self, input: &[f32], rows: usize) -> Vec<f32> {
        let mut outputs = vec![0.0; rows * self.architecture.predicted()];
        let mut forward = Forward {
            values: values(&self.groups, &self.frozen),
            buffers: &mut self.buffers.values,
            noise: None,
        };
        self.layers.forward(input, &mut outputs, &mut forward);
        outputs
    }

    /// All parameters, group after group, and last what is no parameter.
    #[cfg(test)]
    pub(crate) fn weights(&self) -> Vec<Vec<f32>> {
        let groups = self.groups.iter().map(|group| &group.values);
        groups.chain([&self.buffers.values]).cloned().collect()
    }

    /// A network without a base that predicts as this one does with these numbers in place of those
    /// that it learned: factors are merged into the weights.
    pub(crate) fn with(&self, weights: &[Vec<f32>]) -> Network {
        let mut groups = self.groups.clone();
        for (group, values) in groups.iter_mut().zip(weights) {
            group.values.clone_from(values);
        }
        let mut frozen = self.frozen.clone();
        frozen.merge(&groups);
        let learned = groups
            .iter()
            .map(|group| &group.tensors)
            .chain([&self.buffers.tensors]);
        let learned = learned
            .zip(weights)
            .map(|(tensors, values)| (&**tensors, &**values));
        let named = by_name(learned.chain([(frozen.tensors(), frozen.values())]));
        let mut network = Network::new(self.architecture.clone(), 0.0, 0);
        for group in &mut network.groups {
            copy_named(&group.tensors, &mut group.values, &named);
        }
        let buffers = &mut network.buffers;
        copy_named(&buffers.tensors, &mut buffers.values, &named);
        network
    }

    /// Puts numbers of the same sizes in place of the current ones.
    #[cfg(test)]
    pub(crate) fn set_weights(&mut self, weights: &[Vec<f32>]) {
        let groups = self.groups.iter_mut().map(|group| &mut group.values);
        for (place, values) in groups.chain([&mut self.buffers.values]).zip(weights) {
            place.copy_from_slice(values);
        }
    }
}

/// What layers compute with.
fn values<'a>(groups: &'a [Group], frozen: &'a Frozen) -> Values<'a> {
    Values {
        groups,
        frozen: frozen.values(),
    }
}

#[cfg(test)]
mod tests;
