//! `attune daemon`: the daemon itself, and starting and stopping it.

use super::{RUNS_ALREADY, reach};
use crate::cli::DaemonCommand;
use crate::daemon::config::Config;
use crate::daemon::lock::{Lock, LockError};
use crate::daemon::{self, Life, log, make_credentials};
use crate::places::Places;
use anyhow::{Context, bail};
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

/// How long a daemon may take to lay everything down.
const STOP_WITHIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(command: DaemonCommand, places: &Places) -> anyhow::Result<ExitCode> {
    match command {
        DaemonCommand::Run { on_demand } => serve(places, on_demand).await,
        DaemonCommand::Start => start(places).await,
        DaemonCommand::Stop => stop(places).await,
        DaemonCommand::Status { json } => super::status::run(places, json).await,
        DaemonCommand::Logs { lines, follow } => logs(places, lines, follow).await,
        DaemonCommand::Credentials { folder, hosts } => credentials(&folder, &hosts),
    }
}

/// Is the daemon, until it is told to stop.
async fn serve(places: &Places, on_demand: bool) -> anyhow::Result<ExitCode> {
    let (config, _) = Config::load(&places.config, |name| std::env::var_os(name), &[])?;
    std::fs::create_dir_all(places.logs()).with_context(|| {
        format!(
            "cannot make the folder {}; check who may write there, or set ATTUNE_HOME",
            places.logs().display()
        )
    })?;
    let guard = log::start(&places.logs(), config.log_level)
        .with_context(|| format!("cannot write a log in {}", places.logs().display()))?;
    let life = match on_demand {
        true => Life::OnDemand,
        false => Life::Service,
    };
    let mut terminate = signal(SignalKind::terminate()).context("cannot hear SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot hear SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot hear SIGHUP")?;
    // In the background, a terminal that is closed is nothing to a daemon.
    let is_in_front = std::io::stdin().is_terminal();
    if !is_in_front {
        // It fails only for one that leads a session already.
        let _ = rustix::process::setsid();
    }
    // What it works on is known by its whole path; no folder is held that somebody wants to unmount.
    std::env::set_current_dir("/").context("cannot leave this folder")?;
    let daemon = match daemon::boot(places, &config, life).await {
        Ok(daemon) => daemon,
        Err(error) if matches!(error.downcast_ref(), Some(LockError::Held { .. })) => {
            say!("error: {error}");
            return Ok(ExitCode::from(RUNS_ALREADY));
        }
        Err(error) => return Err(error),
    };
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv(), if is_in_front => {}
        }
    };
    let outcome = daemon.run(stop).await;
    if let Err(error) = &outcome {
        tracing::error!(error = format!("{error:#}"), "the daemon failed");
    }
    if guard.dropped_lines() > 0 {
        tracing::warn!(
            lines = guard.dropped_lines(),
            "the disk was too slow for some of the log"
        );
    }
    drop(guard);
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Starts one in the background that stays until it is stopped.
async fn start(places: &Places) -> anyhow::Result<ExitCode> {
    if let Some(info) = Lock::holder(&places.lock())? {
        reach::check(&info)?;
        say!(
            "the daemon runs already (pid {}, version {})",
            info.pid,
            info.version
        );
        return Ok(ExitCode::SUCCESS);
    }
    let (info, _) = reach::start_with(places, &["daemon", "run"]).await?;
    say!("the daemon runs (pid {})", info.pid);
    Ok(ExitCode::SUCCESS)
}

async fn stop(places: &Places) -> anyhow::Result<ExitCode> {
    let Some((info, client)) = reach::running(places).await? else {
        if let Some(info) = Lock::holder(&places.lock())? {
            bail!(
                "the daemon (pid {}) does not answer; `kill -9 {}` ends it, and nothing that is \
                 stored is lost",
                info.pid,
                info.pid
            );
        }
        say!("no daemon runs");
        return Ok(ExitCode::SUCCESS);
    };
    client.shutdown().await?;
    let give_up_at = Instant::now() + STOP_WITHIN;
    while Lock::holder(&places.lock())?.is_some_and(|now| now.pid == info.pid) {
        if Instant::now() > give_up_at {
            bail!(
                "the daemon (pid {}) was told to stop and still runs",
                info.pid
            );
        }
        sleep(Duration::from_millis(10)).await;
    }
    say!("the daemon has stopped; what was running goes on when it is started again");
    Ok(ExitCode::SUCCESS)
}

/// Makes what a daemon needs to listen on the network.
fn credentials(folder: &Path, hosts: &[String]) -> anyhow::Result<ExitCode> {
    let made = make_credentials(folder, hosts)?;
    answer!(
        "[listen]\naddress = \"0.0.0.0:7878\"\ncertificate = {:?}\nkey = {:?}\ntoken_file = {:?}",
        made.certificate,
        made.key,
        made.token_file
    );
    say!(
        "put this into the configuration; clients elsewhere need copies of certificate and token: \
         ATTUNE_CONNECT=https://HOST:7878 ATTUNE_CERTIFICATE=... ATTUNE_TOKEN_FILE=... attune ls"
    );
    Ok(ExitCode::SUCCESS)
}

async fn logs(places: &Places, lines: usize, follow: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    let follower = log::tail(&places.logs(), lines, &mut out)
        .with_context(|| format!("cannot read the log in {}", places.logs().display()))?;
    if follow {
        let end = async {
            // Without a handler the system's own ends the program.
            let _ = tokio::signal::ctrl_c().await;
        };
        follower.follow(&mut out, end).await?;
    }
    Ok(ExitCode::SUCCESS)
}
