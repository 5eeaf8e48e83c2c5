//! A line of text that is being typed.

use super::pen::Pen;
use crate::style::Ink;
use crate::text::{tail, width};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

/// No line that anybody types is longer.
const LONGEST: usize = 10_000;

/// A text and a place in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Field {
    text: String,
    /// In bytes, always between two characters.
    cursor: usize,
}

impl Field {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Field {
            cursor: text.len(),
            text,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Takes a key; says whether it was one for typing.
    pub(crate) fn key(&mut self, event: &KeyEvent) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        match event.code {
            KeyCode::Char('a') if ctrl => self.cursor = 0,
            KeyCode::Char('e') if ctrl => self.cursor = self.text.len(),
            KeyCode::Char('u') if ctrl => drop(self.text.drain(..std::mem::take(&mut self.cursor))),
            KeyCode::Char('k') if ctrl => self.text.truncate(self.cursor),
            KeyCode::Char('w') if ctrl => self.erase_word(),
            KeyCode::Char(c) if !ctrl && !alt => self.insert(c),
            KeyCode::Backspace => {
                if let Some(before) = self.before() {
                    self.cursor = before;
                    self.text.remove(before);
                }
            }
            KeyCode::Delete => {
                if self.cursor < self.text.len() {
                    self.text.remove(self.cursor);
                }
            }
            KeyCode::Left => self.cursor = self.before().unwrap_or(0),
            KeyCode::Right => {
                let next = self.text[self.cursor..].chars().next();
                self.cursor += next.map_or(0, char::len_utf8);
            }
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => return false,
        }
        true
    }

    /// Takes what was pasted, as one line.
    pub(crate) fn paste(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            self.insert(c);
        }
    }

    /// Draws the end of the text that holds the cursor, and the cursor where it is typed in.
    pub(crate) fn draw(&self, pen: &mut Pen<'_>, area: Rect, typing: bool) {
        if area.width == 0 || area.height == 0 {
            return;
        }
        // As many characters are left out at the front as keep the cursor in sight.
        let room = usize::from(area.width) - 1;
        let before = tail(&self.text[..self.cursor], room);
        let start = self.cursor - before.len();
        pen.text(area.x, area.y, area.width, &self.text[start..], Ink::Plain);
        if typing {
            let column = width(before) as u16;
            pen.choose(Rect::new(area.x + column, area.y, 1, 1));
        }
    }

    fn insert(&mut self, c: char) {
        if self.text.len() < LONGEST {
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    fn before(&self) -> Option<usize> {
        let (before, _) = self.text[..self.cursor].char_indices().next_back()?;
        Some(before)
    }

    fn erase_word(&mut self) {
        let head = self.text[..self.cursor].trim_end();
        let start = head.rfind(char::is_whitespace).map_or(0, |at| {
            at + head[at..].chars().next().map_or(1, char::len_utf8)
        });
        self.text.drain(start..self.cursor);
        self.cursor = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::Style;
    use ratatui::buffer::Buffer;
    use std::time::{Duration, Instant};

    fn typed(field: &mut Field, keys: &[(KeyCode, KeyModifiers)]) {
        for (code, modifiers) in keys {
            field.key(&KeyEvent::new(*code, *modifiers));
        }
    }

    #[test]
    fn a_line_is_edited_as_in_a_shell() {
        use KeyCode::{Backspace, Char, Delete, Home, Left, Right};
        let (none, ctrl) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        let mut field = Field::new("grüße an");
        typed(&mut field, &[(Backspace, none), (Char('b'), none)]);
        assert_eq!(field.text(), "grüße ab");
        typed(&mut field, &[(Char('w'), ctrl), (Left, none), (Left, none)]);
        assert_eq!(field.text(), "grüße ");
        typed(&mut field, &[(Delete, none), (Char('E'), none)]);
        assert_eq!(field.text(), "grüßE ");
        typed(&mut field, &[(Home, none), (Delete, none), (Right, none)]);
        assert_eq!(field.text(), "rüßE ");
        typed(&mut field, &[(Char('k'), ctrl)]);
        assert_eq!(field.text(), "r");
        typed(&mut field, &[(Char('u'), ctrl), (Backspace, none)]);
        assert_eq!(field.text(), "");
        field.paste("a\tb\nc");
        assert_eq!(field.text(), "abc");
        assert!(!field.key(&KeyEvent::new(KeyCode::Enter, none)));
    }

    #[test]
    fn a_long_line_is_drawn_at_once_with_its_end_in_sight() {
        let area = Rect::new(0, 0, 9, 1);
        let mut field = Field::default();
        field.paste(&"0123456789".repeat(LONGEST / 10));
        let begun = Instant::now();
        for _ in 0..100 {
            let mut buffer = Buffer::empty(area);
            let mut pen = Pen {
                buffer: &mut buffer,
                style: Style::ASCII,
            };
            field.draw(&mut pen, area, true);
            let shown: String = (0..area.width).map(|x| buffer[(x, 0)].symbol()).collect();
            assert_eq!(shown, "23456789 ");
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
