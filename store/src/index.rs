//! The index: the journal's records by key, for reading. The only file that names sled.
//!
//! sled is quick and survives being killed, but a damaged file can make it panic, or open with
//! records silently gone. So it is never believed: every value carries its sequence number and
//! checksum, every call is under `catch_unwind`, and whoever opens it compares it with the journal.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::journal::frame::{Action, record_crc};
use crate::key::Key;

const STAMP: usize = 12;

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

/// An entry as the index holds it, believed or not.
pub(crate) struct Stored {
    pub(crate) key: Vec<u8>,
    pub(crate) stamp: Stamp,
    pub(crate) value: Vec<u8>,
    /// Whether key and value are those the stamp was made for.
    pub(crate) whole: bool,
}

/// An open index.
pub(crate) struct Index {
    /// Always there until `drop` takes it.
    tree: Option<sled::Db>,
}

impl Index {
    /// Opens the index in `dir`, or starts an empty one there.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, Error> {
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
                opened => return opened.map(|tree| Self { tree: Some(tree) }),
            }
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Error> {
        let bytes = key.encode();
        let found = guarded(|| self.tree()?.get(&bytes))?;
        found
            .map(|stamped| believe(unstamp(&bytes, &stamped)))
            .transpose()
    }

    /// Stores a record; the answer is how many bytes of value it replaced, if any.
    pub(crate) fn insert(
        &self,
        key: &[u8],
        stamp: Stamp,
        value: &[u8],
    ) -> Result<Option<usize>, Error> {
        let mut stamped = Vec::with_capacity(STAMP + value.len());
        stamped.extend_from_slice(&stamp.seq.to_le_bytes());
        stamped.extend_from_slice(&stamp.crc.to_le_bytes());
        stamped.extend_from_slice(value);
        let before = guarded(|| self.tree()?.insert(key, stamped))?;
        Ok(before.map(|before| before.len().saturating_sub(STAMP)))
    }

    /// Removes a record; the answer is how many bytes of value it had, if it was there.
    pub(crate) fn remove(&self, key: &[u8]) -> Result<Option<usize>, Error> {
        let before = guarded(|| self.tree()?.remove(key))?;
        Ok(before.map(|before| before.len().saturating_sub(STAMP)))
    }

    /// The records of a key range in order.
    pub(crate) fn forwards(
        &self,
        keys: Range<Vec<u8>>,
    ) -> Result<impl Iterator<Item = Result<Entry, Error>>, Error> {
        let mut found = guarded(|| Ok(self.tree()?.range(keys)))?;
        Ok(std::iter::from_fn(move || step(|| found.next())).map(entry))
    }

    /// The records of a key range, the last first.
    pub(crate) fn backwards(
        &self,
        keys: Range<Vec<u8>>,
    ) -> Result<impl Iterator<Item = Result<Entry, Error>>, Error> {
        let mut found = guarded(|| Ok(self.tree()?.range(keys)))?;
        Ok(std::iter::from_fn(move || step(|| found.next_back())).map(entry))
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

fn entry(found: Result<(sled::IVec, sled::IVec), Error>) -> Result<Entry, Error> {
    let (key, stamped) = found?;
    let stored = unstamp(&key, &stamped);
    Ok((stored.key.clone(), believe(stored)?))
}

fn unstamp(key: &[u8], stamped: &[u8]) -> Stored {
    let parts = stamped
        .split_first_chunk::<8>()
        .and_then(|(seq, rest)| Some((seq, rest.split_first_chunk::<4>()?)));
    let Some((seq, (crc, value))) = parts else {
        let stamp = Stamp { seq: 0, crc: 0 };
        return Stored {
            key: key.to_vec(),
            stamp,
            value: Vec::new(),
            whole: false,
        };
    };
    let stamp = Stamp {
        seq: u64::from_le_bytes(*seq),
        crc: u32::from_le_bytes(*crc),
    };
    let whole = record_crc(key, stamp.seq, Action::Put, value) == stamp.crc;
    Stored {
        key: key.to_vec(),
        stamp,
        value: value.to_vec(),
        whole,
    }
}

fn believe(stored: Stored) -> Result<Vec<u8>, Error> {
    if stored.whole {
        return Ok(stored.value);
    }
    let reason = format!("the checksum of {} is wrong", Key::describe(&stored.key));
    Err(Error::Index { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_is_being_closed_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let first = Index::open(dir.path(), 1 << 20).unwrap();
        let held = std::thread::scope(|scope| {
            let second = scope.spawn(|| Index::open(dir.path(), 1 << 20).map(|_| ()));
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
