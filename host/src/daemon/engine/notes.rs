//! What people write about studies and trials: kept whether those are under way or not, and told to
//! whoever listens.

use super::State;
use crate::convert::{self, Census};
use crate::daemon::study::number;
use crate::daemon::{internal, not_found};
use attune_protocol::{Event, Problem, StudySummary, TrialSummary};
use attune_store::{Id, Note, StudyId, TrialId};

impl State {
    pub(super) fn note_study(&mut self, id: StudyId, note: Note) -> Result<StudySummary, Problem> {
        let summary = match self.studies.get_mut(&id) {
            Some(study) => {
                study.note = Some(note.clone());
                study.summary()
            }
            None => {
                let record = self.stored(id)?;
                let mut census = Census::of(id, &record);
                let counted = self
                    .means
                    .store
                    .each_trial(id, |id, trial| census.count(id, &trial));
                counted.map_err(|error| internal(&error.into()))?;
                StudySummary {
                    note: convert::note(Some(&note)),
                    ..census.summary()
                }
            }
        };
        self.outbox.put_note(Id::Study(id), note);
        let study = summary.clone();
        self.outbox.tell(id, Event::StudyChanged { study });
        Ok(summary)
    }

    pub(super) fn note_trial(&mut self, id: TrialId, note: Note) -> Result<TrialSummary, Problem> {
        let under_way = self.studies.get_mut(&id.study);
        let held = under_way.and_then(|study| {
            let metric = study.record.metric.clone();
            let trial = study.trials.get_mut(&number(id))?;
            // One that no worker has taken yet is nobody's business.
            trial.is_stored.then_some((trial, metric))
        });
        let summary = match held {
            Some((trial, metric)) => {
                trial.note = Some(note.clone());
                trial.told(id, &metric)
            }
            None => {
                let study = self.stored(id.study)?;
                // It may have ended in this very round.
                let record = match self.outbox.trial(id) {
                    Some(record) => record.clone(),
                    None => self.means.store.trial(id).map_err(not_found)?,
                };
                TrialSummary {
                    note: convert::note(Some(&note)),
                    ..convert::trial(id, &record, &study.metric)
                }
            }
        };
        self.outbox.put_note(Id::Trial(id), note);
        let trial = summary.clone();
        self.outbox.tell(id.study, Event::TrialChanged { trial });
        Ok(summary)
    }

    /// What people wrote, stored or about to be.
    pub(super) fn note_of(&self, about: Id) -> Result<Option<Note>, Problem> {
        match self.outbox.note(about) {
            Some(note) => Ok(Some(note.clone())),
            None => {
                let stored = self.means.store.note(about);
                stored.map_err(|error| internal(&error.into()))
            }
        }
    }
}
