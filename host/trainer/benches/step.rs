//! Milliseconds a training step, for the network that other libraries were measured with:
//! 64-256-256-10 in batches of 128, one thread; and what a checkpoint of it costs.
//! `cargo bench -p attune-trainer`.

mod common;

use attune_plugin_api::controller::InProcess;
use attune_plugin_api::prelude::*;
use attune_trainer::data::Dataset;
use attune_trainer::metrics::{Metric, Scores};
use attune_trainer::task::{self, Batch, Kind, Parameters, Random, Task};
use attune_trainer::trial::{Checkpoint, Subject, Trial, TrialSettings};
use attune_trainer::{Activation, MlpSettings, ModelSettings, use_one_thread};
use common::{Constant, Failure, Stopwatch, new_trial, rows};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Leaves every rate as it is, and looks at signals: at those of gradients, parameters and updates,
/// or at every reduction of every slot or two.
#[derive(Serialize, Deserialize)]
struct Watching<const ALL: bool> {}

impl<const ALL: bool> Scheduler for Watching<ALL> {
    type Params = Self;

    fn describe() -> Description {
        let none = Description::new("watching", "Looks at signals.");
        let signals: Vec<Signal> = match ALL {
            true => Signal::all().collect(),
            false => of_steps(),
        };
        signals.into_iter().fold(none, Description::signal)
    }

    fn configure(params: Self, _: &Setup) -> Result<Self, Error> {
        Ok(params)
    }
}

/// The loss, how much gradients vary and whether they are finite, and sizes: of gradients before and
/// after clipping, of parameters, and of the proposed update.
fn of_steps() -> Vec<Signal> {
    let sizes = [Signal::norm_sq, Signal::abs_sum, Signal::abs_max];
    let gradients = [Slot::Grad, Slot::RawGrad];
    let of_gradients = gradients
        .into_iter()
        .flat_map(|slot| sizes.map(|size| size(slot)));
    let norms = [Slot::Param, Slot::Update].map(Signal::norm_sq);
    let others = [Signal::Loss, Signal::GradNotFinite, Signal::GradVariance];
    others
        .into_iter()
        .chain(of_gradients)
        .chain(norms)
        .collect()
}

const BATCH: usize = 128;

/// Pairs of trials with and without signals.
const PAIRS: usize = 20;

fn main() -> Result<(), Failure> {
    use_one_thread()?;
    let data = Arc::new(rows(2000, 64, None)?);
    let base = TrialSettings {
        model: ModelSettings::mlp([256, 256]),
        optimizer: OptimizerKind::Sgd,
        batch_size: BATCH,
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
        (
            "with RMSprop",
            with(|s| (s.optimizer, s.lr) = (OptimizerKind::RmsProp, 1e-3)),
        ),
        (
            "with Lion",
            with(|s| (s.optimizer, s.lr) = (OptimizerKind::Lion, 1e-4)),
        ),
        ("with averages", with(|s| s.ema = Some(0.99))),
        (
            "in two batches",
            with(|s| (s.batch_size, s.accumulate) = (64, 2)),
        ),
        ("with AdamW", with(|s| s.optimizer = OptimizerKind::AdamW)),
        ("with clipping", with(|s| s.clip_norm = Some(1.0))),
    ];
    for (name, settings) in cases {
        report(name, measure::<Constant>(&settings, &data)?);
    }
    signals::<false>("with signals of steps", &base, &data)?;
    signals::<true>("with all 129 signals", &base, &data)?;
    around(&base, &data)?;
    let beside = std::thread::scope(|scope| {
        let other = scope.spawn(|| measure::<Constant>(&base, &data));
        (measure::<Constant>(&base, &data), other.join())
    });
    report("beside another trial", beside.0?);
    checkpoints(with(|s| s.optimizer = OptimizerKind::AdamW), &data)
}

/// What it costs to measure signals: pairs of trials, of which either goes first as often.
fn signals<const ALL: bool>(
    name: &str,
    settings: &TrialSettings,
    data: &Arc<Dataset>,
) -> Result<(), Failure> {
    let mut more = Vec::new();
    let mut watching = Vec::new();
    for pair in 0..PAIRS {
        let (without, with) = if pair % 2 == 0 {
            let without = measure::<Constant>(settings, data)?;
            (without, measure::<Watching<ALL>>(settings, data)?)
        } else {
            let with = measure::<Watching<ALL>>(settings, data)?;
            (measure::<Constant>(settings, data)?, with)
        };
        watching.push(with);
        more.push(100.0 * (with / without - 1.0));
    }
    for values in [&mut watching, &mut more] {
        values.sort_by(f64::total_cmp);
    }
    report(name, watching[PAIRS / 2]);
    println!(
        "{:<28} {:+.2}% (quartiles {:+.2}%, {:+.2}%)",
        "which is more by",
        more[PAIRS / 2],
        more[PAIRS / 4],
        more[3 * PAIRS / 4]
    );
    Ok(())
}

/// A task with as many groups as the network, and nothing to do.
struct Idle {
    groups: usize,
}

impl Task for Idle {
    fn name(&self) -> String {
        "idle".into()
    }

    fn fingerprint(&self) -> String {
        format!("idle, {} groups", self.groups)
    }

    fn parameters(&self) -> Vec<Parameters> {
        let group = |index| Parameters::new(format!("g{index}"), Kind::Weight, [1]);
        (0..self.groups).map(group).collect()
    }

    fn start(&self, _: &mut Random) -> Vec<Vec<f32>> {
        vec![vec![1.0]; self.groups]
    }

    fn rows(&self) -> usize {
        BATCH * 10_000
    }

    fn learn(
        &self,
        _: &Batch<'_>,
        _: &[&[f32]],
        _: &mut [&mut [f32]],
    ) -> Result<f32, task::Failure> {
        Ok(1.0)
    }

    fn validate(&self, _: &[&[f32]]) -> Result<Scores, task::Failure> {
        Ok([(Metric::Loss, 1.0)].into_iter().collect())
    }
}

/// What a step costs beside training where no signal is declared: the scheduler's call, the checks
/// of what it says, the report. Too little to be seen in the time of a whole step, it is what a step
/// of a task takes that does nothing, its updates of single numbers included.
fn around(settings: &TrialSettings, data: &Arc<Dataset>) -> Result<(), Failure> {
    let step = measure::<Constant>(settings, data)?;
    let groups = Trial::setup(&settings.clone().check()?, data).groups.len();
    let idle = Subject::task(Idle { groups })?;
    let settings = TrialSettings {
        model: TrialSettings::default().model,
        max_epochs: 1,
        ..settings.clone()
    };
    let mut trial = new_trial::<Constant>(&settings.check()?, &idle)?;
    let started = Instant::now();
    trial.run_until(1, &mut (), &AtomicBool::new(false))?;
    let each = started.elapsed().as_secs_f64() * 1e3 / trial.steps() as f64;
    println!(
        "{:<28} {:.0} ns a step, {:.3}%",
        "beside training, no signal",
        each * 1e6,
        100.0 * each / step
    );
    Ok(())
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

fn report(name: &str, milliseconds: f64) {
    println!("{name:<28} {milliseconds:.3} ms a step");
}

/// The median time of a step, in milliseconds.
fn measure<S: Scheduler>(settings: &TrialSettings, data: &Arc<Dataset>) -> Result<f64, Failure> {
    let mut stopwatch = Stopwatch::new();
    let mut trial = new_trial::<S>(&settings.clone().check()?, data)?;
    trial.run_until(30, &mut stopwatch, &AtomicBool::new(false))?;
    let mut steps = stopwatch.milliseconds();
    steps.sort_by(f64::total_cmp);
    Ok(steps[steps.len() / 2])
}
