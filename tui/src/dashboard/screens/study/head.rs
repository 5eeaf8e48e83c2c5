//! The head of a study's screen: how it stands, its best trial, how it came there.

use crate::dashboard::cx::Cx;
use crate::dashboard::data::rows::Rows;
use crate::dashboard::pen::Pen;
use crate::dashboard::screens::studies::{left, progress, state_ink};
use crate::gauge;
use crate::number;
use crate::style::Ink;
use attune_protocol::{Direction, StudySummary};
use ratatui::layout::Rect;

/// Lines that it takes.
pub(super) const HEIGHT: u16 = 2;

pub(super) fn draw(
    pen: &mut Pen<'_>,
    area: Rect,
    study: &StudySummary,
    rows: Option<&Rows>,
    cx: &Cx<'_>,
) {
    let style = pen.style;
    let separator = style.symbols().separator;
    let counts = &study.trials;
    let state = study.state.to_string();
    let progress = progress(study, style);
    let took = number::duration(number::seconds(study.seconds));
    let left = left(study).map(|left| format!("{} left", number::duration(left)));
    let outcomes = [
        (counts.running, "running", Ink::Accent),
        (counts.done, "done", Ink::Plain),
        (counts.stopped, "stopped", Ink::Dim),
        (counts.diverged, "diverged", Ink::Warning),
        (counts.failed, "failed", Ink::Bad),
    ];
    let outcomes: Vec<(String, Ink)> = outcomes
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, ink)| (format!("{separator}{count} {what}"), ink))
        .collect();
    let mut pieces: Vec<(&str, Ink)> = vec![
        (&state, state_ink(study.state)),
        ("  ", Ink::Plain),
        (&progress, Ink::Plain),
    ];
    pieces.extend(outcomes.iter().map(|(text, ink)| (text.as_str(), *ink)));
    pieces.extend([(separator, Ink::Dim), (took.as_str(), Ink::Dim)]);
    if let Some(left) = &left {
        pieces.extend([(separator, Ink::Dim), (left.as_str(), Ink::Plain)]);
    }
    pen.pieces(area.x + 1, area.y, area.width - 1, &pieces);
    second(pen, area, study, rows, cx);
}

/// The best trial and how the best came about; where there is none, what the study waits for.
fn second(pen: &mut Pen<'_>, area: Rect, study: &StudySummary, rows: Option<&Rows>, cx: &Cx<'_>) {
    let y = area.y + 1;
    let (x, room) = (area.x + 1, area.width - 1);
    let mut taken = 0;
    if let (Some(value), Some(trial)) = (study.best_value, &study.best_trial) {
        let value = number::metric(value.0);
        let number = crate::dashboard::data::rows::number_of(trial);
        let row = number.and_then(|number| Some((rows?, rows?.get(number)?)));
        let scheduler = row.map_or("", |(rows, row)| rows.scheduler(row));
        let metric = format!("best {} ", study.metric);
        let by = format!("  by {trial} {scheduler}  ");
        taken = pen.pieces(
            x,
            y,
            room,
            &[(&metric, Ink::Dim), (&value, Ink::Best), (&by, Ink::Plain)],
        );
        let steps = best_so_far(rows, study.direction);
        let columns = usize::from(room.saturating_sub(taken + 12)).min(40);
        if steps.len() > 1 && columns > 4 {
            let spark = gauge::spark(&gauge::thinned(&steps, columns), columns, pen.style);
            taken += pen.text(x + taken, y, room - taken, "best so far ", Ink::Dim);
            taken += pen.text(x + taken, y, room - taken, &spark, Ink::Accent);
            taken += pen.text(x + taken, y, room - taken, "  ", Ink::Dim);
        }
    }
    let told = cx.data.status().ready();
    let told = told.and_then(|status| status.studies.iter().find(|s| s.id == study.id));
    let doing = told
        .map(|told| told.doing.as_str())
        .or(study.reason.as_deref());
    if let Some(doing) = doing {
        pen.text(x + taken, y, room.saturating_sub(taken), doing, Ink::Dim);
    }
}

/// The best value after each trial that has one.
fn best_so_far(rows: Option<&Rows>, direction: Direction) -> Vec<f64> {
    let mut best = f64::NAN;
    let values = rows.into_iter().flat_map(Rows::rows).map(|row| row.value);
    values
        .filter(|value| !value.is_nan())
        .map(|value| {
            if direction.better(value, best) {
                best = value;
            }
            best
        })
        .collect()
}
