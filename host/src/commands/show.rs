//! `attune show`: a study or a trial.

use super::{Screen, reach};
use crate::cli::ShowArgs;
use crate::places::Places;
use attune_protocol::Note;
use attune_store::Id;
use attune_tui::summary;
use std::process::ExitCode;

pub(crate) async fn run(args: &ShowArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?;
    let screen = Screen::stdout();
    match args.id.parse()? {
        Id::Study(id) => {
            let detail = client.study(&id.to_string()).await?;
            screen.print(args.json, &detail, |width, style| {
                let mut page = summary::leaderboard(&detail, usize::MAX, width, style);
                if !detail.notes.is_empty() {
                    page.push_str("\ndata\n");
                }
                for note in &detail.notes {
                    page.push_str(&format!("  {}\n", attune_tui::clean(note)));
                }
                if !detail.changes.is_empty() {
                    page.push_str("\nchanged while it ran\n");
                }
                for change in &detail.changes {
                    page.push_str(&format!("  {}\n", attune_tui::clean(change)));
                }
                page.push_str(&written(&detail.study.note));
                page.push_str(&format!("\nstudy file\n{}", indented(&detail.spec)));
                page
            })?;
        }
        Id::Trial(id) => {
            let detail = client.trial(&id.to_string()).await?;
            screen.print(args.json, &detail, |width, style| {
                let mut page = summary::trial_page(&detail, width, style);
                page.push_str(&written(&detail.trial.note));
                page
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What people wrote; nothing where they did not.
fn written(note: &Note) -> String {
    let mut page = String::new();
    if !note.text.is_empty() {
        page.push_str(&format!("\nnote\n{}", indented(&note.text)));
    }
    if !note.tags.is_empty() {
        let tags = note.tags.join(" ");
        page.push_str(&format!("\ntags\n  {}\n", attune_tui::clean(&tags)));
    }
    page
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| match line {
            "" => "\n".to_owned(),
            line => format!("  {}\n", attune_tui::clean(line)),
        })
        .collect()
}
