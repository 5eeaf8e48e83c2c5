//! `attune fit`: a sensible study made from a CSV file, and run.

use super::launch::{host, launch};
use crate::cli::{FitArgs, TaskArg};
use crate::places::Places;
use crate::study::draft::Draft;
use crate::study::spec::StudySpec;
use anyhow::Context;
use attune_protocol::LookForPlugins;
use attune_trainer::data::Table;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) async fn run(
    args: &FitArgs,
    places: &Places,
    plugins: &[PathBuf],
) -> anyhow::Result<ExitCode> {
    let table = Table::read(&args.data)?;
    let data = std::path::absolute(&args.data)
        .with_context(|| format!("cannot tell where {} lies", args.data.display()))?;
    let draft = Draft {
        data: &data,
        target: &args.target,
        task: args.task.map(|task| match task {
            TaskArg::Classification => "classification",
            TaskArg::Regression => "regression",
        }),
        metric: args.metric.as_deref(),
        schedulers: &args.schedulers,
        trials: args.trials,
        budget: args.budget.as_deref(),
        seed: args.seed,
        rows: table.rows(),
    };
    let text = draft.to_toml();
    if let Some(path) = &args.save_study {
        std::fs::write(path, &text)
            .with_context(|| format!("cannot write the study file {}", path.display()))?;
    }
    let spec = StudySpec::parse(Path::new(""), &text)?;
    drop(table);
    let (client, embedded) = host(&args.running, places).await?;
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
