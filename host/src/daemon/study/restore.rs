//! How a study comes back from the store: what was reported to its conductor is reported again, and
//! what was changed on the way is changed again.
//!
//! Nothing here is written.

use super::halt::Halt;
use super::method::{conductor, resolve, searched_direction, searcher};
use super::status::Tally;
use super::verdicts::{best_value, ended_by_itself};
use super::{More, Schedulers, Study, number};
use crate::daemon::outbox::Outbox;
use crate::daemon::reception::searched;
use crate::daemon::trial::Trial;
use crate::study::spec::StudySpec;
use anyhow::Context;
use attune_search::TrialNumber;
use attune_search::conductor::Outcome;
use attune_search::stream::{Purpose, stream};
use attune_store as disk;
use attune_store::{Store, StudyId, TrialId, TrialRecord, TrialState};
use rand::Rng;
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Instant;

impl Study {
    /// The study as it is stored, ready to go on. Reads everything again that was reported to its
    /// conductor.
    ///
    /// # Errors
    /// What is stored does not fit together, as after an upgrade that changed a searcher; the
    /// store's.
    pub(in crate::daemon) fn restore(
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
            note: None,
            record,
        };
        study.replay(store.list_trials(id)?)?;
        let mut notes = store.notes(id)?;
        for (number, trial) in &mut study.trials {
            trial.note = notes.trials.remove(&(number.0 as u32));
        }
        study.note = notes.study;
        Ok(study)
    }

    /// Goes on where the daemon before ended: with coming to a halt, if a person wanted that.
    ///
    /// # Errors
    /// As [`Study::begin`].
    pub(in crate::daemon) fn take_up(&mut self, outbox: &mut Outbox) -> anyhow::Result<()> {
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

    pub(super) fn go_on_by(&mut self, spec: StudySpec, seq: u64) -> anyhow::Result<()> {
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
