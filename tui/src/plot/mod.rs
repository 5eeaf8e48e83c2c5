//! Plots of curves in text.
//!
//! Curves are drawn with braille dots, or with one letter each in ASCII. Where there are several,
//! each also carries markers of its own, listed in a legend below, so that they can be told apart
//! without colours. Points that are not finite leave a gap, and so do those that a logarithmic
//! axis cannot show.

use crate::axis::{Axis, Tick};
use crate::canvas::{Canvas, Dot, Mark, Pen, Spacing, braille};
use crate::paint;
use crate::style::{Ink, Style};
use crate::text::{clean, fit, fit_line, flow, pad, pad_left, width};
use attune_protocol::Curve;
use ratatui::text::{Line, Span};

/// A curve and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub label: String,
    /// Its points, in the order they are joined.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A recorded curve under a name of its own.
    pub fn of(label: impl Into<String>, curve: &Curve) -> Self {
        Series {
            label: label.into(),
            points: curve.points.iter().map(|(x, y)| (x.0, y.0)).collect(),
        }
    }
}

/// How large a plot is, in columns and lines, with its axes and its legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns; no line is wider.
    pub width: usize,
    /// Lines; more only where so few leave no room for a curve.
    pub height: usize,
}

/// What a plot shows beside its curves.
#[derive(Debug, Clone, Default)]
pub struct PlotOptions {
    /// Whether the upright axis is logarithmic.
    pub log_y: bool,
    /// What runs along the level axis, such as `step`.
    pub x_label: String,
    /// What runs along the upright axis, such as `learning rate`. The heading is made of both.
    pub y_label: String,
}

/// Fewer lines than these show no curve.
const LEAST_ROWS: usize = 3;

/// A level axis narrower than this shows no curve; its labels give way.
const LEAST_COLUMNS: usize = 8;

/// Draws curves as text.
pub fn curves(series: &[Series], size: Size, options: &PlotOptions, style: Style) -> String {
    paint::to_text(&curve_lines(series, size, options, style))
}

/// Draws curves as styled lines.
pub fn curve_lines(
    series: &[Series],
    size: Size,
    options: &PlotOptions,
    style: Style,
) -> Vec<Line<'static>> {
    let columns = size.width.max(1);
    let ellipsis = style.symbols().ellipsis;
    let heading = fit_line(heading(options, style), columns, ellipsis);
    let mut lines = Vec::new();
    if !heading.spans.is_empty() {
        lines.push(heading);
    }
    let points = || {
        series
            .iter()
            .flat_map(|series| series.points.iter().copied())
    };
    // A value without a place, or a place without a value, must not stretch the other axis.
    let y_axis = Axis::around(
        points().filter(|p| p.0.is_finite()).map(|p| p.1),
        options.log_y,
    );
    let axes = y_axis.and_then(|y| {
        let shown = points().filter(|p| y.shows(p.1)).map(|p| p.0);
        Some((Axis::around(shown, false)?, y))
    });
    let Some((x, y)) = axes else {
        let text = fit("nothing to plot", columns, ellipsis).into_owned();
        lines.push(Line::styled(text, style.ink(Ink::Dim)));
        return lines;
    };
    let legend = legend(series, columns, style);
    let rows = size
        .height
        .saturating_sub(lines.len() + 2 + legend.len())
        .max(LEAST_ROWS);

    let y_ticks = rows_of(&y.ticks((rows / 2).clamp(2, 8)), rows);
    let widest = y_ticks
        .iter()
        .flatten()
        .map(|label| width(label))
        .max()
        .unwrap_or(0);
    let gutter = if widest + 2 + LEAST_COLUMNS <= columns {
        widest + 1
    } else {
        0
    };
    let canvas_columns = columns.saturating_sub(gutter + 1).max(1);

    let mut canvas = Canvas::new(canvas_columns, rows, style.unicode);
    for (index, one) in series.iter().enumerate() {
        draw(&mut canvas, index, series.len(), one, (&x, &y));
    }
    for (row, label) in y_ticks.iter().enumerate() {
        lines.push(canvas_line(
            &canvas,
            canvas_columns,
            row,
            label.as_deref(),
            gutter,
            style,
        ));
    }
    lines.extend(level_axis(&x, gutter, canvas_columns, style));
    lines.extend(legend);
    lines
}

/// Such as `learning rate by step (log)`.
fn heading(options: &PlotOptions, style: Style) -> Line<'static> {
    let dim = style.ink(Ink::Dim);
    let mut spans = Vec::new();
    if !options.y_label.is_empty() {
        let y_label = clean(&options.y_label).into_owned();
        spans.push(Span::styled(y_label, style.ink(Ink::Strong)));
    }
    if !options.x_label.is_empty() {
        spans.push(Span::styled(
            format!(" by {}", clean(&options.x_label)),
            dim,
        ));
    }
    if options.log_y {
        spans.push(Span::styled(" (log)", dim));
    }
    Line::from(spans)
}

/// One curve: its points joined, its last one marked.
fn draw(canvas: &mut Canvas, index: usize, of: usize, series: &Series, axes: (&Axis, &Axis)) {
    let (x, y) = axes;
    let pen = Pen::solid(index);
    let mut before: Option<Dot> = None;
    let mut last: Option<Dot> = None;
    // All points that fall on one column of dots are drawn as one upright stroke, so that a
    // million points cost little more than there are dots.
    let mut stroke: Option<(Dot, Dot)> = None;
    let mut spacing = Spacing::of(index, of);
    for &(point_x, point_y) in &series.points {
        if !(point_x.is_finite() && y.shows(point_y)) {
            if let Some((top, bottom)) = stroke.take() {
                canvas.line(pen, top, bottom);
            }
            before = None;
            continue;
        }
        let dot = canvas.dot(x.place(point_x), y.place(point_y));
        match &mut stroke {
            Some((top, bottom)) if top.0 == dot.0 => {
                top.1 = top.1.min(dot.1);
                bottom.1 = bottom.1.max(dot.1);
            }
            _ => {
                if let Some((top, bottom)) = stroke.replace((dot, dot)) {
                    canvas.line(pen, top, bottom);
                }
                if let Some(before) = before {
                    canvas.line(pen, before, dot);
                }
            }
        }
        let column = canvas.column(dot);
        if spacing.is_due(column) {
            canvas.mark(index, dot);
            spacing.marked(column);
        }
        before = Some(dot);
        last = Some(dot);
    }
    if let Some((top, bottom)) = stroke {
        canvas.line(pen, top, bottom);
    }
    if let Some(last) = last {
        canvas.mark(index, last);
    }
}

/// The label that stands in each row.
fn rows_of(ticks: &[Tick], rows: usize) -> Vec<Option<String>> {
    let mut labels = vec![None; rows];
    for tick in ticks {
        let row = rows - 1 - (tick.place * (rows - 1) as f64).round() as usize;
        labels[row].get_or_insert_with(|| tick.label.clone());
    }
    labels
}

fn canvas_line(
    canvas: &Canvas,
    columns: usize,
    row: usize,
    label: Option<&str>,
    gutter: usize,
    style: Style,
) -> Line<'static> {
    let symbols = style.symbols();
    let [upright, ticked, ..] = symbols.axes;
    let mut spans = Vec::new();
    if gutter > 0 {
        let label = pad_left(label.unwrap_or_default(), gutter - 1);
        spans.push(Span::styled(format!("{label} "), style.ink(Ink::Dim)));
    }
    let axis = if label.is_some() { ticked } else { upright };
    spans.push(Span::styled(axis, style.ink(Ink::Dim)));
    // Neighbours of one colour become one span, so that few escape sequences are written.
    let mut run = (String::new(), None);
    for column in 0..columns {
        let (glyph, series) = match canvas.at(column, row) {
            Mark::Empty => (" ".to_owned(), None),
            Mark::Marker { series } => (symbols.marker(series).to_owned(), Some(series)),
            Mark::Dots { series, .. } if !style.unicode => {
                (symbols.marker(series).to_owned(), Some(series))
            }
            Mark::Dots { series, bits, .. } => (braille(bits).to_string(), Some(series)),
        };
        if run.1 != series {
            push_run(&mut spans, run, style);
            run = (String::new(), series);
        }
        run.0.push_str(&glyph);
    }
    push_run(&mut spans, run, style);
    Line::from(spans)
}

fn push_run(spans: &mut Vec<Span<'static>>, run: (String, Option<usize>), style: Style) {
    let (text, series) = run;
    let ink = series.map_or(Ink::Plain, Ink::Series);
    if !text.is_empty() {
        spans.push(Span::styled(text, style.ink(ink)));
    }
}

/// The level axis and the line of its labels.
fn level_axis(axis: &Axis, gutter: usize, columns: usize, style: Style) -> [Line<'static>; 2] {
    let [_, _, corner, level, ticked] = style.symbols().axes;
    let dim = style.ink(Ink::Dim);
    let edge = gutter + 1;
    let mut rule = vec![level; columns];
    let mut labels = " ".repeat(edge);
    for placed in axis.labels(columns) {
        labels = pad(&labels, edge + placed.start);
        labels.push_str(&placed.label);
        rule[placed.column] = ticked;
    }
    let rule = format!("{}{corner}{}", " ".repeat(gutter), rule.concat());
    [Line::styled(rule, dim), Line::styled(labels, dim)]
}

fn legend(series: &[Series], columns: usize, style: Style) -> Vec<Line<'static>> {
    let named = |(index, one): (usize, &Series)| {
        let marker = style.symbols().marker(index);
        let empty = if one.points.is_empty() {
            " (no points)"
        } else {
            ""
        };
        let label = Span::raw(format!("{}{empty}", clean(&one.label)));
        Line::from(vec![
            Span::styled(format!("{marker} "), style.ink(Ink::Series(index))),
            label,
        ])
    };
    let shown = series
        .iter()
        .enumerate()
        .filter(|(_, one)| !one.label.is_empty());
    flow(
        shown.map(named).collect(),
        3,
        columns,
        style.symbols().ellipsis,
    )
}
