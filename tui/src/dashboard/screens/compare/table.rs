//! The table of a comparison: a column a trial, a row a thing.

use super::one::One;
use super::rows::Row;
use crate::dashboard::data::want::Loaded;
use crate::dashboard::keys::Command;
use crate::dashboard::pen::Pen;
use crate::dashboard::screens::{Pointer, Press};
use crate::style::Ink;
use crate::text::{clean, width};
use ratatui::layout::Rect;

/// Where in the table one is.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The column of the chosen trial.
    pub(super) chosen: usize,
    /// The first row and the first column in sight.
    top: usize,
    left: usize,
    rows: usize,
    body: Rect,
    /// Where columns were drawn last.
    columns: Vec<(Rect, usize)>,
}

/// Between two columns, and the widest and the narrowest one.
const GAP: u16 = 2;
const WIDEST: u16 = 26;
const LEAST: u16 = 8;

impl Table {
    /// A command that scrolls; says whether it was one.
    pub(super) fn act(&mut self, command: Command) -> bool {
        let page = usize::from(self.body.height).max(1);
        let last = self.rows.saturating_sub(page);
        let to = command.moved(self.top, last, page);
        self.top = to.unwrap_or(self.top);
        to.is_some()
    }

    /// The mouse; says whether it meant anything, and whether the chosen trial is to be opened.
    pub(super) fn pointer(&mut self, pointer: Pointer) -> (bool, bool) {
        let at = (pointer.x, pointer.y).into();
        let column = self.columns.iter().find(|(area, _)| area.contains(at));
        match pointer.deed {
            Press::Click | Press::DoubleClick => match column {
                Some(&(_, column)) => {
                    self.chosen = column;
                    (true, pointer.deed == Press::DoubleClick)
                }
                None => (false, false),
            },
            _ if !self.body.contains(at) => (false, false),
            Press::WheelDown => (self.act(Command::Down), false),
            Press::WheelUp => (self.act(Command::Up), false),
            Press::Drag(..) | Press::Drop(..) => (false, false),
        }
    }

    /// Draws it; `rows` are those of [`rows`](super::rows::rows).
    pub(super) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, ones: &[One<'_>], rows: &[Row]) {
        self.columns.clear();
        self.rows = rows.len();
        self.chosen = self.chosen.min(ones.len().saturating_sub(1));
        self.body = Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..area
        };
        let page = usize::from(self.body.height);
        self.top = self.top.min(rows.len().saturating_sub(page));
        let names = rows.iter().map(|row| width(&row.name) as u16).max();
        let names = (names.unwrap_or(0) + 1).min(area.width * 2 / 5);
        let wide: Vec<u16> = (0..ones.len())
            .map(|n| column_width(ones, rows, n))
            .collect();
        let room = area.width.saturating_sub(names + GAP);
        self.left = first_column(&wide, self.left.min(self.chosen), self.chosen, room);
        let shown: Vec<&Row> = rows.iter().skip(self.top).take(page).collect();
        for (index, row) in shown.iter().enumerate() {
            let y = self.body.y + index as u16;
            let ink = if row.cells.is_empty() {
                Ink::Strong
            } else {
                Ink::Dim
            };
            let room = if row.cells.is_empty() {
                area.width
            } else {
                names
            };
            pen.text(area.x + 1, y, room.saturating_sub(1), &row.name, ink);
        }
        let mut x = area.x + names + GAP;
        for column in self.left..ones.len() {
            let room = area.right().saturating_sub(x);
            if room < LEAST.min(wide[column]) {
                break;
            }
            let wide = wide[column].min(room);
            let place = Rect::new(x, area.y, wide, area.height);
            self.column(pen, place, (&ones[column], column), &shown);
            self.columns.push((place, column));
            x += wide + GAP;
        }
        let hidden = ones.len() - self.left - self.columns.len();
        let sides = [(self.left, "left"), (hidden, "right")];
        let told: Vec<String> = sides
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, side)| format!("{count} more {side}"))
            .collect();
        pen.text(area.x + 1, area.y, names, &told.join(", "), Ink::Warning);
    }

    fn column(
        &self,
        pen: &mut Pen<'_>,
        place: Rect,
        (one, index): (&One<'_>, usize),
        rows: &[&Row],
    ) {
        let marker = pen.style.symbols().marker(index);
        let taken = pen.text(place.x, place.y, place.width, marker, Ink::Series(index)) + 1;
        let room = place.width.saturating_sub(taken);
        pen.text(place.x + taken, place.y, room, &one.id, Ink::Strong);
        if index == self.chosen {
            pen.choose(Rect { height: 1, ..place });
        }
        let lost = match one.detail {
            Loaded::Ready(_) => None,
            Loaded::Waiting => Some(("on its way", Ink::Dim)),
            Loaded::Failed(why) => Some((why, Ink::Bad)),
        };
        if let Some((text, ink)) = lost {
            pen.text(place.x, place.y + 1, place.width, text, ink);
            return;
        }
        for (line, row) in rows.iter().enumerate() {
            if let Some((text, ink)) = row.cells.get(index) {
                pen.text(place.x, place.y + 1 + line as u16, place.width, text, *ink);
            }
        }
    }
}

fn column_width(ones: &[One<'_>], rows: &[Row], column: usize) -> u16 {
    let cells = rows.iter().filter_map(|row| row.cells.get(column));
    let widest = cells
        .map(|(text, _)| width(&clean(text)))
        .max()
        .unwrap_or(0);
    let head = width(&ones[column].id) + 2;
    (widest.max(head).min(usize::from(WIDEST)) as u16).max(LEAST)
}

/// The first column in sight, from `from` on, so that the chosen one is in sight whole.
fn first_column(wide: &[u16], from: usize, chosen: usize, room: u16) -> usize {
    let needed = |first: usize| -> u16 {
        let columns = wide.iter().take(chosen + 1).skip(first);
        columns
            .map(|wide| wide + GAP)
            .sum::<u16>()
            .saturating_sub(GAP)
    };
    (from..chosen)
        .find(|&first| needed(first) <= room)
        .unwrap_or(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_column_is_in_sight() {
        let wide = [10, 10, 10, 10];
        assert_eq!(first_column(&wide, 0, 2, 100), 0);
        assert_eq!(first_column(&wide, 0, 2, 34), 0);
        assert_eq!(first_column(&wide, 0, 3, 34), 1);
        assert_eq!(first_column(&wide, 2, 3, 34), 2);
        assert_eq!(first_column(&wide, 0, 3, 5), 3);
    }
}
