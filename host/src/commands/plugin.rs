//! `attune plugin`: what schedulers there are and what they take.

use super::{params, reach};
use crate::cli::PluginCommand;
use crate::places::Places;
use crate::study::reader::nearest;
use anyhow::{Context, bail};
use attune_plugin_api::Signal;
use attune_plugin_api::describe::{Description, Library};
use attune_protocol::{LookForPlugins, PluginInfo};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// A scheduler and the library that holds it.
struct Scheduler {
    description: Description,
    library: Library,
    info: PluginInfo,
}

pub(crate) async fn run(
    command: PluginCommand,
    places: &Places,
    named: &[PathBuf],
) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?;
    match command {
        PluginCommand::Ls { scheduler, json } => {
            let look = LookForPlugins {
                places: super::told_places(named)?,
            };
            let plugins = client.look_for_plugins(&look).await?;
            ls(&plugins, scheduler, json)
        }
        PluginCommand::Release { plugin } => {
            client.release_plugin(&plugin).await?;
            say!("{plugin} may run again");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn ls(plugins: &[PluginInfo], name: Option<String>, json: bool) -> anyhow::Result<ExitCode> {
    let schedulers = schedulers(plugins)?;
    let mut out = std::io::stdout().lock();
    match (name, json) {
        (None, false) => list(&schedulers, &mut out)?,
        (None, true) => {
            let all: Vec<_> = schedulers.iter().map(as_json).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        }
        (Some(name), json) => {
            check_name(&name, &names(plugins))?;
            let found = schedulers.iter().find(|s| s.description.name == name);
            let scheduler = found.context("the scheduler is gone again")?;
            if json {
                writeln!(
                    out,
                    "{}",
                    serde_json::to_string_pretty(&as_json(scheduler))?
                )?;
            } else {
                page(scheduler, &mut out)?;
            }
        }
    }
    out.flush().context("cannot write to stdout")?;
    let mut has_errors = false;
    for plugin in plugins {
        let path = attune_tui::clean(&plugin.path);
        if let Some(quarantine) = &plugin.quarantine {
            has_errors = true;
            say!(
                "error: the plugin {path} is in quarantine: {}; `attune plugin release {}` lifts it",
                attune_tui::clean(&quarantine.reason),
                attune_tui::clean(&quarantine.name)
            );
        } else if let Some(error) = &plugin.error {
            has_errors = true;
            say!(
                "error: cannot load the plugin {path}: {}",
                attune_tui::clean(error)
            );
        }
    }
    Ok(match has_errors {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn schedulers(plugins: &[PluginInfo]) -> anyhow::Result<Vec<Scheduler>> {
    let mut schedulers = Vec::new();
    for info in plugins {
        let Some(library) = &info.library else {
            continue;
        };
        let library: Library = serde_json::from_value(library.clone())
            .with_context(|| format!("the daemon describes {} in an unknown form", info.path))?;
        for description in &library.schedulers {
            schedulers.push(Scheduler {
                description: description.clone(),
                library: library.clone(),
                info: info.clone(),
            });
        }
    }
    Ok(schedulers)
}

/// The names of all schedulers, sorted.
pub(crate) fn names(plugins: &[PluginInfo]) -> Vec<String> {
    let schedulers = schedulers(plugins).unwrap_or_default();
    let mut names: Vec<String> = schedulers.into_iter().map(|s| s.description.name).collect();
    names.sort_unstable();
    names
}

/// A scheduler must be known; the nearest one is suggested for a name that nobody has.
pub(crate) fn check_name(name: &str, known: &[String]) -> anyhow::Result<()> {
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    match nearest(name, known.iter().map(String::as_str)) {
        Some(right) => bail!("no plugin holds a scheduler `{name}`; did you mean `{right}`?"),
        None => bail!(
            "no plugin holds a scheduler `{name}`; loaded are: {}",
            known.join(", ")
        ),
    }
}

fn list(schedulers: &[Scheduler], out: &mut impl Write) -> std::io::Result<()> {
    let lengths = schedulers.iter().map(|s| s.description.name.len());
    let width = lengths.max().unwrap_or(0);
    let mut last = "";
    for scheduler in schedulers {
        let (library, path) = (&scheduler.library, scheduler.info.path.as_str());
        if path != last {
            last = path;
            writeln!(out, "{} {}  {path}", library.name, library.version)?;
        }
        let description = &scheduler.description;
        writeln!(
            out,
            "  {:width$}  {}",
            description.name, description.summary
        )?;
    }
    if schedulers.is_empty() {
        writeln!(
            out,
            "no plugins found; build them with `cargo build --release`"
        )?;
    }
    Ok(())
}

fn page(scheduler: &Scheduler, out: &mut impl Write) -> std::io::Result<()> {
    let Scheduler {
        description,
        library,
        info,
    } = scheduler;
    writeln!(out, "{}: {}", description.name, description.summary)?;
    if !description.reference.is_empty() {
        writeln!(out, "{}", description.reference)?;
    }
    let mut reads: Vec<String> = description.signals.iter().map(Signal::to_string).collect();
    if description.metric {
        reads.push("the session's metric".into());
    }
    if reads.is_empty() {
        reads.push("nothing but the step".into());
    }
    writeln!(out, "reads: {}", reads.join(", "))?;
    writeln!(
        out,
        "from: {} {} ({})",
        library.name, library.version, info.path
    )?;
    let hash = info.hash.get(..16).unwrap_or(&info.hash);
    writeln!(out, "build: {hash}, {}", info.fingerprint)?;
    params::write(&description.params, "searched", out)
}

fn as_json(scheduler: &Scheduler) -> serde_json::Value {
    serde_json::json!({
        "scheduler": scheduler.description,
        "library": scheduler.library.name,
        "version": scheduler.library.version,
        "path": scheduler.info.path,
        "hash": scheduler.info.hash,
        "build": scheduler.info.fingerprint,
    })
}
