//! One file a command. A command reads its arguments, asks the daemon, and prints.

mod compare;
mod control;
mod daemon;
mod dash;
mod doctor;
mod exchange;
mod fit;
mod launch;
mod ls;
mod params;
mod plugin;
mod predict;
mod reach;
mod run;
mod screen;
mod settings;
mod show;
mod status;
mod store;
mod trace;
mod watch;

use crate::cli::{Cli, Command, DashArgs};
use crate::places::Places;
use crate::study::reader::nearest;
use crate::worker;
use anyhow::Context;
use attune_loader::{Plugins, Scheduler};
use screen::Screen;
use std::path::PathBuf;
use std::process::ExitCode;

/// A study finished, but some of its trials failed.
const SOME_FAILED: u8 = 3;
/// A daemon was not started, because another one runs.
const RUNS_ALREADY: u8 = 4;
/// Somebody pressed Ctrl-C; everything so far is stored.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let named = cli.plugins;
    let command = cli
        .command
        .unwrap_or_else(|| Command::Dash(DashArgs::default()));
    // These need no daemon, and no folders.
    match &command {
        Command::Predict(args) => return predict::run(args),
        Command::Worker(args) => return worker::run(args),
        Command::Settings(args) => return settings::run(args),
        Command::Probe(args) => return worker::probe::run(args.memory),
        _ => {}
    }
    let mut places = Places::from_environment()?;
    places.connect = cli.connect.or(places.connect);
    if let Command::Trace(args) = command {
        return trace::run(args, &load_plugins(&places, &named)?);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the threads that a command needs")?;
    let outcome = runtime.block_on(talk(command, &places, &named));
    // Whatever still waits for an answer, nobody waits for any more.
    runtime.shutdown_background();
    outcome
}

/// The commands that speak with the daemon, or are it.
async fn talk(command: Command, places: &Places, named: &[PathBuf]) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dash(args) => dash::run(&args, places).await,
        Command::Watch(args) => watch::run(&args, places).await,
        Command::Fit(args) => fit::run(&args, places, named).await,
        Command::Run(args) => run::run(&args, places, named).await,
        Command::Ls(args) => ls::run(&args, places).await,
        Command::Show(args) => show::run(&args, places).await,
        Command::Compare(args) => compare::run(&args, places).await,
        Command::Plugin(command) => plugin::run(command, places, named).await,
        Command::Daemon(command) => daemon::run(command, places).await,
        Command::Status { json } => status::run(places, json).await,
        Command::Pause(args) => control::pause(&args, places).await,
        Command::Resume(args) => control::resume(&args, places).await,
        Command::Stop(args) => control::stop(&args, places).await,
        Command::Rm(args) => control::remove(&args, places).await,
        Command::Steer(args) => control::steer(&args, places).await,
        Command::Fork(args) => control::fork(&args, places).await,
        Command::Retry(args) => control::retry(&args, places).await,
        Command::Export(args) => exchange::export(&args, places).await,
        Command::Import(args) => exchange::import(&args, places).await,
        Command::Store(command) => store::run(command, places).await,
        Command::Doctor => doctor::run(places).await,
        Command::Predict(_)
        | Command::Settings(_)
        | Command::Trace(_)
        | Command::Worker(_)
        | Command::Probe(_) => {
            anyhow::bail!("this command needs no daemon")
        }
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
        say!("warning: {error}");
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

/// Paths as the daemon, which runs in another folder, understands them.
fn told_places(paths: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    paths
        .iter()
        .map(|path| {
            let absolute = std::path::absolute(path)
                .with_context(|| format!("cannot tell where {} lies", path.display()))?;
            Ok(absolute.to_string_lossy().into_owned())
        })
        .collect()
}
