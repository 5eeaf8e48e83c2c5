//! From the points of a curve to as many strokes as there are columns of dots.

use super::points::{Extremes, Points};
use super::smooth::Average;
use crate::axis::Axis;
use std::ops::Range;

/// What there is of a curve in a column of dots; in a sparse curve, one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stroke {
    /// The column, counted in dots from the left; beyond the edges for the point next to them.
    pub(super) x: f64,
    /// The value at which a line from the left ends, and the one at which a line to the right
    /// begins.
    pub(super) first: f64,
    pub(super) last: f64,
    /// The least and the greatest value; the greater one is less where there is none to be shown.
    pub(super) low: f64,
    pub(super) high: f64,
    /// Whether a line leads here from the stroke before.
    pub(super) joined: bool,
    /// Whether there are values that no axis of this kind can show.
    pub(super) below: bool,
    pub(super) above: bool,
}

impl Stroke {
    /// Whether it has a value that can be shown.
    pub(super) fn shows(&self) -> bool {
        self.low <= self.high
    }
}

/// A curve's points and where they are to be seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) points: Points<'a>,
    /// What a point's x is multiplied by.
    pub(super) scale: f64,
    pub(super) x: &'a Axis,
    /// Columns of dots.
    pub(super) dots: usize,
    /// The least value that the upright axis can show.
    pub(super) floor: f64,
}

impl Subject<'_> {
    /// The points in sight and one more on each side, so that lines run up to the edges.
    fn in_sight(&self) -> Range<usize> {
        let (low, high) = self.x.ends();
        let begin = self.points.before(low / self.scale, 0);
        let end = self.points.before(high / self.scale, begin);
        // Points exactly at the end are in sight too, and then comes the one beyond.
        let at_end = |&index: &usize| self.points.x(index) * self.scale <= high;
        let beyond = (end..self.points.len()).take_while(at_end).count();
        begin.saturating_sub(1)..(end + beyond + 1).min(self.points.len())
    }

    fn dot(&self, x: f64) -> f64 {
        let place = self.x.place_beyond(x * self.scale);
        place * self.dots.saturating_sub(1) as f64
    }

    /// Pieces of the points in sight, each with its column: single points where there are few, and
    /// otherwise all points of a column of dots at once.
    fn pieces(&self, mut piece: impl FnMut(f64, Range<usize>)) {
        let sight = self.in_sight();
        if sight.len() <= 2 * self.dots + 2 {
            for index in sight {
                let dot = self.dot(self.points.x(index));
                // A logarithmic axis has no place for what is not positive.
                if dot.is_finite() {
                    piece(dot, index..index + 1);
                }
            }
            return;
        }
        let last_dot = self.dots.saturating_sub(1).max(1) as f64;
        let mut from = sight.start;
        let first = self.dot(self.points.x(from));
        if first < -0.5 || first.is_nan() {
            if first.is_finite() {
                piece(first, from..from + 1);
            }
            from += 1;
        }
        for column in 0..self.dots {
            let edge = self.x.at((column as f64 + 0.5) / last_dot) / self.scale;
            let to = if column + 1 == self.dots {
                let beyond = self.dot(self.points.x(sight.end - 1)) > last_dot + 0.5;
                sight.end - usize::from(beyond)
            } else {
                self.points.before(edge, from).min(sight.end)
            };
            if to > from {
                piece(column as f64, from..to);
                from = to;
            }
        }
        for index in from..sight.end {
            let dot = self.dot(self.points.x(index));
            if dot.is_finite() {
                piece(dot, index..index + 1);
            }
        }
    }

    /// Adds the strokes of the curve as it is.
    pub(super) fn raw(&self, strokes: &mut Vec<Stroke>) {
        let mut open = false;
        let banded = self.points.banded();
        self.pieces(|x, of| {
            let (ends, found) = if banded {
                let mean = self.mean(of.clone());
                ((mean, mean), self.points.extremes(of, self.floor))
            } else if of.len() == 1 {
                let value = self.points.y(of.start);
                ((value, value), Extremes::of(value, self.floor))
            } else {
                let ends = (self.points.y(of.start), self.points.y(of.end - 1));
                (ends, self.points.extremes(of, self.floor))
            };
            self.push(strokes, x, ends, found, &mut open);
        });
    }

    /// Adds the strokes of the curve smoothed: lines without breadth.
    pub(super) fn smoothed(&self, weight: f64, strokes: &mut Vec<Stroke>) {
        let mut average = Average::new(weight);
        let mut taken = average.start(self.in_sight().start);
        let mut open = false;
        self.pieces(|x, of| {
            average.take(&self.points, taken..of.end);
            taken = of.end;
            let gap = of.len() == 1 && !self.points.y(of.start).is_finite();
            let value = average.value().filter(|_| !gap).unwrap_or(f64::NAN);
            let found = Extremes::of(value, self.floor);
            self.push(strokes, x, (value, value), found, &mut open);
        });
    }

    fn mean(&self, of: Range<usize>) -> f64 {
        let count = of.len() as f64;
        of.map(|index| self.points.y(index) / count).sum()
    }

    fn push(
        &self,
        strokes: &mut Vec<Stroke>,
        x: f64,
        (first, last): (f64, f64),
        found: Extremes,
        open: &mut bool,
    ) {
        let shows = |value: f64| value >= self.floor && value <= f64::MAX;
        let stroke = Stroke {
            x,
            first,
            last,
            low: found.low,
            high: found.high,
            joined: *open && shows(first),
            below: found.below,
            above: found.above,
        };
        *open = shows(last);
        if stroke.shows() || stroke.below || stroke.above {
            strokes.push(stroke);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject<'a>(points: &'a [(f64, f64)], x: &'a Axis, dots: usize) -> Subject<'a> {
        Subject {
            points: Points::Pairs(points),
            scale: 1.0,
            x,
            dots,
            floor: f64::MIN,
        }
    }

    #[test]
    fn a_column_keeps_its_extremes() {
        let points: Vec<(f64, f64)> = (0..=10_000)
            .map(|n| (f64::from(n), f64::from(n % 100)))
            .collect();
        for log in [false, true] {
            let x = Axis::around([1.0, 10_000.0].into_iter(), log).unwrap();
            let mut strokes = Vec::new();
            subject(&points, &x, 41).raw(&mut strokes);
            assert!(strokes.len() <= 42, "{}", strokes.len());
            let full = strokes.iter().filter(|s| (s.low, s.high) == (0.0, 99.0));
            assert!(full.count() >= if log { 10 } else { 39 });
            assert!(strokes.windows(2).all(|pair| pair[0].x < pair[1].x));
            assert!(strokes.iter().skip(1).all(|stroke| stroke.joined));
        }
    }

    #[test]
    fn a_few_points_stay_as_they_are_and_gaps_stay_gaps() {
        let points = [
            (0.0, 1.0),
            (1.0, f64::NAN),
            (2.0, 3.0),
            (3.0, 4.0),
            (9.0, f64::INFINITY),
        ];
        let x = Axis::around([0.0, 10.0].into_iter(), false).unwrap();
        let mut strokes = Vec::new();
        subject(&points, &x, 11).raw(&mut strokes);
        let shown: Vec<_> = strokes.iter().map(|s| (s.x, s.joined, s.above)).collect();
        assert_eq!(
            shown,
            [
                (0.0, false, false),
                (2.0, false, false),
                (3.0, true, false),
                (9.0, false, true)
            ]
        );
    }

    #[test]
    fn only_what_is_in_sight_is_looked_at() {
        let points: Vec<(f64, f64)> = (0..1000).map(|n| (f64::from(n), 0.0)).collect();
        let x = Axis::around([500.0, 510.0].into_iter(), false).unwrap();
        let one = subject(&points, &x, 101);
        assert_eq!(one.in_sight(), 499..512);
    }
}
