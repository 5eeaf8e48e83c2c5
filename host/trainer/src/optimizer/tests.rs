use super::{Averages, Optimizer, clip, clips};
use crate::data::Shape;
use crate::kernel::{Activation, Level, at_level};
use crate::model::{Architecture, Group, MlpSettings, ModelSettings, Network};
use attune_plugin_api::OptimizerKind;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A trace made by PyTorch; `tests/golden/make_golden.py` says how.
#[derive(Deserialize)]
struct Golden {
    kind: OptimizerKind,
    weight_decay: f64,
    bias_decay: f64,
    clip: Option<f64>,
    rates: Vec<Vec<f64>>,
    momenta: Vec<f64>,
    trace: Vec<Vec<f64>>,
}

/// Six weights and three biases, as in the script.
fn groups() -> Network {
    let architecture = Architecture {
        model: ModelSettings::Mlp(MlpSettings {
            hidden: vec![],
            activation: Activation::Relu,
            ..MlpSettings::default()
        }),
        inputs: Shape::Row(2),
        outputs: 3,
    };
    let mut network = Network::new(architecture, 0.0, 0);
    let start = |count, phase: f64| {
        (0..count)
            .map(|i| (1.7 * f64::from(i) + phase).sin() as f32)
            .collect()
    };
    network.set_weights(&[start(6, 0.0), start(3, 0.5)]);
    network
}

fn gradient(group: &Group, step: usize) -> Vec<f32> {
    let gradient_of = |(i, &x): (usize, &f32)| {
        let slope = 0.5 + 0.25 * (i % 4) as f64;
        let centre = 0.3 * (2.1 * i as f64 + 0.4 * step as f64).cos();
        (slope * (f64::from(x) - centre)) as f32
    };
    group.values.iter().enumerate().map(gradient_of).collect()
}

#[test]
fn updates_agree_with_pytorch() {
    let text = include_str!("../../tests/golden/optimizers.json");
    let golden: BTreeMap<String, Golden> = serde_json::from_str(text).unwrap();
    assert_eq!(golden.len(), 19);
    for (name, golden) in golden {
        let mut network = groups();
        let sized = [(6, golden.weight_decay), (3, golden.bias_decay)];
        let mut optimizer = Optimizer::new(golden.kind, sized, false);
        for (step, expected) in golden.trace.iter().enumerate() {
            let mut gradients: Vec<Vec<f32>> = network
                .groups()
                .iter()
                .map(|group| gradient(group, step))
                .collect();
            if let Some(longest) = golden.clip
                && let Some(factor) = clips(&gradients, longest)
            {
                clip(&mut gradients, factor);
            }
            let momenta = [golden.momenta[step]; 2];
            optimizer.update(
                network.groups_mut(),
                &gradients,
                &golden.rates[step],
                &momenta,
            );
            let found = network.weights().concat();
            for (found, expected) in found.iter().zip(expected) {
                let difference = (f64::from(*found) - expected).abs();
                assert!(
                    difference < 2e-6,
                    "{name}, step {step}: {found} instead of {expected}"
                );
            }
        }
    }
}

/// With and without directions, and on every processor, to the bit.
#[test]
fn updates_are_the_same_on_every_level() {
    for kind in OptimizerKind::ALL {
        let run = |level, remembers| {
            at_level(level, || {
                let mut network = groups();
                let sized = [(6, 0.1), (3, 0.1)];
                let mut optimizer = Optimizer::new(kind, sized, remembers);
                for step in 0..5 {
                    let of_group = |group| gradient(group, step);
                    let gradients: Vec<Vec<f32>> = network.groups().iter().map(of_group).collect();
                    optimizer.update(network.groups_mut(), &gradients, &[0.1; 2], &[0.9; 2]);
                }
                network.weights()
            })
        };
        let plain = run(Level::Plain, false);
        for level in Level::all() {
            assert_eq!(run(level, true), plain, "{kind:?} {level:?}");
        }
    }
}

#[test]
fn averages_forget_where_they_started_and_follow() {
    let mut network = groups();
    let start = network.weights();
    let mut averages = Averages::of(0.5, network.groups());
    let moved: Vec<Vec<f32>> = start
        .iter()
        .map(|group| group.iter().map(|value| value + 1.0).collect())
        .collect();
    network.set_weights(&moved);
    // The average keeps 2/11 of itself after the first update, and 0.5 after many.
    averages.take(network.groups(), 1);
    let kept = 2.0 / 11.0;
    for steps in [1, 100] {
        let expected = if steps == 1 { kept } else { 0.5 * kept };
        if steps > 1 {
            averages.take(network.groups(), steps);
        }
        for (mean, moved) in averages.values().concat().iter().zip(moved.concat()) {
            assert!((f64::from(moved - mean) - expected).abs() < 1e-6);
        }
    }
    averages.exchange(network.groups_mut());
    // What is no parameter has no average.
    assert_eq!(averages.values(), &moved[..2]);
}

#[test]
fn the_remembered_direction_is_what_moved_the_parameters() {
    for kind in OptimizerKind::ALL {
        let mut network = groups();
        let mut optimizer = Optimizer::new(kind, [(6, 0.0), (3, 0.0)], true);
        assert!(optimizer.direction(0).is_none());
        for step in 0..5 {
            let before = network.weights();
            let gradients: Vec<Vec<f32>> = network
                .groups()
                .iter()
                .map(|group| gradient(group, step))
                .collect();
            optimizer.update(network.groups_mut(), &gradients, &[0.1, 0.2], &[0.9, 0.8]);
            let after = network.weights();
            for (group, rate) in [0.1_f32, 0.2].into_iter().enumerate() {
                let direction = optimizer.direction(group).unwrap();
                for ((before, after), u) in before[group].iter().zip(&after[group]).zip(direction) {
                    assert!(
                        (before - rate * u - after).abs() < 1e-6,
                        "{kind:?} step {step}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_rate_of_nothing_moves_nothing_but_remembers() {
    let mut network = groups();
    let before = network.weights();
    let mut optimizer = Optimizer::new(OptimizerKind::AdamW, [(6, 0.5), (3, 0.0)], true);
    let gradients = vec![vec![1.0; 6], vec![1.0; 3]];
    optimizer.update(network.groups_mut(), &gradients, &[0.0, 0.0], &[0.9, 0.9]);
    assert_eq!(network.weights(), before);
    assert!((optimizer.direction(0).unwrap()[0] - 1.0).abs() < 1e-6);
}
