//! Checkpoints: the live records of sealed journal files, copied into one snapshot.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::Work;
use super::catalogue::scan_file;
use super::files::{self, JournalFile, sync_dir};
use super::frame::{Action, FILE_HEADER, FileKind, Found, file_header, write_frame};
use crate::error::Error;
use crate::index::{self, Place};

/// What to do about damage in a checkpoint's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Give up: only opening knows how to mend it and to tell of it.
    Refuse,
    /// Leave it out: it has been told of, and what could be mended has been written anew.
    LeaveOut,
}

/// A snapshot, and where the records in it lie that the index has no value of.
pub(crate) struct Snapshot {
    pub(crate) file: JournalFile,
    pub(crate) moved: Vec<(Vec<u8>, u64, Place)>,
}

/// Writes the snapshot that can take the place of the files it is made from.
///
/// # Errors
/// [`Error::JournalDamaged`] as `damage` has it, and those of reading and writing.
pub(crate) fn write(dir: &Path, work: &Work, damage: Damage) -> Result<Snapshot, Error> {
    let (first, inputs) = (work.first, &work.inputs[..]);
    let live = live_writes(inputs, first, damage)?;
    let count = live.len();
    let file = JournalFile::snapshot(dir, first, work.upto);
    let aside = dir.join("snapshot.tmp");
    let copied = write_aside(&aside, &file, inputs, live);
    let (copied, moved) = match copied {
        Ok(copied) => copied,
        Err(error) => {
            // On a full disk, of all places, it must not stay.
            let _ = fs::remove_file(&aside);
            return Err(error);
        }
    };
    if damage == Damage::Refuse && copied as usize != count {
        // A file has become unreadable since it was gone through a moment ago.
        let _ = fs::remove_file(&aside);
        return Err(Error::JournalDamaged {
            path: dir.to_owned(),
        });
    }
    fs::rename(&aside, &file.path).map_err(Error::io("rename the snapshot to", &file.path))?;
    sync_dir(dir)?;
    Ok(Snapshot { file, moved })
}

type Copied = (u32, Vec<(Vec<u8>, u64, Place)>);

fn write_aside(
    aside: &Path,
    snapshot: &JournalFile,
    inputs: &[JournalFile],
    live: HashMap<Vec<u8>, u64>,
) -> Result<Copied, Error> {
    let failed = || Error::io("write the snapshot", aside);
    let mut to = BufWriter::with_capacity(1 << 20, File::create(aside).map_err(failed())?);
    to.write_all(&file_header(FileKind::Snapshot, snapshot.seq))
        .map_err(failed())?;
    let copied = copy_live(snapshot, inputs, live, &mut to)?;
    let mut end = Vec::new();
    write_frame(&mut end, snapshot.seq, copied.0, Action::End, &[], &[]);
    to.write_all(&end).map_err(failed())?;
    let file = to
        .into_inner()
        .map_err(|error| failed()(error.into_error()))?;
    file.sync_all().map_err(failed())?;
    Ok(copied)
}

/// The sequence number of each live record's newest write. Deletions stay where there are older
/// files, which may still have what they delete.
fn live_writes(
    inputs: &[JournalFile],
    first: u64,
    damage: Damage,
) -> Result<HashMap<Vec<u8>, u64>, Error> {
    let mut newest: HashMap<Vec<u8>, (u64, Action)> = HashMap::new();
    let mut expected = first;
    for file in inputs {
        let mut is_damaged = false;
        scan_file(file, |found| match found {
            Found::Frame { head, .. } if head.action == Action::End => expected = file.seq + 1,
            Found::Frame { head, .. } => {
                is_damaged |= file.kind == FileKind::Segment && head.seq != expected;
                expected = head.seq + 1;
                let newest = newest.entry(head.key).or_insert((head.seq, head.action));
                if newest.0 < head.seq {
                    *newest = (head.seq, head.action);
                }
            }
            Found::Damage { .. } => is_damaged = true,
        })?;
        if is_damaged && damage == Damage::Refuse {
            return Err(Error::JournalDamaged {
                path: file.path.clone(),
            });
        }
    }
    newest.retain(|_, (_, action)| *action == Action::Put || first > 1);
    Ok(newest
        .into_iter()
        .map(|(key, (seq, _))| (key, seq))
        .collect())
}

/// Copies the live writes, numbering their frames, and returns how many there were.
fn copy_live(
    snapshot: &JournalFile,
    inputs: &[JournalFile],
    mut live: HashMap<Vec<u8>, u64>,
    to: &mut impl Write,
) -> Result<Copied, Error> {
    let (mut copied, mut frame) = (0_u32, Vec::new());
    let (mut moved, mut end) = (Vec::new(), FILE_HEADER as u64);
    for file in inputs {
        let mut outcome = Ok(());
        scan_file(file, |found| {
            let Found::Frame { head, value, .. } = found else {
                return;
            };
            if outcome.is_err() || live.get(&head.key) != Some(&head.seq) {
                return;
            }
            // The same frame may be in two files, left over from a checkpoint that was cut short.
            live.remove(&head.key);
            frame.clear();
            write_frame(&mut frame, head.seq, copied, head.action, &head.key, value);
            outcome = to.write_all(&frame);
            copied += 1;
            end += frame.len() as u64;
            if head.action == Action::Put && !index::keeps(&head.key, value.len()) {
                let place = Place::new(snapshot, end - value.len() as u64, value.len() as u32);
                moved.push((head.key, head.seq, place));
            }
        })?;
        outcome.map_err(Error::io("copy into a snapshot", &file.path))?;
    }
    Ok((copied, moved))
}

/// Removes the files that `snapshot` has taken the place of. Damaged ones are kept under another
/// name, and these names returned.
pub(crate) fn retire(
    dir: &Path,
    inputs: &[JournalFile],
    snapshot: &JournalFile,
    damaged: &[PathBuf],
) -> Result<Vec<PathBuf>, Error> {
    let mut set_aside = Vec::new();
    // Oldest first: whatever is left after a crash then still has each deletion that it needs.
    for file in inputs.iter().filter(|file| *file != snapshot) {
        if damaged.contains(&file.path) {
            let name = file.path.with_extension("journal.damaged");
            fs::rename(&file.path, &name).map_err(Error::io("rename", &file.path))?;
            set_aside.push(name);
        } else {
            files::remove(std::slice::from_ref(file))?;
        }
    }
    sync_dir(dir)?;
    Ok(set_aside)
}
