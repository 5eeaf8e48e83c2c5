//! The study file's text, to be edited as such: with line numbers, undo, search, and what is wrong
//! under the line that it is about.

use super::check::Problem;
use crate::dashboard::field::Field;
use crate::dashboard::pen::{Pen, split_top};
use crate::dashboard::screens::{Pointer, Press};
use crate::style::Ink;
use crate::text::{width, wrap};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::text::Span;
use ratatui_textarea::{CursorMove, TextArea};

/// The editor.
#[derive(Debug, Default)]
pub(super) struct Editor {
    area: TextArea<'static>,
    /// What is looked for, while it is typed.
    search: Option<Field>,
    /// What was looked for last.
    sought: String,
    top: usize,
    follows: bool,
    /// Where it was drawn last: the text's place, and which of its lines stands on which row.
    place: Rect,
    rows: Vec<Option<usize>>,
}

/// The longest text that can be a study file.
const LONGEST: usize = 1 << 20;

impl Editor {
    /// The text, whoever changed it. What was before can be undone.
    pub(super) fn show(&mut self, text: &str) {
        if self.text() == text {
            return;
        }
        if self.area.is_empty() {
            // There was nothing that anybody would want back.
            self.area = TextArea::from(text.split('\n'));
            return;
        }
        let cursor = self.area.cursor();
        self.area.select_all();
        self.area.insert_str(text);
        self.jump(cursor.0, cursor.1);
    }

    pub(super) fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Puts the cursor on a line, counted from 1.
    pub(super) fn go_to(&mut self, line: usize) {
        self.jump(line.saturating_sub(1), 0);
    }

    /// Leaves the search, if one is typed; says whether one was.
    pub(super) fn leave_search(&mut self) -> bool {
        self.search.take().is_some()
    }

    /// Takes a key; says whether the text may be another one now.
    pub(super) fn key(&mut self, event: &KeyEvent) -> bool {
        self.follows = true;
        if self.search.is_some() {
            self.search_key(event);
            return false;
        }
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let page = usize::from(self.place.height).max(2) - 1;
        match event.code {
            KeyCode::Char('z') if ctrl => self.area.undo(),
            KeyCode::Char('y') if ctrl => self.area.redo(),
            KeyCode::Char('f') if ctrl => {
                self.search = Some(Field::new(self.sought.clone()));
                false
            }
            KeyCode::Char('g') if ctrl => {
                self.find_next();
                false
            }
            KeyCode::PageDown => self.page(page as isize),
            KeyCode::PageUp => self.page(-(page as isize)),
            KeyCode::Tab => self.area.insert_str("  "),
            KeyCode::BackTab => false,
            _ if self.text().len() >= LONGEST && matches!(event.code, KeyCode::Char(_)) => false,
            _ => self.area.input(*event),
        }
    }

    pub(super) fn paste(&mut self, text: &str) -> bool {
        self.follows = true;
        if let Some(search) = &mut self.search {
            search.paste(text);
            return false;
        }
        if self.text().len() + text.len() > LONGEST {
            return false;
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        self.area.insert_str(text)
    }

    /// The mouse: a click puts the cursor there, the wheel scrolls.
    pub(super) fn pointer(&mut self, pointer: Pointer) -> bool {
        if !self.place.contains((pointer.x, pointer.y).into()) {
            return false;
        }
        match pointer.deed {
            Press::WheelDown => self.top = (self.top + 3).min(self.area.lines().len() - 1),
            Press::WheelUp => self.top = self.top.saturating_sub(3),
            Press::Click | Press::DoubleClick => {
                let row = usize::from(pointer.y - self.place.y);
                if let Some(Some(line)) = self.rows.get(row).copied() {
                    let column = usize::from(pointer.x - self.place.x);
                    self.jump(line, self.char_at(line, column));
                }
            }
            Press::Drag(..) | Press::Drop(..) => return false,
        }
        true
    }

    fn search_key(&mut self, event: &KeyEvent) {
        if event.code == KeyCode::Enter {
            let search = self.search.take();
            self.sought = search.map_or_else(String::new, |search| search.text().to_owned());
            self.find_next();
        } else if let Some(search) = &mut self.search {
            search.key(event);
        }
    }

    /// To the next place of what is looked for, around the end.
    fn find_next(&mut self) {
        if self.sought.is_empty() {
            return;
        }
        let cursor = self.area.cursor();
        let lines = self.area.lines();
        let count = lines.len();
        for step in 0..=count {
            let row = (cursor.0 + step) % count;
            let line = &lines[row];
            let from = match step {
                0 => line
                    .char_indices()
                    .nth(cursor.1 + 1)
                    .map_or(line.len(), |(at, _)| at),
                _ => 0,
            };
            if let Some(found) = line[from..].find(&self.sought) {
                let column = line[..from + found].chars().count();
                self.jump(row, column);
                return;
            }
        }
    }

    fn page(&mut self, lines: isize) -> bool {
        let cursor = self.area.cursor();
        let row = cursor.0.saturating_add_signed(lines);
        self.jump(row.min(self.area.lines().len() - 1), cursor.1);
        false
    }

    fn jump(&mut self, row: usize, column: usize) {
        let place = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        self.area.cancel_selection();
        self.area
            .move_cursor(CursorMove::Jump(place(row), place(column)));
        self.follows = true;
    }

    /// The character of a line in a column of the screen.
    fn char_at(&self, line: usize, column: usize) -> usize {
        let text = &self.area.lines()[line];
        let skipped = self.skipped(line);
        let before = text.chars().skip(skipped);
        let mut taken = 0;
        for (index, c) in before.enumerate() {
            taken += width(&spread(&c.to_string()));
            if taken > column {
                return skipped + index;
            }
        }
        text.chars().count()
    }

    /// Characters at a line's front that are left out, so that the cursor is in sight.
    fn skipped(&self, line: usize) -> usize {
        let cursor = self.area.cursor();
        if cursor.0 != line {
            return 0;
        }
        let text = &self.area.lines()[line];
        let end = text.char_indices().nth(cursor.1).map(|(end, _)| end);
        let before = &text[..end.unwrap_or(text.len())];
        let room = usize::from(self.place.width).max(2) - 1;
        // From the cursor back, so that what is left out is never measured however long it is.
        let starts = before.char_indices().rev().map(|(start, _)| start);
        let fits = |start: &usize| width(&spread(&before[*start..])) <= room;
        let shown = starts.take_while(fits).count();
        before.chars().count() - shown
    }

    pub(super) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, problems: &[Problem]) {
        let (area, foot) = split_top(area, area.height.saturating_sub(2));
        let count = self.area.lines().len();
        let gutter = count.to_string().len().max(2) as u16 + 3;
        self.place = Rect {
            x: area.x + gutter,
            width: area.width.saturating_sub(gutter),
            ..area
        };
        let cursor = self.area.cursor();
        if std::mem::take(&mut self.follows) {
            // What is wrong stands under its line and takes rows too.
            let high = usize::from(area.height).max(1);
            self.top = self.top.min(cursor.0);
            while self.top < cursor.0 && self.rows_between(self.top, cursor.0, problems, pen) > high
            {
                self.top += 1;
            }
        }
        self.rows.clear();
        let mut y = area.y;
        for line in self.top..count {
            if y >= area.bottom() {
                break;
            }
            let told = told(problems, line + 1, self.place.width, pen);
            self.line(pen, line, y, gutter, area.x, !told.is_empty());
            self.rows.push(Some(line));
            y += 1;
            for text in told {
                if y < area.bottom() {
                    pen.line(self.place.x, y, self.place.width, &text);
                    self.rows.push(None);
                    y += 1;
                }
            }
        }
        self.foot(pen, foot, problems);
    }

    fn rows_between(
        &self,
        first: usize,
        last: usize,
        problems: &[Problem],
        pen: &Pen<'_>,
    ) -> usize {
        let rows = |line: usize| 1 + told(problems, line + 1, self.place.width, pen).len();
        (first..=last).map(rows).sum()
    }

    fn line(&self, pen: &mut Pen<'_>, line: usize, y: u16, gutter: u16, x: u16, wrong: bool) {
        let number = format!("{:>1$}", line + 1, usize::from(gutter) - 3);
        let ink = if wrong { Ink::Bad } else { Ink::Dim };
        let mark = if wrong { "!" } else { " " };
        pen.text(x, y, gutter, &format!("{mark}{number}"), ink);
        let text = &self.area.lines()[line];
        let skipped = self.skipped(line);
        let shown: String = text.chars().skip(skipped).collect();
        let trimmed = shown.trim_start();
        let ink = match trimmed.chars().next() {
            Some('#') => Ink::Dim,
            Some('[') if skipped == 0 && text.starts_with('[') => Ink::Strong,
            _ => Ink::Plain,
        };
        let place = self.place;
        pen.text(place.x, y, place.width, &spread(&shown), ink);
        let column = |at: usize| {
            let before: String = text
                .chars()
                .skip(skipped)
                .take(at.saturating_sub(skipped))
                .collect();
            (width(&spread(&before)) as u16).min(place.width)
        };
        if let Some(((first, from), (last, to))) = self.area.selection_range()
            && (first..=last).contains(&line)
        {
            let from = if line == first { column(from) } else { 0 };
            let to = if line == last {
                column(to)
            } else {
                column(usize::MAX)
            };
            pen.choose(Rect::new(place.x + from, y, to.saturating_sub(from), 1));
        }
        let cursor = self.area.cursor();
        if cursor.0 == line && self.search.is_none() {
            let at = column(cursor.1).min(place.width.saturating_sub(1));
            pen.choose(Rect::new(place.x + at, y, 1, 1));
        }
    }

    fn foot(&self, pen: &mut Pen<'_>, area: Rect, problems: &[Problem]) {
        let cursor = self.area.cursor();
        let place = format!("line {}, column {}", cursor.0 + 1, cursor.1 + 1);
        let inside = pen.heading(area, "", &place);
        if let Some(search) = &self.search {
            let taken = pen.text(inside.x, inside.y, inside.width, "find ", Ink::Strong);
            let room = inside.width.saturating_sub(taken);
            search.draw(pen, Rect::new(inside.x + taken, inside.y, room, 1), true);
            return;
        }
        let placeless = problems.iter().find(|problem| problem.line.is_none());
        match placeless {
            Some(problem) => {
                let text = format!("no: {}", problem.message);
                pen.text(inside.x, inside.y, inside.width, &text, Ink::Bad);
            }
            None => {
                let text = "ctrl-z undo  ctrl-y redo  ctrl-f find  ctrl-g find next";
                pen.text(inside.x, inside.y, inside.width, text, Ink::Dim);
            }
        }
    }
}

/// What is wrong with a line, counted from 1.
fn told(
    problems: &[Problem],
    line: usize,
    room: u16,
    pen: &Pen<'_>,
) -> Vec<ratatui::text::Line<'static>> {
    let bad = pen.style.ink(Ink::Bad);
    let wrong = problems.iter().filter(|problem| problem.line == Some(line));
    let room = usize::from(room).max(8);
    wrong
        .flat_map(|problem| wrap(Span::raw("no:"), &problem.message, room, pen.style))
        .map(|line| line.patch_style(bad))
        .collect()
}

/// A tab takes two columns.
fn spread(text: &str) -> String {
    text.replace('\t', "  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::Style;
    use ratatui::buffer::Buffer;
    use std::time::{Duration, Instant};

    fn press(editor: &mut Editor, code: KeyCode, modifiers: KeyModifiers) -> bool {
        editor.key(&KeyEvent::new(code, modifiers))
    }

    #[test]
    fn what_was_typed_and_what_was_shown_can_be_undone() {
        let (none, ctrl) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        let mut editor = Editor::default();
        editor.show("seed = 1\n");
        assert!(press(&mut editor, KeyCode::Char('#'), none));
        assert_eq!(editor.text(), "#seed = 1\n");
        editor.show("trials = 2\n");
        assert_eq!(editor.text(), "trials = 2\n");
        while editor.text() != "#seed = 1\n" {
            assert!(press(&mut editor, KeyCode::Char('z'), ctrl));
        }
        while press(&mut editor, KeyCode::Char('y'), ctrl) {}
        assert_eq!(editor.text(), "trials = 2\n");
    }

    #[test]
    fn a_word_is_found_again_and_again_around_the_end() {
        let (none, ctrl) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        let mut editor = Editor::default();
        editor.show("lr = 1\nwidth = 2\nlr_too = lr\n");
        editor.go_to(1);
        press(&mut editor, KeyCode::Char('f'), ctrl);
        for c in "lr".chars() {
            assert!(!press(&mut editor, KeyCode::Char(c), none));
        }
        press(&mut editor, KeyCode::Enter, none);
        let mut seen = Vec::new();
        for _ in 0..4 {
            let at = editor.area.cursor();
            seen.push((at.0, at.1));
            press(&mut editor, KeyCode::Char('g'), ctrl);
        }
        assert_eq!(seen, [(2, 0), (2, 9), (0, 0), (2, 0)]);
        assert!(!editor.leave_search(), "it is over with the first");
        press(&mut editor, KeyCode::Char('f'), ctrl);
        assert!(editor.leave_search());
        assert!(!editor.leave_search());
    }

    #[test]
    fn a_long_line_is_drawn_at_once_with_its_end_in_sight() {
        let area = Rect::new(0, 0, 15, 3);
        let mut editor = Editor::default();
        editor.paste(&"\t0123456789".repeat(10_000));
        let begun = Instant::now();
        let mut buffer = Buffer::empty(area);
        let mut pen = Pen {
            buffer: &mut buffer,
            style: Style::ASCII,
        };
        editor.draw(&mut pen, area, &[]);
        let shown: String = (0..area.width).map(|x| buffer[(x, 0)].symbol()).collect();
        assert_eq!(shown, "  1  123456789 ");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
