//! A question: a sentence, any number of things to fill in, and yes or no.

use super::Verdict;
use crate::dashboard::cx::Cx;
use crate::dashboard::deed::Subject;
use crate::dashboard::field::Field;
use crate::dashboard::pen::{Pen, centred};
use crate::dashboard::screens::Press;
use crate::style::Ink;
use crate::text::wrap;
use attune_protocol::Note;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;
use ratatui::text::Span;

/// What an answer is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Purpose {
    Filter,
    Columns,
    Pause(Vec<Subject>),
    Stop(Vec<Subject>),
    Retry(Vec<Subject>),
    Delete(Vec<Subject>),
    Fork(String),
    Swap(String),
    SetRate(String),
    Extend(String),
    Export(String),
    /// With the note as it was: what is not asked for stays.
    Note(Subject, Note),
    Tag(Subject, Note),
    /// Of a screen's own: what it called it.
    Own(&'static str),
}

/// One thing to be filled in.
#[derive(Debug)]
pub(crate) struct Entry {
    label: &'static str,
    hint: &'static str,
    field: Field,
    /// What can be chosen, if it is not free text; left and right choose.
    choices: Vec<String>,
}

/// A question.
#[derive(Debug)]
pub(crate) struct Dialog {
    purpose: Purpose,
    title: &'static str,
    text: String,
    entries: Vec<Entry>,
    at: usize,
    /// What is wrong with the last answer.
    complaint: Option<String>,
    drawn: Rect,
}

impl Entry {
    /// A line of free text.
    pub(crate) fn text(label: &'static str, hint: &'static str, value: impl Into<String>) -> Self {
        Entry {
            label,
            hint,
            field: Field::new(value),
            choices: Vec::new(),
        }
    }

    /// One of several words.
    pub(crate) fn choice(
        label: &'static str,
        choices: Vec<String>,
        chosen: impl Into<String>,
    ) -> Self {
        Entry {
            label,
            hint: "left and right choose",
            field: Field::new(chosen),
            choices,
        }
    }

    fn turn(&mut self, step: isize) {
        let count = self.choices.len() as isize;
        let text = self.field.text();
        let at = self.choices.iter().position(|choice| choice == text);
        let next = at.map_or(0, |at| (at as isize + step).rem_euclid(count.max(1)));
        if let Some(choice) = self.choices.get(next as usize) {
            self.field = Field::new(choice.clone());
        }
    }
}

impl Dialog {
    pub(crate) fn new(
        purpose: Purpose,
        title: &'static str,
        text: impl Into<String>,
        entries: Vec<Entry>,
    ) -> Self {
        Dialog {
            purpose,
            title,
            text: text.into(),
            entries,
            at: 0,
            complaint: None,
            drawn: Rect::ZERO,
        }
    }

    /// The same question, after an answer that cannot be taken.
    pub(crate) fn again(
        purpose: Purpose,
        title: &'static str,
        why: String,
        entries: Vec<Entry>,
    ) -> Self {
        Dialog {
            complaint: Some(why),
            ..Dialog::new(purpose, title, "", entries)
        }
    }

    pub(super) fn key(&mut self, event: &KeyEvent) -> Verdict {
        let last = self.entries.len().saturating_sub(1);
        match event.code {
            KeyCode::Esc => return Verdict::Close,
            KeyCode::Enter if self.at >= last => return self.answer(),
            KeyCode::Char('y' | 'Y') if self.entries.is_empty() => return self.answer(),
            KeyCode::Char('n' | 'N') if self.entries.is_empty() => return Verdict::Close,
            KeyCode::Enter | KeyCode::Tab | KeyCode::Down => {
                self.at = if self.at >= last { 0 } else { self.at + 1 };
            }
            KeyCode::BackTab | KeyCode::Up => {
                self.at = self.at.checked_sub(1).unwrap_or(last);
            }
            code => {
                if let Some(entry) = self.entries.get_mut(self.at) {
                    match code {
                        KeyCode::Right if !entry.choices.is_empty() => entry.turn(1),
                        KeyCode::Left if !entry.choices.is_empty() => entry.turn(-1),
                        _ => drop(entry.field.key(event)),
                    }
                }
            }
        }
        Verdict::Stay
    }

    pub(super) fn paste(&mut self, text: &str) {
        if let Some(entry) = self.entries.get_mut(self.at) {
            entry.field.paste(text);
        }
    }

    pub(super) fn pointer(&mut self, x: u16, y: u16, press: Press) -> Verdict {
        let clicked = matches!(press, Press::Click | Press::DoubleClick);
        match clicked && !self.drawn.contains((x, y).into()) {
            true => Verdict::Close,
            false => Verdict::Stay,
        }
    }

    fn answer(&self) -> Verdict {
        let texts = self
            .entries
            .iter()
            .map(|e| e.field.text().trim().to_owned());
        Verdict::Answer(self.purpose.clone(), texts.collect())
    }

    /// The trial that must be known to answer it.
    pub(crate) fn trial(&self) -> Option<&str> {
        match &self.purpose {
            Purpose::Fork(trial) => Some(trial),
            _ => None,
        }
    }

    /// Where the trial can be gone on from.
    fn checkpoints(&self, cx: &Cx<'_>) -> Option<String> {
        let detail = cx.data.trial(self.trial()?).ready()?;
        let steps: Vec<String> = detail
            .trial
            .checkpoints
            .iter()
            .map(|checkpoint| checkpoint.step.to_string())
            .collect();
        Some(match steps.as_slice() {
            [] => "It has no checkpoint: R trains it once more from its beginning.".to_owned(),
            [one] => format!("It has one, at step {one}."),
            steps => format!("They are at steps {}.", steps.join(", ")),
        })
    }

    pub(super) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        let wide = 72.min(area.width);
        let room = usize::from(wide.saturating_sub(4)).max(1);
        let told = match self.checkpoints(cx) {
            Some(checkpoints) => format!("{} {checkpoints}", self.text),
            None => self.text.clone(),
        };
        let mut text = wrap(Span::raw(""), &told, room, pen.style);
        if told.is_empty() {
            text.clear();
        }
        if let Some(why) = &self.complaint {
            let head = Span::styled("no:", pen.style.ink(Ink::Bad));
            text.extend(wrap(head, why, room, pen.style));
        }
        let high = text.len() + 2 * self.entries.len() + 4;
        let inside = pen.frame(centred(area, wide, high as u16), self.title);
        self.drawn = inside;
        if inside.width < 4 || inside.height < 2 {
            return;
        }
        let (x, room) = (inside.x + 1, inside.width - 2);
        // What is filled in and the foot are there whatever is told.
        let below = 2 * self.entries.len() as u16 + 2;
        let rows = inside.height.saturating_sub(below).min(text.len() as u16);
        let told = Rect::new(x, inside.y, room, rows);
        pen.lines(told, &text);
        let mut y = told.bottom();
        for (index, entry) in self.entries.iter().enumerate() {
            y += 1;
            if y >= inside.bottom() {
                return;
            }
            let chosen = index == self.at;
            let ink = if chosen { Ink::Strong } else { Ink::Dim };
            let taken = pen.text(x, y, 14, entry.label, ink).max(12) + 2;
            let field = Rect::new(x + taken, y, room.saturating_sub(taken), 1);
            if entry.choices.is_empty() {
                entry.field.draw(pen, field, chosen);
            } else {
                let [left, right] = pen.style.symbols().turn;
                let shown = format!("{left} {} {right}", entry.field.text());
                pen.text(
                    field.x,
                    y,
                    field.width,
                    &shown,
                    if chosen { Ink::Accent } else { Ink::Plain },
                );
            }
            y += 1;
            if chosen && y < inside.bottom() {
                pen.text(field.x, y, field.width, entry.hint, Ink::Dim);
            }
        }
        let foot = match self.entries.len() {
            0 => "enter or y: yes    esc or n: no",
            1 => "enter: do it    esc: leave it",
            _ => "tab: next    enter at the last: do it    esc: leave it",
        };
        pen.text(x, inside.bottom() - 1, room, foot, Ink::Dim);
    }
}
