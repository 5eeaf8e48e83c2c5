//! Trials side by side, of one study or of several: results with the best marked, only the settings
//! that differ, and their curves on one axis.

mod curves;
mod one;
mod rows;
mod table;

use super::picture::Picture;
use super::steps::{ALONE, forked_at, fresh};
use super::{Pointer, Screen, Wants};
use crate::chart::Unit;
use crate::dashboard::cx::Cx;
use crate::dashboard::data::want::{Fresh, Want};
use crate::dashboard::deed::Subject;
use crate::dashboard::keys::{Command, Group};
use crate::dashboard::pen::{Pen, split_left, split_top};
use crate::style::Ink;
use curves::Drawing;
use one::{One, align};
use ratatui::layout::Rect;
use table::Table;

/// The screen of a comparison.
#[derive(Debug)]
pub(crate) struct Compare {
    table: Table,
    picture: Picture,
    /// The metric that is drawn; the first trial's objective where none was chosen.
    metric: Option<String>,
    /// Whether settings are shown that are the same in all.
    all: bool,
    from_fork: bool,
}

/// More trials than these cannot be told apart.
const MOST: usize = 12;

/// From this width on table and curves stand side by side.
const WIDE: u16 = 150;

/// The least rows of curves.
const LEAST_CURVES: u16 = 8;

impl Default for Compare {
    fn default() -> Self {
        Compare {
            table: Table::default(),
            picture: Picture::new(Unit::Epoch),
            metric: None,
            all: false,
            from_fork: false,
        }
    }
}

impl Compare {
    /// The trials that are compared, in the order in which they were marked.
    fn ones<'a>(&self, cx: &Cx<'a>) -> Vec<One<'a>> {
        let marked = cx.focus.marked.iter().take(MOST);
        let mut ones: Vec<One<'a>> = marked.map(|id| One::new(id, cx)).collect();
        align(&mut ones, self.picture.unit, self.from_fork);
        ones
    }

    fn chosen<'a>(&self, cx: &'a Cx<'_>) -> Option<&'a String> {
        let shown = cx.focus.marked.len().min(MOST);
        cx.focus
            .marked
            .get(self.table.chosen.min(shown.checked_sub(1)?))
    }

    /// The metric that is drawn.
    fn metric(&self, ones: &[One<'_>]) -> String {
        let names = curves::metrics(ones);
        let chosen = self.metric.as_ref().filter(|metric| names.contains(metric));
        chosen.or(names.first()).cloned().unwrap_or_default()
    }

    fn next_metric(&mut self, cx: &Cx<'_>) {
        let ones = self.ones(cx);
        let names = curves::metrics(&ones);
        let now = self.metric(&ones);
        let at = names.iter().position(|name| *name == now);
        let next = at.map_or(0, |at| (at + 1) % names.len().max(1));
        self.metric = names.get(next).cloned();
    }

    fn count_from_fork(&mut self, cx: &mut Cx<'_>) {
        let is_any = self.ones(cx).iter().any(|one| forked_at(one.study) > 0);
        if !is_any {
            cx.tell("none of these trials is a fork of another one");
            return;
        }
        self.from_fork = !self.from_fork;
        self.picture.reset();
        cx.tell(match self.from_fork {
            true => "counted from the fork on",
            false => "counted from the beginning",
        });
    }

    /// What must be said of what is shown.
    fn notes(&self, ones: &[One<'_>], cx: &Cx<'_>) -> Vec<String> {
        let mut notes = Vec::new();
        let marked = cx.focus.marked.len();
        if marked > MOST {
            notes.push(format!(
                "the first {MOST} of {marked} marked trials are shown; space takes one out"
            ));
        }
        let objectives = rows::objectives(ones);
        if objectives.len() > 1 {
            let names: Vec<&str> = objectives.iter().map(|(metric, _)| *metric).collect();
            notes.push(format!(
                "these studies have different aims ({}): only values of one metric are compared",
                names.join(", ")
            ));
        }
        notes
    }

    /// How it is looked at, and who is drawn.
    fn heading(&self, ones: &[One<'_>], metric: &str) -> String {
        let drawn = ones
            .iter()
            .filter(|one| one.epoch_curve(metric).is_some())
            .count();
        let mut parts = vec![match drawn == ones.len() {
            true => format!("{drawn} trials"),
            false => format!("{drawn} of {} trials have it", ones.len()),
        }];
        if self.from_fork {
            parts.push("from the fork on".to_owned());
        }
        let note = self.picture.note();
        if !note.is_empty() {
            parts.push(note);
        }
        parts.join(", ")
    }

    /// Says how trials come here.
    fn welcome(pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        let marked = match cx.focus.marked.first() {
            Some(one) => format!("{one} is marked: mark one more to compare it with"),
            None => "no trial is marked yet".to_owned(),
        };
        let lines = [
            marked.as_str(),
            "",
            "space marks the trial under the cursor in a study (2), of any study (1);",
            "c compares the marked ones, or the chosen one with the study's best.",
        ];
        for (row, line) in lines.iter().take(area.height.into()).enumerate() {
            let ink = if row == 0 { Ink::Plain } else { Ink::Dim };
            let y = area.y + row as u16;
            pen.text(area.x + 1, y, area.width.saturating_sub(1), line, ink);
        }
    }
}

impl Screen for Compare {
    fn groups(&self) -> &'static [Group] {
        &[Group::Compare, Group::Chart, Group::Deeds]
    }

    fn title(&self, cx: &Cx<'_>) -> String {
        match cx.focus.marked.len() {
            0 => String::new(),
            1 => "1 trial".to_owned(),
            count => format!("{count} trials"),
        }
    }

    fn wants(&mut self, cx: &mut Cx<'_>, wants: &mut Wants) {
        let ones = self.ones(cx);
        let running = ones.iter().filter(|one| one.is_running()).count() as u64;
        for one in &ones {
            let fresh = fresh(one.detail, None, ALONE / running.max(1));
            wants.answer(Want::Trial(one.id.clone()), fresh);
            if let Some(query) = one.last_rate_query() {
                wants.answer(Want::Zoom(one.id.clone(), query), Fresh::Once);
            }
        }
        let metric = self.metric(&ones);
        let drawing = Drawing {
            ones: &ones,
            metric: &metric,
        };
        drawing.wants(&self.picture, wants, cx);
    }

    fn act(&mut self, command: Command, cx: &mut Cx<'_>) -> bool {
        if self.table.act(command) || self.picture.act(command) {
            return true;
        }
        let last = cx.focus.marked.len().min(MOST).saturating_sub(1);
        match command {
            Command::NextTrial if self.table.chosen >= last => self.table.chosen = 0,
            Command::NextTrial => self.table.chosen += 1,
            Command::PreviousTrial => {
                self.table.chosen = self.table.chosen.checked_sub(1).unwrap_or(last);
            }
            Command::Open => {
                if let Some(trial) = self.chosen(cx).cloned() {
                    cx.open_trial(&trial);
                }
            }
            Command::Mark => {
                if let Some(trial) = self.chosen(cx).cloned() {
                    cx.focus.toggle(&trial);
                    cx.tell(format!("{trial} is taken out"));
                }
            }
            Command::Unmark => cx.focus.marked.clear(),
            Command::AllSettings => self.all = !self.all,
            Command::FromFork => self.count_from_fork(cx),
            Command::Metric => self.next_metric(cx),
            _ => return false,
        }
        true
    }

    fn subjects(&self, cx: &Cx<'_>) -> Vec<Subject> {
        let chosen = self.chosen(cx).cloned();
        chosen.map(Subject::Trial).into_iter().collect()
    }

    fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        let ones = self.ones(cx);
        if ones.len() < 2 {
            Self::welcome(pen, area, cx);
            return;
        }
        let notes = self.notes(&ones, cx);
        let (top, rest) = split_top(area, notes.len() as u16);
        for (row, note) in notes.iter().take(top.height.into()).enumerate() {
            let y = top.y + row as u16;
            pen.text(top.x + 1, y, top.width - 1, note, Ink::Warning);
        }
        let rows = rows::rows(&ones, self.all, pen.style);
        let (list, chart) = match area.width >= WIDE {
            true => split_left(rest, area.width / 2),
            false => {
                let wanted = rows.len() as u16 + 1;
                let most = (rest.height / 2).max(rest.height.saturating_sub(22));
                let most = most.min(rest.height.saturating_sub(LEAST_CURVES));
                split_top(rest, wanted.min(most))
            }
        };
        self.table.draw(pen, list, &ones, &rows);
        let metric = self.metric(&ones);
        let inside = pen.heading(chart, "Curves", &self.heading(&ones, &metric));
        let drawing = Drawing {
            ones: &ones,
            metric: &metric,
        };
        drawing.draw(pen, inside, &mut self.picture, cx);
    }

    fn pointer(&mut self, pointer: Pointer, cx: &mut Cx<'_>) -> bool {
        let (meant, opened) = self.table.pointer(pointer);
        if opened {
            self.act(Command::Open, cx);
        }
        meant || self.picture.pointer(pointer)
    }
}
