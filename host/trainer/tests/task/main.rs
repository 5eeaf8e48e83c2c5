//! Tasks: what a trial trains that is no network on a dataset.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy does not know that helpers belong to tests"
)]

mod problems;
#[path = "../support/mod.rs"]
mod support;
mod trials;

use attune_plugin_api::prelude::*;
use attune_trainer::artifact::{Artifact, Model};
use attune_trainer::data::{Part, Table};
use attune_trainer::metrics::{Metric, OwnMetric, Scores};
use attune_trainer::task::{
    Batch, Factorisation, FactorisationSettings, Failure, FunctionSettings, Kind, Parameters,
    Random, Shape, Task,
};
use attune_trainer::trial::{
    Cadence, Checkpoint, CheckpointError, Every, Goal, MetricSource, Progress, StartRate, Subject,
    Trial, TrialError, TrialSettings,
};
use std::sync::atomic::AtomicBool;
use support::{Constant, Falling, History, Watchful, blossoms, configured, controller, trial};

static GO: AtomicBool = AtomicBool::new(false);

fn quadratic(condition: f64, noise: f64) -> FunctionSettings {
    FunctionSettings {
        shape: Shape::Quadratic { condition },
        dimensions: 12,
        noise,
        rows: 40,
    }
}

fn rosenbrock(noise: f64) -> FunctionSettings {
    FunctionSettings {
        shape: Shape::Rosenbrock,
        dimensions: 5,
        ..quadratic(1.0, noise)
    }
}

fn matrix() -> FactorisationSettings {
    FactorisationSettings {
        rows: 21,
        columns: 9,
        rank: 3,
        planted: 3,
        ..FactorisationSettings::default()
    }
}

fn function(settings: FunctionSettings) -> Subject {
    Subject::task(settings.check().unwrap()).unwrap()
}

fn factorisation() -> Subject {
    Subject::task(matrix().check().unwrap()).unwrap()
}

/// Plain gradient descent.
fn descent(lr: f64) -> TrialSettings {
    TrialSettings {
        optimizer: OptimizerKind::Sgd,
        momentum: 0.0,
        weight_decay: 0.0,
        lr,
        batch_size: 8,
        max_epochs: 4,
        seed: 5,
        ..TrialSettings::default()
    }
}

fn start(task: &dyn Task) -> Vec<Vec<f32>> {
    task.start(&mut Random::new(3))
}

fn slices(values: &[Vec<f32>]) -> Vec<&[f32]> {
    values.iter().map(Vec::as_slice).collect()
}

fn learn(task: &dyn Task, rows: &[u32], values: &[Vec<f32>]) -> (f32, Vec<Vec<f32>>) {
    let mut gradients: Vec<Vec<f32>> = values.iter().map(|v| vec![0.0; v.len()]).collect();
    let batch = Batch {
        rows,
        number: 7,
        seed: 2,
    };
    let mut places: Vec<&mut [f32]> = gradients.iter_mut().map(Vec::as_mut_slice).collect();
    let loss = task.learn(&batch, &slices(values), &mut places).unwrap();
    (loss, gradients)
}

fn run(trial: &mut Trial, goal: impl Into<Goal>) -> History {
    let mut history = History::default();
    assert_eq!(
        trial.run_until(goal, &mut history, &GO),
        Ok(Progress::Reached)
    );
    history
}
