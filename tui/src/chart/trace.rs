//! Drawing the strokes of a curve on the canvas of a panel.

use super::thin::Stroke;
use crate::axis::Axis;
use crate::canvas::{Canvas, Dot, Pen};

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
    pub(super) canvas: &'a mut Canvas,
    pub(super) y: &'a Axis,
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

impl Sheet<'_> {
    /// Where a value lies, in dots from the top; beyond the canvas for what is not on the axis.
    fn dot(&self, value: f64) -> f64 {
        let last = self.canvas.dots().1.saturating_sub(1) as f64;
        // Far away, but finite, so that lines can still be cut at the edge.
        ((1.0 - self.y.place_beyond(value)) * last).clamp(-1e15, 1e15)
    }

    /// The dot of a value at a column, if it is on the canvas.
    pub(super) fn dot_at(&self, x: f64, value: f64) -> Option<Dot> {
        let (wide, high) = self.canvas.dots();
        let (x, y) = (x.round(), self.dot(value).round());
        let inside = x >= 0.0 && x < wide as f64 && y >= 0.0 && y < high as f64;
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
            match (form, joined) {
                (Form::Band, Some((_, from))) => self.band(from, stroke, pen),
                (Form::Band, None) => self.band(stroke, stroke, pen),
                (Form::Stairs, Some((y, from))) => {
                    self.line((from.x, y), (stroke.x, y), pen);
                    self.line((stroke.x, y), (stroke.x, self.dot(stroke.first)), pen);
                }
                (_, Some((y, from))) => {
                    self.line((from.x, y), (stroke.x, self.dot(stroke.first)), pen);
                }
                (_, None) => {}
            }
            match form {
                Form::Band => {}
                Form::Middle => {
                    if !stroke.joined {
                        let y = self.dot(stroke.first);
                        self.line((stroke.x, y), (stroke.x, y), pen);
                    }
                }
                Form::Line | Form::Stairs => {
                    let ends = (self.dot(stroke.high), self.dot(stroke.low));
                    // A line has already come by where there is only one value.
                    if !stroke.joined || ends.0 != ends.1 {
                        self.line((stroke.x, ends.0), (stroke.x, ends.1), pen);
                    }
                }
            }
            before = Some((self.dot(stroke.last), stroke));
        }
    }

    /// Puts a chosen curve's markers on its way where there are several, and one on its end.
    pub(super) fn markers(&mut self, strokes: &[Stroke], series: usize, of: usize) {
        // Markers of several curves start at columns of their own, to keep out of each other's way.
        let period = (4 * of).max(12);
        let mut next = series * period / of.max(1);
        let mut last = None;
        for stroke in strokes {
            let Some(dot) = self.dot_at(stroke.x, stroke.last) else {
                continue;
            };
            let column = self.canvas.column(dot);
            if of > 1 && column >= next {
                self.canvas.mark(series, dot);
                next = (column / period + 1) * period + series * period / of;
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
        let (wide, _) = self.canvas.dots();
        // The first and the last column of the leave that is under way, for either edge.
        let mut under_way: [Option<(usize, usize)>; 2] = [None; 2];
        for stroke in strokes {
            let x = stroke.x.round();
            if x < 0.0 || x >= wide as f64 {
                continue;
            }
            let column = self.canvas.column((x as usize, 0));
            let below = stroke.below || (stroke.shows() && stroke.low < low);
            let above = stroke.above || (stroke.shows() && stroke.high > high);
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
                column: from + (to - from) / 2,
                above,
                pen,
            });
        }
    }

    /// A straight line between two places in dots, cut at the edges of the canvas.
    fn line(&mut self, from: (f64, f64), to: (f64, f64), pen: Pen) {
        let (wide, high) = self.canvas.dots();
        let edges = (wide as f64 - 0.51, high as f64 - 0.51);
        if let Some((from, to)) = cut(from, to, edges) {
            let dot = |at: (f64, f64)| {
                (
                    at.0.round().max(0.0) as usize,
                    at.1.round().max(0.0) as usize,
                )
            };
            self.canvas.line(pen, dot(from), dot(to));
        }
    }

    /// The stippled stretch between two strokes.
    fn band(&mut self, from: &Stroke, to: &Stroke, pen: Pen) {
        let (wide, high) = self.canvas.dots();
        let left = from.x.round().max(0.0);
        let right = to.x.round().min(wide as f64 - 1.0);
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
            let bottom = at(bottoms).min(high as f64 - 1.0);
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
