//! Finding libraries without mapping any.

use crate::elf::{self, Exported};
use crate::library::{LibraryError, check_exported};
use crate::place::Place;
use crate::{LoadError, LoadReason, MAX_LIBRARIES, file};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file that changed less than this before it was looked at may change again without any sign:
/// the times of files are kept in ticks, on some network drives of seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// A library that was found, checked and copied, and of which no code has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it was found.
    pub path: PathBuf,
    /// The private copy, which is what gets mapped.
    pub copy: PathBuf,
    /// The BLAKE3 hash of its content, in hexadecimal: the plugin's build, as histories record it.
    pub hash: String,
    /// Whether it is, or lies in, a place that the user named.
    pub named: bool,
}

/// Finds libraries again and again, and reads only the files that changed in between.
#[derive(Debug)]
pub struct Scanner {
    cache: PathBuf,
    known: HashMap<PathBuf, Known>,
}

/// What was read of a file, and how the file and its copy looked then.
#[derive(Debug, Clone)]
struct Known {
    hash: String,
    copy: PathBuf,
    file_looked: Look,
    copy_looked: Look,
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    size: u64,
    modified: Option<SystemTime>,
    /// Device, inode, and the time of the last change of any kind, which no program can set back.
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

/// Finds every plugin in these places without mapping any: a file is taken as it is, a folder is
/// searched (not below) for shared libraries.
///
/// The same as [`Scanner::scan`] of a scanner that knows nothing yet.
pub fn scan(places: &[Place], cache: &Path) -> (Vec<Candidate>, Vec<LoadError>) {
    Scanner::new(cache).scan(places)
}

impl Scanner {
    /// A scanner that keeps private copies in the folder `cache`, made where it is missing.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Scanner {
            cache: cache.into(),
            known: HashMap::new(),
        }
    }

    /// Finds every plugin in these places without mapping any.
    ///
    /// The candidates come in the order of places, and by name within a folder; one content found
    /// twice is one candidate. Other libraries, cut ones and those of another ABI are refused by what
    /// their files hold; what fails is reported and does not keep the others from being found.
    ///
    /// The private copies of all candidates are kept for at least 29 days more. Whoever refers to one
    /// for longer scans again in between.
    pub fn scan(&mut self, places: &[Place]) -> (Vec<Candidate>, Vec<LoadError>) {
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut errors = Vec::new();
        // Only what is found this time stays known, so that this cannot grow for ever.
        let before = std::mem::take(&mut self.known);
        let found = places.iter().flat_map(|place| {
            let named = place.is_named();
            place.libraries().into_iter().map(move |path| (path, named))
        });
        for (path, named) in found {
            let result = if candidates.len() < MAX_LIBRARIES {
                self.check(&path, before.get(&path))
            } else {
                Err(LoadReason::TooMany)
            };
            match result {
                Ok((hash, copy)) => {
                    // The same content found twice, say in two search folders, is one plugin.
                    match candidates.iter_mut().find(|other| other.hash == hash) {
                        Some(other) => other.named |= named,
                        None => candidates.push(Candidate {
                            path,
                            copy,
                            hash,
                            named,
                        }),
                    }
                }
                Err(reason) => {
                    let enough = matches!(reason, LoadReason::TooMany);
                    errors.push(LoadError {
                        path,
                        named,
                        reason,
                    });
                    if enough {
                        break;
                    }
                }
            }
        }
        // Last, so that nothing that was just returned is old.
        file::remove_old_copies(&self.cache);
        (candidates, errors)
    }

    /// The hash and the private copy of a library that passes every check.
    fn check(
        &mut self,
        path: &Path,
        before: Option<&Known>,
    ) -> Result<(String, PathBuf), LoadReason> {
        // The look comes before the content: what changes in between differs from it next time.
        let looked = Look::at(path);
        let unchanged = before.filter(|known| {
            looked.as_ref() == Some(&known.file_looked)
                && Look::at(&known.copy).as_ref() == Some(&known.copy_looked)
        });
        let (hash, copy) = match unchanged {
            Some(known) => (known.hash.clone(), known.copy.clone()),
            None => check_and_copy(path, &self.cache)?,
        };
        file::mark_used(&copy);
        if let (Some(file_looked), Some(copy_looked)) = (looked, Look::at(&copy))
            && file_looked.is_older_than(SETTLED)
        {
            let known = Known {
                hash: hash.clone(),
                copy: copy.clone(),
                file_looked,
                copy_looked,
            };
            self.known.insert(path.to_owned(), known);
        }
        Ok((hash, copy))
    }
}

fn check_and_copy(path: &Path, cache: &Path) -> Result<(String, PathBuf), LoadReason> {
    let bytes = file::read(path)?;
    match elf::inspect(&bytes)? {
        Exported::Handshake(handshake) => check_exported(&handshake)?,
        Exported::Nothing => return Err(LibraryError::NotAPlugin.into()),
        #[cfg(not(target_os = "linux"))]
        Exported::Unknown => {}
    }
    let hash = file::hash(&bytes);
    let copy = file::copy(&bytes, &hash, cache)?;
    Ok((hash, copy))
}

impl Look {
    fn at(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path).ok()?;
        Some(Look {
            size: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            identity: (
                metadata.dev(),
                metadata.ino(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ),
        })
    }

    /// Whether the last change lies that far back; never where its time is unknown or to come.
    fn is_older_than(&self, age: Duration) -> bool {
        let changed = self.last_change();
        changed.is_some_and(|at| {
            let since = SystemTime::now().duration_since(at);
            since.is_ok_and(|since| since >= age)
        })
    }

    #[cfg(unix)]
    fn last_change(&self) -> Option<SystemTime> {
        let (_, _, seconds, _) = self.identity;
        // Seconds are fine enough here, and rounded up they err on the side of reading again.
        let changed = u64::try_from(seconds).ok()?.saturating_add(1);
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(changed))
    }

    #[cfg(not(unix))]
    fn last_change(&self) -> Option<SystemTime> {
        self.modified
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    /// A file that is no plugin and that a scanner nevertheless remembers as one: asked again it says
    /// so as long as it does not read the file.
    fn remembered(folder: &Path) -> (PathBuf, Known) {
        let (path, copy) = (folder.join("file.so"), folder.join("copy.so"));
        fs::write(&path, "no plugin").unwrap();
        fs::write(&copy, "its copy").unwrap();
        let known = Known {
            hash: "hash".into(),
            file_looked: Look::at(&path).unwrap(),
            copy_looked: Look::at(&copy).unwrap(),
            copy,
        };
        (path, known)
    }

    #[test]
    fn a_file_is_read_again_only_when_it_or_its_copy_changed() {
        type Change = fn(&Path, &Path);
        let changes: [(Change, bool); 6] = [
            (|_, _| {}, false),
            (|file, _| fs::write(file, "no plugin at all").unwrap(), true),
            (
                |file, copy| {
                    let other = copy.with_extension("other");
                    fs::write(&other, "no plugin").unwrap();
                    fs::rename(other, file).unwrap();
                },
                true,
            ),
            (|file, _| fs::remove_file(file).unwrap(), true),
            (|_, copy| fs::remove_file(copy).unwrap(), true),
            (|_, copy| fs::write(copy, "cut").unwrap(), true),
        ];
        for (index, (change, read)) in changes.into_iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let (path, known) = remembered(folder.path());
            change(&path, &known.copy);
            let result = Scanner::new(folder.path()).check(&path, Some(&known));
            assert_eq!(result.is_err(), read, "change {index}: {result:?}");
        }
    }

    #[test]
    fn a_file_that_changed_just_now_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut known) = remembered(folder.path());
        let seconds_ago = |seconds: i64| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.unwrap().as_secs().cast_signed() - seconds
        };
        for (changed, old) in [(0, false), (1, false), (5, true), (-60, false)] {
            known.file_looked.identity.2 = seconds_ago(changed);
            let found = known.file_looked.is_older_than(SETTLED);
            assert_eq!(found, old, "{changed} seconds ago");
        }
        let known = Known {
            file_looked: Look::at(&path).unwrap(),
            ..known
        };
        let mut scanner = Scanner::new(folder.path());
        scanner.check(&path, Some(&known)).unwrap();
        assert!(scanner.known.is_empty());
    }
}
