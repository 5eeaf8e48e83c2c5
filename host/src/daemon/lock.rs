//! One daemon per state folder: a held lock, with its holder's description in the file.
//!
//! The system gives the lock back when its holder ends, however it ends; the file stays. So that a
//! file exists says nothing, and [`Lock::holder`] tells whether somebody holds it now.

use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Longer than any description; what else a file may hold is not read.
const MAX_TEXT: u64 = 16 * 1024;

/// How often, and how far apart, something is tried again that another process is in the middle of:
/// whoever asks for the holder has the lock for microseconds, whoever took it writes at once.
const ATTEMPTS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(5);

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Info {
    pub(crate) pid: u32,
    /// The program's version.
    pub(crate) version: String,
    /// The version of the protocol it speaks.
    pub(crate) protocol: u32,
    pub(crate) socket: PathBuf,
    /// Whether it lives inside a command, which it ends with.
    pub(crate) embedded: bool,
    pub(crate) started_unix_ms: u64,
}

/// Why the lock could not be taken, or its holder not be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error(
        "attune {} already runs for {} (process {}); use it, or end it with `attune daemon stop`",
        info.version, path.parent().unwrap_or(path).display(), info.pid
    )]
    Held { path: PathBuf, info: Box<Info> },
    #[error(
        "something holds the lock {} and does not say what it is; end it, for example after \
         `fuser {0}` told its process", path.display()
    )]
    HeldBySomething { path: PathBuf },
    #[error("cannot {doing} the lock {}: {why}; check who may write there, and that the disk is not full", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        why: io::Error,
    },
}

/// The lock, held until it is dropped or its process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    held: File,
}

impl Lock {
    /// Takes the lock at once, or says who holds it. Blocks for at most a fifth of a second.
    ///
    /// # Errors
    /// [`LockError::Held`] where another handle, of this process or another, has it.
    pub(crate) fn take(path: &Path, info: &Info) -> Result<Self, LockError> {
        for _ in 0..ATTEMPTS {
            // Not truncated on opening: until the lock is ours, the text is its holder's.
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
                .map_err(failed("open", path))?;
            match file.try_lock() {
                Ok(()) => {
                    let mut lock = Lock {
                        path: path.to_owned(),
                        held: file,
                    };
                    // Between opening and locking, somebody may have put another file in its place.
                    if lock.is_still_ours() {
                        lock.describe(info).map_err(failed("write", path))?;
                        return Ok(lock);
                    }
                }
                Err(TryLockError::WouldBlock) => match Self::holder(path)? {
                    Some(info) => {
                        let path = path.to_owned();
                        let info = Box::new(info);
                        return Err(LockError::Held { path, info });
                    }
                    // Only somebody who asked for the holder, as we just did.
                    None => sleep(BETWEEN),
                },
                Err(TryLockError::Error(error)) => return Err(failed("take", path)(error)),
            }
        }
        Err(LockError::HeldBySomething {
            path: path.to_owned(),
        })
    }

    /// Who holds the lock now; nobody where the file is missing or only left behind.
    ///
    /// # Errors
    /// Where the file cannot be read, or its holder does not say who it is.
    pub(crate) fn holder(path: &Path) -> Result<Option<Info>, LockError> {
        for _ in 0..ATTEMPTS {
            let file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed("open", path)(error)),
            };
            // Shared, so that those who ask do not take each other for holders.
            match file.try_lock_shared() {
                Ok(()) => return Ok(None),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed("ask for", path)(error)),
            }
            let mut text = String::new();
            let read = file.take(MAX_TEXT).read_to_string(&mut text);
            let line = text.lines().next().unwrap_or_default();
            match read.map(|_| serde_json::from_str(line)) {
                Ok(Ok(info)) => return Ok(Some(info)),
                // It is being written, or it is not ours.
                Ok(Err(_)) | Err(_) => sleep(BETWEEN),
            }
        }
        Err(LockError::HeldBySomething {
            path: path.to_owned(),
        })
    }

    /// Whether the locked file still lies where everybody looks for it. Where it was deleted or
    /// replaced, another daemon can start on the same state folder: this one should end.
    pub(crate) fn is_still_ours(&self) -> bool {
        match (self.held.metadata(), std::fs::metadata(&self.path)) {
            (Ok(held), Ok(there)) => held.dev() == there.dev() && held.ino() == there.ino(),
            _ => false,
        }
    }

    /// Holds it until the process has ended: whoever waits for the lock has then waited for all of
    /// it.
    pub(crate) fn keep_until_exit(self) {
        // The file stays open, and the kernel closes it last.
        std::mem::forget(self.held);
    }

    fn describe(&mut self, info: &Info) -> io::Result<()> {
        let mut text = serde_json::to_string(info)?;
        text.push('\n');
        // Written over the old one and then cut, so that there is a first line at any time.
        self.held.rewind()?;
        self.held.write_all(text.as_bytes())?;
        self.held.set_len(text.len() as u64)
    }
}

fn failed<'p>(doing: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> LockError + 'p {
    move |why| LockError::Io {
        doing,
        path: path.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    fn info(pid: u32) -> Info {
        Info {
            pid,
            version: "1.2.3".into(),
            protocol: 1,
            socket: "/run/attune.sock".into(),
            embedded: false,
            started_unix_ms: 7,
        }
    }

    #[test]
    fn one_holds_it_and_the_others_are_told_who() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.lock");
        assert_eq!(Lock::holder(&path).unwrap(), None, "no file");

        let lock = Lock::take(&path, &info(42)).unwrap();
        assert_eq!(Lock::holder(&path).unwrap(), Some(info(42)));
        let error = Lock::take(&path, &info(43)).unwrap_err();
        assert!(matches!(&error, LockError::Held { info: held, .. } if **held == info(42)));
        let told = error.to_string();
        assert!(
            told.contains("process 42") && told.contains("attune daemon stop"),
            "{told}"
        );

        drop(lock);
        assert!(path.exists());
        assert_eq!(
            Lock::holder(&path).unwrap(),
            None,
            "a file alone is no holder"
        );
        // A shorter description must not leave the end of a longer one.
        let mut short = info(1);
        short.version.clear();
        let _lock = Lock::take(&path, &short).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert_eq!(Lock::holder(&path).unwrap(), Some(short));
    }

    #[test]
    fn a_lock_that_was_deleted_or_replaced_is_no_longer_ours() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.lock");
        let lock = Lock::take(&path, &info(1)).unwrap();
        assert!(lock.is_still_ours());
        fs::remove_file(&path).unwrap();
        assert!(!lock.is_still_ours());

        let second = Lock::take(&path, &info(2)).unwrap();
        assert!(second.is_still_ours() && !lock.is_still_ours());
    }

    #[test]
    fn a_holder_without_a_description_is_still_a_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.lock");
        for text in ["", "{\"pid\":", "\u{0}\u{0}"] {
            fs::write(&path, text).unwrap();
            let file = File::open(&path).unwrap();
            file.lock().unwrap();
            for error in [
                Lock::holder(&path).unwrap_err(),
                Lock::take(&path, &info(1)).unwrap_err(),
            ] {
                assert!(
                    matches!(error, LockError::HeldBySomething { .. }),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn those_who_only_ask_keep_nobody_from_taking_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.lock");
        std::thread::scope(|scope| {
            let (done, over) = std::sync::mpsc::channel::<()>();
            let path = &path;
            scope.spawn(move || {
                while over.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                    Lock::holder(path).unwrap();
                }
            });
            for pid in 0..50 {
                drop(Lock::take(path, &info(pid)).unwrap());
            }
            drop(done);
        });
    }

    #[test]
    fn the_system_gives_the_lock_of_a_killed_process_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.lock");
        drop(Lock::take(&path, &info(9)).unwrap());

        let mut holder = Command::new("flock")
            .arg("--no-fork")
            .arg(&path)
            .args(["sh", "-c", "echo held; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = holder.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        assert_eq!(Lock::holder(&path).unwrap(), Some(info(9)));

        holder.kill().unwrap();
        holder.wait().unwrap();
        assert_eq!(Lock::holder(&path).unwrap(), None);
        Lock::take(&path, &info(10)).unwrap();
    }
}
