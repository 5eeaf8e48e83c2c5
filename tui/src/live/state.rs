//! What is known of a running study.

use crate::text::{clean, width};
use attune_protocol::{Event, StudySummary, TrialSummary};
use std::collections::VecDeque;
use std::time::Duration;

/// What is known of a running study, from its events so far.
#[derive(Debug, Clone, Default)]
pub struct LiveState {
    study: Option<StudySummary>,
    best: Option<TrialSummary>,
    running: Vec<RunningTrial>,
    budget: Option<Duration>,
    elapsed: Duration,
    ended: bool,
    /// Counts epochs, so that it can be told which trials moved last.
    tick: u64,
    id_columns: usize,
    scheduler_columns: usize,
}

/// A trial that trains.
#[derive(Debug, Clone)]
pub(crate) struct RunningTrial {
    pub(crate) id: String,
    pub(crate) scheduler: String,
    pub(crate) epoch: u32,
    pub(crate) max_epochs: u32,
    pub(crate) rate: Option<f64>,
    /// The objective at the latest epochs, oldest first.
    pub(crate) values: VecDeque<f64>,
    /// When it last moved, in the state's own count.
    pub(crate) moved: u64,
    /// The first epoch that was heard of, and when that was; and when the latest was.
    since: Option<(u32, Duration)>,
    heard: Duration,
}

/// As many values as the widest spark line can show.
const VALUES_KEPT: usize = 64;

/// Columns that most trial ids and the longest of our schedulers' names take.
const USUAL_ID: usize = 6;
const USUAL_SCHEDULER: usize = 13;

/// Names beyond this many columns are not aligned to.
pub(super) const WIDEST_NAME: usize = 16;

impl LiveState {
    /// The state before a study that may take `budget`, if that is limited.
    pub fn new(budget: Option<Duration>) -> Self {
        LiveState {
            budget,
            id_columns: USUAL_ID,
            scheduler_columns: USUAL_SCHEDULER,
            ..LiveState::default()
        }
    }

    /// Takes an event in.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::StudyStarted { study } => self.study = Some(study.clone()),
            Event::StudyEnded { study } => {
                self.study = Some(study.clone());
                self.running.clear();
                self.ended = true;
            }
            Event::TrialStarted { trial } => {
                self.remember_names(trial);
                self.tick += 1;
                let moved = self.tick;
                let known = self.running_trial(&trial.id);
                known.scheduler.clone_from(&trial.scheduler);
                known.max_epochs = trial.max_epochs;
                known.epoch = known.epoch.max(trial.epochs);
                known.moved = moved;
            }
            Event::Epoch(progress) => {
                let value = self.study.as_mut().and_then(|study| {
                    study.count_epoch(progress);
                    progress.objective(&study.metric)
                });
                self.tick += 1;
                let (moved, now) = (self.tick, self.elapsed);
                let trial = self.running_trial(&progress.trial);
                trial.epoch = progress.epoch;
                trial.since.get_or_insert((progress.epoch, now));
                trial.heard = now;
                trial.rate = Some(progress.rate.0);
                trial.moved = moved;
                if let Some(value) = value {
                    if trial.values.len() == VALUES_KEPT {
                        trial.values.pop_front();
                    }
                    trial.values.push_back(value);
                }
            }
            Event::TrialEnded { trial, study } => {
                self.remember_names(trial);
                self.running.retain(|running| running.id != trial.id);
                if study.best_trial.as_deref() == Some(trial.id.as_str()) {
                    self.best = Some(trial.clone());
                }
                self.study = Some(study.clone());
            }
            Event::Warning { .. } | Event::TrialChanged { .. } | Event::StudyRemoved { .. } => {}
            Event::StudyChanged { study } => self.study = Some(study.clone()),
        }
    }

    /// Moves the clock, which counts from the study's start.
    pub fn set_elapsed(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
    }

    pub(crate) fn study(&self) -> Option<&StudySummary> {
        self.study.as_ref()
    }

    /// The best trial, where its end has been seen.
    pub(crate) fn best(&self) -> Option<&TrialSummary> {
        let id = self.study.as_ref()?.best_trial.as_ref()?;
        self.best.as_ref().filter(|best| best.id == *id)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    pub(crate) fn budget(&self) -> Option<Duration> {
        self.budget
    }

    /// The running trials in the order they started.
    pub(crate) fn running(&self) -> &[RunningTrial] {
        &self.running
    }

    /// Columns that trial ids and scheduler names take. They only grow, so that lines written
    /// earlier stay in line with later ones as far as that can be known.
    pub(crate) fn name_columns(&self) -> (usize, usize) {
        (self.id_columns, self.scheduler_columns)
    }

    /// The part that is done, 0 to 1: of the trials or of the time, whichever ends sooner.
    pub(crate) fn fraction(&self) -> f64 {
        if self.ended {
            return 1.0;
        }
        let trials = self.study.as_ref().map_or(0.0, |study| {
            let begun: f64 = self.running.iter().map(RunningTrial::fraction).sum();
            match study.trials.planned {
                0 => 0.0,
                planned => (f64::from(study.trials.ended()) + begun) / f64::from(planned),
            }
        });
        let time = self.budget.map_or(0.0, |budget| {
            self.elapsed.as_secs_f64() / budget.as_secs_f64().max(1e-9)
        });
        trials.max(time).min(1.0)
    }

    /// The time left, guessed from the part done so far. Too little done gives no guess.
    pub(crate) fn left(&self) -> Option<Duration> {
        let fraction = self.fraction();
        if self.ended || self.elapsed < Duration::from_secs(2) || fraction < 0.02 {
            return None;
        }
        let by_share = self.elapsed.as_secs_f64() * (1.0 - fraction) / fraction;
        // Where most trials are stopped early, those that are left take longer than their share: one
        // of them trains to its end.
        let to_an_end = self.running.iter().filter_map(RunningTrial::left);
        let to_an_end = to_an_end.reduce(f64::min).unwrap_or(0.0);
        let left = Duration::try_from_secs_f64(by_share.max(to_an_end)).ok()?;
        let left = match self.budget {
            Some(budget) => left.min(budget.saturating_sub(self.elapsed)),
            None => left,
        };
        (left >= Duration::from_secs(1)).then_some(left)
    }

    fn running_trial(&mut self, id: &str) -> &mut RunningTrial {
        // An epoch may be the first that is heard of a trial, where its start was missed.
        let place = match self.running.iter().position(|trial| trial.id == id) {
            Some(place) => place,
            None => {
                self.running.push(RunningTrial {
                    id: id.to_owned(),
                    scheduler: String::new(),
                    epoch: 0,
                    max_epochs: 0,
                    rate: None,
                    values: VecDeque::new(),
                    moved: 0,
                    since: None,
                    heard: Duration::ZERO,
                });
                self.running.len() - 1
            }
        };
        &mut self.running[place]
    }

    fn remember_names(&mut self, trial: &TrialSummary) {
        let columns = |name: &str| width(&clean(name)).min(WIDEST_NAME);
        self.id_columns = self.id_columns.max(columns(&trial.id));
        self.scheduler_columns = self.scheduler_columns.max(columns(&trial.scheduler));
    }
}

impl RunningTrial {
    /// Seconds until its last epoch, at the pace so far.
    fn left(&self) -> Option<f64> {
        let (first, since) = self.since?;
        let trained = f64::from(self.epoch.checked_sub(first)?);
        let pace = self.heard.saturating_sub(since).as_secs_f64() / trained;
        let left = pace * f64::from(self.max_epochs.saturating_sub(self.epoch));
        left.is_finite().then_some(left)
    }

    /// The part of its epochs that it has trained, 0 to 1.
    pub(crate) fn fraction(&self) -> f64 {
        match self.max_epochs {
            0 => 0.0,
            most => (f64::from(self.epoch) / f64::from(most)).min(1.0),
        }
    }
}
