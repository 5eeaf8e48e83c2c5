//! Reading the whole journal: where the newest version of every record lies, and what is damaged.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::files::{self, JournalFile};
use super::frame::{
    Action, FILE_HEADER, FileKind, Found, Head, SCHEMA, Scanner, record_crc, schema_of,
};
use super::places::{Place, Places};
use crate::error::Error;
use crate::index::Place as IndexPlace;
use crate::key::Key;
use crate::report::{Loss, TornTail};

/// What a journal holds.
#[derive(Default)]
pub(crate) struct Catalogue {
    pub(crate) places: Places,
    /// The files that are in use, snapshots before segments.
    pub(crate) files: Vec<JournalFile>,
    pub(crate) last_seq: u64,
    pub(crate) losses: Vec<Loss>,
    pub(crate) torn: Option<TornTail>,
    /// The files damage was found in.
    pub(crate) damaged: Vec<PathBuf>,
    /// The sequence number the next segment's frame should have.
    expected: u64,
    /// Damage since the last whole frame. What was lost there is known once the next one is seen.
    pending: Vec<Damage>,
}

struct Damage {
    file: PathBuf,
    offset: u64,
    head: Option<Head>,
}

impl Catalogue {
    /// Reads the journal in `dir`, cuts a torn tail off its last segment, and removes the files
    /// that a whole snapshot has made superfluous.
    pub(crate) fn scan(dir: &Path) -> Result<Self, Error> {
        let mut catalogue = Self {
            expected: 1,
            ..Self::default()
        };
        files::rename_old_snapshots(dir)?;
        let all = files::list(dir)?;
        let (snapshots, mut segments): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|file| file.kind == FileKind::Snapshot);
        let mut whole: Option<JournalFile> = None;
        let mut all_whole = true;
        for snapshot in snapshots {
            if whole.as_ref().is_some_and(|whole| whole.covers(&snapshot)) {
                files::remove(&[snapshot])?;
            } else if catalogue.scan_snapshot(&snapshot)? {
                whole = Some(snapshot);
            } else {
                all_whole = false;
            }
        }
        if all_whole && let Some(newest) = whole {
            // A segment reaches up to where the next one begins.
            let covered = segments
                .windows(2)
                .take_while(|pair| pair[1].seq <= newest.seq + 1)
                .count();
            files::remove(&segments.drain(..covered).collect::<Vec<_>>())?;
        }
        let last = segments.len().saturating_sub(1);
        for (at, segment) in segments.iter().enumerate() {
            catalogue.scan_segment(segment, at == last)?;
        }
        catalogue.places.settle();
        catalogue.forget_superseded_losses();
        Ok(catalogue)
    }

    /// Where a record's value lies, as the index has it.
    pub(crate) fn index_place(&self, place: &Place) -> IndexPlace {
        IndexPlace::new(
            &self.files[place.file as usize],
            place.value_offset,
            place.value_len,
        )
    }

    /// Hands each of these records' values to `each`, in the order they lie on the disk.
    pub(crate) fn read_each(
        &self,
        mut records: Vec<(&[u8], &Place)>,
        mut each: impl FnMut(&[u8], &Place, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        records.sort_unstable_by_key(|(_, place)| (place.file, place.value_offset));
        let mut opened: Option<(u32, File)> = None;
        let mut value = Vec::new();
        for (key, place) in records {
            let path = &self.files[place.file as usize].path;
            let mut file = match opened.take() {
                Some((at, file)) if at == place.file => file,
                _ => File::open(path).map_err(Error::io("open", path))?,
            };
            value.resize(place.value_len as usize, 0);
            file.seek(SeekFrom::Start(place.value_offset))
                .and_then(|_| file.read_exact(&mut value))
                .map_err(Error::io("read", path))?;
            if record_crc(key, place.stamp.seq, Action::Put, &value) != place.stamp.crc {
                return Err(Error::JournalDamaged { path: path.clone() });
            }
            each(key, place, &value)?;
            opened = Some((place.file, file));
        }
        Ok(())
    }

    /// Whether a write of this number may be missing from the journal though it was acknowledged.
    pub(crate) fn may_have_lost(&self, seq: u64) -> bool {
        seq > self.last_seq || self.losses.iter().any(|loss| seqs(loss).contains(&seq))
    }

    /// How many bytes the live records take in each of the files.
    pub(crate) fn live_bytes(&self) -> Vec<u64> {
        let mut bytes = vec![0; self.files.len()];
        for (key, place) in self.places.live() {
            bytes[place.file as usize] += place.frame_bytes(key);
        }
        bytes
    }

    /// Reads a snapshot and tells whether it is whole.
    fn scan_snapshot(&mut self, file: &JournalFile) -> Result<bool, Error> {
        self.meet(file, 0, file.first);
        let at = self.files.len();
        self.files.push(file.clone());
        let (mut before, mut ordinal) = (file.first.saturating_sub(1), 0_u32);
        let (mut is_damaged, mut is_ended) = (false, false);
        let header_is_whole = scan_file(file, |found| match found {
            Found::Frame { offset, head, .. } => {
                let missing = head.left.wrapping_sub(ordinal);
                ordinal = head.left.wrapping_add(1);
                is_damaged |= missing > 0;
                if head.action == Action::End {
                    self.settle(before, file.seq + 1, missing.into());
                    is_ended = true;
                } else {
                    self.settle(before, head.seq, missing.into());
                    before = head.seq;
                    self.insert(at, offset, head);
                }
            }
            Found::Damage { offset, head, .. } => {
                is_damaged = true;
                self.pending.push(Damage {
                    file: file.path.clone(),
                    offset,
                    head,
                });
            }
        })?;
        if !is_ended && self.pending.is_empty() {
            let (file, offset) = (file.path.clone(), file.bytes()?);
            self.pending.push(Damage {
                file,
                offset,
                head: None,
            });
        }
        self.settle(before, file.seq + 1, file.seq.saturating_sub(before));
        self.expected = self.expected.max(file.seq + 1);
        self.last_seq = self.last_seq.max(file.seq);
        let is_whole = header_is_whole && is_ended && !is_damaged;
        if !is_whole {
            self.mark_damaged(&file.path);
        }
        Ok(is_whole)
    }

    fn scan_segment(&mut self, file: &JournalFile, is_last: bool) -> Result<(), Error> {
        self.meet(file, 0, file.seq);
        let at = self.files.len();
        self.files.push(file.clone());
        // Frames of a batch wait here for its last one.
        let mut batch: Vec<(u64, Head)> = Vec::new();
        let mut end = FILE_HEADER as u64;
        let header_is_whole = scan_file(file, |found| match found {
            Found::Frame { offset, head, .. } => {
                end = offset + head.frame_len();
                self.meet(file, offset, head.seq);
                self.expected = self.expected.max(head.seq + 1);
                let ends_batch = head.left == 0;
                batch.push((offset, head));
                if ends_batch {
                    batch
                        .drain(..)
                        .for_each(|(offset, head)| self.insert(at, offset, head));
                }
            }
            Found::Damage { offset, head, .. } => {
                self.pending.push(Damage {
                    file: file.path.clone(),
                    offset,
                    head,
                });
            }
        })?;
        if is_last && header_is_whole {
            let torn = std::mem::take(&mut self.pending);
            return self.cut_torn_tail(file, &batch, &torn, end);
        }
        // Part of a batch is better than nothing of it: what follows proves it was acknowledged.
        batch
            .drain(..)
            .for_each(|(offset, head)| self.insert(at, offset, head));
        if is_last && file.bytes()? <= FILE_HEADER as u64 {
            // The header is synced before any frame is written, so there never was one.
            self.torn = Some(torn_tail(file, 0, file.bytes()?, Vec::new()));
            self.files.pop();
            return files::remove(std::slice::from_ref(file));
        }
        if is_last {
            self.settle(self.expected - 1, u64::MAX, u64::MAX);
        }
        if !header_is_whole {
            self.mark_damaged(&file.path);
        }
        Ok(())
    }

    /// Cuts off what follows the last whole batch: it was never acknowledged, unless the disk
    /// itself is at fault, in which case the index may still have it.
    fn cut_torn_tail(
        &mut self,
        file: &JournalFile,
        batch: &[(u64, Head)],
        torn: &[Damage],
        end: u64,
    ) -> Result<(), Error> {
        if batch.is_empty() && torn.is_empty() {
            return Ok(());
        }
        let first = batch.first().map(|(offset, _)| *offset);
        let offset = first
            .or(torn.first().map(|damage| damage.offset))
            .unwrap_or(end);
        let heads = batch.iter().map(|(_, head)| head);
        let heads = heads.chain(torn.iter().filter_map(|damage| damage.head.as_ref()));
        let records = heads.map(|head| Key::describe(&head.key)).collect();
        let bytes = file.bytes()?.saturating_sub(offset);
        OpenOptions::new()
            .write(true)
            .open(&file.path)
            .and_then(|opened| {
                opened.set_len(offset)?;
                opened.sync_all()
            })
            .map_err(Error::io("cut the unfinished end off", &file.path))?;
        self.torn = Some(torn_tail(file, offset, bytes, records));
        Ok(())
    }

    /// Takes note of a write's number, and of those missing before it.
    fn meet(&mut self, file: &JournalFile, offset: u64, seq: u64) {
        if self.pending.is_empty() && seq > self.expected {
            self.losses.push(Loss {
                file: file.path.clone(),
                offset,
                first_seq: self.expected,
                last_seq: seq - 1,
                record: None,
                missing: seq - self.expected,
                restored: 0,
            });
        }
        self.settle(self.expected - 1, seq, seq.saturating_sub(self.expected));
        self.expected = self.expected.max(seq);
    }

    /// Turns pending damage into losses, now that the numbers around it, exclusive, are known, and
    /// how many writes are missing between them.
    fn settle(&mut self, before: u64, after: u64, missing: u64) {
        let pending = std::mem::take(&mut self.pending);
        let named = pending
            .iter()
            .filter(|damage| damage.head.is_some())
            .count() as u64;
        let mut nameless = missing.saturating_sub(named);
        for damage in pending {
            self.mark_damaged(&damage.file);
            let (first_seq, last_seq, missing) = match &damage.head {
                Some(head) => (head.seq, head.seq, u64::from(head.action != Action::End)),
                None if after == u64::MAX => (before + 1, u64::MAX, u64::MAX),
                None => (before + 1, after - 1, std::mem::take(&mut nameless)),
            };
            if missing > 0 && first_seq <= last_seq {
                self.losses.push(Loss {
                    file: damage.file,
                    offset: damage.offset,
                    first_seq,
                    last_seq,
                    record: damage.head.map(|head| Key::describe(&head.key)),
                    missing,
                    restored: 0,
                });
            }
        }
    }

    fn mark_damaged(&mut self, file: &Path) {
        if !self.damaged.iter().any(|damaged| damaged == file) {
            self.damaged.push(file.to_owned());
        }
    }

    fn insert(&mut self, file: usize, offset: u64, head: Head) {
        self.last_seq = self.last_seq.max(head.seq);
        self.places
            .insert(&head.key, Place::new(&head, file, offset));
    }

    /// Drops losses of records that were overwritten later: nobody would have read them again.
    fn forget_superseded_losses(&mut self) {
        let mut newest: HashMap<String, u64> = self
            .losses
            .iter()
            .filter_map(|loss| Some((loss.record.clone()?, 0)))
            .collect();
        if newest.is_empty() {
            return;
        }
        for (key, place) in self.places.iter() {
            if let Some(seq) = newest.get_mut(&Key::describe(key)) {
                *seq = place.stamp.seq;
            }
        }
        self.losses.retain(|loss| {
            let newest = loss.record.as_ref().and_then(|record| newest.get(record));
            newest.is_none_or(|seq| *seq <= loss.last_seq)
        });
    }
}

fn torn_tail(file: &JournalFile, offset: u64, bytes: u64, records: Vec<String>) -> TornTail {
    TornTail {
        file: file.path.clone(),
        offset,
        bytes,
        records,
    }
}

pub(crate) fn seqs(loss: &Loss) -> RangeInclusive<u64> {
    loss.first_seq..=loss.last_seq
}

/// Hands everything in a file to `each`, and tells whether the file's header is whole.
///
/// # Errors
/// [`Error::NewerSchema`] for a file from the future, and those of reading.
pub(crate) fn scan_file(file: &JournalFile, each: impl FnMut(Found<'_>)) -> Result<bool, Error> {
    scan_part(file, u64::MAX, each)
}

/// [`scan_file`] for a file that is still written to, up to the length that is known to be whole.
pub(crate) fn scan_part(
    file: &JournalFile,
    upto: u64,
    mut each: impl FnMut(Found<'_>),
) -> Result<bool, Error> {
    let path = &file.path;
    let mut opened = File::open(path).map_err(Error::io("open", path))?;
    let mut header = Vec::new();
    (&mut opened)
        .take(FILE_HEADER as u64)
        .read_to_end(&mut header)
        .map_err(Error::io("read", path))?;
    let schema = schema_of(&header);
    if let Some(found) = schema.filter(|schema| *schema > SCHEMA) {
        return Err(Error::NewerSchema {
            path: path.clone(),
            found,
            known: SCHEMA,
        });
    }
    let rest = opened.take(upto.saturating_sub(FILE_HEADER as u64));
    let mut scanner = Scanner::new(rest, FILE_HEADER as u64);
    while let Some(found) = scanner.next().map_err(Error::io("read", path))? {
        each(found);
    }
    Ok(schema.is_some())
}
