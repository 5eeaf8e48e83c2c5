//! Lines that are scrolled through, some of which lead somewhere.

use crate::dashboard::deed::Subject;
use crate::dashboard::grid::in_sight;
use crate::dashboard::keys::Command;
use crate::dashboard::pen::Pen;
use crate::dashboard::screens::{Pointer, Press};
use crate::style::{Ink, Style};
use crate::text::wrap;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// A line, and where it leads.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub(super) line: Line<'static>,
    pub(super) leads: Option<Subject>,
}

/// Lines as they are collected.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    room: usize,
    style: Style,
}

/// Columns of the names at the left.
const NAMES: usize = 16;

impl Page {
    pub(super) fn new(columns: u16, style: Style) -> Self {
        Page {
            entries: Vec::new(),
            room: usize::from(columns).max(10),
            style,
        }
    }

    fn push(&mut self, line: Line<'static>, leads: Option<Subject>) {
        self.entries.push(Entry { line, leads });
    }

    /// A heading, an empty line before it.
    pub(super) fn heading(&mut self, title: &str) {
        if !self.entries.is_empty() {
            self.push(Line::default(), None);
        }
        let ink = self.style.ink(Ink::Strong);
        self.push(Line::from(Span::styled(title.to_owned(), ink)), None);
    }

    /// A name and its value, on as many lines as it needs.
    pub(super) fn fact(&mut self, name: &str, value: &str, ink: Ink, leads: Option<Subject>) {
        let name = crate::text::clean(name).into_owned();
        let head = Span::styled(crate::text::pad(&name, NAMES), self.style.ink(Ink::Dim));
        let room = self.room.saturating_sub(NAMES + 3).max(8);
        for (row, mut line) in wrapped(value, room, ink, self.style)
            .into_iter()
            .enumerate()
        {
            let head = match row {
                0 => head.clone(),
                _ => Span::raw(" ".repeat(NAMES)),
            };
            line.spans.insert(0, Span::raw("  "));
            line.spans.insert(0, head);
            self.push(line, leads.clone());
        }
    }

    /// A text on as many lines as it needs.
    pub(super) fn text(&mut self, text: &str, ink: Ink) {
        for line in wrapped(text, self.room.saturating_sub(1), ink, self.style) {
            self.push(line, None);
        }
    }
}

fn wrapped(text: &str, room: usize, ink: Ink, style: Style) -> Vec<Line<'static>> {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let first = crate::text::clean(first).into_owned();
    let mut lines = match rest {
        "" => vec![Line::from(first)],
        rest => wrap(Span::raw(first), rest, room, style),
    };
    for line in &mut lines {
        for span in &mut line.spans {
            span.style = style.ink(ink);
        }
    }
    lines
}

/// Where in the lines one is.
#[derive(Debug, Default)]
pub(super) struct Pager {
    chosen: usize,
    top: usize,
    rows: usize,
    body: Rect,
}

impl Pager {
    /// A command of lists; says whether it was one.
    pub(super) fn act(&mut self, command: Command) -> bool {
        let page = usize::from(self.body.height);
        let last = self.rows.saturating_sub(1);
        let to = command.moved(self.chosen, last, page);
        self.chosen = to.unwrap_or(self.chosen);
        to.is_some()
    }

    /// The mouse; says whether it meant anything, and whether the chosen line is to be opened.
    pub(super) fn pointer(&mut self, pointer: Pointer) -> (bool, bool) {
        if !self.body.contains((pointer.x, pointer.y).into()) {
            return (false, false);
        }
        match pointer.deed {
            Press::WheelDown => (self.act(Command::Down), false),
            Press::WheelUp => (self.act(Command::Up), false),
            Press::Click | Press::DoubleClick => {
                let row = self.top + usize::from(pointer.y - self.body.y);
                self.chosen = row.min(self.rows.saturating_sub(1));
                (true, pointer.deed == Press::DoubleClick)
            }
            Press::Drag(..) | Press::Drop(..) => (false, false),
        }
    }

    pub(super) fn chosen(&self) -> usize {
        self.chosen
    }

    /// Draws the lines around the chosen one; `beside` scrolls with them at the right.
    pub(super) fn draw(
        &mut self,
        pen: &mut Pen<'_>,
        area: Rect,
        entries: &[Entry],
        beside: Option<(&[Entry], u16)>,
    ) {
        self.rows = entries
            .len()
            .max(beside.map_or(0, |(lines, _)| lines.len()));
        self.body = area;
        self.chosen = self.chosen.min(self.rows.saturating_sub(1));
        self.top = in_sight(self.top, self.chosen, self.rows, area.height.into());
        let wide = beside.map_or(area.width, |(_, x)| x);
        for row in 0..area.height {
            let (index, y) = (self.top + usize::from(row), area.y + row);
            if let Some(entry) = entries.get(index) {
                pen.line(area.x, y, wide, &entry.line);
            }
            if let Some((lines, x)) = beside
                && let Some(entry) = lines.get(index)
            {
                pen.line(area.x + x, y, area.width - x, &entry.line);
            }
            if index == self.chosen && index < self.rows {
                pen.choose(Rect::new(area.x, y, area.width, 1));
            }
        }
    }
}
