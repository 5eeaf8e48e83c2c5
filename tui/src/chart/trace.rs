//! Drawing the strokes of a curve on the canvas of a panel.

use super::thin::Stroke;
use crate::axis::{Axis, even};
use crate::canvas::{Canvas, Dot, Pen, Spacing};

/// What lies above what. In a cell only the dots of the highest layer are seen, so that a chosen
/// curve is never hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Layer {
    /// Curves that ended early.
    Dimmed,
    /// Curves beside the chosen ones.
    Faint,
    /// The band or the raw points of a chosen one.
    Shade,
    /// Chosen curves.
    Chosen,
}

/// How strokes become dots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// All values of a column as an upright stroke, joined by straight lines.
    Line,
    /// The same, joined as a staircase: a value holds until the next one.
    Stairs,
    /// The stretch from the least to the greatest value, stippled.
    Band,
    /// A line through the middle of a band.
    Middle,
}

/// One pass of a pen over the strokes of a curve.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    pub(super) layer: Layer,
    pub(super) form: Form,
    pub(super) pen: Pen,
    /// Its strokes among those of the panel.
    pub(super) strokes: std::ops::Range<usize>,
}

/// A canvas and the upright axis that its dots are placed by.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    canvas: &'a mut Canvas,
    y: &'a Axis,
    /// The dot, counted from the top, of the value 0 on an even scale, and how many dots further
    /// up 1 is.
    zero: f64,
    dots: f64,
    /// How many dots there are.
    wide: f64,
    high: f64,
}

/// Where a curve leaves the panel by its upper or lower edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beyond {
    /// The column of cells.
    pub(super) column: usize,
    pub(super) above: bool,
    pub(super) pen: Pen,
}

/// Leaving the panel again within so many columns of cells is told once.
const SAME_LEAVE: usize = 8;

/// Further away than this no dot is.
const FAR: f64 = 1e15;

impl<'a> Sheet<'a> {
    pub(super) fn new(canvas: &'a mut Canvas, y: &'a Axis) -> Self {
        let (wide, high) = canvas.dots();
        let (low, top) = y.ends();
        let (low, top) = (even(low, y.is_log()), even(top, y.is_log()));
        let dots = high.saturating_sub(1) as f64 / (top - low);
        Sheet {
            canvas,
            y,
            zero: top * dots,
            dots,
            wide: wide as f64,
            high: high as f64,
        }
    }

    /// Where a value lies, in dots from the top; beyond the canvas for what is not on the axis.
    fn dot(&self, value: f64) -> f64 {
        let dot = self.zero - even(value, self.y.is_log()) * self.dots;
        // Far away, but finite, so that lines can still be cut at the edge.
        dot.clamp(-FAR, FAR)
    }

    /// The dot of a value at a column, if it is on the canvas.
    pub(super) fn dot_at(&self, x: f64, value: f64) -> Option<Dot> {
        let (x, y) = (x + 0.5, self.dot(value) + 0.5);
        let inside = x >= 0.0 && x < self.wide && y >= 0.0 && y < self.high;
        inside.then_some((x as usize, y as usize))
    }

    /// Draws a curve.
    pub(super) fn draw(&mut self, strokes: &[Stroke], form: Form, pen: Pen) {
        let mut before: Option<(f64, &Stroke)> = None;
        for stroke in strokes {
            if !stroke.shows() {
                before = None;
                continue;
            }
            let joined = before.filter(|_| stroke.joined);
            if form == Form::Band {
                self.band(joined.map_or(stroke, |(_, from)| from), stroke, pen);
                before = Some((0.0, stroke));
                continue;
            }
            // Most strokes are a single value, the place of which is worked out only once.
            let single = stroke.low == stroke.high;
            let high = self.dot(stroke.high);
            let [first, last, low] = if single {
                [high; 3]
            } else {
                [stroke.first, stroke.last, stroke.low].map(|value| self.dot(value))
            };
            match joined {
                Some((y, from)) if form == Form::Stairs => {
                    self.line((from.x, y), (stroke.x, y), pen);
                    self.line((stroke.x, y), (stroke.x, first), pen);
                }
                Some((y, from)) => self.line((from.x, y), (stroke.x, first), pen),
                None if single || form == Form::Middle => {
                    self.line((stroke.x, first), (stroke.x, first), pen);
                }
                None => {}
            }
            if form != Form::Middle && !single {
                self.line((stroke.x, high), (stroke.x, low), pen);
            }
            before = Some((last, stroke));
        }
    }

    /// Puts a chosen curve's markers on its way where there are several, and one on its end.
    pub(super) fn markers(&mut self, strokes: &[Stroke], series: usize, of: usize) {
        let mut spacing = Spacing::of(series, of);
        let mut last = None;
        for (index, stroke) in strokes.iter().enumerate() {
            let Some(dot) = self.dot_at(stroke.x, stroke.last) else {
                continue;
            };
            let column = self.canvas.column(dot);
            // A single dot between two gaps would hardly be seen.
            let leads_on = strokes.get(index + 1).is_some_and(|next| next.joined);
            let is_alone = !stroke.joined && !leads_on && stroke.low == stroke.high;
            if spacing.is_due(column) || is_alone {
                self.canvas.mark(series, dot);
                spacing.marked(column);
            }
            last = Some(dot);
        }
        if let Some(last) = last {
            self.canvas.mark(series, last);
        }
    }

    /// Where a curve leaves the panel, once for each time.
    pub(super) fn leaves(&self, strokes: &[Stroke], pen: Pen, found: &mut Vec<Beyond>) {
        let (low, high) = self.y.ends();
        // The first and the last column of the leave that is under way, for either edge.
        let mut under_way: [Option<(usize, usize)>; 2] = [None; 2];
        for stroke in strokes {
            let below = stroke.below || (stroke.shows() && stroke.low < low);
            let above = stroke.above || (stroke.shows() && stroke.high > high);
            let x = stroke.x + 0.5;
            if !(below || above) || x < 0.0 || x >= self.wide {
                continue;
            }
            let column = self.canvas.column((x as usize, 0));
            for (side, gone) in [below, above].into_iter().enumerate() {
                match under_way[side] {
                    _ if !gone => {}
                    Some((from, to)) if column <= to + SAME_LEAVE => {
                        under_way[side] = Some((from, column));
                    }
                    leave => {
                        self.left(leave, side == 1, pen, found);
                        under_way[side] = Some((column, column));
                    }
                }
            }
        }
        for (side, leave) in under_way.into_iter().enumerate() {
            self.left(leave, side == 1, pen, found);
        }
    }

    fn left(&self, leave: Option<(usize, usize)>, above: bool, pen: Pen, found: &mut Vec<Beyond>) {
        if let Some((from, to)) = leave {
            found.push(Beyond {
                column: (from + to) / 2,
                above,
                pen,
            });
        }
    }

    /// A straight line between two places in dots, cut at the edges of the canvas.
    fn line(&mut self, from: (f64, f64), to: (f64, f64), pen: Pen) {
        let edges = (self.wide - 0.51, self.high - 0.51);
        if let Some((from, to)) = cut(from, to, edges) {
            // Rounded by cutting off: nothing here is below -0.49.
            let dot = |at: (f64, f64)| ((at.0 + 0.5) as usize, (at.1 + 0.5) as usize);
            self.canvas.line(pen, dot(from), dot(to));
        }
    }

    /// The stippled stretch between two strokes.
    fn band(&mut self, from: &Stroke, to: &Stroke, pen: Pen) {
        let left = from.x.round().max(0.0);
        let right = to.x.round().min(self.wide - 1.0);
        let (tops, bottoms) = (
            (self.dot(from.high), self.dot(to.high)),
            (self.dot(from.low), self.dot(to.low)),
        );
        let mut x = left;
        while x <= right {
            let part = if to.x > from.x {
                ((x - from.x) / (to.x - from.x)).clamp(0.0, 1.0)
            } else {
                1.0
            };
            let at = |ends: (f64, f64)| (ends.0 + part * (ends.1 - ends.0)).round();
            let top = at(tops).max(0.0);
            let bottom = at(bottoms).min(self.high - 1.0);
            if top <= bottom {
                let column = x as usize;
                // Every second dot, as on a chess board; at least one, however flat the band is.
                for y in top as usize..=bottom as usize {
                    if (column + y).is_multiple_of(2) {
                        self.canvas.set(pen, (column, y));
                    }
                }
            }
            x += 1.0;
        }
    }
}

/// The part of a line that lies within -0.49 and `edges` (Liang and Barsky, 1984).
fn cut(from: (f64, f64), to: (f64, f64), edges: (f64, f64)) -> Option<((f64, f64), (f64, f64))> {
    const NEAR: f64 = -0.49;
    let inside =
        |at: (f64, f64)| at.0 >= NEAR && at.0 <= edges.0 && at.1 >= NEAR && at.1 <= edges.1;
    if inside(from) && inside(to) {
        return Some((from, to));
    }
    if ![from.0, from.1, to.0, to.1].into_iter().all(f64::is_finite) {
        return None;
    }
    let (wide, high) = (to.0 - from.0, to.1 - from.1);
    let (mut begin, mut end) = (0.0f64, 1.0f64);
    let sides = [
        (-wide, from.0 - NEAR),
        (wide, edges.0 - from.0),
        (-high, from.1 - NEAR),
        (high, edges.1 - from.1),
    ];
    for (way, room) in sides {
        if way == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if way < 0.0 {
            begin = begin.max(room / way);
        } else {
            end = end.min(room / way);
        }
    }
    if begin > end {
        return None;
    }
    let at = |part: f64| {
        let (x, y) = (from.0 + part * wide, from.1 + part * high);
        (
            x.clamp(NEAR, edges.0.max(NEAR)),
            y.clamp(NEAR, edges.1.max(NEAR)),
        )
    };
    Some((at(begin), at(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_the_edges() {
        let edges = (9.0, 9.0);
        let table = [
            ((0.0, 0.0), (9.0, 9.0), Some(((0.0, 0.0), (9.0, 9.0)))),
            ((-5.0, 4.0), (50.0, 4.0), Some(((-0.49, 4.0), (9.0, 4.0)))),
            ((3.0, -1e15), (3.0, 1e15), Some(((3.0, -0.49), (3.0, 9.0)))),
            ((10.0, 0.0), (10.0, 9.0), None),
            ((-4.0, 8.0), (4.0, 16.0), None),
            ((f64::NAN, 8.0), (4.0, 16.0), None),
        ];
        for (from, to, expected) in table {
            let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() + (a.1 - b.1).abs() < 0.6;
            match (cut(from, to, edges), expected) {
                (Some(a), Some(b)) => assert!(near(a.0, b.0) && near(a.1, b.1), "{a:?} {b:?}"),
                (a, b) => assert_eq!(a, b, "{from:?} {to:?}"),
            }
        }
    }
}
