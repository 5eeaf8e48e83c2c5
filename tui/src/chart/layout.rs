//! Where the parts of a chart are, and what a place on the screen means.

use crate::axis::Axis;
use ratatui::layout::{Position, Rect};

/// Where the parts of a chart were drawn: turns the cells of clicks and drags into places in the
/// data, and back.
#[derive(Debug, Clone)]
pub struct ChartLayout {
    /// The whole chart.
    pub area: Rect,
    pub(super) x: Option<Axis>,
    pub(super) full_x: Option<(f64, f64)>,
    pub(super) panels: Vec<PanelLayout>,
    pub(super) entries: Vec<Entry>,
}

/// A line of the legend that stands for a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) place: Rect,
    pub(super) panel: usize,
    pub(super) curve: usize,
}

/// Where a panel was drawn.
#[derive(Debug, Clone)]
pub struct PanelLayout {
    /// Its number in [`super::Chart::panels`].
    pub index: usize,
    /// The cells on which its curves are drawn.
    pub plot: Rect,
    pub(super) y: Option<Axis>,
    pub(super) full_y: Option<(f64, f64)>,
    /// Dots of a cell, across and down.
    pub(super) dots: (u16, u16),
}

impl ChartLayout {
    /// The panels that had room, from top to bottom.
    pub fn panels(&self) -> &[PanelLayout] {
        &self.panels
    }

    /// A panel by its number, if it had room.
    pub fn panel(&self, index: usize) -> Option<&PanelLayout> {
        self.panels.iter().find(|panel| panel.index == index)
    }

    /// The panel on whose curves a cell lies.
    pub fn panel_at(&self, at: Position) -> Option<&PanelLayout> {
        self.panels.iter().find(|panel| panel.plot.contains(at))
    }

    /// The x of a column of the screen, the nearest end of the axis for one beside the plot;
    /// `None` where there are no data.
    pub fn x_at(&self, column: u16) -> Option<f64> {
        let (axis, panel) = (self.x.as_ref()?, self.panels.first()?);
        let within = column.saturating_sub(panel.plot.x);
        Some(axis.at(middle_of(within, panel.plot.width, panel.dots.0)))
    }

    /// The column of the screen at which an x lies, if it is in sight.
    pub fn column_of(&self, x: f64) -> Option<u16> {
        let (axis, panel) = (self.x.as_ref()?, self.panels.first()?);
        let within = cell_of(axis.place_beyond(x), panel.plot.width, panel.dots.0)?;
        Some(panel.plot.x + within)
    }

    /// The x that lies so many columns right of another one (left where negative), not beyond the
    /// ends in sight: a step of the cursor.
    pub fn step(&self, from: f64, columns: i32) -> Option<f64> {
        let panel = self.panels.first()?;
        let at = match self.column_of(from) {
            Some(column) => column,
            None if from < self.x.as_ref()?.ends().0 => panel.plot.left(),
            None => panel.plot.right().saturating_sub(1),
        };
        let last = i32::from(panel.plot.right().saturating_sub(1));
        let to = (i32::from(at).saturating_add(columns)).clamp(i32::from(panel.plot.left()), last);
        self.x_at(u16::try_from(to).ok()?)
    }

    /// The panel and the number of the curve whose line of the legend a cell is on.
    pub fn curve_at(&self, at: Position) -> Option<(usize, usize)> {
        let entry = self.entries.iter().find(|entry| entry.place.contains(at))?;
        Some((entry.panel, entry.curve))
    }

    /// The x range in sight.
    pub fn x_range(&self) -> Option<(f64, f64)> {
        self.x.as_ref().map(Axis::ends)
    }

    pub(super) fn x_axis(&self) -> Option<&Axis> {
        self.x.as_ref()
    }

    /// The x range of all data.
    pub fn full_x(&self) -> Option<(f64, f64)> {
        self.full_x
    }
}

impl PanelLayout {
    /// The y of a row of the screen, the nearest end of the axis for one beside the plot; `None`
    /// where there are no data.
    pub fn y_at(&self, row: u16) -> Option<f64> {
        let within = row
            .saturating_sub(self.plot.y)
            .min(self.plot.height.saturating_sub(1));
        let from_below = self.plot.height.saturating_sub(1) - within;
        Some(
            self.y
                .as_ref()?
                .at(middle_of(from_below, self.plot.height, self.dots.1)),
        )
    }

    /// The row of the screen at which a y lies, if it is in sight.
    pub fn row_of(&self, y: f64) -> Option<u16> {
        let place = self.y.as_ref()?.place_beyond(y);
        let from_below = cell_of(place, self.plot.height, self.dots.1)?;
        Some(self.plot.bottom() - 1 - from_below)
    }

    /// The y range in sight.
    pub fn y_range(&self) -> Option<(f64, f64)> {
        self.y.as_ref().map(Axis::ends)
    }

    pub(super) fn y_axis(&self) -> Option<&Axis> {
        self.y.as_ref()
    }

    /// The y range that fits the curves in sight.
    pub fn full_y(&self) -> Option<(f64, f64)> {
        self.full_y
    }
}

/// The place, from 0 to 1, of the middle of a cell.
fn middle_of(cell: u16, cells: u16, dots: u16) -> f64 {
    let (cell, dots) = (f64::from(cell), f64::from(dots));
    let last = f64::from(cells) * dots - 1.0;
    if last <= 0.0 {
        return 0.5;
    }
    ((cell * dots + (dots - 1.0) / 2.0) / last).min(1.0)
}

/// The cell of a place from 0 to 1.
fn cell_of(place: f64, cells: u16, dots: u16) -> Option<u16> {
    let last = (f64::from(cells) * f64::from(dots) - 1.0).max(0.0);
    let dot = (place * last).round();
    // A place that is not a number is nowhere.
    (dot >= 0.0 && dot <= last).then(|| (dot / f64::from(dots)) as u16)
}

/// Fewer columns than these are all left to the curves.
const LEAST_COLUMNS: u16 = 20;

/// From so many columns on the legend stands at the right.
pub(super) const WIDE: u16 = 100;

/// Rows of the x axis: its line and its labels.
const AXIS_ROWS: u16 = 2;

/// A title and two rows of curves.
const LEAST_PANEL: u16 = 3;

/// Where everything goes.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// For each panel that has room: its title (without height where there is no room), and its
    /// plot.
    pub(super) panels: Vec<(Rect, Rect)>,
    /// Columns of the labels left of the plots, with the axis itself; 0 for neither.
    pub(super) gutter: u16,
    /// The line and the labels of the x axis, below the last plot and as wide.
    pub(super) axis: Option<Rect>,
    pub(super) legend: LegendPlace,
}

/// Where the legend goes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum LegendPlace {
    /// There is no room for it, or nothing to say.
    #[default]
    Nowhere,
    /// Right of each panel.
    Right(Vec<Rect>),
    /// Below all of them.
    Below(Rect),
}

/// Divides `area` among panels of these weights; the legend wants so many columns at the right, or
/// so many rows below.
pub(super) fn plan(area: Rect, weights: &[u16], columns: u16, rows: u16) -> Plan {
    if area.is_empty() || weights.is_empty() {
        return Plan::default();
    }
    let right = if area.width >= WIDE {
        columns.min(area.width / 3)
    } else {
        0
    };
    let axis_rows = if area.height >= AXIS_ROWS + LEAST_PANEL {
        AXIS_ROWS
    } else {
        0
    };
    let below = match area.height {
        _ if area.width >= WIDE => 0,
        0..10 => 0,
        height => rows.min((height / 6).max(1)),
    };
    let gutter = match area.width {
        0..LEAST_COLUMNS => 0,
        LEAST_COLUMNS..40 => 6,
        _ => 8,
    };
    let left = area.x + gutter;
    let width = area.width - gutter - right;
    let heights = shares(area.height - axis_rows - below, weights);

    let mut plan = Plan {
        gutter,
        ..Plan::default()
    };
    let mut legends = Vec::new();
    let mut top = area.y;
    for height in heights {
        let title = u16::from(height >= LEAST_PANEL);
        plan.panels.push((
            Rect::new(area.x, top, area.width - right, title),
            Rect::new(left, top + title, width, height - title),
        ));
        let place = Rect::new(left + width, top, right, height);
        // A column of air between the curves and the legend.
        let air = 2.min(right);
        legends.push(Rect {
            x: place.x + air,
            width: right - air,
            ..place
        });
        top += height;
    }
    if axis_rows > 0 {
        plan.axis = Some(Rect::new(left, top, width, axis_rows));
        top += axis_rows;
    }
    if right > 0 {
        plan.legend = LegendPlace::Right(legends);
    } else if below > 0 {
        plan.legend = LegendPlace::Below(Rect::new(area.x, top, area.width, below));
    }
    plan
}

/// Shares rows by weight, each panel at least [`LEAST_PANEL`] of them; the last panels are left
/// out where there are too few.
fn shares(rows: u16, weights: &[u16]) -> Vec<u16> {
    let count = weights.len().min(usize::from(rows / LEAST_PANEL).max(1));
    let weights = &weights[..count];
    let total: u32 = weights.iter().map(|&weight| u32::from(weight.max(1))).sum();
    let mut heights = Vec::new();
    let (mut rows_left, mut weight_left) = (u32::from(rows), total);
    for (index, &weight) in weights.iter().enumerate() {
        let weight = u32::from(weight.max(1));
        let share = (rows_left * weight + weight_left / 2) / weight_left;
        let after = (count - index - 1) as u32 * u32::from(LEAST_PANEL);
        let least = u32::from(LEAST_PANEL).min(rows_left);
        let share = share.clamp(least, rows_left.saturating_sub(after).max(least));
        heights.push(share as u16);
        rows_left -= share;
        weight_left -= weight;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_shared_by_weight() {
        let table: &[(u16, &[u16], &[u16])] = &[
            (30, &[2, 1], &[20, 10]),
            (30, &[1, 1, 1], &[10, 10, 10]),
            (31, &[2, 1], &[21, 10]),
            (7, &[9, 1], &[4, 3]),
            (5, &[1, 1], &[5]),
            (2, &[1, 1], &[2]),
            (10, &[0, 0], &[5, 5]),
        ];
        for (rows, weights, expected) in table {
            assert_eq!(shares(*rows, weights), *expected, "{rows} {weights:?}");
        }
    }

    #[test]
    fn cells_and_places_agree() {
        for cells in [1, 2, 7, 80] {
            for dots in [1, 2, 4] {
                for cell in 0..cells {
                    let place = middle_of(cell, cells, dots);
                    assert_eq!(cell_of(place, cells, dots), Some(cell), "{cells} {dots}");
                }
            }
        }
        assert_eq!(cell_of(1.2, 10, 2), None);
        assert_eq!(cell_of(f64::NAN, 10, 2), None);
    }
}
