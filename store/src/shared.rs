//! What stands behind the [`Store`](crate::Store): journal, index, tails and ids under their locks.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use crate::commit::{Failure, Queue, hold};
use crate::error::Error;
use crate::id::{StudyId, TrialId};
use crate::index::Index;
use crate::journal::frame::FRAME_HEAD;
use crate::journal::{Journal, Op, snapshot};
use crate::key::Key;
use crate::lock::DirLock;
use crate::record::{Record, decode};
use crate::steps::Steps;
use crate::steps::history::Tail;

/// The most bytes one batch may take in the journal.
pub const MAX_BATCH_BYTES: usize = 64 << 20;
/// How many trials' tails are kept in memory; any other is read when it is appended to.
const MAX_TAILS: usize = 256;

/// The parts of an open store, shared with the thread that checkpoints.
pub(crate) struct Shared {
    queue: Queue,
    journal: Mutex<Journal>,
    /// Whether a checkpoint was due after the last write.
    checkpoint_due: AtomicBool,
    /// Locked for reading by every read, and for writing while a round of batches goes in.
    index: RwLock<Index>,
    /// One checkpoint at a time.
    checkpointing: Mutex<()>,
    tails: Mutex<HashMap<TrialId, SharedTail>>,
    ids: Mutex<Ids>,
    /// Last, so that it is let go of last.
    _lock: DirLock,
}

/// A trial's tail, once it has been read. Its lock is held for as long as an append takes.
pub(crate) type SharedTail = Arc<Mutex<Option<Tail>>>;

#[derive(Default)]
struct Ids {
    next_study: u64,
    /// For the studies that have been asked for so far.
    next_trial: HashMap<StudyId, u64>,
}

impl Shared {
    /// Puts the parts together.
    pub(crate) fn new(journal: Journal, index: Index, lock: DirLock) -> Result<Self, Error> {
        let last = index.backwards(Key::studies())?.next().transpose()?;
        let next_study = match last.and_then(|(key, _)| Key::decode(&key)) {
            Some(Key::Study(id)) => id.0.saturating_add(1),
            _ => 1,
        };
        Ok(Self {
            queue: Queue::default(),
            checkpoint_due: AtomicBool::new(journal.is_checkpoint_due()),
            journal: Mutex::new(journal),
            index: RwLock::new(index),
            checkpointing: Mutex::default(),
            tails: Mutex::default(),
            ids: Mutex::new(Ids {
                next_study,
                ..Ids::default()
            }),
            _lock: lock,
        })
    }

    /// Writes what belongs together, and returns once it is durable.
    pub(crate) fn commit(&self, ops: Vec<Op>) -> Result<(), Error> {
        if ops.is_empty() {
            return Ok(());
        }
        let bytes: usize = ops.iter().map(Op::bytes).sum();
        if bytes > MAX_BATCH_BYTES {
            let record = "this batch".to_owned();
            return Err(Error::TooLarge {
                record,
                bytes,
                cap: MAX_BATCH_BYTES,
            });
        }
        self.queue.commit(ops, |batches| self.write(batches))
    }

    /// Whether the last write left enough garbage behind.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        self.checkpoint_due.load(Ordering::Relaxed)
    }

    pub(crate) fn take_study_id(&self) -> StudyId {
        let mut ids = hold(&self.ids);
        let id = StudyId(ids.next_study);
        ids.next_study = ids.next_study.saturating_add(1);
        id
    }

    /// Keeps an id that is used from outside from being given out.
    pub(crate) fn note_study_id(&self, id: StudyId) {
        let mut ids = hold(&self.ids);
        ids.next_study = ids.next_study.max(id.0.saturating_add(1));
    }

    /// One round: journal, sync, index.
    fn write(&self, batches: &[Vec<Op>]) -> Result<(), Failure> {
        let mut journal = hold(&self.journal);
        let stamps = journal.append(batches).map_err(|failed| Failure {
            reason: failed.reason,
            fatal: failed.fatal,
        })?;
        // The journal has it and the index has not: reading on would be reading the past.
        let stale = |error: Error| Failure {
            reason: error.to_string(),
            fatal: true,
        };
        let index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for (op, stamp) in batches.iter().flatten().zip(stamps) {
            let overwritten = match &op.value {
                Some(value) => index.insert(&op.key, stamp, value),
                None => index.remove(&op.key),
            }
            .map_err(stale)?;
            let frame = (FRAME_HEAD + op.key.len()) as u64;
            let deletion = if op.value.is_none() { frame } else { 0 };
            journal.add_garbage(deletion + overwritten.map_or(0, |bytes| frame + bytes as u64));
        }
        // Asking the journal itself would mean waiting for the next round's sync.
        self.checkpoint_due
            .store(journal.is_checkpoint_due(), Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn checkpoint(&self) -> Result<(), Error> {
        let _one_at_a_time = hold(&self.checkpointing);
        let written = self.write_snapshot();
        let mut journal = hold(&self.journal);
        if written.is_err() {
            journal.be_patient();
        }
        self.checkpoint_due
            .store(journal.is_checkpoint_due(), Ordering::Relaxed);
        written
    }

    fn write_snapshot(&self) -> Result<(), Error> {
        let (dir, (inputs, upto)) = {
            let mut journal = hold(&self.journal);
            (journal.dir().to_owned(), journal.seal()?)
        };
        let snapshot = snapshot::write(&dir, &inputs, upto, snapshot::Damage::Refuse)?;
        hold(&self.journal).replaced(&inputs, snapshot.clone())?;
        snapshot::retire(&dir, &inputs, &snapshot, &[])?;
        Ok(())
    }

    pub(crate) fn append(
        &self,
        held: &mut MutexGuard<'_, Option<Tail>>,
        trial: TrialId,
        rows: &Steps,
    ) -> Result<(Vec<Op>, Tail), Error> {
        let index = self.index();
        let tail = match held.take() {
            Some(tail) => tail,
            None => Tail::load(&index, trial)?,
        };
        let planned = tail.append(&index, trial, rows);
        **held = Some(tail);
        planned
    }

    pub(crate) fn tail(&self, trial: TrialId) -> SharedTail {
        let mut tails = hold(&self.tails);
        if tails.len() >= MAX_TAILS {
            // Those somebody holds are in the middle of an append.
            tails.retain(|_, tail| Arc::strong_count(tail) > 1);
        }
        Arc::clone(tails.entry(trial).or_default())
    }

    pub(crate) fn take_trial_number(&self, study: StudyId) -> Result<u32, Error> {
        let mut ids = hold(&self.ids);
        let last = self
            .index()
            .backwards(Key::trials(study))?
            .next()
            .transpose()?;
        let after = match last.and_then(|(key, _)| Key::decode(&key)) {
            Some(Key::Trial(id)) => u64::from(id.number) + 1,
            _ => 0,
        };
        // Numbers that were taken and whose records are still on their way count too.
        let next = after.max(ids.next_trial.get(&study).copied().unwrap_or(0));
        let number = u32::try_from(next).map_err(|_| Error::NotWritten {
            reason: format!("study {study} has all the trials it can have"),
        })?;
        ids.next_trial.insert(study, next + 1);
        Ok(number)
    }

    pub(crate) fn get<R: Record>(&self, key: &Key) -> Result<Option<R>, Error> {
        let found = self.index().get(key)?;
        found.map(|bytes| decode(key, &bytes)).transpose()
    }

    pub(crate) fn list<I, R: Record>(
        &self,
        keys: Range<Vec<u8>>,
        id: impl Fn(&Key) -> Option<I>,
    ) -> Result<Vec<(I, R)>, Error> {
        let index = self.index();
        let mut listed = Vec::new();
        for entry in index.forwards(keys)? {
            let (key, bytes) = entry?;
            let decoded = Key::decode(&key).and_then(|key| Some((id(&key)?, key)));
            let Some((id, key)) = decoded else {
                return Err(Error::Unreadable {
                    record: Key::describe(&key),
                    reason: "its key is malformed".to_owned(),
                });
            };
            listed.push((id, decode(&key, &bytes)?));
        }
        Ok(listed)
    }

    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }
}
