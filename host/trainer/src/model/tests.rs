use super::{Architecture, Batch, MlpSettings, ModelSettings, Network, Noise, TransformerSettings};
use crate::data::{Features, Shape, Targets};
use crate::kernel::Activation;
use serde::Deserialize;

/// Gradients made by PyTorch; `tests/golden/make_golden.py` says how.
#[derive(Deserialize)]
struct Golden {
    activation: Activation,
    outputs: usize,
    smoothing: f32,
    loss: f64,
    weights: Vec<f64>,
    biases: Vec<f64>,
}

const QUIET: Noise = Noise {
    label_smoothing: 0.0,
    seed: 0,
    step: 0,
};

fn network(hidden: &[usize], outputs: usize, activation: Activation) -> Network {
    with_dropout(hidden, outputs, activation, 0.0)
}

fn with_dropout(hidden: &[usize], outputs: usize, activation: Activation, dropout: f64) -> Network {
    let architecture = Architecture {
        model: ModelSettings::Mlp(MlpSettings {
            hidden: hidden.to_vec(),
            activation,
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

fn learn(network: &mut Network, noise: Noise, targets: &Targets) -> (f32, Vec<Vec<f32>>) {
    let mut gradients: Vec<Vec<f32>> = network
        .groups()
        .iter()
        .map(|group| vec![0.0; group.values.len()])
        .collect();
    let batch = Batch {
        rows: &[0, 1, 2, 3, 4, 5],
        features: &features(6),
        targets,
    };
    let loss = network.learn(batch, noise, &mut gradients);
    (loss, gradients)
}

#[test]
fn losses_and_gradients_agree_with_pytorch() {
    let text = include_str!("../../tests/golden/gradients.json");
    let golden: Vec<Golden> = serde_json::from_str(text).unwrap();
    assert_eq!(golden.len(), 9);
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
        let noise = Noise {
            label_smoothing: golden.smoothing,
            ..QUIET
        };
        let (loss, gradients) = learn(&mut network, noise, &targets);
        assert!(
            (f64::from(loss) - golden.loss).abs() < 1e-6,
            "{:?}",
            golden.activation
        );
        for (found, expected) in gradients
            .concat()
            .iter()
            .zip(golden.weights.iter().chain(&golden.biases))
        {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-6,
                "{:?}: {found} {expected}",
                golden.activation
            );
        }
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

fn read(network: &mut Network, noise: Noise) -> (f32, Vec<Vec<f32>>) {
    let groups = network.groups().iter();
    let mut gradients: Vec<Vec<f32>> = groups.map(|group| vec![0.5; group.values.len()]).collect();
    let batch = Batch {
        rows: &[0, 11, 23],
        features: &Features::of_text(5, 7, tokens()),
        targets: &Targets::Following,
    };
    let loss = network.learn(batch, noise, &mut gradients);
    (loss, gradients)
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
        let noise = Noise {
            label_smoothing: golden.smoothing,
            ..QUIET
        };
        let (loss, gradients) = read(&mut network, noise);
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
    let (_, gradients) = read(&mut network, QUIET);
    for (group, values) in weights.iter().enumerate() {
        for place in (0..values.len()).step_by(values.len() / 7) {
            let mut loss_at = |shift: f32| {
                let mut moved = weights.clone();
                moved[group][place] += shift;
                network.set_weights(&moved);
                f64::from(read(&mut network, QUIET).0)
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
    let before = network.predict(&Features::of_text(5, 1, tokens.clone()));
    tokens[3] = 6.0;
    let after = network.predict(&Features::of_text(5, 1, tokens));
    assert_eq!(before[..21], after[..21]);
    assert_ne!(before[21..], after[21..]);
}

#[test]
fn a_linear_model_has_no_hidden_layer() {
    let mut network = network(&[], 2, Activation::Relu);
    let (_, gradients) = learn(
        &mut network,
        QUIET,
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
    let (_, gradients) = learn(&mut network, QUIET, &targets);
    let weights = network.weights();
    for place in 0..weights[0].len() {
        let mut loss_at = |shift: f32| {
            let mut moved = weights.clone();
            moved[0][place] += shift;
            network.set_weights(&moved);
            f64::from(learn(&mut network, QUIET, &targets).0)
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
fn initial_weights_lie_within_their_bounds_and_depend_on_the_seed() {
    let wide = |seed, activation| {
        let architecture = Architecture {
            model: ModelSettings::Mlp(MlpSettings {
                hidden: vec![100],
                activation,
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
    let all = network.predict(&features(2500));
    let some = network.predict(&features(1024));
    assert_eq!(all.len(), 7500);
    assert_eq!(all[..3072], some[..]);
}
