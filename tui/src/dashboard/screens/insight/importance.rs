//! Which settings decide how good a trial becomes, as bars.

use crate::dashboard::cx::Cx;
use crate::dashboard::data::want::Loaded;
use crate::dashboard::pen::{Pen, inset, split_top};
use crate::gauge;
use crate::style::Ink;
use crate::text::{width, wrap};
use attune_protocol::Insight;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// The list of settings.
#[derive(Debug, Default)]
pub(super) struct Bars {
    pub(super) chosen: usize,
    top: usize,
    /// Where the bars were drawn last.
    drawn: Rect,
}

impl Bars {
    pub(super) fn step(&mut self, by: isize, count: usize) {
        let last = count.saturating_sub(1);
        self.chosen = self.chosen.saturating_add_signed(by).min(last);
    }

    /// The setting at a place of the screen.
    pub(super) fn at(&self, x: u16, y: u16) -> Option<usize> {
        let inside = self.drawn.contains((x, y).into());
        inside.then(|| self.top + usize::from(y - self.drawn.y))
    }

    pub(super) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, study: &str, cx: &Cx<'_>) {
        self.drawn = Rect::ZERO;
        let (x, room) = (area.x + 1, area.width.saturating_sub(1));
        let insight = match cx.data.insight(study) {
            Loaded::Ready(insight) => insight,
            Loaded::Waiting => {
                let text = "asking which settings matter";
                pen.say(area, text, Ink::Dim);
                return;
            }
            Loaded::Failed(why) => {
                let head = Span::styled("no answer:", pen.style.ink(Ink::Bad));
                let lines = wrap(head, why, room.into(), pen.style);
                pen.lines(inset(area), &lines);
                return;
            }
        };
        let caveats = caveats(insight, pen, room);
        let least = area.height.saturating_sub(4).min(caveats.len() as u16);
        let (list, low) = split_top(area, area.height - least);
        let list = self.head(pen, list, insight);
        if insight.importance.is_empty() {
            let text =
                "nothing yet: it takes some trials that have ended, with settings that differ";
            pen.say(list, text, Ink::Dim);
        }
        let rows = usize::from(list.height);
        self.step(0, insight.importance.len());
        let least = (self.chosen + 1).saturating_sub(rows.max(1));
        self.top = self.top.clamp(least, self.chosen);
        self.drawn = list;
        let shown = insight
            .importance
            .iter()
            .enumerate()
            .skip(self.top)
            .take(rows);
        let widest = insight
            .importance
            .iter()
            .map(|part| width(&part.name))
            .max();
        let names = (widest.unwrap_or(0) as u16).clamp(7, 24).min(room / 3);
        let bars = (room / 4).clamp(6, 40);
        for (row, (index, part)) in shown.enumerate() {
            let y = list.y + row as u16;
            let mut at = x;
            pen.text(at, y, names, &part.name, Ink::Strong);
            at += names + 2;
            let bar = Line::from(gauge::bar(part.share.0, bars.into(), pen.style));
            pen.line(at, y, bars, &bar);
            at += bars + 1;
            let share = match part.share.0.is_nan() {
                true => "few".to_owned(),
                false => format!("{:.0}%", 100.0 * part.share.0),
            };
            pen.right(at, y, 4, &share, Ink::Plain);
            at += 6;
            pen.right(at, y, 6, &part.trials.to_string(), Ink::Dim);
            at += 8;
            let left = area.right().saturating_sub(at);
            pen.text(at, y, left, &part.good_values, Ink::Accent);
            if index == self.chosen {
                pen.choose(Rect::new(area.x, y, area.width, 1));
            }
        }
        pen.lines(inset(low), &caveats);
    }

    /// What stands above the bars; the room for them.
    fn head(&self, pen: &mut Pen<'_>, area: Rect, insight: &Insight) -> Rect {
        let note = format!(
            "{} trials with a result, {} of them count as good ({})",
            insight.trials, insight.good, insight.method
        );
        let inside = pen.heading(area, "What matters", &note);
        let (line, list) = split_top(inside, 1);
        let text = "share of what settings explain, trials with it, what the good ones have";
        pen.say(line, text, Ink::Dim);
        list
    }
}

fn caveats(insight: &Insight, pen: &Pen<'_>, room: u16) -> Vec<Line<'static>> {
    let head = || Span::styled("mind:", pen.style.ink(Ink::Warning));
    insight
        .caveats
        .iter()
        .flat_map(|caveat| wrap(head(), caveat, room.into(), pen.style))
        .collect()
}
