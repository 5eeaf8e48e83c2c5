//! `attune compare`: trials side by side.

use super::{Screen, open_store, trial_detail};
use crate::cli::CompareArgs;
use crate::convert;
use crate::places::Places;
use anyhow::{Context, bail};
use attune_store::{Id, Store, TrialId};
use attune_tui::summary::{self, Objective};
use std::process::ExitCode;

pub(crate) fn run(args: &CompareArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let store = open_store(places, "attune compare")?;
    let mut ids = Vec::new();
    for text in &args.ids {
        let id = trial_meant(&store, text)?;
        if ids.contains(&id) {
            bail!("{text} stands for {id}, which is already compared; name another trial");
        }
        ids.push(id);
    }
    let objective = common_objective(&store, &ids)?;
    let trials = ids
        .iter()
        .map(|id| trial_detail(&store, *id))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Screen::stdout().print(args.json, &trials, |width, style| {
        summary::compare(&trials, &objective, width, style)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A trial by its id, or a study's best one.
fn trial_meant(store: &Store, text: &str) -> anyhow::Result<TrialId> {
    let study = match store.resolve(text)? {
        Id::Trial(id) => return Ok(id),
        Id::Study(id) => id,
    };
    let trials = store.list_trials(study)?;
    let trials = trials.iter().map(|(id, trial)| (*id, trial));
    let (best, _) = convert::best(&store.study(study)?, trials)
        .with_context(|| format!("study {study} has no trial with a result to compare"))?;
    Ok(best)
}

/// The metric that all trials are judged by.
fn common_objective(store: &Store, ids: &[TrialId]) -> anyhow::Result<Objective> {
    let mut common: Option<Objective> = None;
    for id in ids {
        let study = store.study(id.study)?;
        let objective = Objective {
            direction: convert::direction(study.direction),
            metric: study.metric,
        };
        match &common {
            Some(first) if *first != objective => bail!(
                "{} is judged by {} and {id} by {}; compare trials with the same objective",
                ids[0],
                first.metric,
                objective.metric
            ),
            _ => common = Some(objective),
        }
    }
    common.context("nothing to compare")
}
