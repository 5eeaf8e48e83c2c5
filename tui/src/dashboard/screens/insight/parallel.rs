//! Parallel coordinates: an axis for each setting and one for the value, a line for each trial.

use super::brush::Brush;
use super::cloud::{BEST, Cloud, NEXT, OTHERS, STAR, dot};
use super::scale::Scale;
use super::table::{Column, Table};
use crate::canvas::{Canvas, Dot};
use crate::chart::MarkKind;
use crate::dashboard::pen::Pen;
use crate::gauge::evenly;
use crate::style::Ink;
use ratatui::layout::Rect;

/// The plot, and where it was drawn.
#[derive(Debug, Default)]
pub(super) struct Parallel {
    cloud: Cloud,
    /// The columns that were drawn and where their axes stand, and the rows of the axes.
    axes: Vec<(usize, u16)>,
    plot: Rect,
}

/// So many lines are drawn at most.
const LINES: usize = 2_000;

/// Axes stand at least so many columns apart.
const APART: u16 = 12;

impl Parallel {
    /// The axis nearest to a column of the screen.
    pub(super) fn axis_at(&self, x: u16, y: u16) -> Option<usize> {
        if !(self.plot.top()..self.plot.bottom()).contains(&y) {
            return None;
        }
        let nearest = self.axes.iter().min_by_key(|(_, at)| at.abs_diff(x))?;
        (nearest.1.abs_diff(x) <= APART / 2).then_some(nearest.0)
    }

    /// The brush of an axis between two rows of the screen.
    pub(super) fn brush(&self, scale: &Scale, from: u16, to: u16) -> Option<Brush> {
        let rows = f64::from(self.plot.height.max(1));
        let below = |row: u16| {
            let row = row.clamp(self.plot.top(), self.plot.bottom().saturating_sub(1));
            f64::from(self.plot.bottom() - 1 - row) / rows
        };
        let (a, b) = (below(from), below(to));
        // All of both rows.
        Brush::between(scale, a.min(b), a.max(b) + 1.0 / rows)
    }

    pub(super) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, table: &Table, chosen: usize) {
        let star = pen.style.symbols().mark(MarkKind::Best);
        let (all, above) = (table.brushed.len(), table.above());
        let what = match all > LINES {
            true => format!(
                "{LINES} of {all} trials are drawn: the {above} best and an even sample, {star} the best"
            ),
            false => format!("{all} trials, {star} the best of them"),
        };
        let inside = pen.heading(area, "Parallel coordinates", &what);
        self.axes.clear();
        self.plot = Rect::ZERO;
        if inside.height < 5 || inside.width < 2 * APART {
            return;
        }
        let shown = shown(table.columns.len(), chosen, inside.width);
        self.plot = Rect {
            y: inside.y + 2,
            height: inside.height - 3,
            x: inside.x + 2,
            width: inside.width - 4,
        };
        let last = shown.len().saturating_sub(1).max(1) as u16;
        let apart = (self.plot.width - 1) / last;
        self.axes = shown
            .iter()
            .enumerate()
            .map(|(place, column)| (*column, self.plot.x + place as u16 * apart))
            .collect();
        let axes: Vec<(usize, &Column)> = self
            .axes
            .iter()
            .map(|(column, x)| (usize::from(*x - self.plot.x), &table.columns[*column]))
            .collect();
        let choice = shown.first().copied().unwrap_or(0);
        let key = (table.generation, choice);
        self.cloud
            .draw(pen, self.plot, key, |canvas| lines(canvas, &axes, table));
        for (column, x) in self.axes.clone() {
            self.axis(pen, inside, table, column, x, column == chosen);
        }
    }

    /// An axis with its name and its ends, and the part that is brushed.
    fn axis(
        &self,
        pen: &mut Pen<'_>,
        inside: Rect,
        table: &Table,
        index: usize,
        x: u16,
        is_chosen: bool,
    ) {
        let symbols = pen.style.symbols();
        let column = &table.columns[index];
        let wide = APART - 1;
        // Centred below its axis, and not beyond the edge of the screen.
        let label = |pen: &mut Pen<'_>, y: u16, text: &str, ink: Ink| {
            let long = (crate::text::width(text) as u16).min(wide);
            let start = x.saturating_sub(long / 2);
            let start = start.clamp(inside.x, inside.right().saturating_sub(long).max(inside.x));
            pen.text(start, y, long, text, ink);
            Rect::new(start, y, long, 1)
        };
        let name = label(pen, inside.y, &column.name, Ink::Strong);
        if is_chosen {
            pen.choose(name);
        }
        let brush = table.brush(index);
        let span = brush.map(|brush| brush.span(&column.scale));
        let rows = f64::from(self.plot.height);
        for row in self.plot.top()..self.plot.bottom() {
            let height = (f64::from(self.plot.bottom() - row) - 0.5) / rows;
            let is_brushed = span.is_some_and(|(from, to)| {
                let half = 0.5 / rows;
                height + half > from && height - half < to
            });
            let cell = pen.buffer.cell_mut((x, row));
            let keeps = cell.is_some_and(|cell| {
                cell.symbol() == symbols.mark(MarkKind::Best) || cell.symbol() == symbols.marker(0)
            });
            if is_brushed {
                pen.text(x, row, 1, symbols.marked, Ink::Warning);
            } else if !keeps {
                pen.text(x, row, 1, symbols.axes[0], Ink::Dim);
            }
        }
        match &column.scale {
            Scale::Numbers(axis, _) => {
                let (low, high) = axis.ends();
                let note = if column.scale.is_log() { " log" } else { "" };
                let high = format!("{}{note}", column.scale.write(high));
                label(pen, inside.y + 1, &high, Ink::Dim);
                let low = column.scale.write(low);
                label(pen, self.plot.bottom(), &low, Ink::Dim);
            }
            Scale::Words(words) => {
                // As many words as there are rows for, beside the axis.
                if words.len() > usize::from(self.plot.height) {
                    let text = format!("{} words", words.len());
                    label(pen, inside.y + 1, &text, Ink::Dim);
                    return;
                }
                for (number, word) in words.iter().enumerate() {
                    let Some(height) = column.scale.place(number as f64) else {
                        continue;
                    };
                    let down = ((1.0 - height) * rows) as u16;
                    let y = self.plot.y + down.min(self.plot.height - 1);
                    let left = inside.right().saturating_sub(x + 1);
                    if left >= 6 {
                        pen.text(x + 1, y, left.min(wide - 2), word, Ink::Plain);
                    } else {
                        let start = x.saturating_sub(wide - 2);
                        pen.right(start, y, x - start, word, Ink::Plain);
                    }
                }
            }
        }
    }
}

/// The columns that there is room for: those around the chosen one, and the value last.
fn shown(columns: usize, chosen: usize, room: u16) -> Vec<usize> {
    let most = usize::from(room / APART).max(2);
    if columns <= most {
        return (0..columns).collect();
    }
    let settings = columns - 1;
    let first = (chosen.min(settings - 1) + 1).saturating_sub(most - 1);
    (first..first + most - 1).chain([settings]).collect()
}

/// The lines of the trials, the best above the others.
fn lines(canvas: &mut Canvas, axes: &[(usize, &Column)], table: &Table) {
    let best = table.best(table.above());
    let most = LINES - best.len();
    for at in evenly(table.brushed.len(), most) {
        line(canvas, axes, table.brushed[at] as usize, OTHERS);
    }
    for place in best.iter().rev() {
        line(canvas, axes, *place as usize, BEST);
    }
    for (x, column) in axes {
        let place = |place: &u32| Some(dot(canvas, *x, height(column, *place as usize)?));
        let dots: Vec<Option<Dot>> = best.iter().map(place).collect();
        let cell = |dot: Dot| (canvas.column(dot), canvas.row(dot));
        let star = dots.first().copied().flatten().map(cell);
        // Where another one is in the cell of the best, the best is seen.
        let seen = dots.into_iter().enumerate().filter_map(|(rank, dot)| {
            let dot = dot?;
            (rank == 0 || Some(cell(dot)) != star)
                .then_some((if rank == 0 { STAR } else { NEXT }, dot))
        });
        for (series, dot) in seen.collect::<Vec<_>>() {
            canvas.mark(series, dot);
        }
    }
}

/// A line from axis to axis; broken where a trial has no such setting.
fn line(canvas: &mut Canvas, axes: &[(usize, &Column)], place: usize, pen: crate::canvas::Pen) {
    let mut before = None;
    for (x, column) in axes {
        let here = height(column, place).map(|height| dot(canvas, *x, height));
        if let (Some(from), Some(to)) = (before, here) {
            canvas.line(pen, from, to);
        }
        before = here;
    }
}

fn height(column: &Column, place: usize) -> Option<f64> {
    column.scale.place(*column.values.get(place)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axes_around_the_chosen_one_are_shown_and_the_value_last() {
        let table = [
            (4, 0, 120, vec![0, 1, 2, 3]),
            (9, 0, 60, vec![0, 1, 2, 3, 8]),
            (9, 3, 60, vec![0, 1, 2, 3, 8]),
            (9, 5, 60, vec![2, 3, 4, 5, 8]),
            (9, 8, 60, vec![4, 5, 6, 7, 8]),
        ];
        for (columns, chosen, room, expected) in table {
            assert_eq!(shown(columns, chosen, room), expected, "{columns} {chosen}");
        }
    }
}
