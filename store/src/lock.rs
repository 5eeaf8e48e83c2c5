//! One process per directory: a held file lock, with the holder's name in the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;

/// Longer than any sensible holder's description; what else the file may hold is not read.
const MAX_TEXT: u64 = 4096;

/// How long a lock that this very process held is waited for. A child that was being started while
/// it was let go of has it, too, until it runs its own program.
const LET_GO: Duration = Duration::from_millis(200);

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
        let deadline = Instant::now() + LET_GO;
        match wait_for_own(&mut file, deadline) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let (pid, holder) = holder_of(&mut file);
                let dir = dir.to_owned();
                return Err(Error::InUse { dir, pid, holder });
            }
            Err(TryLockError::Error(error)) => {
                return Err(Error::io("lock", &path)(error));
            }
        }
        let text = format!("{}\n{holder}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(Error::io("write", &path))?;
        Ok(Self { _held: file })
    }
}

/// Takes the lock, waiting for it only if it was this process that had it.
fn wait_for_own(file: &mut File, deadline: Instant) -> Result<(), TryLockError> {
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock)
                if Instant::now() < deadline && holder_of(file).0 == Some(std::process::id()) =>
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            taken => return taken,
        }
    }
}

/// Who has the lock, as far as the file says. A holder that cannot be read is still a holder.
fn holder_of(file: &mut File) -> (Option<u32>, String) {
    let mut text = String::new();
    let _ = file.rewind();
    let _ = file.take(MAX_TEXT).read_to_string(&mut text);
    let (pid, holder) = text.split_once('\n').unwrap_or((&text, ""));
    (pid.trim().parse().ok(), holder.trim().to_owned())
}
