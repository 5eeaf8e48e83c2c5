//! What becomes of trials: their outcomes go to the conductor, and what it decides is carried out.

use super::Study;
use super::by_hand::BY_HAND;
use super::method::searched_direction;
use super::segments::release;
use crate::daemon::outbox::Outbox;
use crate::daemon::trial::file;
use crate::{clock, convert};
use anyhow::Context;
use attune_protocol::Event;
use attune_search::conductor::{Outcome, Ruling, Verdict};
use attune_search::{Direction, TrialNumber};
use attune_store as disk;
use attune_store::{TrialRecord, TrialState};

/// A trial whose workers died so often is given up.
const MOST_DEATHS: usize = 3;

impl Study {
    /// A worker that held leases of this trial is gone. `blame` says how, where it was this trial
    /// that it died in. Says whether the trial is given up.
    pub(in crate::daemon) fn lost(
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
        let trial = trial.told(id, &self.record.metric);
        outbox.tell(self.id, Event::TrialChanged { trial });
        Ok(false)
    }

    /// Gives a trial up that nobody trains.
    pub(in crate::daemon) fn fail(
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

    pub(super) fn decide(
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
        }
        self.seq += 1;
        for verdict in verdicts {
            self.carry_out(verdict, outbox);
        }
        // One that has ended by now was put there as it ended.
        if let Some(trial) = self.trials.get(&number) {
            outbox.put_trial(id, &trial.record);
        }
        Ok(())
    }

    pub(super) fn end_trial(
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
        let told = trial.told(id, &self.record.metric);
        let study = self.summary();
        outbox.tell(self.id, Event::TrialEnded { trial: told, study });
    }

    /// Whether this is the best of the trials that have ended.
    pub(super) fn consider(&mut self, number: TrialNumber, value: Option<f64>) -> bool {
        let Some(value) = value.filter(|value| !value.is_nan()) else {
            return false;
        };
        let direction = searched_direction(self.record.direction);
        let is_best = self
            .best
            .is_none_or(|best| better(direction, (number, value), best));
        if is_best {
            self.best = Some((number, value));
        }
        is_best
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
}

/// Whether the first of two trials is better. Of equals the lower number counts, whichever ended
/// first.
pub(super) fn better(
    direction: Direction,
    (number, value): (TrialNumber, f64),
    (other, than): (TrialNumber, f64),
) -> bool {
    direction.better(value, than) || (value == than && number < other)
}

pub(super) fn best_value(record: &TrialRecord, metric: &str) -> Option<f64> {
    record
        .best_metrics
        .get(&convert::on_valid(metric))
        .map(|best| best.value)
}

/// The state of a trial that ended by itself, and not well.
pub(super) fn ended_by_itself(outcome: &Outcome) -> Option<TrialState> {
    match outcome {
        Outcome::Diverged { .. } => Some(TrialState::Diverged),
        Outcome::Failed => Some(TrialState::Failed),
        Outcome::Reached { .. } | Outcome::Ended { .. } => None,
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
