//! The append-only journal: every acknowledged write, in order, before anything else has it.
//!
//! It is a folder of segments and at most one snapshot. Writes go to the last segment and are synced
//! in groups. Once overwritten records make up enough of it, a checkpoint copies the
//! live ones, from the journal's own files and not from the index, into a snapshot that takes the
//! place of the sealed segments. The journal alone is therefore always enough to rebuild everything.

pub(crate) mod catalogue;
pub(crate) mod files;
pub(crate) mod frame;
pub(crate) mod snapshot;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::index::Stamp;
use crate::key::Key;
use files::{JournalFile, sync_dir};
use frame::{Action, FILE_HEADER, FRAME_HEAD, FileKind, MAX_VALUE, file_header, write_frame};

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

/// The journal, open for appending.
pub(crate) struct Journal {
    dir: PathBuf,
    limits: Limits,
    active: Active,
    sealed: Vec<JournalFile>,
    next_seq: u64,
    total_bytes: u64,
    /// Bytes of records that were overwritten or deleted since, and of deletions.
    garbage_bytes: u64,
    /// No checkpoint is due below this much garbage; raised where one failed.
    patience_bytes: u64,
    buffer: Vec<u8>,
}

/// The segment that is written to.
struct Active {
    segment: JournalFile,
    file: File,
    bytes: u64,
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
        let mut total_bytes = 0;
        for file in &files {
            total_bytes += file.bytes()?;
        }
        let last = files.pop_if(|file| go_on && file.kind == FileKind::Segment);
        let active = match last {
            Some(segment) => Active::reopen(segment)?,
            None => {
                // A segment of this name can only be one without a single whole frame.
                let segment = JournalFile::new(dir, FileKind::Segment, next_seq);
                files.retain(|file| *file != segment);
                Active::create(dir, segment)?
            }
        };
        let patience_bytes = limits.garbage_bytes;
        let (garbage_bytes, buffer) = (0, Vec::new());
        let dir = dir.to_owned();
        let sealed = files;
        Ok(Self {
            dir,
            limits,
            active,
            sealed,
            next_seq,
            total_bytes,
            garbage_bytes,
            patience_bytes,
            buffer,
        })
    }

    /// Writes batches and syncs them, and returns a stamp for each of their writes in order.
    pub(crate) fn append(&mut self, batches: &[Vec<Op>]) -> Result<Vec<Stamp>, AppendError> {
        if self.active.bytes >= self.limits.segment_bytes {
            self.rotate().map_err(|error| AppendError {
                reason: error.to_string(),
                fatal: false,
            })?;
        }
        self.buffer.clear();
        let mut stamps = Vec::new();
        let mut seq = self.next_seq;
        for batch in batches {
            for (at, op) in batch.iter().enumerate() {
                let left = (batch.len() - at - 1) as u32;
                let (action, value) = match &op.value {
                    Some(value) => (Action::Put, &value[..]),
                    None => (Action::Delete, &[][..]),
                };
                let crc = write_frame(&mut self.buffer, seq, left, action, &op.key, value);
                stamps.push(Stamp { seq, crc });
                seq += 1;
            }
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
        self.total_bytes += self.buffer.len() as u64;
        self.next_seq = seq;
        // One huge batch should not hold its memory for good.
        self.buffer.shrink_to(1 << 20);
        Ok(stamps)
    }

    /// Counts bytes in the journal that nobody will need again.
    pub(crate) fn add_garbage(&mut self, bytes: u64) {
        self.garbage_bytes += bytes;
    }

    /// Whether at least half of the journal, and not too little, is garbage.
    pub(crate) fn is_checkpoint_due(&self) -> bool {
        self.garbage_bytes >= self.patience_bytes && self.garbage_bytes * 2 >= self.total_bytes
    }

    /// Seals the active segment. The answer is what a checkpoint needs: all sealed files, and the
    /// last sequence number in them.
    pub(crate) fn seal(&mut self) -> Result<(Vec<JournalFile>, u64), Error> {
        if self.active.bytes > FILE_HEADER as u64 {
            self.rotate()?;
        }
        Ok((self.sealed.clone(), self.next_seq - 1))
    }

    /// Notes that a snapshot has taken the place of `inputs`, and how much garbage that leaves.
    pub(crate) fn replaced(
        &mut self,
        inputs: &[JournalFile],
        snapshot: JournalFile,
    ) -> Result<(), Error> {
        self.sealed
            .retain(|file| !inputs.contains(file) && *file != snapshot);
        self.sealed.insert(0, snapshot);
        self.total_bytes = self.active.bytes;
        for file in &self.sealed {
            self.total_bytes += file.bytes()?;
        }
        // What became garbage while the snapshot was written is forgotten, which only delays the
        // next one a little.
        self.garbage_bytes = 0;
        self.patience_bytes = self.limits.garbage_bytes;
        Ok(())
    }

    /// Waits with the next checkpoint until there is twice the garbage: one just failed.
    pub(crate) fn be_patient(&mut self) {
        self.patience_bytes = self
            .garbage_bytes
            .saturating_mul(2)
            .max(self.limits.garbage_bytes);
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn rotate(&mut self) -> Result<(), Error> {
        let segment = JournalFile::new(&self.dir, FileKind::Segment, self.next_seq);
        let fresh = Active::create(&self.dir, segment)?;
        let full = std::mem::replace(&mut self.active, fresh);
        self.sealed.push(full.segment);
        self.total_bytes += FILE_HEADER as u64;
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
        })
    }
}
