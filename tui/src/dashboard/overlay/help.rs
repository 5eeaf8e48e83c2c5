//! The page of key bindings, made from their table.

use super::Verdict;
use crate::dashboard::keys::{self, Group};
use crate::dashboard::pen::{Pen, centred};
use crate::dashboard::screens::Press;
use crate::style::Ink;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

/// The help, scrolled to some line.
#[derive(Debug)]
pub(crate) struct Help {
    groups: &'static [Group],
    top: usize,
    /// The furthest that it can be scrolled, as it was drawn last.
    most: usize,
}

impl Help {
    /// The bindings of a screen come first, then those that hold anywhere.
    pub(crate) fn new(groups: &'static [Group]) -> Self {
        Help {
            groups,
            top: 0,
            most: 0,
        }
    }

    pub(super) fn key(&mut self, event: &KeyEvent) -> Verdict {
        match event.code {
            KeyCode::Down | KeyCode::Char('j') => self.scroll(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(-1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll(10),
            KeyCode::PageUp => self.scroll(-10),
            KeyCode::Home | KeyCode::Char('g') => self.top = 0,
            KeyCode::End | KeyCode::Char('G') => self.top = self.most,
            _ => return Verdict::Close,
        }
        Verdict::Stay
    }

    pub(super) fn pointer(&mut self, press: Press) -> Verdict {
        match press {
            Press::WheelDown => self.scroll(3),
            Press::WheelUp => self.scroll(-3),
            Press::Click | Press::DoubleClick => return Verdict::Close,
            Press::Drag(..) | Press::Drop(..) => {}
        }
        Verdict::Stay
    }

    fn scroll(&mut self, lines: isize) {
        self.top = self.top.saturating_add_signed(lines).min(self.most);
    }

    pub(super) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect) {
        let mut lines: Vec<(String, &str)> = Vec::new();
        let groups = self.groups.iter().copied().chain([Group::Anywhere]);
        for group in groups {
            if !lines.is_empty() {
                lines.push((String::new(), ""));
            }
            lines.push((String::new(), group.title()));
            let bindings = keys::BINDINGS.iter().filter(|b| b.group == group);
            lines.extend(bindings.map(|binding| (binding.keys(), binding.help)));
        }
        let inside = pen.frame(centred(area, 96, area.height), "Help");
        let rows = usize::from(inside.height).saturating_sub(1);
        self.most = lines.len().saturating_sub(rows);
        self.top = self.top.min(self.most);
        let key_room = 20.min(inside.width / 3);
        for (row, (keys, text)) in lines.iter().skip(self.top).take(rows).enumerate() {
            let y = inside.y + row as u16;
            if keys.is_empty() {
                pen.text(inside.x + 1, y, inside.width - 2, text, Ink::Strong);
            } else {
                pen.right(inside.x, y, key_room, keys, Ink::Accent);
                let x = inside.x + key_room + 2;
                pen.text(x, y, inside.right().saturating_sub(x), text, Ink::Plain);
            }
        }
        let foot = match self.most {
            0 => "any key closes this page",
            _ => "up and down scroll, any other key closes this page",
        };
        if inside.height > 0 {
            pen.text(
                inside.x + 1,
                inside.bottom() - 1,
                inside.width.saturating_sub(2),
                foot,
                Ink::Dim,
            );
        }
    }
}
