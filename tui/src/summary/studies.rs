//! The list of studies.

use super::{metric_title, room};
use crate::number;
use crate::style::{Ink, Style};
use crate::table::{Cell, Column, Table};
use attune_protocol::{StudyState, StudySummary};

/// The studies in the order given, a line each, with their ages as of `now_unix_ms`.
pub fn study_list(
    studies: &[StudySummary],
    now_unix_ms: u64,
    width: usize,
    style: Style,
) -> String {
    if studies.is_empty() {
        return "No studies yet. `attune fit DATA.csv --target COLUMN` makes one.\n".to_owned();
    }
    Table::new([
        Column::left("study"),
        Column::left("name").at_least(8),
        Column::left("state").rank(2),
        Column::right("trials").rank(3),
        Column::right("best"),
        Column::left("metric").rank(4),
        Column::left("by").rank(7),
        Column::right("took").rank(6),
        Column::left("begun").rank(5),
    ])
    .rows(studies.iter().map(|study| row(study, now_unix_ms, style)))
    .render(room(width), style)
}

fn row(study: &StudySummary, now_unix_ms: u64, style: Style) -> Vec<Cell> {
    let nothing = style.symbols().nothing;
    let ink = match study.state {
        StudyState::Running => Ink::Accent,
        StudyState::Done => Ink::Plain,
        StudyState::Queued | StudyState::Paused | StudyState::Stopped => Ink::Dim,
        StudyState::Interrupted => Ink::Warning,
        StudyState::Failed => Ink::Bad,
    };
    let ended = study.trials.ended();
    let trials = match study.trials.planned {
        planned if planned > ended => format!("{ended}/{planned}"),
        _ => ended.to_string(),
    };
    let took = number::duration(number::seconds(study.seconds));
    let best = study.best_value.map(|value| number::metric(value.0));
    vec![
        Cell::inked(&study.id, Ink::Strong),
        Cell::from(&study.name),
        Cell::inked(study.state.to_string(), ink),
        Cell::from(trials),
        Cell::from(best.as_deref().unwrap_or(nothing)),
        Cell::from(metric_title(&study.metric, study.direction, style)),
        Cell::from(study.best_trial.as_deref().unwrap_or(nothing)),
        Cell::from(took),
        Cell::inked(number::ago(study.created_unix_ms, now_unix_ms), Ink::Dim),
    ]
}
