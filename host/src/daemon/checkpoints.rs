//! What checkpoints and models take on the disk, which go first when it is too much, and whether
//! they are as they were written.

use super::trial::file;
use crate::convert::Census;
use attune_store::{Checkpoint, Error, KeptAs, Store, StudyId, StudyRecord, TrialId, TrialRecord};
use attune_trainer::artifact::{Artifact, ModelError};
use attune_trainer::trial::{Checkpoint as Saved, CheckpointError};
use std::path::Path;

/// Bytes of all files in and below a folder.
pub(super) fn bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes(&entry.path()),
            _ => entry.metadata().map_or(0, |about| about.len()),
        })
        .sum()
}

/// Checkpoints that are let go to free so many bytes: those of trials that have ended in studies
/// that are not `under_way`, the oldest study's first; of a trial, those of rungs before the last
/// one. What a running trial goes on from is never among them, and models are not either.
pub(super) fn collect(
    store: &Store,
    too_much: u64,
    under_way: impl Fn(StudyId) -> bool,
) -> anyhow::Result<Vec<(TrialId, TrialRecord, Vec<u64>)>> {
    let mut left = too_much;
    let mut collected = Vec::new();
    for (study, _) in store.list_studies()? {
        if under_way(study) {
            continue;
        }
        for (id, mut record) in store.list_trials(study)? {
            if left == 0 {
                return Ok(collected);
            }
            let gone = choose(&mut record.checkpoints, &mut left);
            if !gone.is_empty() {
                collected.push((id, record, gone));
            }
        }
    }
    Ok(collected)
}

/// Deletes the files in a study's `folder` that nothing stored speaks of: those of a worker that died
/// before it could report them, and those of a daemon that died before it could delete them. Nobody
/// may be training for the study.
///
/// # Errors
/// The store's. A file that cannot be deleted is left for the next time.
pub(super) fn sweep(store: &Store, study: StudyId, folder: &Path) -> anyhow::Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        // It has none.
        return Ok(());
    };
    let trials = store.list_trials(study)?;
    let best = best(study, &store.study(study)?, &trials);
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let id = study.trial(number);
        let stored = trials.iter().find(|(trial, _)| *trial == id);
        for file in std::fs::read_dir(entry.path())
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = file.file_name();
            let name = name.to_string_lossy();
            if !is_needed(&name, stored.map(|(_, trial)| trial), best == Some(id)) {
                // Left for the next time where it does not go.
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
    Ok(())
}

/// Whether a trial's file is still needed. What is not known here is left alone.
fn is_needed(name: &str, trial: Option<&TrialRecord>, is_best: bool) -> bool {
    if name.ends_with(".part") {
        return false;
    }
    let step = name.strip_prefix("step-");
    if let Some(step) = step.and_then(|rest| rest.strip_suffix(".ckpt")) {
        let steps = trial.into_iter().flat_map(|trial| &trial.checkpoints);
        return steps
            .map(|known| known.step.to_string())
            .any(|known| known == step);
    }
    if name == "model.safetensors" {
        return trial.is_some_and(|trial| keeps_model(trial, is_best));
    }
    true
}

/// A trial that has not ended may still become the best one.
fn keeps_model(trial: &TrialRecord, is_best: bool) -> bool {
    trial.model.is_some() && (is_best || trial.ended_unix_ms.is_none())
}

/// The best trial of those that have a model.
fn best(id: StudyId, study: &StudyRecord, trials: &[(TrialId, TrialRecord)]) -> Option<TrialId> {
    let mut census = Census::of(id, study);
    trials
        .iter()
        .for_each(|(id, trial)| census.count(*id, trial));
    census.best_with_model()
}

/// What a look at all files found.
#[derive(Debug, Default)]
pub(super) struct Verified {
    pub(super) read: u64,
    pub(super) bytes: u64,
    /// What is not as it was written, a sentence each.
    pub(super) damage: Vec<String>,
}

/// Reads every checkpoint and model that is stored, wherever its trial is by now.
///
/// # Errors
/// The store's.
pub(super) fn verify(store: &Store, folder: &Path) -> Result<Verified, Error> {
    let mut verified = Verified::default();
    for (study, record) in store.list_studies()? {
        let trials = store.list_trials(study)?;
        let best = best(study, &record, &trials);
        let folder = folder.join(study.to_string());
        for (id, trial) in &trials {
            let mut note = |read: Result<u64, String>, is_needed: &dyn Fn(&TrialRecord) -> bool| {
                match read {
                    Ok(bytes) => {
                        verified.read += 1;
                        verified.bytes += bytes;
                    }
                    // It may have been replaced or deleted since the record was read.
                    Err(_) if !store.trial(*id).is_ok_and(|now| is_needed(&now)) => {}
                    Err(damage) => verified.damage.push(format!("trial {id}: {damage}")),
                }
            };
            for checkpoint in &trial.checkpoints {
                let path = file::checkpoint(&folder, id.number, checkpoint.step);
                let is_kept = |now: &TrialRecord| now.checkpoints.contains(checkpoint);
                note(look_at_checkpoint(&path, checkpoint.step), &is_kept);
            }
            if keeps_model(trial, best == Some(*id)) {
                let path = file::model(&folder, id.number);
                let read = model(&path).map(|bytes| bytes.len() as u64);
                let is_kept = |now: &TrialRecord| now.ended_unix_ms == trial.ended_unix_ms;
                note(read.map_err(|error| error.to_string()), &is_kept);
            }
        }
    }
    Ok(verified)
}

/// The length of a checkpoint that is whole.
fn look_at_checkpoint(path: &Path, step: u64) -> Result<u64, String> {
    let looked = Saved::read(path).and_then(|bytes| {
        let saved = Saved::peek(&bytes)?;
        let reason = format!("it holds step {}, not {step}", saved.step());
        match saved.step() == step {
            true => Ok(bytes.len() as u64),
            false => Err(CheckpointError::Damaged { reason }),
        }
    });
    looked.map_err(|error| format!("the checkpoint {} cannot be used: {error}", path.display()))
}

/// The content of a model's file that is whole.
///
/// # Errors
/// What is wrong with it.
pub(super) fn model(path: &Path) -> Result<Vec<u8>, ModelError> {
    Artifact::read(path)
}

/// Takes checkpoints out of the list until enough is freed; gives their steps.
fn choose(checkpoints: &mut Vec<Checkpoint>, left: &mut u64) -> Vec<u64> {
    checkpoints.sort_by_key(|checkpoint| (checkpoint.kept_as != KeptAs::Rung, checkpoint.step));
    let mut gone = Vec::new();
    checkpoints.retain(|checkpoint| {
        if *left == 0 {
            return true;
        }
        *left = left.saturating_sub(checkpoint.bytes);
        gone.push(checkpoint.step);
        false
    });
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(step: u64, kept_as: KeptAs) -> Checkpoint {
        Checkpoint {
            step,
            epoch: 1,
            bytes: 100,
            kept_as,
        }
    }

    #[test]
    fn rungs_go_first_and_no_more_than_needed() {
        let all = || {
            vec![
                checkpoint(30, KeptAs::Last),
                checkpoint(20, KeptAs::Rung),
                checkpoint(10, KeptAs::Rung),
            ]
        };
        for (too_much, expected) in [
            (0, vec![]),
            (1, vec![10]),
            (100, vec![10]),
            (101, vec![10, 20]),
            (1_000, vec![10, 20, 30]),
        ] {
            let mut kept = all();
            assert_eq!(
                choose(&mut kept, &mut too_much.clone()),
                expected,
                "{too_much}"
            );
            assert_eq!(kept.len() + expected.len(), 3);
        }
    }

    #[test]
    fn bytes_are_those_of_all_folders_below() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("s1")).unwrap();
        std::fs::write(folder.path().join("s1/a"), [0; 10]).unwrap();
        std::fs::write(folder.path().join("b"), [0; 5]).unwrap();
        assert_eq!(bytes(folder.path()), 15);
        assert_eq!(bytes(&folder.path().join("nothing")), 0);
    }
}
