//! Tables of aligned columns.
//!
//! A table that is too wide gives way in this order: columns that may shrink do, down to their
//! least width; then the least important columns go; then lines are cut.

use crate::paint;
use crate::style::{Ink, Style};
use crate::text::{clean, fit, fit_line, pad, pad_left, width};
use ratatui::text::{Line, Span};

/// On which side of its column a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column: its heading and how it gives way where there is little room.
#[derive(Debug, Clone)]
pub struct Column {
    title: String,
    align: Align,
    /// Columns of a higher rank are left out first; rank 0 never is.
    rank: u8,
    /// The least width that it may shrink to; without one it keeps its own.
    least: Option<usize>,
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    ink: Ink,
}

/// A table under construction.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// Columns between two columns of a table.
pub(crate) const GAP: usize = 2;

impl Column {
    /// A column of words.
    pub fn left(title: impl Into<String>) -> Self {
        Column {
            title: title.into(),
            align: Align::Left,
            rank: 0,
            least: None,
        }
    }

    /// A column of numbers.
    pub fn right(title: impl Into<String>) -> Self {
        Column {
            align: Align::Right,
            ..Column::left(title)
        }
    }

    /// Lets the column be left out where the table is too wide; the highest rank goes first.
    pub fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }

    /// Lets the column shrink down to `columns`, its texts cut.
    pub fn at_least(mut self, columns: usize) -> Self {
        self.least = Some(columns);
        self
    }
}

impl Cell {
    /// A cell that is drawn in a colour of its own.
    pub(crate) fn inked(text: impl AsRef<str>, ink: Ink) -> Self {
        Cell {
            text: clean(text.as_ref()).into_owned(),
            ink,
        }
    }

    /// Columns that the cell would like to have.
    pub(crate) fn width(&self) -> usize {
        width(&self.text)
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::inked(text, Ink::Plain)
    }
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Table {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Cells that are missing stay empty; those without a column are not shown.
    pub fn row(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.rows.push(cells.into_iter().collect());
        self
    }

    /// Adds rows.
    pub fn rows(self, rows: impl IntoIterator<Item = Vec<Cell>>) -> Self {
        rows.into_iter().fold(self, Table::row)
    }

    /// The table as text, no line wider than `width`.
    pub fn render(&self, width: usize, style: Style) -> String {
        paint::to_text(&self.lines(width, style))
    }

    /// The table as styled lines, no line wider than `width`: the headings, a rule, the rows.
    pub fn lines(&self, width: usize, style: Style) -> Vec<Line<'static>> {
        let shown = self.widths(width);
        let ellipsis = style.symbols().ellipsis;
        let total = shown.iter().map(|(_, wide)| wide + GAP).sum::<usize>();
        let rule = style
            .symbols()
            .rule
            .repeat(total.saturating_sub(GAP).min(width));
        let heading = |column: &Column| Cell::inked(&column.title, Ink::Strong);
        let headings: Vec<Cell> = self.columns.iter().map(heading).collect();
        let mut lines = vec![
            self.line(&headings, &shown, style),
            Line::styled(rule, style.ink(Ink::Dim)),
        ];
        lines.extend(self.rows.iter().map(|row| self.line(row, &shown, style)));
        let cut = |line| fit_line(line, width, ellipsis);
        lines.into_iter().map(cut).collect()
    }

    fn line(&self, cells: &[Cell], shown: &[(usize, usize)], style: Style) -> Line<'static> {
        let mut spans = Vec::new();
        for (place, &(index, wide)) in shown.iter().enumerate() {
            if place > 0 {
                spans.push(Span::raw(" ".repeat(GAP)));
            }
            if let Some(cell) = cells.get(index) {
                spans.push(set(cell, self.columns[index].align, wide, style));
            } else {
                spans.push(Span::raw(" ".repeat(wide)));
            }
        }
        Line::from(spans)
    }

    /// The columns that are shown, each with its width.
    fn widths(&self, limit: usize) -> Vec<(usize, usize)> {
        let natural = |(index, column): (usize, &Column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            let widest = cells.map(Cell::width).max().unwrap_or(0);
            (index, widest.max(width(&clean(&column.title))))
        };
        let mut shown: Vec<(usize, usize)> = self.columns.iter().enumerate().map(natural).collect();
        loop {
            let total: usize = shown.iter().map(|(_, wide)| wide + GAP).sum();
            let excess = total.saturating_sub(GAP + limit);
            if excess == 0 || self.shrink(&mut shown, excess) {
                return shown;
            }
            let least_important = shown
                .iter()
                .enumerate()
                .max_by_key(|(_, (index, _))| self.columns[*index].rank)
                .filter(|(_, (index, _))| self.columns[*index].rank > 0);
            match least_important {
                Some((place, _)) => drop(shown.remove(place)),
                None => {
                    self.shrink_all(&mut shown, excess);
                    return shown;
                }
            }
        }
    }

    /// Takes `excess` from the columns that may shrink, the widest first; says whether it could.
    fn shrink(&self, shown: &mut [(usize, usize)], excess: usize) -> bool {
        let least = |index: usize, wide: usize| self.columns[index].least.unwrap_or(wide).min(wide);
        let spare: usize = shown.iter().map(|&(i, wide)| wide - least(i, wide)).sum();
        if spare < excess {
            return false;
        }
        for _ in 0..excess {
            let widest = shown
                .iter_mut()
                .filter(|(index, wide)| least(*index, *wide) < *wide)
                .max_by_key(|(_, wide)| *wide);
            if let Some((_, wide)) = widest {
                *wide -= 1;
            }
        }
        true
    }

    /// The last resort: takes what it can of `excess` from the columns that may shrink.
    fn shrink_all(&self, shown: &mut [(usize, usize)], excess: usize) {
        let mut excess = excess;
        for (index, wide) in shown.iter_mut() {
            let least = self.columns[*index].least.unwrap_or(*wide).min(*wide);
            let taken = (*wide - least).min(excess);
            *wide -= taken;
            excess -= taken;
        }
    }
}

/// A cell's text, cut or padded to its column's width.
fn set(cell: &Cell, align: Align, columns: usize, style: Style) -> Span<'static> {
    let text = fit(&cell.text, columns, style.symbols().ellipsis);
    let text = match align {
        Align::Left => pad(&text, columns),
        Align::Right => pad_left(&text, columns),
    };
    Span::styled(text, style.ink(cell.ink))
}
