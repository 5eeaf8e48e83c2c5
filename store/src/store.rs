//! The store itself: records in and out, histories, ids, and when to checkpoint.

use std::fs;
use std::ops::{ControlFlow, RangeBounds};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::batch::{Batch, Parts};
use crate::care::{Backup, Stats, Verification};
use crate::commit::hold;
use crate::error::Error;
use crate::id::{Id, StudyId, TrialId};
use crate::journal::Limits;
use crate::key::Key;
use crate::lock::DirLock;
use crate::record::{EpochMetrics, Knowledge, Note, Notes, Quarantine, StudyRecord, TrialRecord};
use crate::recovery;
use crate::report::OpenReport;
use crate::shared::{Shared, SharedTail};
use crate::steps::Steps;
use crate::steps::curve::{self, Curve, History};
use crate::steps::history;

/// How many epochs are shown between two chances to write.
const EPOCHS_AT_ONCE: usize = 4096;

/// Sizes that decide how a store uses memory and disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The index's cache, in bytes.
    pub cache_bytes: u64,
    /// A journal segment is closed once it is this long, in bytes.
    pub segment_bytes: u64,
    /// The journal, or its last part, is compacted once this many bytes of it, and a third of it,
    /// are out of date.
    pub garbage_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 4 << 20,
            segment_bytes: 16 << 20,
            garbage_bytes: 8 << 20,
        }
    }
}

/// Everything Attune keeps, in one directory.
///
/// A write that has returned is on the disk and survives the process and the machine being killed
/// at any moment. All methods may be called from many threads; writes from several share their
/// syncs. Readers see a batch whole or not at all.
pub struct Store {
    shared: Arc<Shared>,
    checkpointer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the store in `dir`, or creates one there. `holder` says in words who opens it, for the
    /// error that anybody else gets who tries to.
    ///
    /// # Errors
    /// [`Error::InUse`] at once if another handle is open, [`Error::NewerSchema`] for a store of a
    /// newer Attune, [`Error::Io`]. Damage is no error: the report tells of it.
    pub fn open(dir: impl AsRef<Path>, holder: &str) -> Result<(Self, OpenReport), Error> {
        Self::open_with(dir, holder, Options::default())
    }

    /// [`Store::open`] with other sizes.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(
        dir: impl AsRef<Path>,
        holder: &str,
        options: Options,
    ) -> Result<(Self, OpenReport), Error> {
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let lock = DirLock::take(dir, holder)?;
        let limits = Limits {
            segment_bytes: options.segment_bytes,
            garbage_bytes: options.garbage_bytes,
        };
        let recovered = recovery::open(dir, limits, options.cache_bytes)?;
        let shared = Shared::new(recovered.journal, recovered.index, lock)?;
        shared.sweep_all()?;
        let store = Self {
            shared: Arc::new(shared),
            checkpointer: Mutex::default(),
        };
        store.start_due_checkpoint();
        Ok((store, recovered.report))
    }

    /// Writes a batch, all of it or nothing, and returns once it is durable.
    ///
    /// # Errors
    /// [`Error::NotWritten`] when nothing was written, as on a full disk, and trying again makes
    /// sense; [`Error::Stopped`] when only reopening helps; [`Error::TooLarge`] and
    /// [`Error::BadSteps`] for what the batch holds.
    pub fn apply(&self, batch: Batch) -> Result<(), Error> {
        let Parts {
            mut ops,
            appends,
            deletions,
        } = batch.into_parts()?;
        let swept = self.shared.delete(&deletions, &mut ops)?;
        // In the order of their ids, so that two batches can never wait for each other.
        let tails: Vec<(TrialId, SharedTail, &Steps)> = appends
            .iter()
            .map(|(id, rows)| (*id, self.shared.tail(*id), rows))
            .collect();
        let mut grown = Vec::with_capacity(tails.len());
        for (trial, tail, rows) in &tails {
            let mut held = hold(tail);
            let (more, after) = self.shared.append(&mut held, *trial, rows)?;
            ops.extend(more);
            grown.push((held, after));
        }
        self.shared.commit(ops)?;
        for (mut held, after) in grown {
            *held = Some(after);
        }
        for study in swept {
            self.shared.sweep(study)?;
        }
        self.start_due_checkpoint();
        Ok(())
    }

    /// Adds a study under a new id.
    ///
    /// # Errors
    /// As [`Store::apply`].
    pub fn create_study(&self, record: &StudyRecord) -> Result<StudyId, Error> {
        let id = self.shared.take_study_id();
        self.put_study(id, record)?;
        Ok(id)
    }

    /// Adds a trial to a study under its next number.
    ///
    /// # Errors
    /// [`Error::NoSuchStudy`], and as [`Store::apply`].
    pub fn create_trial(&self, study: StudyId, record: &TrialRecord) -> Result<TrialId, Error> {
        self.study(study)?;
        let id = study.trial(self.shared.take_trial_number(study)?);
        self.put_trial(id, record)?;
        Ok(id)
    }

    /// Writes a study's record, over the one there is or, for an import, as a new one.
    ///
    /// # Errors
    /// As [`Store::apply`].
    pub fn put_study(&self, id: StudyId, record: &StudyRecord) -> Result<(), Error> {
        self.shared.note_study_id(id);
        self.apply(Batch::new().put_study(id, record))
    }

    /// Writes a trial's record, over the one there is or, for an import, as a new one.
    ///
    /// # Errors
    /// As [`Store::apply`].
    pub fn put_trial(&self, id: TrialId, record: &TrialRecord) -> Result<(), Error> {
        self.apply(Batch::new().put_trial(id, record))
    }

    /// Writes the metrics of one epoch.
    ///
    /// # Errors
    /// As [`Store::apply`].
    pub fn put_epoch(
        &self,
        trial: TrialId,
        epoch: u32,
        metrics: &EpochMetrics,
    ) -> Result<(), Error> {
        self.apply(Batch::new().put_epoch(trial, epoch, metrics))
    }

    /// Writes what `owner`, a scheduler or searcher, has learnt in one of its slots.
    ///
    /// # Errors
    /// [`Error::BadSlotName`], and as [`Store::apply`].
    pub fn put_knowledge(
        &self,
        owner: &str,
        slot: &str,
        knowledge: &Knowledge,
    ) -> Result<(), Error> {
        self.apply(Batch::new().put_knowledge(owner, slot, knowledge))
    }

    /// Appends rows to a trial's history. Rows at or before its last step replace the history from
    /// there on: that is what a trial resumed from a checkpoint reports, and a report sent twice.
    ///
    /// # Errors
    /// [`Error::BadSteps`], and as [`Store::apply`].
    pub fn append_steps(&self, trial: TrialId, rows: &Steps) -> Result<(), Error> {
        self.apply(Batch::new().append_steps(trial, rows.clone()))
    }

    /// A study.
    ///
    /// # Errors
    /// [`Error::NoSuchStudy`], and those of reading.
    pub fn study(&self, id: StudyId) -> Result<StudyRecord, Error> {
        self.shared
            .get(&Key::Study(id))?
            .ok_or(Error::NoSuchStudy { id })
    }

    /// A trial.
    ///
    /// # Errors
    /// [`Error::NoSuchTrial`], and those of reading.
    pub fn trial(&self, id: TrialId) -> Result<TrialRecord, Error> {
        self.shared
            .get(&Key::Trial(id))?
            .ok_or(Error::NoSuchTrial { id })
    }

    /// All studies in the order of their ids.
    ///
    /// # Errors
    /// Those of reading.
    pub fn list_studies(&self) -> Result<Vec<(StudyId, StudyRecord)>, Error> {
        self.shared.list(Key::studies(), |key| match key {
            Key::Study(id) => Some(*id),
            _ => None,
        })
    }

    /// A study's trials in the order of their numbers; none for a study that is not there.
    ///
    /// # Errors
    /// Those of reading.
    pub fn list_trials(&self, study: StudyId) -> Result<Vec<(TrialId, TrialRecord)>, Error> {
        self.shared.list(Key::trials(study), trial_of)
    }

    /// Shows a study's trials one after another, in the order of their numbers: of thousands only
    /// one is in memory.
    ///
    /// # Errors
    /// Those of reading.
    pub fn each_trial(
        &self,
        study: StudyId,
        mut look: impl FnMut(TrialId, TrialRecord),
    ) -> Result<(), Error> {
        self.each_trial_from(study.trial(0), |id, trial| {
            look(id, trial);
            ControlFlow::Continue(())
        })
    }

    /// Shows a study's trials from one of them on, as [`Store::each_trial`] does, until `look` has
    /// seen enough.
    ///
    /// # Errors
    /// Those of reading.
    pub fn each_trial_from(
        &self,
        first: TrialId,
        look: impl FnMut(TrialId, TrialRecord) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.shared.each(Key::trials_from(first), trial_of, look)
    }

    /// The metrics of a trial's epochs in order.
    ///
    /// # Errors
    /// Those of reading.
    pub fn epochs(&self, trial: TrialId) -> Result<Vec<(u32, EpochMetrics)>, Error> {
        self.shared.list(Key::epochs(trial), epoch_of)
    }

    /// Shows the metrics of a trial's epochs one after another, in order: of a hundred thousand only
    /// one is in memory. Writing goes on between some thousands of them, so that epochs which end
    /// meanwhile may be shown too.
    ///
    /// # Errors
    /// Those of reading.
    pub fn each_epoch(
        &self,
        trial: TrialId,
        mut look: impl FnMut(u32, EpochMetrics),
    ) -> Result<(), Error> {
        let mut next = Some(0);
        while let Some(first) = next.take() {
            let mut left = EPOCHS_AT_ONCE;
            self.shared.each(
                Key::epochs_from(trial, first),
                epoch_of,
                |epoch, metrics| {
                    if left == 0 {
                        next = Some(epoch);
                        return ControlFlow::Break(());
                    }
                    left -= 1;
                    look(epoch, metrics);
                    ControlFlow::Continue(())
                },
            )?;
        }
        Ok(())
    }

    /// The rows of a trial's history whose steps lie in `range`. Where columns came and went,
    /// the gaps are NaN.
    ///
    /// # Errors
    /// Those of reading.
    pub fn read_steps(&self, trial: TrialId, range: impl RangeBounds<u64>) -> Result<Steps, Error> {
        history::read(&self.shared.index(), trial, &range)
    }

    /// One column of a trial's history over the steps in `range`, in at most `points` buckets (from 1
    /// to [`MAX_POINTS`](crate::MAX_POINTS)) of about as many rows each; without any where no row in
    /// the range has that column.
    ///
    /// # Errors
    /// Those of reading.
    pub fn curve(
        &self,
        trial: TrialId,
        column: &str,
        range: impl RangeBounds<u64>,
        points: usize,
    ) -> Result<Curve, Error> {
        curve::read(&self.shared.index(), trial, column, &range, points)
    }

    /// What there is of a trial's history.
    ///
    /// # Errors
    /// Those of reading.
    pub fn history(&self, trial: TrialId) -> Result<History, Error> {
        curve::history(&self.shared.index(), trial)
    }

    /// The names of the columns of a trial's history, in the order in which they first came.
    ///
    /// # Errors
    /// Those of reading.
    pub fn columns(&self, trial: TrialId) -> Result<Vec<String>, Error> {
        Ok(self.history(trial)?.columns)
    }

    /// Thins a trial's history out: its rows go, and what [`Store::curve`] needs to draw it stays,
    /// a tenth of the space. The trial can still go on, but only after its last step.
    ///
    /// # Errors
    /// Those of reading, and as [`Store::apply`].
    pub fn thin(&self, trial: TrialId) -> Result<(), Error> {
        let tail = self.shared.tail(trial);
        let mut held = hold(&tail);
        let ops = history::thin(&self.shared.index(), trial)?;
        *held = None;
        self.shared.commit(ops)?;
        drop(held);
        self.start_due_checkpoint();
        Ok(())
    }

    /// What people wrote about a study or a trial, if they did.
    ///
    /// # Errors
    /// Those of reading.
    pub fn note(&self, about: Id) -> Result<Option<Note>, Error> {
        self.shared.get(&Key::Note(about))
    }

    /// All that people wrote about a study and its trials.
    ///
    /// # Errors
    /// Those of reading.
    pub fn notes(&self, study: StudyId) -> Result<Notes, Error> {
        let about = |key: &Key| match key {
            Key::Note(about) => Some(*about),
            _ => None,
        };
        let mut notes = Notes::default();
        self.shared.each(Key::notes(study), about, |about, note| {
            match about {
                Id::Study(_) => notes.study = Some(note),
                Id::Trial(id) => drop(notes.trials.insert(id.number, note)),
            }
            ControlFlow::Continue(())
        })?;
        Ok(notes)
    }

    /// What `owner` has learnt in one of its slots, if anything yet.
    ///
    /// # Errors
    /// [`Error::BadSlotName`], and those of reading.
    pub fn knowledge(&self, owner: &str, slot: &str) -> Result<Option<Knowledge>, Error> {
        self.shared.get(&Key::knowledge(owner, slot)?)
    }

    /// The study or trial that a user means by `text`: `s12`, `12`, `s12.3` or `12.3`.
    ///
    /// # Errors
    /// [`Error::NotAnId`], [`Error::NoSuchStudy`] or [`Error::NoSuchTrial`], and those of reading.
    pub fn resolve(&self, text: &str) -> Result<Id, Error> {
        let id: Id = text.parse()?;
        match id {
            Id::Study(id) => self.study(id).map(drop)?,
            Id::Trial(id) => {
                self.study(id.study)?;
                self.trial(id).map(drop)?;
            }
        }
        Ok(id)
    }

    /// The libraries that may not be loaded, by content hash.
    ///
    /// # Errors
    /// Those of reading.
    pub fn quarantines(&self) -> Result<Vec<(String, Quarantine)>, Error> {
        self.shared.list(Key::quarantines(), |key| match key {
            Key::Quarantine(hash) => Some(hash.clone()),
            _ => None,
        })
    }

    /// A number that no call before has given out, in this process or an earlier one: 1, then 2,
    /// and so on.
    ///
    /// # Errors
    /// As [`Store::apply`].
    pub fn next_boot(&self) -> Result<u64, Error> {
        self.shared.next_boot()
    }

    /// Reads everything there is and holds it against its checksums. Reading and writing go on.
    ///
    /// # Errors
    /// [`Error::Io`] where a file cannot be read at all. Damage is no error: the answer tells of it.
    pub fn verify(&self) -> Result<Verification, Error> {
        self.shared.verify()
    }

    /// Copies all that is written when it is called into `dir`, which must be empty or not there
    /// yet. The copy opens as a store. Reading and writing go on.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] and [`Error::Io`]; there is then no backup.
    pub fn backup(&self, dir: impl AsRef<Path>) -> Result<Backup, Error> {
        self.shared.backup(dir.as_ref())
    }

    /// Counts what the store holds and what that takes. Reads every key, and few records.
    ///
    /// # Errors
    /// Those of reading.
    pub fn stats(&self) -> Result<Stats, Error> {
        self.shared.stats()
    }

    /// Compacts the journal now: a snapshot of the live records takes the place of its sealed
    /// segments. The store does so by itself when enough has been overwritten.
    ///
    /// # Errors
    /// [`Error::JournalDamaged`] and [`Error::Io`]; the journal is then as long as before and as good.
    pub fn compact(&self) -> Result<(), Error> {
        self.shared.checkpoint(true)
    }

    /// Checkpoints on a thread of its own, where one is due and none is under way.
    fn start_due_checkpoint(&self) {
        if !self.shared.is_checkpoint_due() {
            return;
        }
        let mut checkpointer = hold(&self.checkpointer);
        if checkpointer.as_ref().is_none_or(JoinHandle::is_finished) {
            let shared = Arc::clone(&self.shared);
            // A checkpoint that fails has changed nothing, and is tried again later.
            let work = move || drop(shared.checkpoint(false));
            let thread = std::thread::Builder::new().name("store checkpoint".to_owned());
            *checkpointer = thread.spawn(work).ok();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(thread) = hold(&self.checkpointer).take() {
            let _ = thread.join();
        }
        // Only sled's own recovery is shortened by this; the journal has everything already.
        let _ = self.shared.index().flush();
    }
}

fn epoch_of(key: &Key) -> Option<u32> {
    if let Key::Epoch(_, epoch) = key {
        Some(*epoch)
    } else {
        None
    }
}

fn trial_of(key: &Key) -> Option<TrialId> {
    if let Key::Trial(id) = key {
        Some(*id)
    } else {
        None
    }
}
