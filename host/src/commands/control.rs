//! `attune pause | resume | stop | rm | steer | fork`: taking hold of what runs.

use super::launch::{Follow, follow};
use super::reach;
use crate::cli::{ForkArgs, ResumeArgs, RetryArgs, SteerArgs, TargetArgs};
use crate::places::Places;
use anyhow::{Context, bail};
use attune_protocol::client::Client;
use attune_protocol::{Fork, NewStudy, Number, ResumeStudy, Scalar, Steer, StudyState};
use attune_store::Id;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

/// How long the daemon may take to look at data and plugins.
const CHECK_WITHIN: Duration = Duration::from_secs(900);

/// A study or a trial, as its canonical id.
fn id(text: &str) -> anyhow::Result<Id> {
    Ok(text.parse()?)
}

pub(crate) async fn pause(args: &TargetArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?;
    for text in &args.ids {
        match id(text)? {
            Id::Study(id) => {
                let study = client.pause_study(&id.to_string()).await?;
                match study.state {
                    StudyState::Running => say!("{}", still_halting(&study.id)),
                    _ => say!("{id} is paused; `attune resume {id}` lets it go on"),
                }
            }
            Id::Trial(id) => {
                client.pause_trial(&id.to_string()).await?;
                say!("{id} is being paused; `attune resume {id}` lets it go on");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A worker may be inside a plugin that takes long.
fn still_halting(id: &str) -> String {
    format!(
        "{id} comes to a halt, but its workers have not laid down their work yet; `attune status` \
         says what they do"
    )
}

pub(crate) async fn stop(args: &TargetArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?;
    for text in &args.ids {
        match id(text)? {
            Id::Study(id) => {
                let study = client.stop_study(&id.to_string()).await?;
                match study.state {
                    StudyState::Running => say!("{}", still_halting(&study.id)),
                    _ => say!("{id} is stopped; what it has is kept: `attune show {id}`"),
                }
            }
            Id::Trial(id) => {
                client.stop_trial(&id.to_string()).await?;
                say!("{id} is being stopped; what it has is kept");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn remove(args: &TargetArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?;
    for text in &args.ids {
        match id(text)? {
            Id::Study(id) => {
                client.delete_study(&id.to_string()).await?;
                say!("{id} is gone, with its histories, checkpoints and models");
            }
            Id::Trial(id) => bail!(
                "{id} is a part of what study {} came to, and cannot be removed from it; \
                 `attune rm {}` removes all of it",
                id.study,
                id.study
            ),
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn resume(args: &ResumeArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?.within(CHECK_WITHIN);
    let study = match id(&args.id)? {
        Id::Study(id) => id.to_string(),
        Id::Trial(id) => {
            client.resume_trial(&id.to_string()).await?;
            say!("{id} goes on");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let (mut spec, mut file) = (None, None);
    if let Some(path) = &args.study {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the study file {}", path.display()))?;
        let whole = std::path::absolute(path)
            .with_context(|| format!("cannot tell where {} lies", path.display()))?;
        spec = Some(text);
        file = Some(whole.to_string_lossy().into_owned());
    }
    let more = ResumeStudy {
        trials: args.trials,
        budget: args.budget.clone(),
        spec,
        file,
        parallel: args.parallel,
    };
    let resumed = client.resume_study(&study, &more).await?;
    for change in &resumed.changes {
        say!("changed: {}", attune_tui::clean(change));
    }
    say!("{study} goes on; `attune ls {study}` shows it");
    if !args.wait {
        return Ok(ExitCode::SUCCESS);
    }
    let how = Follow {
        budget: None,
        json: false,
        out: None,
    };
    follow(&client, places, &study, resumed.event, &how).await
}

pub(crate) async fn steer(args: &SteerArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?;
    let Id::Trial(id) = id(&args.trial)? else {
        bail!(
            "`{}` is a study; name one of its trials, as {}.0",
            args.trial,
            args.trial
        );
    };
    let wish = match (args.lr, &args.scheduler) {
        (Some(lr), None) => Steer::SetRate(Number(lr)),
        (None, Some(scheduler)) => Steer::Swap {
            scheduler: scheduler.clone(),
            params: assignments(&args.set)?
                .into_iter()
                .map(|(name, text)| (name, scalar(&text)))
                .collect(),
        },
        _ => bail!("say either --lr or --scheduler"),
    };
    let trial = client.steer(&id.to_string(), &wish).await?;
    let step = trial.interventions.last().map_or(0, |done| done.step);
    say!("done before step {step}; it is recorded with the trial");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn fork(args: &ForkArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?.within(CHECK_WITHIN);
    let Id::Trial(id) = id(&args.trial)? else {
        bail!(
            "`{}` is a study; name one of its trials, as {}.0",
            args.trial,
            args.trial
        );
    };
    let fork = Fork {
        at: args.at,
        scheduler: args.scheduler.clone(),
        set: assignments(&args.set)?,
    };
    let forked = client.fork(&id.to_string(), &fork).await?;
    let study = forked.study.id;
    say!(
        "{study}.0 goes on from {id} at step {}; compare them with `attune compare {id} {study}`",
        forked.step
    );
    answer_or_follow(&client, places, &study, forked.event, args.wait).await
}

pub(crate) async fn retry(args: &RetryArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?.within(CHECK_WITHIN);
    let Id::Trial(id) = id(&args.trial)? else {
        bail!(
            "`{}` is a study; name one of its trials, as {}.0",
            args.trial,
            args.trial
        );
    };
    let again = client.retry_trial(&id.to_string()).await?;
    let study = again.study.id;
    say!(
        "{study}.0 is {id} once more, from its beginning; compare them with `attune compare {id} \
         {study}`"
    );
    answer_or_follow(&client, places, &study, again.event, args.wait).await
}

/// Names a study that was made, or watches it to its end.
async fn answer_or_follow(
    client: &Client,
    places: &Places,
    study: &str,
    event: u64,
    wait: bool,
) -> anyhow::Result<ExitCode> {
    if !wait {
        answer!("{study}");
        return Ok(ExitCode::SUCCESS);
    }
    let how = Follow {
        budget: None,
        json: false,
        out: None,
    };
    follow(client, places, study, event, &how).await
}

/// `NAME=VALUE` for each.
fn assignments(given: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    given
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => bail!("--set {text} must be NAME=VALUE"),
        })
        .collect()
}

/// A value as a user writes it.
fn scalar(text: &str) -> Scalar {
    if let Ok(value) = text.parse() {
        return Scalar::Bool(value);
    }
    if let Ok(value) = text.parse() {
        return Scalar::Int(value);
    }
    match text.parse() {
        Ok(value) => Scalar::Float(Number(value)),
        Err(_) => Scalar::Text(text.to_owned()),
    }
}

/// Hands a study to the daemon.
pub(crate) async fn submit(
    client: &Client,
    study: &NewStudy,
) -> anyhow::Result<attune_protocol::Created> {
    Ok(client
        .clone()
        .within(CHECK_WITHIN)
        .create_study(study)
        .await?)
}
