//! The journal's folder: which files there are, and making changes to it durable.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::frame::FileKind;
use crate::error::Error;

/// A journal file, known by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalFile {
    pub(crate) path: PathBuf,
    pub(crate) kind: FileKind,
    /// A segment's first sequence number, a snapshot's last.
    pub(crate) seq: u64,
}

impl JournalFile {
    pub(crate) fn new(dir: &Path, kind: FileKind, seq: u64) -> Self {
        let path = dir.join(format!("{}-{seq:020}.journal", word(kind)));
        Self { path, kind, seq }
    }

    fn from_path(path: PathBuf) -> Option<Self> {
        let stem = path.file_name()?.to_str()?.strip_suffix(".journal")?;
        let (kind, seq) = stem.split_once('-')?;
        let kind = [FileKind::Segment, FileKind::Snapshot]
            .into_iter()
            .find(|k| word(*k) == kind)?;
        Some(Self {
            kind,
            seq: seq.parse().ok()?,
            path,
        })
    }

    pub(crate) fn bytes(&self) -> Result<u64, Error> {
        let metadata = fs::metadata(&self.path).map_err(Error::io("look at", &self.path))?;
        Ok(metadata.len())
    }
}

/// The journal files of a folder: snapshots, then segments, each in their order.
pub(crate) fn list(dir: &Path) -> Result<Vec<JournalFile>, Error> {
    let entries = fs::read_dir(dir).map_err(Error::io("list", dir))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("list", dir))?.path();
        files.extend(JournalFile::from_path(path));
    }
    files.sort_by_key(|file| (file.kind == FileKind::Segment, file.seq));
    Ok(files)
}

/// Removes files in the order given, each removal before the next. Files already gone are fine.
pub(crate) fn remove(files: &[JournalFile]) -> Result<(), Error> {
    for file in files {
        match fs::remove_file(&file.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &file.path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes creations, renames and removals in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::io("sync", dir))
}

fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Segment => "segment",
        FileKind::Snapshot => "snapshot",
    }
}
