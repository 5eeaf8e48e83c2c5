//! Training for a hundred steps, loss by loss against PyTorch.

use super::{PLAIN, WHOLE, shape};
use crate::data::{Features, Shape, Targets};
use crate::model::{Architecture, Batch, Kind, ModelSettings, Network};
use crate::optimizer::Optimizer;
use attune_plugin_api::OptimizerKind;
use serde::Deserialize;

/// The losses before each step; `tests/golden/make_golden.py` says how they were made.
#[derive(Deserialize)]
struct Golden {
    shape: Vec<usize>,
    settings: ModelSettings,
    optimizer: OptimizerKind,
    rate: f64,
    losses: Vec<f64>,
}

const ROWS: usize = 50;
const BATCH: usize = 16;
const CLASSES: usize = 3;

fn scattered(i: usize) -> usize {
    (31 * i * i + 17 * i + 5) % 1021
}

fn spread(i: usize) -> f32 {
    scattered(i) as f32 / 512.0 - 1.0
}

/// What is trained on, and how many numbers are predicted at each place.
pub(super) fn data(inputs: Shape) -> (Features, Targets, usize) {
    if let Shape::Text {
        context,
        vocabulary,
    } = inputs
    {
        let tokens = (0..ROWS + context).map(|i| (scattered(i) % vocabulary) as f32);
        let windows = ROWS.div_ceil(context);
        let features = Features::of_text(context, windows, tokens.collect());
        return (features, Targets::Following, vocabulary);
    }
    let width = inputs.numbers();
    let numbers = (0..ROWS * width).map(|i| 2.0 * spread(i)).collect();
    let labels = (0..ROWS).map(|row| (scattered(row) % CLASSES) as u32);
    let targets = Targets::Classes(labels.collect());
    (Features::of_rows(width, numbers), targets, CLASSES)
}

fn start(network: &mut Network) {
    for group in network.groups_mut() {
        let start = |i| match group.kind {
            Kind::Weight | Kind::Embedding => spread(i) / 2.0,
            Kind::FactorA | Kind::FactorB => unreachable!("no such model adapts a base"),
            Kind::Bias => spread(i) / 8.0,
            Kind::Norm => 1.0 + spread(i) / 4.0,
        };
        group.values = (0..group.values.len()).map(start).collect();
    }
}

#[test]
fn losses_of_a_hundred_steps_agree_with_pytorch() {
    let text = include_str!("../../../tests/golden/traces.json");
    let golden: Vec<Golden> = serde_json::from_str(text).unwrap();
    assert_eq!(golden.len(), 14);
    for golden in golden {
        assert_eq!(golden.losses.len(), 100);
        let what = format!("{:?} {:?}", golden.optimizer, golden.settings);
        let inputs = shape(&golden.shape);
        let (features, targets, outputs) = data(inputs);
        let architecture = Architecture {
            model: golden.settings,
            inputs,
            outputs,
        };
        let mut network = Network::new(architecture, 0.0, 1);
        start(&mut network);
        let groups = network.groups().iter();
        let sized = groups.map(|group| {
            let decay = if group.decays { 0.1 } else { 0.0 };
            (group.values.len(), decay)
        });
        let mut optimizer = Optimizer::new(golden.optimizer, sized, false);
        let groups = network.groups().iter();
        let mut gradients: Vec<Vec<f32>> =
            groups.map(|group| vec![0.0; group.values.len()]).collect();
        let each = |value| vec![value; gradients.len()];
        let (rates, momenta) = (each(golden.rate), each(0.9));
        for (step, expected) in golden.losses.into_iter().enumerate() {
            let rows = (0..BATCH).map(|place| ((BATCH * step + place) % ROWS) as u32);
            let rows: Vec<u32> = rows.collect();
            let batch = Batch {
                rows: &rows,
                features: &features,
                targets: &targets,
            };
            let loss = network.learn(batch, &PLAIN, WHOLE, &mut gradients).unwrap();
            optimizer.update(network.groups_mut(), &gradients, &rates, &momenta);
            let off = (f64::from(loss) / expected - 1.0).abs();
            assert!(off < 1e-4, "{what}, step {step}: {loss} {expected}");
        }
    }
}
