//! A table that is scrolled through: only the rows in sight are ever made.

use super::keys::Command;
use super::pen::Pen;
use super::screens::{Pointer, Press};
use crate::style::Ink;
use crate::text::width;
use ratatui::layout::Rect;
use std::borrow::Cow;

/// A column of a grid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heading {
    pub(crate) title: Cow<'static, str>,
    /// Numbers stand at the right of their column.
    pub(crate) is_number: bool,
    /// Columns of a higher rank are left out first.
    pub(crate) rank: u8,
    /// The most columns that it takes.
    pub(crate) most: u16,
    /// Whether the rows can be sorted by it.
    sorts: bool,
}

impl Heading {
    pub(crate) fn word(title: impl Into<Cow<'static, str>>) -> Self {
        Heading {
            title: title.into(),
            is_number: false,
            rank: 0,
            most: 28,
            sorts: true,
        }
    }

    pub(crate) fn number(title: impl Into<Cow<'static, str>>) -> Self {
        Heading {
            is_number: true,
            ..Heading::word(title)
        }
    }

    pub(crate) fn rank(self, rank: u8) -> Self {
        Heading { rank, ..self }
    }

    pub(crate) fn most(self, most: u16) -> Self {
        Heading { most, ..self }
    }

    /// One that sorts nothing.
    pub(crate) fn still(self) -> Self {
        Heading {
            sorts: false,
            ..self
        }
    }
}

/// A cell: its text and its ink.
pub(crate) type Text = (Cow<'static, str>, Ink);

/// Where in the table one is, and by what it is sorted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grid {
    /// The row that is chosen.
    pub(crate) chosen: usize,
    /// The first row in sight.
    top: usize,
    /// The column that it is sorted by, and whether the other way round.
    pub(crate) sort: usize,
    pub(crate) reverse: bool,
    /// Whether its order is what it is.
    is_fixed: bool,
    /// Rows that there are, and that were in sight when it was drawn last.
    rows: usize,
    page: usize,
    /// Widths of the columns, which only grow: rows that scroll by move nothing.
    widths: Vec<(Cow<'static, str>, u16)>,
    /// Where it was drawn last: the headings that sort, and its rows.
    headings: Vec<(Rect, usize)>,
    body: Rect,
}

/// Columns between two columns.
const GAP: u16 = 2;

impl Grid {
    pub(crate) fn sorted_by(sort: usize) -> Self {
        Grid {
            sort,
            ..Grid::default()
        }
    }

    /// A table that is not sorted by any column.
    pub(crate) fn fixed() -> Self {
        Grid {
            is_fixed: true,
            ..Grid::default()
        }
    }

    /// A command of lists; says whether it was one that moves.
    pub(crate) fn act(&mut self, command: Command) -> bool {
        let last = self.rows.saturating_sub(1);
        let to = command.moved(self.chosen, last, self.page);
        self.chosen = to.unwrap_or(self.chosen);
        to.is_some()
    }

    /// The mouse: a click chooses a row or sorts by a column, the wheel scrolls. Says whether it
    /// meant anything, and whether the chosen row is to be opened.
    pub(crate) fn pointer(&mut self, pointer: Pointer) -> (bool, bool) {
        let at = (pointer.x, pointer.y).into();
        let heading = self.headings.iter().find(|(area, _)| area.contains(at));
        match pointer.deed {
            Press::Click | Press::DoubleClick if heading.is_some() && !self.is_fixed => {
                let column = heading.map_or(0, |(_, column)| *column);
                if self.sort == column {
                    self.reverse = !self.reverse;
                } else {
                    (self.sort, self.reverse) = (column, false);
                }
                (true, false)
            }
            _ if !self.body.contains(at) => (false, false),
            Press::WheelDown => (self.act(Command::Down), false),
            Press::WheelUp => (self.act(Command::Up), false),
            Press::Click | Press::DoubleClick => {
                let row = self.top + usize::from(pointer.y - self.body.y);
                if row >= self.rows {
                    return (true, false);
                }
                self.chosen = row;
                (true, pointer.deed == Press::DoubleClick)
            }
            Press::Drag(..) | Press::Drop(..) => (false, false),
        }
    }

    /// Draws the headings and the rows around the chosen one. `row` makes the cells of a row, and
    /// says whether it is marked.
    pub(crate) fn draw(
        &mut self,
        pen: &mut Pen<'_>,
        area: Rect,
        headings: &[Heading],
        rows: usize,
        row: impl Fn(usize) -> (Vec<Text>, bool),
    ) {
        self.rows = rows;
        self.page = usize::from(area.height.saturating_sub(1));
        self.chosen = self.chosen.min(rows.saturating_sub(1));
        self.sort = self.sort.min(headings.len().saturating_sub(1));
        self.top = in_sight(self.top, self.chosen, rows, self.page);
        self.headings.clear();
        self.body = Rect {
            y: area.y + 1.min(area.height),
            height: area.height.saturating_sub(1),
            ..area
        };
        if area.height == 0 {
            return;
        }
        let shown: Vec<(Vec<Text>, bool)> = (self.top..rows.min(self.top + self.page))
            .map(row)
            .collect();
        self.measure(headings, &shown);
        let columns = self.columns(headings, area.width);
        let symbols = pen.style.symbols();
        for &(column, x, wide) in &columns {
            let heading = &headings[column];
            let mut title = heading.title.clone().into_owned();
            if column == self.sort && !self.is_fixed {
                title.push_str(symbols.sorted[usize::from(self.reverse)]);
            }
            let x = area.x + x;
            if heading.is_number {
                pen.right(x, area.y, wide, &title, Ink::Strong);
            } else {
                pen.text(x, area.y, wide, &title, Ink::Strong);
            }
            if heading.sorts {
                self.headings.push((Rect::new(x, area.y, wide, 1), column));
            }
        }
        for (index, (cells, marked)) in shown.iter().enumerate() {
            let y = self.body.y + index as u16;
            if *marked {
                pen.text(area.x, y, 1, symbols.marked, Ink::Warning);
            }
            for &(column, x, wide) in &columns {
                let Some((text, ink)) = cells.get(column) else {
                    continue;
                };
                let x = area.x + x;
                if headings[column].is_number {
                    pen.right(x, y, wide, text, *ink);
                } else {
                    pen.text(x, y, wide, text, *ink);
                }
            }
            if self.top + index == self.chosen {
                pen.choose(Rect::new(area.x, y, area.width, 1));
            }
        }
    }

    fn measure(&mut self, headings: &[Heading], shown: &[(Vec<Text>, bool)]) {
        let same = self.widths.len() == headings.len()
            && self
                .widths
                .iter()
                .zip(headings)
                .all(|((t, _), h)| *t == h.title);
        if !same {
            let fresh = |heading: &Heading| {
                let wide = width(&heading.title) as u16 + 1;
                (heading.title.clone(), wide)
            };
            self.widths = headings.iter().map(fresh).collect();
        }
        for (cells, _) in shown {
            for ((_, wide), ((text, _), heading)) in
                self.widths.iter_mut().zip(cells.iter().zip(headings))
            {
                *wide = (*wide).max((width(text) as u16).min(heading.most));
            }
        }
    }

    /// The columns that there is room for, each with its place and its width.
    fn columns(&self, headings: &[Heading], room: u16) -> Vec<(usize, u16, u16)> {
        let mut kept: Vec<usize> = (0..headings.len()).collect();
        let wide = |column: usize| self.widths.get(column).map_or(0, |(_, wide)| *wide);
        // One column at the left for the mark.
        let total = |kept: &[usize]| kept.iter().map(|&c| wide(c) + GAP).sum::<u16>() + 1;
        while total(&kept) > room + GAP {
            let worst = kept
                .iter()
                .enumerate()
                .max_by_key(|(_, column)| headings[**column].rank);
            match worst {
                Some((place, &column)) if headings[column].rank > 0 => drop(kept.remove(place)),
                _ => break,
            }
        }
        let mut x = 1;
        let mut columns = Vec::new();
        for column in kept {
            if x >= room {
                break;
            }
            let wide = wide(column).min(room - x);
            columns.push((column, x, wide));
            x += wide + GAP;
        }
        columns
    }
}

/// The first row in sight: of so many a page as near to where it was as shows the chosen one, and no
/// room left at the end.
pub(crate) fn in_sight(top: usize, chosen: usize, rows: usize, page: usize) -> usize {
    let page = page.max(1);
    let least = (chosen + 1).saturating_sub(page);
    top.clamp(least, chosen).min(rows.saturating_sub(page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::Style;
    use ratatui::buffer::Buffer;

    #[test]
    fn a_heading_that_sorts_nothing_takes_no_arrow() {
        let area = Rect::new(0, 0, 30, 3);
        let headings = [
            Heading::word("name"),
            Heading::word("what").still(),
            Heading::word("health"),
        ];
        let mut grid = Grid::default();
        let mut drawn = |clicked: Option<u16>| {
            if let Some(x) = clicked {
                let deed = Press::Click;
                grid.pointer(Pointer { x, y: 0, deed });
            }
            let mut buffer = Buffer::empty(area);
            let mut pen = Pen {
                buffer: &mut buffer,
                style: Style::ASCII,
            };
            grid.draw(&mut pen, area, &headings, 0, |_| (Vec::new(), false));
            let first = (0..area.width).map(|x| buffer[(x, 0)].symbol());
            first.collect::<String>()
        };
        let [rising, falling] = Style::ASCII.symbols().sorted;
        let shown = drawn(None);
        assert_eq!(shown.trim_end(), format!(" name{rising}  what   health"));
        assert_eq!(drawn(Some(9)), shown, "the second one was clicked");
        let shown = drawn(Some(2));
        assert_eq!(shown.trim_end(), format!(" name{falling}  what   health"));
        let shown = drawn(Some(16));
        assert_eq!(shown.trim_end(), format!(" name   what   health{rising}"));
    }
}
