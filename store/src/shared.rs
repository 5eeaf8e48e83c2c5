//! What stands behind the [`Store`](crate::Store): journal, index, tails and ids under their locks.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use crate::commit::{Failure, Queue, hold};
use crate::error::Error;
use crate::id::{StudyId, TrialId};
use crate::index::Index;
use crate::journal::files::JournalFile;
use crate::journal::frame::FRAME_HEAD;
use crate::journal::{Journal, Op, snapshot};
use crate::key::{Counter, Key};
use crate::lock::DirLock;
use crate::record::{Record, decode, encode};
use crate::steps::Steps;
use crate::steps::history::Tail;

/// The most bytes one batch may take in the journal.
pub const MAX_BATCH_BYTES: usize = 64 << 20;
/// How many places in the index are set right at once after a checkpoint.
const MOVED_AT_ONCE: usize = 1000;
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
    pub(crate) checkpointing: Mutex<()>,
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
        let last = index.keys(Key::studies())?.next_back().transpose()?;
        let after = match last.and_then(|key| Key::decode(&key)) {
            Some(Key::Study(id)) => id.0.saturating_add(1),
            _ => 1,
        };
        let deleted = count(&index, Counter::StudyIds)?;
        let next_study = after.max(deleted);
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
        let written = journal.append(batches).map_err(|failed| Failure {
            reason: failed.reason,
            fatal: failed.fatal,
        })?;
        // The journal has it and the index has not: reading on would be reading the past.
        let stale = |error: Error| Failure {
            reason: error.to_string(),
            fatal: true,
        };
        let index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for (op, written) in batches.iter().flatten().zip(written) {
            let frame = (FRAME_HEAD + op.key.len()) as u64;
            let replaced = match &op.value {
                Some(value) => index.insert(&op.key, written.stamp, value, written.place),
                None => {
                    journal.add_garbage(written.stamp.seq, frame);
                    index.remove(&op.key)
                }
            };
            if let Some(replaced) = replaced.map_err(stale)? {
                journal.add_garbage(replaced.seq, frame + replaced.bytes);
            }
        }
        // Asking the journal itself would mean waiting for the next round's sync.
        self.checkpoint_due
            .store(journal.is_checkpoint_due(), Ordering::Relaxed);
        Ok(())
    }

    /// Makes a snapshot of all that the journal has, or of what is due.
    pub(crate) fn checkpoint(&self, all: bool) -> Result<(), Error> {
        let _one_at_a_time = hold(&self.checkpointing);
        let written = self.write_snapshot(all);
        let mut journal = hold(&self.journal);
        if written.is_err() {
            journal.be_patient();
        }
        self.checkpoint_due
            .store(journal.is_checkpoint_due(), Ordering::Relaxed);
        written
    }

    fn write_snapshot(&self, all: bool) -> Result<(), Error> {
        let (dir, work) = {
            let mut journal = hold(&self.journal);
            (journal.dir().to_owned(), journal.seal(all)?)
        };
        let Some(work) = work else {
            return Ok(());
        };
        let made = snapshot::write(&dir, &work, snapshot::Damage::Refuse)?;
        // Readers go on between the pieces. One that has begun keeps the files it reads from being
        // removed, for it holds the index.
        for places in made.moved.chunks(MOVED_AT_ONCE) {
            let index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            index.moved(places)?;
        }
        hold(&self.journal).replaced(&work, made.file.clone())?;
        snapshot::retire(&dir, &work.inputs, &made.file, &[])?;
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

    /// Drops the tails of trials that are deleted.
    pub(crate) fn forget_tails(&self, which: impl Fn(TrialId) -> bool) {
        hold(&self.tails).retain(|trial, _| !which(*trial));
    }

    pub(crate) fn take_trial_number(&self, study: StudyId) -> Result<u32, Error> {
        let mut ids = hold(&self.ids);
        // Numbers that were taken and whose records are still on their way count too.
        let taken = ids.next_trial.get(&study).copied().unwrap_or(0);
        let next = self.next_trial_number(study)?.max(taken);
        let number = u32::try_from(next).map_err(|_| Error::NotWritten {
            reason: format!("study {study} has all the trials it can have"),
        })?;
        ids.next_trial.insert(study, next + 1);
        Ok(number)
    }

    /// The first number beyond those of the study's trials, deleted ones among them.
    pub(crate) fn next_trial_number(&self, study: StudyId) -> Result<u64, Error> {
        let index = self.index();
        let last = index.keys(Key::trials(study))?.next_back().transpose()?;
        let after = match last.and_then(|key| Key::decode(&key)) {
            Some(Key::Trial(id)) => u64::from(id.number) + 1,
            _ => 0,
        };
        Ok(after.max(count(&index, Counter::TrialNumbers(study))?))
    }

    pub(crate) fn next_study_id(&self) -> u64 {
        hold(&self.ids).next_study
    }

    pub(crate) fn next_boot(&self) -> Result<u64, Error> {
        // Held until it is written, so that two callers cannot get the same.
        let _ids = hold(&self.ids);
        let boot = count(&self.index(), Counter::Boots)? + 1;
        self.commit(vec![put_count(Counter::Boots, boot)?])?;
        Ok(boot)
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
        let mut listed = Vec::new();
        self.each(keys, id, |id, record| {
            listed.push((id, record));
            ControlFlow::Continue(())
        })?;
        Ok(listed)
    }

    /// As [`Shared::list`], with one record at a time in memory, and until `look` has seen enough.
    pub(crate) fn each<I, R: Record>(
        &self,
        keys: Range<Vec<u8>>,
        id: impl Fn(&Key) -> Option<I>,
        mut look: impl FnMut(I, R) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let index = self.index();
        for entry in index.forwards(keys)? {
            let (key, bytes) = entry?;
            let decoded = Key::decode(&key).and_then(|key| Some((id(&key)?, key)));
            let Some((id, key)) = decoded else {
                return Err(Error::Unreadable {
                    record: Key::describe(&key),
                    reason: "its key is malformed".to_owned(),
                });
            };
            if look(id, decode(&key, &bytes)?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The journal's files, and how much of the last one is written.
    pub(crate) fn journal_now(&self) -> (Vec<JournalFile>, u64) {
        hold(&self.journal).files()
    }

    /// How many bytes the journal takes, and how many of them are garbage.
    pub(crate) fn journal_bytes(&self) -> (u64, u64) {
        hold(&self.journal).bytes()
    }

    /// Files that have all there is now, and will not change.
    pub(crate) fn seal_journal(&self) -> Result<Vec<JournalFile>, Error> {
        hold(&self.journal).seal_active()
    }

    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a counter stands at; 0 until it is first written.
fn count(index: &Index, counter: Counter) -> Result<u64, Error> {
    let key = Key::Counter(counter);
    let found = index.get(&key)?;
    Ok(found
        .map(|bytes| decode(&key, &bytes))
        .transpose()?
        .unwrap_or(0))
}

pub(crate) fn put_count(counter: Counter, to: u64) -> Result<Op, Error> {
    let key = Key::Counter(counter);
    Op::put(&key, encode(&key, &to)?)
}
