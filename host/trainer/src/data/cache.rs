//! Prepared datasets as files, which workers map into memory instead of each holding a copy.
//!
//! A file has a magic number, the BLAKE3 hash of all that follows, the length of a card in JSON, the
//! card, zeros up to a multiple of four, and then the numbers of the three parts, their targets, and
//! their groups where metrics compare such, in the machine's own order of bytes. Its name is the hash
//! of what it was made from.

use super::column::ColumnReport;
use super::features::Features;
use super::preprocess::Preprocessor;
use super::protected::Protected;
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
use std::time::SystemTime;

/// Another form of the file has another number; and so has a machine with another order of bytes.
const MAGIC: u64 = u64::from_le_bytes(*b"attunD03");
/// A dataset of fewer numbers is held by each worker: a file would cost more than it spares.
const WORTH_SHARING: usize = 1 << 18;
/// The most that a folder of datasets may weigh, in bytes; those that were longest not used go.
const MOST_BYTES: u64 = 4 << 30;
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protected: Option<Protected>,
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
    /// The dataset that `prepare` makes of data with this hash and these options: from a file in the
    /// folder where there is one, whose pages all workers share. Where there is none, or it is
    /// damaged, it is made and, if it is large, written anew; and where it cannot be written, it is
    /// held in memory.
    ///
    /// # Errors
    /// As `prepare`.
    pub fn cached<E>(
        folder: &Path,
        data_hash: &str,
        options: &DataOptions,
        prepare: impl FnOnce() -> Result<Dataset, E>,
    ) -> Result<Dataset, E> {
        let Some(key) = key(data_hash, options) else {
            return prepare();
        };
        let path = folder.join(format!("{key}.data"));
        match open(&path, &key) {
            Ok(dataset) => return Ok(dataset),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                // Where it stays, this one is held in memory.
                let _ = fs::remove_file(&path);
            }
            Err(_) => {}
        }
        let dataset = prepare()?;
        // A text is small beside what is made of tables, and has no place in such a file.
        let numbers = |part: &Samples| match part.targets {
            Targets::Following => 0,
            Targets::Classes(_) | Targets::Numbers(_) => part.features.data().len(),
        };
        let parts = [&dataset.train, &dataset.valid, &dataset.test];
        if parts.map(numbers).iter().sum::<usize>() < WORTH_SHARING {
            return Ok(dataset);
        }
        let written = write(&path, &key, &dataset);
        // What is left over from another time must not fill the disk.
        sweep(folder, &path, MOST_BYTES);
        match written.and_then(|()| open(&path, &key)) {
            Ok(mapped) => Ok(mapped),
            Err(_) => Ok(dataset),
        }
    }
}

fn key(data_hash: &str, options: &DataOptions) -> Option<String> {
    let version = env!("CARGO_PKG_VERSION");
    let made_from = serde_json::to_vec(&(MAGIC, version, data_hash, options)).ok()?;
    Some(blake3::hash(&made_from).to_hex().to_string())
}

/// Writes the file beside its place and puts it there when it is whole and on disk. Where another
/// worker was quicker, its file stays, so that both have the same one.
fn write(path: &Path, key: &str, dataset: &Dataset) -> io::Result<()> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("{}-{number}.part", std::process::id()));
    let put = || match fs::hard_link(&aside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        put => put,
    };
    let written = write_whole(&aside, key, dataset).and_then(|()| put());
    // Nothing more can be done about a leftover than to try.
    let _ = fs::remove_file(&aside);
    written
}

/// Removes the files that were not used for the longest, until those that are left weigh no more than
/// `most` bytes. Whoever has one mapped keeps it.
fn sweep(folder: &Path, spared: &Path, most: u64) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            Some((meta.modified().ok()?, meta.len(), entry.path()))
        })
        .collect();
    files.sort_unstable();
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, own, path) in files {
        if bytes > most && path != spared && fs::remove_file(path).is_ok() {
            bytes = bytes.saturating_sub(own);
        }
    }
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
        protected: dataset.protected.clone(),
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
            Targets::Following => return Err(io::ErrorKind::Unsupported.into()),
        }
    }
    for groups in parts.iter().filter_map(|part| part.groups.as_deref()) {
        put(bytemuck::cast_slice(groups))?;
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
    // When it was used last; where that cannot be noted it only goes earlier.
    let _ = file.set_modified(SystemTime::now());
    let map = Arc::new(map(&file)?);
    read(&map, key).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Maps a file that nobody writes to.
#[expect(unsafe_code, reason = "a mapping is only as safe as its file")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: what is mapped must not change, nor be cut short, while it is. A file of this cache is
    // written once under another name, made read-only, synced and then linked to its place;
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
            Task::Classification { classes } => Targets::Classes(places(bytes, classes.len())?),
            Task::Text { .. } => return None,
        });
    }
    let mut groups = Vec::with_capacity(3);
    for rows in card.rows {
        groups.push(match &card.protected {
            Some(protected) => Some(places(map.get(next(rows)?)?, protected.groups.len())?),
            None => None,
        });
    }
    if at != map.len() {
        return None;
    }
    let mut parts =
        features
            .into_iter()
            .zip(targets)
            .zip(groups)
            .map(|((features, targets), groups)| Samples {
                features,
                targets,
                groups,
            });
    Some(Dataset {
        train: parts.next()?,
        valid: parts.next()?,
        test: parts.next()?,
        target: card.target,
        task: card.task,
        preprocessor: card.preprocessor,
        report: card.report,
        notes: card.notes,
        protected: card.protected,
        fingerprint: card.fingerprint,
    })
}

/// Numbers that are all places among so many.
fn places(bytes: &[u8], count: usize) -> Option<Vec<u32>> {
    let places: &[u32] = bytemuck::try_cast_slice(bytes).ok()?;
    let fit = places.iter().all(|&place| (place as usize) < count);
    fit.then(|| places.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataError, Table};
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::sync::LazyLock;

    fn prepared(target: &str) -> Dataset {
        static MADE: LazyLock<[Dataset; 2]> = LazyLock::new(|| ["y", "z"].map(prepare));
        MADE[usize::from(target == "z")].clone()
    }

    fn prepare(target: &str) -> Dataset {
        let mut text = String::from("a,b,c,y,z\n");
        for row in 0..WORTH_SHARING / 4 {
            let (a, y) = ((row as f64 * 0.3).sin(), ["cat", "dog"][row % 2]);
            let z = row % 1000;
            let (b, c) = (["", "x", "é"][row % 3], row % 5 % 2);
            text += &format!("{a:.3},{b},{c},{y},{}\n", z * z);
        }
        let table = Table::parse("t.csv", text.as_bytes()).unwrap();
        Dataset::prepare(&table, &options(target)).unwrap()
    }

    /// Of one target groups are compared.
    fn options(target: &str) -> DataOptions {
        DataOptions {
            protected: (target == "y").then(|| "c".into()),
            ..DataOptions::of_target(target)
        }
    }

    /// The dataset, and whether it had to be made.
    fn cached(folder: &Path, target: &str, hash: &str) -> (Dataset, bool) {
        let made = Cell::new(false);
        let dataset = Dataset::cached(folder, hash, &options(target), || {
            made.set(true);
            Ok::<_, DataError>(prepared(target))
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

    #[test]
    fn those_that_were_longest_not_used_go() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["a", "b", "c", "d"];
        for (age, name) in names.iter().enumerate() {
            let path = dir.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let used = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age as u64);
            File::open(&path).unwrap().set_modified(used).unwrap();
        }
        sweep(dir.path(), &dir.path().join("a"), 250);
        let is_left = names.map(|name| dir.path().join(name).exists());
        assert_eq!(is_left, [true, false, false, true]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
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
