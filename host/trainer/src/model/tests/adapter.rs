//! Factors beside a frozen base.

use super::{GoldenModel, PLAIN, Share, WHOLE, close, learn_from, shape, start, waves};
use crate::data::{Features, Shape, Targets};
use crate::kernel::Activation;
use crate::model::{
    Adapter, Architecture, Batch, CnnSettings, Group, Kind, MlpSettings, ModelSettings, Network,
    NormKind, TabularResnetSettings, TransformerSettings,
};

const KEEPING: Adapter = Adapter {
    rank: 2,
    scale: 1.5,
    keeps_output: true,
};

/// One of each kind, with all that a base may have.
fn bases() -> Vec<Network> {
    let picture = Shape::Image {
        height: 5,
        width: 4,
        channels: 2,
    };
    let text = Shape::Text {
        context: 5,
        vocabulary: 7,
    };
    let activation = Activation::Gelu;
    let of_rows = |norm| {
        ModelSettings::Mlp(MlpSettings {
            hidden: vec![6, 5],
            activation,
            norm,
            residual: true,
        })
    };
    let all = [
        (of_rows(NormKind::Batch), Shape::Row(4), 3),
        (of_rows(NormKind::Layer), Shape::Row(4), 3),
        (
            ModelSettings::TabularResnet(TabularResnetSettings {
                blocks: 2,
                width: 5,
                hidden: 6,
                activation,
            }),
            Shape::Row(4),
            3,
        ),
        (
            ModelSettings::Cnn(CnnSettings {
                channels: vec![3, 4],
                norm: true,
                residual: true,
                activation,
                hidden: Some(5),
                ..CnnSettings::default()
            }),
            picture,
            3,
        ),
        (
            ModelSettings::Transformer(TransformerSettings {
                layers: 2,
                heads: 2,
                width: 8,
                feed_forward: 2,
                activation,
            }),
            text,
            7,
        ),
    ];
    let base = |(model, inputs, outputs)| {
        let architecture = Architecture {
            model,
            inputs,
            outputs,
        };
        let mut network = Network::new(architecture, 0.0, 3);
        for values in numbers_of(&mut network) {
            let number = |at: usize| 0.4 + 0.3 * (1.3 * at as f64).sin() as f32;
            *values = (0..values.len()).map(number).collect();
        }
        network
    };
    all.into_iter().map(base).collect()
}

/// All that a network has, but weights are left as drawn.
fn numbers_of(network: &mut Network) -> Vec<&mut Vec<f32>> {
    let kept = |group: &&mut Group| !matches!(group.kind, Kind::Weight | Kind::Embedding);
    let Network {
        groups, buffers, ..
    } = network;
    let groups = groups.iter_mut().filter(kept);
    groups
        .map(|group| &mut group.values)
        .chain([&mut buffers.values])
        .collect()
}

fn data(base: &Network, rows: usize) -> (Features, Targets) {
    let architecture = base.architecture();
    match architecture.inputs {
        Shape::Text { context, .. } => {
            let tokens = (0..=context * rows).map(|at| ((at * at + at / 4) % 7) as f32);
            (
                Features::of_text(context, rows, tokens.collect()),
                Targets::Following,
            )
        }
        inputs => {
            let width = inputs.numbers();
            let numbers = (0..width * rows).map(|at| (1.7 * at as f32).sin());
            let labels = (0..rows).map(|row| (row % 2) as u32);
            (
                Features::of_rows(width, numbers.collect()),
                Targets::Classes(labels.collect()),
            )
        }
    }
}

/// Factors of both kinds away from where they start.
fn moved(network: &mut Network) {
    for group in network.groups_mut() {
        let number = |at: usize| 0.5 * (2.3 * at as f64 + 0.6).sin() as f32;
        group.values = (0..group.values.len()).map(number).collect();
    }
}

fn bits(outputs: &[f32]) -> Vec<u32> {
    outputs.iter().map(|output| output.to_bits()).collect()
}

#[test]
fn an_adapter_begins_as_its_base_and_ends_as_an_ordinary_network() {
    for mut base in bases() {
        let what = format!("{:?}", base.architecture().model);
        let (features, targets) = data(&base, 6);
        let outputs = base.architecture().outputs;
        let mut network = Network::adapting(&base, outputs, KEEPING, 0.2, 5);
        assert!(network.buffers().values.is_empty(), "{what}");
        let before = base.predict(&features).unwrap();
        let frozen = base.weights();
        assert_eq!(
            bits(&network.predict(&features).unwrap()),
            bits(&before),
            "{what}"
        );

        let sizes = network.groups().iter().map(|group| group.values.len());
        let mut gradients: Vec<Vec<f32>> = sizes.map(|size| vec![0.0; size]).collect();
        for step in 0..4 {
            let batch = Batch {
                rows: &[0, 2, 5],
                features: &features,
                targets: &targets,
            };
            let share = Share {
                batch: step,
                ..WHOLE
            };
            network.learn(batch, &PLAIN, share, &mut gradients).unwrap();
            for (group, gradient) in network.groups_mut().iter_mut().zip(&gradients) {
                let each = group.values.iter_mut().zip(gradient);
                each.for_each(|(value, slope)| *value -= 0.2 * slope);
            }
        }
        let learned = network.predict(&features).unwrap();
        assert_ne!(bits(&learned), bits(&before), "{what}");
        let weights = network.weights();
        let mut merged = network.with(&weights);
        assert_eq!(merged.architecture(), base.architecture());
        assert_eq!(
            bits(&merged.predict(&features).unwrap()),
            bits(&learned),
            "{what}"
        );
        // Nothing but matrices of products has moved in it.
        let groups = base
            .groups()
            .iter()
            .map(|group| Some(group.kind))
            .chain([None]);
        for ((kind, before), now) in groups.zip(&frozen).zip(&merged.weights()) {
            assert_eq!(
                before == now,
                kind != Some(Kind::Weight) || now.is_empty(),
                "{what} {kind:?}"
            );
        }
        // Back at nothing, the base is there again, bit for bit.
        for group in network.groups_mut() {
            if group.kind == Kind::FactorB {
                group.values.fill(0.0);
            }
        }
        assert_eq!(
            bits(&network.predict(&features).unwrap()),
            bits(&before),
            "{what}"
        );
    }
}

#[test]
fn gradients_of_factors_are_the_slopes_of_the_loss() {
    for base in bases() {
        let what = format!("{:?}", base.architecture().model);
        let (features, targets) = data(&base, 6);
        for keeps_output in [true, false] {
            let adapter = Adapter {
                keeps_output,
                ..KEEPING
            };
            let outputs = base.architecture().outputs;
            let mut network = Network::adapting(&base, outputs, adapter, 0.3, 5);
            moved(&mut network);
            let kinds = network.groups().iter().map(|group| group.kind);
            let kinds: Vec<Kind> = kinds.collect();
            let expected = match keeps_output {
                true => vec![Kind::FactorA, Kind::FactorB],
                false => vec![Kind::FactorA, Kind::FactorB, Kind::Weight, Kind::Bias],
            };
            assert_eq!(kinds, expected, "{what}");
            let (_, gradients) = learn_from(&mut network, &features, &PLAIN, &targets);
            let weights = network.weights();
            for (group, found) in gradients.iter().enumerate() {
                for place in (0..found.len()).step_by(found.len().div_ceil(9)) {
                    let mut loss_at = |shift: f32| {
                        let mut shifted = weights.clone();
                        shifted[group][place] += shift;
                        network.set_weights(&shifted);
                        let (loss, _) = learn_from(&mut network, &features, &PLAIN, &targets);
                        f64::from(loss)
                    };
                    let slope = (loss_at(0.004) - loss_at(-0.004)) / 0.008;
                    let found = f64::from(found[place]);
                    assert!(
                        (slope - found).abs() < 1e-3 * slope.abs().max(1.0),
                        "{what} {:?} at {place}: {found} {slope}",
                        kinds[group]
                    );
                }
            }
        }
    }
}

#[test]
fn factors_agree_with_pytorch() {
    let text = include_str!("../../../tests/golden/adapters.json");
    let golden: Vec<GoldenModel> = serde_json::from_str(text).unwrap();
    assert_eq!(golden.len(), 5);
    for golden in golden {
        let what = format!("{:?}", golden.settings);
        let inputs = shape(&golden.shape);
        let architecture = Architecture {
            model: golden.settings,
            inputs,
            outputs: 3,
        };
        let mut base = Network::new(architecture, 0.0, 1);
        start(&mut base);
        let running = golden.buffers.iter().map(|&value| value as f32);
        base.buffers_mut().values = running.collect();
        let mut network = Network::adapting(&base, 3, KEEPING, 0.0, 1);
        start(&mut network);
        let (features, targets) = waves(inputs);
        let (loss, gradients) = learn_from(&mut network, &features, &PLAIN, &targets);
        close(&[loss], &[golden.loss], &what);
        assert_eq!(gradients.len(), golden.gradients.len(), "{what}");
        for (group, found) in network.groups().iter().zip(&gradients) {
            close(found, &golden.gradients[group.kind.group()], &what);
        }
    }
}
