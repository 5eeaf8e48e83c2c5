//! `attune show`: a study or a trial.

use super::{Screen, open_store, study_detail, trial_detail};
use crate::cli::ShowArgs;
use crate::places::Places;
use attune_store::Id;
use attune_tui::summary;
use std::process::ExitCode;

pub(crate) fn run(args: &ShowArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let store = open_store(places, "attune show")?;
    let screen = Screen::stdout();
    match store.resolve(&args.id)? {
        Id::Study(id) => {
            let detail = study_detail(&store, id)?;
            screen.print(args.json, &detail, |width, style| {
                let mut page = summary::leaderboard(&detail, usize::MAX, width, style);
                if !detail.notes.is_empty() {
                    page.push_str("\ndata\n");
                }
                for note in &detail.notes {
                    page.push_str(&format!("  {}\n", attune_tui::clean(note)));
                }
                page.push_str(&format!("\nstudy file\n{}", indented(&detail.spec)));
                page
            })?;
        }
        Id::Trial(id) => {
            let detail = trial_detail(&store, id)?;
            screen.print(args.json, &detail, |width, style| {
                summary::trial_page(&detail, width, style)
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("  {}\n", attune_tui::clean(line)),
        })
        .collect()
}
