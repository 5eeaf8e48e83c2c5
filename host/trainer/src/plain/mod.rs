//! Networks by plain operations of dfdx, generic over its devices.
//!
//! The same layers as the CPU's own ones, and the same numbers up to rounding, from operations that
//! exist for every device of dfdx. It is several times slower on a CPU: parameters and gradients are
//! copied to and from tensors at every step, and each operation is a pass of its own. It is what a
//! device without operations of its own trains with, and what the CPU's own operations are held
//! against.

#[cfg(feature = "cuda")]
mod cuda;
mod operations;

#[cfg(feature = "cuda")]
pub(crate) use cuda::on_cuda;

use crate::kernel::{Activation, Loss, scale};
use crate::layer::{
    self, Attention, BatchNorm, Conv, Dense, Dropout, Embedding, Layer, LayerNorm, Picture,
    Pooling, Residual, Slot, Values, Weight,
};
use crate::model::{Aim, Task, Truth};
use dfdx::prelude::*;
use rand::rngs::ChaCha8Rng;

/// What a layer is made of, for whoever computes it in another way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plain<'a> {
    Activate(Option<Activation>),
    Attention(&'a Attention),
    BatchNorm(&'a BatchNorm),
    Conv(&'a Conv),
    Dense(&'a Dense),
    Dropout(&'a Dropout),
    Embedding(&'a Embedding),
    GlobalAverage(Picture),
    LayerNorm(&'a LayerNorm),
    Pool(Picture, Pooling),
    Residual(&'a Residual),
    Sequence(&'a [Box<dyn Layer>]),
}

/// Rows of numbers.
type Matrix<D, T = NoneTape> = Tensor<(usize, usize), f32, D, T>;
/// Parameters of one slot.
type Flat<D> = Tensor<(usize,), f32, D>;

/// A network's layers, and what they know.
pub(crate) struct Net<'a> {
    pub(crate) layers: &'a dyn Layer,
    pub(crate) values: Values<'a>,
    /// What layers remember from one batch to the next: a training pass changes it.
    pub(crate) buffers: &'a mut [f32],
    /// How many numbers it says of each place.
    pub(crate) outputs: usize,
}

/// The mean loss of a batch; its gradients go into one slice a group.
///
/// # Errors
/// The device's, as when its memory is full.
pub(crate) fn learn<D: Device<f32>>(
    device: &D,
    net: Net<'_>,
    task: &Task<'_>,
    gradients: &mut [Vec<f32>],
) -> Result<f32, String>
where
    D::Err: std::fmt::Display,
{
    let told = |error: D::Err| error.to_string();
    let Task {
        input, aim, share, ..
    } = *task;
    let outputs = net.outputs;
    let mut pass = Pass {
        device,
        values: net.values,
        buffers: net.buffers,
        noise: Some(share.noise()),
        used: Vec::new(),
    };
    let input = device
        .try_tensor_from_vec(input.to_vec(), (1, input.len()))
        .map_err(told)?;
    let output = pass
        .through(net.layers, input.leaky_traced())
        .map_err(told)?;
    let places = output.shape().0 * output.shape().1 / outputs;
    let output = output.try_reshape_like(&(places, outputs)).map_err(told)?;
    let truth = match task.truth {
        Truth::Classes(labels) => shares(labels, outputs, aim),
        Truth::Numbers(numbers) => numbers.to_vec(),
    };
    let truth = device
        .try_tensor_from_vec(truth, (places, outputs))
        .map_err(told)?;
    let loss = match (task.truth, aim.loss) {
        (Truth::Classes(_), _) => cross_entropy_with_logits_loss(output, truth),
        (Truth::Numbers(_), Loss::Squared) => mse_loss(output, truth),
        (Truth::Numbers(_), Loss::Huber) => huber_loss(output, truth, 1.0),
        (Truth::Numbers(_), Loss::Absolute) => mae_loss(output, truth),
    };
    let value = loss.as_vec().first().copied().unwrap_or(f32::NAN);
    let tape = loss.try_backward().map_err(told)?;
    let mut backward = layer::Backward {
        values: net.values,
        gradients,
        adds: share.adds,
    };
    for (used, tensor) in &pass.used {
        let mut gradient = tape.get(tensor).as_vec();
        scale(&mut gradient, share.of_step as f32);
        match used {
            Used::Parameters(slot) => backward.put(slot, &gradient),
            Used::Weight(weight) => weight.learn_from(&gradient, &mut backward),
        }
    }
    Ok(value)
}

/// What of each class is right at each place; of classes that count differently, what makes dfdx's
/// plain mean a weighted one.
fn shares(labels: &[u32], classes: usize, aim: &Aim) -> Vec<f32> {
    let weight = |class: usize| aim.class_weights.as_ref().map_or(1.0, |w| w[class]);
    let total: f32 = labels.iter().map(|&label| weight(label as usize)).sum();
    let mean = labels.len() as f32 / total;
    let share = |label: u32, class: usize| {
        let is_right = f32::from(label as usize == class);
        let even = aim.label_smoothing / classes as f32;
        ((1.0 - aim.label_smoothing) * is_right + even) * weight(class) * mean
    };
    let of_label = |&label: &u32| (0..classes).map(move |class| share(label, class));
    labels.iter().flat_map(of_label).collect()
}

/// The outputs for rows.
///
/// # Errors
/// As [`learn`].
pub(crate) fn predict<D: Device<f32>>(
    device: &D,
    net: Net<'_>,
    input: &[f32],
) -> Result<Vec<f32>, String>
where
    D::Err: std::fmt::Display,
{
    let told = |error: D::Err| error.to_string();
    let mut pass = Pass {
        device,
        values: net.values,
        buffers: net.buffers,
        noise: None,
        used: Vec::new(),
    };
    let input = device
        .try_tensor_from_vec(input.to_vec(), (1, input.len()))
        .map_err(told)?;
    Ok(pass.through(net.layers, input).map_err(told)?.as_vec())
}

struct Pass<'a, D: Device<f32>> {
    device: &'a D,
    values: Values<'a>,
    buffers: &'a mut [f32],
    /// None where predictions are made.
    noise: Option<ChaCha8Rng>,
    /// The tensors that parameters became.
    used: Vec<(Used, Flat<D>)>,
}

/// Whose gradients are wanted.
enum Used {
    Parameters(Slot),
    /// The matrix of a product, or its factors.
    Weight(Weight),
}

#[cfg(test)]
mod tests;
