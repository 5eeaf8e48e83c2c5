//! How the store is kept: verified, compacted and backed up.

use super::App;
use super::answer::{Answered, Refusal, not_read, read};
use super::extract::Body;
use crate::daemon::{checkpoints, conflict, invalid, unavailable};
use attune_protocol::{Backup, Problem, StoreReport};
use axum::Json;
use axum::extract::State;
use std::path::{Path, PathBuf};

pub(super) async fn verify_store(State(house): App) -> Answered<StoreReport> {
    let folder = house.places.checkpoints();
    let found = read(&house, move |store| {
        let files = checkpoints::verify(store, &folder)?;
        Ok((store.verify()?, store.stats()?, files))
    });
    let (verified, stats, files) = found.await?;
    let damage = verified.damaged.iter().map(ToString::to_string);
    Ok(Json(StoreReport {
        lines: vec![
            format!(
                "read {} records of {} bytes in {} files",
                verified.records, verified.bytes, verified.files
            ),
            format!(
                "{} studies, {} trials, {} epochs, {} steps",
                stats.studies, stats.trials, stats.epochs, stats.step_rows
            ),
            format!(
                "read {} checkpoints and models of {} bytes",
                files.read, files.bytes
            ),
        ],
        damage: damage.chain(files.damage).collect(),
    }))
}

pub(super) async fn compact_store(State(house): App) -> Answered<StoreReport> {
    let stats = read(&house, |store| {
        let before = store.stats()?;
        store.compact()?;
        Ok((before, store.stats()?))
    });
    let (before, after) = stats.await?;
    Ok(Json(StoreReport {
        lines: vec![format!(
            "the journal takes {} bytes, {} before",
            after.journal_bytes, before.journal_bytes
        )],
        damage: Vec::new(),
    }))
}

pub(super) async fn backup_store(
    State(house): App,
    Body(to): Body<Backup>,
) -> Answered<StoreReport> {
    let path = PathBuf::from(&to.path);
    if !path.is_absolute() {
        return Err(Refusal(invalid(format!(
            "the path {} is not absolute, and the daemon runs in another folder",
            to.path
        ))));
    }
    let copied = read(&house, move |store| {
        Ok(store
            .backup(&path)
            .map_err(|error| not_copied(error, &path)))
    });
    let copied = copied.await??;
    Ok(Json(StoreReport {
        lines: vec![format!(
            "copied {} files of {} bytes to {}",
            copied.files, copied.bytes, to.path
        )],
        damage: Vec::new(),
    }))
}

/// What is wrong with the place that somebody named is theirs to mend.
fn not_copied(error: attune_store::Error, to: &Path) -> Problem {
    use attune_store::Error;
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match error {
        Error::Io {
            ref path, ref why, ..
        } if path.starts_with(to) => match why.kind() {
            StorageFull | QuotaExceeded => unavailable(format!(
                "the disk of {} is full, so nothing was copied; name a folder on another one",
                to.display()
            )),
            _ => conflict(error),
        },
        error => not_read(error),
    }
}
