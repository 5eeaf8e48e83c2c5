//! Which part of the data is looked at: zooming, panning, and back.

use super::layout::ChartLayout;
use crate::axis::Axis;
use ratatui::layout::Position;

/// Which part of the data is looked at. [`View::default`] is everything, and follows the data as
/// they grow.
///
/// Its methods change it by what was drawn last ([`ChartLayout`]); they need no data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// The x range in sight; `None` for everything.
    pub x: Option<(f64, f64)>,
    /// The y range of each panel by its number; `None`, as where there is no entry, for what fits
    /// the curves in sight.
    pub y: Vec<Option<(f64, f64)>>,
}

/// A box smaller than so many cells on a side is meant to zoom along the other side only.
const LEAST_BOX: u16 = 2;

impl View {
    /// Back to everything.
    pub fn fit(&mut self) {
        *self = View::default();
    }

    /// Whether everything is in sight.
    pub fn is_fit(&self) -> bool {
        self.x.is_none() && self.y.iter().all(Option::is_none)
    }

    /// The y range asked for in a panel.
    pub fn y(&self, panel: usize) -> Option<(f64, f64)> {
        self.y.get(panel).copied().flatten()
    }

    /// Zooms the x axis around `about`, which stays where it is: a factor of 2 shows half as much,
    /// one of 0.5 twice as much. Zoomed out to everything, the view follows the data again.
    pub fn zoom_x(&mut self, layout: &ChartLayout, about: f64, factor: f64) {
        if let Some(axis) = layout.x_axis() {
            self.x = within(zoomed(axis, about, factor), layout.full_x());
        }
    }

    /// Zooms the y axis of a panel around `about`.
    pub fn zoom_y(&mut self, layout: &ChartLayout, panel: usize, about: f64, factor: f64) {
        if let Some(axis) = layout.panel(panel).and_then(|panel| panel.y_axis()) {
            let full = layout.panel(panel).and_then(|panel| panel.full_y());
            let seen = zoomed(axis, about, factor);
            // Values beyond what fits can be worth a look, so only the far end is a limit.
            let all = full.is_some_and(|full| seen.0 <= full.0 && seen.1 >= full.1);
            self.set_y(panel, (!all).then_some(seen));
        }
    }

    /// Moves along the x axis by a part of what is in sight: 0.25 is a quarter to the right. Stops
    /// at the ends of the data.
    pub fn pan_x(&mut self, layout: &ChartLayout, part: f64) {
        let (Some(axis), Some(full)) = (layout.x_axis(), layout.full_x()) else {
            return;
        };
        let least = axis.place_beyond(full.0).min(0.0);
        let most = (axis.place_beyond(full.1) - 1.0).max(0.0);
        let part = part.clamp(least, most);
        if self.x.is_some() && part.is_finite() {
            self.x = sound(axis.at(part), axis.at(1.0 + part), self.x);
        }
    }

    /// Moves along the y axis of a panel by a part of what is in sight: 0.25 is a quarter upwards.
    pub fn pan_y(&mut self, layout: &ChartLayout, panel: usize, part: f64) {
        if let Some(axis) = layout.panel(panel).and_then(|panel| panel.y_axis()) {
            let before = Some(axis.ends());
            self.set_y(panel, sound(axis.at(part), axis.at(1.0 + part), before));
        }
    }

    /// Zooms to the box between two cells, as it was dragged: the panel in which the drag began.
    /// A box as flat as a line zooms along it only. Does nothing where the drag began outside of
    /// all panels or covers nothing.
    pub fn zoom_to(&mut self, layout: &ChartLayout, from: Position, to: Position) {
        let Some(panel) = layout.panel_at(from) else {
            return;
        };
        let plot = panel.plot;
        let to = Position {
            x: to.x.clamp(plot.left(), plot.right() - 1),
            y: to.y.clamp(plot.top(), plot.bottom() - 1),
        };
        let (wide, high) = (from.x.abs_diff(to.x), from.y.abs_diff(to.y));
        if wide >= LEAST_BOX
            && let (Some(a), Some(b)) = (layout.x_at(from.x), layout.x_at(to.x))
        {
            self.x = sound(a.min(b), a.max(b), self.x);
        }
        if high >= LEAST_BOX
            && let (Some(a), Some(b)) = (panel.y_at(from.y), panel.y_at(to.y))
        {
            let before = self.y(panel.index);
            self.set_y(panel.index, sound(a.min(b), a.max(b), before));
        }
    }

    fn set_y(&mut self, panel: usize, range: Option<(f64, f64)>) {
        if self.y.len() <= panel {
            self.y.resize(panel + 1, None);
        }
        self.y[panel] = range;
        while self.y.last() == Some(&None) {
            self.y.pop();
        }
    }
}

fn zoomed(axis: &Axis, about: f64, factor: f64) -> (f64, f64) {
    let (low, high) = axis.ends();
    if !(factor.is_finite() && factor > 0.0) {
        return (low, high);
    }
    let place = axis.place(about);
    let place = if place.is_nan() { 0.5 } else { place };
    let (a, b) = (
        axis.at(place - place / factor),
        axis.at(place + (1.0 - place) / factor),
    );
    sound(a, b, Some((low, high))).unwrap_or((low, high))
}

/// The range cut to what there is; `None` where that is everything.
fn within((low, high): (f64, f64), full: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let Some((least, most)) = full else {
        return Some((low, high));
    };
    // Zooming in and out again may end beside where it began by rounding.
    let bit = (most / 2.0 - least / 2.0).abs() * 1e-9;
    if low <= least + bit && high >= most - bit {
        return None;
    }
    sound(low.max(least), high.min(most), None)
}

/// A range in which values can still be told apart; otherwise what was before.
fn sound(low: f64, high: f64, otherwise: Option<(f64, f64)>) -> Option<(f64, f64)> {
    let least = low.abs().max(high.abs()) * 1e-12;
    let apart = low.is_finite() && high.is_finite() && high / 2.0 - low / 2.0 > least / 2.0;
    if apart { Some((low, high)) } else { otherwise }
}
