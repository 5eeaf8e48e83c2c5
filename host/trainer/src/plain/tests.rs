use super::{Net, learn, predict};
use crate::data::Shape;
use crate::kernel::{Activation, Loss, difference_loss};
use crate::layer::{Attention, Backward, Forward, Heads, Layer, Pooling, Values};
use crate::model::{
    Adapter, Aim, Architecture, CnnSettings, MlpSettings, ModelSettings, Network, NormKind, Plan,
    Share, Start, TabularResnetSettings, Task, TransformerSettings, Truth,
};
use dfdx::prelude::{Cpu, Device};
use proptest::prelude::*;

fn number(seed: u64, at: usize) -> f32 {
    ((seed.wrapping_mul(31) + at as u64 * 17) % 101) as f32 / 50.0 - 1.0
}

fn close(found: &[f32], expected: &[f32], most: f32) -> bool {
    let largest = expected.iter().fold(1e-2_f32, |most, x| most.max(x.abs()));
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= most * largest;
    found.len() == expected.len() && found.iter().zip(expected).all(near)
}

fn activation() -> impl Strategy<Value = Activation> {
    prop::sample::select(vec![Activation::Relu, Activation::Gelu, Activation::Tanh])
}

fn norm() -> impl Strategy<Value = NormKind> {
    prop::sample::select(vec![NormKind::None, NormKind::Batch, NormKind::Layer])
}

fn mlp() -> impl Strategy<Value = (ModelSettings, Shape)> {
    let hidden = prop::collection::vec(1_usize..20, 0..4);
    (hidden, activation(), norm(), any::<bool>(), 1_usize..20).prop_map(
        |(hidden, activation, norm, residual, inputs)| {
            let settings = MlpSettings {
                hidden,
                activation,
                norm,
                residual,
            };
            (ModelSettings::Mlp(settings), Shape::Row(inputs))
        },
    )
}

fn tabular_resnet() -> impl Strategy<Value = (ModelSettings, Shape)> {
    (
        1_usize..3,
        1_usize..12,
        1_usize..12,
        activation(),
        1_usize..12,
    )
        .prop_map(|(blocks, width, hidden, activation, inputs)| {
            let settings = TabularResnetSettings {
                blocks,
                width,
                hidden,
                activation,
            };
            (ModelSettings::TabularResnet(settings), Shape::Row(inputs))
        })
}

fn cnn() -> impl Strategy<Value = (ModelSettings, Shape)> {
    let shape = (4_usize..9, 4_usize..9, 1_usize..4);
    let channels = prop::collection::vec(prop::sample::select(vec![1_usize, 3, 8, 16]), 1..3);
    let kernel = prop::sample::select(vec![1_usize, 3, 5]);
    let flags = any::<(bool, bool, bool, bool)>();
    let hidden = prop::option::of(1_usize..9);
    (shape, channels, kernel, flags, hidden, activation()).prop_map(
        |((height, width, colours), channels, kernel, flags, hidden, activation)| {
            let (norm, residual, averages, global_average) = flags;
            let settings = CnnSettings {
                channels,
                kernel,
                norm,
                residual,
                activation,
                pooling: match averages {
                    true => Pooling::Average,
                    false => Pooling::Max,
                },
                global_average,
                hidden,
            };
            let inputs = Shape::Image {
                height,
                width,
                channels: colours,
            };
            (ModelSettings::Cnn(settings), inputs)
        },
    )
}

fn transformer() -> impl Strategy<Value = (ModelSettings, Shape)> {
    let sizes = (1_usize..3, 1_usize..4, 1_usize..5, 1_usize..4);
    (sizes, activation(), 1_usize..40, 2_usize..9).prop_map(
        |((layers, heads, size, feed_forward), activation, context, vocabulary)| {
            let settings = TransformerSettings {
                layers,
                heads,
                width: heads * size,
                feed_forward,
                activation,
            };
            let inputs = Shape::Text {
                context,
                vocabulary,
            };
            (ModelSettings::Transformer(settings), inputs)
        },
    )
}

fn model() -> impl Strategy<Value = (ModelSettings, Shape)> {
    prop_oneof![mlp(), tabular_resnet(), cnn(), transformer()]
}

fn net<'a>(network: &'a Network, buffers: &'a mut [f32]) -> Net<'a> {
    Net {
        layers: network.layers(),
        values: network.values(),
        buffers,
        outputs: network.architecture().outputs,
    }
}

/// What a device makes of a batch: the loss, the gradients, what layers then remember, and
/// predictions with that.
type Computed = (f32, Vec<Vec<f32>>, Vec<f32>, Vec<f32>);

fn compute<D: Device<f32>>(
    device: &D,
    network: &Network,
    task: &Task<'_>,
    mut gradients: Vec<Vec<f32>>,
) -> Result<Computed, String>
where
    D::Err: std::fmt::Display,
{
    let mut buffers = network.buffers().values.clone();
    let loss = learn(device, net(network, &mut buffers), task, &mut gradients)?;
    let outputs = predict(device, net(network, &mut buffers), task.input)?;
    Ok((loss, gradients, buffers, outputs))
}

fn are_close(found: &[Vec<f32>], expected: &[Vec<f32>]) -> bool {
    let mut groups = found.iter().zip(expected);
    groups.all(|(found, expected)| close(found, expected, 1e-3))
}

/// Whether parameters that differ by as little as what is rounded away have other gradients: where a
/// rectifier's input is nearly 0, or two of a pool's are nearly the same.
fn is_at_a_kink(
    network: &mut Network,
    task: &Task<'_>,
    before: &[Vec<f32>],
    gradients: &[Vec<f32>],
) -> bool {
    let there: Vec<Vec<f32>> = network.groups().iter().map(|g| g.values.clone()).collect();
    [-3e-6, -1e-6, 1e-6, 3e-6].into_iter().any(|step: f32| {
        for (group, values) in network.groups_mut().iter_mut().zip(&there) {
            let moved = values.iter().map(|value| value * (1.0 + step));
            group.values = moved.collect();
        }
        network.merge();
        let mut moved = before.to_vec();
        network.pass(task, &mut moved);
        !are_close(&moved, gradients)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn it_learns_and_predicts_as_the_own_operations_do(
        (model, inputs) in model(),
        // A norm over a batch of two rows is ±1 whatever they are: its slopes are nothing but what was
        // rounded away.
        (outputs, rows) in (1_usize..6, 3_usize..12),
        loss in 0..3_usize,
        dropout in prop_oneof![Just(0.0), 0.1..0.6], label_smoothing in 0.0_f32..0.3,
        (seed, weighs, adds) in any::<(u64, bool, bool)>(),
        adapter in prop::option::of((1_usize..4, any::<bool>())),
    ) {
        let outputs = match inputs {
            Shape::Text { vocabulary, .. } => vocabulary,
            Shape::Row(_) | Shape::Image { .. } => outputs,
        };
        let architecture = Architecture { model: model.clone(), inputs, outputs };
        let mut network = Network::new(architecture, dropout, seed);
        if let Some((rank, keeps_output)) = adapter {
            let adapter = Adapter { rank, scale: 0.7, keeps_output };
            let base = network;
            network = Network::adapting(&base, outputs, adapter, dropout, seed);
            for group in network.groups_mut() {
                let places = 0..group.values.len();
                group.values = places.map(|at| 0.5 * number(seed, at)).collect();
            }
            network.merge();
        }
        let at_once = rows * inputs.numbers();
        let input: Vec<f32> = (0..at_once)
            .map(|at| match inputs {
                Shape::Text { vocabulary, .. } => (at * 7 % 11 % vocabulary) as f32,
                Shape::Row(_) | Shape::Image { .. } => number(seed, at * at),
            })
            .collect();
        let places = rows * inputs.places();
        let labels: Vec<u32> = (0..places).map(|row| (row % outputs) as u32).collect();
        let numbers: Vec<f32> = (0..places).map(|at| number(seed ^ 5, at)).collect();
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
        let mut own = before.clone();
        let on_devices = [
            compute(&Cpu::default(), &network, &task, before.clone()),
            #[cfg(feature = "cuda")]
            super::on_cuda(|gpu| compute(gpu, &network, &task, before.clone())),
        ];
        let own_loss = network.pass(&task, &mut own);
        let own_outputs = network.outputs(&input, rows);
        for computed in on_devices {
            let (loss, gradients, buffers, outputs) = computed.unwrap();
            let is_near = (own_loss - loss).abs() <= 1e-4 * own_loss.abs().max(1.0);
            prop_assert!(is_near, "{model:?}: {own_loss} {loss}");
            prop_assert!(close(&network.buffers().values, &buffers, 1e-5), "{model:?}");
            prop_assert!(close(&outputs, &own_outputs, 1e-4), "{model:?}");
            let is_near = are_close(&gradients, &own);
            prop_assert!(
                is_near || is_at_a_kink(&mut network, &task, &before, &own),
                "{model:?}\n{gradients:?}\n{own:?}"
            );
        }
    }

    /// No network has an attention that looks ahead, so it is held here by itself.
    #[test]
    fn attention_to_all_places_is_that_of_the_own_operations(
        (rows, context) in (1_usize..4, 1_usize..70),
        (heads, size) in (1_usize..4, 1_usize..6),
        seed: u64,
    ) {
        let width = heads * size;
        let shape = Heads { context, width, heads, causal: false };
        let start = Start::Uniform(0.0);
        let mut plan = Plan::default();
        let mut layer = Attention::new(&mut plan, "attention", shape, start, start);
        let mut groups = plan.draw(0);
        for group in &mut groups {
            let places = 0..group.values.len();
            group.values = places.map(|at| 0.5 * number(seed, at * at)).collect();
        }
        let values = Values { groups: &groups, frozen: &[] };
        let input: Vec<f32> = (0..rows * context * width).map(|at| number(seed ^ 3, at * at)).collect();
        let numbers: Vec<f32> = (0..input.len()).map(|at| number(seed ^ 5, at)).collect();
        let aim = Aim { label_smoothing: 0.0, class_weights: None, loss: Loss::Squared };
        let share = Share { seed, batch: 0, of_step: 1.0, adds: false };
        let truth = Truth::Numbers(&numbers);
        let task = Task { input: &input, rows, truth, aim: &aim, share };

        let mut own: Vec<Vec<f32>> = groups.iter().map(|g| vec![f32::NAN; g.values.len()]).collect();
        let mut plain = own.clone();
        let mut outputs = vec![f32::NAN; input.len()];
        let mut pass = Forward { values, buffers: &mut [], noise: Some(share.noise()) };
        layer.forward(&input, &mut outputs, &mut pass);
        let mut slopes = outputs.clone();
        let own_loss = difference_loss(Loss::Squared, &mut slopes, &numbers);
        let mut pass = Backward { values, gradients: &mut own, adds: false };
        layer.backward(&input, &[], &mut slopes, None, &mut pass);

        let net = || Net { layers: &layer, values, buffers: &mut [], outputs: 1 };
        let loss = learn(&Cpu::default(), net(), &task, &mut plain).unwrap();
        prop_assert!((own_loss - loss).abs() <= 1e-5 * own_loss.max(1.0), "{own_loss} {loss}");
        for (own, plain) in own.iter().zip(&plain) {
            prop_assert!(close(plain, own, 1e-4), "{plain:?}\n{own:?}");
        }
        let predicted = predict(&Cpu::default(), net(), &input).unwrap();
        prop_assert!(close(&predicted, &outputs, 1e-5), "{predicted:?}\n{outputs:?}");
    }
}
