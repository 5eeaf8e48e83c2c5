//! The ranges that a study's configurations were drawn from, as far as they can be told.
//!
//! A study file names the ranges of what it searches; what schedulers propose for their own
//! parameters is not in it. So a range begins with what the trials hold, and is widened to what the
//! file says.

use attune_protocol::{Scalar, TrialSummary};
use std::collections::BTreeMap;

/// Where a setting's values come from. Every value of every trial is inside.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Domain {
    /// Numbers between two ends, both included.
    Floats { low: f64, high: f64, log: bool },
    /// Whole numbers between two ends, both included.
    Ints { low: i64, high: i64, log: bool },
    /// One of these, in this order.
    Choice(Vec<Scalar>),
}

/// The domain of each setting that some trial has.
pub(super) fn domains(spec: &str, trials: &[TrialSummary]) -> BTreeMap<String, Domain> {
    let mut seen: BTreeMap<&str, Vec<&Scalar>> = BTreeMap::new();
    for (name, value) in trials.iter().flat_map(|trial| &trial.config) {
        seen.entry(name).or_default().push(value);
    }
    let stated = stated(spec);
    seen.into_iter()
        .map(|(name, values)| (name.to_owned(), domain(&values, stated.get(name))))
        .collect()
}

/// What a study file says of a setting.
#[derive(Debug, Clone, PartialEq)]
enum Stated {
    Between { low: f64, high: f64, log: bool },
    Among(Vec<Scalar>),
}

fn domain(seen: &[&Scalar], stated: Option<&Stated>) -> Domain {
    let (between, log) = match stated {
        Some(Stated::Between { low, high, log }) => (vec![*low, *high], *log),
        _ => (Vec::new(), false),
    };
    let ints: Option<Vec<i64>> = seen.iter().map(|value| int(value)).collect();
    let floats: Option<Vec<f64>> = seen.iter().map(|value| float(value)).collect();
    match (stated, ints, floats) {
        (Some(Stated::Among(choices)), ..) => choice(choices.iter().chain(seen.iter().copied())),
        (_, Some(mut ints), _) => {
            ints.extend(between.iter().map(|end| *end as i64));
            match (ints.iter().min(), ints.iter().max()) {
                (Some(&low), Some(&high)) => Domain::Ints {
                    low,
                    high,
                    log: log && low >= 1,
                },
                _ => choice(seen.iter().copied()),
            }
        }
        (_, None, Some(mut floats)) => {
            floats.extend(between);
            let low = floats.iter().copied().fold(f64::INFINITY, f64::min);
            let high = floats.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Domain::Floats {
                low,
                high,
                log: log && low > 0.0,
            }
        }
        (_, None, None) => choice(seen.iter().copied()),
    }
}

/// Each once, those that come first first. Where one whole number is a float elsewhere it is the
/// same choice.
fn choice<'s>(values: impl Iterator<Item = &'s Scalar>) -> Domain {
    let mut choices: Vec<Scalar> = Vec::new();
    for value in values {
        if position(&choices, value).is_none() {
            choices.push(value.clone());
        }
    }
    Domain::Choice(choices)
}

/// Where a value is among choices.
pub(super) fn position(choices: &[Scalar], value: &Scalar) -> Option<usize> {
    choices.iter().position(|choice| same(choice, value))
}

fn same(a: &Scalar, b: &Scalar) -> bool {
    match (a, b) {
        (Scalar::Float(a), Scalar::Float(b)) if a.0.is_nan() => b.0.is_nan(),
        (Scalar::Float(float), Scalar::Int(int)) | (Scalar::Int(int), Scalar::Float(float)) => {
            float.0 == *int as f64
        }
        (Scalar::List(a), Scalar::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0.total_cmp(&b.0).is_eq())
        }
        _ => a == b,
    }
}

fn int(value: &Scalar) -> Option<i64> {
    match value {
        Scalar::Int(value) => Some(*value),
        _ => None,
    }
}

/// A finite number.
fn float(value: &Scalar) -> Option<f64> {
    match value {
        Scalar::Int(value) => Some(*value as f64),
        Scalar::Float(value) => Some(value.0).filter(|value| value.is_finite()),
        _ => None,
    }
}

/// The ranges and lists in a study file's `[space]`, by the names that configurations have them
/// under. What cannot be read is as if it were not there: the values that were seen are enough.
fn stated(spec: &str) -> BTreeMap<String, Stated> {
    let file: toml::Table = spec.parse().unwrap_or_default();
    let mut stated = BTreeMap::new();
    let Some(toml::Value::Table(space)) = file.get("space") else {
        return stated;
    };
    for (name, value) in space {
        match (entry(value), value) {
            (Some(entry), _) => {
                stated.insert(name.clone(), entry);
            }
            (None, toml::Value::Table(scheduler)) => {
                for (parameter, value) in scheduler {
                    if let Some(entry) = entry(value) {
                        stated.insert(format!("{name}.{parameter}"), entry);
                    }
                }
            }
            _ => {}
        }
    }
    stated
}

fn entry(value: &toml::Value) -> Option<Stated> {
    match value {
        toml::Value::Table(range) => {
            let end = |key| float(&scalar(range.get(key)?)?);
            Some(Stated::Between {
                low: end("low")?,
                high: end("high")?,
                log: matches!(range.get("log"), Some(toml::Value::Boolean(true))),
            })
        }
        toml::Value::Array(values) => Some(Stated::Among(
            values.iter().map(scalar).collect::<Option<_>>()?,
        )),
        _ => None,
    }
}

fn scalar<'v>(value: impl Into<Option<&'v toml::Value>>) -> Option<Scalar> {
    match value.into()? {
        toml::Value::Boolean(value) => Some(Scalar::Bool(*value)),
        toml::Value::Integer(value) => Some(Scalar::Int(*value)),
        toml::Value::Float(value) => Some(Scalar::Float((*value).into())),
        toml::Value::String(value) => Some(Scalar::Text(value.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::trial;

    fn of(spec: &str, values: &[Scalar]) -> Domain {
        let trials: Vec<TrialSummary> = values
            .iter()
            .map(|value| {
                let mut trial = trial("s1.1");
                trial.config = [("x".to_owned(), value.clone())].into();
                trial
            })
            .collect();
        domains(spec, &trials).remove("x").unwrap()
    }

    fn f(value: f64) -> Scalar {
        Scalar::Float(value.into())
    }

    #[test]
    fn a_domain_is_what_was_seen_and_what_the_file_says() {
        use Scalar::{Int, Text};
        let floats = |low, high, log| Domain::Floats { low, high, log };
        let ints = |low, high, log| Domain::Ints { low, high, log };
        let text = |t: &str| Text(t.into());
        let table = [
            ("", vec![f(0.5), f(0.1)], floats(0.1, 0.5, false)),
            ("", vec![Int(3), Int(1)], ints(1, 3, false)),
            ("", vec![Int(3), f(0.5)], floats(0.5, 3.0, false)),
            (
                "space.x = { low = 0.001, high = 1, log = true }",
                vec![f(0.5)],
                floats(0.001, 1.0, true),
            ),
            (
                "space.x = { low = 0.1, high = 0.2 }",
                vec![f(0.5)],
                floats(0.1, 0.5, false),
            ),
            (
                "space.x = { low = 1, high = 8, log = true }",
                vec![Int(3)],
                ints(1, 8, true),
            ),
            // A file that was edited cannot make the logarithm of nothing.
            (
                "space.x = { low = 0.1, high = 0.2, log = true }",
                vec![f(0.0)],
                floats(0.0, 0.2, false),
            ),
            (
                "space.x = [1, 2, 4]",
                vec![Int(4), Int(8), f(2.0)],
                Domain::Choice(vec![Int(1), Int(2), Int(4), Int(8)]),
            ),
            (
                "",
                vec![text("b"), text("a"), text("b")],
                Domain::Choice(vec![text("b"), text("a")]),
            ),
            (
                "",
                vec![f(f64::NAN), f(1.0), f(f64::NAN)],
                Domain::Choice(vec![f(f64::NAN), f(1.0)]),
            ),
            ("space = no toml", vec![Int(3)], ints(3, 3, false)),
        ];
        for (spec, values, expected) in table {
            let found = of(spec, &values);
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{spec}");
        }
    }

    #[test]
    fn a_schedulers_own_table_is_found() {
        let mut one = trial("s1.1");
        one.config = [("greedy.growth".to_owned(), f(1.5))].into();
        let spec = "[space.greedy]\ngrowth = { low = 1, high = 2 }";
        let expected = Domain::Floats {
            low: 1.0,
            high: 2.0,
            log: false,
        };
        assert_eq!(domains(spec, &[one])["greedy.growth"], expected);
    }
}
