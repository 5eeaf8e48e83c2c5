//! Names and values of the chosen curves, and what the marks mean.

use super::layout::Entry;
use super::paint::write;
use super::{Chart, Curve, MarkKind, Panel, Role};
use crate::style::{Ink, Style};
use crate::text::{clean, fit, width};
use attune_protocol::Direction;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What a legend says, wherever it stands.
#[derive(Debug, Default)]
pub(super) struct Legend {
    /// The chosen curves of each panel, the best first.
    panels: Vec<Vec<Row>>,
    /// What grey curves and marks mean.
    keys: Vec<Key>,
}

/// A chosen curve.
#[derive(Debug, Clone)]
struct Row {
    panel: usize,
    curve: usize,
    series: usize,
    label: String,
    value: String,
    /// By how much the value differs from the one at the anchor.
    change: String,
    best: bool,
}

/// A mark and its meaning.
#[derive(Debug)]
struct Key {
    glyph: &'static str,
    words: String,
}

/// A name is cut to so many columns.
const LONGEST_NAME: usize = 28;

/// Values and changes take so many columns.
const VALUE: usize = 10;

/// Between pieces below a chart.
const GAP: u16 = 3;

impl Legend {
    pub(super) fn of(chart: &Chart<'_>) -> Self {
        let all = chart.panels.iter().enumerate();
        let mut panels: Vec<Vec<Row>> = all
            .map(|(index, panel)| rows(chart, index, panel))
            .collect();
        // Panels without an order of their own follow the first one that has one, so that a trial
        // is found at the same height in each.
        let ordered = chart.panels.iter().position(|panel| panel.better.is_some());
        if let Some(order) = ordered.map(|index| panels[index].clone()) {
            let rank = |row: &Row| order.iter().position(|of| of.is_named_as(row));
            let free = panels.iter_mut().zip(&chart.panels);
            for (rows, _) in free.filter(|(_, panel)| panel.better.is_none()) {
                rows.sort_by_cached_key(|row| rank(row).unwrap_or(usize::MAX));
            }
        }
        Legend {
            panels,
            keys: keys(chart),
        }
    }

    /// Columns that it wants at the right of the chart.
    pub(super) fn columns(&self) -> u16 {
        let rows = self.panels.iter().flatten();
        let row = |row: &Row| {
            let change = if row.change.is_empty() { 0 } else { VALUE };
            4 + width(&row.label).min(LONGEST_NAME) + 1 + VALUE + change
        };
        let key = |key: &Key| 4 + width(&key.words);
        let widest = rows.map(row).chain(self.keys.iter().map(key)).max();
        widest.unwrap_or(0) as u16
    }

    /// Rows that it wants below a chart of such a width.
    pub(super) fn rows(&self, columns: u16) -> u16 {
        let pieces = self.pieces();
        let mut rows = u16::from(!pieces.is_empty());
        let mut taken = 0;
        for piece in &pieces {
            let wide = piece.width();
            if taken > 0 && taken + GAP + wide > columns {
                rows = rows.saturating_add(1);
                taken = 0;
            }
            taken += wide + if taken > 0 { GAP } else { 0 };
        }
        rows
    }

    /// Draws it at the right, each panel's curves beside it.
    pub(super) fn beside(
        &self,
        places: &[Rect],
        style: Style,
        buffer: &mut Buffer,
        entries: &mut Vec<Entry>,
    ) {
        // The keys go where most rows are left.
        let left = |(place, rows): (&Rect, &Vec<Row>)| {
            usize::from(place.height.saturating_sub(1)).saturating_sub(rows.len())
        };
        let room: Vec<usize> = places.iter().zip(&self.panels).map(left).collect();
        let most = (0..room.len()).max_by_key(|&index| (room[index], std::cmp::Reverse(index)));
        for (index, (place, rows)) in places.iter().zip(&self.panels).enumerate() {
            // Level with the curves, not with the title.
            let top = place.y + u16::from(place.height >= 3);
            let mut place = Rect {
                y: top,
                height: place.bottom() - top,
                ..*place
            };
            if Some(index) == most {
                let least = usize::from(place.height / 6);
                let keys = self.keys.len().min(room[index].max(least));
                place.height -= keys as u16;
                for (row, key) in self.keys.iter().take(keys).enumerate() {
                    let y = place.bottom() + row as u16;
                    let whole = Rect::new(place.x, y, place.width, 1);
                    key.draw(whole, style, buffer);
                }
            }
            list(rows, place, style, buffer, entries);
        }
    }

    /// Draws it below, the curves of all panels together.
    pub(super) fn below(
        &self,
        place: Rect,
        style: Style,
        buffer: &mut Buffer,
        entries: &mut Vec<Entry>,
    ) {
        let pieces = self.pieces();
        let (mut x, mut y) = (place.x, place.y);
        for (index, piece) in pieces.iter().enumerate() {
            let wide = piece.width().min(place.width);
            let left = pieces.len() - index;
            let more = format!("+{left} more");
            let last_row = y + 1 == place.bottom();
            // On the last row there must be room to say that something is left out.
            let kept = if last_row && left > 1 {
                GAP + width(&more) as u16
            } else {
                0
            };
            if x > place.x && x + wide + kept > place.right() {
                if last_row {
                    write(buffer, place, (x, y), &more, style.ink(Ink::Dim));
                    return;
                }
                (x, y) = (place.x, y + 1);
            }
            let whole = Rect::new(x, y, wide.min(place.right() - x), 1);
            match piece {
                Piece::Curve(row, values) => {
                    let marker = style.symbols().marker(row.series);
                    let ink = style.ink(Ink::Series(row.series));
                    let mut at = write(buffer, whole, (x, y), marker, ink) + 1;
                    at = write(buffer, whole, (at, y), &row.label, style.ink(Ink::Plain)) + 1;
                    write(buffer, whole, (at, y), values, style.ink(Ink::Strong));
                    entries.push(Entry {
                        place: whole,
                        panel: row.panel,
                        curve: row.curve,
                    });
                }
                Piece::Key(key) => key.draw(whole, style, buffer),
            }
            x += wide + GAP;
        }
    }

    /// The curves, each with its values of all panels, and then the keys.
    fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        for row in self.panels.iter().flatten() {
            let value = format!("{}{}", row.value, row.change);
            let same = pieces.iter_mut().find_map(|piece| match piece {
                Piece::Curve(of, values) if of.panel != row.panel && of.is_named_as(row) => {
                    Some(values)
                }
                _ => None,
            });
            match same {
                Some(values) => {
                    values.push(' ');
                    values.push_str(&value);
                }
                None => pieces.push(Piece::Curve(row, value)),
            }
        }
        pieces.extend(self.keys.iter().map(Piece::Key));
        pieces
    }
}

/// A piece of a legend below a chart.
enum Piece<'a> {
    Curve(&'a Row, String),
    Key(&'a Key),
}

impl Piece<'_> {
    fn width(&self) -> u16 {
        let columns = match self {
            Piece::Curve(row, values) => 3 + width(&row.label) + width(values),
            Piece::Key(key) => 2 + width(&key.words),
        };
        columns.min(usize::from(u16::MAX / 4)) as u16
    }
}

impl Row {
    fn is_named_as(&self, other: &Row) -> bool {
        self.series == other.series && self.label == other.label
    }
}

impl Key {
    fn draw(&self, place: Rect, style: Style, buffer: &mut Buffer) {
        let dim = style.ink(Ink::Dim);
        let at = write(buffer, place, (place.x, place.y), self.glyph, dim) + 1;
        write(buffer, place, (at, place.y), &self.words, dim);
    }
}

/// A panel's curves, a row each, the rest counted.
fn list(rows: &[Row], place: Rect, style: Style, buffer: &mut Buffer, entries: &mut Vec<Entry>) {
    let height = usize::from(place.height);
    let shown = if rows.len() > height {
        height.saturating_sub(1)
    } else {
        rows.len()
    };
    let ellipsis = style.symbols().ellipsis;
    for (line, row) in rows.iter().take(shown).enumerate() {
        let y = place.y + line as u16;
        let marker = style.symbols().marker(row.series);
        let at = write(
            buffer,
            place,
            (place.x, y),
            marker,
            style.ink(Ink::Series(row.series)),
        ) + 1;
        let values = [
            (&row.value, VALUE),
            (&row.change, if row.change.is_empty() { 0 } else { VALUE }),
        ];
        let wanted: usize = values.iter().map(|(_, columns)| columns).sum();
        let room = usize::from(place.right().saturating_sub(at));
        let name_room = room.saturating_sub(wanted).max(room.min(4));
        let name = fit(&row.label, name_room, ellipsis);
        write(buffer, place, (at, y), &name, style.ink(Ink::Plain));
        let ink = style.ink(if row.best { Ink::Best } else { Ink::Plain });
        let mut right = place.right();
        for (text, columns) in values.into_iter().rev() {
            let start = right.saturating_sub(width(text) as u16);
            if start > at + width(&name) as u16 {
                write(buffer, place, (start, y), text, ink);
            }
            right = right.saturating_sub(columns as u16);
        }
        entries.push(Entry {
            place: Rect::new(place.x, y, place.width, 1),
            panel: row.panel,
            curve: row.curve,
        });
    }
    if shown < rows.len() && height > 0 {
        let more = format!("+{} more", rows.len() - shown);
        write(
            buffer,
            place,
            (place.x, place.y + shown as u16),
            &more,
            style.ink(Ink::Dim),
        );
    }
}

fn rows(chart: &Chart<'_>, index: usize, panel: &Panel<'_>) -> Vec<Row> {
    let nothing = chart.style.symbols().nothing;
    let chosen = panel
        .curves
        .iter()
        .enumerate()
        .filter_map(|(number, curve)| {
            let label = clean(curve.label);
            let series = curve.series().filter(|_| !label.is_empty())?;
            let stands_at = curve.value.or_else(|| last(panel, curve));
            let seen = match chart.cursor {
                Some(cursor) => panel.value_at(curve, cursor),
                None => stands_at,
            };
            let at_anchor = chart
                .anchor
                .and_then(|anchor| panel.value_at(curve, anchor));
            let change = match (seen.filter(|_| chart.cursor.is_some()), at_anchor) {
                (Some(seen), Some(before)) => signed(panel, seen - before),
                _ => String::new(),
            };
            let row = Row {
                panel: index,
                curve: number,
                series,
                label: label.into_owned(),
                value: seen.map_or_else(|| nothing.to_owned(), |value| panel.values.write(value)),
                change,
                best: false,
            };
            Some((stands_at, row))
        });
    let mut chosen: Vec<(Option<f64>, Row)> = chosen.collect();
    if let Some(better) = panel.better {
        // What is not a number is the worst.
        let worth = |value: &Option<f64>| {
            let value = value.filter(|value| !value.is_nan());
            value.map_or(f64::NEG_INFINITY, |value| match better {
                Direction::Maximize => value,
                Direction::Minimize => -value,
            })
        };
        chosen.sort_by(|(a, _), (b, _)| worth(b).total_cmp(&worth(a)));
        if let Some((Some(_), first)) = chosen.first_mut() {
            first.best = chart.cursor.is_none();
        }
    }
    chosen.into_iter().map(|(_, row)| row).collect()
}

fn signed(panel: &Panel<'_>, change: f64) -> String {
    let sign = if change < 0.0 { "-" } else { "+" };
    format!(" {sign}{}", panel.values.write(change.abs()))
}

/// The last value that is a number, as it is drawn.
fn last(panel: &Panel<'_>, curve: &Curve<'_>) -> Option<f64> {
    let points = &curve.points;
    // Behind a long row of what is not a number nobody looks for the last number.
    let near = (0..points.len()).rev().take(1000);
    let index = near.into_iter().find(|&index| !points.y(index).is_nan());
    index
        .or(points.len().checked_sub(1))
        .map(|index| panel.value_of(curve, index))
}

fn keys(chart: &Chart<'_>) -> Vec<Key> {
    let symbols = chart.style.symbols();
    let count = |role: Role| {
        let in_panel = |panel: &Panel<'_>| panel.curves.iter().filter(|c| c.role == role).count();
        chart.panels.iter().map(in_panel).max().unwrap_or(0)
    };
    let mut keys = Vec::new();
    for (glyph, role, words) in [
        (
            symbols.layers[1],
            Role::Other,
            if count(Role::Other) == 1 {
                "other"
            } else {
                "others"
            },
        ),
        (symbols.layers[0], Role::Stopped, "stopped early"),
    ] {
        let count = count(role);
        if count > 0 {
            keys.push(Key {
                glyph,
                words: format!("{count} {words}"),
            });
        }
    }
    let curves = || {
        let all = chart.panels.iter().flat_map(|panel| &panel.curves);
        all.filter(|curve| curve.series().is_some())
    };
    let kinds = [
        (MarkKind::Best, "best"),
        (MarkKind::Rung, "rung"),
        (MarkKind::Pause, "pause"),
        (MarkKind::Intervention, "by hand"),
        (MarkKind::Checkpoint, "checkpoint"),
        (MarkKind::End, "end"),
    ];
    for (kind, words) in kinds {
        if curves().any(|curve| curve.marks.iter().any(|mark| mark.kind == kind)) {
            keys.push(Key {
                glyph: symbols.mark(kind),
                words: words.to_owned(),
            });
        }
    }
    keys
}
