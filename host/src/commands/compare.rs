//! `attune compare`: trials side by side.

use super::{Screen, reach};
use crate::cli::CompareArgs;
use crate::places::Places;
use anyhow::{Context, bail};
use attune_protocol::client::Client;
use attune_store::{Id, TrialId};
use attune_tui::summary::{self, Objective};
use std::process::ExitCode;

pub(crate) async fn run(args: &CompareArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?;
    let mut ids = Vec::new();
    for text in &args.ids {
        let id = trial_meant(&client, text).await?;
        if ids.contains(&id) {
            bail!("{text} stands for {id}, which is already compared; name another trial");
        }
        ids.push(id);
    }
    let mut trials = Vec::new();
    for id in &ids {
        trials.push(client.trial(&id.to_string()).await?);
    }
    let objective = common_objective(&client, &ids).await?;
    Screen::stdout().print(args.json, &trials, |width, style| {
        summary::compare(&trials, &objective, width, style)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A trial by its id, or a study's best one.
async fn trial_meant(client: &Client, text: &str) -> anyhow::Result<TrialId> {
    let study = match text.parse()? {
        Id::Trial(id) => return Ok(id),
        Id::Study(id) => id,
    };
    let detail = client.study(&study.to_string()).await?;
    let best = detail
        .study
        .best_trial
        .with_context(|| format!("study {study} has no trial with a result to compare"))?;
    match best.parse()? {
        Id::Trial(id) => Ok(id),
        Id::Study(_) => bail!("the daemon named {best} as the best trial of study {study}"),
    }
}

/// The metric that all trials are judged by.
async fn common_objective(client: &Client, ids: &[TrialId]) -> anyhow::Result<Objective> {
    let mut common: Option<Objective> = None;
    for id in ids {
        let study = client.study(&id.study.to_string()).await?.study;
        let objective = Objective {
            direction: study.direction,
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
