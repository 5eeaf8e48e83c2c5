//! From drawn panels to the cells of the screen.

use super::layout::ChartLayout;
use super::panel::Drawn;
use super::trace::Layer;
use super::{Chart, Unit};
use crate::axis::{Axis, Tick};
use crate::canvas::{Mark, Pen, braille};
use crate::style::{Ink, Style};
use crate::text::{clean, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style as CellStyle;

/// Writes as much of a text as fits from a column to the right edge of a place on one row; gives
/// back the column behind it.
pub(super) fn write(
    buffer: &mut Buffer,
    place: Rect,
    (x, y): (u16, u16),
    text: &str,
    style: CellStyle,
) -> u16 {
    let inside =
        (place.left()..place.right()).contains(&x) && (place.top()..place.bottom()).contains(&y);
    if !inside {
        return x;
    }
    let room = usize::from(place.right() - x);
    buffer.set_stringn(x, y, clean(text), room, style).0
}

fn put(buffer: &mut Buffer, x: u16, y: u16, glyph: &str, style: CellStyle) {
    if let Some(cell) = buffer.cell_mut((x, y)) {
        cell.set_symbol(glyph).set_style(style);
    }
}

/// A panel's title, its upright axis and its curves.
pub(super) fn panel(
    chart: &Chart<'_>,
    drawn: &mut Drawn<'_>,
    x: Option<&Axis>,
    (title, gutter): (Rect, u16),
    buffer: &mut Buffer,
) {
    heading(chart, drawn, title, buffer);
    if gutter > 0 {
        upright_axis(drawn, gutter, chart.style, buffer);
    }
    if let Some(words) = drawn.missing {
        let plot = drawn.plot;
        let free = plot.width.saturating_sub(width(words) as u16);
        let at = (
            plot.x + free / 2,
            plot.y + plot.height.saturating_sub(1) / 2,
        );
        write(buffer, plot, at, words, chart.style.ink(Ink::Dim));
        return;
    }
    curves(drawn, chart.style, buffer);
    if let Some(x) = x {
        upright_lines(chart, drawn, x, buffer);
        marks(drawn, chart.style, buffer);
        cross_hair(chart, drawn, x, buffer);
    }
}

/// Such as `loss · log · smoothed 0.9 · ↑ up to 3.2e9`.
fn heading(chart: &Chart<'_>, drawn: &Drawn<'_>, title: Rect, buffer: &mut Buffer) {
    let symbols = chart.style.symbols();
    let (strong, dim) = (chart.style.ink(Ink::Strong), chart.style.ink(Ink::Dim));
    let at = (drawn.plot.x, title.y);
    let mut column = write(buffer, title, at, drawn.panel.title, strong);
    let mut fact = |text: &str| {
        column = write(buffer, title, (column, title.y), symbols.separator, dim);
        column = write(buffer, title, (column, title.y), text, dim);
    };
    if drawn.panel.log_y {
        fact("log");
    }
    if drawn.panel.smoothing > 0.0 {
        fact(&format!("smoothed {}", drawn.panel.smoothing));
    }
    let [below, above] = drawn.reaches;
    if let Some(value) = above {
        fact(&format!(
            "{} up to {}",
            symbols.beyond[1],
            drawn.panel.values.write(value)
        ));
    }
    if let Some(value) = below {
        fact(&format!(
            "{} down to {}",
            symbols.beyond[0],
            drawn.panel.values.write(value)
        ));
    }
}

fn upright_axis(drawn: &Drawn<'_>, gutter: u16, style: Style, buffer: &mut Buffer) {
    let [upright, ticked, ..] = style.symbols().axes;
    let dim = style.ink(Ink::Dim);
    let plot = drawn.plot;
    let axis_column = plot.x - 1;
    for row in plot.top()..plot.bottom() {
        put(buffer, axis_column, row, upright, dim);
    }
    let Some(y) = &drawn.y else { return };
    let (_, dots) = drawn.canvas.dots();
    let mut before = None;
    for tick in y.ticks((usize::from(plot.height) / 2).clamp(2, 8)) {
        let dot = ((1.0 - tick.place) * dots.saturating_sub(1) as f64).round() as usize;
        let row = plot.y + drawn.canvas.row((0, dot.min(dots.saturating_sub(1)))) as u16;
        if before == Some(row) {
            continue;
        }
        before = Some(row);
        put(buffer, axis_column, row, ticked, dim);
        let room = usize::from(gutter - 1);
        if let Some(label) = narrow(&tick, y, room) {
            // A column of air, if there is one to spare.
            let wide = width(&label);
            let left = room - wide - usize::from(wide < room);
            let place = Rect::new(plot.x - gutter, row, gutter - 1, 1);
            write(buffer, place, (place.x + left as u16, row), &label, dim);
        }
    }
}

/// A label that fits so many columns, if need be with fewer digits.
fn narrow(tick: &Tick, axis: &Axis, room: usize) -> Option<String> {
    let value = axis.at(tick.place);
    let forms = [
        tick.label.clone(),
        format!("{value:.1e}"),
        format!("{value:.0e}"),
    ];
    forms.into_iter().find(|form| width(form) <= room)
}

fn curves(drawn: &Drawn<'_>, style: Style, buffer: &mut Buffer) {
    let symbols = style.symbols();
    let plot = drawn.plot;
    let inks = |ink: fn(usize) -> Ink| {
        let of = |series: &usize| style.ink(ink(*series));
        drawn.series.iter().map(of).collect::<Vec<CellStyle>>()
    };
    let (chosen, shades) = (inks(Ink::Series), inks(Ink::Shade));
    let dim = style.ink(Ink::Dim);
    for row in 0..plot.height {
        for column in 0..plot.width {
            let mark = drawn.canvas.at(usize::from(column), usize::from(row));
            if mark == Mark::Empty {
                continue;
            }
            let Some(cell) = buffer.cell_mut((plot.x + column, plot.y + row)) else {
                continue;
            };
            match mark {
                Mark::Empty => {}
                Mark::Marker { series } => {
                    let number = drawn.series.get(series).copied().unwrap_or_default();
                    cell.set_symbol(symbols.marker(number));
                    cell.set_style(chosen.get(series).copied().unwrap_or_default());
                }
                Mark::Dots { rank, series, bits } => {
                    let ink = match rank {
                        _ if rank == Layer::Chosen as u8 => chosen.get(series),
                        _ if rank == Layer::Shade as u8 => shades.get(series),
                        _ => Some(&dim),
                    };
                    cell.set_style(ink.copied().unwrap_or_default());
                    if style.unicode {
                        cell.set_char(braille(bits));
                    } else if rank == Layer::Chosen as u8 {
                        let number = drawn.series.get(series).copied().unwrap_or_default();
                        cell.set_symbol(symbols.marker(number));
                    } else {
                        let layer = usize::from(rank).min(symbols.layers.len() - 1);
                        cell.set_symbol(symbols.layers[layer]);
                    }
                }
            }
        }
    }
}

/// The guides, the anchor and the line of the cross-hair, behind the curves.
fn upright_lines(chart: &Chart<'_>, drawn: &Drawn<'_>, x: &Axis, buffer: &mut Buffer) {
    let symbols = chart.style.symbols();
    let dim = chart.style.ink(Ink::Dim);
    let plot = drawn.plot;
    let guides = chart.guides.iter().map(|&guide| (guide, symbols.guide));
    let anchor = chart.anchor.map(|anchor| (anchor, symbols.anchor));
    let cursor = chart.cursor.map(|cursor| (cursor, symbols.cursor));
    for (at, glyph) in guides.chain(anchor).chain(cursor) {
        let place = x.place_beyond(at);
        if !(0.0..=1.0).contains(&place) {
            continue;
        }
        let column = drawn.canvas.column(drawn.canvas.dot(place, 0.0));
        for row in 0..plot.height {
            if drawn.canvas.at(column, usize::from(row)) == Mark::Empty {
                put(buffer, plot.x + column as u16, plot.y + row, glyph, dim);
            }
        }
    }
}

fn marks(drawn: &Drawn<'_>, style: Style, buffer: &mut Buffer) {
    let symbols = style.symbols();
    let plot = drawn.plot;
    let mut mark = |column: usize, row: usize, glyph: &str, pen: Pen| {
        let is_chosen = pen.rank == Layer::Chosen as u8;
        let hides = match drawn.canvas.at(column, row) {
            Mark::Empty => false,
            Mark::Dots { rank, .. } => rank == Layer::Chosen as u8,
            Mark::Marker { .. } => true,
        };
        if hides && !is_chosen {
            return;
        }
        let ink = match drawn.series.get(pen.series) {
            Some(&series) if is_chosen => Ink::Series(series),
            _ => Ink::Dim,
        };
        put(
            buffer,
            plot.x + column as u16,
            plot.y + row as u16,
            glyph,
            style.ink(ink),
        );
    };
    let last_row = usize::from(plot.height).saturating_sub(1);
    for beyond in &drawn.beyond {
        let row = if beyond.above { 0 } else { last_row };
        mark(
            beyond.column,
            row,
            symbols.beyond[usize::from(beyond.above)],
            beyond.pen,
        );
    }
    for &(dot, kind, pen) in &drawn.marks {
        let at = (drawn.canvas.column(dot), drawn.canvas.row(dot));
        mark(at.0, at.1, symbols.mark(kind), pen);
    }
}

/// The chosen curves' markers on the line of the cross-hair.
fn cross_hair(chart: &Chart<'_>, drawn: &mut Drawn<'_>, x: &Axis, buffer: &mut Buffer) {
    let Some(cursor) = chart.cursor else { return };
    let panel = drawn.panel;
    for curve in &panel.curves {
        let Some(series) = curve.series() else {
            continue;
        };
        let value = panel.value_at(curve, cursor);
        let Some(dot) = value.and_then(|value| drawn.dot_at(x, cursor, value)) else {
            continue;
        };
        let (column, row) = (drawn.canvas.column(dot), drawn.canvas.row(dot));
        let ink = chart.style.ink(Ink::Series(series));
        let glyph = chart.style.symbols().marker(series);
        put(
            buffer,
            drawn.plot.x + column as u16,
            drawn.plot.y + row as u16,
            glyph,
            ink,
        );
    }
}

/// The line and the labels below the lowest panel, and where the cross-hair is.
pub(super) fn x_axis(chart: &Chart<'_>, layout: &ChartLayout, place: Rect, buffer: &mut Buffer) {
    let symbols = chart.style.symbols();
    let [_, _, corner, level, ticked] = symbols.axes;
    let dim = chart.style.ink(Ink::Dim);
    if place.x > layout.area.x {
        put(buffer, place.x - 1, place.y, corner, dim);
    }
    for column in place.left()..place.right() {
        put(buffer, column, place.y, level, dim);
    }
    let Some(axis) = layout.x_axis() else { return };
    let labels_row = place.y + 1;
    let (low, high) = axis.ends();
    let (unit, per) = chart.x.unit.label(low.abs().max(high.abs()));
    let unit_wide = width(unit) as u16;
    // The unit stands at the right end, if that leaves room for labels.
    let columns = if place.width >= unit_wide + 12 {
        let at = (place.right() - unit_wide, labels_row);
        write(buffer, place, at, unit, dim);
        place.width - unit_wide - 1
    } else {
        place.width
    };
    let labelled = if per == 1.0 {
        Some(*axis)
    } else {
        let scaled = Axis::around([low / per, high / per].into_iter(), axis.is_log());
        scaled.map(|axis| axis.whole(false))
    };
    for label in labelled
        .iter()
        .flat_map(|axis| axis.labels(place.width.into()))
    {
        put(buffer, place.x + label.column as u16, place.y, ticked, dim);
        if label.start + width(&label.label) <= usize::from(columns) {
            let at = (place.x + label.start as u16, labels_row);
            write(buffer, place, at, &label.label, dim);
        }
    }
    if let Some(cursor) = chart.cursor
        && let Some(column) = layout.column_of(cursor)
    {
        put(
            buffer,
            column,
            place.y,
            symbols.beyond[1],
            chart.style.ink(Ink::Strong),
        );
        let text = format!(" {} ", at_cursor(chart.x.unit, cursor, chart.anchor));
        let wide = (width(&text) as u16).min(place.width);
        let start = column
            .saturating_sub(wide / 2)
            .clamp(place.x, place.right() - wide);
        write(
            buffer,
            place,
            (start, labels_row),
            &text,
            chart.style.ink(Ink::Strong),
        );
    }
}

/// Such as `120`, or with an anchor `120 (+40)`.
fn at_cursor(unit: Unit, cursor: f64, anchor: Option<f64>) -> String {
    let at = unit.write(cursor);
    let Some(anchor) = anchor else { return at };
    let sign = if cursor < anchor { '-' } else { '+' };
    format!("{at} ({sign}{})", unit.write((cursor - anchor).abs()))
}
