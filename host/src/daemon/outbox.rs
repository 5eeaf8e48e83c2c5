//! What is to be stored together, and told and done once it is.
//!
//! Everything that one round of the engine changes goes out in one write, so that a crash finds all
//! of it or nothing. Only then are events published, answers sent and files deleted.

use super::hub::Hub;
use crate::breakpoint;
use crate::convert;
use attune_protocol::Event;
use attune_store::{
    Batch, EpochMetrics, Error, Id, Note, Quarantine, Steps, Store, StudyId, StudyRecord, TrialId,
    TrialRecord,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// So many rows of steps, or so many records, are written at once and no more: some megabytes.
const HEAVY_ROWS: usize = 200_000;
const HEAVY_RECORDS: usize = 4_096;

/// One round's changes.
#[derive(Default)]
pub(super) struct Outbox {
    studies: BTreeMap<StudyId, StudyRecord>,
    trials: BTreeMap<TrialId, TrialRecord>,
    epochs: BTreeMap<(TrialId, u32), EpochMetrics>,
    steps: BTreeMap<TrialId, Rows>,
    quarantines: BTreeMap<String, Option<Quarantine>>,
    notes: BTreeMap<Id, Note>,
    removed: Vec<StudyId>,
    events: Vec<(Option<StudyId>, Event)>,
    files: Vec<PathBuf>,
    then: Vec<Box<dyn FnOnce() + Send>>,
}

/// Rows of one trial's steps.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) steps: Vec<u64>,
    pub(super) losses: Vec<f32>,
    /// One column a parameter group.
    pub(super) rates: Vec<Vec<f64>>,
    /// What the scheduler was shown, by name.
    pub(super) signals: BTreeMap<String, Vec<f32>>,
}

impl Rows {
    fn to_steps(&self) -> Steps {
        let mut steps = Steps::new(self.steps.clone()).with_f32("loss", self.losses.clone());
        for (group, rates) in self.rates.iter().cloned().enumerate() {
            let name = match group {
                0 => "lr".to_owned(),
                group => format!("lr.{group}"),
            };
            steps = steps.with_f64(&name, rates);
        }
        for (name, values) in &self.signals {
            steps = steps.with_f32(&convert::signal_column(name), values.clone());
        }
        steps
    }
}

impl Outbox {
    pub(super) fn put_study(&mut self, id: StudyId, record: &StudyRecord) {
        self.studies.insert(id, record.clone());
    }

    pub(super) fn put_trial(&mut self, id: TrialId, record: &TrialRecord) {
        self.trials.insert(id, record.clone());
    }

    pub(super) fn put_epoch(&mut self, id: TrialId, epoch: u32, metrics: EpochMetrics) {
        self.epochs.insert((id, epoch), metrics);
    }

    /// The rows that will be appended to the trial's steps.
    pub(super) fn rows(&mut self, id: TrialId) -> &mut Rows {
        self.steps.entry(id).or_default()
    }

    /// A trial's record, if this round changes it.
    pub(super) fn trial(&self, id: TrialId) -> Option<&TrialRecord> {
        self.trials.get(&id)
    }

    /// Sets or lifts a quarantine.
    pub(super) fn put_quarantine(&mut self, hash: &str, quarantine: Option<Quarantine>) {
        self.quarantines.insert(hash.to_owned(), quarantine);
    }

    /// Writes what a person says about a study or a trial; nothing takes away what was said before.
    pub(super) fn put_note(&mut self, about: Id, note: Note) {
        self.notes.insert(about, note);
    }

    /// What a person says about a study or a trial in this round.
    pub(super) fn note(&self, about: Id) -> Option<&Note> {
        self.notes.get(&about)
    }

    pub(super) fn remove_study(&mut self, id: StudyId) {
        self.notes.retain(|about, _| match about {
            Id::Study(study) => *study != id,
            Id::Trial(trial) => trial.study != id,
        });
        self.studies.remove(&id);
        self.trials.retain(|trial, _| trial.study != id);
        self.epochs.retain(|(trial, _), _| trial.study != id);
        self.steps.retain(|trial, _| trial.study != id);
        self.removed.push(id);
    }

    /// Whether this round removes a study, which is in the store until it is written.
    pub(super) fn removes(&self, id: StudyId) -> bool {
        self.removed.contains(&id)
    }

    /// Tells of something once it is stored.
    pub(super) fn tell(&mut self, study: StudyId, event: Event) {
        self.events.push((Some(study), event));
    }

    /// Deletes a file or a folder once nothing that is stored speaks of it.
    pub(super) fn delete(&mut self, path: PathBuf) {
        self.files.push(path);
    }

    /// Does something once all is stored: an answer is sent.
    pub(super) fn then(&mut self, act: impl FnOnce() + Send + 'static) {
        self.then.push(Box::new(act));
    }

    /// Whether it holds so much that it should be written before more is taken.
    pub(super) fn is_heavy(&self) -> bool {
        let rows: usize = self.steps.values().map(|rows| rows.steps.len()).sum();
        rows > HEAVY_ROWS || self.epochs.len() + self.trials.len() > HEAVY_RECORDS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch_is_empty() && self.events.is_empty() && self.then.is_empty()
    }

    fn batch_is_empty(&self) -> bool {
        self.studies.is_empty()
            && self.trials.is_empty()
            && self.epochs.is_empty()
            && self.steps.is_empty()
            && self.quarantines.is_empty()
            && self.notes.is_empty()
            && self.removed.is_empty()
    }

    /// The write. It is made anew for each attempt; a second one is rare.
    fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        for (id, record) in &self.studies {
            batch = batch.put_study(*id, record);
        }
        for (id, record) in &self.trials {
            batch = batch.put_trial(*id, record);
        }
        for ((trial, epoch), metrics) in &self.epochs {
            batch = batch.put_epoch(*trial, *epoch, metrics);
        }
        for (trial, rows) in &self.steps {
            if !rows.steps.is_empty() {
                batch = batch.append_steps(*trial, rows.to_steps());
            }
        }
        for (hash, quarantine) in &self.quarantines {
            batch = match quarantine {
                Some(quarantine) => batch.put_quarantine(hash, quarantine),
                None => batch.delete_quarantine(hash),
            };
        }
        for (about, note) in &self.notes {
            batch = match *note == Note::default() {
                true => batch.delete_note(*about),
                false => batch.put_note(*about, note),
            };
        }
        for study in &self.removed {
            batch = batch.delete_study(*study);
        }
        batch
    }

    /// Writes.
    ///
    /// # Errors
    /// The store's. Where nothing was written it may be tried again.
    pub(super) fn write(&self, store: &Store) -> Result<(), Error> {
        match self.batch_is_empty() {
            true => Ok(()),
            false => store.apply(self.batch()),
        }
    }

    /// Does what was to follow the write.
    pub(super) fn follow(self, hub: &Hub) {
        for (study, event) in self.events {
            hub.publish(study, event);
        }
        for act in self.then {
            act();
        }
        for path in self.files {
            breakpoint::pass("daemon-before-deleting");
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            if let Err(error) = removed
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "cannot delete a file that is not needed any more");
            }
        }
    }
}
