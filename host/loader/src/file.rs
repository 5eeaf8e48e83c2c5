//! Reading a library's file within bounds, and the private copy that is loaded instead.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// No plugin comes near this; a larger file is a mistake, and reading it would be one too.
const MAX_BYTES: u64 = 256 << 20;

/// Private copies are kept this long after the last scan that returned them: every build of a plugin
/// makes another.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A copy that is used is marked so at most this often.
const MARKED_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Why a file cannot be a plugin.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{0}; check the path and its permissions")]
    Unreadable(#[source] io::Error),
    /// It is empty or too large.
    #[error("it is {0} bytes long; a plugin is a shared library of at most {MAX_BYTES} bytes")]
    Size(u64),
    /// It is no shared library of this platform.
    #[error(
        "it is not a shared library for this platform ({0}); give the path of a library that was \
         built with `crate-type = [\"cdylib\"]`"
    )]
    NotALibrary(String),
    /// Its end is missing.
    #[error(
        "it is cut off: its headers speak of {needed} bytes, it has {found}; build or copy it \
         again"
    )]
    Truncated {
        /// Where the last part that the headers name ends.
        needed: u64,
        /// How long the file is.
        found: u64,
    },
    /// The private copy could not be made.
    #[error("no private copy could be written to {}: {source}", path.display())]
    Copy {
        /// Where it should have gone.
        path: PathBuf,
        /// Why it did not.
        source: io::Error,
    },
}

/// The whole file, where it is not too large.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(FileError::Unreadable)?;
    let size = file.metadata().map_err(FileError::Unreadable)?.len();
    if size == 0 || size > MAX_BYTES {
        return Err(FileError::Size(size));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    // It may grow while it is read.
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::Unreadable)?;
    match bytes.len() as u64 {
        read if read == 0 || read > MAX_BYTES => Err(FileError::Size(read)),
        _ => Ok(bytes),
    }
}

/// The name of a content.
pub(crate) fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Makes the private copy of a content, where it is not there or damaged, and gives its path.
pub(crate) fn copy(bytes: &[u8], hash: &str, cache: &Path) -> Result<PathBuf, FileError> {
    let path = copy_of(hash, cache);
    if !holds(&path, bytes) {
        write_aside(&path, bytes).map_err(|source| FileError::Copy {
            path: path.clone(),
            source,
        })?;
    }
    Ok(path)
}

/// Where the private copy of the library with this hash lies in a cache.
pub fn copy_of(hash: &str, cache: &Path) -> PathBuf {
    cache.join(format!("{hash}{}", std::env::consts::DLL_SUFFIX))
}

/// Keeps a private copy from being removed as an old one, for 29 days from now at least.
pub fn mark_used(copy: &Path) {
    let now = SystemTime::now();
    let marked = fs::metadata(copy).and_then(|metadata| metadata.modified());
    let recently = marked.is_ok_and(|at| now.duration_since(at).unwrap_or_default() < MARKED_EVERY);
    if !recently {
        // Where that fails the copy is made again by the next scan after its removal.
        let _ = File::open(copy).and_then(|file| file.set_modified(now));
    }
}

/// Removes private copies that no scan has returned for long. One that is mapped somewhere stays
/// mapped, and is made again by the next scan that finds its library.
pub(crate) fn remove_old_copies(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else {
        return;
    };
    let old = |entry: &fs::DirEntry| {
        let marked = entry.metadata().and_then(|metadata| metadata.modified());
        marked.is_ok_and(|marked| {
            let age = SystemTime::now().duration_since(marked);
            age.is_ok_and(|age| age > KEPT)
        })
    };
    for entry in entries.filter_map(Result::ok).filter(old) {
        // What cannot be removed costs space and nothing else.
        let _ = fs::remove_file(entry.path());
    }
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    let long = fs::metadata(path).is_ok_and(|there| there.len() == bytes.len() as u64);
    long && fs::read(path).is_ok_and(|there| there == bytes)
}

/// Written under another name and renamed, so that no other process ever maps half a copy.
fn write_aside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    static COPIES: AtomicU64 = AtomicU64::new(0);
    let copy = COPIES.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("{}-{copy}.part", std::process::id()));
    let written = File::create(&aside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    });
    if written.is_err() {
        // On a full disk half a copy would make things worse.
        let _ = fs::remove_file(&aside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(path: &Path, age: Duration) {
        let file = File::open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn a_damaged_copy_is_written_again() {
        let cache = tempfile::tempdir().unwrap();
        let path = copy(b"content", "name", cache.path()).unwrap();
        for damage in [&b"shorter"[..3], b"kontent", b"content and more"] {
            fs::write(&path, damage).unwrap();
            assert_eq!(copy(b"content", "name", cache.path()).unwrap(), path);
            assert_eq!(fs::read(&path).unwrap(), b"content");
        }
        let left = fs::read_dir(cache.path()).unwrap().count();
        assert_eq!(left, 1, "something was left aside");
    }

    #[test]
    fn a_copy_that_is_used_outlives_one_that_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let used = copy(b"used", "used", cache.path()).unwrap();
        let unused = copy(b"unused", "unused", cache.path()).unwrap();
        for path in [&used, &unused] {
            age(path, KEPT + MARKED_EVERY);
        }
        mark_used(&used);
        remove_old_copies(cache.path());
        assert!(used.exists() && !unused.exists());
    }

    #[test]
    fn a_copy_that_was_marked_today_is_left_alone() {
        let cache = tempfile::tempdir().unwrap();
        let path = copy(b"used", "used", cache.path()).unwrap();
        age(&path, MARKED_EVERY / 2);
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        mark_used(&path);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn a_copy_that_cannot_be_written_is_named() {
        let cache = tempfile::tempdir().unwrap();
        let file = cache.path().join("file");
        fs::write(&file, "in the way").unwrap();
        let error = copy(b"content", "name", &file.join("below")).unwrap_err();
        assert!(error.to_string().contains("below/name"), "{error}");
    }
}
