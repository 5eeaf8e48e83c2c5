//! What trials came to, against one setting.

use super::brush::Brush;
use super::cloud::{BEST, Cloud, NEXT, OTHERS, POINT, STAR};
use super::scale::Scale;
use super::table::{Column, Table};
use crate::axis::Axis;
use crate::canvas::{Canvas, Dot};
use crate::chart::MarkKind;
use crate::dashboard::pen::Pen;
use crate::number;
use crate::style::Ink;
use crate::text::width;
use ratatui::layout::Rect;

/// The plot, and where it was drawn.
#[derive(Debug, Default)]
pub(super) struct Slices {
    cloud: Cloud,
    plot: Rect,
}

/// Columns for the labels of the values.
const GUTTER: u16 = 9;

impl Slices {
    /// Whether a place of the screen is in the plot.
    pub(super) fn holds(&self, x: u16, y: u16) -> bool {
        self.plot.contains((x, y).into())
    }

    /// The brush between two columns of the screen.
    pub(super) fn brush(&self, scale: &Scale, from: u16, to: u16) -> Option<Brush> {
        let columns = f64::from(self.plot.width.max(1));
        let left = |column: u16| {
            let last = self.plot.right().saturating_sub(1).max(self.plot.left());
            f64::from(column.clamp(self.plot.left(), last) - self.plot.left()) / columns
        };
        let (a, b) = (left(from), left(to));
        Brush::between(scale, a.min(b), a.max(b) + 1.0 / columns)
    }

    pub(super) fn draw(
        &mut self,
        pen: &mut Pen<'_>,
        area: Rect,
        table: &Table,
        chosen: usize,
        metric: &str,
    ) {
        self.plot = Rect::ZERO;
        let (Some(column), Some(value)) = (table.settings().get(chosen), table.value()) else {
            return;
        };
        let symbols = pen.style.symbols();
        let [left, right] = symbols.turn;
        let title = format!("{metric} against {left} {} {right}", column.name);
        let log = if column.scale.is_log() {
            "log axis, "
        } else {
            ""
        };
        let star = symbols.mark(MarkKind::Best);
        let note = format!("{log}{} trials, {star} the best", table.brushed.len());
        let inside = pen.heading(area, &title, &note);
        if inside.height < 5 || inside.width < GUTTER + 10 {
            return;
        }
        // Words have what they came to beneath their names.
        let feet = if matches!(column.scale, Scale::Words(_)) {
            3
        } else {
            2
        };
        let feet = feet.min(inside.height - 2);
        self.plot = Rect {
            x: inside.x + GUTTER,
            width: inside.width - GUTTER - 1,
            y: inside.y,
            height: inside.height - feet,
        };
        self.upright(pen, &value.scale);
        self.level(pen, table, column, chosen);
        self.cloud
            .draw(pen, self.plot, (table.generation, chosen), |canvas| {
                points(canvas, column, value, table);
            });
    }

    /// The axis of the value.
    fn upright(&self, pen: &mut Pen<'_>, scale: &Scale) {
        let [upright, ticked, ..] = pen.style.symbols().axes;
        let plot = self.plot;
        for y in plot.top()..plot.bottom() {
            pen.text(plot.x - 1, y, 1, upright, Ink::Dim);
        }
        let Scale::Numbers(axis, _) = scale else {
            return;
        };
        for tick in axis.ticks((usize::from(plot.height) / 2).clamp(2, 8)) {
            let down = ((1.0 - tick.place) * f64::from(plot.height - 1)).round() as u16;
            let y = plot.y + down.min(plot.height - 1);
            pen.text(plot.x - 1, y, 1, ticked, Ink::Dim);
            pen.right(plot.x - GUTTER, y, GUTTER - 2, &tick.label, Ink::Dim);
        }
    }

    /// The axis of the setting, and the part of it that is brushed.
    fn level(&self, pen: &mut Pen<'_>, table: &Table, column: &Column, chosen: usize) {
        let symbols = pen.style.symbols();
        let [_, _, corner, level, ticked] = symbols.axes;
        let plot = self.plot;
        let y = plot.bottom();
        pen.text(plot.x - 1, y, 1, corner, Ink::Dim);
        pen.text(
            plot.x,
            y,
            plot.width,
            &level.repeat(plot.width.into()),
            Ink::Dim,
        );
        match &column.scale {
            Scale::Numbers(axis, _) => self.numbers(pen, axis, ticked),
            Scale::Words(words) => self.words(pen, table, column, words),
        }
        if let Some(brush) = table.brush(chosen) {
            let (from, to) = brush.span(&column.scale);
            let columns = f64::from(plot.width);
            let start = (from * columns).floor() as u16;
            let end = ((to * columns).ceil() as u16).clamp(start + 1, plot.width.max(start + 1));
            let mark = symbols.bar[0].repeat((end - start).into());
            pen.text(plot.x + start, y, end - start, &mark, Ink::Warning);
        }
    }

    fn numbers(&self, pen: &mut Pen<'_>, axis: &Axis, ticked: &str) {
        let plot = self.plot;
        for label in axis.labels(plot.width.into()) {
            let at = plot.x + label.column as u16;
            pen.text(at, plot.bottom(), 1, ticked, Ink::Dim);
            let start = plot.x + label.start as u16;
            let room = width(&label.label) as u16;
            pen.text(start, plot.bottom() + 1, room, &label.label, Ink::Dim);
        }
    }

    /// A column of the screen for each word: its name, how many trials have it and their best.
    fn words(&self, pen: &mut Pen<'_>, table: &Table, column: &Column, words: &[String]) {
        let plot = self.plot;
        let apart = plot.width / u16::try_from(words.len()).unwrap_or(u16::MAX).max(1);
        if apart < 3 {
            let text = format!("{} words, from {} on", words.len(), words[0]);
            pen.text(plot.x, plot.bottom() + 1, plot.width, &text, Ink::Dim);
            return;
        }
        let told = told(table, column, words.len());
        for (number, word) in words.iter().enumerate() {
            let x = plot.x + (number * usize::from(plot.width) / words.len()) as u16;
            pen.text(x, plot.bottom() + 1, apart - 1, word, Ink::Strong);
            let (count, best) = told[number];
            let best = match best.is_nan() {
                true => String::new(),
                false => format!(", best {}", number::metric(best)),
            };
            let text = format!("{count}{best}");
            pen.text(x, plot.bottom() + 2, apart - 1, &text, Ink::Dim);
        }
    }
}

/// How many trials have each word, and the best that they came to.
fn told(table: &Table, column: &Column, words: usize) -> Vec<(usize, f64)> {
    let mut told = vec![(0, f64::NAN); words];
    let (Some(value), Some(direction)) = (table.value(), table.direction) else {
        return told;
    };
    for place in &table.brushed {
        let place = *place as usize;
        let Some((count, best)) = told.get_mut(number_of(column.values[place])) else {
            continue;
        };
        *count += 1;
        let value = value.values[place];
        if direction.better(value, *best) {
            *best = value;
        }
    }
    told
}

/// The number of a word; none that there is for what is missing.
fn number_of(value: f64) -> usize {
    if value.is_nan() {
        usize::MAX
    } else {
        value as usize
    }
}

/// With no more trials than these each is a mark, with more a dot.
const MARKS: usize = 400;

/// A dot for each trial, or a mark where there are few; the best ones stand out.
fn points(canvas: &mut Canvas, column: &Column, value: &Column, table: &Table) {
    let best = table.best(table.above());
    let has_marks = table.brushed.len() <= MARKS;
    // What is in the cell of the best trial is not seen.
    let star = best.first().and_then(|place| at(column, value, *place));
    let star = star.map(|(x, y)| canvas.dot(x, y));
    let cell = |canvas: &Canvas, dot: Dot| (canvas.column(dot), canvas.row(dot));
    for place in &table.brushed {
        let Some((x, y)) = at(column, value, *place) else {
            continue;
        };
        let dot = canvas.dot(x, y);
        let is_hidden = star.is_some_and(|star| cell(canvas, star) == cell(canvas, dot));
        let is_best = best.contains(place);
        match (has_marks, is_best) {
            (true, _) if is_hidden => {}
            (true, true) => canvas.mark(NEXT, dot),
            (true, false) => canvas.mark(POINT, dot),
            (false, true) => canvas.set(BEST, dot),
            (false, false) => canvas.set(OTHERS, dot),
        }
    }
    if let Some(star) = star {
        canvas.mark(STAR, star);
    }
}

/// Where a trial lies, both from 0 to 1. Those of one word are spread over its column, so that they
/// do not hide each other; a trial always lies at the same place.
fn at(column: &Column, value: &Column, place: u32) -> Option<(f64, f64)> {
    let index = place as usize;
    let setting = *column.values.get(index)?;
    let mut x = column.scale.place(setting)?;
    if let Scale::Words(words) = &column.scale {
        // The golden ratio spreads whatever number of points evenly.
        let spread = (f64::from(place) * 0.618_033_988_749_895).fract() - 0.5;
        x += 0.7 * spread / words.len().max(1) as f64;
    }
    Some((x, value.scale.place(*value.values.get(index)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::Style;
    use ratatui::buffer::Buffer;

    #[test]
    fn more_words_than_a_screen_has_columns_are_counted() {
        let words = (0..65_536).map(|word| format!("w{word}")).collect();
        let column = |name: &str, scale| Column {
            name: name.to_owned(),
            scale,
            values: Vec::new(),
        };
        let value = Scale::of_numbers(&[0.5, 1.0], false).unwrap();
        let mut table = Table::default();
        table.columns = vec![column("word", Scale::Words(words)), column("value", value)];
        let area = Rect::new(0, 0, 60, 12);
        let mut buffer = Buffer::empty(area);
        let mut pen = Pen {
            buffer: &mut buffer,
            style: Style::ASCII,
        };
        Slices::default().draw(&mut pen, area, &table, 0, "loss");
        let shown: String = buffer.content().iter().map(|cell| cell.symbol()).collect();
        assert!(shown.contains("65536 words, from w0 on"), "{shown}");
    }
}
