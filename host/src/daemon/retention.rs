//! What is kept, and for how long: old histories are thinned out where the configuration says how
//! many are to stay whole, and the builds of plugins that a study began with stay as long as it does.

use attune_store::{Error, Store, TrialId};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often is looked whether there are too many.
const EVERY: Duration = Duration::from_secs(60);

/// Keeps the exact steps of the `keep` trials that ended last; of others their curves stay.
pub(super) async fn retain(store: Arc<Store>, keep: u32) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let store = Arc::clone(&store);
        let thinned = tokio::task::spawn_blocking(move || thin(&store, keep as usize)).await;
        if let Ok(Err(error)) = thinned {
            tracing::warn!(%error, "cannot thin out old histories");
        }
    }
}

/// How often the builds that studies need are marked as needed.
const MARK_EVERY: Duration = Duration::from_secs(24 * 3600);

/// Keeps the private copies of the plugins of every study that is stored: copies that nobody used for
/// long are removed, and a study goes on with its own builds or not at all.
pub(super) async fn keep_builds(store: Arc<Store>, copies: PathBuf) {
    let mut ticks = tokio::time::interval(MARK_EVERY);
    loop {
        ticks.tick().await;
        let (store, copies) = (Arc::clone(&store), copies.clone());
        let marked = tokio::task::spawn_blocking(move || mark(&store, &copies)).await;
        if let Ok(Err(error)) = marked {
            tracing::warn!(%error, "cannot tell which plugins' copies are needed");
        }
    }
}

fn mark(store: &Store, copies: &Path) -> Result<(), Error> {
    for (_, study) in store.list_studies()? {
        for build in study.plugins.values().chain(study.swapped.values()) {
            attune_loader::mark_used(&attune_loader::copy_of(&build.build_hash, copies));
        }
    }
    Ok(())
}

fn thin(store: &Store, keep: usize) -> Result<(), Error> {
    for id in beyond(ended(store)?, keep) {
        let history = store.history(id)?;
        if history.thinned < history.rows {
            store.thin(id)?;
        }
    }
    Ok(())
}

/// Trials that have ended, and when.
fn ended(store: &Store) -> Result<Vec<(u64, TrialId)>, Error> {
    let mut ended = Vec::new();
    for (study, record) in store.list_studies()? {
        // The trials of a study that can still go on may do so too.
        if record.ended_unix_ms.is_none() {
            continue;
        }
        for (id, trial) in store.list_trials(study)? {
            ended.extend(trial.ended_unix_ms.map(|at| (at, id)));
        }
    }
    Ok(ended)
}

/// All but those that ended last.
fn beyond(mut ended: Vec<(u64, TrialId)>, keep: usize) -> Vec<TrialId> {
    ended.sort_unstable();
    ended.truncate(ended.len().saturating_sub(keep));
    ended.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use attune_store::StudyId;

    #[test]
    fn those_that_ended_last_are_kept() {
        let trial = |number| StudyId(1).trial(number);
        let ended = || vec![(30, trial(0)), (10, trial(1)), (20, trial(2))];
        assert_eq!(beyond(ended(), 3), []);
        assert_eq!(beyond(ended(), 2), [trial(1)]);
        assert_eq!(beyond(ended(), 0), [trial(1), trial(2), trial(0)]);
    }
}
