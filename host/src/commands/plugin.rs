//! `attune plugin`: what schedulers there are and what they take.

use crate::cli::PluginCommand;
use crate::places::Places;
use anyhow::Context;
use attune_loader::{Plugins, Scheduler};
use attune_plugin_api::Param;
use attune_plugin_api::param::Search;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) fn run(
    command: PluginCommand,
    places: &Places,
    named: &[PathBuf],
) -> anyhow::Result<ExitCode> {
    let PluginCommand::Ls { scheduler, json } = command;
    let (plugins, errors) = Plugins::load(&places.plugin_places(named), &places.plugin_copies());
    let mut out = std::io::stdout().lock();
    match (scheduler, json) {
        (None, false) => list(&plugins, &mut out)?,
        (None, true) => {
            let all: Vec<_> = plugins.schedulers().map(as_json).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        }
        (Some(name), json) => {
            let scheduler = super::find_scheduler(&plugins, &name)?;
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
    for error in &errors {
        eprintln!("error: {error}");
    }
    Ok(if errors.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn list(plugins: &Plugins, out: &mut impl Write) -> std::io::Result<()> {
    let width = plugins.names().iter().map(|n| n.len()).max().unwrap_or(0);
    for library in plugins.libraries() {
        let described = library.description();
        writeln!(
            out,
            "{} {}  {}",
            described.name,
            described.version,
            library.path().display()
        )?;
        for scheduler in &described.schedulers {
            writeln!(out, "  {:width$}  {}", scheduler.name, scheduler.summary)?;
        }
    }
    if plugins.libraries().is_empty() {
        writeln!(
            out,
            "no plugins found; build them with `cargo build --release`"
        )?;
    }
    Ok(())
}

fn page(scheduler: Scheduler<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let Scheduler {
        description,
        library,
    } = scheduler;
    writeln!(out, "{}: {}", description.name, description.summary)?;
    if !description.reference.is_empty() {
        writeln!(out, "{}", description.reference)?;
    }
    let mut reads: Vec<&str> = description.signals.iter().map(|s| s.name()).collect();
    if description.metric {
        reads.push("the session's metric");
    }
    if reads.is_empty() {
        reads.push("nothing but the step");
    }
    writeln!(out, "reads: {}", reads.join(", "))?;
    writeln!(
        out,
        "from: {} {} ({})",
        library.description().name,
        library.description().version,
        library.path().display()
    )?;
    writeln!(
        out,
        "build: {}, {}",
        &library.hash()[..16],
        library.fingerprint()
    )?;
    for param in &description.params {
        writeln!(out, "\n  {} = {}", param.name, param.default)?;
        writeln!(out, "      {}; {}", param.kind, searched(param))?;
        writeln!(out, "      {}", param.doc)?;
    }
    Ok(())
}

fn searched(param: &Param) -> String {
    match param.search {
        None => "not searched unless a study says so".into(),
        Some(Search::All) => "searched over all values".into(),
        Some(Search::Linear(low, high)) => format!("searched from {low} to {high}"),
        Some(Search::Log(low, high)) => {
            format!("searched from {low} to {high}, evenly in the logarithm")
        }
    }
}

fn as_json(scheduler: Scheduler<'_>) -> serde_json::Value {
    serde_json::json!({
        "scheduler": scheduler.description,
        "library": scheduler.library.description().name,
        "version": scheduler.library.description().version,
        "path": scheduler.library.path(),
        "hash": scheduler.library.hash(),
        "build": scheduler.library.fingerprint(),
    })
}
