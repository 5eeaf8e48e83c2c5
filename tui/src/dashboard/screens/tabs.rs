//! The names of the parts of a page, of which one is shown.

use crate::dashboard::pen::Pen;
use crate::style::Ink;
use ratatui::layout::Rect;
use std::fmt;

/// Where the names were drawn last.
#[derive(Debug)]
pub(crate) struct Tabs<P> {
    drawn: Vec<(Rect, P)>,
}

/// The part so many further on, around the end.
pub(crate) fn beside<P: Copy + PartialEq>(all: &[P], here: P, step: isize) -> P {
    let at = all.iter().position(|part| *part == here).unwrap_or(0);
    let count = all.len().max(1) as isize;
    let to = (at as isize + step).rem_euclid(count) as usize;
    all.get(to).copied().unwrap_or(here)
}

impl<P> Default for Tabs<P> {
    fn default() -> Self {
        Tabs { drawn: Vec::new() }
    }
}

impl<P: Copy + PartialEq> Tabs<P> {
    /// Draws the names on a line, that of the shown part in brackets; what is left of the line.
    pub(crate) fn draw(
        &mut self,
        pen: &mut Pen<'_>,
        line: Rect,
        parts: impl IntoIterator<Item = (P, impl fmt::Display)>,
        here: P,
    ) -> Rect {
        self.drawn.clear();
        let mut x = line.x;
        for (part, title) in parts {
            let is_here = part == here;
            let (text, ink) = match is_here {
                true => (format!("[{title}]"), Ink::Strong),
                false => (format!(" {title} "), Ink::Dim),
            };
            let taken = pen.text(x, line.y, line.right().saturating_sub(x), &text, ink);
            let tab = Rect::new(x, line.y, taken, 1);
            if is_here {
                pen.choose(tab);
            }
            self.drawn.push((tab, part));
            x += taken + 1;
        }
        let x = x.min(line.right());
        Rect {
            x,
            width: line.right() - x,
            ..line
        }
    }

    /// The part whose name is at a place of the screen.
    pub(crate) fn at(&self, x: u16, y: u16) -> Option<P> {
        let found = self
            .drawn
            .iter()
            .find(|(area, _)| area.contains((x, y).into()));
        found.map(|(_, part)| *part)
    }
}
