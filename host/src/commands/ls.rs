//! `attune ls`: studies, or the trials of one.

use super::{Screen, reach};
use crate::cli::LsArgs;
use crate::clock;
use crate::places::Places;
use anyhow::bail;
use attune_store::Id;
use std::process::ExitCode;

pub(crate) async fn run(args: &LsArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?;
    let screen = Screen::stdout();
    match &args.study {
        None => {
            let studies = client.studies().await?;
            screen.print(args.json, &studies, |width, style| {
                attune_tui::summary::study_list(&studies, clock::unix_ms(), width, style)
            })?;
        }
        Some(text) => {
            let detail = match text.parse()? {
                Id::Study(id) => client.study(&id.to_string()).await?,
                Id::Trial(_) => bail!("`{text}` is a trial; `attune show {text}` shows it"),
            };
            screen.print(args.json, &detail, |width, style| {
                attune_tui::summary::leaderboard(&detail, usize::MAX, width, style)
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
