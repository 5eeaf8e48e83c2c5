//! What the engine does for single trials as people ask: pauses, resumes, stops and steers them.
//!
//! What a trial's study makes of that is in `daemon/study`.

use super::State;
use super::ask::{Reply, TrialAsk};
use super::quarantine::in_quarantine;
use crate::convert;
use crate::daemon::study::number;
use crate::daemon::trial::Steering;
use crate::daemon::{conflict, internal, not_found};
use crate::study::reader::nearest;
use attune_protocol::{Problem, Steer, TrialSummary};
use attune_store::{Id, TrialId};
use std::time::{Duration, Instant};

/// How long a person waits for a worker to take the wheel.
const STEER_WITHIN: Duration = Duration::from_secs(5);

impl State {
    pub(super) fn trial(&mut self, id: TrialId, what: TrialAsk) -> Result<TrialSummary, Problem> {
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
            let state = convert::trial_state(stored.state);
            return Err(conflict(format!(
                "trial {id} has ended ({state}); `attune fork {id}` goes on from its checkpoint, \
                 `attune retry {id}` trains it once more"
            )));
        }
        if let (TrialAsk::Resume, Some(held)) = (what, study.trials.get(&trial))
            && !held.paused
        {
            let state = convert::trial_state(held.record.state);
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

    pub(super) fn steer(&mut self, id: TrialId, steer: Steer, reply: Reply<()>) {
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
        Ok(TrialSummary {
            note: convert::note(self.note_of(Id::Trial(id))?.as_ref()),
            ..convert::trial(id, record, &metric.unwrap_or_default())
        })
    }

    /// Whether the study has the scheduler that is to be put there, and it may run.
    fn may_swap(&self, id: TrialId, steer: &Steer) -> Result<(), Problem> {
        let (Steer::Swap { scheduler, .. }, Some(study)) = (steer, self.studies.get(&id.study))
        else {
            return Ok(());
        };
        let Some(library) = study.library_of(scheduler) else {
            let known = study.schedulers();
            let hint = match nearest(scheduler, known.iter().copied()) {
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
}
