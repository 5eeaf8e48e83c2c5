//! Charts of learning curves in a full-screen program.
//!
//! A [`Chart`] has one or more [`Panel`]s, one above the other on one x axis, such as the loss of
//! many trials and below it the learning rate of the chosen ones. It borrows its data and draws
//! straight into the cells of a [`Buffer`]; what it gives back, a [`ChartLayout`], tells which data
//! a clicked cell means. What part is seen is kept by the caller in a [`View`], which zooms and
//! pans by means of that layout.
//!
//! ```
//! use attune_tui::chart::{Chart, Curve, Panel, Points, Role, Unit, View, XAxis};
//! use attune_tui::Style;
//! use ratatui::{buffer::Buffer, layout::Rect};
//!
//! let losses = [(0.0, 2.3), (1.0, 1.1), (2.0, 0.7), (3.0, 0.6)];
//! let rates = [(0.0, 0.1), (1.0, 0.1), (2.0, 0.05), (3.0, 0.05)];
//! let view = View::default();
//! let panels = vec![
//!     Panel {
//!         log_y: true,
//!         weight: 2,
//!         ..Panel::new("loss", vec![Curve::new("s12.3", Points::Pairs(&losses), Role::Chosen(0))])
//!     },
//!     Panel::new("learning rate", vec![Curve {
//!         stairs: true,
//!         ..Curve::new("s12.3", Points::Pairs(&rates), Role::Chosen(0))
//!     }]),
//! ];
//! let chart = Chart {
//!     cursor: Some(2.0),
//!     ..Chart::new(panels, XAxis::new(Unit::Epoch), &view, Style::ASCII)
//! };
//! let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
//! let layout = chart.draw(buffer.area, &mut buffer);
//! assert_eq!(layout.panels().len(), 2);
//! ```
//!
//! What is where:
//!
//! - **Layers.** Chosen curves ([`Role::Chosen`]) lie above all others and are the only ones with
//!   colours, markers and a line in the legend. Curves of trials that were stopped
//!   ([`Role::Stopped`]) are dotted and lie at the bottom.
//! - **Range.** Without a range from the view, an upright axis shows what is in sight, but a few
//!   values far out do not squash the rest: a mark at the edge says where a curve leaves the panel,
//!   and the title how far it goes. So it is with what is infinite, and with zeros on a logarithmic
//!   axis. Values that are not numbers leave a gap.
//! - **Smoothing** ([`Panel::smoothing`]) draws a chosen curve's moving average above the curve
//!   itself, which becomes faint; of the others only the average is drawn.
//! - **Room.** From 100 columns on the legend stands at the right, below that under the chart. In
//!   little room first the legend goes, then the x axis, the titles and the lower panels.

mod layout;
mod legend;
mod paint;
mod panel;
mod points;
mod range;
mod smooth;
mod thin;
mod trace;
mod view;

#[cfg(test)]
mod tests;

pub use layout::{ChartLayout, PanelLayout};
pub use points::Points;
pub use view::View;

use crate::axis::Axis;
use crate::number;
use crate::style::Style;
use attune_protocol::Direction;
use layout::{LegendPlace, plan};
use panel::Drawn;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;

/// Curves in panels on one x axis.
#[derive(Debug)]
pub struct Chart<'a> {
    /// The panels from top to bottom. Where there is not enough room for all, the last are left
    /// out.
    pub panels: Vec<Panel<'a>>,
    /// What runs along the x axis.
    pub x: XAxis,
    /// Which part of the data is in sight.
    pub view: &'a View,
    /// Where the cross-hair is: the legend tells each chosen curve's value there.
    pub cursor: Option<f64>,
    /// A second place: the legend tells how much the values at the cursor differ from those there.
    pub anchor: Option<f64>,
    /// Places on the x axis that are marked in every panel by an upright dotted line, such as the
    /// epochs of a study's rungs.
    pub guides: &'a [f64],
    /// Whether there is a legend.
    pub legend: bool,
    /// What the terminal can show.
    pub style: Style,
}

/// The x axis of all panels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XAxis {
    /// What its values are.
    pub unit: Unit,
    /// Whether it is logarithmic; places at or below zero are then not shown.
    pub log: bool,
}

/// What the values of an x axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Updates.
    Step,
    /// Epochs.
    Epoch,
    /// Seconds; labelled in minutes or hours where there are many.
    Seconds,
}

/// Curves on one upright axis.
#[derive(Debug)]
pub struct Panel<'a> {
    /// What its values are, such as `valid loss`.
    pub title: &'a str,
    /// Its curves. Of one role, those that come first lie beneath. At most 64 chosen ones can be
    /// told apart.
    pub curves: Vec<Curve<'a>>,
    /// Whether its upright axis is logarithmic.
    pub log_y: bool,
    /// Its share of the height against the other panels'.
    pub weight: u16,
    /// How much the past weighs in the moving average that is drawn: 0 for none, 0.9 for a smooth
    /// and 0.99 for a very smooth curve.
    pub smoothing: f64,
    /// Which values are better; the legend then lists the best first, otherwise as they are given.
    pub better: Option<Direction>,
    /// How its values are written.
    pub values: Values,
    /// What is said where there are no curves at all.
    pub missing: &'a str,
}

/// How the values of a panel are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// As a metric: four decimals.
    Metric,
    /// As a learning rate: three significant digits.
    Rate,
}

/// One curve.
#[derive(Debug, Clone)]
pub struct Curve<'a> {
    /// What the legend calls it.
    pub label: &'a str,
    /// Its points.
    pub points: Points<'a>,
    /// What the x of its points is multiplied by, such as the steps or seconds of an epoch for
    /// points by epoch. Above zero.
    pub x_scale: f64,
    /// How it is drawn.
    pub role: Role,
    /// What happened at some of its places; seen on chosen curves only, since the marks of all
    /// others would cover the picture.
    pub marks: &'a [Mark],
    /// Whether a value holds until the next one, as a learning rate does.
    pub stairs: bool,
    /// The value that the legend tells where there is no cursor, such as the trial's best one; its
    /// last one where not given.
    pub value: Option<f64>,
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// One of those that are looked at, with the colour and the marker of this number. Give a trial
    /// the same number in every panel.
    Chosen(usize),
    /// Another one: a thin grey line.
    Other,
    /// One that was stopped early: a dotted grey line beneath all others.
    Stopped,
}

/// Something that happened to a trial, marked on its curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Where, in the units of the curve's own points.
    pub x: f64,
    /// What.
    pub kind: MarkKind,
}

/// What a mark on a curve stands for; where several meet, the last of this list is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkKind {
    /// A checkpoint was kept.
    Checkpoint,
    /// The fidelity policy looked at it.
    Rung,
    /// It was paused, or went on.
    Pause,
    /// Its end.
    End,
    /// Its best value.
    Best,
    /// Somebody set its rate by hand or swapped its scheduler.
    Intervention,
}

impl XAxis {
    /// An even axis.
    pub fn new(unit: Unit) -> Self {
        XAxis { unit, log: false }
    }
}

impl<'a> Panel<'a> {
    /// Curves on an even axis, without smoothing.
    pub fn new(title: &'a str, curves: Vec<Curve<'a>>) -> Self {
        Panel {
            title,
            curves,
            log_y: false,
            weight: 1,
            smoothing: 0.0,
            better: None,
            values: Values::Metric,
            missing: "no curves yet",
        }
    }
}

impl<'a> Curve<'a> {
    /// A curve of straight lines between its points.
    pub fn new(label: &'a str, points: Points<'a>, role: Role) -> Self {
        Curve {
            label,
            points,
            x_scale: 1.0,
            role,
            marks: &[],
            stairs: false,
            value: None,
        }
    }

    /// Its chosen number.
    fn series(&self) -> Option<usize> {
        match self.role {
            Role::Chosen(series) => Some(series),
            Role::Other | Role::Stopped => None,
        }
    }

    fn scale(&self) -> f64 {
        if self.x_scale.is_finite() && self.x_scale > 0.0 {
            self.x_scale
        } else {
            1.0
        }
    }

    /// The first and the last place that an x axis can show.
    fn ends(&self, log: bool) -> impl Iterator<Item = f64> + use<'a> {
        let (points, scale) = (self.points, self.scale());
        let shows = move |x: &f64| x.is_finite() && (!log || *x >= f64::MIN_POSITIVE);
        // On a logarithmic axis what is not positive lies before everything else.
        let from = if log {
            points.before(f64::MIN_POSITIVE, 0)
        } else {
            0
        };
        let place = move |index: usize| points.x(index) * scale;
        let first = (from..points.len()).map(place).find(shows);
        let last = (from..points.len()).rev().map(place).find(shows);
        first.into_iter().chain(last)
    }
}

impl Values {
    fn write(self, value: f64) -> String {
        match self {
            Values::Metric => number::metric(value),
            Values::Rate => number::rate(value),
        }
    }
}

impl Unit {
    /// What one of its larger units is, and how many of them the x axis is labelled in.
    fn label(self, most: f64) -> (&'static str, f64) {
        match self {
            Unit::Step => ("step", 1.0),
            Unit::Epoch => ("epoch", 1.0),
            Unit::Seconds if most > 7200.0 => ("hours", 3600.0),
            Unit::Seconds if most > 120.0 => ("minutes", 60.0),
            Unit::Seconds => ("seconds", 1.0),
        }
    }

    fn write(self, x: f64) -> String {
        match self {
            Unit::Step | Unit::Epoch if x.abs() < 1e15 => format!("{x:.0}"),
            Unit::Step | Unit::Epoch => number::significant(x),
            Unit::Seconds => number::duration(Duration::try_from_secs_f64(x).unwrap_or_default()),
        }
    }

    fn is_whole(self) -> bool {
        self != Unit::Seconds
    }
}

impl<'a> Chart<'a> {
    /// A chart with a legend, without a cross-hair.
    pub fn new(panels: Vec<Panel<'a>>, x: XAxis, view: &'a View, style: Style) -> Self {
        Chart {
            panels,
            x,
            view,
            cursor: None,
            anchor: None,
            guides: &[],
            legend: true,
            style,
        }
    }

    /// Draws into the cells of an area. Cells on which nothing lies are left as they are.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer) -> ChartLayout {
        let area = area.intersection(buffer.area);
        let legend = if self.legend {
            legend::Legend::of(self)
        } else {
            legend::Legend::default()
        };
        let weights: Vec<u16> = self.panels.iter().map(|panel| panel.weight).collect();
        // Only a legend below the chart takes rows of it, and those are not cheap to count.
        let below = match area.width {
            layout::WIDE.. => 0,
            width => legend.rows(width),
        };
        let plan = plan(area, &weights, legend.columns(), below);
        let (x, full_x) = self.x_axis();
        let mut layout = ChartLayout {
            area,
            x,
            full_x,
            panels: Vec::new(),
            entries: Vec::new(),
        };
        let mut scratch = panel::Scratch::default();
        let places = plan.panels.iter().enumerate();
        for ((index, &(title, plot)), panel) in places.zip(&self.panels) {
            let mut drawn = Drawn::new(self, panel, index, x.as_ref(), plot, &mut scratch);
            layout.panels.push(drawn.layout());
            paint::panel(self, &mut drawn, x.as_ref(), (title, plan.gutter), buffer);
        }
        if let Some(axis) = plan.axis {
            paint::x_axis(self, &layout, axis, buffer);
        }
        match &plan.legend {
            LegendPlace::Nowhere => {}
            LegendPlace::Right(places) => {
                legend.beside(places, self.style, buffer, &mut layout.entries);
            }
            LegendPlace::Below(place) => {
                legend.below(*place, self.style, buffer, &mut layout.entries);
            }
        }
        layout
    }

    /// The curve nearest to a cell, at most `reach` rows away from it: its panel and its number.
    /// For choosing a trial by a click on its line. Chosen curves come before others.
    pub fn curve_near(
        &self,
        layout: &ChartLayout,
        at: ratatui::layout::Position,
        reach: u16,
    ) -> Option<(usize, usize)> {
        let place = layout.panel_at(at)?;
        let x = layout.x_at(at.x)?;
        let panel = self.panels.get(place.index)?;
        let distance = |curve: &Curve<'_>| {
            let row = place.row_of(panel.value_at(curve, x)?)?;
            Some(row.abs_diff(at.y)).filter(|rows| *rows <= reach)
        };
        let near = panel.curves.iter().enumerate();
        let (_, _, index) = near
            .filter_map(|(n, curve)| Some((distance(curve)?, curve.series().is_none(), n)))
            .min()?;
        Some((place.index, index))
    }

    /// The x axis in sight, and the range of everything.
    fn x_axis(&self) -> (Option<Axis>, Option<(f64, f64)>) {
        let log = self.x.log;
        let curves = self.panels.iter().flat_map(|panel| &panel.curves);
        let full = Axis::around(curves.flat_map(|curve| curve.ends(log)), log);
        let wanted = self.view.x.filter(|(low, high)| low < high);
        let seen = wanted.and_then(|(low, high)| Axis::around([low, high].into_iter(), log));
        let whole = |axis: Axis| axis.whole(self.x.unit.is_whole() && !log);
        (seen.or(full).map(whole), full.map(|axis| axis.ends()))
    }
}

impl Panel<'_> {
    /// What a curve is worth at a place as it is drawn: smoothed, and as a staircase the value in
    /// force. `None` where the curve has not begun or is over; a curve of one point, of which nobody
    /// knows how far it reaches, has that value everywhere.
    fn value_at(&self, curve: &Curve<'_>, x: f64) -> Option<f64> {
        let points = &curve.points;
        let x = x / curve.scale();
        let nearest = points.nearest(x)?;
        // A place between a curve's end and where a next point might be still belongs to it.
        let apart = match nearest {
            0 if points.len() > 1 => points.x(1) - points.x(0),
            0 => 0.0,
            _ => points.x(nearest) - points.x(nearest - 1),
        };
        let beyond = x < points.x(0) - apart || x > points.x(points.len() - 1) + apart;
        if beyond && points.len() > 1 {
            return None;
        }
        let index = if curve.stairs && points.x(nearest) > x {
            nearest.saturating_sub(1)
        } else {
            nearest
        };
        Some(self.value_of(curve, index))
    }

    /// What a curve is worth at a point as it is drawn.
    fn value_of(&self, curve: &Curve<'_>, index: usize) -> f64 {
        if self.smoothing > 0.0 && !curve.stairs {
            smooth::at(&curve.points, index, self.smoothing)
        } else {
            curve.points.y(index)
        }
    }
}
