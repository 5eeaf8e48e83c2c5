//! What `fit` and `run` share: from a checked study file to a leaderboard and a saved model.

use super::{INTERRUPTED, SOME_FAILED, Screen, audience, open_store, study_detail};
use crate::cli::RunningArgs;
use crate::convert;
use crate::engine::{Coordinator, Cut, Ending, Interrupt, Plan, Workshop};
use crate::places::Places;
use crate::study::reader::nearest;
use crate::study::space::StudySpace;
use crate::study::spec::StudySpec;
use crate::study::trial::Common;
use anyhow::{Context, bail};
use attune_loader::Plugins;
use attune_protocol::{StudyDetail, TrialState};
use attune_search::Direction;
use attune_store::{PluginBuild, Store, StudyId};
use attune_trainer::artifact::Model;
use attune_trainer::data::{ColumnAction, DataOptions, Dataset, Shares, Table};
use attune_trainer::metrics::Metric;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::watch;

pub(crate) fn launch(
    spec: StudySpec,
    table: &Table,
    plugins: Plugins,
    running: &RunningArgs,
    places: &Places,
    holder: &str,
) -> anyhow::Result<ExitCode> {
    attune_trainer::use_one_thread()?;
    let descriptions: Vec<_> = plugins.schedulers().map(|s| s.description).collect();
    let space = StudySpace::resolve(&spec, &descriptions)?;
    let dataset = Arc::new(prepare(&spec, table)?);
    let objective = objective(&spec, &dataset)?;
    let out = model_path(&spec, running)?;
    let notes = notes(&dataset);
    if !running.json {
        for note in &notes {
            eprintln!("{}", attune_tui::clean(note));
        }
    }

    let store = open_store(places, holder)?;
    let plan = Plan {
        metric: objective.name().into(),
        direction: if objective.minimized() {
            Direction::Minimize
        } else {
            Direction::Maximize
        },
        parallel: parallel(&spec, running),
        builds: builds(&plugins, &space.schedulers()),
        notes,
        space,
        spec,
    };
    let common = Common::of(&plan.spec, objective);
    let workshop = Arc::new(Workshop::new(plugins, dataset, common));
    let ending = run(plan, &workshop, &store, running.json)?;

    // The leaderboard comes first, so that it is seen even if the model cannot be saved; only JSON,
    // which is printed once, waits for the test metrics.
    let board = |detail: &StudyDetail| {
        Screen::stdout().print(running.json, detail, |width, style| {
            attune_tui::summary::leaderboard(detail, 20, width, style)
        })
    };
    if !running.json {
        board(&study_detail(&store, ending.study)?)?;
    }
    let model = save_best(&ending, &workshop, &store, &out)?;
    let detail = study_detail(&store, ending.study)?;
    if running.json {
        board(&detail)?;
    }
    conclude(
        running.json,
        &detail,
        &ending,
        model.as_ref().map(|model| (model, out.as_path())),
    )
}

/// Runs the coordinator on this thread, and trials on others.
fn run(plan: Plan, workshop: &Arc<Workshop>, store: &Store, json: bool) -> anyhow::Result<Ending> {
    let mut audience = audience(json, plan.spec.budget);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(plan.parallel)
        .enable_all()
        .build()
        .context("cannot start the coordinator's threads")?;
    let ending = runtime.block_on(async {
        let interrupt = listen_for_signals();
        let coordinator = Coordinator::new(plan, Arc::clone(workshop), store, audience.as_mut())?;
        coordinator.run(interrupt).await
    });
    // Whatever still trains was told to stop; nobody waits for it.
    runtime.shutdown_background();
    ending
}

/// The first Ctrl-C or SIGTERM asks the study to end; a second one ends the program at once.
fn listen_for_signals() -> Interrupt {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let why = signalled().await;
        // The study may be over already.
        let _ = sender.send(Some(why));
        signalled().await;
        std::process::exit(INTERRUPTED.into());
    });
    receiver
}

#[cfg(unix)]
async fn signalled() -> String {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return interrupted().await;
    };
    tokio::select! {
        why = interrupted() => why,
        _ = terminate.recv() => "the program was told to terminate".into(),
    }
}

#[cfg(not(unix))]
async fn signalled() -> String {
    interrupted().await
}

async fn interrupted() -> String {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "interrupted with Ctrl-C".into(),
        // Without a handler the system's own applies, which ends the program.
        Err(_) => std::future::pending().await,
    }
}

fn prepare(spec: &StudySpec, table: &Table) -> anyhow::Result<Dataset> {
    let data = &spec.data;
    Ok(Dataset::prepare(
        table,
        &DataOptions {
            task: data.task,
            shares: Shares {
                train: 1.0 - data.valid - data.test,
                valid: data.valid,
                test: data.test,
            },
            seed: spec.seed,
            ignore: data.ignore.clone(),
            ..DataOptions::of_target(&data.target)
        },
    )?)
}

fn objective(spec: &StudySpec, dataset: &Dataset) -> anyhow::Result<Metric> {
    let kind = dataset.task().kind();
    let Some(name) = &spec.metric else {
        return Ok(Metric::default_objective(kind));
    };
    let known = Metric::of(kind);
    let names = || known.iter().map(|metric| metric.name());
    let found = known.iter().find(|metric| metric.name() == name);
    found.copied().with_context(|| {
        let hint = nearest(name, names())
            .map(|right| format!("; did you mean `{right}`?"))
            .unwrap_or_default();
        let all: Vec<&str> = names().collect();
        // What `fit` drafted is no file that could be named.
        let place = match spec.path.as_os_str().is_empty() {
            true => "--metric".into(),
            false => spec.path.display().to_string(),
        };
        format!(
            "{place}: the metric `{name}` does not fit the target `{}`; it can be {}{hint}",
            spec.data.target,
            all.join(", ")
        )
    })
}

/// What was done to the data, a sentence each. Columns that were treated alike share one.
fn notes(dataset: &Dataset) -> Vec<String> {
    let mut treated: Vec<(String, Vec<&str>)> = Vec::new();
    for report in dataset.report() {
        let how = match report.action {
            ColumnAction::Encoded => format!("used, {}", report.detail),
            ColumnAction::Dropped => format!("left out, {}", report.detail),
            ColumnAction::Predicted => format!("the target, {}", report.detail),
        };
        match treated.iter_mut().find(|(known, _)| *known == how) {
            Some((_, columns)) => columns.push(&report.column),
            None => treated.push((how, vec![&report.column])),
        }
    }
    let columns = treated
        .iter()
        .map(|(how, columns)| match columns.as_slice() {
            [first, second, third, _, ..] => {
                let others = columns.len() - 3;
                format!("{first}, {second}, {third} and {others} more: {how}")
            }
            few => format!("{}: {how}", few.join(", ")),
        });
    dataset.notes().iter().cloned().chain(columns).collect()
}

fn parallel(spec: &StudySpec, running: &RunningArgs) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    running
        .parallel
        .map(usize::from)
        .or(spec.parallel)
        .unwrap_or(cores)
}

fn builds(plugins: &Plugins, schedulers: &[String]) -> BTreeMap<String, PluginBuild> {
    schedulers
        .iter()
        .filter_map(|name| {
            let library = plugins.find(name).ok()?.library;
            let build = PluginBuild {
                name: library.description().name.clone(),
                version: library.description().version.clone(),
                build_hash: library.hash().to_owned(),
            };
            Some((name.clone(), build))
        })
        .collect()
}

/// Where the model goes: a file that is not there yet, or one of ours.
fn model_path(spec: &StudySpec, running: &RunningArgs) -> anyhow::Result<PathBuf> {
    let path = running
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.safetensors", spec.name)));
    if path.exists() && Model::load(&path).is_err() {
        bail!(
            "{} exists and is not a model of Attune's; name another place for the model with --out",
            path.display()
        );
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        bail!(
            "the model cannot be saved as {}: there is no folder {}; make it, or name another \
             place with --out",
            path.display(),
            folder.display()
        );
    }
    Ok(path)
}

/// Measures the best trial on the test rows, which nothing was chosen by, stores that with it, and
/// saves its model.
fn save_best(
    ending: &Ending,
    workshop: &Workshop,
    store: &Store,
    out: &Path,
) -> anyhow::Result<Option<Model>> {
    let Some(best) = ending.best else {
        return Ok(None);
    };
    let id = ending.study.trial(u32::try_from(best.0)?);
    let mut record = store.trial(id)?;
    let training = serde_json::json!({
        "trial": id.to_string(),
        "config": convert::trial(id, &record, "").config,
        "plugin": record.plugin.as_ref().map(|plugin| &plugin.build_hash),
        "attune": env!("CARGO_PKG_VERSION"),
    });
    let Some(model) = workshop.model(best, training) else {
        return Ok(None);
    };
    let model = model.with_context(|| format!("trial {id}"))?;
    for (metric, value) in &model.card().test {
        record
            .final_metrics
            .insert(format!("test_{metric}"), *value);
    }
    store.put_trial(id, &record)?;
    model.save(out)?;
    Ok(Some(model))
}

fn all_diverged(detail: &StudyDetail) -> bool {
    let bad = |state| matches!(state, TrialState::Diverged | TrialState::Failed);
    detail.trials.iter().all(|trial| bad(trial.state))
}

/// The best trial against the best one that another scheduler steered.
fn suggested_comparison(detail: &StudyDetail) -> String {
    let best = detail.trials.first();
    let rival = best.and_then(|best| {
        let others = detail.trials.iter().skip(1);
        others
            .filter(|other| other.value.is_some())
            .find(|other| other.scheduler != best.scheduler)
    });
    match (best, rival) {
        (Some(best), Some(rival)) => format!(", attune compare {} {}", best.id, rival.id),
        _ => String::new(),
    }
}

/// Says what came of it, and which exit code that is.
fn conclude(
    json: bool,
    detail: &StudyDetail,
    ending: &Ending,
    model: Option<(&Model, &Path)>,
) -> anyhow::Result<ExitCode> {
    let study: StudyId = ending.study;
    if let Some((model, path)) = model.filter(|_| !json) {
        let test: Vec<String> = model
            .card()
            .test
            .iter()
            .map(|(metric, value)| format!("{metric} {}", attune_tui::significant(*value)))
            .collect();
        let best = detail.study.best_trial.as_deref().unwrap_or_default();
        if !test.is_empty() {
            eprintln!(
                "best trial {best}, on test rows it never saw: {}",
                test.join(", ")
            );
        }
        eprintln!("saved its model as {}", path.display());
        eprintln!(
            "look closer: attune show {best}{}",
            suggested_comparison(detail)
        );
    }
    let failed: Vec<_> = detail
        .trials
        .iter()
        .filter(|trial| trial.state == TrialState::Failed)
        .collect();
    for trial in failed.iter().take(3) {
        let reason = trial.reason.as_deref().unwrap_or("no reason was given");
        eprintln!(
            "error: trial {} failed: {}",
            trial.id,
            attune_tui::clean(reason)
        );
    }
    if failed.len() > 3 {
        eprintln!(
            "error: {} more trials failed; see `attune ls {study}`",
            failed.len() - 3
        );
    }
    match &ending.cut {
        Some(Cut::Interrupted(why)) => {
            eprintln!("{why}; what was done so far is stored: `attune show {study}`");
            Ok(ExitCode::from(INTERRUPTED))
        }
        _ if model.is_none() => bail!("no trial of study {study} came to a result"),
        _ if all_diverged(detail) => bail!(
            "every trial of study {study} diverged or failed; lower the learning rate, or set \
             `clip_norm`"
        ),
        _ if !failed.is_empty() => Ok(ExitCode::from(SOME_FAILED)),
        _ => Ok(ExitCode::SUCCESS),
    }
}
