//! One training run: a network, an optimizer and a scheduler at the wheel.
//!
//! A trial is advanced in pieces, to the end of one epoch or another, and is the same bit for bit
//! however it is cut and whatever runs beside it. Between two pieces it can be put aside
//! ([`Checkpoint`]), forked, and steered by hand.

mod checkpoint;
mod error;
mod nan;
mod plan;
mod settings;
mod steer;
mod steering;
mod telemetry;

pub use checkpoint::{Checkpoint, CheckpointError, StartRate};
pub use error::TrialError;
pub use nan::NanFilter;
pub(crate) use settings::require;
pub use settings::{
    Cadence, CheckedSettings, ClassWeights, Engine, Every, MetricSource, NanPolicy, SettingsError,
    TrialSettings,
};
pub use steer::SteerError;
pub use steering::SteeringStats;
pub use telemetry::{EpochRecord, PluginCall, StepRecord, Telemetry};

use crate::artifact::Model;
use crate::data::{Dataset, Part};
use crate::metrics::{Metric, Scores, Wanted, score};
use crate::model::{Aim, Batch, Network, Share};
use crate::optimizer::{Averages, Optimizer, clip};
use crate::signals::{Moment, Signals};
use attune_plugin_api::{Clock, Controller, Description, Setup};
use plan::Cursor;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use steering::Steering;

/// How far a trial is to be advanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// The end of this epoch, counted from 1; at most the planned last one.
    pub epoch: u32,
    /// No further than this many steps, where something is to be done then. If they end an epoch,
    /// its end is made too.
    pub step: Option<u64>,
}

impl From<u32> for Goal {
    fn from(epoch: u32) -> Self {
        Goal { epoch, step: None }
    }
}

/// How far [`Trial::run_until`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The epoch's end or the step that was asked for, whichever comes first.
    Reached,
    /// Told to stop before; it can go on later.
    Interrupted,
}

/// The best epoch so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The epoch, from 1.
    pub epoch: u32,
    /// Steps made by its end.
    pub step: u64,
    /// The objective's value on the validation rows.
    pub objective: f64,
    /// All metrics on the validation rows.
    pub valid: Scores,
    weights: Vec<Vec<f32>>,
}

/// A training run in memory.
#[derive(Debug)]
pub struct Trial {
    settings: CheckedSettings,
    dataset: Arc<Dataset>,
    objective: Metric,
    aim: Aim,
    network: Network,
    gradients: Vec<Vec<f32>>,
    optimizer: Optimizer,
    averages: Option<Averages>,
    signals: Signals,
    steering: Steering,
    order: Vec<u32>,
    /// Its position is the place in `order` where the next batch begins.
    cursor: Cursor,
    epoch_loss: f64,
    epoch_time: Duration,
    best: Option<Snapshot>,
    failed: Option<TrialError>,
}

impl Trial {
    /// What the scheduler of such a trial is told before the first step; it is made from this.
    pub fn setup(settings: &CheckedSettings, dataset: &Dataset) -> Setup {
        plan::setup(settings, dataset)
    }

    /// A trial before its first step. The controller is one that was configured with
    /// [`Trial::setup`] of the same settings and data.
    ///
    /// # Errors
    /// An objective that this kind of task does not have, a network that is too large, or a signal
    /// that this host cannot measure.
    pub fn new(
        settings: CheckedSettings,
        dataset: Arc<Dataset>,
        controller: Box<dyn Controller>,
    ) -> Result<Trial, TrialError> {
        let objective = plan::checked_objective(&settings, &dataset)?;
        let aim = plan::checked_aim(&settings, &dataset)?;
        let architecture = plan::checked_architecture(&settings, &dataset)?;
        let description = controller.description();
        let setup = Trial::setup(&settings, &dataset);
        let signals = measured(description, setup.groups.len())?;
        let mut network = guarded(0, || {
            Network::new(architecture, settings.dropout, settings.seed)
        })?;
        if settings.engine == Engine::Dfdx {
            network.use_dfdx();
        }
        let groups = network.groups();
        let sized = groups.iter().map(|group| {
            let decay = settings.decay_of(group.kind.group(), group.decays);
            (group.values.len(), decay)
        });
        let directions = Signals::need_direction(&description.signals);
        let optimizer = Optimizer::new(settings.optimizer, sized, directions);
        let averages = settings.ema.map(|decay| Averages::of(decay, groups));
        let gradients = groups.iter().map(|group| vec![0.0; group.values.len()]);
        let due = plan::due(&settings, &dataset, Cursor::default());
        let steering = Steering::new(controller, &settings, due, setup);
        Ok(Trial {
            gradients: gradients.collect(),
            order: (0..dataset.part(Part::Train).rows() as u32).collect(),
            settings,
            dataset,
            objective,
            aim,
            network,
            optimizer,
            averages,
            signals,
            steering,
            cursor: Cursor::default(),
            epoch_loss: 0.0,
            epoch_time: Duration::ZERO,
            best: None,
            failed: None,
        })
    }

    /// Trains to this goal, an epoch's end or a step, on the calling thread. A goal that lies
    /// behind is reached at once. `stop` is looked at before each step.
    ///
    /// # Errors
    /// [`TrialError`]; the same one again if the trial is advanced nevertheless.
    pub fn run_until(
        &mut self,
        goal: impl Into<Goal>,
        telemetry: &mut dyn Telemetry,
        stop: &AtomicBool,
    ) -> Result<Progress, TrialError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let goal = goal.into();
        // A mistake in the arithmetic panics where matrices do not fit together.
        let advanced = catch_unwind(AssertUnwindSafe(|| self.advance(goal, telemetry, stop)));
        let result =
            advanced.unwrap_or_else(|panic| Err(broken(self.cursor.steps, panic_message(&*panic))));
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// Its settings.
    pub fn settings(&self) -> &CheckedSettings {
        &self.settings
    }

    /// What it trains on.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// What is optimised on the validation rows.
    pub fn objective(&self) -> Metric {
        self.objective
    }

    /// Whole epochs made.
    pub fn epochs(&self) -> u32 {
        self.cursor.epochs
    }

    /// Steps made.
    pub fn steps(&self) -> u64 {
        self.cursor.steps
    }

    /// What the scheduler's calls came to.
    pub fn steering(&self) -> SteeringStats {
        self.steering.stats()
    }

    /// The epoch with the best objective so far, the validation loss settling ties; its weights
    /// are what [`Trial::evaluate`] measures and [`Trial::model`] saves. None before the first
    /// epoch's end.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.best.as_ref()
    }

    /// Metrics of the best epoch's weights on a part of the data.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn evaluate(&self, part: Part) -> Result<Scores, TrialError> {
        let samples = self.dataset.part(part);
        let step = self.cursor.steps;
        guarded(step, || {
            let outputs = self.best_network().predict(&samples.features);
            let outputs = outputs.map_err(|error| broken(step, error))?;
            Ok(self.score(&outputs, part, Wanted::All))
        })?
    }

    /// A model of the best epoch's weights. `training` says how it came about, in whatever form
    /// the caller keeps.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn model(&self, training: serde_json::Value) -> Result<Model, TrialError> {
        let test = self.dataset.part(Part::Test);
        let test = match test.rows() {
            0 => Scores::new(),
            _ => self.evaluate(Part::Test)?,
        };
        let network = guarded(self.cursor.steps, || self.best_network())?;
        Ok(Model::of_trial(self, network, test, training))
    }

    fn best_network(&self) -> Network {
        let current;
        let weights = match &self.best {
            Some(best) => &best.weights,
            None => {
                current = self.weights();
                &current
            }
        };
        let mut network = Network::new(self.network.architecture().clone(), 0.0, 0);
        network.set_weights(weights);
        network
    }

    /// What would be kept now: the network's weights, or in their place the averages.
    fn weights(&self) -> Vec<Vec<f32>> {
        let mut weights = self.network.weights();
        let averages = self.averages.iter().flat_map(Averages::values);
        for (place, average) in weights.iter_mut().zip(averages) {
            place.copy_from_slice(average);
        }
        weights
    }

    fn advance(
        &mut self,
        goal: Goal,
        telemetry: &mut dyn Telemetry,
        stop: &AtomicBool,
    ) -> Result<Progress, TrialError> {
        let last_step = goal.step.unwrap_or(u64::MAX);
        while self.cursor.epochs < goal.epoch.min(self.settings.max_epochs) {
            let started = Instant::now();
            if self.cursor.position == 0 {
                self.shuffle_rows();
            }
            while self.cursor.position < self.order.len() {
                if self.cursor.steps >= last_step {
                    self.epoch_time += started.elapsed();
                    return Ok(Progress::Reached);
                }
                if stop.load(Ordering::Relaxed) {
                    self.epoch_time += started.elapsed();
                    return Ok(Progress::Interrupted);
                }
                self.step(telemetry)?;
                // What ends an epoch may show the scheduler its metric yet.
                if self.cursor.position < self.order.len() {
                    telemetry.settled();
                }
            }
            self.end_epoch(telemetry, started)?;
        }
        Ok(Progress::Reached)
    }

    /// The order of the running epoch's rows: from the same start every time, so that it is the
    /// epoch's own.
    fn shuffle_rows(&mut self) {
        let features = &self.dataset.part(Part::Train).features;
        self.order = features.order(self.settings.seed, self.cursor.epochs);
    }

    fn step(&mut self, telemetry: &mut dyn Telemetry) -> Result<(), TrialError> {
        let start = self.cursor.position;
        let end = start.saturating_add(self.settings.step_rows());
        let rows = start..end.min(self.order.len());
        let count = rows.len();
        let loss = self.learn(rows)?;
        if !loss.is_finite() {
            self.report(loss, telemetry);
            return Err(TrialError::Diverged {
                step: self.cursor.steps,
                loss: loss.into(),
            });
        }

        if let Some(longest) = self.settings.clip_norm {
            clip(&mut self.gradients, longest);
        }
        self.signals.measure(&Moment {
            loss,
            groups: self.network.groups(),
            gradients: &self.gradients,
            optimizer: &self.optimizer,
        });
        let clock = self.clock();
        telemetry.entering(PluginCall::Step, clock.step);
        let decided = self.steering.decide(&clock, self.signals.values());
        telemetry.left();
        decided?;
        self.optimizer.update(
            self.network.groups_mut(),
            &self.gradients,
            self.steering.rates(),
            self.steering.momenta(),
        );
        if let Some(averages) = &mut self.averages {
            averages.take(self.network.groups(), self.optimizer.steps());
        }
        self.report(loss, telemetry);

        self.cursor.steps += 1;
        self.cursor.position += count;
        self.epoch_loss += f64::from(loss) * count as f64;
        self.steering.note_loss(loss);
        if self.steering.due_after_step(self.cursor.steps) {
            let metric = match self.steering.source() {
                MetricSource::TrainLoss => self.steering.take_mean_loss(),
                MetricSource::ValidLoss => self.validate()?[&Metric::Loss],
                MetricSource::Objective => self.validate()?[&self.objective],
            };
            self.tell_metric(metric, telemetry)?;
        }
        Ok(())
    }

    /// The mean loss of these places in the order, batch after batch; its gradients are put where
    /// they belong.
    fn learn(&mut self, rows: Range<usize>) -> Result<f32, TrialError> {
        let step = self.cursor.steps;
        let told = |error| broken(step, error);
        let train = self.dataset.part(Part::Train);
        let rows = &self.order[rows];
        let batch_of = |rows| Batch {
            rows,
            features: &train.features,
            targets: &train.targets,
        };
        let first = self.cursor.steps * self.settings.accumulate as u64;
        let mut share = Share {
            seed: self.settings.seed,
            batch: first,
            of_step: 1.0,
            adds: false,
        };
        if rows.len() <= self.settings.batch_size {
            let gradients = &mut self.gradients;
            let learnt = self
                .network
                .learn(batch_of(rows), &self.aim, share, gradients);
            return learnt.map_err(told);
        }
        let all = self.aim.weight(rows, &train.targets);
        let mut loss = 0.0;
        for rows in rows.chunks(self.settings.batch_size) {
            share.of_step = self.aim.weight(rows, &train.targets) / all;
            let gradients = &mut self.gradients;
            let batch = batch_of(rows);
            let mean = self.network.learn(batch, &self.aim, share, gradients);
            loss += share.of_step * f64::from(mean.map_err(told)?);
            share.batch += 1;
            share.adds = true;
        }
        Ok(loss as f32)
    }

    fn end_epoch(
        &mut self,
        telemetry: &mut dyn Telemetry,
        started: Instant,
    ) -> Result<(), TrialError> {
        let rows = self.order.len() as f64;
        let train_loss = self.epoch_loss / rows;
        let valid = self.validate()?;
        self.cursor.position = 0;
        self.epoch_loss = 0.0;
        self.cursor.epochs += 1;

        let objective = valid[&self.objective];
        let best = self.is_best(objective, valid[&Metric::Loss]);
        if best {
            self.best = Some(Snapshot {
                epoch: self.cursor.epochs,
                step: self.cursor.steps,
                objective,
                valid: valid.clone(),
                weights: self.weights(),
            });
        }
        let record = EpochRecord {
            epoch: self.cursor.epochs,
            step: self.cursor.steps,
            train_loss,
            objective,
            best,
            seconds: (self.epoch_time + started.elapsed()).as_secs_f64(),
            valid,
        };
        self.epoch_time = Duration::ZERO;
        telemetry.epoch(&record);

        if self.steering.due_after_epoch(self.cursor.epochs) {
            let metric = match self.steering.source() {
                MetricSource::TrainLoss => self.steering.take_mean_loss(),
                MetricSource::ValidLoss => record.valid[&Metric::Loss],
                MetricSource::Objective => objective,
            };
            self.tell_metric(metric, telemetry)?;
        }
        telemetry.settled();
        Ok(())
    }

    fn tell_metric(
        &mut self,
        metric: f64,
        telemetry: &mut dyn Telemetry,
    ) -> Result<(), TrialError> {
        let clock = self.clock();
        telemetry.entering(PluginCall::Metric, clock.step);
        let told = self.steering.metric(metric, &clock);
        telemetry.left();
        if let Some(shown) = told? {
            telemetry.metric(shown);
        }
        Ok(())
    }

    fn validate(&mut self) -> Result<Scores, TrialError> {
        if let Some(averages) = &mut self.averages {
            averages.exchange(self.network.groups_mut());
        }
        let valid = self.dataset.part(Part::Valid);
        let outputs = self.network.predict(&valid.features);
        if let Some(averages) = &mut self.averages {
            averages.exchange(self.network.groups_mut());
        }
        let outputs = outputs.map_err(|error| broken(self.cursor.steps, error))?;
        let wanted = Wanted::Cheap {
            objective: self.objective,
            others: &self.settings.measure,
        };
        Ok(self.score(&outputs, Part::Valid, wanted))
    }

    fn score(&self, outputs: &[f32], part: Part, wanted: Wanted<'_>) -> Scores {
        let samples = self.dataset.part(part);
        score(
            outputs,
            samples,
            self.dataset.task(),
            self.settings.loss,
            wanted,
        )
    }

    /// Weights whose loss is not finite may still guess some classes right, but are no model.
    fn is_best(&self, objective: f64, loss: f64) -> bool {
        if !loss.is_finite() {
            return false;
        }
        match &self.best {
            None => objective.is_finite(),
            Some(best) if objective == best.objective => loss < best.valid[&Metric::Loss],
            Some(best) => self.objective.is_better(objective, best.objective),
        }
    }

    fn clock(&self) -> Clock {
        self.cursor.clock(self.order.len())
    }

    fn report(&self, loss: f32, telemetry: &mut dyn Telemetry) {
        telemetry.step(&StepRecord {
            step: self.cursor.steps,
            epoch: self.cursor.epochs + 1,
            loss,
            rates: self.steering.rates(),
            momenta: self.steering.momenta(),
            scheduler: self.steering.description(),
            signals: self.signals.values(),
        });
    }
}

/// The signals that a scheduler declared, where this host can measure them.
fn measured(description: &Description, groups: usize) -> Result<Signals, TrialError> {
    Signals::new(&description.signals, groups).map_err(|signal| TrialError::UnknownSignal {
        scheduler: description.name.clone(),
        signal: signal.name(),
    })
}

/// Runs tensor operations, with their panics as errors.
fn guarded<T>(step: u64, work: impl FnOnce() -> T) -> Result<T, TrialError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| broken(step, panic_message(&*panic)))
}

fn broken(step: u64, message: String) -> TrialError {
    TrialError::Broken { step, message }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
