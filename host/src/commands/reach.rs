//! Reaching the daemon: the one that runs, or one that is started for it, or one inside this
//! command.

use super::RUNS_ALREADY;
use crate::daemon::config::Config;
use crate::daemon::lock::{Info, Lock};
use crate::daemon::{self, Life, PROTOCOL};
use crate::places::Places;
use anyhow::{Context, bail};
use attune_protocol::client::{Address, Client};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// How long a daemon may take to start: it may have a large store to look through.
const START_WITHIN: Duration = Duration::from_secs(60);

/// How often a daemon may be killed while it starts before it is not tried again.
const MOST_KILLS: u32 = 3;

/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

/// The daemon of these places; one is started where none runs. `--connect` or `ATTUNE_CONNECT` names
/// one of another machine instead, which nobody here can start.
pub(crate) async fn daemon(places: &Places) -> anyhow::Result<Client> {
    if let Some(address) = remote(places)? {
        let client = Client::new(address);
        client.status().await?;
        return Ok(client);
    }
    if let Some(info) = Lock::holder(&places.lock())? {
        check(&info)?;
        if let Some(client) = answering(&info).await {
            return Ok(client);
        }
    }
    start(places).await
}

/// The daemon that is named: its address, the file that holds its token, and its certificate, which
/// is trusted and no other.
fn remote(places: &Places) -> anyhow::Result<Option<Address>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(address) = &places.connect else {
        return Ok(None);
    };
    let token = match variable("ATTUNE_TOKEN_FILE") {
        Some(path) => Some(
            std::fs::read_to_string(&path)
                .with_context(|| format!("ATTUNE_TOKEN_FILE: cannot read {path}"))?,
        ),
        None => None,
    };
    let trust = variable("ATTUNE_CERTIFICATE").map(std::path::PathBuf::from);
    let token = token.as_deref().map(str::trim);
    let address =
        Address::parse(address, token, trust.as_deref()).context("--connect, or ATTUNE_CONNECT")?;
    Ok(Some(address))
}

/// The daemon that runs, if one does.
pub(crate) async fn running(places: &Places) -> anyhow::Result<Option<(Info, Client)>> {
    let Some(info) = Lock::holder(&places.lock())? else {
        return Ok(None);
    };
    check(&info)?;
    Ok(answering(&info).await.map(|client| (info, client)))
}

/// Starts a daemon in the background that ends by itself when it has had nothing to do for a while.
async fn start(places: &Places) -> anyhow::Result<Client> {
    Ok(start_with(places, &["daemon", "run", "--on-demand"])
        .await?
        .1)
}

/// Starts a daemon in the background and waits until it answers, or another that was quicker. One
/// that came too late to run beside another, which then ended, is started again; so is one that was
/// killed.
pub(crate) async fn start_with(places: &Places, args: &[&str]) -> anyhow::Result<(Info, Client)> {
    let mut child = background(args)?;
    let give_up_at = Instant::now() + START_WITHIN;
    let mut ended: Option<ExitStatus> = None;
    let mut kills = 0;
    loop {
        if let Some(info) = Lock::holder(&places.lock()).ok().flatten() {
            check(&info)?;
            if let Some(client) = answering(&info).await {
                return Ok((info, client));
            }
        } else if let Some(status) = ended {
            let is_late = status.code() == Some(RUNS_ALREADY.into());
            let is_killed = status.code().is_none();
            kills += u32::from(is_killed);
            if !is_late && (!is_killed || kills > MOST_KILLS) {
                bail!(
                    "the daemon did not start: {}",
                    last_words(&mut child, status)
                );
            }
            child = background(args)?;
        }
        ended = child.try_wait().ok().flatten();
        if Instant::now() > give_up_at {
            bail!(
                "the daemon does not answer after {} seconds; see {}",
                START_WITHIN.as_secs(),
                places.logs().display()
            );
        }
        sleep(LOOK).await;
    }
}

fn background(args: &[&str]) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    Command::new(&program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // It says there why it cannot start, and nothing once it has.
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start the daemon, {}", program.display()))
}

/// What a daemon that has ended said.
fn last_words(child: &mut Child, status: ExitStatus) -> String {
    let mut said = String::new();
    if let Some(stderr) = &mut child.stderr {
        // What cannot be read cannot be told.
        let _ = std::io::Read::read_to_string(stderr, &mut said);
    }
    match said.trim() {
        "" => format!("it ended without a word ({status})"),
        said => said.trim_start_matches("error: ").to_owned(),
    }
}

/// A daemon that speaks another protocol is asked nothing.
pub(super) fn check(info: &Info) -> anyhow::Result<()> {
    if info.protocol != PROTOCOL {
        bail!(
            "the daemon that runs (pid {}) is version {} and speaks another protocol than this \
             program, version {}; end it with `attune daemon stop` of its own version, or with \
             `kill {}`",
            info.pid,
            info.version,
            env!("CARGO_PKG_VERSION"),
            info.pid
        );
    }
    Ok(())
}

async fn answering(info: &Info) -> Option<Client> {
    let client = Client::new(Address::Unix(info.socket.clone()));
    client.status().await.ok().map(|_| client)
}

/// A daemon inside this command.
pub(crate) struct Embedded {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<anyhow::Result<()>>,
}

impl Embedded {
    /// Boots it; the client speaks to it as to any other.
    pub(crate) async fn boot(places: &Places) -> anyhow::Result<(Client, Self)> {
        let config = config(places, &[])?;
        let daemon = daemon::boot(places, &config, Life::Embedded).await?;
        let client = Client::new(Address::Unix(places.socket()));
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(daemon.run(async move {
            // A command that ends without a word wants it to stop too.
            let _ = stopped.await;
        }));
        Ok((client, Embedded { stop, ended }))
    }

    /// Lets it lay down its work and end.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        // It may have ended already.
        let _ = self.stop.send(());
        self.ended.await?
    }
}

/// The configuration, from file, environment and flags.
pub(crate) fn config(places: &Places, flags: &[(&str, Vec<String>)]) -> anyhow::Result<Config> {
    let (config, _) = Config::load(&places.config, |name| std::env::var_os(name), flags)?;
    Ok(config)
}
