//! A chart as it is looked at: which part, along what, how smooth, and where the cross-hair is.

use super::{Pointer, Press};
use crate::chart::{Chart, ChartLayout, Panel, Points, Unit, View, XAxis};
use crate::dashboard::keys::Command;
use crate::dashboard::pen::Pen;
use ratatui::layout::{Position, Rect};

/// What the user chose on a chart.
#[derive(Debug)]
pub(crate) struct Picture {
    view: View,
    /// Where it was drawn last.
    layout: Option<ChartLayout>,
    cursor: Option<f64>,
    pub(crate) unit: Unit,
    log_x: bool,
    /// Whether the first panel's axis is logarithmic; nothing where the values decide.
    log_y: Option<bool>,
    /// Whether it was drawn so last.
    was_log: bool,
    smoothing: usize,
    is_dragging: bool,
}

/// Weights of the past in the moving average, from none to very smooth.
const SMOOTHINGS: [f64; 6] = [0.0, 0.5, 0.8, 0.9, 0.97, 0.99];

/// What one key zooms and pans.
const ZOOM: f64 = 1.5;
const PAN: f64 = 0.2;

impl Picture {
    pub(crate) fn new(unit: Unit) -> Self {
        Picture {
            view: View::default(),
            layout: None,
            cursor: None,
            unit,
            log_x: false,
            log_y: None,
            was_log: false,
            smoothing: 0,
            is_dragging: false,
        }
    }

    /// What is looked at is another thing now.
    pub(crate) fn reset(&mut self) {
        self.view.fit();
        self.cursor = None;
    }

    pub(crate) fn smoothing(&self) -> f64 {
        SMOOTHINGS[self.smoothing]
    }

    /// Whether the first panel is logarithmic, where the values would have it so or not.
    pub(crate) fn is_log(&self, by_itself: bool) -> bool {
        self.log_y.unwrap_or(by_itself)
    }

    pub(crate) fn cursor(&self) -> Option<f64> {
        self.cursor
    }

    /// The x range in sight, if it is not everything.
    pub(crate) fn x_range(&self) -> Option<(f64, f64)> {
        self.view.x
    }

    /// Looks at this range of the x axis, or at all of it.
    pub(crate) fn look_at(&mut self, range: Option<(f64, f64)>) {
        self.view.x = range;
    }

    pub(crate) fn set_cursor(&mut self, at: Option<f64>) {
        self.cursor = at;
    }

    /// Columns that curves were drawn on last; nothing before that.
    pub(crate) fn columns(&self) -> Option<u16> {
        let panel = self.layout.as_ref()?.panels().first()?;
        Some(panel.plot.width)
    }

    /// How it is looked at, in a few words; nothing where it is as it comes.
    pub(crate) fn note(&self) -> String {
        let mut parts = Vec::new();
        if self.smoothing() > 0.0 {
            parts.push(format!("smoothed {}", self.smoothing()));
        }
        if !self.view.is_fit() {
            parts.push("zoomed, 0 shows all".to_owned());
        }
        parts.join(", ")
    }

    /// A command of charts; says whether it was one.
    pub(crate) fn act(&mut self, command: Command) -> bool {
        match command {
            Command::CursorLeft => self.move_cursor(-1),
            Command::CursorRight => self.move_cursor(1),
            Command::ZoomIn => self.zoom(ZOOM),
            Command::ZoomOut => self.zoom(1.0 / ZOOM),
            Command::PanLeft => self.pan(-PAN),
            Command::PanRight => self.pan(PAN),
            Command::Fit => self.reset(),
            Command::LogY => {
                self.log_y = Some(!self.was_log);
                self.view.y.clear();
            }
            Command::LogX => {
                self.log_x = !self.log_x;
                self.reset();
            }
            Command::Smoother => self.smoothing = (self.smoothing + 1) % SMOOTHINGS.len(),
            Command::Rougher => self.smoothing = self.smoothing.saturating_sub(1),
            Command::Axis => {
                self.unit = match self.unit {
                    Unit::Step => Unit::Epoch,
                    Unit::Epoch => Unit::Seconds,
                    Unit::Seconds => Unit::Step,
                };
                self.reset();
            }
            _ => return false,
        }
        true
    }

    /// The mouse: a click sets the cross-hair, a drag zooms to its box, the wheel zooms around the
    /// pointer. Says whether it meant anything here.
    pub(crate) fn pointer(&mut self, pointer: Pointer) -> bool {
        let Some(layout) = &self.layout else {
            return false;
        };
        let at = Position::new(pointer.x, pointer.y);
        let is_inside = layout.panel_at(at).is_some();
        match pointer.deed {
            Press::Click if is_inside => self.cursor = layout.x_at(at.x),
            Press::DoubleClick if is_inside => self.view.fit(),
            Press::WheelUp | Press::WheelDown if is_inside => {
                let factor = match pointer.deed {
                    Press::WheelUp => ZOOM,
                    _ => 1.0 / ZOOM,
                };
                if let Some(about) = layout.x_at(at.x) {
                    self.view.zoom_x(layout, about, factor);
                }
            }
            Press::Drag(x, y) => {
                self.is_dragging = layout.panel_at((x, y).into()).is_some();
                if self.is_dragging {
                    self.cursor = layout.x_at(at.x);
                }
                return self.is_dragging;
            }
            Press::Drop(x, y) if layout.panel_at((x, y).into()).is_some() => {
                self.view.zoom_to(layout, (x, y).into(), at);
                self.is_dragging = false;
            }
            _ => return false,
        }
        true
    }

    /// Draws it.
    pub(crate) fn draw(
        &mut self,
        pen: &mut Pen<'_>,
        area: Rect,
        panels: Vec<Panel<'_>>,
        guides: &[f64],
    ) {
        self.was_log = panels.first().is_some_and(|panel| panel.log_y);
        let x = XAxis {
            unit: self.unit,
            log: self.log_x,
        };
        let chart = Chart {
            cursor: self.cursor,
            guides,
            ..Chart::new(panels, x, &self.view, pen.style)
        };
        self.layout = Some(chart.draw(area, pen.buffer));
    }

    fn middle(&self) -> Option<f64> {
        let (low, high) = self.layout.as_ref()?.x_range()?;
        Some(low / 2.0 + high / 2.0)
    }

    fn move_cursor(&mut self, columns: i32) {
        let from = self.cursor.or_else(|| self.middle());
        if let (Some(layout), Some(from)) = (&self.layout, from) {
            self.cursor = layout.step(from, columns);
        }
    }

    fn zoom(&mut self, factor: f64) {
        let about = self.cursor.or_else(|| self.middle());
        if let (Some(layout), Some(about)) = (&self.layout, about) {
            self.view.zoom_x(layout, about, factor);
        }
    }

    fn pan(&mut self, part: f64) {
        if let Some(layout) = &self.layout {
            self.view.pan_x(layout, part);
        }
    }
}

/// Whether all values are above zero and the greatest is more than thirty times the least: then an
/// even axis would show only the greatest.
pub(crate) fn spans_decades<'a>(curves: impl Iterator<Item = Points<'a>>) -> bool {
    let (mut low, mut high) = (f64::INFINITY, 0.0f64);
    for points in curves {
        for index in 0..points.len() {
            let y = points.y(index);
            if y.is_finite() {
                low = low.min(y);
                high = high.max(y);
            }
        }
    }
    low > 0.0 && high > 30.0 * low
}
