//! What people do to single trials: pause, resume, stop, and steer.
//!
//! What they do to the whole study is in `halt`.

use super::Study;
use super::verdicts::best_value;
use crate::daemon::outbox::Outbox;
use crate::daemon::unavailable;
use attune_protocol::Event;
use attune_search::TrialNumber;
use attune_search::conductor::Outcome;
use attune_store::TrialState;
use std::time::Instant;

/// Why a trial is stopped that a person ended.
pub(super) const BY_HAND: &str = "stopped by hand";

impl Study {
    /// Pauses, resumes or stops one trial.
    pub(in crate::daemon) fn pause_trial(&mut self, number: TrialNumber, outbox: &mut Outbox) {
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
        let trial = trial.told(id, &self.record.metric);
        outbox.tell(self.id, Event::TrialChanged { trial });
    }

    pub(in crate::daemon) fn resume_trial(&mut self, number: TrialNumber, outbox: &mut Outbox) {
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
        let trial = trial.told(id, &self.record.metric);
        outbox.tell(self.id, Event::TrialChanged { trial });
    }

    /// # Errors
    /// The conductor's.
    pub(in crate::daemon) fn stop_trial(
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
        let trial = trial.told(id, &self.record.metric);
        outbox.tell(self.id, Event::TrialChanged { trial });
        Ok(())
    }

    /// Whoever waits too long for a worker to take the wheel is told so.
    pub(in crate::daemon) fn give_up_steering(&mut self, now: Instant, outbox: &mut Outbox) {
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
                let problem = unavailable(format!(
                    "the worker of trial {id} did not answer in time; `attune status` says what it \
                     does"
                ));
                outbox.then(move || drop(steering.reply.send(Err(problem))));
            }
        }
    }

    /// Ends a trial that nobody trains, as a person asked.
    pub(super) fn stop_now(
        &mut self,
        number: TrialNumber,
        outbox: &mut Outbox,
    ) -> anyhow::Result<()> {
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
}
