//! Networks by plain operations of dfdx, generic over its devices.
//!
//! The same layers as the CPU's own ones, and the same numbers up to rounding, from operations that
//! exist for every device of dfdx. It is several times slower on a CPU: parameters and gradients are
//! copied to and from tensors at every step, and each operation is a pass of its own. It is what a
//! device without operations of its own trains with, and what the CPU's own operations are held
//! against.

use crate::kernel::Activation;
use crate::layer::{Dense, Dropout, Layer, Slot};
use crate::model::{Aim, Group, Loss, Task, Truth};
use dfdx::prelude::*;
use rand::rngs::ChaCha8Rng;

/// What a layer is made of, for whoever computes it in another way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plain<'a> {
    Dense(&'a Dense),
    Dropout(&'a Dropout),
    Sequence(&'a [Box<dyn Layer>]),
}

/// Rows of numbers.
type Matrix<D, T = NoneTape> = Tensor<(usize, usize), f32, D, T>;
/// Parameters of one slot.
type Flat<D> = Tensor<(usize,), f32, D>;

/// Whether every part of it can be computed here.
pub(crate) fn knows(layer: &dyn Layer) -> bool {
    match layer.plain() {
        None => false,
        Some(Plain::Sequence(layers)) => layers.iter().all(|layer| knows(layer.as_ref())),
        Some(_) => true,
    }
}

/// The mean loss of a batch; its gradients go into one slice a group.
///
/// # Errors
/// The device's, as when its memory is full.
pub(crate) fn learn<D: Device<f32>>(
    device: &D,
    layer: &dyn Layer,
    groups: &[Group],
    outputs: usize,
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
    let mut pass = Pass {
        device,
        groups,
        noise: Some(share.noise()),
        used: Vec::new(),
    };
    let input = device
        .try_tensor_from_vec(input.to_vec(), (1, input.len()))
        .map_err(told)?;
    let output = pass.through(layer, input.leaky_traced()).map_err(told)?;
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
    for (slot, tensor) in &pass.used {
        let place = &mut gradients[slot.group][slot.range.clone()];
        for (place, gradient) in place.iter_mut().zip(tape.get(tensor).as_vec()) {
            let before = if share.adds { *place } else { 0.0 };
            *place = before + gradient * share.of_step as f32;
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
    layer: &dyn Layer,
    groups: &[Group],
    input: &[f32],
) -> Result<Vec<f32>, String>
where
    D::Err: std::fmt::Display,
{
    let told = |error: D::Err| error.to_string();
    let mut pass = Pass {
        device,
        groups,
        noise: None,
        used: Vec::new(),
    };
    let input = device
        .try_tensor_from_vec(input.to_vec(), (1, input.len()))
        .map_err(told)?;
    Ok(pass.through(layer, input).map_err(told)?.as_vec())
}

struct Pass<'a, D: Device<f32>> {
    device: &'a D,
    groups: &'a [Group],
    /// None where predictions are made.
    noise: Option<ChaCha8Rng>,
    /// The tensors that parameters became.
    used: Vec<(Slot, Flat<D>)>,
}

impl<D: Device<f32>> Pass<'_, D> {
    fn parameters(&mut self, slot: &Slot) -> Result<Flat<D>, D::Err> {
        let values = slot.of(self.groups).to_vec();
        let tensor = self
            .device
            .try_tensor_from_vec(values, (slot.range.len(),))?;
        self.used.push((slot.clone(), tensor.clone()));
        Ok(tensor)
    }

    fn through<T: Tape<f32, D>>(
        &mut self,
        layer: &dyn Layer,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        match layer.plain() {
            Some(Plain::Dense(dense)) => self.dense(dense, x),
            Some(Plain::Dropout(dropout)) => self.dropout(dropout, x),
            Some(Plain::Sequence(layers)) => {
                let mut layers = layers.iter();
                layers.try_fold(x, |x, layer| self.through(layer.as_ref(), x))
            }
            // Whoever asks has looked at `knows` before.
            None => Ok(x),
        }
    }

    fn dense<T: Tape<f32, D>>(
        &mut self,
        dense: &Dense,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let (inputs, outputs) = dense.shape();
        let rows = x.shape().0 * x.shape().1 / inputs;
        // What lies in a row is known by its place in it only: a reshape moves nothing, and keeps
        // the tensor that gradients belong to.
        let x = x.try_reshape_like(&(rows, inputs))?;
        let weight = self.parameters(dense.weight())?;
        let mut y = x.try_matmul(weight.try_reshape_like(&(inputs, outputs))?)?;
        if let Some(bias) = dense.bias() {
            let bias = self.parameters(bias)?.retaped::<T>();
            y = y.try_add(bias.try_broadcast_like::<_, Axis<0>>(&(rows, outputs))?)?;
        }
        match dense.activation() {
            None => Ok(y),
            Some(Activation::Relu) => y.try_relu(),
            Some(Activation::Gelu) => y.try_fast_gelu(),
            Some(Activation::Tanh) => y.try_tanh(),
        }
    }

    fn dropout<T: Tape<f32, D>>(
        &mut self,
        dropout: &Dropout,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let Some(noise) = &mut self.noise else {
            return Ok(x);
        };
        let shape = *x.shape();
        let mut mask = vec![0.0; shape.0 * shape.1];
        dropout.draw(noise, &mut mask);
        x.try_mul(self.device.try_tensor_from_vec(mask, shape)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{learn, predict};
    use crate::data::Shape;
    use crate::kernel::Activation;
    use crate::model::{
        Aim, Architecture, Loss, MlpSettings, ModelSettings, Network, Share, Task, Truth,
    };
    use dfdx::prelude::Cpu;
    use proptest::prelude::*;

    fn number(seed: u64, at: usize) -> f32 {
        ((seed.wrapping_mul(31) + at as u64 * 17) % 101) as f32 / 50.0 - 1.0
    }

    fn close(found: &[f32], expected: &[f32]) -> bool {
        let largest = expected.iter().fold(1e-3_f32, |most, x| most.max(x.abs()));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 2e-5 * largest;
        found.len() == expected.len() && found.iter().zip(expected).all(near)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_learns_and_predicts_as_the_own_operations_do(
            hidden in prop::collection::vec(1_usize..20, 0..4),
            (inputs, outputs, rows) in (1_usize..20, 1_usize..6, 1_usize..20),
            (kind, loss) in (0..3_usize, 0..3_usize),
            dropout in prop_oneof![Just(0.0), 0.1..0.6], label_smoothing in 0.0_f32..0.3,
            (seed, weighs, adds) in any::<(u64, bool, bool)>(),
        ) {
            let activation = [Activation::Relu, Activation::Gelu, Activation::Tanh][kind];
            let architecture = Architecture {
                model: ModelSettings::Mlp(MlpSettings { hidden, activation, ..MlpSettings::default() }),
                inputs: Shape::Row(inputs),
                outputs,
            };
            let mut network = Network::new(architecture, dropout, seed);
            let input: Vec<f32> = (0..rows * inputs).map(|at| number(seed, at)).collect();
            let labels: Vec<u32> = (0..rows).map(|row| (row % outputs) as u32).collect();
            let numbers: Vec<f32> = (0..rows).map(|at| number(seed ^ 5, at)).collect();
            let aim = Aim {
                label_smoothing,
                class_weights: weighs.then(|| (0..outputs).map(|c| 0.5 + c as f32).collect()),
                loss: [Loss::Squared, Loss::Huber, Loss::Absolute][loss],
            };
            let task = Task {
                input: &input,
                rows,
                truth: match outputs {
                    1 => Truth::Numbers(&numbers),
                    _ => Truth::Classes(&labels),
                },
                aim: &aim,
                share: Share { seed, batch: 3, of_step: 0.5, adds },
            };
            let before: Vec<Vec<f32>> =
                network.groups().iter().map(|g| vec![0.25; g.values.len()]).collect();
            let (mut own, mut plain) = (before.clone(), before);
            let device = Cpu::default();
            let (layers, groups) = (network.layers(), network.groups());
            let plain_loss = learn(&device, layers, groups, outputs, &task, &mut plain).unwrap();
            let plain_outputs = predict(&device, layers, groups, &input).unwrap();
            let own_loss = network.pass(&task, &mut own);
            let is_near = (own_loss - plain_loss).abs() <= 1e-5 * own_loss.abs().max(1.0);
            prop_assert!(is_near, "{own_loss} {plain_loss}");
            for (own, plain) in own.iter().zip(&plain) {
                prop_assert!(close(plain, own), "{plain:?}\n{own:?}");
            }
            prop_assert!(close(&plain_outputs, &network.outputs(&input, rows)));
        }
    }
}
