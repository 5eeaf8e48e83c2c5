//! Networks by plain operations of dfdx, generic over its devices.
//!
//! The same layers as the CPU's own ones, and the same numbers up to rounding, from operations that
//! exist for every device of dfdx. It is several times slower on a CPU: parameters and gradients are
//! copied to and from tensors at every step, and each operation is a pass of its own. It is what a
//! device without operations of its own trains with, and what the CPU's own operations are held
//! against.

use crate::kernel::Activation;
use crate::layer::{Dense, Dropout, Layer, Slot};
use crate::model::Group;
use dfdx::prelude::*;
use rand::rngs::ChaCha8Rng;

/// What a layer is made of, for whoever computes it in another way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plain<'a> {
    Dense(&'a Dense),
    Dropout(&'a Dropout),
    Sequence(&'a [Box<dyn Layer>]),
}

/// What the outputs should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Truth<'a> {
    /// A class for each place, with a share of it spread over all classes.
    Classes {
        labels: &'a [u32],
        smoothing: f32,
    },
    Numbers(&'a [f32]),
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
    noise: ChaCha8Rng,
    (input, outputs): (&[f32], usize),
    truth: Truth<'_>,
    gradients: &mut [Vec<f32>],
) -> Result<f32, String>
where
    D::Err: std::fmt::Display,
{
    let told = |error: D::Err| error.to_string();
    let mut pass = Pass {
        device,
        groups,
        noise: Some(noise),
        used: Vec::new(),
    };
    let input = device
        .try_tensor_from_vec(input.to_vec(), (1, input.len()))
        .map_err(told)?;
    let output = pass.through(layer, input.leaky_traced()).map_err(told)?;
    let places = output.shape().0 * output.shape().1 / outputs;
    let output = output.try_reshape_like(&(places, outputs)).map_err(told)?;
    let loss = match truth {
        Truth::Classes { labels, smoothing } => {
            let mut shares = vec![smoothing / outputs as f32; places * outputs];
            for (shares, &label) in shares.chunks_exact_mut(outputs).zip(labels) {
                shares[label as usize] += 1.0 - smoothing;
            }
            let shares = device
                .try_tensor_from_vec(shares, (places, outputs))
                .map_err(told)?;
            cross_entropy_with_logits_loss(output, shares)
        }
        Truth::Numbers(numbers) => {
            let numbers = device.try_tensor_from_vec(numbers.to_vec(), (places, outputs));
            mse_loss(output, numbers.map_err(told)?)
        }
    };
    let value = loss.as_vec().first().copied().unwrap_or(f32::NAN);
    let tape = loss.try_backward().map_err(told)?;
    for (slot, tensor) in &pass.used {
        let gradient = tape.get(tensor).as_vec();
        gradients[slot.group][slot.range.clone()].copy_from_slice(&gradient);
    }
    Ok(value)
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
    use super::{Truth, learn, predict};
    use crate::data::Shape;
    use crate::kernel::Activation;
    use crate::model::{Architecture, MlpSettings, ModelSettings, Network};
    use crate::random::{Purpose, stream};
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
            inputs in 1_usize..20, outputs in 1_usize..6, rows in 1_usize..20,
            kind in 0..3, dropout in prop_oneof![Just(0.0), 0.1..0.6], smoothing in 0.0_f32..0.3,
            seed: u64,
        ) {
            let activation = [Activation::Relu, Activation::Gelu, Activation::Tanh][kind as usize];
            let architecture = Architecture {
                model: ModelSettings::Mlp(MlpSettings { hidden, activation }),
                inputs: Shape::Row(inputs),
                outputs,
            };
            let mut network = Network::new(architecture, dropout, seed);
            let input: Vec<f32> = (0..rows * inputs).map(|at| number(seed, at)).collect();
            let labels: Vec<u32> = (0..rows).map(|row| (row % outputs) as u32).collect();
            let numbers: Vec<f32> = (0..rows).map(|at| number(seed ^ 5, at)).collect();
            let truth = match outputs {
                1 => Truth::Numbers(&numbers),
                _ => Truth::Classes { labels: &labels, smoothing },
            };
            let zeros = || network.groups().iter().map(|g| vec![0.0; g.values.len()]).collect::<Vec<_>>();
            let (mut own, mut plain) = (zeros(), zeros());
            let noise = || stream(seed, Purpose::Dropout, 3);
            let device = Cpu::default();
            let plain_loss = learn(
                &device, network.layers(), network.groups(), noise(), (&input, outputs), truth, &mut plain,
            ).unwrap();
            let plain_outputs = predict(&device, network.layers(), network.groups(), &input).unwrap();
            let own_loss = network.pass(&input, rows, truth, noise(), &mut own);
            prop_assert!((own_loss - plain_loss).abs() <= 1e-5 * own_loss.abs().max(1.0), "{own_loss} {plain_loss}");
            for (own, plain) in own.iter().zip(&plain) {
                prop_assert!(close(plain, own), "{plain:?}\n{own:?}");
            }
            prop_assert!(close(&plain_outputs, &network.outputs(&input, rows)));
        }
    }
}
