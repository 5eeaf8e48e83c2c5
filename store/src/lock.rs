//! One process per directory: a held file lock, with the holder's name in the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use crate::error::Error;

/// Longer than any sensible holder's description; what else the file may hold is not read.
const MAX_TEXT: u64 = 4096;

/// The lock, held until it is dropped or its process ends, however it ends.
pub(crate) struct DirLock {
    _held: File,
}

impl DirLock {
    /// Takes the lock of `dir` at once or not at all.
    ///
    /// # Errors
    /// [`Error::InUse`] naming the holder where another handle, of this process or another, has it.
    pub(crate) fn take(dir: &Path, holder: &str) -> Result<Self, Error> {
        let path = dir.join("lock");
        // Not truncated on opening: until the lock is ours, the text is its holder's.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // A holder that cannot be read is still a holder.
                let _ = file.take(MAX_TEXT).read_to_string(&mut text);
                let (pid, holder) = text.split_once('\n').unwrap_or((&text, ""));
                return Err(Error::InUse {
                    dir: dir.to_owned(),
                    pid: pid.trim().parse().ok(),
                    holder: holder.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(Error::io("lock", &path)(error));
            }
        }
        let text = format!("{}\n{holder}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(Error::io("write", &path))?;
        Ok(Self { _held: file })
    }
}
