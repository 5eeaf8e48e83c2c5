//! The pieces of training that workers are given: which is next, its lease, and what is reported
//! of it until it is over.
//!
//! What becomes of a trial then is in `verdicts`.

use super::Study;
use super::halt::Halt;
use super::method::trial_seed;
use super::verdicts::best_value;
use crate::daemon::conflict;
use crate::daemon::outbox::Outbox;
use crate::daemon::trial::{Held, Trial, WorkerId, file};
use crate::study::settings::name;
use crate::{clock, convert};
use attune_protocol::work::{End, Lease, LeaseId, News, Start};
use attune_protocol::{Event, Number, Progress};
use attune_search::TrialNumber;
use attune_search::conductor::{Next, Outcome};
use attune_store::TrialState;
use std::collections::btree_map::Entry;

impl Study {
    /// Takes up every segment that may run.
    ///
    /// # Errors
    /// A trial is stored with another configuration than the searcher suggests.
    pub(in crate::daemon) fn fill(&mut self, outbox: &mut Outbox) -> anyhow::Result<()> {
        if self.halt.is_some() {
            return Ok(());
        }
        let mut to_stop = Vec::new();
        while let Next::Run(segment) = self.conductor.next_segment() {
            let until = u32::try_from(segment.until_epoch).unwrap_or(u32::MAX);
            let trial = match self.trials.entry(segment.trial) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
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
    pub(in crate::daemon) fn next_for(
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
    pub(in crate::daemon) fn lease(
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
        let summary = trial.told(id, &self.record.metric);
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
    pub(in crate::daemon) fn lease_again(&self, number: TrialNumber) -> Option<Lease> {
        let trial = self.trials.get(&number)?;
        let held = trial.lease.as_ref()?;
        let own = trial.last_checkpoint().map(|checkpoint| {
            let path = file::checkpoint(&self.folder, number.0 as u32, checkpoint.step);
            (path, checkpoint.step, false)
        });
        // What has no step in common with another trial begins as that one did.
        let origin = self.record.origin.filter(|origin| origin.step > 0);
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
    pub(in crate::daemon) fn report(
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
                    let summary = trial.told(id, &self.record.metric);
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
                let trial = trial.told(id, &self.record.metric);
                outbox.tell(self.id, Event::TrialChanged { trial });
            }
            News::NotSteered(why) => {
                let steering = trial.lease.as_mut().and_then(|held| held.steer.take());
                if let Some(steering) = steering {
                    let problem = conflict(why);
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
            End::LaidDown { model } => {
                trial.keep_model(model);
                return self.laid_down(number, outbox);
            }
            End::Unusable { reason } => {
                self.laid_down(number, outbox)?;
                self.come_to_a_halt(Halt::Paused(reason));
                return Ok(());
            }
        };
        trial.keep_model(model);
        trial.record.reason = trial.ended.clone().or_else(|| trial.wish());
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
        let trial = trial.told(id, &self.record.metric);
        outbox.tell(self.id, Event::TrialChanged { trial });
        Ok(())
    }
}

/// Lets go of a trial's lease. A person who still waits for their wish is told why it was not done.
pub(super) fn release(trial: &mut Trial, why: impl FnOnce() -> String, outbox: &mut Outbox) {
    let steering = trial.lease.take().and_then(|held| held.steer);
    if let Some(steering) = steering {
        let problem = conflict(why());
        outbox.then(move || drop(steering.reply.send(Err(problem))));
    }
}
