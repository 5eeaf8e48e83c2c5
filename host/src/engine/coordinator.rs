//! The coordinator: the one loop that runs a study.

use super::message::{Content, End, Job, Piece, Report};
use super::worker::Workshop;
use super::{Audience, record};
use crate::study::space::StudySpace;
use crate::study::spec::{FidelitySpec, Method, StudySpec};
use crate::{clock, convert};
use anyhow::{Context, bail};
use attune_protocol::{Event, Number, Progress, StudySummary, TrialSummary};
use attune_search::conductor::{Conductor, Next, Order, Outcome, Ruling, Settings, Verdict};
use attune_search::fidelity::{AshaSettings, FidelityPolicy, Full};
use attune_search::searcher::{Random, Searcher, Sobol};
use attune_search::stream::{Purpose, stream};
use attune_search::{Direction, TrialNumber};
use attune_store::{
    Batch, PluginBuild, Store, StudyId, StudyRecord, StudyState, TrialId, TrialRecord, TrialState,
};
use rand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU16, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{self, Instant, MissedTickBehavior};

/// Reports that wait for the coordinator; a worker that finds the queue full waits with training.
/// Few, because all of them must be stored before a study that was told to stop has stopped.
const REPORTS: usize = 8;

/// How often the audience is told that time passes.
const TICK: Duration = Duration::from_millis(100);

/// How long workers have to lay down their work once they were told to. A step takes milliseconds.
const LAY_DOWN: Duration = Duration::from_millis(1_500);

/// Everything a study needs to be run.
pub(crate) struct Plan {
    pub(crate) spec: StudySpec,
    pub(crate) space: StudySpace,
    /// The objective, such as `accuracy`, and which way it is better.
    pub(crate) metric: String,
    pub(crate) direction: Direction,
    /// Trials at the same time.
    pub(crate) parallel: usize,
    /// What was done to the data, a sentence each.
    pub(crate) notes: Vec<String>,
    /// Which build of which library holds each scheduler.
    pub(crate) builds: BTreeMap<String, PluginBuild>,
}

/// Somebody asked to stop: why, once they did.
pub(crate) type Interrupt = watch::Receiver<Option<String>>;

/// How a study ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) study: StudyId,
    /// The best trial whose model can be saved.
    pub(crate) best: Option<TrialNumber>,
    /// Why it ended before its plan, where it did.
    pub(crate) cut: Option<Cut>,
}

/// Why a study ended before its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Somebody asked for it.
    Interrupted(String),
    /// Its time was up.
    Budget,
}

/// A running study.
pub(crate) struct Coordinator<'a> {
    store: &'a Store,
    audience: &'a mut dyn Audience,
    workshop: Arc<Workshop>,
    reports: mpsc::Receiver<Report>,
    reporter: mpsc::Sender<Report>,
    plan: Plan,
    conductor: Conductor,
    study: StudyId,
    record: StudyRecord,
    trials: BTreeMap<TrialNumber, TrialRecord>,
    /// What was reported of trials whose turn to be decided has not come.
    undecided: BTreeMap<TrialNumber, Outcome>,
    best: Option<(TrialNumber, f64)>,
    /// Jobs that are out.
    out: usize,
    cut: Option<Cut>,
    /// What is to be stored, and then told, next.
    batch: Batch,
    /// The trials whose steps the batch already appends to.
    appended: BTreeSet<TrialNumber>,
    events: Vec<Event>,
    /// Schedulers whose warnings the audience has heard of.
    warned_of: BTreeSet<String>,
}

impl<'a> Coordinator<'a> {
    /// Stores the study and stands ready to run it.
    pub(crate) fn new(
        plan: Plan,
        workshop: Arc<Workshop>,
        store: &'a Store,
        audience: &'a mut dyn Audience,
    ) -> anyhow::Result<Self> {
        let conductor = conductor(&plan)?;
        let record = StudyRecord {
            name: plan.spec.name.clone(),
            state: StudyState::Running,
            spec: plan.spec.text.clone(),
            seed: plan.spec.seed,
            metric: plan.metric.clone(),
            direction: match plan.direction {
                Direction::Minimize => attune_store::Direction::Minimize,
                Direction::Maximize => attune_store::Direction::Maximize,
            },
            planned_trials: plan.spec.planned_trials(),
            notes: plan.notes.clone(),
            created_unix_ms: clock::unix_ms(),
            ended_unix_ms: None,
            attune_version: env!("CARGO_PKG_VERSION").into(),
        };
        let study = store
            .create_study(&record)
            .context("cannot store the study")?;
        let (reporter, reports) = mpsc::channel(REPORTS);
        Ok(Coordinator {
            store,
            audience,
            workshop,
            reports,
            reporter,
            plan,
            conductor,
            study,
            record,
            trials: BTreeMap::new(),
            undecided: BTreeMap::new(),
            best: None,
            out: 0,
            cut: None,
            batch: Batch::new(),
            appended: BTreeSet::new(),
            events: Vec::new(),
            warned_of: BTreeSet::new(),
        })
    }

    /// Runs the study to its end, or until it is cut: every trial has then ended and is stored. An
    /// error stops the workers and leaves the study as it was stored last; whoever opens the store
    /// next finds it interrupted.
    pub(crate) async fn run(mut self, interrupt: Interrupt) -> anyhow::Result<Ending> {
        if let Err(error) = self.conduct(interrupt).await {
            self.workshop.stop();
            return Err(error);
        }
        self.finish()
    }

    async fn conduct(&mut self, mut interrupt: Interrupt) -> anyhow::Result<()> {
        let deadline = self.plan.spec.budget.map(|budget| Instant::now() + budget);
        let mut ticks = time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.events.push(Event::StudyStarted {
            study: self.summary(),
        });
        let (parallel, width) = (self.plan.parallel, self.plan.spec.virtual_width as usize);
        if self.plan.spec.reproducible && parallel > 2 && parallel * 4 > width {
            let message = format!(
                "{parallel} trials at a time share {width} virtual workers, so some will wait; set \
                 `virtual_width = {}` (another study), or `reproducible = false`",
                parallel * 4
            );
            self.events.push(Event::Warning { message });
        }
        self.commit()?;
        let mut give_up_at = None;
        loop {
            if self.cut.is_none() {
                self.hand_out()?;
            }
            if self.out == 0 {
                break;
            }
            tokio::select! {
                Some(report) = self.reports.recv() => self.take(report)?,
                why = asked_to_stop(&mut interrupt), if self.cut.is_none() => {
                    self.lay_down(Cut::Interrupted(why));
                    give_up_at = Some(Instant::now() + LAY_DOWN);
                }
                () = until(deadline), if self.cut.is_none() => {
                    self.lay_down(Cut::Budget);
                    give_up_at = Some(Instant::now() + LAY_DOWN);
                }
                () = until(give_up_at) => break,
                _ = ticks.tick() => self.audience.tick(),
            }
        }
        Ok(())
    }

    /// Gives out segments while there are threads for them.
    fn hand_out(&mut self) -> anyhow::Result<()> {
        while self.out < self.plan.parallel {
            let Next::Run(segment) = self.conductor.next_segment() else {
                break;
            };
            let trial = segment.trial;
            let config = self.plan.space.complete(&segment.config);
            let seed = trial_seed(self.plan.spec.seed, trial);
            if segment.from_epoch == 0 {
                let scheduler = config.get(crate::study::settings::name::SCHEDULER);
                let build = scheduler
                    .and_then(|s| self.plan.builds.get(&s.to_string()))
                    .cloned();
                let max_epochs = self.plan.spec.fidelity.max_epochs;
                let record = record::begun(&config, seed, max_epochs, build);
                self.trials.insert(trial, record);
                self.put(trial)?;
                let trial = self.trial_summary(trial)?;
                self.events.push(Event::TrialStarted { trial });
                self.commit()?;
            }
            self.out += 1;
            let job = Job {
                trial,
                config,
                seed,
                until_epoch: u32::try_from(segment.until_epoch).unwrap_or(u32::MAX),
            };
            let (workshop, reporter) = (Arc::clone(&self.workshop), self.reporter.clone());
            tokio::task::spawn_blocking(move || workshop.work(&job, &reporter));
        }
        Ok(())
    }

    /// Takes a report and others that have arrived, so that they share one write. As many as the
    /// queue holds and no more: those who report fast must not keep the loop from hearing others.
    fn take(&mut self, first: Report) -> anyhow::Result<()> {
        self.take_one(first)?;
        for _ in 0..REPORTS {
            let Ok(report) = self.reports.try_recv() else {
                break;
            };
            self.take_one(report)?;
        }
        self.commit()
    }

    fn take_one(&mut self, Report { trial, content }: Report) -> anyhow::Result<()> {
        match content {
            Content::Warnings(warnings) => self.warn(trial, warnings),
            Content::Piece(piece) => self.grow(trial, piece),
            Content::Ended(end) => {
                self.out -= 1;
                self.end_segment(trial, end)
            }
        }
    }

    /// Keeps a trial's warnings, and tells the first one of each scheduler at once: others are seen
    /// with the trial.
    fn warn(&mut self, trial: TrialNumber, warnings: Vec<String>) -> anyhow::Result<()> {
        let first = warnings.first().cloned();
        self.trial_mut(trial)?.warnings = warnings;
        if let Some(warning) = first {
            let TrialSummary { id, scheduler, .. } = self.trial_summary(trial)?;
            if self.warned_of.insert(scheduler.clone()) {
                let message = format!("trial {id} ({scheduler}): {warning}");
                self.events.push(Event::Warning { message });
            }
        }
        Ok(())
    }

    fn grow(&mut self, trial: TrialNumber, piece: Piece) -> anyhow::Result<()> {
        let objective = convert::on_valid(&self.record.metric);
        record::grow(self.trial_mut(trial)?, &piece, &objective);
        self.put(trial)?;
        // A batch appends to a trial's steps once.
        if !self.appended.insert(trial) {
            self.commit()?;
            self.appended.insert(trial);
        }
        let id = self.id(trial)?;
        let mut batch = std::mem::take(&mut self.batch);
        for epoch in &piece.epochs {
            batch = batch.put_epoch(id, epoch.epoch, &epoch.metrics);
            self.events.push(Event::Epoch(Progress {
                trial: id.to_string(),
                epoch: epoch.epoch,
                step: epoch.step,
                metrics: convert::metrics(&epoch.metrics),
                rate: Number(epoch.rate),
            }));
        }
        self.batch = batch.append_steps(id, piece.steps);
        Ok(())
    }

    /// Hands the conductor what came of a segment, and carries out what it decides.
    fn end_segment(&mut self, trial: TrialNumber, end: End) -> anyhow::Result<()> {
        let record = self.trial_mut(trial)?;
        let epoch = u64::from(record.epochs);
        let outcome = match end {
            // Kept as it is; `finish` marks it.
            End::Interrupted => return Ok(()),
            End::Reached => {
                let value = self.value(trial).unwrap_or(f64::NAN);
                Outcome::Reached { epoch, value }
            }
            End::Diverged { reason } => {
                record.reason = Some(reason);
                Outcome::Diverged { epoch }
            }
            End::Failed { reason } => {
                record.reason = Some(reason);
                Outcome::Failed
            }
        };
        self.undecided.insert(trial, outcome);
        if self.cut.is_some() {
            // Decisions after a cut would depend on what happened to be done by then.
            return Ok(());
        }
        for verdict in self.conductor.report(trial, outcome)? {
            self.carry_out(verdict)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, verdict: Verdict) -> anyhow::Result<()> {
        let trial = verdict.trial;
        self.undecided.remove(&trial);
        let reason = self.trial_mut(trial)?.reason.take();
        let (state, reason) = match verdict.ruling {
            Ruling::Continue => return Ok(()),
            Ruling::Completed => (TrialState::Done, reason),
            Ruling::Stop => (
                TrialState::Stopped,
                Some(format!(
                    "not among the best at epoch {}",
                    self.trial_mut(trial)?.epochs
                )),
            ),
            Ruling::Diverged => (TrialState::Diverged, reason),
            Ruling::Failed => (TrialState::Failed, reason),
        };
        self.end_trial(trial, state, reason)
    }

    fn end_trial(
        &mut self,
        trial: TrialNumber,
        state: TrialState,
        reason: Option<String>,
    ) -> anyhow::Result<()> {
        record::end(self.trial_mut(trial)?, state, reason);
        let value = self.value(trial);
        let beaten = |value: f64| match self.best {
            None => !value.is_nan(),
            // Of equals the lower number counts, whichever ended first.
            Some((held, best)) => {
                self.plan.direction.better(value, best) || (value == best && trial < held)
            }
        };
        match value.filter(|value| beaten(*value)) {
            // What was lost with its worker cannot be saved, so the best of the others is.
            Some(value) if self.workshop.keep(trial) => self.best = Some((trial, value)),
            _ => self.workshop.discard(trial),
        }
        self.put(trial)?;
        let (trial, study) = (self.trial_summary(trial)?, self.summary());
        self.events.push(Event::TrialEnded { trial, study });
        Ok(())
    }

    fn lay_down(&mut self, cut: Cut) {
        self.cut = Some(cut);
        self.workshop.stop();
    }

    /// Ends every trial that has not, and the study.
    fn finish(mut self) -> anyhow::Result<Ending> {
        // Nothing is out, or it was given up; what has arrived is taken all the same.
        self.reports.close();
        for _ in 0..REPORTS {
            let Ok(report) = self.reports.try_recv() else {
                break;
            };
            self.take_one(report)?;
        }
        let why = match &self.cut {
            None => None,
            Some(Cut::Budget) => Some("the time budget was spent".to_owned()),
            Some(Cut::Interrupted(why)) => Some(why.clone()),
        };
        let max_epochs = self.plan.spec.fidelity.max_epochs;
        let open: Vec<TrialNumber> = self
            .trials
            .iter()
            .filter(|(_, record)| record.state == TrialState::Running)
            .map(|(trial, _)| *trial)
            .collect();
        for trial in open {
            // One that ended by itself has its own end, though nobody came to decide on it.
            let own = self.trial_mut(trial)?.reason.take();
            let (state, reason) = match self.undecided.remove(&trial) {
                Some(Outcome::Diverged { .. }) => (TrialState::Diverged, own),
                Some(Outcome::Failed) => (TrialState::Failed, own),
                Some(Outcome::Reached { epoch, .. }) if epoch == u64::from(max_epochs) => {
                    (TrialState::Done, None)
                }
                _ => (TrialState::Stopped, why.clone()),
            };
            self.end_trial(trial, state, reason)?;
        }
        self.record.state = match &self.cut {
            Some(Cut::Interrupted(_)) => StudyState::Stopped,
            Some(Cut::Budget) | None => StudyState::Done,
        };
        self.record.ended_unix_ms = Some(clock::unix_ms());
        let batch = std::mem::take(&mut self.batch);
        self.batch = batch.put_study(self.study, &self.record);
        self.events.push(Event::StudyEnded {
            study: self.summary(),
        });
        if let Some(exhausted) = self.conductor.exhausted() {
            self.events.push(Event::Warning {
                message: exhausted.to_string(),
            });
        }
        self.commit()?;
        Ok(Ending {
            study: self.study,
            best: self.best.map(|(trial, _)| trial),
            cut: self.cut,
        })
    }

    /// Stores what has gathered, and only then tells of it.
    fn commit(&mut self) -> anyhow::Result<()> {
        self.store
            .apply(std::mem::take(&mut self.batch))
            .context("cannot store what the trials reported")?;
        self.appended.clear();
        for event in self.events.drain(..) {
            self.audience.tell(&event);
        }
        Ok(())
    }

    /// Writes a trial's record with the next batch, as it stands now.
    fn put(&mut self, trial: TrialNumber) -> anyhow::Result<()> {
        let id = self.id(trial)?;
        let record = self.trials.get(&trial).context("no such trial")?;
        self.batch = std::mem::take(&mut self.batch).put_trial(id, record);
        Ok(())
    }

    fn id(&self, trial: TrialNumber) -> anyhow::Result<TrialId> {
        let number = u32::try_from(trial.0).context("a study has too many trials")?;
        Ok(self.study.trial(number))
    }

    fn trial_mut(&mut self, trial: TrialNumber) -> anyhow::Result<&mut TrialRecord> {
        let Some(record) = self.trials.get_mut(&trial) else {
            bail!("a worker reported trial {trial}, which was never given out");
        };
        Ok(record)
    }

    /// A trial's objective at its best epoch.
    fn value(&self, trial: TrialNumber) -> Option<f64> {
        let record = self.trials.get(&trial)?;
        let best = record
            .best_metrics
            .get(&convert::on_valid(&self.record.metric))?;
        Some(best.value)
    }

    fn trial_summary(&self, trial: TrialNumber) -> anyhow::Result<TrialSummary> {
        let record = self.trials.get(&trial).context("no such trial")?;
        Ok(convert::trial(self.id(trial)?, record, &self.record.metric))
    }

    fn summary(&self) -> StudySummary {
        convert::study(
            self.study,
            &self.record,
            self.trials
                .iter()
                .map(|(trial, record)| (self.study.trial(trial.0 as u32), record)),
        )
    }
}

fn conductor(plan: &Plan) -> anyhow::Result<Conductor> {
    let spec = &plan.spec;
    let space = plan.space.searched.clone();
    let searcher: Box<dyn Searcher> = match spec.search.method {
        Method::Sobol => Box::new(Sobol::new(space, spec.seed)),
        Method::Random => Box::new(Random::new(space, spec.seed)),
    };
    let width = if spec.reproducible {
        spec.virtual_width
    } else {
        u32::try_from(plan.parallel).unwrap_or(u32::MAX)
    };
    let settings = Settings {
        trials: NonZeroU64::new(spec.most_trials().into()).context("a study needs a trial")?,
        max_epochs: NonZeroU64::new(spec.fidelity.max_epochs.into())
            .context("a trial needs an epoch")?,
        width: u16::try_from(width)
            .ok()
            .and_then(NonZeroU16::new)
            .unwrap_or(NonZeroU16::MAX),
        order: if spec.reproducible {
            Order::Virtual
        } else {
            Order::Arrival
        },
    };
    Ok(Conductor::new(
        settings,
        searcher,
        policy(&spec.fidelity, plan.direction)?,
    ))
}

fn policy(
    fidelity: &FidelitySpec,
    direction: Direction,
) -> anyhow::Result<Box<dyn FidelityPolicy>> {
    // With its first rung at its end a trial is never judged, which ASHA refuses to call ASHA.
    if !fidelity.asha || fidelity.min_epochs >= fidelity.max_epochs {
        return Ok(Box::new(Full));
    }
    let asha = AshaSettings {
        min_epochs: fidelity.min_epochs.into(),
        max_epochs: fidelity.max_epochs.into(),
        eta: fidelity.eta.into(),
        direction,
    };
    Ok(Box::new(asha.check().context("[fidelity]")?))
}

/// Each trial has a seed of its own, a function of the study's and the trial's number.
fn trial_seed(study: u64, trial: TrialNumber) -> u64 {
    stream(study, Purpose(*b"trial   "), trial.0).next_u64()
}

async fn asked_to_stop(interrupt: &mut Interrupt) -> String {
    match interrupt
        .wait_for(Option::is_some)
        .await
        .map(|why| why.clone())
    {
        Ok(Some(why)) => why,
        // Nobody is left who could ask.
        _ => std::future::pending().await,
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
