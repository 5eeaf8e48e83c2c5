//! Several writes that happen together or not at all.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::id::{Id, StudyId, TrialId};
use crate::journal::Op;
use crate::key::Key;
use crate::record::{
    EpochMetrics, Knowledge, Note, Quarantine, Record, StudyRecord, TrialRecord, encode,
};
use crate::steps::Steps;

/// Writes for [`Store::apply`](crate::Store::apply). What is wrong with one of them is said there.
#[derive(Debug, Default)]
#[must_use = "nothing is written before it is applied"]
pub struct Batch {
    puts: Vec<Key>,
    ops: Vec<Op>,
    appends: BTreeMap<TrialId, Steps>,
    deletions: Vec<Id>,
    /// The first thing that was wrong.
    error: Option<Error>,
}

/// A batch as its writer takes it.
pub(crate) struct Parts {
    /// The plain writes.
    pub(crate) ops: Vec<Op>,
    pub(crate) appends: BTreeMap<TrialId, Steps>,
    /// What to delete with all its parts. None of it is written to.
    pub(crate) deletions: Vec<Id>,
}

impl Batch {
    /// A batch of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a study's record.
    pub fn put_study(self, id: StudyId, record: &StudyRecord) -> Self {
        self.put(Ok(Key::Study(id)), record)
    }

    /// Writes a trial's record.
    pub fn put_trial(self, id: TrialId, record: &TrialRecord) -> Self {
        self.put(Ok(Key::Trial(id)), record)
    }

    /// Writes the metrics of one epoch.
    pub fn put_epoch(self, trial: TrialId, epoch: u32, metrics: &EpochMetrics) -> Self {
        self.put(Ok(Key::Epoch(trial, epoch)), metrics)
    }

    /// Writes what people say about a study or a trial, in place of what they said before.
    pub fn put_note(self, about: Id, note: &Note) -> Self {
        self.put(Ok(Key::Note(about)), note)
    }

    /// Takes away what people said about a study or a trial, if they said anything.
    pub fn delete_note(mut self, about: Id) -> Self {
        self.ops.push(Op::delete(&Key::Note(about)));
        self
    }

    /// Writes what `owner` has learnt in one of its slots.
    pub fn put_knowledge(self, owner: &str, slot: &str, knowledge: &Knowledge) -> Self {
        self.put(Key::knowledge(owner, slot), knowledge)
    }

    /// Appends rows to a trial's history, at most once a trial in one batch.
    pub fn append_steps(mut self, trial: TrialId, rows: Steps) -> Self {
        if self.appends.insert(trial, rows).is_some() {
            let problem = "one batch appends to a trial once; put all rows into one table";
            let problem = problem.to_owned();
            self.error.get_or_insert(Error::BadSteps { trial, problem });
        }
        self
    }

    /// Keeps a library from being loaded; `hash` is that of its content.
    pub fn put_quarantine(self, hash: &str, record: &Quarantine) -> Self {
        self.put(Key::quarantine(hash), record)
    }

    /// Lifts a quarantine, if there is one.
    pub fn delete_quarantine(mut self, hash: &str) -> Self {
        match Key::quarantine(hash) {
            Ok(key) => self.ops.push(Op::delete(&key)),
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
        self
    }

    /// Deletes a trial with its epochs and steps, if it is there. Its id is not used again.
    pub fn delete_trial(mut self, id: TrialId) -> Self {
        self.deletions.push(Id::Trial(id));
        self
    }

    /// Deletes a study with all its trials, if it is there. No id of them is used again.
    ///
    /// Study and trials are gone when the batch is written. What else a large study has, its epochs
    /// and steps, goes by and by until [`Store::apply`](crate::Store::apply) returns; if that is cut
    /// short, the next opening of the store does the rest.
    pub fn delete_study(mut self, id: StudyId) -> Self {
        self.deletions.push(Id::Study(id));
        self
    }

    /// The writes, the appends and the deletions.
    pub(crate) fn into_parts(self) -> Result<Parts, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let trials = self.appends.keys().map(|trial| Key::Trial(*trial));
        for key in self.puts.into_iter().chain(trials) {
            let is_about = |id: &&Id| match **id {
                Id::Study(id) => key.study() == Some(id),
                Id::Trial(id) => key.trial() == Some(id),
            };
            if let Some(id) = self.deletions.iter().find(is_about) {
                let (id, record) = (*id, key.to_string());
                return Err(Error::Contradiction { id, record });
            }
        }
        Ok(Parts {
            ops: self.ops,
            appends: self.appends,
            deletions: self.deletions,
        })
    }

    fn put<R: Record>(mut self, key: Result<Key, Error>, record: &R) -> Self {
        let put = key.and_then(|key| Ok((Op::put(&key, encode(&key, record)?)?, key)));
        match put {
            Ok((op, key)) => {
                self.ops.push(op);
                self.puts.push(key);
            }
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
        self
    }
}
