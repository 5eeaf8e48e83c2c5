//! The head of a trial's page: how it stands in two lines, and the parts of the page.

use super::known::Known;
use super::{Part, Trial};
use crate::dashboard::cx::Cx;
use crate::dashboard::pen::Pen;
use crate::dashboard::screens::study::trials::state_ink;
use crate::number;
use crate::style::Ink;
use attune_protocol::{Number, TrialState};
use ratatui::layout::Rect;

/// Lines that it takes: one more where the trial ended for a reason that needs saying.
pub(super) fn height(known: &Known<'_>) -> u16 {
    3 + u16::from(known.reason().is_some())
}

/// Draws it; `rate` is the last one that is known.
pub(super) fn draw(pen: &mut Pen<'_>, area: Rect, known: &Known<'_>, rate: Option<f64>) {
    let symbols = pen.style.symbols();
    let (x, room) = (area.x + 1, area.width.saturating_sub(1));
    let separator = symbols.separator;
    let state = known.state().unwrap_or(TrialState::Queued);
    let shown = format!("{} {state}", symbols.state(state));
    let scheduler = format!(" {}  ", known.scheduler());
    let mut pieces = vec![
        (known.id.to_owned(), Ink::Strong),
        (scheduler, Ink::Plain),
        (shown, state_ink(state)),
    ];
    if let Some((value, epoch)) = known.best() {
        let metric = known.study.map_or("value", |study| &study.metric);
        let is_best = known
            .study
            .is_some_and(|study| study.best_trial.as_deref() == Some(known.id));
        pieces.push((format!("{separator}best {metric} "), Ink::Dim));
        pieces.push((number::metric(value), Ink::Best));
        let epoch = epoch.map_or_else(String::new, |epoch| format!(" at epoch {epoch}"));
        pieces.push((epoch, Ink::Plain));
        if is_best {
            pieces.push((format!("{separator}the study's best"), Ink::Best));
        }
    }
    write(pen, (x, area.y, room), &pieces);
    let took = number::duration(number::seconds(Number(known.seconds())));
    let mut facts = vec![
        format!("epoch {} of {}", known.epochs(), known.max_epochs()),
        format!("{} steps", known.steps()),
        took,
    ];
    facts.extend(rate.map(|rate| format!("rate {}", number::rate(rate))));
    let trial = known.trial();
    let deaths = trial.map_or(0, |trial| trial.deaths.len());
    let hands = trial.map_or(0, |trial| trial.interventions.len());
    if deaths > 0 {
        facts.push(counted(deaths, "worker died", "workers died"));
    }
    if hands > 0 {
        facts.push(counted(hands, "change by hand", "changes by hand"));
    }
    if let Some(origin) = known.study.and_then(|study| study.origin.as_ref()) {
        facts.push(format!("fork of {} at step {}", origin.trial, origin.step));
    }
    pen.text(x, area.y + 1, room, &facts.join(separator), Ink::Plain);
    if let Some(reason) = known.reason() {
        let ink = match state {
            TrialState::Failed | TrialState::Diverged => Ink::Bad,
            _ => Ink::Warning,
        };
        pen.text(x, area.y + 2, room, reason, ink);
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

fn write(pen: &mut Pen<'_>, (x, y, room): (u16, u16, u16), pieces: &[(String, Ink)]) {
    let pieces: Vec<(&str, Ink)> = pieces
        .iter()
        .map(|(text, ink)| (text.as_str(), *ink))
        .collect();
    pen.pieces(x, y, room, &pieces);
}

impl Trial {
    /// The names of the parts, with how much the log has to tell.
    pub(super) fn draw_tabs(
        &mut self,
        pen: &mut Pen<'_>,
        area: Rect,
        known: &Known<'_>,
        cx: &Cx<'_>,
    ) {
        let trial = known.trial();
        let news = trial.map_or(0, |trial| trial.warnings.len() + trial.deaths.len())
            + usize::from(known.reason().is_some());
        let parts = Part::ALL.map(|part| match part {
            Part::Log if news > 0 => (part, format!("{} ({news})", part.title())),
            part => (part, part.title().to_owned()),
        });
        let left = self.tabs.draw(pen, area, parts, self.part);
        if cx.focus.is_marked(known.id) && left.width > 0 {
            let text = format!("{} marked", pen.style.symbols().marked);
            pen.right(left.x, left.y, left.width, &text, Ink::Warning);
        }
    }
}
