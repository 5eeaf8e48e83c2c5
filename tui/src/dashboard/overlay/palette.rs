//! Finding a command by its name.

use super::Verdict;
use crate::dashboard::field::Field;
use crate::dashboard::keys::{self, Binding, Group};
use crate::dashboard::pen::{Pen, centred};
use crate::dashboard::screens::Press;
use crate::style::Ink;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

/// The commands that hold here, and what was typed to find one.
#[derive(Debug)]
pub(crate) struct Palette {
    groups: &'static [Group],
    field: Field,
    chosen: usize,
    /// Where the entries were drawn last, and the first one that was.
    drawn: (Rect, usize),
}

impl Palette {
    pub(crate) fn new(groups: &'static [Group]) -> Self {
        Palette {
            groups,
            field: Field::default(),
            chosen: 0,
            drawn: (Rect::ZERO, 0),
        }
    }

    /// What fits what was typed: names that begin with it first, then those that hold it, then
    /// those whose help does.
    fn found(&self) -> Vec<&'static Binding> {
        let typed = self.field.text().trim().to_lowercase();
        let mut found: Vec<(u8, &'static Binding)> = keys::of(self.groups)
            .filter_map(|binding| {
                let rank = match typed.as_str() {
                    "" => 0,
                    typed if binding.name.starts_with(typed) => 0,
                    typed if binding.name.contains(typed) => 1,
                    typed if binding.help.to_lowercase().contains(typed) => 2,
                    _ => return None,
                };
                Some((rank, binding))
            })
            .collect();
        found.sort_by_key(|(rank, _)| *rank);
        found.into_iter().map(|(_, binding)| binding).collect()
    }

    pub(super) fn key(&mut self, event: &KeyEvent) -> Verdict {
        match event.code {
            KeyCode::Esc => return Verdict::Close,
            KeyCode::Enter => {
                let found = self.found();
                return match found.get(self.chosen) {
                    Some(binding) => Verdict::Run(binding.command),
                    None => Verdict::Stay,
                };
            }
            KeyCode::Down | KeyCode::Tab => self.chosen += 1,
            KeyCode::Up | KeyCode::BackTab => self.chosen = self.chosen.saturating_sub(1),
            _ => {
                if self.field.key(event) {
                    self.chosen = 0;
                }
            }
        }
        self.chosen = self.chosen.min(self.found().len().saturating_sub(1));
        Verdict::Stay
    }

    pub(super) fn paste(&mut self, text: &str) {
        self.field.paste(text);
        self.chosen = 0;
    }

    pub(super) fn pointer(&mut self, x: u16, y: u16, press: Press) -> Verdict {
        let (area, first) = self.drawn;
        let found = self.found();
        match press {
            Press::WheelDown => self.chosen = (self.chosen + 1).min(found.len().saturating_sub(1)),
            Press::WheelUp => self.chosen = self.chosen.saturating_sub(1),
            Press::Click | Press::DoubleClick if area.contains((x, y).into()) => {
                if let Some(binding) = found.get(first + usize::from(y - area.y)) {
                    return Verdict::Run(binding.command);
                }
            }
            Press::Click | Press::DoubleClick => return Verdict::Close,
            Press::Drag(..) | Press::Drop(..) => {}
        }
        Verdict::Stay
    }

    pub(super) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect) {
        let found = self.found();
        let high = (found.len() as u16 + 4).min(20);
        let inside = pen.frame(centred(area, 96, high), "Commands");
        if inside.height < 2 {
            return;
        }
        let taken = pen.text(inside.x + 1, inside.y, inside.width - 1, "find ", Ink::Dim);
        let field = Rect {
            x: inside.x + 1 + taken,
            width: inside.width.saturating_sub(taken + 2),
            height: 1,
            ..inside
        };
        self.field.draw(pen, field, true);
        let list = Rect {
            y: inside.y + 1,
            height: inside.height - 1,
            ..inside
        };
        let rows = usize::from(list.height);
        let first = self.chosen.saturating_sub(rows.saturating_sub(1));
        self.drawn = (list, first);
        if found.is_empty() {
            pen.text(
                list.x + 1,
                list.y,
                list.width - 1,
                "no command of that name",
                Ink::Dim,
            );
        }
        for (row, binding) in found.iter().skip(first).take(rows).enumerate() {
            let y = list.y + row as u16;
            pen.text(list.x + 1, y, 17, binding.name, Ink::Strong);
            let keys = binding.keys();
            let room = list.width.saturating_sub(20 + 14);
            pen.text(list.x + 19, y, room, binding.help, Ink::Plain);
            pen.right(list.right().saturating_sub(14), y, 13, &keys, Ink::Accent);
            if first + row == self.chosen {
                pen.choose(Rect::new(list.x, y, list.width, 1));
            }
        }
    }
}
