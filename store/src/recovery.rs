//! Opening: the journal is read, the index compared with it, and each mended from the other.
//!
//! The journal decides. What the index has and the journal has not is believed in one case only:
//! where the journal is known to be damaged and may have lost just that write.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::index::{Index, Stamp};
use crate::journal::catalogue::{Catalogue, seqs};
use crate::journal::{Journal, Limits, Op, files, snapshot};
use crate::report::{IndexState, Loss, OpenReport};

/// The two halves of a store, agreeing with each other.
pub(crate) struct Recovered {
    pub(crate) journal: Journal,
    pub(crate) index: Index,
    pub(crate) report: OpenReport,
}

/// Opens journal and index in `dir`, which the caller has locked.
pub(crate) fn open(dir: &Path, limits: Limits, cache_bytes: u64) -> Result<Recovered, Error> {
    let journal_dir = dir.join("journal");
    fs::create_dir_all(&journal_dir).map_err(Error::io("create", &journal_dir))?;
    let mut catalogue = Catalogue::scan(&journal_dir)?;
    let (index, state, rescued) = open_index(dir, &catalogue, cache_bytes)?;

    let mut losses = std::mem::take(&mut catalogue.losses);
    let restored = count_restored(&mut losses, &rescued);
    // Rescued records get new numbers, beyond all that the index has seen.
    let rescued_seq = rescued
        .iter()
        .map(|(stamp, _)| stamp.seq)
        .max()
        .unwrap_or(0);
    let last_seq = catalogue.last_seq.max(rescued_seq);
    let is_damaged = !(catalogue.damaged.is_empty() && losses.is_empty() && rescued.is_empty());
    let garbage = total_bytes(&catalogue.files)?.saturating_sub(catalogue.live_bytes());
    let mut journal = Journal::open(
        &journal_dir,
        limits,
        catalogue.files.clone(),
        last_seq,
        !is_damaged,
    )?;
    journal.add_garbage(garbage);

    let records = catalogue
        .places
        .values()
        .filter(|place| !place.deleted)
        .count() as u64;
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
        set_aside = checkpoint_now(&mut journal, &catalogue.damaged)?;
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

type Rescued = Vec<(Stamp, Op)>;

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
        match open_and_compare(path, catalogue, cache_bytes) {
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
    let (index, _, rescued) = open_and_compare(&fresh, catalogue, cache_bytes)?;
    remove_dirs(&old);
    let state = match reason {
        Some(reason) => IndexState::Rebuilt { reason },
        None => IndexState::Created,
    };
    Ok((index, state, rescued))
}

fn open_and_compare(
    path: &Path,
    catalogue: &Catalogue,
    cache_bytes: u64,
) -> Result<(Index, IndexState, Rescued), Error> {
    let index = Index::open(path, cache_bytes)?;
    let mut agreeing: HashSet<&[u8]> = HashSet::new();
    let mut foreign = Vec::new();
    let mut rescued = Rescued::new();
    for stored in index.everything()? {
        let stored = stored?;
        let place = catalogue.places.get_key_value(&stored.key);
        match place {
            Some((key, place)) if stored.whole && !place.deleted && place.stamp == stored.stamp => {
                agreeing.insert(key);
            }
            Some((key, place))
                if stored.whole
                    && stored.stamp.seq > place.stamp.seq
                    && catalogue.may_have_lost(stored.stamp.seq) =>
            {
                agreeing.insert(key);
                rescued.push((
                    stored.stamp,
                    Op {
                        key: stored.key,
                        value: Some(stored.value),
                    },
                ));
            }
            None if stored.whole && catalogue.may_have_lost(stored.stamp.seq) => {
                rescued.push((
                    stored.stamp,
                    Op {
                        key: stored.key,
                        value: Some(stored.value),
                    },
                ));
            }
            Some((_, place)) if !place.deleted => {}
            _ => foreign.push(stored.key),
        }
    }
    let mut repaired = foreign.len() as u64;
    for key in foreign {
        index.remove(&key)?;
    }
    let is_missing = |key: &[u8]| !agreeing.contains(key);
    let live = catalogue.places.iter().filter(|(_, place)| !place.deleted);
    let missing: Vec<_> = live.filter(|(key, _)| is_missing(key)).collect();
    repaired += missing.len() as u64;
    catalogue.read_each(missing, |key, stamp, value| {
        index.insert(key, stamp, value).map(drop)
    })?;
    if repaired > 0 {
        index.flush()?;
    }
    // In the order they were written.
    rescued.sort_by_key(|(stamp, _)| stamp.seq);
    let state = if repaired == 0 {
        IndexState::Intact
    } else {
        IndexState::Repaired(repaired)
    };
    Ok((index, state, rescued))
}

/// Counts what was rescued of each loss, and drops the losses that are whole again.
fn count_restored(losses: &mut Vec<Loss>, rescued: &Rescued) -> u64 {
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
    let stamps = journal.append(&batch).map_err(|failed| Error::NotWritten {
        reason: failed.reason,
    })?;
    for (stamp, op) in stamps.into_iter().zip(&batch[0]) {
        index.insert(&op.key, stamp, op.value.as_deref().unwrap_or_default())?;
    }
    Ok(())
}

fn checkpoint_now(journal: &mut Journal, damaged: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let dir = journal.dir().to_owned();
    let (inputs, upto) = journal.seal()?;
    let snapshot = snapshot::write(&dir, &inputs, upto, snapshot::Damage::LeaveOut)?;
    journal.replaced(&inputs, snapshot.clone())?;
    snapshot::retire(&dir, &inputs, &snapshot, damaged)
}

fn total_bytes(files: &[files::JournalFile]) -> Result<u64, Error> {
    files.iter().map(files::JournalFile::bytes).sum()
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
