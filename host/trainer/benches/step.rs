//! Milliseconds a training step, for the network that other libraries were measured with:
//! 64-256-256-10 in batches of 128, one thread; and what a checkpoint of it costs.
//! `cargo bench -p attune-trainer`.

use attune_plugin_api::controller::InProcess;
use attune_plugin_api::prelude::*;
use attune_trainer::data::{DataOptions, Dataset, Table};
use attune_trainer::trial::{
    CheckedSettings, Checkpoint, EpochRecord, StepRecord, Telemetry, Trial, TrialSettings,
};
use attune_trainer::{Activation, MlpSettings, ModelSettings, use_one_thread};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Leaves every rate as it is.
#[derive(Serialize, Deserialize)]
struct Constant {}

impl Scheduler for Constant {
    type Params = Constant;

    fn describe() -> Description {
        Description::new("constant", "Leaves every rate as it is.")
    }

    fn configure(params: Constant, _: &Setup) -> Result<Self, Error> {
        Ok(params)
    }
}

/// The same, looking at every signal.
#[derive(Serialize, Deserialize)]
struct Watching {}

impl Scheduler for Watching {
    type Params = Watching;

    fn describe() -> Description {
        let none = Description::new("watching", "Looks at every signal.");
        Signal::ALL.into_iter().fold(none, Description::signal)
    }

    fn configure(params: Watching, _: &Setup) -> Result<Self, Error> {
        Ok(params)
    }
}

/// Notes when each step ended.
struct Stopwatch(Vec<Instant>);

impl Telemetry for Stopwatch {
    fn step(&mut self, _: &StepRecord<'_>) {
        self.0.push(Instant::now());
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    use_one_thread()?;
    let data = Arc::new(images()?);
    let base = TrialSettings {
        model: ModelSettings::mlp([256, 256]),
        optimizer: OptimizerKind::Sgd,
        batch_size: 128,
        max_epochs: 30,
        lr: 0.01,
        ..TrialSettings::default()
    };
    let with = |change: fn(&mut TrialSettings)| {
        let mut settings = base.clone();
        change(&mut settings);
        settings
    };
    let cases = [
        ("SGD with momentum, ReLU", base.clone()),
        ("with dropout .2", with(|s| s.dropout = 0.2)),
        ("with GELU", with(|s| s.model = activated(Activation::Gelu))),
        ("with tanh", with(|s| s.model = activated(Activation::Tanh))),
        ("with AdamW", with(|s| s.optimizer = OptimizerKind::AdamW)),
        ("with clipping", with(|s| s.clip_norm = Some(1.0))),
    ];
    for (name, settings) in cases {
        report(name, measure::<Constant>(&settings, &data)?);
    }
    report("with every signal", measure::<Watching>(&base, &data)?);
    let beside = std::thread::scope(|scope| {
        let other = scope.spawn(|| measure::<Constant>(&base, &data));
        (measure::<Constant>(&base, &data), other.join())
    });
    report("beside another trial", beside.0?);
    checkpoints(with(|s| s.optimizer = OptimizerKind::AdamW), &data)
}

/// What it costs to put such a trial aside and to take it up again, both in memory.
fn checkpoints(settings: TrialSettings, data: &Arc<Dataset>) -> Result<(), Failure> {
    let settings = settings.check()?;
    let mut trial = new_trial::<Constant>(&settings, data)?;
    trial.run_until(1, &mut (), &AtomicBool::new(false))?;
    let bytes = trial.checkpoint()?;
    let make = median(|| trial.checkpoint().map(drop))?;
    let restore = median(|| -> Result<(), Failure> {
        let setup = Checkpoint::peek(&bytes)?.setup().clone();
        let controller = InProcess::<Constant>::configure(&BTreeMap::new(), &setup)?;
        Trial::restore(settings.clone(), data.clone(), Box::new(controller), &bytes)?;
        Ok(())
    })?;
    let size = bytes.len() as f64 / 1e6;
    println!("a checkpoint of {size:.2} MB     {make:.2} ms to make, {restore:.2} ms to restore");
    Ok(())
}

fn activated(activation: Activation) -> ModelSettings {
    ModelSettings::Mlp(MlpSettings {
        hidden: vec![256, 256],
        activation,
        ..MlpSettings::default()
    })
}

/// The median time of fifty, in milliseconds.
fn median<E: Into<Failure>>(mut work: impl FnMut() -> Result<(), E>) -> Result<f64, Failure> {
    let mut milliseconds = Vec::new();
    for _ in 0..50 {
        let started = Instant::now();
        work().map_err(Into::into)?;
        milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(milliseconds[milliseconds.len() / 2])
}

fn new_trial<S: Scheduler>(
    settings: &CheckedSettings,
    data: &Arc<Dataset>,
) -> Result<Trial, Failure> {
    let setup = Trial::setup(settings, data);
    let controller = InProcess::<S>::configure(&BTreeMap::new(), &setup)?;
    Ok(Trial::new(
        settings.clone(),
        data.clone(),
        Box::new(controller),
    )?)
}

fn report(name: &str, milliseconds: f64) {
    println!("{name:<28} {milliseconds:.3} ms a step");
}

/// The median time of a step, in milliseconds.
fn measure<S: Scheduler>(settings: &TrialSettings, data: &Arc<Dataset>) -> Result<f64, Failure> {
    let mut stopwatch = Stopwatch(Vec::new());
    let mut trial = new_trial::<S>(&settings.clone().check()?, data)?;
    trial.run_until(30, &mut stopwatch, &AtomicBool::new(false))?;
    let pairs = stopwatch.0.windows(2);
    let mut steps: Vec<f64> = pairs
        .map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3)
        .collect();
    steps.sort_by(f64::total_cmp);
    Ok(steps[steps.len() / 2])
}

/// 64 numbers a row and ten classes.
fn images() -> Result<Dataset, Failure> {
    let mut text: String = (0..64).map(|column| format!("p{column},")).collect();
    text.push_str("digit\n");
    for row in 0..2000_u32 {
        for column in 0..64_u32 {
            let pixel = (row % 10 + 1).wrapping_mul(column * 2_654_435 + 1) % 13
                + (row * 31 + column * 17) % 5;
            let _ = write!(text, "{pixel},");
        }
        let _ = writeln!(text, "{}", row % 10);
    }
    let table = Table::parse("images.csv", text.as_bytes())?;
    Ok(Dataset::prepare(&table, &DataOptions::of_target("digit"))?)
}
