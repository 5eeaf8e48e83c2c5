//! Deleting studies and trials, however large, so that a crash leaves nothing behind for good.
//!
//! A trial goes in one batch. So do a study's record and those of its trials, together with a
//! *doomed* mark; its epochs and steps, which can be more than one batch may hold, then go in
//! bounded batches, the last of which takes the mark away. Opening a store finishes what it finds
//! marked. Counters keep the ids from being given out again.

use std::ops::Range;

use crate::error::Error;
use crate::id::{Id, StudyId, TrialId};
use crate::journal::Op;
use crate::key::{Counter, Key};
use crate::shared::{Shared, put_count};

/// How many records of a doomed study one batch deletes: a few megabytes, and a short wait for
/// whoever writes besides.
const SWEPT_AT_ONCE: usize = 20_000;

impl Shared {
    /// Adds what deletes these to `ops`. The studies in the answer must be swept once that is written.
    pub(crate) fn delete(&self, ids: &[Id], ops: &mut Vec<Op>) -> Result<Vec<StudyId>, Error> {
        let mut swept = Vec::new();
        for id in ids {
            match *id {
                Id::Trial(id) => self.delete_trial(id, ops)?,
                Id::Study(id) => swept.push(id),
            }
        }
        // After the trials: the count of a deleted study's trial numbers goes with it.
        for id in &swept {
            ops.push(put_count(Counter::StudyIds, self.next_study_id())?);
            ops.push(Op::delete(&Key::Counter(Counter::TrialNumbers(*id))));
            ops.push(Op::delete(&Key::Study(*id)));
            ops.extend(self.deletions(Key::trials(*id), usize::MAX)?);
            ops.push(Op::put(&Key::Doomed(*id), Vec::new())?);
        }
        Ok(swept)
    }

    /// Deletes what is left of a doomed study, and its mark.
    pub(crate) fn sweep(&self, study: StudyId) -> Result<(), Error> {
        self.forget_tails(|trial| trial.study == study);
        for keys in Key::parts_of_study(study) {
            loop {
                let ops = self.deletions(keys.clone(), SWEPT_AT_ONCE)?;
                if ops.is_empty() {
                    break;
                }
                self.commit(ops)?;
            }
        }
        self.commit(vec![Op::delete(&Key::Doomed(study))])
    }

    /// Sweeps every study whose deletion was cut short.
    pub(crate) fn sweep_all(&self) -> Result<(), Error> {
        let mut doomed = Vec::new();
        for key in self.index().keys(Key::doomed())? {
            if let Some(Key::Doomed(study)) = Key::decode(&key?) {
                doomed.push(study);
            }
        }
        doomed.into_iter().try_for_each(|study| self.sweep(study))
    }

    fn delete_trial(&self, id: TrialId, ops: &mut Vec<Op>) -> Result<(), Error> {
        self.forget_tails(|trial| trial == id);
        let before = ops.len();
        for keys in Key::parts_of_trial(id) {
            ops.extend(self.deletions(keys, usize::MAX)?);
        }
        // A trial that is not there must leave no count behind.
        if ops.len() > before {
            let next = self.next_trial_number(id.study)?;
            ops.push(put_count(Counter::TrialNumbers(id.study), next)?);
        }
        Ok(())
    }

    fn deletions(&self, keys: Range<Vec<u8>>, most: usize) -> Result<Vec<Op>, Error> {
        let index = self.index();
        let keys = index.keys(keys)?.take(most);
        keys.map(|key| Ok(Op::delete_encoded(key?))).collect()
    }
}
