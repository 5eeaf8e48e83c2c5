//! What the engine can be asked, and the door through which all others reach it.
//!
//! What it does with an ask is not here.

use super::{Means, State};
use crate::daemon::staff::Gone;
use crate::daemon::study::{ForkStart, Halt, More, NewScheduler, Schedulers};
use crate::daemon::trial::WorkerId;
use crate::daemon::unavailable;
use attune_protocol::work::{Answer, Brief, Exchange, Hired, NewWorker};
use attune_protocol::{DaemonStatus, Problem, Steer, StudySummary, TrialSummary};
use attune_store::{Note, Quarantine, StudyId, StudyRecord, TrialId};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use tokio::sync::oneshot;

/// What has arrived and waits for the engine; whoever finds the queue full is told so.
pub(super) const QUEUE: usize = 1_024;

/// An answer that is on its way.
pub(in crate::daemon) type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// What the engine is asked.
pub(in crate::daemon) enum Ask {
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
    /// With the study as it is stored.
    NoteStudy(StudyId, Note, Box<StudySummary>, Reply<StudySummary>),
    NoteTrial(TrialId, Note, Reply<TrialSummary>),
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

/// What can be done to one trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon) enum TrialAsk {
    Pause,
    Resume,
    Stop,
}

/// The door to the engine. Cheap to clone.
#[derive(Clone)]
pub(in crate::daemon) struct Engine {
    asks: SyncSender<Ask>,
}

impl Engine {
    /// Starts the engine with the studies that were under way. `ended` is told when it has ended,
    /// with an error where it had to.
    pub(in crate::daemon) fn start(
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
    pub(in crate::daemon) async fn ask<T>(
        &self,
        ask: impl FnOnce(Reply<T>) -> Ask,
    ) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        self.tell(ask(reply))?;
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(unavailable("the daemon is stopping; try again in a moment")),
        }
    }

    /// Tells the engine something that has no answer.
    pub(in crate::daemon) fn tell(&self, ask: Ask) -> Result<(), Problem> {
        self.asks.try_send(ask).map_err(|error| match error {
            TrySendError::Full(_) => unavailable("the daemon has too much to do; try again"),
            TrySendError::Disconnected(_) => unavailable("the daemon is stopping; try again"),
        })
    }

    /// As [`Engine::tell`], and waits where the queue is full; for threads that may.
    pub(in crate::daemon) fn tell_surely(&self, ask: Ask) {
        // Without an engine there is nobody who should know.
        let _ = self.asks.send(ask);
    }
}
