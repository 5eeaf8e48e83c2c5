//! Which values an upright axis shows when nobody said: all of them, unless a few would squash
//! the rest.

use super::thin::Stroke;
use crate::axis::{even, uneven};

/// More values than these are only sampled for their quantiles.
const SAMPLES: usize = 4096;

/// The share of values on each side that may lie far out.
const TAIL: f64 = 0.05;

/// A value is far out when it is so many times the breadth of all but the tails beyond them.
const REACH: f64 = 2.0;

/// How many times its own breadth the range of the chosen curves is widened on each side for the
/// others.
const WIDEN: f64 = 4.0;

/// Values gathered to find a range for them.
#[derive(Debug)]
pub(super) struct Gathered {
    values: Vec<f64>,
    log: bool,
}

impl Gathered {
    /// None yet, for an axis that is logarithmic or not.
    pub(super) fn new(log: bool) -> Self {
        Gathered {
            values: Vec::new(),
            log,
        }
    }

    /// Adds the ends of a stroke, or only its middle.
    pub(super) fn add(&mut self, stroke: &Stroke, middle: bool) {
        if !stroke.shows() {
            return;
        }
        if middle && stroke.first >= stroke.low && stroke.first <= stroke.high {
            self.values.push(stroke.first);
            return;
        }
        self.values.push(stroke.low);
        if stroke.high > stroke.low {
            self.values.push(stroke.high);
        }
    }

    /// The least and the greatest value.
    pub(super) fn full(&self) -> Option<(f64, f64)> {
        ends(self.values.iter())
    }

    /// The range without tails that reach far out.
    fn robust(&self) -> Option<(f64, f64)> {
        let (low, high) = self.full()?;
        let stride = self.values.len().div_ceil(SAMPLES).max(1);
        let mut sample: Vec<f64> = self.values.iter().copied().step_by(stride).collect();
        // With fewer values one of them is more than a tail.
        if sample.len() < 8 {
            return Some((low, high));
        }
        let cut = ((sample.len() as f64 * TAIL) as usize).max(1);
        let last = sample.len() - 1;
        let inner_low = *sample.select_nth_unstable_by(cut, f64::total_cmp).1;
        let inner_high = *sample.select_nth_unstable_by(last - cut, f64::total_cmp).1;
        let (from, to) = (even(inner_low, self.log), even(inner_high, self.log));
        let reach = REACH * (to - from);
        if reach <= 0.0 {
            return Some((low, high));
        }
        let least = uneven(from - reach, self.log);
        let most = uneven(to + reach, self.log);
        if low >= least && high <= most {
            return Some((low, high));
        }
        let near = self.values.iter().filter(|v| (least..=most).contains(v));
        Some(ends(near).unwrap_or((low, high)))
    }
}

/// The range for the curves that matter, widened for the others, but not so much that nothing could
/// be seen of the former.
pub(super) fn both(chosen: &Gathered, others: &Gathered) -> Option<(f64, f64)> {
    let Some((low, high)) = chosen.robust() else {
        return others.robust();
    };
    let Some((other_low, other_high)) = others.robust() else {
        return Some((low, high));
    };
    let (low_end, high_end) = (even(low, chosen.log), even(high, chosen.log));
    let breadth = high_end - low_end;
    if breadth <= 0.0 {
        return Some((low.min(other_low), high.max(other_high)));
    }
    let least = uneven(low_end - WIDEN * breadth, chosen.log);
    let most = uneven(high_end + WIDEN * breadth, chosen.log);
    Some((
        low.min(other_low.max(least)),
        high.max(other_high.min(most)),
    ))
}

fn ends<'a>(values: impl Iterator<Item = &'a f64>) -> Option<(f64, f64)> {
    values.fold(None, |ends, &value| {
        let (low, high): (f64, f64) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(values: impl Iterator<Item = f64>) -> Gathered {
        Gathered {
            values: values.collect(),
            log: false,
        }
    }

    #[test]
    fn one_value_far_out_is_left_out() {
        let with = |outlier: f64| gathered((0..100).map(f64::from).chain([outlier]));
        assert_eq!(with(120.0).robust(), Some((0.0, 120.0)));
        assert_eq!(with(1e9).robust(), Some((0.0, 99.0)));
        assert_eq!(with(f64::MIN).robust(), Some((0.0, 99.0)));
        assert_eq!(with(1e9).full(), Some((0.0, 1e9)));
    }

    #[test]
    fn a_usual_learning_curve_is_shown_whole() {
        for epochs in [5, 20, 500] {
            let falls = |n: i32| 2.3 * (-4.0 * f64::from(n) / f64::from(epochs)).exp();
            let curve = gathered((0..=epochs).map(falls));
            assert_eq!(curve.robust(), curve.full(), "{epochs}");
        }
    }

    #[test]
    fn others_widen_the_range_but_do_not_squash_it() {
        let chosen = gathered((0..=10).map(f64::from));
        let near = gathered((3..=12).map(f64::from));
        assert_eq!(both(&chosen, &near), Some((0.0, 12.0)));
        let far = gathered((0..=10).map(|n| f64::from(n) * 1e6));
        assert_eq!(both(&chosen, &far), Some((0.0, 50.0)));
        assert_eq!(both(&Gathered::new(false), &near), Some((3.0, 12.0)));
        assert_eq!(both(&chosen, &Gathered::new(false)), Some((0.0, 10.0)));
        assert_eq!(both(&Gathered::new(false), &Gathered::new(false)), None);
    }
}
