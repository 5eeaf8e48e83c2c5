//! Draws the form.

use super::check::Problem;
use super::document::Document;
use super::fields::{self, Item, Kind, Row, SCHEDULERS};
use super::form::{Around, Form, Hit};
use super::typed::Said;
use crate::dashboard::pen::{Pen, split_top};
use crate::style::Ink;
use crate::text::{pad, wrap};
use attune_protocol::DataLook;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// What a form is drawn from, beside itself.
pub(super) struct Sheet<'a> {
    pub(super) document: &'a Document,
    pub(super) around: Around<'a>,
    pub(super) problems: &'a [Problem],
    /// What is known of the data file's path; nothing while it is looked at.
    pub(super) look: Option<Result<&'a DataLook, &'a str>>,
    /// How the study that can be begun with is told.
    pub(super) start: &'a str,
}

/// A line of the form, as it is drawn.
pub(super) enum Drawn {
    Heading(&'static str),
    Row(usize),
    /// Something that is said under a row.
    Told(Line<'static>),
    /// A value for the chosen row: itself, how it is told, and whether it is the one that holds.
    Offer(String, String, bool),
}

/// The foot's lines, which tell what the chosen row means.
const FOOT: u16 = 3;

impl Sheet<'_> {
    pub(super) fn draw(&self, form: &mut Form, pen: &mut Pen<'_>, area: Rect) {
        let (area, foot) = split_top(area, area.height.saturating_sub(FOOT));
        let rows = fields::rows(self.document, self.around.facts, &form.open);
        let lines = self.lines(form, &rows, pen, area);
        let is_chosen = |index: usize| rows[index].id().as_ref() == Some(&form.chosen);
        let at = lines.iter().position(|line| match line {
            Drawn::Row(index) => is_chosen(*index),
            _ => false,
        });
        let at = at.unwrap_or(0);
        let high = usize::from(area.height).max(1);
        let below = lines[at + 1..].iter();
        let below = below
            .take_while(|line| matches!(line, Drawn::Told(_) | Drawn::Offer(..)))
            .count();
        if std::mem::take(&mut form.follows) {
            // What stands under it is seen too; the row above it is, where it is the first of a part.
            let low = (at + below + 1).saturating_sub(high);
            form.top = form.top.clamp(low, at.saturating_sub(1).max(low));
        }
        form.top = form.top.min(lines.len().saturating_sub(high));
        form.hits.clear();
        for (line, y) in lines.iter().skip(form.top).zip(area.top()..area.bottom()) {
            let place = Rect::new(area.x, y, area.width, 1);
            match line {
                Drawn::Heading(title) => drop(pen.heading(place, title, "")),
                Drawn::Told(line) => drop(pen.line(place.x, y, place.width, line)),
                Drawn::Offer(value, text, holds) => {
                    let ink = if *holds { Ink::Accent } else { Ink::Dim };
                    let mark = if *holds {
                        pen.style.symbols().marked
                    } else {
                        " "
                    };
                    let x = place.x + 3;
                    pen.text(x, y, 1, mark, ink);
                    pen.text(x + 1, y, place.width.saturating_sub(4), text, ink);
                    form.hits.push((place, Hit::Offer(value.clone())));
                }
                Drawn::Row(index) => {
                    self.row(form, &rows[*index], pen, place, is_chosen(*index));
                    let id = rows[*index].id().unwrap_or_default();
                    form.hits.push((place, Hit::Row(id)));
                }
            }
        }
        if let Some(row) = rows
            .iter()
            .find(|row| row.id().as_ref() == Some(&form.chosen))
        {
            let more = lines.len() > form.top + high;
            self.foot(row, pen, foot, more);
        }
    }

    fn lines(&self, form: &Form, rows: &[Row], pen: &Pen<'_>, area: Rect) -> Vec<Drawn> {
        let mut lines = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            match row {
                Row::Heading(title) => {
                    lines.push(Drawn::Heading(title));
                    if *title == "Schedulers" {
                        self.tell(&mut lines, SCHEDULERS, pen, area);
                        if self.document.get(SCHEDULERS).is_none() {
                            let told = "  a few good ones are tried where none is chosen";
                            lines.push(dim(told, pen));
                        }
                        if self.around.facts.schedulers.is_empty() {
                            let told = "  no scheduler is known yet: see the Plugins screen";
                            lines.push(dim(told, pen));
                        }
                    }
                }
                Row::Field(item) => {
                    lines.push(Drawn::Row(index));
                    self.tell(&mut lines, &item.path, pen, area);
                    let is_chosen = form.chosen == item.path;
                    match &item.kind {
                        Kind::Path => self.data_file(&mut lines, form, is_chosen, pen),
                        Kind::Column(_) if is_chosen => self.columns(&mut lines, form),
                        _ => {}
                    }
                }
                Row::Start => lines.push(Drawn::Row(index)),
                Row::Scheduler { name, .. } => {
                    lines.push(Drawn::Row(index));
                    if !form.open.contains(name) {
                        self.tell_within(&mut lines, name, pen, area);
                    }
                }
            }
        }
        lines
    }

    /// What is wrong with a key, under its row.
    fn tell(&self, lines: &mut Vec<Drawn>, path: &str, pen: &Pen<'_>, area: Rect) {
        let wrong = self.problems.iter();
        for problem in wrong.filter(|problem| problem.path.as_deref() == Some(path)) {
            no(lines, &problem.message, pen, area);
        }
    }

    /// What is wrong with the parameters of a scheduler, under its row while they are not shown.
    fn tell_within(&self, lines: &mut Vec<Drawn>, scheduler: &str, pen: &Pen<'_>, area: Rect) {
        for (param, problem) in self.within(scheduler) {
            no(lines, &format!("{param}: {}", problem.message), pen, area);
        }
    }

    /// The parameters of a scheduler that something is wrong with.
    fn within<'p>(&'p self, scheduler: &str) -> impl Iterator<Item = (&'p str, &'p Problem)> {
        let table = format!("space.{scheduler}.");
        self.problems.iter().filter_map(move |problem| {
            let param = problem.path.as_deref()?.strip_prefix(&table)?;
            Some((param, problem))
        })
    }

    fn row(&self, form: &Form, row: &Row, pen: &mut Pen<'_>, area: Rect, is_chosen: bool) {
        let (x, y) = (area.x, area.y);
        if is_chosen {
            pen.text(x, y, 1, pen.style.symbols().marked, Ink::Accent);
        }
        let ink = if is_chosen { Ink::Strong } else { Ink::Plain };
        let room = area.width.saturating_sub(2);
        match row {
            Row::Heading(_) => {}
            Row::Start => {
                let taken = label(pen, area, "begin with", ink, 0);
                let room = area.width.saturating_sub(taken);
                turned(pen, Rect::new(x + taken, y, room, 1), self.start, is_chosen);
            }
            Row::Scheduler {
                name,
                summary,
                is_on,
                note,
            } => {
                let tick = if *is_on { "[x] " } else { "[ ] " };
                let told = if note.is_empty() { summary } else { note };
                let pieces = [
                    (tick, if *is_on { Ink::Accent } else { Ink::Dim }),
                    (&pad(name, 18), ink),
                    (told.as_str(), Ink::Dim),
                ];
                pen.pieces(x + 2, y, room, &pieces);
                if self.within(name).next().is_some() {
                    pen.text(x + 1, y, 1, "!", Ink::Bad);
                }
                if is_chosen {
                    pen.choose(Rect::new(x + 3, y, 1, 1));
                }
            }
            Row::Field(item) => self.field(form, item, pen, area, is_chosen),
        }
    }

    fn field(&self, form: &Form, item: &Item, pen: &mut Pen<'_>, area: Rect, is_chosen: bool) {
        let ink = if is_chosen { Ink::Strong } else { Ink::Plain };
        let is_wrong = self
            .problems
            .iter()
            .any(|problem| problem.path.as_ref() == Some(&item.path));
        if is_wrong {
            pen.text(area.x + 1, area.y, 1, "!", Ink::Bad);
        }
        let indent = if matches!(item.kind, Kind::Param(_)) {
            4
        } else {
            0
        };
        let taken = label(pen, area, &item.label, ink, indent);
        let place = Rect {
            x: area.x + taken,
            width: area.width.saturating_sub(taken),
            ..area
        };
        let shown = match is_chosen {
            true => form.field.text().to_owned(),
            false => form.shown(self.document, item),
        };
        let words = fields::words(item);
        let is_word = shown.is_empty() || words.contains(&shown);
        if is_chosen && is_word && !words.is_empty() {
            let text = if shown.is_empty() {
                &item.unset
            } else {
                &shown
            };
            turned(pen, place, text, true);
        } else if is_chosen {
            form.field.draw(pen, place, true);
            if shown.is_empty() {
                let room = place.width.saturating_sub(2);
                pen.text(place.x + 2, place.y, room, &item.unset, Ink::Dim);
            }
        } else if shown.is_empty() {
            pen.text(place.x, place.y, place.width, &item.unset, Ink::Dim);
        } else {
            let ink = if is_wrong { Ink::Bad } else { Ink::Accent };
            pen.text(place.x, place.y, place.width, &shown, ink);
        }
    }

    /// What the chosen row means, and which keys fill it in.
    fn foot(&self, row: &Row, pen: &mut Pen<'_>, area: Rect, more: bool) {
        let text = match row {
            Row::Heading(_) => String::new(),
            Row::Start => {
                "Left and right choose what to begin with, enter takes it: an empty study, \
                           or one that is here already."
                    .to_owned()
            }
            Row::Scheduler { summary, is_on, .. } => {
                let keys = match is_on {
                    true => "space leaves it out, enter shows its parameters.",
                    false => "space takes it in.",
                };
                format!("{summary} {keys}")
            }
            Row::Field(item) => {
                let said = self.document.get(&item.path).and_then(Said::of);
                let is_setting = matches!(item.kind, Kind::Setting(_) | Kind::Param(_));
                let told = said.filter(|_| is_setting).map(|said| said.told());
                let told =
                    told.map_or_else(String::new, |told| format!("{}: {told}. ", item.label));
                let keys = match &item.kind {
                    Kind::Setting(_) | Kind::Param(_) if told.is_empty() => {
                        " A value fixes it; 1, 2 and 0.01 to 0.2 log are searched."
                    }
                    Kind::Turn(_) | Kind::Flag | Kind::Column(_) => " Left and right choose.",
                    _ => "",
                };
                format!("{told}{}{keys}", item.doc)
            }
        };
        let more = if more { "more below" } else { "" };
        let inside = pen.heading(area, "", more);
        let room = usize::from(inside.width).max(8);
        let lines = wrap(Span::raw(""), &text, room, pen.style);
        let dim = pen.style.ink(Ink::Dim);
        let lines: Vec<Line<'_>> = lines.into_iter().map(|l| l.patch_style(dim)).collect();
        pen.lines(inside, &lines);
    }
}

/// Something that is wrong, on as many lines as it needs.
fn no(lines: &mut Vec<Drawn>, message: &str, pen: &Pen<'_>, area: Rect) {
    let bad = pen.style.ink(Ink::Bad);
    let room = usize::from(area.width.saturating_sub(4)).max(8);
    for mut line in wrap(Span::styled("no:", bad), message, room, pen.style) {
        line.spans.insert(0, Span::raw("    "));
        lines.push(Drawn::Told(line.patch_style(bad)));
    }
}

/// A row's label; the columns that it takes, with the room before and behind it.
fn label(pen: &mut Pen<'_>, area: Rect, text: &str, ink: Ink, indent: u16) -> u16 {
    let wide = if area.width >= 44 { 16 } else { 14 };
    pen.text(area.x + 2 + indent, area.y, wide, text, ink);
    2 + indent + wide + 1
}

/// A word that can be turned to another.
fn turned(pen: &mut Pen<'_>, place: Rect, text: &str, is_chosen: bool) {
    let [left, right] = pen.style.symbols().turn;
    match is_chosen {
        true => {
            let text = format!("{left} {text} {right}");
            pen.text(place.x, place.y, place.width, &text, Ink::Accent);
        }
        false => drop(pen.text(place.x, place.y, place.width, text, Ink::Plain)),
    }
}

pub(super) fn dim(text: &str, pen: &Pen<'_>) -> Drawn {
    Drawn::Told(Line::styled(text.to_owned(), pen.style.ink(Ink::Dim)))
}
