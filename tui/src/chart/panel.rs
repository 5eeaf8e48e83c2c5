//! One panel: from its curves to a canvas and what is said beside it.

use super::layout::PanelLayout;
use super::range::{Gathered, both};
use super::thin::{Stroke, Subject};
use super::trace::{Beyond, Form, Layer, Sheet, Trace};
use super::{Chart, Curve, MarkKind, Panel, Role};
use crate::axis::Axis;
use crate::canvas::{Canvas, Dot, Pen};
use crate::style::ColorDepth;
use ratatui::layout::Rect;

/// Memory that the panels of a chart use one after the other.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    strokes: Vec<Stroke>,
    traces: Vec<Trace>,
}

/// A panel that is drawn, but not yet on the screen.
#[derive(Debug)]
pub(super) struct Drawn<'a> {
    pub(super) panel: &'a Panel<'a>,
    pub(super) index: usize,
    pub(super) plot: Rect,
    pub(super) canvas: Canvas,
    pub(super) y: Option<Axis>,
    pub(super) full_y: Option<(f64, f64)>,
    /// Where curves leave the panel, those of higher layers last.
    pub(super) beyond: Vec<Beyond>,
    /// How far the curves go below and above the range that was chosen for them.
    pub(super) reaches: [Option<f64>; 2],
    /// What happened to the chosen ones, what matters most last.
    pub(super) marks: Vec<(Dot, MarkKind, Pen)>,
    /// The numbers of the chosen curves, by their pens' series.
    pub(super) series: Vec<usize>,
    /// Why there is nothing to be seen.
    pub(super) missing: Option<&'a str>,
}

impl<'a> Drawn<'a> {
    pub(super) fn new(
        chart: &Chart<'_>,
        panel: &'a Panel<'a>,
        index: usize,
        x: Option<&Axis>,
        plot: Rect,
        scratch: &mut Scratch,
    ) -> Self {
        let size = (usize::from(plot.width), usize::from(plot.height));
        let mut drawn = Drawn {
            panel,
            index,
            plot,
            canvas: Canvas::new(size.0, size.1, chart.style.unicode),
            y: None,
            full_y: None,
            beyond: Vec::new(),
            reaches: [None; 2],
            marks: Vec::new(),
            series: panel.curves.iter().filter_map(Curve::series).collect(),
            missing: None,
        };
        let Some(x) = x.filter(|_| !plot.is_empty()) else {
            drawn.missing = Some(drawn.why_empty(&[], chart.view.x.is_some()));
            return drawn;
        };
        scratch.strokes.clear();
        scratch.traces.clear();
        drawn.trace(chart, x, scratch);
        drawn.place(chart, scratch);
        let Some(y) = drawn.y else {
            drawn.missing = Some(drawn.why_empty(&scratch.strokes, chart.view.x.is_some()));
            return drawn;
        };
        drawn.draw(&y, scratch);
        drawn.mark(x, &y);
        drawn
    }

    pub(super) fn layout(&self) -> PanelLayout {
        let (across, down) = self.canvas.cell_dots();
        PanelLayout {
            index: self.index,
            plot: self.plot,
            y: self.y,
            full_y: self.full_y,
            dots: (across as u16, down as u16),
        }
    }

    /// The dot of a value at a place, if it is in sight.
    pub(super) fn dot_at(&mut self, x: &Axis, at: f64, value: f64) -> Option<Dot> {
        let y = self.y?;
        let column = x.place_beyond(at) * (self.canvas.dots().0.saturating_sub(1)) as f64;
        let sheet = Sheet::new(&mut self.canvas, &y);
        sheet.dot_at(column, value)
    }

    /// Thins all curves and decides what is drawn of them.
    fn trace(&self, chart: &Chart<'_>, x: &Axis, scratch: &mut Scratch) {
        let dots = self.canvas.dots().0;
        let mut slot = 0;
        for curve in &self.panel.curves {
            let subject = Subject {
                points: curve.points,
                scale: curve.scale(),
                x,
                dots,
                floor: Axis::floor(self.panel.log_y),
            };
            let smoothing = if curve.stairs {
                0.0
            } else {
                self.panel.smoothing
            };
            let layer = match curve.role {
                Role::Chosen(_) => Layer::Chosen,
                Role::Other => Layer::Faint,
                Role::Stopped => Layer::Dimmed,
            };
            let pen = |layer: Layer| Pen {
                rank: layer as u8,
                series: slot,
                // Faint is said by colour, or without colours by leaving out dots.
                dotted: layer == Layer::Dimmed
                    || layer == Layer::Shade && chart.style.color == ColorDepth::None,
            };
            let form = match () {
                () if curve.stairs => Form::Stairs,
                () if curve.points.banded() => Form::Middle,
                () => Form::Line,
            };
            let mut add = |layer, form, strokes| {
                scratch.traces.push(Trace {
                    layer,
                    form,
                    pen: pen(layer),
                    strokes,
                });
            };
            let begin = scratch.strokes.len();
            let smooth = smoothing > 0.0;
            if layer == Layer::Chosen || !smooth {
                subject.raw(&mut scratch.strokes);
            }
            let raw = begin..scratch.strokes.len();
            if smooth {
                subject.smoothed(smoothing, &mut scratch.strokes);
            }
            let smoothed = raw.end..scratch.strokes.len();
            if layer == Layer::Chosen && curve.points.banded() {
                add(Layer::Shade, Form::Band, raw.clone());
            } else if layer == Layer::Chosen && smooth {
                add(Layer::Shade, Form::Line, raw.clone());
            }
            if smooth {
                add(layer, Form::Line, smoothed);
            } else {
                add(layer, form, raw);
            }
            slot += usize::from(layer == Layer::Chosen);
        }
    }

    /// Finds the upright axis.
    fn place(&mut self, chart: &Chart<'_>, scratch: &Scratch) {
        let log = self.panel.log_y;
        let wide = self.canvas.dots().0 as f64;
        let gather = |everything: bool| {
            let mut chosen = Gathered::new(log);
            let mut others = Gathered::new(log);
            for trace in &scratch.traces {
                let gathered = match trace.layer {
                    Layer::Chosen => &mut chosen,
                    _ => &mut others,
                };
                for stroke in &scratch.strokes[trace.strokes.clone()] {
                    if everything || (stroke.x > -0.5 && stroke.x < wide - 0.5) {
                        gathered.add(stroke, trace.form == Form::Middle);
                    }
                }
            }
            let ends = [&chosen, &others].into_iter().filter_map(Gathered::full);
            let all = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            Some((both(&chosen, &others)?, all?))
        };
        // Between two points out of sight there is a line all the same.
        let crosses = || scratch.strokes.iter().any(|stroke| stroke.joined);
        let found = gather(false).or_else(|| crosses().then(|| gather(true)).flatten());
        let wanted = chart.view.y(self.index).filter(|(low, high)| low < high);
        let around = |(low, high): (f64, f64)| Axis::around([low, high].into_iter(), log);
        let fitting = found.and_then(|(range, _)| around(range));
        self.full_y = fitting.map(|axis| axis.ends());
        // Without data an axis would say that there are some.
        let wanted = wanted.filter(|_| fitting.is_some()).and_then(around);
        if wanted.is_none()
            && let Some(((low, high), (least, most))) = found
        {
            let mut reaches = [
                (least < low).then_some(least),
                (most > high).then_some(most),
            ];
            for stroke in &scratch.strokes {
                if stroke.above {
                    reaches[1] = Some(f64::INFINITY);
                }
                if stroke.below {
                    reaches[0] = Some(if log { 0.0 } else { f64::NEG_INFINITY });
                }
            }
            self.reaches = reaches;
        }
        self.y = wanted.or(fitting);
    }

    fn draw(&mut self, y: &Axis, scratch: &Scratch) {
        let of = self.series.len();
        let mut sheet = Sheet::new(&mut self.canvas, y);
        for trace in &scratch.traces {
            let strokes = &scratch.strokes[trace.strokes.clone()];
            sheet.draw(strokes, trace.form, trace.pen);
            sheet.leaves(strokes, trace.pen, &mut self.beyond);
            if trace.layer == Layer::Chosen {
                sheet.markers(strokes, trace.pen.series, of);
            }
        }
        self.beyond.sort_by_key(|beyond| beyond.pen.rank);
    }

    fn mark(&mut self, x: &Axis, y: &Axis) {
        let mut marks = Vec::new();
        let wide = self.canvas.dots().0.saturating_sub(1) as f64;
        let sheet = Sheet::new(&mut self.canvas, y);
        // The marks of all others would cover the picture.
        let chosen = self.panel.curves.iter().filter(|c| c.series().is_some());
        for (slot, curve) in chosen.enumerate() {
            let pen = Pen {
                rank: Layer::Chosen as u8,
                ..Pen::solid(slot)
            };
            for mark in curve.marks {
                let at = mark.x * curve.scale();
                let value = self.panel.value_at(curve, at);
                let place = x.place_beyond(at) * wide;
                let dot = value.and_then(|value| sheet.dot_at(place, value));
                marks.extend(dot.map(|dot| (dot, mark.kind, pen)));
            }
        }
        marks.sort_by_key(|(_, kind, _)| *kind);
        self.marks = marks;
    }

    /// Why nothing can be drawn.
    fn why_empty(&self, strokes: &[Stroke], is_zoomed: bool) -> &'a str {
        let curves = &self.panel.curves;
        if curves.is_empty() {
            return self.panel.missing;
        }
        if curves.iter().all(|curve| curve.points.is_empty()) {
            return "no points yet";
        }
        if strokes.iter().any(Stroke::shows) || is_zoomed {
            return "nothing in sight";
        }
        if self.panel.log_y && strokes.iter().any(|stroke| stroke.below) {
            return "no value above zero, as a logarithmic axis needs";
        }
        "no finite value"
    }
}
