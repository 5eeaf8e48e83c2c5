//! `attune doctor`: looks at everything that may be wrong, and says what to do.

use super::reach;
use crate::daemon::config::{Config, Layer};
use crate::daemon::lock::Lock;
use crate::daemon::machine::cores;
use crate::places::Places;
use attune_protocol::client::Client;
use attune_tui::bytes;
use rustix::fs::{Access, access};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Below so much free space a study may soon have to wait.
const LITTLE_SPACE: u64 = 1 << 30;

/// What was found so far.
struct Findings {
    out: std::io::Stdout,
    problems: usize,
}

impl Findings {
    fn fine(&mut self, what: &str) -> anyhow::Result<()> {
        writeln!(self.out, "ok       {}", attune_tui::clean(what))?;
        Ok(())
    }

    fn wrong(&mut self, what: &str) -> anyhow::Result<()> {
        self.problems += 1;
        writeln!(self.out, "problem  {}", attune_tui::clean(what))?;
        Ok(())
    }
}

pub(crate) async fn run(places: &Places) -> anyhow::Result<ExitCode> {
    let mut findings = Findings {
        out: std::io::stdout(),
        problems: 0,
    };
    findings.fine(&format!(
        "attune {}, {} cores, {}",
        env!("CARGO_PKG_VERSION"),
        cores(),
        match attune_trainer::HAS_CUDA {
            true => "built with CUDA",
            false => "built without CUDA",
        }
    ))?;
    let is_set_up = configuration(places, &mut findings)?;
    let is_there = state(&places.state, &mut findings)?;
    // What keeps a daemon from starting was told; one that runs can still be looked at.
    let reached = match is_set_up && is_there {
        true => reach::daemon(places).await.map(Some),
        false => reach::running(places)
            .await
            .map(|running| running.map(|(_, client)| client)),
    };
    match reached {
        Ok(Some(client)) => daemon(&client, places, &mut findings).await?,
        Ok(None) => {}
        Err(_) if !is_there => {}
        Err(error) => findings.wrong(&format!("{error:#}"))?,
    }
    Ok(match findings.problems {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Gives whether a daemon can be set up by it.
fn configuration(places: &Places, findings: &mut Findings) -> anyhow::Result<bool> {
    match Config::load(&places.config, |name| std::env::var_os(name), &[]) {
        Ok((_, origins)) => {
            findings.fine(&format!("configuration {}", places.config.display()))?;
            for origin in origins {
                let from = match &origin.layer {
                    Layer::Default => "by default".to_owned(),
                    Layer::File { line, .. } => format!("line {line}"),
                    Layer::Environment { variable } => variable.clone(),
                    Layer::Flag => "a flag".to_owned(),
                };
                writeln!(
                    findings.out,
                    "           {} = {} ({from})",
                    origin.key, origin.value
                )?;
            }
            Ok(true)
        }
        Err(error) => findings.wrong(&error.to_string()).map(|()| false),
    }
}

/// Looks at the folder of all that must not be lost. Gives whether a daemon can live there.
fn state(folder: &Path, findings: &mut Findings) -> anyhow::Result<bool> {
    let shown = folder.display();
    // A state folder that is not there yet will be made in the nearest one that is.
    let nearest = folder.ancestors().find(|folder| folder.exists());
    let nearest = nearest.unwrap_or(Path::new("/"));
    if !nearest.is_dir() {
        findings.wrong(&format!(
            "state in {shown}: {} is not a folder; move it away, or set ATTUNE_HOME",
            nearest.display()
        ))?;
        return Ok(false);
    }
    if let Err(error) = access(nearest, Access::WRITE_OK | Access::EXEC_OK) {
        findings.wrong(&format!(
            "state in {shown}: nothing can be written to {}: {error}; check who may write there, \
             or set ATTUNE_HOME",
            nearest.display()
        ))?;
        return Ok(false);
    }
    let Ok(about) = rustix::fs::statvfs(nearest) else {
        findings.wrong(&format!("cannot tell how full the disk of {shown} is"))?;
        return Ok(true);
    };
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    let told = format!("state in {shown}, {} free", bytes(free));
    match free < LITTLE_SPACE {
        true => findings.wrong(&format!(
            "{told}: studies will wait when it is full; free some, or remove studies with `attune \
             rm`"
        ))?,
        false => findings.fine(&told)?,
    }
    Ok(true)
}

async fn daemon(client: &Client, places: &Places, findings: &mut Findings) -> anyhow::Result<()> {
    let status = client.status().await?;
    let socket = Lock::holder(&places.lock())?.map(|info| info.socket);
    let socket = socket.unwrap_or_default();
    findings.fine(&format!(
        "daemon {}, pid {}, on {}, {} of memory",
        status.version,
        status.pid,
        socket.display(),
        bytes(status.memory_bytes)
    ))?;
    if status.version != env!("CARGO_PKG_VERSION") {
        findings.wrong(&format!(
            "the daemon is version {}, and this program {}; `attune daemon stop` lets the next \
             command start the new one",
            status.version,
            env!("CARGO_PKG_VERSION")
        ))?;
    }
    let (used, most) = (status.checkpoint_bytes, status.checkpoint_budget_bytes);
    let told = format!(
        "checkpoints and models take {} of {}",
        bytes(used),
        bytes(most)
    );
    match used > most {
        true => findings.wrong(&format!(
            "{told}: raise `checkpoint_budget`, or remove studies with `attune rm`"
        ))?,
        false => findings.fine(&told)?,
    }
    for plugin in client.plugins().await? {
        if let Some(quarantine) = &plugin.quarantine {
            findings.wrong(&format!(
                "the plugin {} is in quarantine: {}; `attune plugin release {}` lifts it",
                plugin.path, quarantine.reason, quarantine.name
            ))?;
        } else if let Some(error) = &plugin.error {
            findings.wrong(&format!("cannot load the plugin {}: {error}", plugin.path))?;
        } else {
            findings.fine(&format!("plugin {}", plugin.path))?;
        }
    }
    let report = client.verify_store().await?;
    for line in &report.lines {
        findings.fine(&format!("store: {line}"))?;
    }
    for damage in &report.damage {
        findings.wrong(&format!("store: {damage}"))?;
    }
    // Quarantines were told with their plugins.
    for warning in status
        .warnings
        .iter()
        .filter(|warning| !warning.contains("in quarantine"))
    {
        findings.wrong(warning)?;
    }
    Ok(())
}
