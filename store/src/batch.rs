//! Several writes that happen together or not at all.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::id::{StudyId, TrialId};
use crate::journal::Op;
use crate::key::Key;
use crate::record::{EpochMetrics, Knowledge, Record, StudyRecord, TrialRecord, encode};
use crate::steps::Steps;

/// Writes for [`Store::apply`](crate::Store::apply). What is wrong with one of them is said there.
#[derive(Debug, Default)]
#[must_use = "nothing is written before it is applied"]
pub struct Batch {
    ops: Vec<Op>,
    appends: BTreeMap<TrialId, Steps>,
    /// The first thing that was wrong.
    error: Option<Error>,
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

    /// The plain writes and the appends.
    pub(crate) fn into_parts(self) -> Result<(Vec<Op>, BTreeMap<TrialId, Steps>), Error> {
        match self.error {
            Some(error) => Err(error),
            None => Ok((self.ops, self.appends)),
        }
    }

    fn put<R: Record>(mut self, key: Result<Key, Error>, record: &R) -> Self {
        let op = key.and_then(|key| Op::put(&key, encode(&key, record)?));
        match op {
            Ok(op) => self.ops.push(op),
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
        self
    }
}
