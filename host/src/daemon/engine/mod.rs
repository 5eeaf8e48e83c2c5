//! The engine: the one loop that owns studies, leases and workers.
//!
//! It runs no plugin code, trains nothing and waits for nobody but the disk. It takes what has
//! arrived, changes what is in memory, writes all of it at once, and only then answers: so whatever
//! it said yes to survives being killed at any instant. Where the disk is full it keeps the round
//! and tries again, and nothing is answered meanwhile.
//!
//! Here is the loop itself: what it owns, and how a round goes. What can be asked of it, and how
//! others reach it, is in `ask`; what it does for whole studies is in `studies`, and for single
//! trials in `trials`; what people write about both in `notes`; `workers` come and go, and are given work in the `exchange`; `quarantine`
//! keeps libraries that kill from running; `upkeep` is what time alone brings; `status` tells.

mod ask;
mod exchange;
mod notes;
mod quarantine;
mod status;
mod studies;
mod trials;
mod upkeep;
mod workers;

pub(super) use ask::{Ask, Engine, TrialAsk};
pub(super) use quarantine::{in_quarantine, library_stem, plugin_name};

use super::hub::Hub;
use super::not_found;
use super::outbox::Outbox;
use super::staff::Staff;
use super::study::{Halt, Study};
use super::trial::WorkerId;
use crate::breakpoint;
use ask::{QUEUE, Reply};
use attune_protocol::work::Answer;
use attune_protocol::{DaemonStatus, Problem};
use attune_store::{Error, Quarantine, Store, StudyId, TrialId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use workers::{WORKERS_A_BOOT, Worker};

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
    /// What trials that train at the same time share out.
    pub(super) cores: u16,
    /// The most threads of a trial.
    pub(super) threads: u16,
    pub(super) checkpoint_every: Duration,
    pub(super) checkpoint_budget: u64,
    /// After so much silence a worker is given up.
    pub(super) lease_timeout: Duration,
    /// The daemon ends after having had nothing to do for so long.
    pub(super) idle_exit: Option<Duration>,
}

/// The most that is taken into one write.
const ROUND: usize = 64;

/// How often the engine looks at the clock.
const TICK: Duration = Duration::from_millis(100);

/// How long it waits before it tries again to write to a full disk.
const AGAIN: Duration = Duration::from_millis(500);

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
            Ask::NoteStudy(id, note, at_rest, reply) => {
                let noted = self.note_study(id, note, *at_rest);
                self.answer(reply, noted);
            }
            Ask::NoteTrial(id, note, reply) => {
                let noted = self.note_trial(id, note);
                self.answer(reply, noted);
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
                self.set_quarantine(&hash, quarantine);
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
}
