//! The engine: the one loop that owns studies, leases and workers.
//!
//! It runs no plugin code, trains nothing and waits for nobody but the disk. It takes what has
//! arrived, changes what is in memory, writes all of it at once, and only then answers: so whatever
//! it said yes to survives being killed at any instant. Where the disk is full it keeps the round
//! and tries again, and nothing is answered meanwhile.

use super::hub::Hub;
use super::outbox::Outbox;
use super::staff::{Gone, Staff};
use super::study::{Halt, More, NewScheduler, Schedulers, Study, number};
use super::trial::{Steering, WorkerId, check, file};
use super::{conflict, internal, not_found, unavailable};
use crate::study::space::FullConfig;
use crate::{breakpoint, clock};
use attune_protocol::work::{Answer, Brief, Exchange, Hired, LeaseId, NewWorker};
use attune_protocol::{
    DaemonStatus, Event, Problem, Steer, StudyStatus, StudySummary, TrialSummary, WorkerStatus,
};
use attune_search::TrialNumber;
use attune_store::{
    Best, Error, Id, PluginBuild, Quarantine, Store, StudyId, StudyRecord, TrialId, TrialState,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What has arrived and waits for the engine; whoever finds the queue full is told so.
const QUEUE: usize = 1_024;

/// The most that is taken into one write.
const ROUND: usize = 64;

/// How often the engine looks at the clock.
const TICK: Duration = Duration::from_millis(100);

/// How long it waits before it tries again to write to a full disk.
const AGAIN: Duration = Duration::from_millis(500);

/// How long a person waits for a worker to take the wheel.
const STEER_WITHIN: Duration = Duration::from_secs(5);

/// How long workers have to lay down their work when the daemon stops.
const LAY_DOWN_WITHIN: Duration = Duration::from_secs(10);

/// How long workers are kept that nobody needs.
const KEEP_WARM: Duration = Duration::from_secs(60);

/// No daemon starts more workers; if one did, some numbers would be those of the next one's.
const WORKERS_A_BOOT: u64 = 10_000;

/// A library in which so many trials were given up because their workers died is kept from running.
const STRIKES: usize = 2;

/// An answer that is on its way.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// What the engine is asked.
pub(super) enum Ask {
    /// A new study, checked, with the libraries it needs.
    Create(
        Box<StudyRecord>,
        Schedulers,
        Option<ForkStart>,
        Reply<StudySummary>,
    ),
    /// A study that was paused, stopped or ended goes on.
    Resume(
        StudyId,
        Schedulers,
        Box<More>,
        Option<u16>,
        Reply<StudySummary>,
    ),
    Halt(StudyId, Halt, Reply<StudySummary>),
    Remove(StudyId, Reply<()>),
    Trial(TrialId, TrialAsk, Reply<TrialSummary>),
    Steer(TrialId, Box<Steer>, Option<Box<NewScheduler>>, Reply<()>),
    Hire(NewWorker, Reply<Hired>),
    Brief(StudyId, Reply<Brief>),
    Exchange(WorkerId, Box<Exchange>, Reply<Answer>),
    /// A worker's process ended.
    Gone(Gone),
    Quarantine(String, Option<Quarantine>, Reply<()>),
    Status(Reply<DaemonStatus>),
    /// Lay everything down and end.
    Stop,
}

/// What the one trial of a fork begins from.
pub(super) struct ForkStart {
    /// The other trial's checkpoint.
    pub(super) checkpoint: PathBuf,
    pub(super) config: FullConfig,
    pub(super) seed: u64,
    pub(super) max_epochs: u32,
    pub(super) plugin: Option<PluginBuild>,
    /// The best of each metric so far, which goes on to count.
    pub(super) best: BTreeMap<String, Best>,
}

/// What can be done to one trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrialAsk {
    Pause,
    Resume,
    Stop,
}

/// The door to the engine. Cheap to clone.
#[derive(Clone)]
pub(super) struct Engine {
    asks: SyncSender<Ask>,
}

/// What the engine must know and does not find out by itself.
pub(super) struct Means {
    pub(super) store: Arc<Store>,
    pub(super) hub: Arc<Hub>,
    pub(super) staff: Staff,
    /// The folder of all checkpoints and models.
    pub(super) checkpoints: PathBuf,
    pub(super) limits: Limits,
    /// What never changes of the daemon's status.
    pub(super) about: DaemonStatus,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The most workers; as many as the studies ask for where not given.
    pub(super) workers: Option<usize>,
    pub(super) checkpoint_every: Duration,
    pub(super) checkpoint_budget: u64,
    /// After so much silence a worker is given up.
    pub(super) lease_timeout: Duration,
    /// The daemon ends after having had nothing to do for so long.
    pub(super) idle_exit: Option<Duration>,
}

impl Engine {
    /// Starts the engine with the studies that were under way. `ended` is told when it has ended,
    /// with an error where it had to.
    pub(super) fn start(
        means: Means,
        restored: Vec<(StudyId, anyhow::Result<Schedulers>)>,
        boot: u64,
        ended: impl FnOnce(anyhow::Result<()>) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (sender, asks) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("engine".into());
        thread.spawn(move || {
            let mut state = State::new(means, boot);
            let outcome = state.restore(restored).and_then(|()| state.run(&asks));
            ended(outcome);
        })?;
        Ok(Engine { asks: sender })
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        self.tell(ask(reply))?;
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(unavailable("the daemon is stopping; try again in a moment")),
        }
    }

    /// Tells the engine something that has no answer.
    pub(super) fn tell(&self, ask: Ask) -> Result<(), Problem> {
        self.asks.try_send(ask).map_err(|error| match error {
            TrySendError::Full(_) => unavailable("the daemon has too much to do; try again"),
            TrySendError::Disconnected(_) => unavailable("the daemon is stopping; try again"),
        })
    }

    /// As [`Engine::tell`], and waits where the queue is full; for threads that may.
    pub(super) fn tell_surely(&self, ask: Ask) {
        // Without an engine there is nobody who should know.
        let _ = self.asks.send(ask);
    }
}

struct State {
    means: Means,
    studies: BTreeMap<StudyId, Study>,
    workers: BTreeMap<WorkerId, Worker>,
    /// Workers that were started and have not asked to be hired.
    starting: BTreeMap<WorkerId, Instant>,
    next_worker: WorkerId,
    next_attempt: u64,
    quarantined: BTreeMap<String, Quarantine>,
    /// Trials given up because their workers died inside a library, by its hash.
    strikes: BTreeMap<String, BTreeSet<TrialId>>,
    outbox: Outbox,
    /// A round that could not be written, and since when.
    stalled: Option<(Outbox, String)>,
    /// When that was tried last.
    tried_at: Instant,
    deferred: VecDeque<Ask>,
    stopping_since: Option<Instant>,
    idle_since: Instant,
    /// Nobody is started before this, because those that were ended at once.
    hire_after: Instant,
    failed_starts: u32,
    warnings: Vec<String>,
    checkpoint_bytes: u64,
    counted_at: Option<Instant>,
}

/// A worker process.
struct Worker {
    pid: u32,
    heard: Instant,
    /// The leases it has, in the order in which it was given them.
    leases: Vec<(TrialId, u64)>,
    void: Vec<LeaseId>,
    /// An exchange that waits for something to say.
    waiting: Option<Waiting>,
    idle_since: Instant,
    /// It was told to end.
    closing: bool,
}

struct Waiting {
    want: usize,
    until: Instant,
    reply: Reply<Answer>,
}

impl State {
    fn new(means: Means, boot: u64) -> Self {
        let now = Instant::now();
        State {
            means,
            studies: BTreeMap::new(),
            workers: BTreeMap::new(),
            starting: BTreeMap::new(),
            // Nor are their workers' numbers: one that outlived its daemon is nobody to the next.
            next_worker: boot * WORKERS_A_BOOT + 1,
            // Attempts of two daemons are never the same.
            next_attempt: (boot << 32) | 1,
            quarantined: BTreeMap::new(),
            strikes: BTreeMap::new(),
            outbox: Outbox::default(),
            stalled: None,
            tried_at: now,
            deferred: VecDeque::new(),
            stopping_since: None,
            idle_since: now,
            hire_after: now,
            failed_starts: 0,
            warnings: Vec::new(),
            checkpoint_bytes: 0,
            counted_at: None,
        }
    }

    /// Takes up the studies that were under way. One that cannot go on is paused and says why.
    fn restore(
        &mut self,
        studies: Vec<(StudyId, anyhow::Result<Schedulers>)>,
    ) -> anyhow::Result<()> {
        self.quarantined = self.means.store.quarantines()?.into_iter().collect();
        for (id, schedulers) in studies {
            let restored = schedulers.and_then(|schedulers| {
                Study::restore(&self.means.store, id, &self.means.checkpoints, schedulers)
            });
            let begun = restored.and_then(|mut study| {
                study.take_up(&mut self.outbox)?;
                Ok(study)
            });
            match begun {
                Ok(study) => {
                    self.studies.insert(id, study);
                }
                Err(error) => self.pause_unreadable(id, &error)?,
            }
        }
        for (id, _) in self.means.store.list_studies()? {
            self.sweep(id);
        }
        Ok(())
    }

    /// Clears a study's folder of what an earlier death left, once this round is stored.
    fn sweep(&mut self, id: StudyId) {
        let store = Arc::clone(&self.means.store);
        let folder = self.means.checkpoints.join(id.to_string());
        self.outbox.then(move || {
            if let Err(error) = super::checkpoints::sweep(&store, id, &folder) {
                tracing::warn!(study = %id, %error, "cannot clear a study's folder");
            }
        });
    }

    fn pause_unreadable(&mut self, id: StudyId, error: &anyhow::Error) -> anyhow::Result<()> {
        tracing::error!(study = %id, error = format!("{error:#}"), "a study cannot go on");
        let mut record = self.means.store.study(id)?;
        record.state = attune_store::StudyState::Paused;
        record.reason = Some(format!(
            "it could not go on when the daemon started: {error:#}"
        ));
        self.outbox.put_study(id, &record);
        for (id, mut trial) in self.means.store.list_trials(id)? {
            if matches!(trial.state, TrialState::Running | TrialState::Lost) {
                trial.state = TrialState::Queued;
                self.outbox.put_trial(id, &trial);
            }
        }
        Ok(())
    }

    fn run(&mut self, asks: &Receiver<Ask>) -> anyhow::Result<()> {
        loop {
            // Only taken where it can be done: whoever asked waits for the answer.
            let deferred = match self.stalled {
                Some(_) => None,
                None => self.deferred.pop_front(),
            };
            let first = match deferred {
                Some(ask) => Ok(ask),
                None => asks.recv_timeout(match self.stalled {
                    Some(_) => AGAIN,
                    None => TICK,
                }),
            };
            match first {
                Ok(ask) => self.take(ask),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.stop(),
            }
            for _ in 1..ROUND {
                if self.outbox.is_heavy() {
                    break;
                }
                match asks.try_recv() {
                    Ok(ask) => self.take(ask),
                    Err(_) => break,
                }
            }
            if self.stalled.is_none() {
                self.look_at_the_clock();
                self.move_on();
            }
            self.commit()?;
            if let (Some((_, why)), Some(_)) = (&self.stalled, self.stopping_since) {
                // What is not stored was not answered either, so the next daemon goes on without it.
                tracing::warn!("the daemon ends though nothing can be stored: {why}");
                return Ok(());
            }
            if self.is_over() {
                return Ok(());
            }
        }
    }

    fn take(&mut self, ask: Ask) {
        if self.stalled.is_some() && !matches!(ask, Ask::Status(_) | Ask::Stop) {
            // Nobody tells a second time that a worker is gone.
            if self.deferred.len() < QUEUE || matches!(ask, Ask::Gone(_)) {
                self.deferred.push_back(ask);
            }
            return;
        }
        match ask {
            Ask::Create(record, schedulers, fork_of, reply) => {
                let created = self.create(*record, schedulers, fork_of);
                self.answer(reply, created);
            }
            Ask::Resume(id, schedulers, more, parallel, reply) => {
                let resumed = self.resume(id, schedulers, *more, parallel);
                self.answer(reply, resumed);
            }
            Ask::Halt(id, halt, reply) => {
                let halted = self.halt(id, halt);
                self.answer(reply, halted);
            }
            Ask::Remove(id, reply) => {
                let removed = self.remove(id);
                self.answer(reply, removed);
            }
            Ask::Trial(id, what, reply) => {
                let done = self.trial(id, what);
                self.answer(reply, done);
            }
            Ask::Steer(id, steer, scheduler, reply) => {
                if let (Some(scheduler), Some(study)) = (scheduler, self.studies.get_mut(&id.study))
                {
                    study.take_in(*scheduler, &mut self.outbox);
                }
                self.steer(id, *steer, reply);
            }
            Ask::Hire(new, reply) => {
                let hired = self.hire(&new);
                self.answer(reply, Ok(hired));
            }
            Ask::Brief(id, reply) => {
                let brief = self
                    .studies
                    .get(&id)
                    .map(|study| study.brief(self.means.limits.checkpoint_every));
                let brief = brief.ok_or_else(|| not_found(format!("study {id} is not under way")));
                self.answer(reply, brief);
            }
            Ask::Exchange(worker, exchange, reply) => self.exchange(worker, *exchange, reply),
            Ask::Gone(gone) => self.gone(&gone),
            Ask::Quarantine(hash, quarantine, reply) => {
                match &quarantine {
                    Some(quarantine) => self.quarantined.insert(hash.clone(), quarantine.clone()),
                    None => {
                        self.strikes.remove(&hash);
                        self.quarantined.remove(&hash)
                    }
                };
                self.outbox.put_quarantine(&hash, quarantine);
                self.answer(reply, Ok(()));
            }
            // Needs no write, and is wanted most when nothing can be written.
            Ask::Status(reply) => drop(reply.send(Ok(self.status()))),
            Ask::Stop => self.stop(),
        }
    }

    /// Answers once what was done is stored.
    fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, answer: Result<T, Problem>) {
        // Whoever asked may be gone.
        self.outbox.then(move || drop(reply.send(answer)));
    }

    fn create(
        &mut self,
        mut record: StudyRecord,
        schedulers: Schedulers,
        fork: Option<ForkStart>,
    ) -> Result<StudySummary, Problem> {
        if self.stopping_since.is_some() {
            return Err(unavailable("the daemon is stopping; try again in a moment"));
        }
        // The id is taken by writing the study; what follows is in the round's own write.
        record.state = attune_store::StudyState::Queued;
        let id = self.means.store.create_study(&record).map_err(not_stored)?;
        breakpoint::pass("daemon-study-created");
        let begun = self.begin(id, schedulers, fork);
        if begun.is_err() {
            // It was said no to, so the next daemon must not find it.
            self.outbox.remove_study(id);
            self.outbox
                .delete(self.means.checkpoints.join(id.to_string()));
        }
        let study = begun.map_err(|error| internal(&error))?;
        let summary = study.summary();
        self.studies.insert(id, study);
        Ok(summary)
    }

    fn begin(
        &mut self,
        id: StudyId,
        schedulers: Schedulers,
        fork: Option<ForkStart>,
    ) -> anyhow::Result<Study> {
        let mut study = Study::restore(&self.means.store, id, &self.means.checkpoints, schedulers)?;
        if let Some(fork) = fork {
            take_over(&fork.checkpoint, &study.fork_file())?;
            study.begin_with(fork, &mut self.outbox);
        }
        study.begin(More::default(), &mut self.outbox)?;
        Ok(study)
    }

    fn resume(
        &mut self,
        id: StudyId,
        schedulers: Schedulers,
        more: More,
        parallel: Option<u16>,
    ) -> Result<StudySummary, Problem> {
        if let Some(study) = self.studies.get(&id)
            && study.halt.is_some()
        {
            return Err(conflict(format!(
                "study {id} is coming to a halt; try again in a moment"
            )));
        }
        let is_new = !self.studies.contains_key(&id);
        if is_new {
            let study = Study::restore(&self.means.store, id, &self.means.checkpoints, schedulers);
            self.studies
                .insert(id, study.map_err(|error| internal(&error))?);
        }
        let Some(study) = self.studies.get_mut(&id) else {
            return Err(not_found(format!("there is no study {id}")));
        };
        let before = study.record.parallel;
        study.record.parallel = parallel.map_or(before, u32::from);
        match study.begin(more, &mut self.outbox) {
            Ok(()) => Ok(study.summary()),
            Err(error) => {
                // It stays as it was: at rest, if it was.
                study.record.parallel = before;
                if is_new {
                    self.studies.remove(&id);
                }
                Err(internal(&error))
            }
        }
    }

    fn halt(&mut self, id: StudyId, halt: Halt) -> Result<StudySummary, Problem> {
        if let Some(study) = self.studies.get_mut(&id) {
            study.be_halted(halt, &mut self.outbox);
            return Ok(study.summary());
        }
        let record = self
            .means
            .store
            .study(id)
            .map_err(|e| not_found(e.to_string()))?;
        let state = crate::convert::study_state(record.state);
        let hint = match record.state {
            attune_store::StudyState::Paused => {
                format!("; `attune resume {id}` lets it go on, `attune rm {id}` removes it")
            }
            _ => String::new(),
        };
        Err(conflict(format!(
            "study {id} is not running; it is {state}{hint}"
        )))
    }

    fn remove(&mut self, id: StudyId) -> Result<(), Problem> {
        if let Some(study) = self.studies.remove(&id) {
            // Its workers drop what they hold when they next ask.
            for worker in self.workers.values_mut() {
                let (gone, kept): (Vec<_>, Vec<_>) = worker
                    .leases
                    .drain(..)
                    .partition(|(trial, _)| trial.study == id);
                worker.leases = kept;
                worker.void.extend(gone.into_iter().map(lease_id));
            }
            drop(study);
        } else {
            self.means
                .store
                .study(id)
                .map_err(|e| not_found(e.to_string()))?;
        }
        self.outbox.remove_study(id);
        self.outbox
            .delete(self.means.checkpoints.join(id.to_string()));
        self.outbox
            .tell(id, Event::StudyRemoved { id: id.to_string() });
        Ok(())
    }

    fn trial(&mut self, id: TrialId, what: TrialAsk) -> Result<TrialSummary, Problem> {
        let trial = number(id);
        let Some(study) = self.studies.get_mut(&id.study) else {
            return Err(conflict(format!(
                "study {} is not running; `attune resume {}` lets it go on",
                id.study, id.study
            )));
        };
        if !study.trials.contains_key(&trial) {
            let stored = self
                .means
                .store
                .trial(id)
                .map_err(|e| not_found(e.to_string()))?;
            let state = crate::convert::trial_state(stored.state);
            return Err(conflict(format!(
                "trial {id} has ended ({state}); `attune fork {id}` goes on from its checkpoint"
            )));
        }
        if let (TrialAsk::Resume, Some(held)) = (what, study.trials.get(&trial))
            && !held.paused
        {
            let state = crate::convert::trial_state(held.record.state);
            return Err(conflict(format!("trial {id} is not paused; it is {state}")));
        }
        match what {
            TrialAsk::Pause => study.pause_trial(trial, &mut self.outbox),
            TrialAsk::Resume => study.resume_trial(trial, &mut self.outbox),
            TrialAsk::Stop => study
                .stop_trial(trial, &mut self.outbox)
                .map_err(|error| internal(&error))?,
        }
        match study.trial_summary(trial) {
            Some(summary) => Ok(summary),
            None => self.ended_summary(id),
        }
    }

    /// A trial that ended in this very round is not in the store yet.
    fn ended_summary(&self, id: TrialId) -> Result<TrialSummary, Problem> {
        let record = self
            .outbox
            .trial(id)
            .ok_or_else(|| not_found(format!("no trial {id}")))?;
        let metric = self
            .studies
            .get(&id.study)
            .map(|study| study.record.metric.clone());
        Ok(crate::convert::trial(
            id,
            record,
            &metric.unwrap_or_default(),
        ))
    }

    fn steer(&mut self, id: TrialId, steer: Steer, reply: Reply<()>) {
        if let Err(problem) = self.may_swap(id, &steer) {
            drop(reply.send(Err(problem)));
            return;
        }
        let held = self
            .studies
            .get_mut(&id.study)
            .and_then(|study| study.trials.get_mut(&number(id)))
            .and_then(|trial| trial.lease.as_mut());
        let problem = match held {
            None => conflict(format!(
                "trial {id} is not in training, so nobody holds its wheel"
            )),
            Some(held) if held.steer.is_some() => conflict(format!(
                "trial {id} is being steered by somebody else; try again"
            )),
            Some(held) => {
                held.steer = Some(Steering {
                    steer,
                    is_sent: false,
                    give_up_at: Instant::now() + STEER_WITHIN,
                    reply,
                });
                return;
            }
        };
        drop(reply.send(Err(problem)));
    }

    /// Whether the study has the scheduler that is to be put there, and it may run.
    fn may_swap(&self, id: TrialId, steer: &Steer) -> Result<(), Problem> {
        let (Steer::Swap { scheduler, .. }, Some(study)) = (steer, self.studies.get(&id.study))
        else {
            return Ok(());
        };
        let Some(library) = study.library_of(scheduler) else {
            let known = study.schedulers();
            let hint = match crate::study::reader::nearest(scheduler, known.iter().copied()) {
                Some(right) => format!("did you mean `{right}`?"),
                None => format!(
                    "it has: {}; `attune fork {id} --scheduler {scheduler}` goes on with any",
                    known.join(", ")
                ),
            };
            return Err(conflict(format!(
                "study {} has no scheduler `{scheduler}`; {hint}",
                id.study
            )));
        };
        match self.quarantined.get(&library.hash) {
            Some(quarantine) => Err(conflict(in_quarantine(quarantine))),
            None => Ok(()),
        }
    }

    fn hire(&mut self, new: &NewWorker) -> Hired {
        let id = match new.id.filter(|id| self.starting.remove(id).is_some()) {
            Some(id) => id,
            None => {
                let id = self.next_worker;
                self.next_worker += 1;
                id
            }
        };
        self.failed_starts = 0;
        let now = Instant::now();
        self.workers.insert(
            id,
            Worker {
                pid: new.pid,
                heard: now,
                leases: Vec::new(),
                void: Vec::new(),
                waiting: None,
                idle_since: now,
                closing: false,
            },
        );
        Hired {
            id,
            heartbeat_ms: self.heartbeat().as_millis() as u64,
        }
    }

    fn heartbeat(&self) -> Duration {
        (self.means.limits.lease_timeout / 10)
            .clamp(Duration::from_millis(100), Duration::from_secs(1))
    }

    fn exchange(&mut self, id: WorkerId, exchange: Exchange, reply: Reply<Answer>) {
        let Some(worker) = self.workers.get_mut(&id) else {
            drop(reply.send(Err(not_found(
                "no such worker is known, perhaps because it was silent for too long; ask to be \
                 hired again",
            ))));
            return;
        };
        worker.heard = Instant::now();
        if let Some(earlier) = worker.waiting.take() {
            drop(earlier.reply.send(Ok(Answer::default())));
        }
        let has_news = !exchange.reports.is_empty();
        let mut void = std::mem::take(&mut worker.void);
        for report in exchange.reports {
            let Some(trial) = trial_of(&report.lease) else {
                continue;
            };
            if let Err(why) = check(&report.news) {
                tracing::warn!(worker = id, %trial, "a report was refused: {why}");
                void.push(report.lease);
                continue;
            }
            let is_end = matches!(report.news, attune_protocol::work::News::Ended(_));
            let lease = (id, report.lease.attempt);
            let taken = match self.studies.get_mut(&trial.study) {
                Some(study) => study.report(number(trial), lease, report.news, &mut self.outbox),
                None => Ok(false),
            };
            match taken {
                Ok(true) => {}
                Ok(false) => void.push(report.lease.clone()),
                Err(error) => self.break_off(trial.study, &error),
            }
            if is_end && let Some(worker) = self.workers.get_mut(&id) {
                worker.leases.retain(|held| *held != (trial, lease.1));
            }
        }
        let mut answer = Answer {
            void,
            ..Answer::default()
        };
        self.reconcile(id, &exchange.holds, &mut answer);
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let patience = match has_news || worker.closing {
            true => Duration::ZERO,
            false => {
                Duration::from_millis(exchange.patience_ms).min(self.means.limits.lease_timeout / 2)
            }
        };
        let waiting = Waiting {
            want: exchange.want.into(),
            until: Instant::now() + patience,
            reply,
        };
        self.serve(id, waiting, answer);
    }

    /// Brings what the worker says it holds and what is counted to it together.
    fn reconcile(&mut self, id: WorkerId, holds: &[LeaseId], answer: &mut Answer) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let held: BTreeSet<(TrialId, u64)> = holds
            .iter()
            .filter_map(|l| Some((trial_of(l)?, l.attempt)))
            .collect();
        for lease in holds {
            let known =
                trial_of(lease).is_some_and(|t| worker.leases.contains(&(t, lease.attempt)));
            if !known && !answer.void.contains(lease) {
                answer.void.push(lease.clone());
            }
        }
        for (trial, attempt) in &worker.leases {
            if held.contains(&(*trial, *attempt)) {
                continue;
            }
            // It never got the answer that gave it this lease.
            let again = self.studies.get(&trial.study);
            answer
                .leases
                .extend(again.and_then(|study| study.lease_again(number(*trial))));
        }
    }

    /// Answers a worker, now or once there is something to say.
    fn serve(&mut self, id: WorkerId, waiting: Waiting, mut answer: Answer) {
        let mut want = waiting.want;
        while want > 0 {
            let Some(lease) = self.next_lease(id) else {
                break;
            };
            answer.leases.push(lease);
            want -= 1;
        }
        self.orders(id, &mut answer);
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if !worker.leases.is_empty() {
            worker.idle_since = Instant::now();
        }
        let is_silent =
            answer.leases.is_empty() && answer.orders.is_empty() && answer.void.is_empty();
        if is_silent && Instant::now() < waiting.until {
            worker.waiting = Some(waiting);
        } else {
            let reply = waiting.reply;
            self.outbox.then(move || {
                if !answer.leases.is_empty() {
                    breakpoint::pass("daemon-leased");
                }
                drop(reply.send(Ok(answer)));
            });
        }
    }

    fn orders(&mut self, id: WorkerId, answer: &mut Answer) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        for (trial, attempt) in &worker.leases {
            let study = self.studies.get_mut(&trial.study);
            if let Some(trial_now) = study.and_then(|study| study.trials.get_mut(&number(*trial))) {
                trial_now.order(&lease_id((*trial, *attempt)), answer);
            }
        }
    }

    /// A lease for this worker, where there is one: of the study that has the fewest trials in
    /// training for the number it may have.
    fn next_lease(&mut self, id: WorkerId) -> Option<attune_protocol::work::Lease> {
        if self.stopping_since.is_some() || self.workers.get(&id)?.closing {
            return None;
        }
        loop {
            let mut by_need: Vec<(usize, usize, StudyId)> = Vec::new();
            for (study_id, study) in &self.studies {
                let own = self.leases_of(id, *study_id);
                let others = self.workers.iter().filter(|(worker, _)| **worker != id);
                let busy = others
                    .filter(|(_, worker)| holds_of(worker, *study_id) > 0)
                    .count();
                if busy < study.parallel() && own < study.most_leases() {
                    by_need.push((busy * 1_000 / study.parallel(), own, *study_id));
                }
            }
            by_need.sort_unstable();
            let mut found = None;
            for (_, _, study_id) in by_need {
                let study = self.studies.get(&study_id)?;
                let is_busy = |other: WorkerId| {
                    self.workers
                        .get(&other)
                        .is_none_or(|worker| !worker.leases.is_empty())
                };
                if let Some(trial) = study.next_for(id, is_busy) {
                    found = Some((study_id, trial));
                    break;
                }
            }
            let (study_id, trial) = found?;
            if self.refuse_quarantined(study_id, trial) {
                continue;
            }
            let attempt = self.next_attempt;
            let study = self.studies.get_mut(&study_id)?;
            let lease = study.lease(trial, id, attempt, &mut self.outbox)?;
            self.next_attempt += 1;
            self.workers
                .get_mut(&id)?
                .leases
                .push((study.trial_id(trial), attempt));
            return Some(lease);
        }
    }

    fn leases_of(&self, id: WorkerId, study: StudyId) -> usize {
        self.workers
            .get(&id)
            .map_or(0, |worker| holds_of(worker, study))
    }

    /// A trial whose library is in quarantine fails at once.
    fn refuse_quarantined(&mut self, id: StudyId, trial: TrialNumber) -> bool {
        let Some(study) = self.studies.get_mut(&id) else {
            return false;
        };
        let Some(quarantine) = study
            .library(trial)
            .and_then(|lib| self.quarantined.get(&lib.hash))
        else {
            return false;
        };
        let reason = in_quarantine(quarantine);
        if let Err(error) = study.fail(trial, reason, &mut self.outbox) {
            self.break_off(id, &error);
        }
        if let Some(Err(error)) = self
            .studies
            .get_mut(&id)
            .map(|study| study.fill(&mut self.outbox))
        {
            self.break_off(id, &error);
        }
        true
    }

    /// A worker is gone: its trials go back to the queue, and the one it died in is blamed.
    fn gone(&mut self, gone: &Gone) {
        if self.starting.remove(&gone.id).is_some() {
            self.failed_starts += 1;
            let pause = Duration::from_secs(1 << self.failed_starts.min(6));
            self.hire_after = Instant::now() + pause;
            let warning = format!("a worker ended before it was ready: {}", gone.how);
            tracing::error!(worker = gone.id, how = %gone.how, "{warning}");
            self.warnings = vec![warning];
            return;
        }
        let Some(worker) = self.workers.remove(&gone.id) else {
            return;
        };
        tracing::info!(worker = gone.id, pid = worker.pid, how = %gone.how, "a worker is gone");
        for study in self.studies.values_mut() {
            study.forget_worker(gone.id);
        }
        // One that was told to end is not blamed on anybody.
        let culprit = match worker.closing {
            true => None,
            false => gone.culprit.as_ref().and_then(trial_of),
        };
        // It may have died as it let go of a trial that it had no lease of any more.
        let mut is_strike = culprit.is_some_and(|id| worker.leases.iter().all(|(t, _)| *t != id));
        for (trial, _) in worker.leases {
            let blame = (culprit == Some(trial)).then_some(gone.how.as_str());
            is_strike |= self.lose(trial, blame);
        }
        if let (true, Some(trial), Some(library)) = (is_strike, culprit, &gone.library) {
            self.strike(&library.hash, &library.path, trial, &gone.how);
        }
    }

    /// A trial's worker is gone. Says whether the trial is given up.
    fn lose(&mut self, id: TrialId, blame: Option<&str>) -> bool {
        let Some(study) = self.studies.get_mut(&id.study) else {
            return false;
        };
        study
            .lost(number(id), blame, &mut self.outbox)
            .unwrap_or_else(|error| {
                self.break_off(id.study, &error);
                false
            })
    }

    /// A trial was given up, or a worker lost, because of a library.
    fn strike(&mut self, hash: &str, path: &str, trial: TrialId, how: &str) {
        let struck = self.strikes.entry(hash.to_owned()).or_default();
        struck.insert(trial);
        if struck.len() < STRIKES {
            return;
        }
        let trials: Vec<String> = struck.iter().map(ToString::to_string).collect();
        // A study that went on in another daemon knows its libraries as private copies, which are
        // called by their hashes.
        let build = self.studies.get(&trial.study);
        let build = build.and_then(|study| study.build(hash));
        let name = build.map_or_else(|| library_stem(path), |build| build.name.clone());
        let quarantine = Quarantine {
            unix_ms: clock::unix_ms(),
            name: plugin_name(&name),
            path: path.to_owned(),
            reason: format!(
                "it killed the workers of trials {}; the last one: {how}",
                trials.join(", ")
            ),
            deaths: trials,
        };
        tracing::error!(
            plugin = path,
            reason = quarantine.reason,
            "a plugin is in quarantine"
        );
        let message = in_quarantine(&quarantine);
        self.outbox.tell(trial.study, Event::Warning { message });
        self.outbox.put_quarantine(hash, Some(quarantine.clone()));
        self.quarantined.insert(hash.to_owned(), quarantine);
    }

    /// A study whose own rules were broken is paused, and says why.
    fn break_off(&mut self, id: StudyId, error: &anyhow::Error) {
        tracing::error!(study = %id, error = format!("{error:#}"), "a study cannot go on");
        if let Some(study) = self.studies.get_mut(&id) {
            study.come_to_a_halt(Halt::Paused(format!("{error:#}; please report this")));
        }
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        let timeout = self.means.limits.lease_timeout;
        let silent: Vec<WorkerId> = self
            .workers
            .iter()
            .filter(|(_, worker)| {
                now.duration_since(worker.heard) > timeout && worker.waiting.is_none()
            })
            .map(|(id, _)| *id)
            .collect();
        for id in silent {
            // Its end is told by whoever watches its process, if it is one of ours; if not, now.
            self.means.staff.kill(id);
            let culprit = self
                .workers
                .get(&id)
                .and_then(|worker| worker.leases.first());
            self.gone(&Gone {
                id,
                how: format!(
                    "it was silent for {} seconds and was given up",
                    timeout.as_secs()
                ),
                culprit: culprit.copied().map(lease_id),
                library: None,
            });
        }
        for study in self.studies.values_mut() {
            study.count_time(&mut self.outbox);
            if study.halt.is_none() && study.time_left() == Some(Duration::ZERO) {
                study.come_to_a_halt(Halt::Budget);
            }
            study.give_up_steering(now, &mut self.outbox);
        }
        if self
            .stopping_since
            .is_some_and(|since| now.duration_since(since) > LAY_DOWN_WITHIN)
        {
            // Whoever has not laid down its work goes on from its last checkpoint.
            for (id, worker) in std::mem::take(&mut self.workers) {
                self.means.staff.kill(id);
                for (trial, _) in worker.leases {
                    self.lose(trial, None);
                }
            }
        }
        self.keep_checkpoints_within_budget(now);
    }

    /// Carries on whatever can be: ended studies settle, ready trials find workers.
    fn move_on(&mut self) {
        let ids: Vec<StudyId> = self.studies.keys().copied().collect();
        for id in ids {
            let Some(study) = self.studies.get_mut(&id) else {
                continue;
            };
            if let Err(error) = study.fill(&mut self.outbox) {
                self.break_off(id, &error);
                continue;
            }
            let is_over = match study.halt {
                None => study.is_finished(),
                Some(_) => study.is_at_rest(),
            };
            if is_over {
                if let Err(error) = study.settle(&self.means.store, &mut self.outbox) {
                    tracing::error!(study = %id, error = format!("{error:#}"), "cannot settle a study");
                }
                self.studies.remove(&id);
                // Now its checkpoints may go.
                self.counted_at = None;
                self.outbox.then(|| breakpoint::pass("daemon-settled"));
                self.sweep(id);
            }
        }
        self.staff_up();
        let waiting: Vec<WorkerId> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.waiting.is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            let waiting = self
                .workers
                .get_mut(&id)
                .and_then(|worker| worker.waiting.take());
            if let Some(waiting) = waiting {
                self.serve(id, waiting, Answer::default());
            }
        }
    }

    /// Starts workers where there is work for them, and lets those go that nobody needs.
    fn staff_up(&mut self) {
        let wanted = self.studies.values().filter(|study| study.halt.is_none());
        let wanted = wanted.map(Study::parallel).max().unwrap_or(0);
        let wanted = wanted.min(self.means.limits.workers.unwrap_or(usize::MAX));
        let now = Instant::now();
        let there = self.workers.len() + self.starting.len();
        if there < wanted && now >= self.hire_after && self.stopping_since.is_none() {
            for _ in there..wanted {
                let id = self.next_worker;
                self.next_worker += 1;
                match self.means.staff.start(id) {
                    Ok(()) => {
                        self.starting.insert(id, now);
                    }
                    Err(error) => {
                        self.hire_after = now + Duration::from_secs(5);
                        self.warnings = vec![format!("cannot start a worker: {error:#}")];
                        tracing::error!(error = format!("{error:#}"), "cannot start a worker");
                        break;
                    }
                }
            }
        }
        let is_stopping = self.stopping_since.is_some();
        for (id, worker) in &mut self.workers {
            let is_idle = worker.leases.is_empty()
                && now.duration_since(worker.idle_since) > KEEP_WARM
                && wanted == 0;
            if (is_idle || (is_stopping && worker.leases.is_empty())) && !worker.closing {
                worker.closing = true;
                self.means.staff.close(*id);
            }
        }
        if self.studies.is_empty() && self.means.hub.listeners() == 0 {
            // Somebody may still want something soon.
            if self
                .means
                .limits
                .idle_exit
                .is_some_and(|idle| now.duration_since(self.idle_since) > idle)
                && !is_stopping
            {
                tracing::info!("nothing to do for a while, so the daemon ends");
                self.stop();
            }
        } else {
            self.idle_since = now;
        }
    }

    fn stop(&mut self) {
        self.stopping_since.get_or_insert_with(Instant::now);
        for study in self.studies.values_mut() {
            if study.halt.is_none() {
                study.come_to_a_halt(Halt::Shutdown);
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping_since.is_some()
    }

    fn is_over(&self) -> bool {
        self.stopping_since.is_some() && self.studies.is_empty() && self.stalled.is_none()
    }

    /// Stores the round, and only then answers and tells.
    fn commit(&mut self) -> anyhow::Result<()> {
        if self.tried_at.elapsed() < AGAIN && self.stalled.is_some() && !self.is_stopping() {
            return Ok(());
        }
        let round = match self.stalled.take() {
            Some((round, _)) => round,
            None if self.outbox.is_empty() => return Ok(()),
            None => std::mem::take(&mut self.outbox),
        };
        breakpoint::pass("daemon-before-commit");
        match round.write(&self.means.store) {
            Ok(()) => {
                breakpoint::pass("daemon-after-commit");
                round.follow(&self.means.hub);
                Ok(())
            }
            Err(error @ Error::NotWritten { .. }) => {
                self.tried_at = Instant::now();
                tracing::error!(%error, "cannot write; everything waits");
                // Nobody is silent by their own fault while nothing is answered.
                let now = Instant::now();
                for worker in self.workers.values_mut() {
                    worker.heard = now;
                }
                self.stalled = Some((round, error.to_string()));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn keep_checkpoints_within_budget(&mut self, now: Instant) {
        let due = self
            .counted_at
            .is_none_or(|at| now.duration_since(at) > Duration::from_secs(10));
        if !due {
            return;
        }
        self.counted_at = Some(now);
        self.checkpoint_bytes = super::checkpoints::bytes(&self.means.checkpoints);
        if self.checkpoint_bytes <= self.means.limits.checkpoint_budget {
            return;
        }
        let too_much = self.checkpoint_bytes - self.means.limits.checkpoint_budget;
        let collected = super::checkpoints::collect(&self.means.store, too_much, |id| {
            self.studies.contains_key(&id)
        });
        match collected {
            Ok(collected) => {
                if !collected.is_empty() {
                    // What is left is counted once the files are gone.
                    self.counted_at = None;
                }
                for (id, record, steps) in collected {
                    let folder = self.means.checkpoints.join(id.study.to_string());
                    for step in steps {
                        self.outbox
                            .delete(file::checkpoint(&folder, id.number, step));
                    }
                    self.outbox.put_trial(id, &record);
                }
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "cannot collect checkpoints")
            }
        }
    }

    fn status(&self) -> DaemonStatus {
        let now = Instant::now();
        let workers = self.workers.iter().map(|(id, worker)| WorkerStatus {
            id: *id,
            pid: worker.pid,
            trials: worker
                .leases
                .iter()
                .map(|(trial, _)| trial.to_string())
                .collect(),
            doing: self.means.staff.doing(*id),
            silent_ms: now.duration_since(worker.heard).as_millis() as u64,
            memory_bytes: self.means.staff.memory(*id).unwrap_or(0),
        });
        let studies: Vec<StudyStatus> = self
            .studies
            .values()
            .map(|study| StudyStatus {
                id: study.id.to_string(),
                name: study.record.name.clone(),
                doing: match self.workers.is_empty() && study.training() == 0 {
                    true => self.why_no_workers(study),
                    false => study.doing(),
                },
                running: study.training(),
            })
            .collect();
        let mut warnings = self.means.about.warnings.clone();
        warnings.extend(self.warnings.iter().cloned());
        if let Some((_, why)) = &self.stalled {
            warnings.push(format!("nothing can be stored, so everything waits: {why}"));
        }
        let (used, most) = (self.checkpoint_bytes, self.means.limits.checkpoint_budget);
        if used > most {
            warnings.push(format!(
                "checkpoints and models of studies under way take {used} bytes, more than the \
                 {most} that they may; raise `checkpoint_budget`, or remove studies"
            ));
        }
        for quarantine in self.quarantined.values() {
            warnings.push(in_quarantine(quarantine));
        }
        let training: u32 = studies.iter().map(|study| study.running).sum();
        let idle = match (&self.stalled, studies.len(), training) {
            (Some((_, why)), _, _) => Some(format!("nothing can be stored: {why}")),
            (None, 0, _) => Some("no study is under way".into()),
            (None, _, 0) => Some(
                studies
                    .iter()
                    .map(|s| format!("{}: {}", s.id, s.doing))
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
            _ => None,
        };
        DaemonStatus {
            memory_bytes: super::supervisor::memory(std::process::id()).unwrap_or(0),
            workers: workers.collect(),
            studies,
            idle,
            checkpoint_bytes: self.checkpoint_bytes,
            warnings,
            ..self.means.about.clone()
        }
    }

    fn why_no_workers(&self, study: &Study) -> String {
        if self.hire_after > Instant::now() {
            let why = self.warnings.first().map_or("", String::as_str);
            return format!("waits for workers, which do not start: {why}");
        }
        if self.starting.is_empty() {
            study.doing()
        } else {
            "waits for its workers to start".into()
        }
    }
}

fn holds_of(worker: &Worker, study: StudyId) -> usize {
    worker
        .leases
        .iter()
        .filter(|(trial, _)| trial.study == study)
        .count()
}

fn lease_id((trial, attempt): (TrialId, u64)) -> LeaseId {
    LeaseId {
        trial: trial.to_string(),
        attempt,
    }
}

fn trial_of(lease: &LeaseId) -> Option<TrialId> {
    match lease.trial.parse() {
        Ok(Id::Trial(id)) => Some(id),
        _ => None,
    }
}

pub(super) fn in_quarantine(quarantine: &Quarantine) -> String {
    let Quarantine { name, reason, .. } = quarantine;
    format!("the plugin {name} is in quarantine: {reason}; `attune plugin release {name}` lifts it")
}

/// A plugin's name from that of its crate, or of its library's file without what the system puts
/// around it: usually the two are the same but for their hyphens.
pub(super) fn plugin_name(name: &str) -> String {
    let name = name.replace('_', "-");
    name.strip_prefix("attune-plugin-")
        .unwrap_or(&name)
        .to_owned()
}

/// A library's file name without what the system puts around it.
pub(super) fn library_stem(path: &str) -> String {
    let stem = Path::new(path).file_stem().unwrap_or_default();
    let stem = stem.to_string_lossy();
    stem.strip_prefix("lib").unwrap_or(&stem).to_owned()
}

/// Makes a checkpoint another study's own, so that neither's end takes it from the other.
fn take_over(checkpoint: &Path, own: &Path) -> anyhow::Result<()> {
    if let Some(folder) = own.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if std::fs::hard_link(checkpoint, own).is_err() {
        std::fs::copy(checkpoint, own)?;
    }
    std::fs::File::open(own)?.sync_all()?;
    // The file's name, and that of its folder, which may be new, and that of the study's.
    for folder in own.ancestors().skip(1).take(3) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn not_stored(error: Error) -> Problem {
    unavailable(format!("the study could not be stored: {error}"))
}
