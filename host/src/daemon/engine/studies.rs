//! What the engine does for whole studies: takes up those that were under way, creates, resumes,
//! halts and removes.
//!
//! What a study does by itself is in `daemon/study`.

use super::State;
use super::exchange::lease_id;
use crate::daemon::study::{ForkStart, Halt, More, Schedulers, Study};
use crate::daemon::{checkpoints, conflict, internal, not_found, unavailable};
use crate::{breakpoint, convert};
use attune_protocol::{Event, Problem, StudySummary};
use attune_store::{Error, StudyId, StudyRecord, StudyState, TrialState};
use std::path::Path;
use std::sync::Arc;

impl State {
    /// Takes up the studies that were under way. One that cannot go on is paused and says why.
    pub(super) fn restore(
        &mut self,
        studies: Vec<(StudyId, anyhow::Result<Schedulers>)>,
    ) -> anyhow::Result<()> {
        self.quarantined = self.means.store.quarantines()?.into_iter().collect();
        for (id, schedulers) in studies {
            let restored = schedulers.and_then(|schedulers| {
                Study::restore(&self.means.store, id, &self.means.checkpoints, schedulers)
            });
            let begun = restored.and_then(|mut study| {
                study.take_up(&mut self.outbox)?;
                Ok(study)
            });
            match begun {
                Ok(study) => {
                    self.studies.insert(id, study);
                }
                Err(error) => self.pause_unreadable(id, &error)?,
            }
        }
        for (id, _) in self.means.store.list_studies()? {
            self.sweep(id);
        }
        Ok(())
    }

    pub(super) fn create(
        &mut self,
        mut record: StudyRecord,
        schedulers: Schedulers,
        fork: Option<ForkStart>,
    ) -> Result<StudySummary, Problem> {
        if self.stopping_since.is_some() {
            return Err(unavailable("the daemon is stopping; try again in a moment"));
        }
        // The id is taken by writing the study; what follows is in the round's own write.
        record.state = StudyState::Queued;
        let id = self.means.store.create_study(&record).map_err(not_stored)?;
        breakpoint::pass("daemon-study-created");
        let begun = self.begin(id, schedulers, fork);
        if begun.is_err() {
            // It was said no to, so the next daemon must not find it.
            self.outbox.remove_study(id);
            self.outbox
                .delete(self.means.checkpoints.join(id.to_string()));
        }
        let study = begun.map_err(|error| internal(&error))?;
        let summary = study.summary();
        self.studies.insert(id, study);
        Ok(summary)
    }

    pub(super) fn resume(
        &mut self,
        id: StudyId,
        schedulers: Schedulers,
        more: More,
        parallel: Option<u16>,
    ) -> Result<StudySummary, Problem> {
        if let Some(study) = self.studies.get(&id)
            && study.halt.is_some()
        {
            return Err(conflict(format!(
                "study {id} is coming to a halt; try again in a moment"
            )));
        }
        let is_new = !self.studies.contains_key(&id);
        if is_new {
            self.stored(id)?;
            let study = Study::restore(&self.means.store, id, &self.means.checkpoints, schedulers);
            self.studies
                .insert(id, study.map_err(|error| internal(&error))?);
            self.take_in_notes(id);
        }
        let Some(study) = self.studies.get_mut(&id) else {
            return Err(not_found(format!("there is no study {id}")));
        };
        let before = study.record.parallel;
        study.record.parallel = parallel.map_or(before, u32::from);
        match study.begin(more, &mut self.outbox) {
            Ok(()) => Ok(study.summary()),
            Err(error) => {
                // It stays as it was: at rest, if it was.
                study.record.parallel = before;
                if is_new {
                    self.studies.remove(&id);
                }
                Err(internal(&error))
            }
        }
    }

    /// A study that is not under way.
    pub(super) fn stored(&self, id: StudyId) -> Result<StudyRecord, Problem> {
        match self.outbox.removes(id) {
            true => Err(not_found(format!("there is no study {id}"))),
            false => self.means.store.study(id).map_err(not_found),
        }
    }

    pub(super) fn halt(&mut self, id: StudyId, halt: Halt) -> Result<StudySummary, Problem> {
        if let Some(study) = self.studies.get_mut(&id) {
            study.be_halted(halt, &mut self.outbox);
            return Ok(study.summary());
        }
        let record = self.stored(id)?;
        let state = convert::study_state(record.state);
        let hint = match record.state {
            StudyState::Paused => {
                format!("; `attune resume {id}` lets it go on, `attune rm {id}` removes it")
            }
            _ => String::new(),
        };
        Err(conflict(format!(
            "study {id} is not running; it is {state}{hint}"
        )))
    }

    pub(super) fn remove(&mut self, id: StudyId) -> Result<(), Problem> {
        if let Some(study) = self.studies.remove(&id) {
            // Its workers drop what they hold when they next ask.
            for worker in self.workers.values_mut() {
                let (gone, kept): (Vec<_>, Vec<_>) = worker
                    .leases
                    .drain(..)
                    .partition(|(trial, _)| trial.study == id);
                worker.leases = kept;
                worker.void.extend(gone.into_iter().map(lease_id));
            }
            drop(study);
        } else {
            self.stored(id)?;
        }
        self.outbox.remove_study(id);
        self.outbox
            .delete(self.means.checkpoints.join(id.to_string()));
        self.outbox
            .tell(id, Event::StudyRemoved { id: id.to_string() });
        Ok(())
    }

    /// Clears a study's folder of what an earlier death left, once this round is stored.
    pub(super) fn sweep(&mut self, id: StudyId) {
        let store = Arc::clone(&self.means.store);
        let folder = self.means.checkpoints.join(id.to_string());
        self.outbox.then(move || {
            if let Err(error) = checkpoints::sweep(&store, id, &folder) {
                tracing::warn!(study = %id, %error, "cannot clear a study's folder");
            }
        });
    }

    /// A study whose own rules were broken is paused, and says why.
    pub(super) fn break_off(&mut self, id: StudyId, error: &anyhow::Error) {
        tracing::error!(study = %id, error = format!("{error:#}"), "a study cannot go on");
        if let Some(study) = self.studies.get_mut(&id) {
            study.come_to_a_halt(Halt::Paused(format!("{error:#}; please report this")));
        }
    }

    fn pause_unreadable(&mut self, id: StudyId, error: &anyhow::Error) -> anyhow::Result<()> {
        tracing::error!(study = %id, error = format!("{error:#}"), "a study cannot go on");
        let mut record = self.means.store.study(id)?;
        record.state = StudyState::Paused;
        record.reason = Some(format!(
            "it could not go on when the daemon started: {error:#}"
        ));
        self.outbox.put_study(id, &record);
        for (id, mut trial) in self.means.store.list_trials(id)? {
            if matches!(trial.state, TrialState::Running | TrialState::Lost) {
                trial.state = TrialState::Queued;
                self.outbox.put_trial(id, &trial);
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        id: StudyId,
        schedulers: Schedulers,
        fork: Option<ForkStart>,
    ) -> anyhow::Result<Study> {
        let mut study = Study::restore(&self.means.store, id, &self.means.checkpoints, schedulers)?;
        if let Some(fork) = fork {
            if let Some(checkpoint) = &fork.checkpoint {
                take_over(checkpoint, &study.fork_file())?;
            }
            study.begin_with(fork, &mut self.outbox);
        }
        study.begin(More::default(), &mut self.outbox)?;
        Ok(study)
    }
}

/// Makes a checkpoint another study's own, so that neither's end takes it from the other.
fn take_over(checkpoint: &Path, own: &Path) -> anyhow::Result<()> {
    if let Some(folder) = own.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if std::fs::hard_link(checkpoint, own).is_err() {
        std::fs::copy(checkpoint, own)?;
    }
    std::fs::File::open(own)?.sync_all()?;
    // The file's name, and that of its folder, which may be new, and that of the study's.
    for folder in own.ancestors().skip(1).take(3) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn not_stored(error: Error) -> Problem {
    unavailable(format!("the study could not be stored: {error}"))
}
