//! One training run: a network or a task, an optimizer and a scheduler at the wheel.
//!
//! A trial is advanced in pieces, to the end of one epoch or another, and is the same bit for bit
//! however it is cut and whatever runs beside it. Between two pieces it can be put aside
//! ([`Checkpoint`]), forked, and steered by hand.

mod checkpoint;
mod error;
mod guard;
mod learner;
mod nan;
mod plan;
mod settings;
mod steer;
mod steering;
mod subject;
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
pub use subject::Subject;
pub use telemetry::{EpochRecord, PluginCall, StepRecord, Telemetry};

use crate::artifact::{Artifact, Model, Solution};
use crate::data::Part;
use crate::metrics::{Metric, Scores};
use crate::model::Share;
use crate::optimizer::{Averages, Optimizer, clip, clips};
use crate::signals::{Kept, Moment, Signals};
use crate::task::Parameters;
use attune_plugin_api::{Clock, Controller, Setup, Signal};
pub(crate) use guard::panic_message;
use guard::{broken, guarded, on_threads};
use learner::Learner;
use plan::Cursor;
use std::borrow::Cow;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    subject: Subject,
    objective: Metric,
    learner: Box<dyn Learner>,
    /// One slice a group; nothing while it rests.
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
    pub fn setup(settings: &CheckedSettings, subject: impl Into<Subject>) -> Setup {
        plan::setup(settings, &subject.into())
    }

    /// Whether there is memory for such a trial, under a scheduler that is shown these signals: told
    /// before any of it is taken. `most` are the bytes that it may take beside its data. Of a task
    /// nothing is known, so it is never refused.
    ///
    /// # Errors
    /// [`TrialError::TooMuchMemory`], or a network that cannot be at all.
    pub fn check_memory(
        settings: &CheckedSettings,
        subject: impl Into<Subject>,
        signals: &[Signal],
        most: u64,
    ) -> Result<(), TrialError> {
        let subject = subject.into();
        let base = subject.base().map(AsRef::as_ref);
        let copies = plan::copies_kept(settings) + Kept::copies(signals);
        match subject.dataset() {
            Some(dataset) => plan::check_memory(settings, dataset, base, copies, most),
            None => Ok(()),
        }
    }

    /// A trial before its first step. The controller is one that was configured with
    /// [`Trial::setup`] of the same settings and data or task.
    ///
    /// # Errors
    /// An objective that this kind of task does not have, a network that is too large, or a setting
    /// that only networks have for something else.
    pub fn new(
        settings: CheckedSettings,
        subject: impl Into<Subject>,
        controller: Box<dyn Controller>,
    ) -> Result<Trial, TrialError> {
        let subject = subject.into();
        let objective = plan::checked_objective(&settings, &subject)?;
        let learner = subject.learner(&settings, objective)?;
        let description = controller.description();
        let setup = Trial::setup(&settings, &subject);
        let groups = learner.groups();
        let signals = Signals::new(&description.signals, groups);
        let sized = groups.iter().map(|group| {
            let decay = settings.decay_of(group.kind.group(), group.decays);
            (group.values.len(), decay)
        });
        let directions = Signals::need_direction(&description.signals);
        let optimizer = Optimizer::new(settings.optimizer, sized, directions);
        let averages = settings.ema.map(|decay| Averages::of(decay, groups));
        let due = plan::due(&settings, &subject, Cursor::default());
        let steering = Steering::new(controller, &settings, due, setup);
        Ok(Trial {
            gradients: vec![Vec::new(); learner.groups().len()],
            order: (0..subject.rows() as u32).collect(),
            settings,
            subject,
            objective,
            learner,
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

    /// Trains to this goal, an epoch's end or a step, on the calling thread, or where
    /// [`use_threads`](crate::use_threads) gave trials several, on those. A goal that lies behind is
    /// reached at once. `stop` is looked at before each step.
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
        let advanced = on_threads(self.settings.engine, || {
            catch_unwind(AssertUnwindSafe(|| self.advance(goal, telemetry, stop)))
        });
        let result =
            advanced.unwrap_or_else(|panic| Err(broken(self.cursor.steps, panic_message(&*panic))));
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// Lets go of all memory that is only for training, as its gradients and what lies between its
    /// layers. It takes that anew where it goes on, and does so as if nothing had been.
    pub fn rest(&mut self) {
        self.gradients.fill(Vec::new());
        self.signals.rest();
        self.learner.rest();
    }

    /// Bytes that it keeps at [rest](Self::rest), beside its data.
    pub fn weight(&self) -> u64 {
        let base = self.subject.base().map(AsRef::as_ref);
        let copies = plan::copies_kept(&self.settings) + Kept::copies(self.steering.signals());
        match self.subject.dataset() {
            Some(dataset) => plan::kept(&self.settings, dataset, base, copies),
            None => {
                let groups = self.learner.groups().iter();
                let numbers: usize = groups.map(|group| group.values.len()).sum();
                (numbers * copies * size_of::<f32>()) as u64
            }
        }
    }

    /// Its settings.
    pub fn settings(&self) -> &CheckedSettings {
        &self.settings
    }

    /// What it trains.
    pub fn subject(&self) -> &Subject {
        &self.subject
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

    /// Metrics of the best epoch's weights on a part of the data. A task shows its validation rows
    /// alone: there is nothing to say of its other parts.
    ///
    /// # Errors
    /// A tensor operation or the task failed.
    pub fn evaluate(&self, part: Part) -> Result<Scores, TrialError> {
        let step = self.cursor.steps;
        let weights = self.best_weights();
        let evaluate = || self.learner.evaluate(&weights, part);
        let scores = guarded(step, || on_threads(self.settings.engine, evaluate))?;
        scores.map_err(|message| self.learner.failure(step, message))
    }

    /// The best epoch's parameters, or before the first epoch's end the current ones: name, shape
    /// and numbers, tensor by tensor.
    pub fn best_parameters(&self) -> Vec<(Parameters, Vec<f32>)> {
        let weights = self.best_weights();
        let groups = self.learner.groups().iter().zip(weights.iter());
        groups
            .flat_map(|(group, values)| {
                group.tensors.iter().map(|tensor| {
                    let parameters = Parameters {
                        decays: group.decays,
                        ..Parameters::new(&tensor.name, group.kind, tensor.shape.as_slice())
                    };
                    (parameters, values[tensor.range.clone()].to_vec())
                })
            })
            .collect()
    }

    /// A model of the best epoch's weights. `training` says how it came about, in whatever form
    /// the caller keeps.
    ///
    /// # Errors
    /// A tensor operation failed; a task is no network that could be saved as a model.
    pub fn model(&self, training: serde_json::Value) -> Result<Model, TrialError> {
        let weights = self.best_weights();
        let network = guarded(self.cursor.steps, || self.learner.network(&weights))?;
        let (network, dataset) = network?;
        let test = match dataset.part(Part::Test).rows() {
            0 => Scores::new(),
            _ => self.evaluate(Part::Test)?,
        };
        Ok(Model::of_trial(self, &dataset, network, test, training))
    }

    /// What the trial leaves: a [model](Trial::model), or the best epoch's parameters of a task.
    ///
    /// # Errors
    /// A tensor operation failed.
    pub fn artifact(&self, training: serde_json::Value) -> Result<Artifact, TrialError> {
        let Some(task) = self.subject.named_task() else {
            let model = self.model(training)?;
            return Ok(Artifact::Model(Box::new(model)));
        };
        let weights = self.best_weights();
        let groups = self.learner.groups().iter().zip(weights.iter());
        let groups = groups.map(|(group, values)| (group.tensors.clone(), values.clone()));
        let solution = Solution::of_trial(self, task, groups.collect(), training);
        Ok(Artifact::Solution(Box::new(solution)))
    }

    fn best_weights(&self) -> Cow<'_, [Vec<f32>]> {
        match &self.best {
            Some(best) => Cow::Borrowed(&best.weights),
            None => Cow::Owned(self.weights()),
        }
    }

    /// What would be kept now: the parameters, or in their place the averages, group after group,
    /// and last what is no parameter.
    fn weights(&self) -> Vec<Vec<f32>> {
        let groups = self.learner.groups().iter().map(|group| &group.values);
        let buffers = &self.learner.buffers().values;
        let mut weights: Vec<_> = groups.chain([buffers]).cloned().collect();
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
        for (gradient, group) in self.gradients.iter_mut().zip(self.learner.groups()) {
            gradient.resize(group.values.len(), 0.0);
        }
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
        self.order = self.learner.order(self.settings.seed, self.cursor.epochs);
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

        if let Some(longest) = self.settings.clip_norm
            && let Some(factor) = clips(&self.gradients, longest)
        {
            self.signals.before_clipping(&self.gradients);
            clip(&mut self.gradients, factor);
        }
        self.signals.measure(&Moment {
            loss,
            rows: count,
            groups: self.learner.groups(),
            gradients: &self.gradients,
            optimizer: &self.optimizer,
            momenta: self.steering.momenta(),
        });
        let clock = self.clock();
        telemetry.entering(PluginCall::Step, clock.step);
        let decided = self.steering.decide(&clock, self.signals.values());
        telemetry.left();
        decided?;
        self.optimizer.update(
            self.learner.groups_mut(),
            &self.gradients,
            self.steering.rates(),
            self.steering.momenta(),
        );
        self.signals.after_update(&mut self.gradients);
        let projected = self.learner.project();
        projected.map_err(|message| self.learner.failure(clock.step, message))?;
        if let Some(averages) = &mut self.averages {
            averages.take(self.learner.groups(), self.optimizer.steps());
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
        let rows = &self.order[rows];
        let mut share = Share {
            seed: self.settings.seed,
            batch: step * self.settings.accumulate as u64,
            of_step: 1.0,
            adds: false,
        };
        let (learner, gradients) = (&mut self.learner, &mut self.gradients);
        if rows.len() <= self.settings.batch_size {
            let learnt = learner.learn(rows, share, gradients);
            return learnt.map_err(|message| learner.failure(step, message));
        }
        let all = learner.weight(rows);
        let mut loss = 0.0;
        for rows in rows.chunks(self.settings.batch_size) {
            share.of_step = learner.weight(rows) / all;
            self.signals.before_batch(gradients);
            let learnt = learner.learn(rows, share, gradients);
            let mean = learnt.map_err(|message| learner.failure(step, message))?;
            self.signals.after_batch(gradients, share.of_step);
            loss += share.of_step * f64::from(mean);
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
            averages.exchange(self.learner.groups_mut());
        }
        let scores = self.learner.validate();
        if let Some(averages) = &mut self.averages {
            averages.exchange(self.learner.groups_mut());
        }
        scores.map_err(|message| self.learner.failure(self.cursor.steps, message))
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
