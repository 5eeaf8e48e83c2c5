//! Parameters of schedulers: which values they take, in words and as they are typed.

use attune_protocol::{Number, Scalar};

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) default: Scalar,
    /// The range worth searching, if it is worth it.
    pub(crate) search: Option<Search>,
    pub(crate) doc: String,
}

/// A parameter's type and the values that it may take.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Float(Range),
    Int(i64, i64),
    Bool,
    Choice(Vec<String>),
    /// One number for all parameter groups, or a list with one a group.
    PerGroup(Range),
    /// Rising whole numbers.
    Steps,
    /// One that this program does not know: the daemon checks its values.
    Other(String),
}

/// Bounds of a number, and whether they are excluded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Range {
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
    pub(crate) above: bool,
    pub(crate) below: bool,
}

/// How a parameter is searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Search {
    Linear(f64, f64),
    Log(f64, f64),
    All,
}

impl Param {
    /// Such as `number above 0, at most 1`.
    pub(crate) fn takes(&self) -> String {
        match &self.kind {
            Kind::Float(range) => format!("number{}", range.told()),
            Kind::Int(low, high) if *high == i64::MAX => format!("whole number, at least {low}"),
            Kind::Int(low, high) => format!("whole number, {low} to {high}"),
            Kind::Bool => "true or false".to_owned(),
            Kind::Choice(words) => words.join(" | "),
            Kind::PerGroup(range) => format!("number{}, or [a, b] with one a group", range.told()),
            Kind::Steps => "list of rising steps, such as [100, 200]".to_owned(),
            Kind::Other(name) => name.clone(),
        }
    }

    /// Such as `0.5 to 0.99, log`; empty where it is not searched by itself.
    pub(crate) fn searched(&self) -> String {
        let number = crate::number::significant;
        match self.search {
            None => String::new(),
            Some(Search::All) => "all".to_owned(),
            Some(Search::Linear(low, high)) => format!("{} to {}", number(low), number(high)),
            Some(Search::Log(low, high)) => format!("{} to {}, log", number(low), number(high)),
        }
    }

    /// What can be chosen, where it is not free text.
    pub(crate) fn choices(&self) -> Vec<String> {
        match &self.kind {
            Kind::Bool => vec!["false".to_owned(), "true".to_owned()],
            Kind::Choice(words) => words.clone(),
            _ => Vec::new(),
        }
    }

    /// A value that somebody typed.
    ///
    /// # Errors
    /// What it must be.
    pub(crate) fn read(&self, text: &str) -> Result<Scalar, String> {
        let text = text.trim();
        let number = || text.parse::<f64>().ok();
        let value = match &self.kind {
            Kind::Float(range) => number()
                .filter(|value| range.holds(*value))
                .map(|value| Scalar::Float(Number(value))),
            Kind::Int(low, high) => {
                let value = text.parse::<i64>().ok();
                value
                    .filter(|value| (low..=high).contains(&value))
                    .map(Scalar::Int)
            }
            Kind::Bool => text.parse::<bool>().ok().map(Scalar::Bool),
            Kind::Choice(words) => {
                let word = words.iter().find(|word| *word == text);
                word.map(|word| Scalar::Text(word.clone()))
            }
            Kind::PerGroup(range) => match number() {
                Some(value) => range.holds(value).then_some(Scalar::Float(Number(value))),
                None => list(text)
                    .filter(|values| self.kind.holds_all(values))
                    .map(|values| Scalar::List(values.into_iter().map(Number).collect())),
            },
            Kind::Steps => list(text)
                .filter(|values| self.kind.holds_all(values))
                .map(|values| Scalar::List(values.into_iter().map(Number).collect())),
            Kind::Other(_) => Some(crate::dashboard::deed::scalar(text)),
        };
        value.ok_or_else(|| format!("`{text}` does not fit {}: {}", self.name, self.takes()))
    }
}

impl Kind {
    /// Whether a list is a value of this type.
    pub(crate) fn holds_all(&self, values: &[f64]) -> bool {
        match self {
            Kind::PerGroup(range) => !values.is_empty() && values.iter().all(|v| range.holds(*v)),
            Kind::Steps => {
                let are_steps = values.iter().all(|v| *v >= 0.0 && v.fract() == 0.0);
                are_steps && values.windows(2).all(|pair| pair[0] < pair[1])
            }
            _ => false,
        }
    }
}

/// Numbers in brackets or without, separated by commas or spaces.
fn list(text: &str) -> Option<Vec<f64>> {
    let inner = text
        .strip_prefix('[')
        .map_or(Some(text), |rest| rest.strip_suffix(']'))?;
    inner
        .split([',', ' '])
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.parse::<f64>().ok().filter(|value| value.is_finite()))
        .collect()
}

impl Range {
    /// All numbers above this one.
    pub(crate) fn above(low: f64) -> Range {
        Range {
            low: Some(low),
            above: true,
            ..Range::default()
        }
    }

    pub(crate) fn holds(self, value: f64) -> bool {
        let low = self.low.is_none_or(|low| {
            if self.above {
                value > low
            } else {
                value >= low
            }
        });
        let high = self.high.is_none_or(|high| {
            if self.below {
                value < high
            } else {
                value <= high
            }
        });
        value.is_finite() && low && high
    }

    fn told(self) -> String {
        let number = crate::number::significant;
        match (self.low, self.high) {
            (Some(low), Some(high)) if !self.above && !self.below => {
                format!(", {} to {}", number(low), number(high))
            }
            (low, high) => {
                let word = if self.above { "above" } else { "at least" };
                let low = low.map(|low| format!(", {word} {}", number(low)));
                let word = if self.below { "below" } else { "at most" };
                let high = high.map(|high| format!(", {word} {}", number(high)));
                low.into_iter().chain(high).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(kind: Kind) -> Param {
        Param {
            name: "p".into(),
            kind,
            default: Scalar::Int(1),
            search: None,
            doc: String::new(),
        }
    }

    #[test]
    fn values_are_taken_by_type_and_range() {
        let open = Range {
            low: Some(0.0),
            high: Some(1.0),
            above: true,
            below: true,
        };
        let words = Kind::Choice(vec!["min".into(), "max".into()]);
        let numbers = |values: &[f64]| Scalar::List(values.iter().copied().map(Number).collect());
        let float = |value| Scalar::Float(Number(value));
        let table: &[(Kind, &str, Option<Scalar>)] = &[
            (Kind::Float(open), " 0.5 ", Some(float(0.5))),
            (Kind::Float(open), "0", None),
            (Kind::Float(open), "1", None),
            (Kind::Float(open), "nan", None),
            (Kind::Float(Range::default()), "1e-3", Some(float(1e-3))),
            (Kind::Int(0, 20), "20", Some(Scalar::Int(20))),
            (Kind::Int(0, 20), "21", None),
            (Kind::Int(0, 20), "3.0", None),
            (Kind::Bool, "true", Some(Scalar::Bool(true))),
            (Kind::Bool, "yes", None),
            (words.clone(), "max", Some(Scalar::Text("max".into()))),
            (words, "median", None),
            (Kind::PerGroup(open), "0.5", Some(float(0.5))),
            (
                Kind::PerGroup(open),
                "[0.1, 0.2]",
                Some(numbers(&[0.1, 0.2])),
            ),
            (Kind::PerGroup(open), "[0.1, 2]", None),
            (Kind::PerGroup(open), "[]", None),
            (Kind::Steps, "3 8", Some(numbers(&[3.0, 8.0]))),
            (Kind::Steps, "[]", Some(numbers(&[]))),
            (Kind::Steps, "8, 3", None),
            (Kind::Steps, "[0.5]", None),
            (Kind::Steps, "[1", None),
            (Kind::Other("new".into()), "7", Some(Scalar::Int(7))),
        ];
        for (kind, text, expected) in table {
            let read = param(kind.clone()).read(text);
            assert_eq!(read.ok(), *expected, "{kind:?} {text}");
        }
        assert_eq!(
            param(Kind::Float(open)).read("2").unwrap_err(),
            "`2` does not fit p: number, above 0, below 1"
        );
    }

    #[test]
    fn ranges_are_told_in_words() {
        let range = |low, high, above, below| Range {
            low,
            high,
            above,
            below,
        };
        let table = [
            (
                Kind::Float(range(Some(0.0), Some(1.0), false, false)),
                "number, 0 to 1",
            ),
            (
                Kind::Float(range(Some(0.0), None, true, false)),
                "number, above 0",
            ),
            (
                Kind::Float(range(None, Some(1.0), false, true)),
                "number, below 1",
            ),
            (Kind::Float(Range::default()), "number"),
            (Kind::Int(0, i64::MAX), "whole number, at least 0"),
            (Kind::Int(1, 20), "whole number, 1 to 20"),
            (Kind::Choice(vec!["a".into(), "b".into()]), "a | b"),
        ];
        for (kind, told) in table {
            assert_eq!(param(kind).takes(), told);
        }
    }
}
