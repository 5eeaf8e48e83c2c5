//! Looking after a store that is in use: verifying, backing up, counting.
//!
//! Readers and writers go on meanwhile; only checkpoints wait, so that no file goes away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::commit::hold;
use crate::error::Error;
use crate::index::{Held, Index, Stored};
use crate::journal::catalogue::scan_part;
use crate::journal::files::{JournalFile, sync_dir};
use crate::journal::frame::{Action, FileKind, Found, Head};
use crate::journal::places::{Place, Places};
use crate::key::Key;
use crate::shared::Shared;
use crate::steps::CHUNK_ROWS;
use crate::steps::chunk;
use crate::steps::summary::Summary;

/// How many records are looked at before writers get a turn.
const PAGE: usize = 1000;

/// What reading everything found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Verification {
    /// The journal files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The live records, each read where a reader would read it.
    pub records: u64,
    /// All that is not as it was written.
    pub damaged: Vec<DamagedRecord>,
}

/// A record, or a stretch of bytes that is no record any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRecord {
    /// What the record is about, where that can still be told.
    pub record: Option<String>,
    /// The file.
    pub file: PathBuf,
    /// Where in the file the damage begins.
    pub offset: u64,
    /// What follows from it.
    pub harm: Harm,
}

/// What damage does to the store's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Nothing: the record was written again since.
    None,
    /// Nothing, once the store is reopened: it is then restored.
    Mendable,
    /// The record is lost.
    Lost,
    /// Nobody can tell what was there. Reopening the store restores it if the index still has it,
    /// and says so if not.
    Unknown,
}

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// The files copied.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a store holds, and what that takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Studies.
    pub studies: u64,
    /// Trials.
    pub trials: u64,
    /// Epochs whose metrics are stored.
    pub epochs: u64,
    /// Rows of step histories, those that were thinned out left out.
    pub step_rows: u64,
    /// Rows that were thinned out.
    pub thinned_rows: u64,
    /// Bytes of live records by kind: `studies`, `trials`, `epochs`, `steps`, `summaries`,
    /// `knowledge`, and `others`.
    pub live_bytes: BTreeMap<&'static str, u64>,
    /// Bytes the journal takes on the disk.
    pub journal_bytes: u64,
    /// Bytes of the journal that the next compaction gives back.
    pub garbage_bytes: u64,
    /// Bytes the index takes on the disk.
    pub index_bytes: u64,
}

impl Verification {
    /// Whether everything is as it was written.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty()
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            files,
            bytes,
            records,
            damaged,
        } = self;
        write!(f, "{records} records in {files} files of {bytes} bytes: ")?;
        match damaged.len() {
            0 => write!(f, "all as they were written"),
            count => write!(f, "{count} damaged"),
        }?;
        for damaged in damaged {
            write!(f, "\n{damaged}")?;
        }
        Ok(())
    }
}

impl fmt::Display for DamagedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record.as_deref().unwrap_or("a record nobody can name");
        let harm = match self.harm {
            Harm::None => "it was written again since, so nothing is lost",
            Harm::Mendable => "reopening the store restores it",
            Harm::Lost => "LOST; a backup may still have it",
            Harm::Unknown => "reopening the store restores what it can and says what it cannot",
        };
        let (offset, file) = (self.offset, self.file.display());
        write!(f, "{record}, at byte {offset} of {file}: {harm}")
    }
}

/// The journal as it is read from end to end.
#[derive(Default)]
struct Reading {
    places: Places,
    damaged: Vec<(JournalFile, u64, Option<Head>)>,
    bytes: u64,
    /// The number that the next file should begin with.
    next: Option<u64>,
}

impl Reading {
    /// Reads a file up to a length.
    fn file(&mut self, at: usize, file: &JournalFile, upto: u64) -> Result<(), Error> {
        self.bytes += upto.min(file.bytes()?);
        if self.next.is_some_and(|next| file.first > next) {
            self.damaged.push((file.clone(), 0, None));
        }
        let (mut expected, mut ordinal) = (file.first, 0_u32);
        let mut is_ended = file.kind == FileKind::Segment;
        let header_is_whole = scan_part(file, upto, |found| match found {
            Found::Frame { offset, head, .. } => {
                // Of what is missing without a trace, the place of the next one is all there is.
                let is_next = match file.kind {
                    FileKind::Segment => head.seq == expected,
                    FileKind::Snapshot => head.left == ordinal,
                };
                let follows_damage = self
                    .damaged
                    .last()
                    .is_some_and(|(in_file, ..)| in_file == file);
                if !is_next && !follows_damage {
                    self.damaged.push((file.clone(), offset, None));
                }
                (expected, ordinal) = (head.seq + 1, head.left.wrapping_add(1));
                if head.action == Action::End {
                    is_ended = true;
                } else {
                    self.places.insert(&head.key, Place::new(&head, at, offset));
                }
            }
            Found::Damage { offset, head, .. } => self.damaged.push((file.clone(), offset, head)),
        })?;
        if !header_is_whole {
            self.damaged.push((file.clone(), 0, None));
        }
        self.next = Some(match file.kind {
            FileKind::Segment => expected,
            FileKind::Snapshot => file.seq + 1,
        });
        if !is_ended {
            self.damaged.push((file.clone(), file.bytes()?, None));
        }
        Ok(())
    }
}

impl Shared {
    /// Reads everything there is.
    pub(crate) fn verify(&self) -> Result<Verification, Error> {
        let _no_checkpoint = hold(&self.checkpointing);
        let (files, written) = self.journal_now();
        let mut reading = Reading {
            next: Some(1),
            ..Reading::default()
        };
        for (at, file) in files.iter().enumerate() {
            let is_last = at + 1 == files.len();
            reading.file(at, file, if is_last { written } else { u64::MAX })?;
        }
        reading.places.settle();
        let mut verification = Verification {
            files: files.len() as u64,
            bytes: reading.bytes,
            ..Verification::default()
        };
        let mut missing = self.compare(&reading, &mut verification)?;
        if !missing.is_empty() {
            // They may have been deleted while the rest was read.
            let (now, written) = self.journal_now();
            let mut since = Reading::default();
            for file in now.iter().skip(files.len().saturating_sub(1)) {
                let is_last = Some(file) == now.last();
                since.file(0, file, if is_last { written } else { u64::MAX })?;
            }
            since.places.settle();
            missing.retain(|key| since.places.get(key).is_none_or(|place| !place.deleted));
        }
        for key in missing {
            verification.damaged.push(DamagedRecord {
                record: Some(Key::describe(&key)),
                file: self.index().dir().to_owned(),
                offset: 0,
                harm: Harm::Mendable,
            });
        }
        for (file, offset, head) in reading.damaged {
            let harm = match &head {
                Some(head) if head.action == Action::End => Harm::Mendable,
                Some(head) => self.harm(&reading.places, head)?,
                None => Harm::Unknown,
            };
            verification.damaged.push(DamagedRecord {
                record: head.map(|head| Key::describe(&head.key)),
                file: file.path,
                offset,
                harm,
            });
        }
        Ok(verification)
    }

    /// Holds the index against the journal; the answer is the keys that it should have and has not.
    fn compare(&self, reading: &Reading, to: &mut Verification) -> Result<Vec<Vec<u8>>, Error> {
        let mut missing = Vec::new();
        let mut known = reading.places.live().peekable();
        let heads = reading
            .damaged
            .iter()
            .filter_map(|(_, _, head)| head.as_ref());
        let named: BTreeSet<u64> = heads.map(|head| head.seq).collect();
        self.each_page(|index, page| {
            let mut reader = index.reader();
            for stored in page {
                to.records += 1;
                while let Some((key, _)) = known.next_if(|(key, _)| *key < &stored.key[..]) {
                    missing.push(key.to_vec());
                }
                let place = known.next_if(|(key, _)| *key == stored.key);
                let Err(problem) = reader.value(stored) else {
                    continue;
                };
                let (file, offset, harm) = match problem {
                    // The journal's own reading has found it already.
                    Error::Damaged { .. } if named.contains(&stored.stamp.seq) => continue,
                    Error::Damaged { path, offset, .. } => {
                        let is_elsewhere =
                            place.is_some_and(|(_, place)| place.stamp == stored.stamp);
                        let harm = if is_elsewhere {
                            Harm::Mendable
                        } else {
                            Harm::Lost
                        };
                        (path, offset, harm)
                    }
                    Error::Index { .. } => (index.dir().to_owned(), 0, Harm::Mendable),
                    error => return Err(error),
                };
                to.damaged.push(DamagedRecord {
                    record: Some(Key::describe(&stored.key)),
                    file,
                    offset,
                    harm,
                });
            }
            Ok(())
        })?;
        missing.extend(known.map(|(key, _)| key.to_vec()));
        Ok(missing)
    }

    /// What the loss of a write in the journal does.
    fn harm(&self, places: &Places, head: &Head) -> Result<Harm, Error> {
        let newest = places.get(&head.key);
        if newest.is_some_and(|place| place.stamp.seq > head.seq) {
            return Ok(Harm::None);
        }
        let index = self.index();
        Ok(match index.stored(&head.key)? {
            Some(stored) if stored.stamp.seq > head.seq => Harm::None,
            Some(Stored {
                held: Held::Value(_),
                whole: true,
                ..
            }) => Harm::Mendable,
            // The index has let go of it, as the lost write said.
            None if head.action == Action::Delete => Harm::Mendable,
            _ => Harm::Lost,
        })
    }

    /// Copies the journal, from which everything can be rebuilt, into an empty folder.
    pub(crate) fn backup(&self, dir: &Path) -> Result<Backup, Error> {
        let _no_checkpoint = hold(&self.checkpointing);
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let mut entries = fs::read_dir(dir).map_err(Error::io("list", dir))?;
        if entries.next().is_some() {
            let dir = dir.to_owned();
            return Err(Error::NotEmpty { dir });
        }
        let files = self.seal_journal()?;
        // Half a backup must not look like a whole one.
        let aside = dir.join("journal.unfinished");
        let copied = copy(&files, &aside);
        if copied.is_err() {
            // Nothing but what was just made.
            let _ = fs::remove_dir_all(&aside);
        }
        let copied = copied?;
        let journal = dir.join("journal");
        fs::rename(&aside, &journal).map_err(Error::io("rename the copy to", &journal))?;
        sync_dir(dir)?;
        Ok(copied)
    }

    /// Counts everything.
    pub(crate) fn stats(&self) -> Result<Stats, Error> {
        let (journal_bytes, garbage_bytes) = self.journal_bytes();
        let mut stats = Stats {
            journal_bytes,
            garbage_bytes,
            ..Stats::default()
        };
        self.each_page(|index, page| {
            stats.index_bytes = index.bytes();
            for stored in page {
                let key = Key::decode(&stored.key);
                let kind = key.as_ref().map_or("others", kind);
                let value = match &stored.held {
                    Held::Value(value) => value.len() as u64,
                    Held::At(place) => place.len(),
                };
                *stats.live_bytes.entry(kind).or_default() += stored.key.len() as u64 + value;
                let rows = |summary: bool| -> Result<u64, Error> {
                    let (Some(key), value) = (&key, index.reader().value(stored)?) else {
                        return Ok(0);
                    };
                    if summary {
                        Summary::decode(key, &value).map(|summary| summary.rows())
                    } else {
                        chunk::decode(key, &value).map(|steps| steps.len() as u64)
                    }
                };
                match &key {
                    Some(Key::Study(_)) => stats.studies += 1,
                    Some(Key::Trial(_)) => stats.trials += 1,
                    Some(Key::Epoch(..)) => stats.epochs += 1,
                    // Only chunks with their full number of rows have a summary beside them.
                    Some(Key::Steps(trial, first)) => {
                        let is_full = index.has(&Key::Summary(*trial, *first))?;
                        stats.step_rows += if is_full {
                            CHUNK_ROWS as u64
                        } else {
                            rows(false)?
                        };
                    }
                    Some(Key::Summary(trial, first))
                        if !index.has(&Key::Steps(*trial, *first))? =>
                    {
                        stats.thinned_rows += rows(true)?;
                    }
                    _ => {}
                }
            }
            Ok(())
        })?;
        Ok(stats)
    }

    /// Hands over all that the index has, in order, with pauses for writers.
    fn each_page(
        &self,
        mut each: impl FnMut(&Index, &[Stored]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut from = Vec::new();
        loop {
            let index = self.index();
            let page = index.page(&from, PAGE)?;
            each(&index, &page)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            from = last.key.clone();
            from.push(0);
        }
    }
}

fn copy(files: &[JournalFile], to: &Path) -> Result<Backup, Error> {
    fs::create_dir(to).map_err(Error::io("create", to))?;
    let mut bytes = 0;
    for file in files {
        let target = to.join(file.path.file_name().unwrap_or_default());
        bytes += fs::copy(&file.path, &target).map_err(Error::io("copy to", &target))?;
        let synced = File::open(&target).and_then(|file| file.sync_all());
        synced.map_err(Error::io("sync", &target))?;
    }
    sync_dir(to)?;
    Ok(Backup {
        files: files.len() as u64,
        bytes,
    })
}

fn kind(key: &Key) -> &'static str {
    match key {
        Key::Study(_) => "studies",
        Key::Trial(_) => "trials",
        Key::Epoch(..) => "epochs",
        Key::Steps(..) => "steps",
        Key::Summary(..) => "summaries",
        Key::Knowledge { .. } => "knowledge",
        Key::Note(_) | Key::Quarantine(_) | Key::Counter(_) | Key::Doomed(_) => "others",
    }
}
