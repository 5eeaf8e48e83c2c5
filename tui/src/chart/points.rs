//! The points of a curve, borrowed in whatever form they came.

use attune_protocol::{Bucket, Number};
use std::ops::Range;

/// The points of a curve, in the form in which they lie in memory.
///
/// x must never fall and must be finite: what is shown is found by halving. Where it falls
/// nevertheless, a part of the points may be missing from the picture. y may be anything: NaN
/// leaves a gap, and what is infinite is marked at the edge.
#[derive(Debug, Clone, Copy)]
pub enum Points<'a> {
    /// Pairs of x and y.
    Pairs(&'a [(f64, f64)]),
    /// Pairs as they cross the wire ([`attune_protocol::Curve`]).
    Numbers(&'a [(Number, Number)]),
    /// x and y apart; the shorter of both counts.
    Columns {
        /// The places.
        xs: &'a [f64],
        /// A value for each.
        ys: &'a [f64],
    },
    /// Stretches of steps ([`attune_protocol::Zoom`]), drawn as their mean in the band of their
    /// least and greatest values.
    Buckets(&'a [Bucket]),
}

/// The least and the greatest of some values, NaN left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extremes {
    pub(super) low: f64,
    pub(super) high: f64,
    /// Whether there was a value too low to be shown: minus infinity, on a logarithmic axis zero.
    pub(super) below: bool,
    /// Whether there was a value too high to be shown.
    pub(super) above: bool,
}

impl Extremes {
    /// Those of a single value.
    pub(super) fn of(value: f64, floor: f64) -> Self {
        let shows = value >= floor && value <= f64::MAX;
        Extremes {
            low: if shows { value } else { f64::INFINITY },
            high: if shows { value } else { f64::NEG_INFINITY },
            below: value < floor,
            above: value > f64::MAX,
        }
    }
}

impl Points<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Points::Pairs(points) => points.len(),
            Points::Numbers(points) => points.len(),
            Points::Columns { xs, ys } => xs.len().min(ys.len()),
            Points::Buckets(buckets) => buckets.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a point: of a stretch, its middle.
    pub fn x(&self, index: usize) -> f64 {
        match self {
            Points::Pairs(points) => points[index].0,
            Points::Numbers(points) => points[index].0.0,
            Points::Columns { xs, .. } => xs[index],
            Points::Buckets(buckets) => {
                buckets[index].from as f64 / 2.0 + buckets[index].to as f64 / 2.0
            }
        }
    }

    /// The value of a point: of a stretch, its mean.
    pub fn y(&self, index: usize) -> f64 {
        match self {
            Points::Pairs(points) => points[index].1,
            Points::Numbers(points) => points[index].1.0,
            Points::Columns { ys, .. } => ys[index],
            Points::Buckets(buckets) => buckets[index].mean.0,
        }
    }

    /// Whether a point is a stretch of values, drawn as a band.
    pub(super) fn banded(&self) -> bool {
        matches!(self, Points::Buckets(_))
    }

    /// The least and the greatest of the values from `floor` up at some points.
    pub(super) fn extremes(&self, of: Range<usize>, floor: f64) -> Extremes {
        match self {
            Points::Pairs(points) => extremes(&points[of], |p| p.1, |p| p.1, floor),
            Points::Numbers(points) => extremes(&points[of], |p| p.1.0, |p| p.1.0, floor),
            Points::Columns { ys, .. } => extremes(&ys[of], |y| *y, |y| *y, floor),
            Points::Buckets(buckets) => extremes(&buckets[of], |b| b.min.0, |b| b.max.0, floor),
        }
    }

    /// How many points lie before `x`, of those from `from` on. Takes few looks where it is near.
    pub(super) fn before(&self, x: f64, from: usize) -> usize {
        let len = self.len();
        let (mut low, mut step) = (from, 1);
        // Doubled strides first: the next column's points are near this one's.
        while low + step < len && self.x(low + step - 1) < x {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(len);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.x(middle) < x {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The point nearest to `x`.
    pub(super) fn nearest(&self, x: f64) -> Option<usize> {
        let after = self.before(x, 0);
        if after == 0 || after == self.len() {
            return (!self.is_empty()).then(|| after.min(self.len() - 1));
        }
        let nearer = x - self.x(after - 1) <= self.x(after) - x;
        Some(if nearer { after - 1 } else { after })
    }
}

/// Of four values at a time: the next comparison need not wait for the last one's result.
fn extremes<T>(
    of: &[T],
    low_of: impl Fn(&T) -> f64,
    high_of: impl Fn(&T) -> f64,
    floor: f64,
) -> Extremes {
    let mut lows = [f64::INFINITY; 4];
    let mut highs = [f64::NEG_INFINITY; 4];
    // A comparison with NaN is false, so that it is never taken.
    let least = |low: &mut f64, value: f64| *low = if value < *low { value } else { *low };
    let most = |high: &mut f64, value: f64| *high = if value > *high { value } else { *high };
    let (fours, rest) = of.as_chunks::<4>();
    for four in fours {
        for lane in 0..4 {
            least(&mut lows[lane], low_of(&four[lane]));
            most(&mut highs[lane], high_of(&four[lane]));
        }
    }
    for value in rest {
        least(&mut lows[0], low_of(value));
        most(&mut highs[0], high_of(value));
    }
    let low = lows.into_iter().fold(f64::INFINITY, f64::min);
    let high = highs.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let (below, above) = (low < floor, high > f64::MAX);
    let mut found = Extremes {
        low,
        high,
        below,
        above,
    };
    if below || above {
        // Rare: a second look at only those that can be shown.
        let shows = |value: &f64| *value >= floor && *value <= f64::MAX;
        let lows = of.iter().map(low_of).filter(shows);
        let highs = of.iter().map(high_of).filter(shows);
        // A band may begin below what can be shown, and still end above it.
        let both = lows.chain(highs);
        (found.low, found.high) = both.fold((f64::INFINITY, f64::NEG_INFINITY), |ends, value| {
            (ends.0.min(value), ends.1.max(value))
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_point_is_found_by_halving() {
        let points: Vec<(f64, f64)> = (0..1000).map(|n| (f64::from(n * n), 0.0)).collect();
        let points = Points::Pairs(&points);
        for (x, nearest) in [
            (-5.0, 0),
            (0.4, 0),
            (0.6, 1),
            (2.6, 2),
            (99.0, 10),
            (1e9, 999),
        ] {
            assert_eq!(points.nearest(x), Some(nearest), "{x}");
        }
        assert_eq!(Points::Pairs(&[]).nearest(1.0), None);
        for x in [0.0, 1.0, 17.0, 1e5, 998_001.0, 1e7] {
            let counted = (0..1000).filter(|&n| points.x(n) < x).count();
            for from in [0, counted / 2, counted] {
                assert_eq!(points.before(x, from), counted, "{x} from {from}");
            }
        }
    }

    #[test]
    fn extremes_leave_out_what_cannot_be_shown() {
        let ys = [3.0, f64::NAN, -1.0, 0.0, 7.0, f64::INFINITY, 2.0];
        let xs = [0.0; 7];
        let points = Points::Columns { xs: &xs, ys: &ys };
        let found = |floor| points.extremes(0..7, floor);
        let linear = found(f64::MIN);
        assert_eq!((linear.low, linear.high), (-1.0, 7.0));
        assert_eq!((linear.below, linear.above), (false, true));
        let log = found(f64::MIN_POSITIVE);
        assert_eq!((log.low, log.high, log.below), (2.0, 7.0, true));
        let none = points.extremes(1..2, f64::MIN);
        assert!(none.low > none.high);
    }
}
