//! How the values of a setting lie along an axis: numbers evenly or by their logarithm, words side
//! by side.

use crate::axis::{Axis, even, uneven};

/// An axis of a plot.
#[derive(Debug, Clone)]
pub(super) enum Scale {
    /// Numbers; only whole ones where the flag says so.
    Numbers(Axis, bool),
    /// Words, in their order; a value is the number of its word.
    Words(Vec<String>),
}

/// A greatest value of more than so many times the least one asks for a logarithmic axis.
const DECADES: f64 = 30.0;

/// The share of values at each side that may lie far out, and how many breadths of the others away
/// from them that is.
const TAIL: f64 = 0.05;
const REACH: f64 = 2.0;

/// More values than these are only sampled for that.
const SAMPLES: usize = 4_096;

impl Scale {
    /// The axis of some numbers; `searched_log` where the study searched them by their logarithm.
    /// A few values far out do not squash the rest: they lie at the axis's end. Nothing where there
    /// is no number.
    pub(super) fn of_numbers(values: &[f64], searched_log: bool) -> Option<Scale> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut is_whole = true;
        for value in values.iter().copied().filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
            is_whole &= value.fract() == 0.0;
        }
        if low > high {
            return None;
        }
        let log = low > 0.0 && (searched_log || high > DECADES * low);
        let (low, high) = without_tails(values, low, high, log);
        let axis = Axis::around([low, high].into_iter(), log)?;
        Some(Scale::Numbers(axis.whole(is_whole && !log), is_whole))
    }

    /// Where a value lies, from 0 to 1; nothing for what cannot be shown.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        match self {
            Scale::Numbers(axis, _) => axis.shows(value).then(|| axis.place(value)),
            Scale::Words(words) => {
                let count = words.len().max(1) as f64;
                value.is_finite().then_some((value + 0.5) / count)
            }
        }
    }

    /// The number at a place; of words, the number of the word.
    pub(super) fn at(&self, place: f64) -> f64 {
        match self {
            Scale::Numbers(axis, _) => axis.at(place),
            Scale::Words(words) => {
                let count = words.len().max(1) as f64;
                (place * count).floor().clamp(0.0, count - 1.0)
            }
        }
    }

    /// How a value is written.
    pub(super) fn write(&self, value: f64) -> String {
        match self {
            Scale::Numbers(..) => crate::number::significant(value),
            Scale::Words(words) => words.get(value as usize).cloned().unwrap_or_default(),
        }
    }

    /// Whether it is logarithmic.
    pub(super) fn is_log(&self) -> bool {
        matches!(self, Scale::Numbers(axis, _) if axis.is_log())
    }
}

/// The range of values without tails that reach far out.
fn without_tails(values: &[f64], low: f64, high: f64, log: bool) -> (f64, f64) {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let mut sample: Vec<f64> = finite
        .step_by(values.len().div_ceil(SAMPLES).max(1))
        .collect();
    // With fewer values one of them is more than a tail.
    if sample.len() < 20 {
        return (low, high);
    }
    let cut = (sample.len() as f64 * TAIL) as usize;
    let last = sample.len() - 1;
    let inner_low = even(*sample.select_nth_unstable_by(cut, f64::total_cmp).1, log);
    let inner_high = even(
        *sample.select_nth_unstable_by(last - cut, f64::total_cmp).1,
        log,
    );
    let breadth = inner_high - inner_low;
    if breadth <= 0.0 {
        return (low, high);
    }
    let is_far = |distance: f64| distance > REACH * breadth;
    let room = breadth * 0.1;
    let cut_low = match is_far(inner_low - even(low, log)) {
        true => uneven(inner_low - room, log),
        false => low,
    };
    let cut_high = match is_far(even(high, log) - inner_high) {
        true => uneven(inner_high + room, log),
        false => high,
    };
    (cut_low, cut_high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_logarithmic_where_it_was_searched_so_or_spans_decades() {
        let table: &[(&[f64], bool, bool)] = &[
            (&[0.01, 0.02, 0.2], false, false),
            (&[0.01, 0.02, 0.2], true, true),
            (&[1e-4, 0.1], false, true),
            (&[0.0, 1e6], true, false),
            (&[-1.0, 5.0], true, false),
            (&[f64::NAN, 0.5], false, false),
        ];
        for (values, searched, is_log) in table {
            let scale = Scale::of_numbers(values, *searched).unwrap();
            assert_eq!(scale.is_log(), *is_log, "{values:?}");
        }
        assert!(Scale::of_numbers(&[f64::NAN, f64::INFINITY], false).is_none());
    }

    #[test]
    fn places_and_values_agree() {
        let even = Scale::of_numbers(&[10.0, 20.0], false).unwrap();
        assert_eq!(even.place(15.0), Some(0.5));
        assert_eq!(even.at(0.25), 12.5);
        let log = Scale::of_numbers(&[1e-4, 1.0], false).unwrap();
        assert!((log.place(1e-2).unwrap() - 0.5).abs() < 1e-9);
        assert_eq!(log.place(0.0), None, "zero has no logarithm");
        assert_eq!(even.place(f64::NAN), None);
        let words = Scale::Words(["adam", "sgd"].map(String::from).to_vec());
        assert_eq!(words.place(1.0), Some(0.75));
        assert_eq!(
            (words.at(0.0), words.at(0.49), words.at(1.0)),
            (0.0, 0.0, 1.0)
        );
        assert_eq!(words.write(1.0), "sgd");
    }

    #[test]
    fn one_value_far_out_lies_at_the_end() {
        let mut values: Vec<f64> = (0..100).map(f64::from).collect();
        values.push(-1e9);
        let scale = Scale::of_numbers(&values, false).unwrap();
        assert_eq!(scale.place(-1e9), Some(0.0));
        assert!(scale.place(50.0).unwrap() > 0.3);
    }
}
