//! A part of an axis that is looked at, and the filter that says the same in words.

use super::scale::Scale;

/// A part of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Brush {
    /// Numbers from one bound to another; a bound that is missing is the axis's end, and beyond.
    Numbers(Option<f64>, Option<f64>),
    /// Words from one to another, in their order.
    Words(String, String),
}

/// The parts of an axis that a brush is moved by.
const STEPS: u32 = 20;

/// How wide a brush is that was just made.
const WIDTH: f64 = 0.25;

impl Brush {
    /// The part of an axis between two places, each from 0 to 1; nothing where that is all of it.
    pub(super) fn between(scale: &Scale, from: f64, to: f64) -> Option<Brush> {
        let (from, to) = (from.min(to).max(0.0), from.max(to).min(1.0));
        match scale {
            Scale::Numbers(_, is_whole) => {
                let low = (from > 1e-9).then(|| round(scale.at(from), *is_whole));
                let high = (to < 1.0 - 1e-9).then(|| round(scale.at(to), *is_whole));
                let is_all = low.is_none() && high.is_none();
                (!is_all).then_some(Brush::Numbers(low, high))
            }
            Scale::Words(words) => {
                // A place on the border of two words belongs to the one within.
                let first = scale.at(from + 1e-9);
                let last = scale.at((to - 1e-9).max(from)).max(first);
                let is_all = first == 0.0 && last as usize + 1 >= words.len();
                let word = |number: f64| scale.write(number);
                (!is_all).then(|| Brush::Words(word(first), word(last)))
            }
        }
    }

    /// A brush around a value, or in the middle.
    pub(super) fn around(scale: &Scale, value: Option<f64>) -> Option<Brush> {
        let middle = value.and_then(|value| scale.place(value)).unwrap_or(0.5);
        let half = match scale {
            Scale::Numbers(..) => WIDTH / 2.0,
            // One word.
            Scale::Words(_) => 0.0,
        };
        let middle = middle.clamp(half, 1.0 - half);
        Brush::between(scale, middle - half, middle + half)
    }

    /// From where to where on the axis.
    pub(super) fn span(&self, scale: &Scale) -> (f64, f64) {
        match self {
            Brush::Numbers(low, high) => {
                let place =
                    |bound: &Option<f64>, end| bound.and_then(|b| scale.place(b)).unwrap_or(end);
                (place(low, 0.0), place(high, 1.0))
            }
            Brush::Words(..) => {
                let Scale::Words(words) = scale else {
                    return (0.0, 1.0);
                };
                let (first, last) = self.numbers(words);
                let count = words.len().max(1) as f64;
                (first as f64 / count, (last + 1) as f64 / count)
            }
        }
    }

    /// The same brush, one step further up the axis (down where negative). It stops at the ends.
    pub(super) fn moved(&self, scale: &Scale, up: bool) -> Brush {
        let (from, to) = self.span(scale);
        let most = if up { 1.0 - to } else { from };
        let sign = if up { 1.0 } else { -1.0 };
        self.changed(scale, |part| {
            let by = sign * part.min(most);
            (from + by, to + by)
        })
    }

    /// The same brush, a step wider at both ends, or narrower. It never becomes nothing.
    pub(super) fn widened(&self, scale: &Scale, wider: bool) -> Option<Brush> {
        let (from, to) = self.span(scale);
        if wider {
            let least = step(scale);
            let (from, to) = (from - least, to + least);
            if from <= 0.0 && to >= 1.0 {
                return None;
            }
            return Some(self.changed(scale, |part| (from + least - part, to - least + part)));
        }
        let most = match scale {
            Scale::Numbers(..) => (to - from) / 2.0 * 0.8,
            // Down to one word, from above.
            Scale::Words(_) => to - from - step(scale),
        };
        Some(self.changed(scale, |part| match scale {
            Scale::Numbers(..) => (from + part.min(most), to - part.min(most)),
            Scale::Words(_) => (from, to - part.min(most)),
        }))
    }

    /// The first change by one or more steps that makes a difference: whole numbers lie further
    /// apart than a step.
    fn changed(&self, scale: &Scale, span: impl Fn(f64) -> (f64, f64)) -> Brush {
        let steps = (1..=STEPS).map(|n| f64::from(n) * step(scale));
        let changed = steps.filter_map(|part| {
            let (from, to) = span(part);
            Brush::between(scale, from, to)
        });
        // One whole number is a part of an axis, one of all others is not.
        let is_point = |brush: &Brush| match (brush, scale) {
            (Brush::Numbers(Some(low), Some(high)), Scale::Numbers(_, false)) => low >= high,
            _ => false,
        };
        let mut differing = changed.filter(|brush| brush != self && !is_point(brush));
        differing.next().unwrap_or_else(|| self.clone())
    }

    /// Whether a value lies in it; one that is missing never does.
    pub(super) fn holds(&self, scale: &Scale, value: f64) -> bool {
        match (self, scale) {
            (Brush::Numbers(low, high), _) => {
                !value.is_nan()
                    && low.is_none_or(|low| value >= low)
                    && high.is_none_or(|high| value <= high)
            }
            (Brush::Words(..), Scale::Words(words)) => {
                let (first, last) = self.numbers(words);
                !value.is_nan() && (first..=last).contains(&(value as usize))
            }
            (Brush::Words(..), Scale::Numbers(..)) => false,
        }
    }

    /// The filter that shows the same trials, such as `lr >= 0.01 and lr <= 0.05`. Nothing where a
    /// filter cannot say it: a word with both kinds of quotes.
    pub(super) fn filter(&self, name: &str, scale: &Scale) -> Option<String> {
        let name = quoted(name)?;
        match (self, scale) {
            (Brush::Numbers(low, high), _) => {
                let low = low.map(|low| format!("{name} >= {low:?}"));
                let high = high.map(|high| format!("{name} <= {high:?}"));
                let parts: Vec<String> = low.into_iter().chain(high).collect();
                Some(parts.join(" and "))
            }
            (Brush::Words(..), Scale::Words(words)) => {
                let (first, last) = self.numbers(words);
                let parts: Option<Vec<String>> = words
                    .get(first..=last)?
                    .iter()
                    .map(|word| Some(format!("{name} = {}", quoted(word)?)))
                    .collect();
                let parts = parts?;
                Some(match parts.len() {
                    1 => parts.concat(),
                    _ => format!("({})", parts.join(" or ")),
                })
            }
            (Brush::Words(..), Scale::Numbers(..)) => None,
        }
    }

    /// The numbers of its first and last word.
    fn numbers(&self, words: &[String]) -> (usize, usize) {
        let Brush::Words(first, last) = self else {
            return (0, words.len().saturating_sub(1));
        };
        let number = |wanted: &String| words.iter().position(|word| word == wanted);
        let first = number(first).unwrap_or(0);
        let last = number(last).unwrap_or(first);
        (first.min(last), last.max(first))
    }
}

fn step(scale: &Scale) -> f64 {
    match scale {
        Scale::Numbers(..) => 1.0 / f64::from(STEPS),
        Scale::Words(words) => 1.0 / words.len().max(1) as f64,
    }
}

/// Three significant digits: what is shown is what is compared with.
fn round(value: f64, is_whole: bool) -> f64 {
    if is_whole {
        return value.round();
    }
    format!("{value:.2e}").parse().unwrap_or(value)
}

/// A word as a filter takes it.
fn quoted(word: &str) -> Option<String> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/' | '%');
    if !word.is_empty() && word.chars().all(is_plain) {
        return Some(word.to_owned());
    }
    let quote = ['"', '\'']
        .into_iter()
        .find(|quote| !word.contains(*quote))?;
    Some(format!("{quote}{word}{quote}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::filter::{Filter, Thing, Value};
    use proptest::prelude::*;

    fn even() -> Scale {
        Scale::of_numbers(&[0.0, 1.5, 10.0], false).unwrap()
    }

    fn words() -> Scale {
        let words = ["adam", "look ahead", "none", "sgd"];
        Scale::Words(words.map(String::from).to_vec())
    }

    #[test]
    fn a_brush_is_told_as_a_filter() {
        let log = Scale::of_numbers(&[1e-4, 1.0], true).unwrap();
        let whole = Scale::of_numbers(&[1.0, 4.0], false).unwrap();
        let table = [
            (
                Brush::between(&even(), 0.2, 0.5),
                even(),
                Some("x >= 2.0 and x <= 5.0"),
            ),
            (Brush::between(&even(), 0.0, 0.5), even(), Some("x <= 5.0")),
            (
                Brush::between(&even(), 1.0, 0.513),
                even(),
                Some("x >= 5.13"),
            ),
            (
                Brush::between(&log, 0.5, 0.75),
                log,
                Some("x >= 0.01 and x <= 0.1"),
            ),
            (
                Brush::between(&whole, 0.4, 0.9),
                whole,
                Some("x >= 2.0 and x <= 4.0"),
            ),
            (
                Brush::between(&words(), 0.0, 0.25),
                words(),
                Some("x = adam"),
            ),
            (
                Brush::between(&words(), 0.3, 0.6),
                words(),
                Some("(x = \"look ahead\" or x = none)"),
            ),
            (Brush::between(&even(), 0.0, 1.0), even(), None),
            (Brush::between(&words(), 0.0, 1.0), words(), None),
        ];
        for (brush, scale, expected) in table {
            let text = brush.and_then(|brush| brush.filter("x", &scale));
            assert_eq!(text.as_deref(), expected);
        }
        assert_eq!(quoted("it's \"so\""), None);
        assert_eq!(quoted("it's").as_deref(), Some("\"it's\""));
    }

    #[test]
    fn a_brush_moves_and_stops_at_the_ends() {
        let scale = even();
        let mut brush = Brush::between(&scale, 0.2, 0.5).unwrap();
        brush = brush.moved(&scale, true);
        assert_eq!(brush, Brush::Numbers(Some(2.5), Some(5.5)));
        for _ in 0..50 {
            brush = brush.moved(&scale, true);
        }
        assert_eq!(brush, Brush::Numbers(Some(7.0), None));
        for _ in 0..50 {
            brush = brush.moved(&scale, false);
        }
        assert_eq!(brush, Brush::Numbers(None, Some(3.0)));
        // Whole numbers lie further apart than one step.
        let whole = Scale::of_numbers(&[1.0, 4.0], false).unwrap();
        let one = Brush::Numbers(Some(2.0), Some(3.0));
        assert_eq!(one.moved(&whole, false).moved(&whole, true), one);
        assert_ne!(one.moved(&whole, true), one);
        let words = words();
        let word = Brush::around(&words, Some(0.0)).unwrap();
        let next = Brush::Words("look ahead".into(), "look ahead".into());
        assert_eq!(word.moved(&words, true), next);
        assert_eq!(word.moved(&words, false), word);
    }

    #[test]
    fn a_brush_becomes_wider_and_narrower() {
        let scale = even();
        let brush = Brush::around(&scale, Some(5.0)).unwrap();
        let wider = brush.widened(&scale, true).unwrap();
        let (from, to) = wider.span(&scale);
        assert!(from < 0.36 && to > 0.64, "{from} {to}");
        let mut narrow = brush.clone();
        for _ in 0..50 {
            narrow = narrow.widened(&scale, false).unwrap();
        }
        let (from, to) = narrow.span(&scale);
        assert!(to > from && to - from < 0.1, "{from} {to}");
        let mut wide = Some(brush);
        for _ in 0..20 {
            wide = wide.and_then(|brush| brush.widened(&scale, true));
        }
        assert_eq!(wide, None, "all of the axis is no brush");
        let words = words();
        let two = Brush::Words("adam".into(), "look ahead".into());
        let one = two.widened(&words, false).unwrap();
        assert_eq!(one, Brush::Words("adam".into(), "adam".into()));
        assert_eq!(one.widened(&words, false), Some(one.clone()));
        assert_eq!(one.widened(&words, true), Some(two));
    }

    struct Trial(Option<Value<'static>>);

    impl Thing for Trial {
        fn value(&self, name: &str) -> Option<Value<'_>> {
            if name == "x" { self.0.clone() } else { None }
        }

        fn holds(&self, _word: &str) -> bool {
            false
        }
    }

    proptest! {
        #[test]
        fn the_filter_shows_the_trials_that_were_brushed(
            from in 0.0..1.0f64, to in 0.0..1.0f64, values in prop::collection::vec(-5.0..5.0f64, 2..40),
            log in any::<bool>(),
        ) {
            let values: Vec<f64> = match log {
                true => values.into_iter().map(|value| 10f64.powf(value)).collect(),
                false => values,
            };
            let scale = Scale::of_numbers(&values, log).unwrap();
            if let Some(brush) = Brush::between(&scale, from, to) {
                let text = brush.filter("x", &scale).unwrap();
                let filter = Filter::parse(&text, |name| name == "x").unwrap();
                for value in values {
                    let trial = Trial(Some(Value::Number(value)));
                    prop_assert_eq!(filter.fits(&trial), brush.holds(&scale, value), "{} {}", text, value);
                }
                prop_assert!(!filter.fits(&Trial(None)));
                prop_assert!(!brush.holds(&scale, f64::NAN));
            }
        }

        #[test]
        fn of_words_too(from in 0.0..1.0f64, to in 0.0..1.0f64) {
            let scale = words();
            if let Some(brush) = Brush::between(&scale, from, to) {
                let text = brush.filter("x", &scale).unwrap();
                let filter = Filter::parse(&text, |name| name == "x").unwrap();
                for (number, word) in ["adam", "look ahead", "none", "sgd"].into_iter().enumerate() {
                    let trial = Trial(Some(Value::Text(word)));
                    prop_assert_eq!(filter.fits(&trial), brush.holds(&scale, number as f64));
                }
            }
        }
    }
}
