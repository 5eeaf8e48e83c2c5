//! A study that is under way: what its conductor decides, and what its trials come to.
//!
//! Nothing here waits, and nothing is written: every change goes to the [`Outbox`]. A study in
//! memory is a function of what is stored, so that the daemon can be killed at any moment:
//! [`Study::restore`] gives the reports that are stored with the trials to a new conductor.

use super::engine::ForkStart;
use super::outbox::Outbox;
use super::reception::searched;
use super::trial::{Held, TO_BE_PAUSED, TO_BE_STOPPED, Trial, WorkerId, file};
use crate::study::settings::name;
use crate::study::space::StudySpace;
use crate::study::spec::{FidelitySpec, Method, StudySpec};
use crate::{clock, convert};
use anyhow::Context;
use attune_plugin_api::Description;
use attune_protocol::work::{Brief, End, Lease, LeaseId, LibraryFile, News, Start};
use attune_protocol::{Event, Number, Progress, StudySummary, TrialSummary};
use attune_search::conductor::Ruling;
use attune_search::conductor::{Conductor, Next, Order, Outcome, Settings, Verdict};
use attune_search::fidelity::{AshaSettings, FidelityPolicy, Full};
use attune_search::searcher::{Random, Searcher, Sobol};
use attune_search::stream::{Purpose, stream};
use attune_search::{Direction, TrialNumber};
use attune_store as disk;
use attune_store::{
    PluginBuild, Store, StudyId, StudyRecord, StudyState, TrialId, TrialRecord, TrialState,
};
use rand::Rng;
use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A trial whose workers died so often is given up.
const MOST_DEATHS: usize = 3;

/// Why a trial is stopped that a person ended.
const BY_HAND: &str = "stopped by hand";

/// Why a study is paused that a person paused.
const PAUSED_BY_HAND: &str = "paused by hand";

/// The library of each scheduler, with what it says of itself.
pub(crate) type Schedulers = BTreeMap<String, (Description, LibraryFile)>;

/// A scheduler that was not part of a study.
pub(crate) type NewScheduler = (PluginBuild, (Description, LibraryFile));

/// A study that is under way.
pub(super) struct Study {
    pub(super) id: StudyId,
    pub(super) record: StudyRecord,
    spec: StudySpec,
    space: StudySpace,
    schedulers: Schedulers,
    conductor: Conductor,
    /// Trials that have not ended.
    pub(super) trials: BTreeMap<TrialNumber, Trial>,
    /// The number of the next report to the conductor.
    seq: u64,
    tally: Tally,
    best: Option<(TrialNumber, f64)>,
    /// The folder of its checkpoints and models.
    folder: PathBuf,
    /// Since when the time in its record does not count.
    counted: Instant,
    /// Why it is coming to a halt, while its workers lay down their work.
    pub(super) halt: Option<Halt>,
}

/// Why a study comes to a halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Halt {
    /// Somebody, or a disk that is full, holds it; it can be resumed.
    Paused(String),
    /// Somebody ended it.
    Stopped(String),
    /// Its time is spent.
    Budget,
    /// The daemon stops; the next one goes on.
    Shutdown,
}

impl Halt {
    pub(super) fn paused_by_hand() -> Self {
        Halt::Paused(PAUSED_BY_HAND.to_owned())
    }

    pub(super) fn stopped_by_hand() -> Self {
        Halt::Stopped(BY_HAND.to_owned())
    }

    /// What is stored as the reason of a study that a person halts, until it has come to rest.
    fn wish(&self) -> Option<&'static str> {
        match self {
            Halt::Paused(why) if why == PAUSED_BY_HAND => Some(TO_BE_PAUSED),
            Halt::Stopped(why) if why == BY_HAND => Some(TO_BE_STOPPED),
            _ => None,
        }
    }

    /// The halt that such a reason speaks of.
    fn wished(reason: Option<&str>) -> Option<Self> {
        match reason {
            Some(TO_BE_PAUSED) => Some(Halt::paused_by_hand()),
            Some(TO_BE_STOPPED) => Some(Halt::stopped_by_hand()),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    done: u32,
    stopped: u32,
    diverged: u32,
    failed: u32,
}

impl Tally {
    fn count(&mut self, state: TrialState) {
        match state {
            TrialState::Done => self.done += 1,
            TrialState::Stopped => self.stopped += 1,
            TrialState::Diverged => self.diverged += 1,
            TrialState::Failed => self.failed += 1,
            _ => {}
        }
    }
}

/// More for a study that is resumed.
#[derive(Debug, Default)]
pub(crate) struct More {
    /// The study file from now on, checked, where it changes.
    pub(crate) spec: Option<StudySpec>,
    /// What is different, a sentence each.
    pub(crate) summary: Vec<String>,
}

impl Study {
    /// The study as it is stored, ready to go on. Reads everything again that was reported to its
    /// conductor.
    ///
    /// # Errors
    /// What is stored does not fit together, as after an upgrade that changed a searcher; the
    /// store's.
    pub(super) fn restore(
        store: &Store,
        id: StudyId,
        folder: &Path,
        schedulers: Schedulers,
    ) -> anyhow::Result<Self> {
        let record = store.study(id)?;
        let path = Path::new(&record.file);
        let first = StudySpec::parse(path, &record.spec)?;
        let direction = searched_direction(record.direction);
        let space = resolve(&first, &searched(&schedulers, &record))?;
        let conductor = conductor(&first, &space, direction, record.parallel)?;
        let mut study = Study {
            id,
            spec: first,
            space,
            schedulers,
            conductor,
            trials: BTreeMap::new(),
            seq: 0,
            tally: Tally::default(),
            best: None,
            folder: folder.join(id.to_string()),
            counted: Instant::now(),
            halt: None,
            record,
        };
        study.replay(store.list_trials(id)?)?;
        Ok(study)
    }

    /// Gives the conductor all that was reported to it, and takes up the trials that have not ended.
    fn replay(&mut self, stored: Vec<(TrialId, TrialRecord)>) -> anyhow::Result<()> {
        let mut outcomes: Vec<(u64, TrialNumber, Outcome)> = stored
            .iter()
            .flat_map(|(id, record)| {
                let trial = number(*id);
                let outcomes = record.outcomes.iter();
                outcomes.map(move |outcome| (outcome.seq, trial, reported(outcome)))
            })
            .collect();
        outcomes.sort_unstable_by_key(|(seq, trial, _)| (*seq, *trial));
        let mut changes = std::mem::take(&mut self.record.changes)
            .into_iter()
            .peekable();
        let mut made = Vec::new();
        for (seq, trial, outcome) in outcomes {
            while let Some(change) = changes.next_if(|change| change.seq <= seq) {
                self.change_to(&change)?;
                made.push(change);
            }
            self.conductor.replay(trial, outcome).with_context(|| {
                format!(
                    "what is stored of study {} does not fit the searcher of this version of \
                     Attune; start it anew with `attune run`, or go back to version {}",
                    self.id, self.record.attune_version
                )
            })?;
            self.seq = seq + 1;
        }
        for change in changes {
            self.change_to(&change)?;
            made.push(change);
        }
        self.record.changes = made;

        for (id, record) in stored {
            let trial = number(id);
            if self.conductor.is_live(trial) {
                let mut trial_now = Trial::of(record);
                let own_end = trial_now.record.outcomes.last();
                let own_end = own_end.and_then(|outcome| ended_by_itself(&reported(outcome)));
                if own_end.is_some() {
                    trial_now.ended = trial_now.record.reason.clone();
                }
                trial_now.record.state = match (own_end, trial_now.paused) {
                    (Some(state), _) => state,
                    (None, true) => TrialState::Paused,
                    (None, false) => TrialState::Queued,
                };
                trial_now.record.ended_unix_ms = None;
                trial_now.record.reason = trial_now.ended.clone().or_else(|| trial_now.wish());
                self.trials.insert(trial, trial_now);
            } else {
                self.tally.count(record.state);
                // As when it ended: what has no model cannot be the best.
                let value = best_value(&record, &self.record.metric);
                self.consider(trial, value.filter(|_| record.model.is_some()));
            }
        }
        Ok(())
    }

    /// Goes on by another study file.
    fn change_to(&mut self, change: &disk::Change) -> anyhow::Result<()> {
        let spec = StudySpec::parse(Path::new(&self.record.file), &change.spec)?;
        self.go_on_by(spec, change.seq)
    }

    fn go_on_by(&mut self, spec: StudySpec, seq: u64) -> anyhow::Result<()> {
        let is_other_space = !spec.searches_the_same(&self.spec);
        let searcher = if is_other_space {
            self.space = resolve(&spec, &searched(&self.schedulers, &self.record))?;
            // Another stream than the first searcher's, so that its points are others too.
            let seed = stream(spec.seed, Purpose(*b"changed "), seq).next_u64();
            Some(searcher(spec.search.method, &self.space, seed))
        } else {
            None
        };
        let trials = NonZeroU64::new(spec.most_trials().into()).context("a study needs a trial")?;
        self.conductor.extend(trials, searcher);
        self.record.planned_trials = spec.planned_trials();
        self.spec = spec;
        Ok(())
    }

    /// Begins, or goes on, with what is new.
    ///
    /// # Errors
    /// The new study file does not fit.
    pub(super) fn begin(&mut self, more: More, outbox: &mut Outbox) -> anyhow::Result<()> {
        if let Some(spec) = more.spec {
            let text = spec.text.clone();
            self.go_on_by(spec, self.seq)?;
            self.record.changes.push(disk::Change {
                unix_ms: clock::unix_ms(),
                seq: self.seq,
                spec: text,
                summary: more.summary,
            });
        }
        let begins = self.record.state == StudyState::Queued;
        match self.record.state {
            // One that runs and is given more keeps its time.
            StudyState::Running => self.add_time(),
            _ => self.counted = Instant::now(),
        }
        self.record.state = StudyState::Running;
        self.record.reason = None;
        self.record.ended_unix_ms = None;
        outbox.put_study(self.id, &self.record);
        let study = self.summary();
        if begins {
            outbox.tell(self.id, Event::StudyStarted { study });
            self.warn_of_waiting(outbox);
        } else {
            outbox.tell(self.id, Event::StudyChanged { study });
        }
        Ok(())
    }

    fn warn_of_waiting(&self, outbox: &mut Outbox) {
        let (parallel, width) = (self.record.parallel, self.spec.virtual_width);
        if self.spec.reproducible && parallel > 2 && parallel * 4 > width {
            let message = format!(
                "{parallel} trials at a time share {width} virtual workers, so some will wait; set \
                 `virtual_width = {}` (another study), or `reproducible = false`",
                parallel * 4
            );
            outbox.tell(self.id, Event::Warning { message });
        }
    }

    /// The checkpoint of another trial that a fork begins from, as a file of its own.
    pub(super) fn fork_file(&self) -> PathBuf {
        file::folder(&self.folder, 0).join("origin.ckpt")
    }

    /// Makes the one trial of a fork, which has the seed of the trial that it was forked from.
    pub(super) fn begin_with(&mut self, fork: ForkStart, outbox: &mut Outbox) {
        let ForkStart { config, seed, .. } = fork;
        let mut trial = Trial::suggested(&config, seed, fork.max_epochs, fork.plugin);
        trial.record.best_metrics = fork.best;
        outbox.put_trial(self.id.trial(0), &trial.record);
        self.trials.insert(TrialNumber(0), trial);
    }

    /// Keeps a scheduler that a person puts at a trial's wheel.
    pub(super) fn take_in(&mut self, (build, scheduler): NewScheduler, outbox: &mut Outbox) {
        let name = scheduler.0.name.clone();
        self.record.swapped.insert(name.clone(), build);
        self.schedulers.insert(name, scheduler);
        outbox.put_study(self.id, &self.record);
    }

    /// Whoever waits too long for a worker to take the wheel is told so.
    pub(super) fn give_up_steering(&mut self, now: Instant, outbox: &mut Outbox) {
        for (number, trial) in &mut self.trials {
            let Some(held) = &mut trial.lease else {
                continue;
            };
            if held
                .steer
                .as_ref()
                .is_some_and(|steering| steering.give_up_at <= now)
                && let Some(steering) = held.steer.take()
            {
                let id = self.id.trial(number.0 as u32);
                let problem = super::unavailable(format!(
                    "the worker of trial {id} did not answer in time; `attune status` says what it \
                     does"
                ));
                outbox.then(move || drop(steering.reply.send(Err(problem))));
            }
        }
    }

    /// What a worker must know of it.
    pub(super) fn brief(&self, checkpoint_every: Duration) -> Brief {
        let library = |(name, (_, file)): (&String, &(Description, LibraryFile))| {
            (name.clone(), file.clone())
        };
        Brief {
            spec: self.spec.text.clone(),
            file: self.record.file.clone(),
            data_hash: self.record.data_hash.clone(),
            metric: self.record.metric.clone(),
            libraries: self.schedulers.iter().map(library).collect(),
            folder: self.folder.to_string_lossy().into_owned(),
            checkpoint_seconds: Number(checkpoint_every.as_secs_f64()),
        }
    }

    /// How many workers may train for it at a time.
    pub(super) fn parallel(&self) -> usize {
        self.record.parallel.max(1) as usize
    }

    /// How many leases one worker may hold in advance: so many that the others find some too.
    pub(super) fn most_leases(&self) -> usize {
        match self.spec.reproducible {
            true => (self.spec.virtual_width as usize / (2 * self.parallel())).max(1),
            false => 1,
        }
    }

    /// Time that is left of its budget.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let budget = self.spec.budget?;
        let spent = Duration::try_from_secs_f64(self.record.seconds).unwrap_or_default();
        Some(budget.saturating_sub(spent + self.counted.elapsed()))
    }

    /// Writes down how much time it took, now and then, so that a crash forgets little of it.
    pub(super) fn count_time(&mut self, outbox: &mut Outbox) {
        if self.counted.elapsed() >= Duration::from_secs(5) {
            self.add_time();
            outbox.put_study(self.id, &self.record);
        }
    }

    fn add_time(&mut self) {
        self.record.seconds += self.counted.elapsed().as_secs_f64();
        self.counted = Instant::now();
    }

    /// Takes up every segment that may run.
    ///
    /// # Errors
    /// A trial is stored with another configuration than the searcher suggests.
    pub(super) fn fill(&mut self, outbox: &mut Outbox) -> anyhow::Result<()> {
        if self.halt.is_some() {
            return Ok(());
        }
        let mut to_stop = Vec::new();
        while let Next::Run(segment) = self.conductor.next_segment() {
            let until = u32::try_from(segment.until_epoch).unwrap_or(u32::MAX);
            let trial = match self.trials.entry(segment.trial) {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(new) => {
                    let config = self.space.complete(&segment.config);
                    let plugin = match config.get(name::SCHEDULER) {
                        Some(scheduler) => self.record.plugins.get(&scheduler.to_string()).cloned(),
                        None => None,
                    };
                    let seed = trial_seed(self.spec.seed, segment.trial);
                    let max_epochs = self.spec.fidelity.max_epochs;
                    new.insert(Trial::suggested(&config, seed, max_epochs, plugin))
                }
            };
            trial.until = Some(until);
            if trial.stopping {
                to_stop.push(segment.trial);
            }
        }
        for trial in to_stop {
            self.stop_now(trial, outbox)?;
        }
        Ok(())
    }

    /// The trial that a worker should train next: of those whose turn comes first, one that it
    /// holds in memory, or that nobody does. `is_busy` says of another worker whether it will not
    /// ask soon: then its trials are given away too, to be read from their checkpoints.
    pub(super) fn next_for(
        &self,
        worker: WorkerId,
        is_busy: impl Fn(WorkerId) -> bool,
    ) -> Option<TrialNumber> {
        if self.halt.is_some() {
            return None;
        }
        let ready = || self.trials.iter().filter(|(_, trial)| trial.is_ready());
        let first = |suits: &dyn Fn(&Trial) -> bool| {
            let suitable = ready().filter(|(_, trial)| suits(trial));
            let by_turn =
                suitable.min_by_key(|(number, _)| (self.conductor.turn(**number), **number));
            by_turn.map(|(number, _)| *number)
        };
        first(&|trial| trial.warm_on.is_none_or(|on| on == worker))
            .or_else(|| first(&|trial| trial.warm_on.is_some_and(&is_busy)))
    }

    /// Gives a trial to a worker.
    pub(super) fn lease(
        &mut self,
        number: TrialNumber,
        worker: WorkerId,
        attempt: u64,
        outbox: &mut Outbox,
    ) -> Option<Lease> {
        let id = self.trial_id(number);
        let trial = self.trials.get_mut(&number)?;
        let begins = !trial.is_stored;
        trial.lease = Some(Held {
            worker,
            attempt,
            lay_down: false,
            steer: None,
        });
        trial.is_stored = true;
        trial.record.attempt = attempt;
        trial.record.state = TrialState::Running;
        trial
            .record
            .started_unix_ms
            .get_or_insert_with(clock::unix_ms);
        outbox.put_trial(id, &trial.record);
        let summary = convert::trial(id, &trial.record, &self.record.metric);
        outbox.tell(
            self.id,
            match begins {
                true => Event::TrialStarted { trial: summary },
                false => Event::TrialChanged { trial: summary },
            },
        );
        self.lease_again(number)
    }

    /// The lease as it was given; for a worker that did not get the answer.
    pub(super) fn lease_again(&self, number: TrialNumber) -> Option<Lease> {
        let trial = self.trials.get(&number)?;
        let held = trial.lease.as_ref()?;
        let own = trial.last_checkpoint().map(|checkpoint| {
            let path = file::checkpoint(&self.folder, number.0 as u32, checkpoint.step);
            (path, checkpoint.step, false)
        });
        let origin = self.record.origin.as_ref();
        let from = own.or_else(|| Some((self.fork_file(), origin?.step, true)));
        let from = from.map(|(path, step, fork)| Start {
            path: path.to_string_lossy().into_owned(),
            step,
            fork,
        });
        Some(Lease {
            id: LeaseId {
                trial: self.trial_id(number).to_string(),
                attempt: held.attempt,
            },
            config: convert::scalars(&trial.record.config),
            seed: trial.record.seed,
            until_epoch: trial.until?,
            from,
            interventions: trial
                .record
                .interventions
                .iter()
                .map(convert::intervention)
                .collect(),
            beat: self.best.map(|(_, value)| Number(value)),
        })
    }

    /// Takes a report. Says no to one of an earlier attempt.
    pub(super) fn report(
        &mut self,
        number: TrialNumber,
        lease: (WorkerId, u64),
        news: News,
        outbox: &mut Outbox,
    ) -> anyhow::Result<bool> {
        let id = self.trial_id(number);
        let objective = convert::on_valid(&self.record.metric);
        let Some(trial) = self.trials.get_mut(&number) else {
            return Ok(false);
        };
        let is_current = |held: &Held| (held.worker, held.attempt) == lease;
        if !trial.lease.as_ref().is_some_and(is_current) {
            return Ok(false);
        }
        match news {
            News::Warnings(warnings) => {
                let is_first = trial.record.warnings.is_empty();
                trial.record.warnings = warnings;
                if let (true, Some(warning)) = (is_first, trial.record.warnings.first()) {
                    let summary = convert::trial(id, &trial.record, &self.record.metric);
                    let message = format!("trial {id} ({}): {warning}", summary.scheduler);
                    outbox.tell(self.id, Event::Warning { message });
                }
            }
            News::Piece(piece) => {
                for epoch in trial.grow(&piece, &objective, outbox.rows(id)) {
                    let metrics = epoch
                        .metrics
                        .iter()
                        .map(|(name, value)| (name.clone(), value.0));
                    outbox.put_epoch(id, epoch.epoch, metrics.collect());
                    outbox.tell(
                        self.id,
                        Event::Epoch(Progress {
                            trial: id.to_string(),
                            epoch: epoch.epoch,
                            step: epoch.step,
                            metrics: epoch.metrics.clone(),
                            rate: epoch.rate,
                        }),
                    );
                }
            }
            News::Checkpoint(checkpoint) => {
                for old in trial.note_checkpoint(&checkpoint) {
                    outbox.delete(file::checkpoint(&self.folder, id.number, old.step));
                }
            }
            News::Steered(intervention) => {
                // Said again by a worker that did not hear the answer, it is still done once.
                let done = trial.record.interventions.last().map(convert::intervention);
                if done.as_ref() != Some(&intervention) {
                    let stored = convert::stored_intervention(&intervention);
                    trial.record.interventions.push(stored);
                }
                let steering = trial.lease.as_mut().and_then(|held| held.steer.take());
                if let Some(steering) = steering {
                    outbox.then(move || drop(steering.reply.send(Ok(()))));
                }
                let trial = convert::trial(id, &trial.record, &self.record.metric);
                outbox.tell(self.id, Event::TrialChanged { trial });
            }
            News::NotSteered(why) => {
                let steering = trial.lease.as_mut().and_then(|held| held.steer.take());
                if let Some(steering) = steering {
                    let problem = super::conflict(why);
                    outbox.then(move || drop(steering.reply.send(Err(problem))));
                }
            }
            News::Ended(end) => {
                trial.warm_on = Some(lease.0);
                return self.end_segment(number, end, outbox).map(|()| true);
            }
        }
        outbox.put_trial(id, &self.trials[&number].record);
        Ok(true)
    }

    /// A segment is over: hands the conductor what came of it, and carries out what it decides.
    fn end_segment(
        &mut self,
        number: TrialNumber,
        end: End,
        outbox: &mut Outbox,
    ) -> anyhow::Result<()> {
        let id = self.trial_id(number);
        let value = self.trials.get(&number);
        let value = value.and_then(|trial| best_value(&trial.record, &self.record.metric));
        let Some(trial) = self.trials.get_mut(&number) else {
            return Ok(());
        };
        let until = trial.until;
        release(
            trial,
            || format!("trial {id} came to the end of its training first"),
            outbox,
        );
        let epoch = u64::from(trial.record.epochs);
        let (outcome, model) = match end {
            End::Reached { .. } if until != Some(trial.record.epochs) => {
                trial.ended = Some(format!(
                    "its worker said that it was at its end after {epoch} epochs; please report \
                     this with the study file"
                ));
                (Outcome::Failed, None)
            }
            End::Reached { model } => {
                let value = value.unwrap_or(f64::NAN);
                (Outcome::Reached { epoch, value }, model)
            }
            End::Diverged { reason, model } => {
                trial.ended = Some(reason);
                (Outcome::Diverged { epoch }, model)
            }
            End::Failed { reason } => {
                trial.ended = Some(reason);
                (Outcome::Failed, None)
            }
            End::LaidDown => {
                return self.laid_down(number, outbox);
            }
            End::Unusable { reason } => {
                self.laid_down(number, outbox)?;
                self.come_to_a_halt(Halt::Paused(reason));
                return Ok(());
            }
        };
        if let Some(model) = model {
            trial.record.model = Some(disk::ModelFile {
                bytes: model.bytes,
                test: model
                    .test
                    .iter()
                    .map(|(name, v)| (name.clone(), v.0))
                    .collect(),
            });
        }
        trial.record.reason = trial.ended.clone().or_else(|| trial.wish());
        outbox.put_trial(id, &trial.record);
        self.decide(number, outcome, outbox)
    }

    /// A trial's worker has let go of it, with a checkpoint.
    fn laid_down(&mut self, number: TrialNumber, outbox: &mut Outbox) -> anyhow::Result<()> {
        let id = self.trial_id(number);
        let Some(trial) = self.trials.get_mut(&number) else {
            return Ok(());
        };
        trial.warm_on = None;
        if trial.stopping {
            return self.stop_now(number, outbox);
        }
        trial.record.state = match trial.paused {
            true => TrialState::Paused,
            false => TrialState::Queued,
        };
        trial.record.reason = None;
        outbox.put_trial(id, &trial.record);
        let trial = convert::trial(id, &trial.record, &self.record.metric);
        outbox.tell(self.id, Event::TrialChanged { trial });
        Ok(())
    }

    /// Ends a trial that nobody trains, as a person asked.
    fn stop_now(&mut self, number: TrialNumber, outbox: &mut Outbox) -> anyhow::Result<()> {
        let metric = self.record.metric.clone();
        let Some(trial) = self.trials.get_mut(&number) else {
            return Ok(());
        };
        trial.stopping = true;
        let epoch = u64::from(trial.record.epochs);
        let outcome = match best_value(&trial.record, &metric) {
            Some(value) => Outcome::Ended { epoch, value },
            None => Outcome::Failed,
        };
        self.decide(number, outcome, outbox)
    }

    fn decide(
        &mut self,
        number: TrialNumber,
        outcome: Outcome,
        outbox: &mut Outbox,
    ) -> anyhow::Result<()> {
        let id = self.trial_id(number);
        let verdicts = self
            .conductor
            .report(number, outcome)
            .with_context(|| format!("trial {id}"))?;
        if let Some(trial) = self.trials.get_mut(&number) {
            trial.until = None;
            // It is over whenever its turn to be decided comes.
            if let (Some(_), Some(state)) = (&trial.ended, ended_by_itself(&outcome)) {
                trial.record.state = state;
            }
            trial.record.outcomes.push(stored(self.seq, outcome));
            outbox.put_trial(id, &trial.record);
        }
        self.seq += 1;
        for verdict in verdicts {
            self.carry_out(verdict, outbox);
        }
        Ok(())
    }

    fn carry_out(&mut self, verdict: Verdict, outbox: &mut Outbox) {
        let number = verdict.trial;
        let Some(trial) = self.trials.get_mut(&number) else {
            return;
        };
        let own = trial.ended.take();
        let by_hand = trial.stopping.then(|| BY_HAND.to_owned());
        let (state, reason) = match verdict.ruling {
            Ruling::Continue => return,
            _ if by_hand.is_some() => (TrialState::Stopped, by_hand),
            Ruling::Completed => (TrialState::Done, own),
            Ruling::Stop => {
                let epochs = trial.record.epochs;
                let why = format!("not among the best at epoch {epochs}");
                (TrialState::Stopped, Some(why))
            }
            Ruling::Diverged => (TrialState::Diverged, own),
            Ruling::Failed => (TrialState::Failed, own),
        };
        self.end_trial(number, state, reason, outbox);
    }

    fn end_trial(
        &mut self,
        number: TrialNumber,
        state: TrialState,
        reason: Option<String>,
        outbox: &mut Outbox,
    ) {
        let id = self.trial_id(number);
        let Some(mut trial) = self.trials.remove(&number) else {
            return;
        };
        release(
            &mut trial,
            || format!("trial {id} has ended ({})", convert::trial_state(state)),
            outbox,
        );
        trial.end(state, reason);
        self.tally.count(state);
        let before = self.best;
        // What has no model cannot be the best: nothing of it could be saved.
        let value = best_value(&trial.record, &self.record.metric);
        let value = value.filter(|_| trial.record.model.is_some());
        if self.consider(number, value) {
            if let Some((beaten, _)) = before {
                outbox.delete(file::model(&self.folder, beaten.0 as u32));
            }
        } else if trial.record.model.take().is_some() {
            outbox.delete(file::model(&self.folder, id.number));
        }
        outbox.put_trial(id, &trial.record);
        let told = convert::trial(id, &trial.record, &self.record.metric);
        let study = self.summary();
        outbox.tell(self.id, Event::TrialEnded { trial: told, study });
    }

    /// Whether this is the best trial so far. Of equals the lower number counts, whichever ended
    /// first.
    fn consider(&mut self, number: TrialNumber, value: Option<f64>) -> bool {
        let Some(value) = value.filter(|value| !value.is_nan()) else {
            return false;
        };
        let direction = searched_direction(self.record.direction);
        let is_best = match self.best {
            None => true,
            Some((held, best)) => direction.better(value, best) || (value == best && number < held),
        };
        if is_best {
            self.best = Some((number, value));
        }
        is_best
    }

    /// A worker that held leases of this trial is gone. `blame` says how, where it was this trial
    /// that it died in. Says whether the trial is given up.
    pub(super) fn lost(
        &mut self,
        number: TrialNumber,
        blame: Option<&str>,
        outbox: &mut Outbox,
    ) -> anyhow::Result<bool> {
        let id = self.trial_id(number);
        let Some(trial) = self.trials.get_mut(&number) else {
            return Ok(false);
        };
        let unsteered = || {
            let how = blame.unwrap_or("it is gone, and the trial goes back to the queue");
            format!("nothing was changed in trial {id}, since its worker died first: {how}")
        };
        release(trial, unsteered, outbox);
        trial.warm_on = None;
        trial.record.state = match trial.paused {
            true => TrialState::Paused,
            false => TrialState::Lost,
        };
        trial.record.reason = trial.wish();
        if let Some(how) = blame {
            trial.record.deaths.push(disk::Death {
                unix_ms: clock::unix_ms(),
                reason: how.to_owned(),
            });
            if trial.record.deaths.len() >= MOST_DEATHS {
                let deaths = trial.record.deaths.len();
                let reason = format!("its worker died {deaths} times; the last time {how}");
                self.fail(number, reason, outbox)?;
                return Ok(true);
            }
        }
        if trial.stopping {
            self.stop_now(number, outbox)?;
            return Ok(false);
        }
        outbox.put_trial(id, &trial.record);
        let trial = convert::trial(id, &trial.record, &self.record.metric);
        outbox.tell(self.id, Event::TrialChanged { trial });
        Ok(false)
    }

    /// Gives a trial up that nobody trains.
    pub(super) fn fail(
        &mut self,
        number: TrialNumber,
        reason: String,
        outbox: &mut Outbox,
    ) -> anyhow::Result<()> {
        if let Some(trial) = self.trials.get_mut(&number) {
            trial.is_stored = true;
            trial.record.attempt = trial.record.attempt.max(1);
            trial.record.reason = Some(reason.clone());
            trial.ended = Some(reason);
        }
        self.decide(number, Outcome::Failed, outbox)
    }

    /// Pauses, resumes or stops one trial.
    pub(super) fn pause_trial(&mut self, number: TrialNumber, outbox: &mut Outbox) {
        let id = self.trial_id(number);
        let Some(trial) = self.trials.get_mut(&number) else {
            return;
        };
        trial.paused = true;
        match &mut trial.lease {
            Some(held) => held.lay_down = true,
            None => {
                trial.record.state = TrialState::Paused;
                trial.is_stored = true;
            }
        }
        trial.record.reason = trial.wish();
        outbox.put_trial(id, &trial.record);
        let trial = convert::trial(id, &trial.record, &self.record.metric);
        outbox.tell(self.id, Event::TrialChanged { trial });
    }

    pub(super) fn resume_trial(&mut self, number: TrialNumber, outbox: &mut Outbox) {
        let id = self.trial_id(number);
        let Some(trial) = self.trials.get_mut(&number) else {
            return;
        };
        trial.paused = false;
        if trial.lease.is_none() {
            trial.record.state = TrialState::Queued;
        }
        trial.record.reason = trial.wish();
        outbox.put_trial(id, &trial.record);
        let trial = convert::trial(id, &trial.record, &self.record.metric);
        outbox.tell(self.id, Event::TrialChanged { trial });
    }

    /// # Errors
    /// The conductor's.
    pub(super) fn stop_trial(
        &mut self,
        number: TrialNumber,
        outbox: &mut Outbox,
    ) -> anyhow::Result<()> {
        let Some(trial) = self.trials.get_mut(&number) else {
            return Ok(());
        };
        trial.stopping = true;
        let has_reported = trial.until.is_none();
        match &mut trial.lease {
            Some(held) => held.lay_down = true,
            // One that waits for its turn at a rung was reported already; it ends when it comes.
            None if has_reported => {}
            None => return self.stop_now(number, outbox),
        }
        trial.record.reason = trial.wish();
        let id = self.id.trial(u32::try_from(number.0).unwrap_or(u32::MAX));
        outbox.put_trial(id, &trial.record);
        let trial = convert::trial(id, &trial.record, &self.record.metric);
        outbox.tell(self.id, Event::TrialChanged { trial });
        Ok(())
    }

    /// A worker is gone, and what it held in memory with it.
    pub(super) fn forget_worker(&mut self, worker: WorkerId) {
        for trial in self.trials.values_mut() {
            trial.warm_on = trial.warm_on.filter(|on| *on != worker);
        }
    }

    /// Lets every worker lay down its work; [`Study::is_at_rest`] says when they have.
    pub(super) fn come_to_a_halt(&mut self, halt: Halt) {
        self.halt = Some(halt);
        for trial in self.trials.values_mut() {
            if let Some(held) = &mut trial.lease {
                held.lay_down = true;
            }
        }
    }

    /// As [`Study::come_to_a_halt`], because a person wants it: the next daemon knows of it too.
    pub(super) fn be_halted(&mut self, halt: Halt, outbox: &mut Outbox) {
        self.record.reason = halt.wish().map(str::to_owned);
        outbox.put_study(self.id, &self.record);
        self.come_to_a_halt(halt);
    }

    /// Goes on where the daemon before ended: with coming to a halt, if a person wanted that.
    ///
    /// # Errors
    /// As [`Study::begin`].
    pub(super) fn take_up(&mut self, outbox: &mut Outbox) -> anyhow::Result<()> {
        let halt = Halt::wished(self.record.reason.as_deref());
        self.begin(More::default(), outbox)?;
        // Nobody trains them now, whatever the daemon before wrote of them.
        for (number, trial) in self.trials.iter().filter(|(_, trial)| trial.is_stored) {
            outbox.put_trial(self.id.trial(number.0 as u32), &trial.record);
        }
        if let Some(halt) = halt {
            self.be_halted(halt, outbox);
        }
        Ok(())
    }

    /// Whether nobody trains for it.
    pub(super) fn is_at_rest(&self) -> bool {
        self.trials.values().all(|trial| trial.lease.is_none())
    }

    /// Whether every trial has ended, and no more will begin.
    pub(super) fn is_finished(&self) -> bool {
        self.trials.is_empty()
    }

    /// Stores that it has ended, or how it came to rest.
    ///
    /// # Errors
    /// The store's, while it is read.
    pub(super) fn settle(&mut self, store: &Store, outbox: &mut Outbox) -> anyhow::Result<()> {
        self.add_time();
        let halt = self.halt.clone();
        let (state, reason) = match &halt {
            None => (StudyState::Done, None),
            Some(Halt::Budget) => (
                StudyState::Done,
                Some("the time budget was spent".to_owned()),
            ),
            Some(Halt::Stopped(why)) => (StudyState::Stopped, Some(why.clone())),
            Some(Halt::Paused(why)) => (StudyState::Paused, Some(why.clone())),
            Some(Halt::Shutdown) => (StudyState::Running, None),
        };
        match &halt {
            Some(Halt::Budget | Halt::Stopped(_)) => {
                self.end_open_trials(reason.as_deref(), outbox);
            }
            Some(Halt::Paused(_) | Halt::Shutdown) => self.rest_open_trials(outbox),
            None => {}
        }
        self.record.state = state;
        self.record.reason = reason;
        if matches!(state, StudyState::Done | StudyState::Stopped) {
            self.record.ended_unix_ms = Some(clock::unix_ms());
            self.reveal_test(store, outbox)?;
        }
        outbox.put_study(self.id, &self.record);
        let study = self.summary();
        match state {
            StudyState::Done | StudyState::Stopped => {
                if let Some(exhausted) = self.conductor.exhausted() {
                    let message = exhausted.to_string();
                    outbox.tell(self.id, Event::Warning { message });
                }
                outbox.tell(self.id, Event::StudyEnded { study });
            }
            _ => outbox.tell(self.id, Event::StudyChanged { study }),
        }
        Ok(())
    }

    /// Ends every trial that has not ended by itself. Decisions that were not taken yet are not
    /// taken any more: they would depend on what happened to be done by now.
    fn end_open_trials(&mut self, why: Option<&str>, outbox: &mut Outbox) {
        let max_epochs = self.spec.fidelity.max_epochs;
        let open: Vec<TrialNumber> = self.trials.keys().copied().collect();
        for number in open {
            let Some(trial) = self.trials.get_mut(&number) else {
                continue;
            };
            if !trial.is_stored {
                self.trials.remove(&number);
                continue;
            }
            let own = trial.ended.take();
            let last = trial
                .record
                .outcomes
                .last()
                .filter(|_| trial.until.is_none());
            let (state, reason) = match last.map(|outcome| outcome.kind) {
                _ if trial.stopping => (TrialState::Stopped, Some(BY_HAND.to_owned())),
                Some(disk::OutcomeKind::Diverged) => (TrialState::Diverged, own),
                Some(disk::OutcomeKind::Failed) => (TrialState::Failed, own),
                Some(_) if trial.record.epochs == max_epochs => (TrialState::Done, None),
                _ => (TrialState::Stopped, why.map(str::to_owned)),
            };
            self.end_trial(number, state, reason, outbox);
        }
    }

    /// Nobody trains while the study rests. A trial that a person paused stays paused.
    fn rest_open_trials(&mut self, outbox: &mut Outbox) {
        for (number, trial) in &mut self.trials {
            let rests = matches!(trial.record.state, TrialState::Running | TrialState::Lost);
            if trial.is_stored && rests {
                trial.record.state = TrialState::Queued;
                outbox.put_trial(self.id.trial(number.0 as u32), &trial.record);
            }
        }
    }

    /// The best trial's metrics on the test rows become part of its record once the study is over:
    /// nothing was chosen by them.
    fn reveal_test(&self, store: &Store, outbox: &mut Outbox) -> anyhow::Result<()> {
        let Some((best, _)) = self.best else {
            return Ok(());
        };
        let id = self.trial_id(best);
        let mut record = match outbox.trial(id) {
            Some(ended_now) => ended_now.clone(),
            None => store.trial(id)?,
        };
        if let Some(model) = &record.model {
            for (metric, value) in &model.test {
                record
                    .final_metrics
                    .insert(format!("test_{metric}"), *value);
            }
            outbox.put_trial(id, &record);
        }
        Ok(())
    }

    /// What it does or waits for, in a sentence.
    pub(super) fn doing(&self) -> String {
        let count = |state: fn(&Trial) -> bool| self.trials.values().filter(|t| state(t)).count();
        let training = count(|trial| trial.lease.is_some());
        let paused = count(|trial| trial.paused && trial.lease.is_none());
        let ready = count(Trial::is_ready);
        let deciding = count(|trial| trial.until.is_none());
        if let Some(halt) = &self.halt {
            let why = match halt {
                Halt::Paused(why) | Halt::Stopped(why) => why.as_str(),
                Halt::Budget => "its time budget is spent",
                Halt::Shutdown => "the daemon stops",
            };
            let training = trials(training);
            return format!("comes to a halt ({why}): {training} still to be laid down");
        }
        if training > 0 {
            let mut doing = format!("trains {}", trials(training));
            if ready > 0 {
                doing.push_str(&format!(", {ready} more wait for a worker"));
            }
            if deciding > 0 {
                doing.push_str(&format!(
                    ", {deciding} wait at a rung for others to get there"
                ));
            }
            return doing;
        }
        match (ready, paused) {
            (0, 0) => "is about to end".into(),
            (0, _) => {
                let held: Vec<String> = self
                    .trials
                    .iter()
                    .filter(|(_, trial)| trial.paused)
                    .map(|(number, _)| self.trial_id(*number).to_string())
                    .collect();
                format!(
                    "waits for paused trials whose turn it is; `attune resume {}`",
                    held.first().map_or("", String::as_str)
                )
            }
            (ready, _) => format!("waits for workers to take {}", trials(ready)),
        }
    }

    pub(super) fn training(&self) -> u32 {
        self.trials
            .values()
            .filter(|trial| trial.lease.is_some())
            .count() as u32
    }

    pub(super) fn trial_id(&self, number: TrialNumber) -> TrialId {
        self.id.trial(u32::try_from(number.0).unwrap_or(u32::MAX))
    }

    /// The library of the trial's scheduler.
    pub(super) fn library(&self, number: TrialNumber) -> Option<&LibraryFile> {
        let scheduler = self
            .trials
            .get(&number)?
            .record
            .config
            .get(name::SCHEDULER)?;
        let disk::Scalar::Text(scheduler) = scheduler else {
            return None;
        };
        self.library_of(scheduler)
    }

    /// The plugin that a library of this hash holds, where the study uses it.
    pub(super) fn build(&self, hash: &str) -> Option<&PluginBuild> {
        let mut builds = self
            .record
            .plugins
            .values()
            .chain(self.record.swapped.values());
        builds.find(|build| build.build_hash == hash)
    }

    /// The library of a scheduler that the study may use.
    pub(super) fn library_of(&self, scheduler: &str) -> Option<&LibraryFile> {
        self.schedulers.get(scheduler).map(|(_, library)| library)
    }

    /// The schedulers that the study may use.
    pub(super) fn schedulers(&self) -> Vec<&str> {
        self.schedulers.keys().map(String::as_str).collect()
    }

    pub(super) fn trial_summary(&self, number: TrialNumber) -> Option<TrialSummary> {
        let trial = self.trials.get(&number)?;
        let id = self.trial_id(number);
        Some(convert::trial(id, &trial.record, &self.record.metric))
    }

    pub(super) fn summary(&self) -> StudySummary {
        let undecided = self.trials.values().filter(|trial| trial.is_stored);
        let (mut running, mut tally) = (0, self.tally);
        for trial in undecided {
            match trial.record.state {
                state @ (TrialState::Diverged | TrialState::Failed) => tally.count(state),
                _ => running += 1,
            }
        }
        let Tally {
            done,
            stopped,
            diverged,
            failed,
        } = tally;
        let counts = attune_protocol::TrialCounts {
            planned: self.record.planned_trials,
            running,
            done,
            stopped,
            diverged,
            failed,
        };
        let best = self
            .best
            .map(|(number, value)| (self.trial_id(number), value));
        let mut summary = convert::study_summary(self.id, &self.record, counts, best);
        summary.seconds.0 += self.counted.elapsed().as_secs_f64();
        summary
    }
}

/// The state of a trial that ended by itself, and not well.
fn ended_by_itself(outcome: &Outcome) -> Option<TrialState> {
    match outcome {
        Outcome::Diverged { .. } => Some(TrialState::Diverged),
        Outcome::Failed => Some(TrialState::Failed),
        Outcome::Reached { .. } | Outcome::Ended { .. } => None,
    }
}

fn trials(count: usize) -> String {
    match count {
        1 => "1 trial".into(),
        count => format!("{count} trials"),
    }
}

/// Lets go of a trial's lease. A person who still waits for their wish is told why it was not done.
fn release(trial: &mut Trial, why: impl FnOnce() -> String, outbox: &mut Outbox) {
    let steering = trial.lease.take().and_then(|held| held.steer);
    if let Some(steering) = steering {
        let problem = super::conflict(why());
        outbox.then(move || drop(steering.reply.send(Err(problem))));
    }
}

fn best_value(record: &TrialRecord, metric: &str) -> Option<f64> {
    record
        .best_metrics
        .get(&convert::on_valid(metric))
        .map(|best| best.value)
}

pub(super) fn number(id: TrialId) -> TrialNumber {
    TrialNumber(id.number.into())
}

fn reported(outcome: &disk::Outcome) -> Outcome {
    let disk::Outcome {
        kind, epoch, value, ..
    } = *outcome;
    match kind {
        disk::OutcomeKind::Reached => Outcome::Reached { epoch, value },
        disk::OutcomeKind::Ended => Outcome::Ended { epoch, value },
        disk::OutcomeKind::Diverged => Outcome::Diverged { epoch },
        disk::OutcomeKind::Failed => Outcome::Failed,
    }
}

fn stored(seq: u64, outcome: Outcome) -> disk::Outcome {
    let (kind, epoch, value) = match outcome {
        Outcome::Reached { epoch, value } => (disk::OutcomeKind::Reached, epoch, value),
        Outcome::Ended { epoch, value } => (disk::OutcomeKind::Ended, epoch, value),
        Outcome::Diverged { epoch } => (disk::OutcomeKind::Diverged, epoch, f64::NAN),
        Outcome::Failed => (disk::OutcomeKind::Failed, 0, f64::NAN),
    };
    disk::Outcome {
        seq,
        kind,
        epoch,
        value,
    }
}

fn searched_direction(direction: disk::Direction) -> Direction {
    match direction {
        disk::Direction::Minimize => Direction::Minimize,
        disk::Direction::Maximize => Direction::Maximize,
    }
}

pub(crate) fn resolve(spec: &StudySpec, schedulers: &Schedulers) -> anyhow::Result<StudySpace> {
    let available: Vec<&Description> = schedulers
        .values()
        .map(|(described, _)| described)
        .collect();
    Ok(StudySpace::resolve(spec, &available)?)
}

fn searcher(method: Method, space: &StudySpace, seed: u64) -> Box<dyn Searcher> {
    let space = space.searched.clone();
    match method {
        Method::Sobol => Box::new(Sobol::new(space, seed)),
        Method::Random => Box::new(Random::new(space, seed)),
    }
}

fn conductor(
    spec: &StudySpec,
    space: &StudySpace,
    direction: Direction,
    parallel: u32,
) -> anyhow::Result<Conductor> {
    let width = if spec.reproducible {
        spec.virtual_width
    } else {
        parallel
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
        searcher(spec.search.method, space, spec.seed),
        policy(&spec.fidelity, direction)?,
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
