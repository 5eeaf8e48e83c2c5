//! `attune ls`: studies, or the trials of one.

use super::{Screen, open_store};
use crate::cli::LsArgs;
use crate::places::Places;
use crate::{clock, convert};
use anyhow::bail;
use attune_store::Id;
use std::process::ExitCode;

pub(crate) fn run(args: &LsArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let store = open_store(places, "attune ls")?;
    let screen = Screen::stdout();
    match &args.study {
        None => {
            let studies = store
                .list_studies()?
                .into_iter()
                .map(|(id, record)| {
                    let trials = store.list_trials(id)?;
                    let trials = trials.iter().map(|(id, trial)| (*id, trial));
                    Ok(convert::study(id, &record, trials))
                })
                .collect::<anyhow::Result<Vec<_>>>()?;
            screen.print(args.json, &studies, |width, style| {
                attune_tui::summary::study_list(&studies, clock::unix_ms(), width, style)
            })?;
        }
        Some(text) => {
            let detail = match store.resolve(text)? {
                Id::Study(id) => super::study_detail(&store, id)?,
                Id::Trial(_) => bail!("`{text}` is a trial; `attune show {text}` shows it"),
            };
            screen.print(args.json, &detail, |width, style| {
                attune_tui::summary::leaderboard(&detail, usize::MAX, width, style)
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
