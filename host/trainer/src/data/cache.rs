//! Prepared datasets as files, which workers map into memory instead of each holding a copy.
//!
//! A file has a magic number, the BLAKE3 hash of all that follows, the length of a card in JSON, the
//! card, zeros up to a multiple of four, and then the numbers of the three parts and their targets in
//! the machine's own order of bytes. Its name is the hash of what it was made from.

use super::column::ColumnReport;
use super::error::DataError;
use super::images::Size;
use super::preprocess::{Features, Preprocessor};
use super::target::Task;
use super::{DataOptions, Dataset, Samples, Targets};
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Another form of the file has another number; and so has a machine with another order of bytes.
const MAGIC: u64 = u64::from_le_bytes(*b"attunD01");
/// Where the card begins: after the magic number, the hash and the card's length.
const HEAD: usize = 8 + 32 + 8;

/// What a file tells beside its numbers.
#[derive(Serialize, Deserialize)]
struct Card {
    /// The hash of what it was made from, which its name tells too.
    key: String,
    target: String,
    task: Task,
    preprocessor: Preprocessor,
    report: Vec<ColumnReport>,
    notes: Vec<String>,
    fingerprint: u32,
    rows: [usize; 3],
}

/// Numbers in a mapped file.
#[derive(Debug, Clone)]
pub(crate) struct Mapped {
    map: Arc<Mmap>,
    /// Bytes that are aligned for, and a multiple of, `f32`.
    at: Range<usize>,
}

impl Mapped {
    fn new(map: &Arc<Mmap>, at: Range<usize>) -> Option<Mapped> {
        bytemuck::try_cast_slice::<u8, f32>(map.get(at.clone())?).ok()?;
        Some(Mapped {
            map: Arc::clone(map),
            at,
        })
    }

    pub(crate) fn numbers(&self) -> &[f32] {
        // It was possible before, so it is now.
        bytemuck::try_cast_slice(&self.map[self.at.clone()]).unwrap_or_default()
    }
}

impl Dataset {
    /// The dataset that `prepare` makes of data with this hash, these options and this size: from a
    /// file in the folder where there is one, whose pages all workers share. Where there is none, or
    /// it is damaged, it is made and written anew; and where it cannot be written, it is held in
    /// memory.
    ///
    /// # Errors
    /// As `prepare`.
    pub fn cached(
        folder: &Path,
        data_hash: &str,
        options: &DataOptions,
        size: Option<Size>,
        prepare: impl FnOnce() -> Result<Dataset, DataError>,
    ) -> Result<Dataset, DataError> {
        let Some(key) = key(data_hash, options, size) else {
            return prepare();
        };
        let path = folder.join(format!("{key}.data"));
        if let Ok(dataset) = open(&path, &key) {
            return Ok(dataset);
        }
        let dataset = prepare()?;
        match write(&path, &key, &dataset).and_then(|()| open(&path, &key)) {
            Ok(mapped) => Ok(mapped),
            Err(_) => Ok(dataset),
        }
    }
}

fn key(data_hash: &str, options: &DataOptions, size: Option<Size>) -> Option<String> {
    let version = env!("CARGO_PKG_VERSION");
    let made_from = serde_json::to_vec(&(MAGIC, version, data_hash, options, size)).ok()?;
    Some(blake3::hash(&made_from).to_hex().to_string())
}

/// Writes the file beside its place and moves it there when it is whole and on disk.
fn write(path: &Path, key: &str, dataset: &Dataset) -> io::Result<()> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("{}-{number}.part", std::process::id()));
    let written = write_whole(&aside, key, dataset).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        // Nothing more can be done about a leftover than to try.
        let _ = fs::remove_file(&aside);
    }
    written
}

fn write_whole(path: &PathBuf, key: &str, dataset: &Dataset) -> io::Result<()> {
    let parts = [&dataset.train, &dataset.valid, &dataset.test];
    let card = serde_json::to_vec(&Card {
        key: key.into(),
        target: dataset.target.clone(),
        task: dataset.task.clone(),
        preprocessor: dataset.preprocessor.clone(),
        report: dataset.report.clone(),
        notes: dataset.notes.clone(),
        fingerprint: dataset.fingerprint,
        rows: parts.map(Samples::rows),
    })?;
    let mut file = BufWriter::new(File::create_new(path)?);
    let mut hasher = blake3::Hasher::new();
    file.write_all(&[0; HEAD - 8])?;
    let mut put = |bytes: &[u8]| {
        hasher.update(bytes);
        file.write_all(bytes)
    };
    put(&(card.len() as u64).to_ne_bytes())?;
    put(&card)?;
    put(&[0; 4][..padding(HEAD + card.len())])?;
    for part in parts {
        put(bytemuck::cast_slice(part.features.data()))?;
    }
    for part in parts {
        match &part.targets {
            Targets::Classes(labels) => put(bytemuck::cast_slice(labels))?,
            Targets::Numbers(numbers) => put(bytemuck::cast_slice(numbers))?,
            // Texts are not shared: whoever asks holds one in memory.
            Targets::Following => return Err(io::ErrorKind::Unsupported.into()),
        }
    }
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&MAGIC.to_ne_bytes())?;
    file.write_all(hasher.finalize().as_bytes())?;
    let file = file.into_inner()?;
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)?;
    file.sync_all()
}

fn padding(length: usize) -> usize {
    length.next_multiple_of(size_of::<f32>()) - length
}

fn open(path: &Path, key: &str) -> io::Result<Dataset> {
    let file = File::open(path)?;
    let map = Arc::new(map(&file)?);
    read(&map, key).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Maps a file that nobody writes to.
#[allow(unsafe_code)] // The only one in the trainer.
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: what is mapped must not change, nor be cut short, while it is. A file of this cache is
    // written once under another name, made read-only, synced and then renamed into its place;
    // nothing in this program opens it for writing after that, and replacing or removing it leaves
    // the mapped one as it was. What was damaged before is found by its hash before use.
    unsafe { Mmap::map(file) }
}

/// The dataset in a file, if it is whole and the one that is meant.
fn read(map: &Arc<Mmap>, key: &str) -> Option<Dataset> {
    let (head, rest) = map.split_at_checked(HEAD - 8)?;
    let (magic, hash) = head.split_at_checked(8)?;
    if magic != MAGIC.to_ne_bytes() || blake3::hash(rest).as_bytes() != hash {
        return None;
    }
    let length = u64::from_ne_bytes(rest.get(..8)?.try_into().ok()?);
    let end = HEAD.checked_add(usize::try_from(length).ok()?)?;
    let card: Card = serde_json::from_slice(map.get(HEAD..end)?).ok()?;
    if card.key != key {
        return None;
    }
    let width = card.preprocessor.width();
    let mut at = end.checked_add(padding(end))?;
    let mut next = |numbers: usize| -> Option<Range<usize>> {
        let start = at;
        at = start.checked_add(numbers.checked_mul(size_of::<f32>())?)?;
        (at <= map.len()).then_some(start..at)
    };
    let mut features = Vec::with_capacity(3);
    for rows in card.rows {
        let mapped = Mapped::new(map, next(rows.checked_mul(width)?)?)?;
        features.push(Features::of_mapped(width, rows, mapped));
    }
    let mut targets = Vec::with_capacity(3);
    for rows in card.rows {
        let bytes = map.get(next(rows)?)?;
        targets.push(match &card.task {
            Task::Regression { .. } => {
                Targets::Numbers(bytemuck::try_cast_slice(bytes).ok()?.to_vec())
            }
            Task::Classification { classes } => {
                let labels: Vec<u32> = bytemuck::try_cast_slice(bytes).ok()?.to_vec();
                if labels.iter().any(|&label| label as usize >= classes.len()) {
                    return None;
                }
                Targets::Classes(labels)
            }
            Task::Text { .. } => return None,
        });
    }
    if at != map.len() {
        return None;
    }
    let mut parts = features
        .into_iter()
        .zip(targets)
        .map(|(features, targets)| Samples { features, targets });
    Some(Dataset {
        train: parts.next()?,
        valid: parts.next()?,
        test: parts.next()?,
        target: card.target,
        task: card.task,
        preprocessor: card.preprocessor,
        report: card.report,
        notes: card.notes,
        fingerprint: card.fingerprint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Table;
    use proptest::prelude::*;
    use std::cell::Cell;

    fn prepared(task: &str) -> Dataset {
        let mut text = String::from("a,b,y,z\n");
        for row in 0..40 {
            let (a, y) = ((row as f64 * 0.3).sin(), ["cat", "dog"][row % 2]);
            text += &format!("{a},{},{y},{}\n", ["", "x", "é"][row % 3], row * row);
        }
        let table = Table::parse("t.csv", text.as_bytes()).unwrap();
        Dataset::prepare(&table, &DataOptions::of_target(task)).unwrap()
    }

    /// The dataset, and whether it had to be made.
    fn cached(folder: &Path, target: &str, hash: &str) -> (Dataset, bool) {
        let made = Cell::new(false);
        let options = DataOptions::of_target(target);
        let dataset = Dataset::cached(folder, hash, &options, None, || {
            made.set(true);
            Ok(prepared(target))
        });
        (dataset.unwrap(), made.get())
    }

    #[test]
    fn what_was_made_once_is_shared() {
        let dir = tempfile::tempdir().unwrap();
        for target in ["y", "z"] {
            assert_eq!(cached(dir.path(), target, "1"), (prepared(target), true));
            assert_eq!(cached(dir.path(), target, "1"), (prepared(target), false));
            assert_eq!(cached(dir.path(), target, "2"), (prepared(target), true));
        }
        let names = fs::read_dir(dir.path()).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        // A folder that is not there takes nothing away but the sharing.
        let nowhere = dir.path().join("none");
        assert_eq!(cached(&nowhere, "y", "1"), (prepared("y"), true));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_damaged_or_foreign_file_is_made_anew(
            at in any::<usize>(),
            bit in 0..8,
            cut in prop::option::of(any::<usize>()),
        ) {
            let dir = tempfile::tempdir().unwrap();
            drop(cached(dir.path(), "y", "1"));
            let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1_u8 << bit;
            bytes.truncate(cut.map_or(bytes.len(), |cut| cut % bytes.len()));
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
            prop_assert_eq!(cached(dir.path(), "y", "1"), (prepared("y"), true));
            prop_assert_eq!(cached(dir.path(), "y", "1"), (prepared("y"), false));
        }
    }
}
