//! `attune export | import`: studies as files that other programs read, and back.

use super::reach;
use crate::cli::{ExportArgs, FormatArg, ImportArgs};
use crate::export::{self, Format, Target};
use crate::import;
use crate::places::Places;
use anyhow::bail;
use attune_protocol::client::Client;
use attune_protocol::{ImportedTrial, StepRows, StepsQuery};
use attune_store::Id;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// How long a large study may take to be taken in.
const IMPORT_WITHIN: Duration = Duration::from_secs(900);

pub(crate) async fn export(args: &ExportArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?;
    for line in write(&client, args).await? {
        say!("{}", attune_tui::clean(&line));
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a study as it is asked for; what to tell of it, a sentence each.
pub(super) async fn write(client: &Client, args: &ExportArgs) -> anyhow::Result<Vec<String>> {
    let Id::Study(id) = args.study.parse()? else {
        bail!(
            "`{}` is a trial; studies are exported as a whole",
            args.study
        );
    };
    let mut study = client.study(&id.to_string()).await?;
    // By their numbers and not by rank: so they keep them wherever they are read.
    study.trials.sort_by_key(|trial| match trial.id.parse() {
        Ok(Id::Trial(id)) => id.number,
        _ => u32::MAX,
    });
    let format = match args.format {
        FormatArg::Jsonl => Format::Jsonl,
        FormatArg::Csv => Format::Csv,
        FormatArg::Tensorboard => Format::TensorBoard,
        FormatArg::Optuna => Format::Optuna,
        FormatArg::Model => {
            let Some(to) = &args.to else {
                bail!("say with --to where the model is to be saved");
            };
            if to.exists() && !args.force {
                bail!(
                    "{} is there already; name another place, or add --force",
                    to.display()
                );
            }
            super::launch::fetch_model(client, &id.to_string(), to).await?;
            return Ok(vec![format!("saved the model as {}", to.display())]);
        }
    };
    // Only where it is written to: the dashboard, which exports too, draws there meanwhile.
    let mut stdout;
    let target = match &args.to {
        Some(path) => Target::Path {
            path,
            force: args.force,
        },
        None => {
            stdout = std::io::stdout().lock();
            Target::Stream(&mut stdout)
        }
    };
    let (epochs, steps) = (format.wants_epochs(&target), format.wants_steps(&target));
    // One after the other: the memory that is needed is that of one trial.
    let mut trials = study.trials.iter().map(|summary| {
        let fetched = fetch(client, &summary.id, epochs, steps);
        block_in_place(|| Handle::current().block_on(fetched))
    });
    let done = export::export(format, &study, &mut trials, target)?;
    let mut told: Vec<String> = done
        .notes
        .iter()
        .map(|note| format!("note: {note}"))
        .collect();
    told.push(format!(
        "wrote {} trials, {} epochs and {} steps{}",
        done.trials,
        done.epochs,
        done.steps,
        match &args.to {
            Some(path) => format!(" to {}", path.display()),
            None => String::new(),
        }
    ));
    Ok(told)
}

/// A trial, with as much of its history as is wanted.
async fn fetch(
    client: &Client,
    id: &str,
    epochs: bool,
    steps: bool,
) -> anyhow::Result<ImportedTrial> {
    let detail = client.trial(id).await?;
    let mut by_epoch: BTreeMap<u32, BTreeMap<String, attune_protocol::Number>> = BTreeMap::new();
    if epochs {
        for curve in &detail.epoch_curves {
            for (epoch, value) in &curve.points {
                let metrics = by_epoch.entry(epoch.0 as u32).or_default();
                metrics.insert(curve.name.clone(), *value);
            }
        }
    }
    let mut rows = StepRows::default();
    let mut from = Some(0).filter(|_| steps);
    while let Some(first) = from {
        let query = StepsQuery {
            from: Some(first),
            limit: None,
        };
        let more = client.steps(id, &query).await?;
        rows.steps.extend(&more.steps);
        for (name, values) in more.columns {
            rows.columns.entry(name).or_default().extend(values);
        }
        from = more.next;
    }
    Ok(ImportedTrial {
        trial: detail.trial,
        epochs: by_epoch,
        steps: rows,
    })
}

pub(crate) async fn import(args: &ImportArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let imported = import::import(Path::new(&args.file))?;
    for warning in &imported.warnings {
        say!("warning: {}", attune_tui::clean(warning));
    }
    let client = reach::daemon(places).await?.within(IMPORT_WITHIN);
    for study in &imported.studies {
        let taken = client.import(study).await?;
        answer!("{}", taken.id);
        let trials = taken.trials.ended() + taken.trials.running;
        say!(
            "{} is {} with {trials} trials",
            taken.id,
            attune_tui::clean(&taken.name)
        );
    }
    Ok(ExitCode::SUCCESS)
}
