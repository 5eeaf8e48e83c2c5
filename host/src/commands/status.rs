//! `attune status`: how the daemon does, and why nothing moves where nothing does.

use super::{Screen, reach};
use crate::daemon::lock::Lock;
use crate::places::Places;
use attune_protocol::DaemonStatus;
use attune_tui::bytes;
use std::fmt::Write;
use std::process::ExitCode;

pub(crate) async fn run(places: &Places, json: bool) -> anyhow::Result<ExitCode> {
    let Some((_, client)) = reach::running(places).await? else {
        match Lock::holder(&places.lock())? {
            Some(info) => say!("the daemon (pid {}) does not answer", info.pid),
            None => say!(
                "no daemon runs; any command that needs one starts it, and studies that were under \
                 way go on then"
            ),
        }
        return Ok(ExitCode::FAILURE);
    };
    let status = client.status().await?;
    Screen::stdout().print(json, &status, |_, _| page(&status))?;
    Ok(ExitCode::SUCCESS)
}

fn page(status: &DaemonStatus) -> String {
    let mut page = String::new();
    let place = match status.embedded {
        true => "inside a command",
        false => "in the background",
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "daemon {}, pid {}, {place}, {} of memory\nstate in {}: store {}, checkpoints and models {} \
         of at most {}",
        status.version,
        status.pid,
        bytes(status.memory_bytes),
        attune_tui::clean(&status.state_dir),
        bytes(status.store_bytes),
        bytes(status.checkpoint_bytes),
        bytes(status.checkpoint_budget_bytes),
    );
    for address in &status.listens {
        let _ = writeln!(page, "listens on {}", attune_tui::clean(address));
    }
    for warning in &status.warnings {
        let _ = writeln!(page, "warning: {}", attune_tui::clean(warning));
    }
    if let Some(idle) = &status.idle {
        let _ = writeln!(page, "\nidle: {}", attune_tui::clean(idle));
    }
    if !status.studies.is_empty() {
        page.push_str("\nstudies\n");
    }
    for study in &status.studies {
        let (name, doing) = (
            attune_tui::clean(&study.name),
            attune_tui::clean(&study.doing),
        );
        let _ = writeln!(page, "  {} {name}: {doing}", study.id);
    }
    if !status.workers.is_empty() {
        page.push_str("\nworkers\n");
    }
    for worker in &status.workers {
        let _ = writeln!(
            page,
            "  {} pid {}: {}, {} of memory, heard {:.1} s ago",
            worker.id,
            worker.pid,
            attune_tui::clean(&worker.doing),
            bytes(worker.memory_bytes),
            worker.silent_ms as f64 / 1e3,
        );
    }
    page
}
