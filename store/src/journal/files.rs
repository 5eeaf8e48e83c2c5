//! The journal's folder: which files there are, and making changes to it durable.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::frame::{FILE_HEADER, FileKind, schema_of};
use crate::error::Error;

/// A journal file, known by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalFile {
    pub(crate) path: PathBuf,
    pub(crate) kind: FileKind,
    /// The first sequence number it covers.
    pub(crate) first: u64,
    /// A segment's first sequence number, a snapshot's last.
    pub(crate) seq: u64,
}

impl JournalFile {
    pub(crate) fn segment(dir: &Path, first: u64) -> Self {
        Self {
            path: dir.join(format!("segment-{first:020}.journal")),
            kind: FileKind::Segment,
            first,
            seq: first,
        }
    }

    pub(crate) fn snapshot(dir: &Path, first: u64, last: u64) -> Self {
        Self {
            path: dir.join(format!("snapshot-{first:020}-{last:020}.journal")),
            kind: FileKind::Snapshot,
            first,
            seq: last,
        }
    }

    fn from_path(path: PathBuf) -> Option<Self> {
        let stem = path.file_name()?.to_str()?.strip_suffix(".journal")?;
        let (kind, numbers) = stem.split_once('-')?;
        let (kind, first, seq) = match (kind, numbers.split_once('-')) {
            ("segment", None) => (FileKind::Segment, numbers, numbers),
            ("snapshot", Some((first, last))) => (FileKind::Snapshot, first, last),
            _ => return None,
        };
        Some(Self {
            kind,
            first: first.parse().ok()?,
            seq: seq.parse().ok()?,
            path,
        })
    }

    /// Whether all that `other`, a snapshot too, is made from, went into this snapshot.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.first <= other.first && other.seq <= self.seq
    }

    /// The schema that its header gives, if that is whole.
    pub(crate) fn schema(&self) -> Result<Option<u32>, Error> {
        let mut header = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(FILE_HEADER as u64).read_to_end(&mut header))
            .map_err(Error::io("read", &self.path))?;
        Ok(schema_of(&header))
    }

    pub(crate) fn bytes(&self) -> Result<u64, Error> {
        let metadata = fs::metadata(&self.path).map_err(Error::io("look at", &self.path))?;
        Ok(metadata.len())
    }
}

/// The journal files of a folder: snapshots, then segments, each in their order. A snapshot that
/// covers others comes before them.
pub(crate) fn list(dir: &Path) -> Result<Vec<JournalFile>, Error> {
    let entries = fs::read_dir(dir).map_err(Error::io("list", dir))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("list", dir))?.path();
        files.extend(JournalFile::from_path(path));
    }
    files.sort_by_key(|file| {
        let is_segment = file.kind == FileKind::Segment;
        (is_segment, file.first, std::cmp::Reverse(file.seq))
    });
    Ok(files)
}

/// Gives the snapshot of schema 1, which was one of everything, the name it has now.
pub(crate) fn rename_old_snapshots(dir: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(dir).map_err(Error::io("list", dir))?;
    for entry in entries {
        let path = entry.map_err(Error::io("list", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let last = name.and_then(|name| {
            name.strip_prefix("snapshot-")?
                .strip_suffix(".journal")?
                .parse()
                .ok()
        });
        if let Some(last) = last {
            let renamed = JournalFile::snapshot(dir, 1, last);
            fs::rename(&path, &renamed.path).map_err(Error::io("rename", &path))?;
            sync_dir(dir)?;
        }
    }
    Ok(())
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
