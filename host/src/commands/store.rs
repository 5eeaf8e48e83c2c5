//! `attune store`: looking after what is kept.

use super::{Screen, reach};
use crate::cli::StoreCommand;
use crate::places::Places;
use anyhow::Context;
use attune_protocol::Backup;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

/// How long it may take to read everything.
const WITHIN: Duration = Duration::from_secs(900);

pub(crate) async fn run(command: StoreCommand, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?.within(WITHIN);
    let report = match command {
        StoreCommand::Verify => client.verify_store().await?,
        StoreCommand::Compact => client.compact_store().await?,
        StoreCommand::Backup { folder } => {
            let path = std::path::absolute(&folder)
                .with_context(|| format!("cannot tell where {} lies", folder.display()))?;
            let path = path.to_string_lossy().into_owned();
            client.backup_store(&Backup { path }).await?
        }
    };
    Screen::stdout().print(false, &report, |_, _| {
        let mut page = String::new();
        for line in &report.lines {
            // Writing to a string cannot fail.
            let _ = writeln!(page, "{}", attune_tui::clean(line));
        }
        page
    })?;
    for damage in &report.damage {
        say!("error: {}", attune_tui::clean(damage));
    }
    Ok(match report.damage.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
