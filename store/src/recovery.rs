//! Opening: the journal is read, the index compared with it, and each mended from the other.
//!
//! The journal decides. What the index has and the journal has not is believed in one case only:
//! where the journal is known to be damaged and may have lost just that write.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::index::{Held, Index, Stamp};
use crate::journal::catalogue::{Catalogue, seqs};
use crate::journal::places::Place;
use crate::journal::{Journal, Limits, Op, snapshot};
use crate::key::Key;
use crate::report::{IndexState, Loss, OpenReport, TornTail};

/// The two halves of a store, agreeing with each other.
pub(crate) struct Recovered {
    pub(crate) journal: Journal,
    pub(crate) index: Index,
    pub(crate) report: OpenReport,
}

/// Opens journal and index in `dir`, which the caller has locked.
pub(crate) fn open(dir: &Path, limits: Limits, cache_bytes: u64) -> Result<Recovered, Error> {
    let journal_dir = journal_dir(dir);
    fs::create_dir_all(&journal_dir).map_err(Error::io("create", &journal_dir))?;
    let mut catalogue = Catalogue::scan(&journal_dir)?;
    let (index, state, mut rescued) = open_index(dir, &catalogue, cache_bytes)?;

    let mut losses = std::mem::take(&mut catalogue.losses);
    name_losses(&mut losses, &rescued.lost, catalogue.torn.as_ref());
    let known_seq = rescued.lost.iter().map(|(seq, _)| *seq).max().unwrap_or(0);
    let rescued = std::mem::take(&mut rescued.ops);
    let restored = count_restored(&mut losses, &rescued);
    // Rescued records get new numbers, beyond all that the index has seen.
    let rescued_seq = rescued
        .iter()
        .map(|(stamp, _)| stamp.seq)
        .max()
        .unwrap_or(0);
    let last_seq = catalogue.last_seq.max(rescued_seq).max(known_seq);
    let is_damaged = !(catalogue.damaged.is_empty() && losses.is_empty() && rescued.is_empty());
    let mut journal = Journal::open(
        &journal_dir,
        limits,
        catalogue.files.clone(),
        last_seq,
        !is_damaged,
    )?;
    journal.set_live(&catalogue.files, &catalogue.live_bytes());

    let records = catalogue.places.live().count() as u64;
    let mut added = 0;
    let mut set_aside = Vec::new();
    if is_damaged {
        for (stamp, op) in rescued {
            let known = catalogue.places.get(&op.key);
            added += u64::from(known.is_none_or(|place| place.deleted));
            debug_assert!(known.is_none_or(|place| place.stamp.seq < stamp.seq));
            write_rescued(&mut journal, &index, op)?;
        }
        // A fresh snapshot, so that the next opening finds a journal without holes.
        set_aside = checkpoint_now(&mut journal, &index, &catalogue.damaged)?;
    }
    let report = OpenReport {
        records: records + added,
        torn: catalogue.torn,
        losses,
        restored,
        index: state,
        set_aside,
    };
    Ok(Recovered {
        journal,
        index,
        report,
    })
}

/// What only the index knows of.
#[derive(Default)]
struct Rescued {
    /// Writes that the journal has lost and the index still has.
    ops: Vec<(Stamp, Op)>,
    /// Writes that were in the journal alone, and are lost: their numbers and their records' names.
    lost: Vec<(u64, String)>,
}

/// An index that agrees with the journal, and what only the index had.
fn open_index(
    dir: &Path,
    catalogue: &Catalogue,
    cache_bytes: u64,
) -> Result<(Index, IndexState, Rescued), Error> {
    let old = index_dirs(dir)?;
    let (newest, number) = match old.last() {
        Some((number, path)) => (Some(path), *number),
        None => (None, 0),
    };
    let mut reason = None;
    if let Some(path) = newest {
        match open_and_compare(path, dir, catalogue, cache_bytes) {
            Ok(compared) => {
                // Only a rebuild that was cut short leaves an older one.
                remove_dirs(&old[..old.len() - 1]);
                return Ok(compared);
            }
            Err(Error::Index { reason: why }) => reason = Some(why),
            Err(error) => return Err(error),
        }
    }
    // A new folder: threads of the broken one may still have hold of the old.
    let fresh = dir.join(format!("index.{}", number + 1));
    let (index, _, rescued) = open_and_compare(&fresh, dir, catalogue, cache_bytes)?;
    remove_dirs(&old);
    let state = match reason {
        Some(reason) => IndexState::Rebuilt { reason },
        None => IndexState::Created,
    };
    Ok((index, state, rescued))
}

fn open_and_compare(
    path: &Path,
    dir: &Path,
    catalogue: &Catalogue,
    cache_bytes: u64,
) -> Result<(Index, IndexState, Rescued), Error> {
    let index = Index::open(path, &journal_dir(dir), cache_bytes)?;
    let (mut missing, mut foreign) = (Vec::new(), Vec::new());
    let mut rescued = Rescued::default();
    // Both are in the order of their keys. Should the index be so no more, some of its records are
    // taken for foreign ones, removed, and put back.
    let mut known = catalogue.places.iter().peekable();
    for stored in index.everything()? {
        let stored = stored?;
        while let Some(before) = known.next_if(|(key, _)| *key < &stored.key[..]) {
            missing.push(before);
        }
        let found = known.next_if(|(key, _)| *key == stored.key);
        let place = found.map(|(_, place)| place);
        let is_there = |place: &Place| match stored.held {
            Held::At(at) => at == catalogue.index_place(place),
            Held::Value(_) => place.is_kept(&stored.key),
        };
        let agrees = |place: &Place| {
            stored.whole && !place.deleted && place.stamp == stored.stamp && is_there(place)
        };
        if place.is_some_and(agrees) {
            continue;
        }
        let is_newer = place.is_none_or(|place| stored.stamp.seq > place.stamp.seq);
        let is_lost = is_newer && catalogue.may_have_lost(stored.stamp.seq);
        if is_lost && matches!(stored.held, Held::At(_)) {
            let name = Key::describe(&stored.key);
            rescued.lost.push((stored.stamp.seq, name));
        }
        match (found, stored.held) {
            (_, Held::Value(value)) if is_lost && stored.whole => {
                let (key, value) = (stored.key, Some(value));
                rescued.ops.push((stored.stamp, Op { key, value }));
            }
            (Some(found), _) if !found.1.deleted => missing.push(found),
            _ => foreign.push(stored.key),
        }
    }
    missing.extend(known);
    missing.retain(|(_, place)| !place.deleted);
    let mut repaired = foreign.len() as u64;
    for key in foreign {
        index.remove(&key)?;
    }
    repaired += missing.len() as u64;
    catalogue.read_each(missing, |key, place, value| {
        let at = catalogue.index_place(place);
        index.insert(key, place.stamp, value, at).map(drop)
    })?;
    if repaired > 0 {
        index.flush()?;
    }
    // In the order they were written.
    rescued.ops.sort_by_key(|(stamp, _)| stamp.seq);
    rescued.lost.sort();
    let state = if repaired == 0 {
        IndexState::Intact
    } else {
        IndexState::Repaired(repaired)
    };
    Ok((index, state, rescued))
}

/// What is cut off looks like a write that nobody lived to finish. Where the index knows of writes
/// there, they were acknowledged, and each is a loss with a name.
fn name_losses(losses: &mut Vec<Loss>, lost: &[(u64, String)], torn: Option<&TornTail>) {
    for (seq, name) in lost {
        let mut known = losses.iter_mut().filter(|loss| seqs(loss).contains(seq));
        match (known.next(), torn) {
            (Some(loss), _) if loss.first_seq == loss.last_seq => {
                loss.record.get_or_insert_with(|| name.clone());
            }
            (Some(_), _) | (None, None) => {}
            (None, Some(torn)) => losses.push(Loss {
                file: torn.file.clone(),
                offset: torn.offset,
                first_seq: *seq,
                last_seq: *seq,
                record: Some(name.clone()),
                missing: 1,
                restored: 0,
            }),
        }
    }
}

/// Counts what was rescued of each loss, and drops the losses that are whole again.
fn count_restored(losses: &mut Vec<Loss>, rescued: &[(Stamp, Op)]) -> u64 {
    for (stamp, _) in rescued {
        for loss in losses
            .iter_mut()
            .filter(|loss| seqs(loss).contains(&stamp.seq))
        {
            loss.restored += 1;
        }
    }
    losses.retain(|loss| loss.restored < loss.missing);
    rescued.len() as u64
}

fn write_rescued(journal: &mut Journal, index: &Index, op: Op) -> Result<(), Error> {
    let batch = [vec![op]];
    let written = journal.append(&batch).map_err(|failed| Error::NotWritten {
        reason: failed.reason,
    })?;
    for (written, op) in written.into_iter().zip(&batch[0]) {
        let value = op.value.as_deref().unwrap_or_default();
        index.insert(&op.key, written.stamp, value, written.place)?;
    }
    Ok(())
}

fn checkpoint_now(
    journal: &mut Journal,
    index: &Index,
    damaged: &[PathBuf],
) -> Result<Vec<PathBuf>, Error> {
    let dir = journal.dir().to_owned();
    let Some(work) = journal.seal(true)? else {
        return Ok(Vec::new());
    };
    let made = snapshot::write(&dir, &work, snapshot::Damage::LeaveOut)?;
    index.moved(&made.moved)?;
    journal.replaced(&work, made.file.clone())?;
    snapshot::retire(&dir, &work.inputs, &made.file, damaged)
}

fn journal_dir(dir: &Path) -> PathBuf {
    dir.join("journal")
}

/// The folders `index.N` in the order of their numbers.
fn index_dirs(dir: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let entries = fs::read_dir(dir).map_err(Error::io("list", dir))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("list", dir))?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_prefix("index."));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Removes what no longer counts. What cannot be removed costs space and is tried again next time.
fn remove_dirs(dirs: &[(u64, PathBuf)]) {
    for (_, path) in dirs {
        let _ = fs::remove_dir_all(path);
    }
}
