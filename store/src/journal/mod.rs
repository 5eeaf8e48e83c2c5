//! The append-only journal: every acknowledged write, in order, before anything else has it.
//!
//! It is a folder of snapshots and, after them, segments. Writes go to the last segment and are
//! synced in groups. Once overwritten records make up enough of the segments, a checkpoint copies
//! the live ones, from the journal's own files and not from the index, into a snapshot that takes
//! their place. The journal alone is therefore always enough to rebuild everything.
//!
//! Most records that are overwritten are so soon: a trial's state, the pieces of a history before
//! they are merged. So a checkpoint takes the segments alone, and of the snapshots before only those
//! that are no larger than what it copies anyway, or full of garbage themselves. A record is then
//! copied some few times however large the store grows.

pub(crate) mod catalogue;
pub(crate) mod files;
pub(crate) mod frame;
pub(crate) mod places;
mod room;
pub(crate) mod snapshot;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::index::{Place, Stamp};
use crate::key::Key;
use files::{JournalFile, sync_dir};
use frame::{
    Action, FILE_HEADER, FRAME_HEAD, FileKind, MAX_VALUE, SCHEMA, file_header, write_frame,
};

/// A checkpoint is worth it once one byte in so many is garbage.
const WORTH: u64 = 3;

/// One write to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) key: Vec<u8>,
    /// The new value, or nothing to delete the record.
    pub(crate) value: Option<Vec<u8>>,
}

impl Op {
    /// # Errors
    /// [`Error::TooLarge`] for a value over the cap.
    pub(crate) fn put(key: &Key, value: Vec<u8>) -> Result<Self, Error> {
        if value.len() > MAX_VALUE {
            return Err(Error::TooLarge {
                record: key.to_string(),
                bytes: value.len(),
                cap: MAX_VALUE,
            });
        }
        Ok(Self {
            key: key.encode(),
            value: Some(value),
        })
    }

    pub(crate) fn delete(key: &Key) -> Self {
        Self::delete_encoded(key.encode())
    }

    pub(crate) fn delete_encoded(key: Vec<u8>) -> Self {
        Self { key, value: None }
    }

    /// Its size in the journal.
    pub(crate) fn bytes(&self) -> usize {
        FRAME_HEAD + self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// When the journal starts new files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) segment_bytes: u64,
    /// The least garbage worth a checkpoint.
    pub(crate) garbage_bytes: u64,
}

/// Why an append failed, and whether appending can go on.
#[derive(Debug)]
pub(crate) struct AppendError {
    pub(crate) reason: String,
    pub(crate) fatal: bool,
}

/// Where a write went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) stamp: Stamp,
    pub(crate) place: Place,
}

/// What a checkpoint works on.
pub(crate) struct Work {
    /// Neighbouring files in their order.
    pub(crate) inputs: Vec<JournalFile>,
    /// The sequence numbers they cover.
    pub(crate) first: u64,
    pub(crate) upto: u64,
    /// How much of them is garbage when the work begins.
    garbage: u64,
}

/// The journal, open for appending.
pub(crate) struct Journal {
    dir: PathBuf,
    limits: Limits,
    active: Active,
    sealed: Vec<Sealed>,
    next_seq: u64,
    /// No checkpoint is due below this much garbage; raised where one failed.
    patience_bytes: u64,
    buffer: Vec<u8>,
}

/// The segment that is written to.
struct Active {
    segment: JournalFile,
    file: File,
    bytes: u64,
    garbage: u64,
}

/// A file that is only read.
struct Sealed {
    file: JournalFile,
    bytes: u64,
    /// Bytes of records that were overwritten or deleted since, and of deletions.
    garbage: u64,
}

impl Journal {
    /// Opens a scanned journal for appending after `last_seq`. The last of `files` is written on
    /// if `go_on` says that it can be.
    pub(crate) fn open(
        dir: &Path,
        limits: Limits,
        mut files: Vec<JournalFile>,
        last_seq: u64,
        go_on: bool,
    ) -> Result<Self, Error> {
        let next_seq = last_seq + 1;
        let last = files
            .last()
            .filter(|last| go_on && last.kind == FileKind::Segment);
        // What is written now must not be taken for something that an older version can read.
        let writes_on = last.map(JournalFile::schema).transpose()?.flatten() == Some(SCHEMA);
        let active = match files.pop_if(|_| writes_on) {
            Some(segment) => Active::reopen(segment)?,
            None => {
                // A segment of this name can only be one without a single whole frame.
                let segment = JournalFile::segment(dir, next_seq);
                files.retain(|file| *file != segment);
                Active::create(dir, segment)?
            }
        };
        let patience_bytes = limits.garbage_bytes;
        let mut sealed = Vec::new();
        for file in files {
            let (bytes, garbage) = (file.bytes()?, 0);
            sealed.push(Sealed {
                file,
                bytes,
                garbage,
            });
        }
        let buffer = Vec::new();
        Ok(Self {
            dir: dir.to_owned(),
            limits,
            active,
            sealed,
            next_seq,
            patience_bytes,
            buffer,
        })
    }

    /// Writes batches and syncs them, and tells where each of their writes went, in order.
    pub(crate) fn append(&mut self, batches: &[Vec<Op>]) -> Result<Vec<Written>, AppendError> {
        if self.active.bytes >= self.limits.segment_bytes {
            self.rotate().map_err(|error| AppendError {
                reason: error.to_string(),
                fatal: false,
            })?;
        }
        self.buffer.clear();
        let mut written = Vec::new();
        let mut seq = self.next_seq;
        for batch in batches {
            for (at, op) in batch.iter().enumerate() {
                let left = (batch.len() - at - 1) as u32;
                let (action, value) = match &op.value {
                    Some(value) => (Action::Put, &value[..]),
                    None => (Action::Delete, &[][..]),
                };
                let crc = write_frame(&mut self.buffer, seq, left, action, &op.key, value);
                let offset = self.active.bytes + (self.buffer.len() - value.len()) as u64;
                let place = Place::new(&self.active.segment, offset, value.len() as u32);
                let stamp = Stamp { seq, crc };
                written.push(Written { stamp, place });
                seq += 1;
            }
        }
        if let Some(reason) = room::lacks(&self.dir, self.buffer.len() as u64) {
            return Err(AppendError {
                reason,
                fatal: false,
            });
        }
        let active = &mut self.active;
        if let Err(error) = active.file.write_all(&self.buffer) {
            // A full disk is no reason to stop for good, if the half-written end can be taken back.
            let taken_back = active.file.set_len(active.bytes);
            return Err(AppendError {
                reason: format!("writing {}: {error}", active.segment.path.display()),
                fatal: taken_back.is_err(),
            });
        }
        if let Err(error) = active.file.sync_data() {
            // After a failed sync nobody knows what is on the disk, and a second one may lie.
            return Err(AppendError {
                reason: format!("syncing {}: {error}", active.segment.path.display()),
                fatal: true,
            });
        }
        active.bytes += self.buffer.len() as u64;
        self.next_seq = seq;
        // One huge batch should not hold its memory for good.
        self.buffer.shrink_to(1 << 20);
        Ok(written)
    }

    /// Counts bytes that nobody will need again, of the write with this number.
    pub(crate) fn add_garbage(&mut self, seq: u64, bytes: u64) {
        if seq >= self.active.segment.first {
            self.active.garbage += bytes;
            return;
        }
        let after = self
            .sealed
            .partition_point(|sealed| sealed.file.first <= seq);
        if let Some(sealed) = after.checked_sub(1).and_then(|at| self.sealed.get_mut(at)) {
            sealed.garbage += bytes;
        }
    }

    /// Notes how much of each of `files` is in use; the rest is garbage.
    pub(crate) fn set_live(&mut self, files: &[JournalFile], live: &[u64]) {
        for (file, live) in files.iter().zip(live) {
            if *file == self.active.segment {
                self.active.garbage = self.active.bytes.saturating_sub(*live);
            }
            for sealed in self.sealed.iter_mut().filter(|sealed| sealed.file == *file) {
                sealed.garbage = sealed.bytes.saturating_sub(*live);
            }
        }
    }

    /// Whether there is garbage enough for a checkpoint.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        self.due_from().is_some()
    }

    /// Seals the active segment and chooses what a checkpoint should work on: every file, or those
    /// that it pays for; nothing if it does not.
    pub(crate) fn seal(&mut self, all: bool) -> Result<Option<Work>, Error> {
        let from = if all { Some(0) } else { self.due_from() };
        let Some(from) = from else {
            return Ok(None);
        };
        let live = |sealed: &Sealed| sealed.bytes.saturating_sub(sealed.garbage);
        let active = self.active.bytes.saturating_sub(self.active.garbage);
        let needed = self.sealed[from..].iter().map(live).sum::<u64>() + active;
        if let Some(reason) = room::lacks(&self.dir, needed) {
            return Err(Error::NotWritten { reason });
        }
        self.seal_active()?;
        let inputs = &self.sealed[from..];
        let Some(oldest) = inputs.first() else {
            return Ok(None);
        };
        // Of damage before the first of all files opening has told, and nothing can come after it.
        let first = if from == 0 { 1 } else { oldest.file.first };
        Ok(Some(Work {
            first,
            inputs: inputs.iter().map(|sealed| sealed.file.clone()).collect(),
            upto: self.next_seq - 1,
            garbage: inputs.iter().map(|sealed| sealed.garbage).sum(),
        }))
    }

    /// Notes that a snapshot has taken the place of what it was made from.
    pub(crate) fn replaced(&mut self, work: &Work, snapshot: JournalFile) -> Result<(), Error> {
        let bytes = snapshot.bytes()?;
        let mut garbage = 0;
        self.sealed.retain(|sealed| {
            let is_input = work.inputs.contains(&sealed.file);
            garbage += if is_input { sealed.garbage } else { 0 };
            !is_input && sealed.file != snapshot
        });
        let at = self
            .sealed
            .partition_point(|sealed| sealed.file.first < snapshot.first);
        // What was overwritten while the snapshot was made is garbage in it from its first day.
        let garbage = garbage.saturating_sub(work.garbage);
        let file = snapshot;
        self.sealed.insert(
            at,
            Sealed {
                file,
                bytes,
                garbage,
            },
        );
        self.patience_bytes = self.limits.garbage_bytes;
        Ok(())
    }

    /// The first of the sealed files that a checkpoint should take; all that follow it go with it.
    fn due_from(&self) -> Option<usize> {
        let is_worth = |garbage: u64, bytes: u64| {
            garbage >= self.patience_bytes && garbage.saturating_mul(WORTH) >= bytes
        };
        let sum = |from: usize| {
            let sealed = self.sealed[from..].iter();
            sealed.fold(
                (self.active.garbage, self.active.bytes),
                |(garbage, bytes), sealed| (garbage + sealed.garbage, bytes + sealed.bytes),
            )
        };
        let (garbage, bytes) = sum(0);
        if is_worth(garbage, bytes) {
            return Some(0);
        }
        let is_snapshot = |sealed: &Sealed| sealed.file.kind == FileKind::Snapshot;
        let mut from = self.sealed.partition_point(is_snapshot);
        let (garbage, bytes) = sum(from);
        if !is_worth(garbage, bytes) {
            return None;
        }
        while let Some(before) = from.checked_sub(1) {
            let (garbage, bytes) = sum(from);
            let older = &self.sealed[before];
            let is_small = older.bytes <= 2 * bytes.saturating_sub(garbage);
            if !is_small && older.garbage.saturating_mul(WORTH) < older.bytes {
                break;
            }
            from = before;
        }
        Some(from)
    }

    /// Waits with the next checkpoint until there is twice the garbage: one just failed.
    pub(crate) fn be_patient(&mut self) {
        let sealed: u64 = self.sealed.iter().map(|sealed| sealed.garbage).sum();
        self.patience_bytes = (sealed + self.active.garbage)
            .saturating_mul(2)
            .max(self.limits.garbage_bytes);
    }

    /// How many bytes the journal takes on the disk, and how many of them are garbage.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let active = (self.active.bytes, self.active.garbage);
        self.sealed.iter().fold(active, |(bytes, garbage), sealed| {
            (bytes + sealed.bytes, garbage + sealed.garbage)
        })
    }

    /// All files in their order, and how much of the last one is written.
    pub(crate) fn files(&self) -> (Vec<JournalFile>, u64) {
        let sealed = self.sealed.iter().map(|sealed| &sealed.file);
        let files = sealed.chain([&self.active.segment]).cloned();
        (files.collect(), self.active.bytes)
    }

    /// Seals the active segment, and returns all files that are.
    pub(crate) fn seal_active(&mut self) -> Result<Vec<JournalFile>, Error> {
        if self.active.bytes > FILE_HEADER as u64 {
            self.rotate()?;
        }
        Ok(self
            .sealed
            .iter()
            .map(|sealed| sealed.file.clone())
            .collect())
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn rotate(&mut self) -> Result<(), Error> {
        let segment = JournalFile::segment(&self.dir, self.next_seq);
        let fresh = Active::create(&self.dir, segment)?;
        let full = std::mem::replace(&mut self.active, fresh);
        self.sealed.push(Sealed {
            file: full.segment,
            bytes: full.bytes,
            garbage: full.garbage,
        });
        Ok(())
    }
}

impl Active {
    fn create(dir: &Path, segment: JournalFile) -> Result<Self, Error> {
        let path = &segment.path;
        let made = (|| {
            // Appending, so that a write after one that was taken back lands where that one began.
            let mut file = OpenOptions::new().append(true).create(true).open(path)?;
            file.set_len(0)?;
            file.write_all(&file_header(FileKind::Segment, segment.seq))?;
            file.sync_all()?;
            Ok(file)
        })();
        match made {
            Ok(file) => {
                sync_dir(dir)?;
                Ok(Self {
                    segment,
                    file,
                    bytes: FILE_HEADER as u64,
                    garbage: 0,
                })
            }
            Err(error) => {
                // Half a header would be taken for damage.
                let _ = fs::remove_file(path);
                Err(Error::io("create the journal segment", path)(error))
            }
        }
    }

    fn reopen(segment: JournalFile) -> Result<Self, Error> {
        let open = Error::io("open the journal segment", &segment.path);
        let file = OpenOptions::new()
            .append(true)
            .open(&segment.path)
            .map_err(open)?;
        let bytes = segment.bytes()?;
        Ok(Self {
            segment,
            file,
            bytes,
            garbage: 0,
        })
    }
}
