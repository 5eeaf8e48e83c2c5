//! What people write about studies and trials: kept whether those are under way or not, and told to
//! whoever listens.

use super::State;
use crate::convert;
use crate::daemon::study::number;
use crate::daemon::{internal, not_found};
use attune_protocol::{Event, Problem, StudySummary, TrialSummary};
use attune_store::{Id, Note, StudyId, TrialId};

impl State {
    /// `at_rest` is the study as it is stored, for where it is not under way: it has been counted
    /// elsewhere, as there may be many trials.
    pub(super) fn note_study(
        &mut self,
        id: StudyId,
        note: Note,
        at_rest: StudySummary,
    ) -> Result<StudySummary, Problem> {
        let summary = match self.studies.get_mut(&id) {
            Some(study) => {
                study.note = Some(note.clone());
                study.summary()
            }
            None => {
                self.stored(id)?;
                StudySummary {
                    note: convert::note(Some(&note)),
                    ..at_rest
                }
            }
        };
        self.outbox.put_note(Id::Study(id), note);
        let study = summary.clone();
        self.outbox.tell(id, Event::StudyChanged { study });
        Ok(summary)
    }

    pub(super) fn note_trial(&mut self, id: TrialId, note: Note) -> Result<TrialSummary, Problem> {
        let told = self.studies.get(&id.study).and_then(|study| {
            let trial = study.trials.get(&number(id))?;
            // One that no worker has taken yet is nobody's business.
            let is_told = trial.is_stored;
            is_told.then(|| trial.told(id, &study.record.metric))
        });
        let summary = match told {
            Some(summary) => summary,
            None => {
                let study = self.stored(id.study)?;
                // It may have ended in this very round.
                let record = match self.outbox.trial(id) {
                    Some(record) => record.clone(),
                    None => self.means.store.trial(id).map_err(not_found)?,
                };
                convert::trial(id, &record, &study.metric)
            }
        };
        let summary = TrialSummary {
            note: convert::note(Some(&note)),
            ..summary
        };
        // Also that of a fork is held whose first trial is stored before a worker takes it.
        let under_way = self.studies.get_mut(&id.study);
        if let Some(trial) = under_way.and_then(|study| study.trials.get_mut(&number(id))) {
            trial.note = Some(note.clone());
        }
        self.outbox.put_note(Id::Trial(id), note);
        let trial = summary.clone();
        self.outbox.tell(id.study, Event::TrialChanged { trial });
        Ok(summary)
    }

    /// A study that was read from the store hears of what is about to be.
    pub(super) fn take_in_notes(&mut self, id: StudyId) {
        let Some(study) = self.studies.get_mut(&id) else {
            return;
        };
        if let Some(note) = self.outbox.note(Id::Study(id)) {
            study.note = Some(note.clone());
        }
        for (number, trial) in &mut study.trials {
            let about = Id::Trial(id.trial(number.0 as u32));
            if let Some(note) = self.outbox.note(about) {
                trial.note = Some(note.clone());
            }
        }
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
