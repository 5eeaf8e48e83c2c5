mod adapter;
mod levels;
mod traces;

use super::{
    Aim, Architecture, Batch, Kind, Loss, MlpSettings, ModelSettings, Network, NormKind, Share,
    TransformerSettings,
};
use crate::data::{Features, Shape, Targets};
use crate::kernel::Activation;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Gradients made by PyTorch; `tests/golden/make_golden.py` says how.
#[derive(Deserialize)]
struct Golden {
    activation: Activation,
    outputs: usize,
    smoothing: f32,
    class_weights: Option<Vec<f32>>,
    kind: Loss,
    loss: f64,
    weights: Vec<f64>,
    biases: Vec<f64>,
}

const PLAIN: Aim = Aim {
    label_smoothing: 0.0,
    class_weights: None,
    loss: Loss::Squared,
};

const WHOLE: Share = Share {
    seed: 0,
    batch: 0,
    of_step: 1.0,
    adds: false,
};

fn network(hidden: &[usize], outputs: usize, activation: Activation) -> Network {
    with_dropout(hidden, outputs, activation, 0.0)
}

fn with_dropout(hidden: &[usize], outputs: usize, activation: Activation, dropout: f64) -> Network {
    let architecture = Architecture {
        model: ModelSettings::Mlp(MlpSettings {
            hidden: hidden.to_vec(),
            activation,
            ..MlpSettings::default()
        }),
        inputs: Shape::Row(4),
        outputs,
    };
    Network::new(architecture, dropout, 7)
}

fn features(rows: usize) -> Features {
    let value = |i: usize| (0.9 * (i / 4) as f64 + 1.1 * (i % 4) as f64).sin() as f32;
    Features::of_rows(4, (0..rows * 4).map(value).collect())
}

fn learn(network: &mut Network, aim: &Aim, targets: &Targets) -> (f32, Vec<Vec<f32>>) {
    learn_from(network, &features(6), aim, targets)
}

fn learn_from(
    network: &mut Network,
    features: &Features,
    aim: &Aim,
    targets: &Targets,
) -> (f32, Vec<Vec<f32>>) {
    learn_in_batches(network, features, aim, targets, 6)
}

/// Six rows in batches of so many.
fn learn_in_batches(
    network: &mut Network,
    features: &Features,
    aim: &Aim,
    targets: &Targets,
    rows: usize,
) -> (f32, Vec<Vec<f32>>) {
    let mut gradients: Vec<Vec<f32>> = network
        .groups()
        .iter()
        .map(|group| vec![0.0; group.values.len()])
        .collect();
    let all = [0, 1, 2, 3, 4, 5];
    let mut loss = 0.0;
    for (batch, rows) in all.chunks(rows).enumerate() {
        let share = Share {
            batch: batch as u64,
            of_step: aim.weight(rows, targets) / aim.weight(&all, targets),
            adds: batch > 0,
            ..WHOLE
        };
        let batch = Batch {
            rows,
            features,
            targets,
        };
        loss += share.of_step as f32 * network.learn(batch, aim, share, &mut gradients).unwrap();
    }
    (loss, gradients)
}

#[test]
fn losses_and_gradients_agree_with_pytorch() {
    let text = include_str!("../../tests/golden/gradients.json");
    let golden: Vec<Golden> = serde_json::from_str(text).unwrap();
    assert_eq!(golden.len(), 21);
    for golden in golden {
        let mut network = network(&[5, 3], golden.outputs, golden.activation);
        let weight = |i: usize| (0.9 * (1.3 * i as f64 + 0.2).sin()) as f32;
        let bias = |i: usize| (0.3 * (0.7 * i as f64).cos()) as f32;
        network.set_weights(&[
            (0..golden.weights.len()).map(weight).collect(),
            (0..golden.biases.len()).map(bias).collect(),
        ]);
        let targets = match golden.outputs {
            1 => Targets::Numbers((0..6).map(|row| 0.2 * row as f32 - 0.5).collect()),
            classes => Targets::Classes((0..6).map(|row| row % classes as u32).collect()),
        };
        let aim = Aim {
            label_smoothing: golden.smoothing,
            class_weights: golden.class_weights,
            loss: golden.kind,
        };
        // Accumulated in batches of four and two, it is the same.
        for rows in [6, 4] {
            let (loss, gradients) =
                learn_in_batches(&mut network, &features(6), &aim, &targets, rows);
            let what = format!("{:?} {aim:?} by {rows}", golden.activation);
            close(&[loss], &[golden.loss], &what);
            for (found, expected) in gradients.iter().zip([&golden.weights, &golden.biases]) {
                close(found, expected, &what);
            }
        }
    }
}

/// A whole model's gradients made by PyTorch.
#[derive(Deserialize)]
struct GoldenModel {
    shape: Vec<usize>,
    settings: ModelSettings,
    loss: f64,
    gradients: BTreeMap<String, Vec<f64>>,
    buffers: Vec<f64>,
}

/// The shape of inputs as the script tells it.
fn shape(lengths: &[usize]) -> Shape {
    match *lengths {
        [height, width, channels] => Shape::Image {
            height,
            width,
            channels,
        },
        [context, vocabulary] => Shape::Text {
            context,
            vocabulary,
        },
        _ => Shape::Row(lengths[0]),
    }
}

#[test]
fn models_agree_with_pytorch() {
    let text = include_str!("../../tests/golden/models.json");
    let golden: Vec<GoldenModel> = serde_json::from_str(text).unwrap();
    assert_eq!(golden.len(), 11);
    for golden in golden {
        let settings = golden.settings.clone();
        let inputs = shape(&golden.shape);
        settings.check().unwrap();
        settings.fits(inputs).unwrap();
        let architecture = Architecture {
            model: settings,
            inputs,
            outputs: 3,
        };
        let mut network = Network::new(architecture, 0.0, 1);
        start(&mut network);
        let (features, targets) = waves(inputs);
        let (loss, gradients) = learn_from(&mut network, &features, &PLAIN, &targets);
        let what = format!("{:?}", golden.settings);
        close(&[loss], &[golden.loss], &what);
        for (group, found) in network.groups().iter().zip(&gradients) {
            close(found, &golden.gradients[group.kind.group()], &what);
        }
        assert_eq!(gradients.len(), golden.gradients.len(), "{what}");
        close(&network.buffers().values, &golden.buffers, &what);
    }
}

/// The numbers that the script's models begin with.
fn start(network: &mut Network) {
    for group in network.groups_mut() {
        let start = |i: f64| match group.kind {
            Kind::Weight => 0.6 * (1.3 * i + 0.2).sin(),
            Kind::Bias => 0.3 * (0.7 * i).cos(),
            Kind::Norm => 0.8 + 0.3 * (0.5 * i).sin(),
            Kind::FactorA => 0.4 * (1.9 * i + 0.1).cos(),
            Kind::FactorB => 0.5 * (2.3 * i + 0.6).sin(),
            Kind::Embedding => unreachable!("no such model embeds anything"),
        };
        let values = (0..group.values.len()).map(|i| start(i as f64) as f32);
        group.values = values.collect();
    }
}

/// The rows that the script's models learn from.
fn waves(inputs: Shape) -> (Features, Targets) {
    let width = inputs.numbers();
    let value = |i: usize| (0.9 * (i / width) as f64 + 1.1 * (i % width) as f64).sin() as f32;
    let features = Features::of_rows(width, (0..6 * width).map(value).collect());
    (features, Targets::Classes(vec![0, 1, 2, 0, 1, 2]))
}

/// Within a hundred thousandth of the largest.
fn close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        let off = (f64::from(*found) - expected).abs();
        assert!(off <= 1e-5 * size, "{what}: {found} {expected}");
    }
}

#[derive(Deserialize)]
struct GoldenText {
    activation: Activation,
    smoothing: f32,
    loss: f64,
    gradients: Vec<Vec<f64>>,
}

fn transformer(activation: Activation, dropout: f64) -> Network {
    let architecture = Architecture {
        model: ModelSettings::Transformer(TransformerSettings {
            layers: 2,
            heads: 2,
            width: 8,
            feed_forward: 3,
            activation,
        }),
        inputs: Shape::Text {
            context: 5,
            vocabulary: 7,
        },
        outputs: 7,
    };
    Network::new(architecture, dropout, 7)
}

fn tokens() -> Vec<f32> {
    (0..40)
        .map(|i| ((i * i + 3 * i + i / 4) % 7) as f32)
        .collect()
}

fn read(network: &mut Network, aim: &Aim) -> (f32, Vec<Vec<f32>>) {
    let groups = network.groups().iter();
    let mut gradients: Vec<Vec<f32>> = groups.map(|group| vec![0.5; group.values.len()]).collect();
    let batch = Batch {
        rows: &[0, 11, 23],
        features: &Features::of_text(5, 7, tokens()),
        targets: &Targets::Following,
    };
    let loss = network.learn(batch, aim, WHOLE, &mut gradients);
    (loss.unwrap(), gradients)
}

/// Numbers that the golden ones were made with.
fn golden_weights(network: &Network) -> Vec<Vec<f32>> {
    let formulas: [fn(f64) -> f64; 4] = [
        |i| 0.7 * (1.1 * i + 0.4).sin(),
        |i| 0.6 + 0.5 * (0.9 * i).sin(),
        |i| 0.5 * (1.3 * i + 0.2).sin(),
        |i| 0.3 * (0.7 * i).cos(),
    ];
    let groups = network.groups().iter().zip(formulas);
    groups
        .map(|(group, formula)| {
            let places = 0..group.values.len();
            places.map(|i| formula(i as f64) as f32).collect()
        })
        .collect()
}

#[test]
fn a_transformers_losses_and_gradients_agree_with_pytorch() {
    let text = include_str!("../../tests/golden/transformers.json");
    let golden: Vec<GoldenText> = serde_json::from_str(text).unwrap();
    assert_eq!(golden.len(), 2);
    for golden in golden {
        let mut network = transformer(golden.activation, 0.0);
        let groups = network.groups().iter().map(|group| group.kind.group());
        let groups: Vec<&str> = groups.collect();
        assert_eq!(groups, ["embeddings", "norms", "weights", "biases"]);
        network.set_weights(&golden_weights(&network));
        let aim = Aim {
            label_smoothing: golden.smoothing,
            ..PLAIN
        };
        let (loss, gradients) = read(&mut network, &aim);
        let error = (f64::from(loss) / golden.loss - 1.0).abs();
        assert!(error < 1e-5, "{loss} {}", golden.loss);
        for (group, (found, expected)) in gradients.iter().zip(&golden.gradients).enumerate() {
            assert_eq!(found.len(), expected.len());
            let largest = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
            for (found, expected) in found.iter().zip(expected) {
                let error = (f64::from(*found) - expected).abs() / largest;
                assert!(error < 1e-5, "group {group}: {found} {expected}");
            }
        }
    }
}

#[test]
fn a_transformers_gradients_through_dropout_are_the_slopes_of_the_loss() {
    let mut network = transformer(Activation::Gelu, 0.3);
    let weights = golden_weights(&network);
    network.set_weights(&weights);
    let (_, gradients) = read(&mut network, &PLAIN);
    for (group, values) in weights.iter().enumerate() {
        for place in (0..values.len()).step_by(values.len() / 7) {
            let mut loss_at = |shift: f32| {
                let mut moved = weights.clone();
                moved[group][place] += shift;
                network.set_weights(&moved);
                f64::from(read(&mut network, &PLAIN).0)
            };
            let slope = (loss_at(0.005) - loss_at(-0.005)) / 0.01;
            let found = f64::from(gradients[group][place]);
            assert!(
                (slope - found).abs() < 1e-3,
                "group {group}, place {place}: {found} {slope}"
            );
        }
    }
}

/// What comes later changes nothing before, bit for bit.
#[test]
fn no_token_sees_a_later_one() {
    let mut network = transformer(Activation::Gelu, 0.0);
    network.set_weights(&golden_weights(&network));
    let mut tokens = vec![1.0, 2.0, 3.0, 4.0, 5.0, 0.0];
    let before = network
        .predict(&Features::of_text(5, 1, tokens.clone()))
        .unwrap();
    tokens[3] = 6.0;
    let after = network.predict(&Features::of_text(5, 1, tokens)).unwrap();
    assert_eq!(before[..21], after[..21]);
    assert_ne!(before[21..], after[21..]);
}

#[test]
fn a_linear_model_has_no_hidden_layer() {
    let mut network = network(&[], 2, Activation::Relu);
    let (_, gradients) = learn(
        &mut network,
        &PLAIN,
        &Targets::Classes(vec![0, 1, 0, 1, 0, 1]),
    );
    assert_eq!(gradients[0].len(), 8);
    assert!(gradients[0].iter().any(|&gradient| gradient != 0.0));
}

/// A dropped unit must not pass a gradient either: compare with the slope of the loss itself.
#[test]
fn gradients_through_dropout_are_the_slopes_of_the_loss() {
    let mut network = with_dropout(&[5, 3], 3, Activation::Gelu, 0.4);
    let targets = Targets::Classes(vec![0, 1, 2, 0, 1, 2]);
    let (_, gradients) = learn(&mut network, &PLAIN, &targets);
    let weights = network.weights();
    for place in 0..weights[0].len() {
        let mut loss_at = |shift: f32| {
            let mut moved = weights.clone();
            moved[0][place] += shift;
            network.set_weights(&moved);
            f64::from(learn(&mut network, &PLAIN, &targets).0)
        };
        let slope = (loss_at(0.01) - loss_at(-0.01)) / 0.02;
        let found = f64::from(gradients[0][place]);
        assert!(
            (slope - found).abs() < 5e-4,
            "weight {place}: {found} {slope}"
        );
    }
}

#[test]
fn gradients_through_layer_norm_are_the_slopes_of_the_loss() {
    let architecture = Architecture {
        model: ModelSettings::Mlp(MlpSettings {
            hidden: vec![6, 6],
            activation: Activation::Tanh,
            norm: NormKind::Layer,
            residual: true,
        }),
        inputs: Shape::Row(4),
        outputs: 3,
    };
    let mut network = Network::new(architecture, 0.0, 7);
    let targets = Targets::Classes(vec![0, 1, 2, 0, 1, 2]);
    let (_, gradients) = learn(&mut network, &PLAIN, &targets);
    let weights = network.weights();
    for (group, found) in gradients.iter().enumerate() {
        for (place, &found) in found.iter().enumerate() {
            let mut loss_at = |shift: f32| {
                let mut moved = weights.clone();
                moved[group][place] += shift;
                network.set_weights(&moved);
                f64::from(learn(&mut network, &PLAIN, &targets).0)
            };
            let slope = (loss_at(0.005) - loss_at(-0.005)) / 0.01;
            assert!(
                (slope - f64::from(found)).abs() < 5e-4,
                "group {group}, place {place}: {found} {slope}"
            );
        }
    }
}

#[test]
fn initial_weights_lie_within_their_bounds_and_depend_on_the_seed() {
    let wide = |seed, activation| {
        let architecture = Architecture {
            model: ModelSettings::Mlp(MlpSettings {
                hidden: vec![100],
                activation,
                ..MlpSettings::default()
            }),
            inputs: Shape::Row(50),
            outputs: 1,
        };
        Network::new(architecture, 0.0, seed).weights()
    };
    for (activation, variance) in [
        (Activation::Relu, 2.0 / 50.0),
        (Activation::Tanh, 2.0 / 150.0),
    ] {
        let weights = wide(1, activation);
        let first = &weights[0][..5000];
        let mean_square = first.iter().map(|&w| f64::from(w * w)).sum::<f64>() / 5000.0;
        assert!(
            (mean_square / variance - 1.0).abs() < 0.05,
            "{activation:?}: {mean_square}"
        );
        assert!(weights[1].iter().all(|&bias| bias == 0.0));
        assert_ne!(weights, wide(2, activation));
    }
}

#[test]
fn prediction_does_not_depend_on_how_rows_are_batched() {
    let mut network = network(&[8], 3, Activation::Tanh);
    let all = network.predict(&features(2500)).unwrap();
    let some = network.predict(&features(1024)).unwrap();
    assert_eq!(all.len(), 7500);
    assert_eq!(all[..3072], some[..]);
}
