//! `attune fit`: a sensible study made from a data file, and run.

use super::launch::{host, launch};
use crate::cli::{FitArgs, TaskArg};
use crate::places::Places;
use crate::study::spec::StudySpec;
use anyhow::Context;
use attune_protocol::{Draft, LookForPlugins};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) async fn run(
    args: &FitArgs,
    places: &Places,
    plugins: &[PathBuf],
) -> anyhow::Result<ExitCode> {
    let data = absolute(&args.data)?;
    let base = args.base.as_deref().map(absolute).transpose()?;
    let (client, embedded) = host(&args.running, places).await?;
    let draft = Draft {
        data,
        target: args.target.clone().unwrap_or_default(),
        task: args.task.map(|task| match task {
            TaskArg::Classification => "classification".into(),
            TaskArg::Regression => "regression".into(),
            TaskArg::Text => "text".into(),
        }),
        protected: args.protected.clone(),
        metric: args.metric.clone(),
        schedulers: args.schedulers.clone(),
        models: args.models.clone(),
        base,
        trials: args.trials,
        budget: args.budget.clone(),
        seed: args.seed,
    };
    let text = client.draft(&draft).await?.spec;
    if let Some(path) = &args.save_study {
        std::fs::write(path, &text)
            .with_context(|| format!("cannot write the study file {}", path.display()))?;
    }
    let spec = StudySpec::parse(Path::new(""), &text)?;
    if !args.schedulers.is_empty() {
        let places = super::told_places(plugins)?;
        let known = client.look_for_plugins(&LookForPlugins { places }).await?;
        let known = super::plugin::names(&known);
        for scheduler in &args.schedulers {
            super::plugin::check_name(scheduler, &known).context("--schedulers")?;
        }
    }
    launch(client, embedded, &spec, plugins, &args.running, places).await
}

fn absolute(path: &Path) -> anyhow::Result<String> {
    let absolute = std::path::absolute(path)
        .with_context(|| format!("cannot tell where {} lies", path.display()))?;
    let text = absolute.to_str().with_context(|| {
        format!(
            "the path {} is not UTF-8; rename what it goes through",
            absolute.display()
        )
    })?;
    Ok(text.to_owned())
}
