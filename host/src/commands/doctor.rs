//! `attune doctor`: looks at everything that may be wrong, and says what to do.

use super::reach;
use super::status::bytes;
use crate::daemon::config::{Config, Layer};
use crate::daemon::lock::Lock;
use crate::places::Places;
use attune_protocol::client::Client;
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
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    findings.fine(&format!(
        "attune {}, {cores} cores",
        env!("CARGO_PKG_VERSION")
    ))?;
    configuration(places, &mut findings)?;
    space(&places.state, &mut findings)?;
    match reach::daemon(places).await {
        Ok(client) => daemon(&client, places, &mut findings).await?,
        Err(error) => findings.wrong(&format!("{error:#}"))?,
    }
    Ok(match findings.problems {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn configuration(places: &Places, findings: &mut Findings) -> anyhow::Result<()> {
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
            Ok(())
        }
        Err(error) => findings.wrong(&error.to_string()),
    }
}

fn space(folder: &Path, findings: &mut Findings) -> anyhow::Result<()> {
    // A state folder that is not there yet will be made in the nearest one that is.
    let there = folder.ancestors().find(|folder| folder.is_dir());
    let Some(about) = there.and_then(|folder| rustix::fs::statvfs(folder).ok()) else {
        return findings.wrong(&format!(
            "cannot tell how full the disk of {} is",
            folder.display()
        ));
    };
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    let told = format!("state in {}, {} free", folder.display(), bytes(free));
    match free < LITTLE_SPACE {
        true => findings.wrong(&format!("{told}: studies will wait when it is full")),
        false => findings.fine(&told),
    }
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
