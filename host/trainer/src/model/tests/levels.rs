//! Whole training steps on every level of processor.

use super::{WHOLE, traces};
use crate::data::Shape;
use crate::kernel::{Activation, Level, Loss, at_level};
use crate::layer::Pooling;
use crate::model::{
    Adapter, Aim, Architecture, Batch, CnnSettings, MlpSettings, ModelSettings, Network, NormKind,
    Share, TabularResnetSettings, TransformerSettings,
};
use crate::optimizer::Optimizer;
use attune_plugin_api::OptimizerKind;

/// Each kind with each of its parts. No width is a whole number of lanes, so that loops have a rest.
fn kinds() -> Vec<(ModelSettings, Shape)> {
    let row = Shape::Row(19);
    let image = Shape::Image {
        height: 9,
        width: 8,
        channels: 1,
    };
    let text = Shape::Text {
        context: 37,
        vocabulary: 21,
    };
    let mlp = |activation, norm, residual| {
        let settings = MlpSettings {
            hidden: vec![37, 21, 21],
            activation,
            norm,
            residual,
        };
        (ModelSettings::Mlp(settings), row)
    };
    let resnet = TabularResnetSettings {
        blocks: 2,
        width: 35,
        hidden: 19,
        activation: Activation::Gelu,
    };
    // The first stage's convolution takes the way without products.
    let cnn = CnnSettings {
        channels: vec![8, 21],
        activation: Activation::Tanh,
        hidden: Some(19),
        ..CnnSettings::default()
    };
    let residual_cnn = CnnSettings {
        channels: vec![21, 16],
        kernel: 5,
        norm: true,
        residual: true,
        activation: Activation::Gelu,
        pooling: Pooling::Average,
        global_average: true,
        hidden: None,
    };
    let transformer = TransformerSettings {
        layers: 2,
        heads: 2,
        width: 42,
        feed_forward: 2,
        activation: Activation::Gelu,
    };
    vec![
        (ModelSettings::mlp([]), row),
        mlp(Activation::Relu, NormKind::None, false),
        mlp(Activation::Tanh, NormKind::None, true),
        mlp(Activation::Gelu, NormKind::Batch, false),
        mlp(Activation::Relu, NormKind::Batch, true),
        mlp(Activation::Relu, NormKind::Layer, false),
        mlp(Activation::Gelu, NormKind::Layer, true),
        (ModelSettings::TabularResnet(resnet), row),
        (ModelSettings::Cnn(cnn), image),
        (ModelSettings::Cnn(residual_cnn), image),
        (ModelSettings::Transformer(transformer), text),
    ]
}

/// The bits of all that two steps leave, each in two batches, and of what is predicted then.
fn trained(mut network: Network) -> Vec<u32> {
    let Architecture {
        inputs, outputs, ..
    } = *network.architecture();
    let (features, targets, _) = traces::data(inputs);
    let aim = Aim {
        label_smoothing: 0.1,
        class_weights: Some((0..outputs).map(|class| 0.5 + class as f32).collect()),
        loss: Loss::Squared,
    };
    let sizes = network.groups().iter().map(|group| group.values.len());
    let sizes: Vec<usize> = sizes.collect();
    let mut optimizer = Optimizer::new(
        OptimizerKind::AdamW,
        sizes.iter().map(|&size| (size, 0.1)),
        false,
    );
    let mut gradients: Vec<Vec<f32>> = sizes.iter().map(|&size| vec![0.0; size]).collect();
    let (rates, momenta) = (vec![0.01; sizes.len()], vec![0.9; sizes.len()]);
    let mut numbers = Vec::new();
    for batch in 0..4 {
        let rows: Vec<u32> = (0..11).map(|row| 11 * batch + row).collect();
        let share = Share {
            batch: batch.into(),
            of_step: 0.5,
            adds: batch % 2 == 1,
            ..WHOLE
        };
        let batch = Batch {
            rows: &rows,
            features: &features,
            targets: &targets,
        };
        numbers.push(network.learn(batch, &aim, share, &mut gradients).unwrap());
        if share.adds {
            numbers.extend(gradients.concat());
            optimizer.update(network.groups_mut(), &gradients, &rates, &momenta);
        }
    }
    numbers.extend(network.weights().concat());
    numbers.extend(network.predict(&features).unwrap());
    numbers.into_iter().map(f32::to_bits).collect()
}

/// gemm's choice of instructions is its own, so that all levels have the same products.
#[test]
fn every_kind_of_model_trains_to_the_same_bits_on_every_level() {
    for (model, inputs) in kinds() {
        let (_, _, outputs) = traces::data(inputs);
        let architecture = Architecture {
            model,
            inputs,
            outputs,
        };
        let fresh = || Network::new(architecture.clone(), 0.2, 1);
        let adapting = || {
            let adapter = Adapter {
                rank: 3,
                scale: 0.7,
                keeps_output: false,
            };
            Network::adapting(&fresh(), outputs, adapter, 0.2, 2)
        };
        let whole = || [trained(fresh()), trained(adapting())];
        let expected = at_level(Level::Plain, whole);
        for level in Level::all() {
            let is_same = at_level(level, whole) == expected;
            assert!(is_same, "{level:?}: {architecture:?}");
        }
    }
}
