//! How a study comes to rest, or to its end: why, what then becomes of its open trials, and what is
//! stored of it.

use super::Study;
use super::by_hand::BY_HAND;
use crate::clock;
use crate::daemon::outbox::Outbox;
use crate::daemon::trial::{TO_BE_PAUSED, TO_BE_STOPPED};
use attune_protocol::Event;
use attune_search::TrialNumber;
use attune_store as disk;
use attune_store::{Store, StudyState, TrialState};

/// Why a study is paused that a person paused.
const PAUSED_BY_HAND: &str = "paused by hand";

/// Why a study comes to a halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::daemon) enum Halt {
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
    pub(in crate::daemon) fn paused_by_hand() -> Self {
        Halt::Paused(PAUSED_BY_HAND.to_owned())
    }

    pub(in crate::daemon) fn stopped_by_hand() -> Self {
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
    pub(super) fn wished(reason: Option<&str>) -> Option<Self> {
        match reason {
            Some(TO_BE_PAUSED) => Some(Halt::paused_by_hand()),
            Some(TO_BE_STOPPED) => Some(Halt::stopped_by_hand()),
            _ => None,
        }
    }
}

impl Study {
    /// Lets every worker lay down its work; [`Study::is_at_rest`] says when they have.
    pub(in crate::daemon) fn come_to_a_halt(&mut self, halt: Halt) {
        self.halt = Some(halt);
        for trial in self.trials.values_mut() {
            if let Some(held) = &mut trial.lease {
                held.lay_down = true;
            }
        }
    }

    /// As [`Study::come_to_a_halt`], because a person wants it: the next daemon knows of it too.
    pub(in crate::daemon) fn be_halted(&mut self, halt: Halt, outbox: &mut Outbox) {
        self.record.reason = halt.wish().map(str::to_owned);
        outbox.put_study(self.id, &self.record);
        self.come_to_a_halt(halt);
    }

    /// Whether nobody trains for it.
    pub(in crate::daemon) fn is_at_rest(&self) -> bool {
        self.trials.values().all(|trial| trial.lease.is_none())
    }

    /// Whether every trial has ended, and no more will begin.
    pub(in crate::daemon) fn is_finished(&self) -> bool {
        self.trials.is_empty()
    }

    /// Stores that it has ended, or how it came to rest.
    ///
    /// # Errors
    /// The store's, while it is read.
    pub(in crate::daemon) fn settle(
        &mut self,
        store: &Store,
        outbox: &mut Outbox,
    ) -> anyhow::Result<()> {
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
}
