//! Parameters: how they are described, and how values are checked before a scheduler sees them.

use crate::scheduler::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One parameter of a scheduler.
///
/// Made by a constructor for its type and refined by chained calls:
/// `Param::float("factor", 0.95).above(0.0).below(1.0).search(0.5, 0.99).doc("...")`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// The name users write.
    pub name: String,
    /// Its type and the values it may take.
    pub kind: Kind,
    /// The value where the user sets none.
    pub default: Value,
    /// The range worth searching, where the parameter is worth searching at all; it becomes part
    /// of a study's space when the scheduler does. None leaves the default in place.
    pub search: Option<Search>,
    /// What it means, with its unit.
    pub doc: String,
}

/// A parameter's type and valid range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Kind {
    /// A finite number within bounds.
    Float(Range),
    /// A whole number; bounds are inclusive.
    Int {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// True or false.
    Bool,
    /// One of these words.
    Choice {
        /// The words.
        choices: Vec<String>,
    },
    /// One number for all parameter groups, or a list with one a group.
    PerGroup(Range),
    /// A list of whole numbers, strictly rising, none negative.
    Steps,
}

/// Bounds of a number. A missing bound is no bound; an open one excludes its value.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Range {
    /// The lower bound.
    pub min: Option<f64>,
    /// The upper bound.
    pub max: Option<f64>,
    /// Whether the lower bound itself is excluded.
    #[serde(default)]
    pub above_min: bool,
    /// Whether the upper bound itself is excluded.
    #[serde(default)]
    pub below_max: bool,
}

/// The part of a parameter's range that is worth searching.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// Uniformly between two inclusive ends, whole numbers where the parameter is one.
    Linear(f64, f64),
    /// Uniformly in the logarithm between two inclusive positive ends.
    Log(f64, f64),
    /// Every value: for booleans and choices.
    All,
}

/// A value as a user writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A word.
    Text(String),
    /// A list of numbers.
    List(Vec<f64>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            // `{:?}` is the shortest form that reads back to the same float, and keeps the point.
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Text(value) => f.write_str(value),
            Value::List(values) => write!(f, "{values:?}"),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.above_min { '(' } else { '[' };
        let close = if self.below_max { ')' } else { ']' };
        match (self.min, self.max) {
            (None, None) => f.write_str("any finite number"),
            (Some(min), Some(max)) => write!(f, "{open}{min}, {max}{close}"),
            (Some(min), None) => write!(f, "{open}{min}, ∞)"),
            (None, Some(max)) => write!(f, "(-∞, {max}{close}"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Float(range) => write!(f, "number in {range}"),
            Kind::Int { min, max } if *max == i64::MAX => write!(f, "whole number ≥ {min}"),
            Kind::Int { min, max } => write!(f, "whole number in [{min}, {max}]"),
            Kind::Bool => f.write_str("truth value, true or false"),
            Kind::Choice { choices } => write!(f, "word, one of {}", choices.join(", ")),
            Kind::PerGroup(range) => {
                write!(f, "number in {range}, or a list with one a group")
            }
            Kind::Steps => f.write_str("list of rising whole numbers"),
        }
    }
}

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParamError {
    /// No parameter has this name.
    #[error("scheduler `{scheduler}` has no parameter `{name}`; it takes {known}")]
    Unknown {
        /// The scheduler.
        scheduler: String,
        /// The name that was written.
        name: String,
        /// The names it takes.
        known: String,
    },
    /// The value is not of the parameter's type or lies outside its range.
    #[error("parameter `{name}` of scheduler `{scheduler}` is {value}, but must be a {kind}")]
    Invalid {
        /// The scheduler.
        scheduler: String,
        /// The parameter.
        name: String,
        /// The value that was written.
        value: String,
        /// What it must be.
        kind: String,
    },
}

impl Param {
    fn new(name: &str, kind: Kind, default: Value) -> Self {
        Param {
            name: name.into(),
            kind,
            default,
            search: None,
            doc: String::new(),
        }
    }

    /// A finite number.
    pub fn float(name: &str, default: f64) -> Self {
        Self::new(name, Kind::Float(Range::default()), Value::Float(default))
    }

    /// A whole number, not negative unless [`at_least`](Self::at_least) says so.
    pub fn int(name: &str, default: i64) -> Self {
        let kind = Kind::Int {
            min: 0,
            max: i64::MAX,
        };
        Self::new(name, kind, Value::Int(default))
    }

    /// True or false.
    pub fn bool(name: &str, default: bool) -> Self {
        Self::new(name, Kind::Bool, Value::Bool(default))
    }

    /// One of several words.
    pub fn choice(name: &str, choices: &[&str], default: &str) -> Self {
        let kind = Kind::Choice {
            choices: choices.iter().map(|&c| c.into()).collect(),
        };
        Self::new(name, kind, Value::Text(default.into()))
    }

    /// One number for all groups, or a list with one a group. Read it as a [`PerGroup`].
    pub fn per_group(name: &str, default: f64) -> Self {
        Self::new(
            name,
            Kind::PerGroup(Range::default()),
            Value::Float(default),
        )
    }

    /// A list of steps, empty by default. Read it as a `Vec<f64>`.
    pub fn steps(name: &str) -> Self {
        Self::new(name, Kind::Steps, Value::List(Vec::new()))
    }

    /// The least value, inclusive.
    pub fn at_least(mut self, bound: impl Into<f64>) -> Self {
        self.lower(bound.into(), false);
        self
    }

    /// The greatest value, inclusive.
    pub fn at_most(mut self, bound: impl Into<f64>) -> Self {
        self.upper(bound.into(), false);
        self
    }

    /// The lower bound, exclusive.
    pub fn above(mut self, bound: f64) -> Self {
        self.lower(bound, true);
        self
    }

    /// The upper bound, exclusive.
    pub fn below(mut self, bound: f64) -> Self {
        self.upper(bound, true);
        self
    }

    /// Worth searching uniformly between two ends.
    pub fn search(mut self, low: impl Into<f64>, high: impl Into<f64>) -> Self {
        self.search = Some(Search::Linear(low.into(), high.into()));
        self
    }

    /// Worth searching uniformly in the logarithm between two ends.
    pub fn search_log(mut self, low: impl Into<f64>, high: impl Into<f64>) -> Self {
        self.search = Some(Search::Log(low.into(), high.into()));
        self
    }

    /// Worth searching over all its values: for booleans and choices.
    pub fn search_all(mut self) -> Self {
        self.search = Some(Search::All);
        self
    }

    /// What it means.
    pub fn doc(mut self, doc: &str) -> Self {
        self.doc = doc.into();
        self
    }

    /// The value in the parameter's own type, or nothing where it does not fit.
    pub fn accept(&self, value: &Value) -> Option<Value> {
        match (&self.kind, value) {
            (Kind::Float(range), Value::Float(x)) => range.holds(*x).then_some(Value::Float(*x)),
            (Kind::Float(range), Value::Int(x)) => {
                range.holds(*x as f64).then_some(Value::Float(*x as f64))
            }
            (Kind::Int { min, max }, Value::Int(x)) => {
                (min..=max).contains(&x).then_some(Value::Int(*x))
            }
            (Kind::Bool, Value::Bool(x)) => Some(Value::Bool(*x)),
            (Kind::Choice { choices }, Value::Text(x)) => {
                choices.contains(x).then(|| value.clone())
            }
            (Kind::PerGroup(range), Value::Float(x)) => range.holds(*x).then_some(Value::Float(*x)),
            (Kind::PerGroup(range), Value::Int(x)) => {
                range.holds(*x as f64).then_some(Value::Float(*x as f64))
            }
            (Kind::PerGroup(range), Value::List(xs)) => {
                (!xs.is_empty() && xs.iter().all(|x| range.holds(*x))).then(|| value.clone())
            }
            (Kind::Steps, Value::List(xs)) => {
                let whole = xs.iter().all(|x| *x >= 0.0 && x.fract() == 0.0);
                let rising = xs.windows(2).all(|pair| pair[0] < pair[1]);
                (whole && rising).then(|| value.clone())
            }
            _ => None,
        }
    }

    /// An author's mistake in the description itself.
    pub(crate) fn check_description(&self) -> Result<(), String> {
        if self.accept(&self.default).as_ref() != Some(&self.default) {
            return Err(format!(
                "the default of parameter `{}` is {}, but must be a {}",
                self.name, self.default, self.kind
            ));
        }
        let ends = match self.search {
            None => return Ok(()),
            Some(Search::All) => {
                return match self.kind {
                    Kind::Bool | Kind::Choice { .. } => Ok(()),
                    _ => Err(format!(
                        "parameter `{}` is a {} and needs a search range with two ends",
                        self.name, self.kind
                    )),
                };
            }
            Some(Search::Linear(low, high)) => (low, high, f64::NEG_INFINITY),
            Some(Search::Log(low, high)) => (low, high, 0.0),
        };
        let (low, high, floor) = ends;
        let inside = |end: f64| match &self.kind {
            Kind::Float(range) | Kind::PerGroup(range) => range.holds(end),
            Kind::Int { min, max } => {
                end.fract() == 0.0 && end >= *min as f64 && end <= *max as f64
            }
            _ => false,
        };
        if !(low < high && low > floor && inside(low) && inside(high)) {
            return Err(format!(
                "the search range {low} to {high} of parameter `{}` does not fit a {}",
                self.name, self.kind
            ));
        }
        Ok(())
    }

    fn lower(&mut self, bound: f64, open: bool) {
        match &mut self.kind {
            Kind::Float(range) | Kind::PerGroup(range) => {
                range.min = Some(bound);
                range.above_min = open;
            }
            Kind::Int { min, .. } => *min = bound as i64 + i64::from(open),
            Kind::Bool | Kind::Choice { .. } | Kind::Steps => {}
        }
    }

    fn upper(&mut self, bound: f64, open: bool) {
        match &mut self.kind {
            Kind::Float(range) | Kind::PerGroup(range) => {
                range.max = Some(bound);
                range.below_max = open;
            }
            Kind::Int { max, .. } => *max = bound as i64 - i64::from(open),
            Kind::Bool | Kind::Choice { .. } | Kind::Steps => {}
        }
    }
}

impl Range {
    /// Whether a number lies within the bounds; NaN and infinities never do.
    pub fn holds(&self, x: f64) -> bool {
        let low = self
            .min
            .is_none_or(|min| if self.above_min { x > min } else { x >= min });
        let high = self
            .max
            .is_none_or(|max| if self.below_max { x < max } else { x <= max });
        x.is_finite() && low && high
    }
}

/// Checks what a user wrote against a scheduler's description and fills in the defaults.
///
/// # Errors
/// The first unknown name or refused value.
pub fn check(
    scheduler: &crate::Description,
    given: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, ParamError> {
    let mut checked: BTreeMap<String, Value> = scheduler
        .params
        .iter()
        .map(|param| (param.name.clone(), param.default.clone()))
        .collect();
    for (name, value) in given {
        let param = scheduler.find(name).ok_or_else(|| ParamError::Unknown {
            scheduler: scheduler.name.clone(),
            name: name.clone(),
            known: names(scheduler),
        })?;
        let accepted = param.accept(value).ok_or_else(|| ParamError::Invalid {
            scheduler: scheduler.name.clone(),
            name: name.clone(),
            value: value.to_string(),
            kind: param.kind.to_string(),
        })?;
        checked.insert(name.clone(), accepted);
    }
    Ok(checked)
}

fn names(scheduler: &crate::Description) -> String {
    if scheduler.params.is_empty() {
        return "none".into();
    }
    let names: Vec<&str> = scheduler.params.iter().map(|p| p.name.as_str()).collect();
    names.join(", ")
}

/// A parameter that is one number for all groups or one a group, as an author reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerGroup {
    /// The same for all.
    All(f64),
    /// One a group.
    Each(Vec<f64>),
}

impl PerGroup {
    /// One number a group.
    ///
    /// # Errors
    /// A list whose length is not the number of groups; the message names the parameter.
    pub fn expand(&self, parameter: &str, groups: usize) -> Result<Vec<f64>, Error> {
        match self {
            PerGroup::All(value) => Ok(vec![*value; groups]),
            PerGroup::Each(values) if values.len() == groups => Ok(values.clone()),
            PerGroup::Each(values) => Err(Error::new(format!(
                "`{parameter}` lists {} numbers, but the run has {groups} parameter groups",
                values.len()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Description;

    fn scheduler() -> Description {
        Description::new("demo", "For tests.")
            .param(
                Param::float("factor", 0.95)
                    .above(0.0)
                    .below(1.0)
                    .search(0.5, 0.99),
            )
            .param(Param::int("patience", 10).search(1, 20))
            .param(Param::choice("mode", &["min", "max"], "min").search_all())
            .param(Param::per_group("min_lr", 1e-3).at_least(0.0))
            .param(Param::steps("milestones"))
            .param(Param::bool("smooth", false))
    }

    fn given(name: &str, value: Value) -> BTreeMap<String, Value> {
        BTreeMap::from([(name.to_owned(), value)])
    }

    #[test]
    fn values_are_accepted_or_refused_by_type_and_range() {
        use Value::*;
        let table: &[(&str, Value, bool)] = &[
            ("factor", Float(0.5), true),
            ("factor", Float(0.0), false),
            ("factor", Float(1.0), false),
            ("factor", Float(f64::NAN), false),
            ("factor", Text("0.5".into()), false),
            ("patience", Int(0), true),
            ("patience", Int(-1), false),
            ("patience", Float(3.0), false),
            ("mode", Text("max".into()), true),
            ("mode", Text("median".into()), false),
            ("min_lr", Int(0), true),
            ("min_lr", List(vec![0.1, 0.2]), true),
            ("min_lr", List(vec![]), false),
            ("min_lr", List(vec![0.1, -0.2]), false),
            ("milestones", List(vec![3.0, 8.0]), true),
            ("milestones", List(vec![8.0, 3.0]), false),
            ("milestones", List(vec![0.5]), false),
            ("smooth", Bool(true), true),
            ("smooth", Int(1), false),
        ];
        for (name, value, fits) in table {
            let outcome = check(&scheduler(), &given(name, value.clone()));
            assert_eq!(outcome.is_ok(), *fits, "{name} = {value}: {outcome:?}");
        }
    }

    #[test]
    fn what_is_not_given_gets_its_default_and_whole_numbers_become_floats() {
        let checked = check(&scheduler(), &given("min_lr", Value::Int(0))).unwrap();
        assert_eq!(checked["min_lr"], Value::Float(0.0));
        assert_eq!(checked["patience"], Value::Int(10));
        assert_eq!(checked.len(), 6);
    }

    #[test]
    fn errors_name_the_parameter_and_what_it_must_be() {
        let error = check(&scheduler(), &given("factor", Value::Float(1.5))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "parameter `factor` of scheduler `demo` is 1.5, but must be a number in (0, 1)"
        );
        let error = check(&scheduler(), &given("factr", Value::Float(0.5))).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("no parameter `factr`; it takes factor, patience")
        );
    }

    #[test]
    fn an_authors_mistakes_are_found() {
        let bad = [
            Param::float("x", 2.0).at_most(1.0),
            Param::float("x", 0.5).at_least(0.0).search_log(0.0, 1.0),
            Param::float("x", 0.5).search(1.0, 0.0),
            Param::int("x", 5).search(0.5, 3.0),
            Param::float("x", 0.5).search_all(),
            Param::choice("x", &["a"], "b"),
        ];
        for param in bad {
            assert!(param.check_description().is_err(), "{param:?}");
        }
        assert_eq!(scheduler().check(), Ok(()));
    }

    #[test]
    fn a_description_survives_json() {
        let text = serde_json::to_string(&scheduler()).unwrap();
        assert_eq!(
            serde_json::from_str::<Description>(&text).unwrap(),
            scheduler()
        );
    }
}
