//! One file a command. A command reads its arguments, asks the rooms, and prints.

mod compare;
mod fit;
mod launch;
mod ls;
mod plugin;
mod predict;
mod run;
mod screen;
mod show;
mod trace;

use crate::cli::{Cli, Command};
use crate::convert;
use crate::places::Places;
use crate::study::reader::nearest;
use anyhow::Context;
use attune_loader::{Plugins, Scheduler};
use attune_store::{Store, StudyId, TrialId};
use screen::{Screen, audience};
use std::path::PathBuf;
use std::process::ExitCode;

/// A study finished, but some of its trials failed.
const SOME_FAILED: u8 = 3;
/// Somebody pressed Ctrl-C; everything so far is stored.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let places = Places::from_environment()?;
    let plugins = || load_plugins(&places, &cli.plugins);
    match cli.command {
        Command::Fit(args) => fit::run(&args, &places, plugins()?),
        Command::Predict(args) => predict::run(&args),
        Command::Run(args) => run::run(&args, &places, plugins()?),
        Command::Ls(args) => ls::run(&args, &places),
        Command::Show(args) => show::run(&args, &places),
        Command::Compare(args) => compare::run(&args, &places),
        Command::Plugin(command) => plugin::run(command, &places, &cli.plugins),
        Command::Trace(args) => trace::run(args, &plugins()?),
    }
}

/// Every plugin that loads. One that was named and does not load is an error; one that was found
/// and does not is told of and keeps nobody from working, unless it is all there is.
fn load_plugins(places: &Places, named: &[PathBuf]) -> anyhow::Result<Plugins> {
    let (plugins, errors) = Plugins::load(&places.plugin_places(named), &places.plugin_copies());
    let none = plugins.libraries().is_empty();
    for error in errors {
        if error.named || none {
            return Err(error.into());
        }
        eprintln!("warning: {error}");
    }
    Ok(plugins)
}

/// A scheduler by name; the nearest one is suggested for a name that nobody has.
fn find_scheduler<'p>(plugins: &'p Plugins, name: &str) -> anyhow::Result<Scheduler<'p>> {
    plugins
        .find(name)
        .map_err(|error| match nearest(name, plugins.names()) {
            Some(right) => {
                anyhow::anyhow!("no plugin holds a scheduler `{name}`; did you mean `{right}`?")
            }
            None => error.into(),
        })
}

/// Opens the store. `holder` is what somebody else who wants to is told.
fn open_store(places: &Places, holder: &str) -> anyhow::Result<Store> {
    let (store, report) = Store::open(places.store(), holder)?;
    if !report.is_clean() {
        eprintln!("warning: {report}");
    }
    store
        .recover_orphans()
        .context("cannot mark what a killed process left running")?;
    Ok(store)
}

fn study_detail(store: &Store, id: StudyId) -> anyhow::Result<attune_protocol::StudyDetail> {
    let trials = store.list_trials(id)?;
    Ok(convert::study_detail(id, &store.study(id)?, &trials))
}

/// A trial with its curves.
fn trial_detail(store: &Store, id: TrialId) -> anyhow::Result<attune_protocol::TrialDetail> {
    let study = store.study(id.study)?;
    let summary = convert::trial(id, &store.trial(id)?, &study.metric);
    let steps = store.read_steps(id, ..)?;
    Ok(convert::trial_detail(summary, &store.epochs(id)?, &steps))
}
