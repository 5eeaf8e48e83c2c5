//! The index: the journal's records by key, for reading. The only file that names sled.
//!
//! sled is quick and survives being killed, but a damaged file can make it panic, or open with
//! records silently gone. So it is never believed: every record carries its sequence number and
//! checksum, every call is under `catch_unwind`, and whoever opens it compares it with the journal.
//!
//! Small records lie in the index as well as in the journal, and what damages one of them leaves the
//! other. Of larger ones, and of all but the smallest pieces of step histories, it has only the place
//! in the journal: they are most of a store's bytes, and sled needs two and a half times the space.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::journal::files::JournalFile;
use crate::journal::frame::{Action, FileKind, MAX_VALUE, record_crc};
use crate::key::Key;

const STAMP: usize = 12;

/// What begins a place. A value begins with its record's version, a small number, or is empty.
const PLACE: u8 = 0xfe;

/// The largest value kept in the index: a trial's record with a long history of its own.
const MAX_KEPT: usize = 8 << 10;
/// The same for pieces of step histories: a few steps that came by themselves.
const MAX_KEPT_STEPS: usize = 512;

/// How long an index that was closed just now may take to let go of its lock.
const LET_GO: Duration = Duration::from_secs(10);

/// A record's key and value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// Which write put a record where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) seq: u64,
    pub(crate) crc: u32,
}

/// Where in the journal a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    is_snapshot: bool,
    first: u64,
    seq: u64,
    offset: u64,
    len: u32,
}

/// A record's value as the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    Value(Vec<u8>),
    At(Place),
}

/// An entry as the index holds it, believed or not.
pub(crate) struct Stored {
    pub(crate) key: Vec<u8>,
    pub(crate) stamp: Stamp,
    pub(crate) held: Held,
    /// Whether key and value are those the stamp was made for. Of a value that is elsewhere nobody
    /// knows before it is read.
    pub(crate) whole: bool,
}

/// What a write took the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) seq: u64,
    /// The size of its value.
    pub(crate) bytes: u64,
}

/// An open index.
pub(crate) struct Index {
    /// Always there until `drop` takes it.
    tree: Option<sled::Db>,
    /// Where it lies itself.
    dir: PathBuf,
    /// Where the journal lies.
    journal: PathBuf,
}

impl Place {
    pub(crate) fn new(file: &JournalFile, offset: u64, len: u32) -> Self {
        Self {
            is_snapshot: file.kind == FileKind::Snapshot,
            first: file.first,
            seq: file.seq,
            offset,
            len,
        }
    }

    /// The value's size.
    pub(crate) fn len(&self) -> u64 {
        self.len.into()
    }

    fn file(&self, journal: &Path) -> JournalFile {
        if self.is_snapshot {
            JournalFile::snapshot(journal, self.first, self.seq)
        } else {
            JournalFile::segment(journal, self.first)
        }
    }
}

/// Whether a record's value is kept in the index and not only in the journal.
pub(crate) fn keeps(key: &[u8], bytes: usize) -> bool {
    let most = if Key::is_bulk(key) {
        MAX_KEPT_STEPS
    } else {
        MAX_KEPT
    };
    bytes <= most
}

impl Index {
    /// Opens the index in `dir`, or starts an empty one there, for the journal in `journal`.
    pub(crate) fn open(dir: &Path, journal: &Path, cache_bytes: u64) -> Result<Self, Error> {
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(cache_bytes)
            .mode(sled::Mode::HighThroughput)
            .flush_every_ms(Some(1000));
        let deadline = Instant::now() + LET_GO;
        loop {
            match guarded(|| config.open()) {
                // sled's threads may hold its lock for a moment after a handle was dropped. Nobody
                // else can: the directory is locked by the store before its index is opened.
                Err(Error::Index { reason }) if is_locked(&reason) && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                opened => {
                    return opened.map(|tree| Self {
                        tree: Some(tree),
                        dir: dir.to_owned(),
                        journal: journal.to_owned(),
                    });
                }
            }
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        let bytes = key.encode();
        let found = guarded(|| self.tree()?.get(&bytes))?;
        let mut reader = Reader::new(&self.journal);
        found
            .map(|stamped| reader.value(&unstamp(&bytes, &stamped)))
            .transpose()
    }

    /// Stores a record, as value or place as its size has it; the answer is what it replaced.
    pub(crate) fn insert(
        &self,
        key: &[u8],
        stamp: Stamp,
        value: &[u8],
        place: Place,
    ) -> Result<Option<Replaced>, Error> {
        let stamped = if keeps(key, value.len()) {
            let mut stamped = Vec::with_capacity(STAMP + value.len());
            put_stamp(&mut stamped, stamp);
            stamped.extend_from_slice(value);
            stamped
        } else {
            with_place(stamp, place)?
        };
        let before = guarded(|| self.tree()?.insert(key, stamped))?;
        Ok(before.map(|before| replaced(key, &before)))
    }

    /// Notes that the values of these records, where they are still these, have moved within the
    /// journal.
    pub(crate) fn moved(&self, places: &[(Vec<u8>, u64, Place)]) -> Result<(), Error> {
        for (key, seq, place) in places {
            let Some(stamped) = guarded(|| self.tree()?.get(key))? else {
                continue;
            };
            let stored = unstamp(key, &stamped);
            if stored.stamp.seq == *seq && matches!(stored.held, Held::At(_)) {
                let stamped = with_place(stored.stamp, *place)?;
                guarded(|| self.tree()?.insert(key, stamped))?;
            }
        }
        Ok(())
    }

    /// Removes a record; the answer is what it was, if it was there.
    pub(crate) fn remove(&self, key: &[u8]) -> Result<Option<Replaced>, Error> {
        let before = guarded(|| self.tree()?.remove(key))?;
        Ok(before.map(|before| replaced(key, &before)))
    }

    /// The records of a key range in order.
    pub(crate) fn forwards(
        &self,
        keys: Range<Vec<u8>>,
    ) -> Result<impl Iterator<Item = Result<Entry, Error>>, Error> {
        let mut found = guarded(|| Ok(self.tree()?.range(keys)))?;
        let mut reader = Reader::new(&self.journal);
        Ok(std::iter::from_fn(move || step(|| found.next())).map(move |found| reader.entry(found)))
    }

    /// The records of a key range, the last first.
    pub(crate) fn backwards(
        &self,
        keys: Range<Vec<u8>>,
    ) -> Result<impl Iterator<Item = Result<Entry, Error>>, Error> {
        let mut found = guarded(|| Ok(self.tree()?.range(keys)))?;
        let mut reader = Reader::new(&self.journal);
        Ok(std::iter::from_fn(move || step(|| found.next_back()))
            .map(move |found| reader.entry(found)))
    }

    /// The keys of a range in order, their records unread.
    pub(crate) fn keys(
        &self,
        keys: Range<Vec<u8>>,
    ) -> Result<impl DoubleEndedIterator<Item = Result<Vec<u8>, Error>>, Error> {
        let found = guarded(|| Ok(self.tree()?.range(keys)))?;
        Ok(Keys { found })
    }

    /// What is stored of a record, whole or not.
    pub(crate) fn stored(&self, key: &[u8]) -> Result<Option<Stored>, Error> {
        let found = guarded(|| self.tree()?.get(key))?;
        Ok(found.map(|stamped| unstamp(key, &stamped)))
    }

    pub(crate) fn has(&self, key: &Key) -> Result<bool, Error> {
        guarded(|| self.tree()?.contains_key(key.encode()))
    }

    /// At most so many entries from `from` on, whole or not.
    pub(crate) fn page(&self, from: &[u8], most: usize) -> Result<Vec<Stored>, Error> {
        let mut found = guarded(|| Ok(self.tree()?.range(from..)))?;
        std::iter::from_fn(|| step(|| found.next()))
            .take(most)
            .map(|found| found.map(|(key, stamped)| unstamp(&key, &stamped)))
            .collect()
    }

    /// For reading the values of entries.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::new(&self.journal)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// How many bytes it takes on the disk, as far as sled says.
    pub(crate) fn bytes(&self) -> u64 {
        guarded(|| self.tree()?.size_on_disk()).unwrap_or(0)
    }

    /// Everything there is, whole or not, for comparing with the journal.
    pub(crate) fn everything(&self) -> Result<impl Iterator<Item = Result<Stored, Error>>, Error> {
        let mut found = guarded(|| Ok(self.tree()?.iter()))?;
        Ok(std::iter::from_fn(move || step(|| found.next()))
            .map(|found| found.map(|(key, stamped)| unstamp(&key, &stamped))))
    }

    /// Writes what is still in memory to the disk.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        guarded(|| self.tree()?.flush()).map(|_| ())
    }

    fn tree(&self) -> sled::Result<&sled::Db> {
        let closed = || sled::Error::Unsupported("the index is closed".to_owned());
        self.tree.as_ref().ok_or_else(closed)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // A panic here, perhaps in the middle of another one, would take the whole process down.
        let tree = self.tree.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(tree)));
    }
}

struct Keys {
    found: sled::Iter,
}

impl Iterator for Keys {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        step(|| self.found.next()).map(|found| found.map(|(key, _)| key.to_vec()))
    }
}

impl DoubleEndedIterator for Keys {
    fn next_back(&mut self) -> Option<Self::Item> {
        step(|| self.found.next_back()).map(|found| found.map(|(key, _)| key.to_vec()))
    }
}

/// Reads values, and keeps the journal file open that it read last.
pub(crate) struct Reader<'a> {
    journal: &'a Path,
    opened: Option<(PathBuf, File)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(journal: &'a Path) -> Self {
        Self {
            journal,
            opened: None,
        }
    }

    fn entry(&mut self, found: Result<(sled::IVec, sled::IVec), Error>) -> Result<Entry, Error> {
        let (key, stamped) = found?;
        let stored = unstamp(&key, &stamped);
        let value = self.value(&stored)?;
        Ok((stored.key, value))
    }

    /// A stored record's value, wherever it lies, held against its checksum.
    ///
    /// # Errors
    /// [`Error::Damaged`] and [`Error::Index`] where it is not what was written.
    pub(crate) fn value(&mut self, stored: &Stored) -> Result<Vec<u8>, Error> {
        let record = || Key::describe(&stored.key);
        match &stored.held {
            Held::Value(value) if stored.whole => Ok(value.clone()),
            Held::At(place) if place.len as usize <= MAX_VALUE => {
                let path = place.file(self.journal).path;
                let value = self.read(&path, place)?;
                let Stamp { seq, crc } = stored.stamp;
                if value
                    .as_ref()
                    .is_some_and(|value| record_crc(&stored.key, seq, Action::Put, value) == crc)
                {
                    return Ok(value.unwrap_or_default());
                }
                Err(Error::Damaged {
                    record: record(),
                    path,
                    offset: place.offset,
                })
            }
            _ => {
                let reason = format!("the checksum of {} is wrong", record());
                Err(Error::Index { reason })
            }
        }
    }

    /// The bytes at a place, or nothing where the file ends before them.
    fn read(&mut self, path: &Path, place: &Place) -> Result<Option<Vec<u8>>, Error> {
        let file = match self.opened.take() {
            Some((opened, file)) if opened == path => file,
            _ => File::open(path).map_err(Error::io("open", path))?,
        };
        let mut value = vec![0; place.len as usize];
        let read = file.read_exact_at(&mut value, place.offset);
        self.opened = Some((path.to_owned(), file));
        match read {
            Ok(()) => Ok(Some(value)),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }
}

/// sled tells of a held lock in words alone.
fn is_locked(reason: &str) -> bool {
    reason.contains("could not acquire lock")
}

fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::Index {
            reason: error.to_string(),
        }),
        Err(panic) => Err(Error::Index {
            reason: panic_text(panic.as_ref()),
        }),
    }
}

/// One step of an iterator that may panic or fail; a failure ends it.
fn step<T>(next: impl FnOnce() -> Option<sled::Result<T>>) -> Option<Result<T, Error>> {
    guarded(|| next().transpose()).transpose()
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("without a message"))
}

fn put_stamp(to: &mut Vec<u8>, stamp: Stamp) {
    to.extend_from_slice(&stamp.seq.to_le_bytes());
    to.extend_from_slice(&stamp.crc.to_le_bytes());
}

fn with_place(stamp: Stamp, place: Place) -> Result<Vec<u8>, Error> {
    let mut stamped = Vec::with_capacity(STAMP + 32);
    put_stamp(&mut stamped, stamp);
    stamped.push(PLACE);
    postcard::to_extend(&place, stamped).map_err(|error| Error::Index {
        reason: error.to_string(),
    })
}

fn replaced(key: &[u8], stamped: &[u8]) -> Replaced {
    let stored = unstamp(key, stamped);
    Replaced {
        seq: stored.stamp.seq,
        bytes: match stored.held {
            Held::Value(value) => value.len() as u64,
            Held::At(place) => u64::from(place.len),
        },
    }
}

fn unstamp(key: &[u8], stamped: &[u8]) -> Stored {
    let key = key.to_vec();
    let parts = stamped
        .split_first_chunk::<8>()
        .and_then(|(seq, rest)| Some((seq, rest.split_first_chunk::<4>()?)));
    let Some((seq, (crc, value))) = parts else {
        return Stored {
            key,
            stamp: Stamp { seq: 0, crc: 0 },
            held: Held::Value(Vec::new()),
            whole: false,
        };
    };
    let stamp = Stamp {
        seq: u64::from_le_bytes(*seq),
        crc: u32::from_le_bytes(*crc),
    };
    let place = value
        .split_first()
        .filter(|(first, _)| **first == PLACE)
        .and_then(|(_, place)| postcard::from_bytes(place).ok());
    let (held, whole) = match place {
        Some(place) => (Held::At(place), true),
        None => {
            let whole = record_crc(&key, stamp.seq, Action::Put, value) == stamp.crc;
            (Held::Value(value.to_vec()), whole)
        }
    };
    Stored {
        key,
        stamp,
        held,
        whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_is_being_closed_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let first = Index::open(dir.path(), dir.path(), 1 << 20).unwrap();
        let held = std::thread::scope(|scope| {
            let second = scope.spawn(|| Index::open(dir.path(), dir.path(), 1 << 20).map(|_| ()));
            // Dropped while the other one tries.
            drop(first);
            second.join().unwrap()
        });
        assert_eq!(held.map_err(|error| error.to_string()), Ok(()));
    }

    #[test]
    fn the_words_for_a_held_lock_are_those_that_sled_uses() {
        let dir = tempfile::tempdir().unwrap();
        let _held = sled::open(dir.path()).unwrap();
        let reason = sled::open(dir.path()).unwrap_err().to_string();
        assert!(is_locked(&reason), "{reason}");
    }
}
