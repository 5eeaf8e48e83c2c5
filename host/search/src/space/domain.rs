//! The set of values one parameter may take, and how a unit number picks one of them.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::value::Value;

/// The values a parameter may take. Bounds are inclusive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// Real numbers.
    Float {
        /// Smallest value.
        low: f64,
        /// Largest value; a stepped domain ends at the last step that is not above it.
        high: f64,
        /// Even on a logarithmic scale rather than a linear one.
        log: bool,
        /// Only `low`, `low + step`, `low + 2·step` and so on.
        step: Option<f64>,
    },
    /// Whole numbers.
    Int {
        /// Smallest value.
        low: i64,
        /// Largest value.
        high: i64,
        /// Even on a logarithmic scale rather than a linear one.
        log: bool,
    },
    /// One of the listed values, each as likely as the others.
    Choice(Vec<Value>),
}

/// What is wrong with a [`Domain`].
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DomainError {
    /// A bound or step is NaN or infinite.
    #[error("{what} is {value}; give a finite number")]
    NotFinite {
        /// Which number it is.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// The bounds leave nothing to choose from.
    #[error("low {low} is not below high {high}; raise high, or give the value as a constant")]
    Empty {
        /// The lower bound.
        low: Value,
        /// The upper bound.
        high: Value,
    },
    /// A logarithmic scale that reaches zero.
    #[error("a log scale cannot start at {low}; raise low above zero, or drop log")]
    LogOfNothing {
        /// The lower bound.
        low: Value,
    },
    /// A step together with a logarithmic scale, which have no common meaning.
    #[error("step and log exclude each other; drop one of them")]
    StepWithLog,
    /// A step that is zero, negative, or wider than the range.
    #[error("step {step} does not fit between {low} and {high}; give a step above 0 and at most {}", high - low)]
    StepOutOfRange {
        /// The step.
        step: f64,
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// Steps so small that neighbouring values would be the same floating-point number.
    #[error("step {step} is too fine for values up to {high}; widen it, or drop it")]
    StepTooFine {
        /// The step.
        step: f64,
        /// The upper bound.
        high: f64,
    },
    /// A choice between no values.
    #[error("there is nothing to choose from; list at least one value")]
    NoChoices,
    /// The same value twice in a choice.
    #[error("{value} is listed twice; remove one")]
    RepeatedChoice {
        /// The repeated value.
        value: Value,
    },
}

impl Domain {
    /// Checks the bounds, the scale, the step and the choices.
    pub fn check(&self) -> Result<(), DomainError> {
        match self {
            &Domain::Float {
                low,
                high,
                log,
                step,
            } => check_float(low, high, log, step),
            &Domain::Int { low, high, log } => {
                if low >= high {
                    let (low, high) = (low.into(), high.into());
                    return Err(DomainError::Empty { low, high });
                }
                if log && low < 1 {
                    return Err(DomainError::LogOfNothing { low: low.into() });
                }
                Ok(())
            }
            Domain::Choice(values) => check_choices(values),
        }
    }

    /// The value at `unit` of the way through the domain, 0 being its beginning and 1 its end;
    /// numbers outside [0, 1] count as the nearer end.
    ///
    /// Whole numbers and steps get equal shares of the unit interval. On a logarithmic scale the
    /// whole number k gets the share of [k − ½, k + ½], so that both ends are as likely as their
    /// neighbours suggest.
    pub(super) fn at(&self, unit: f64) -> Value {
        let unit = unit.clamp(0.0, 1.0);
        match self {
            &Domain::Float { low, high, log, .. } if self.count().is_none() => {
                let value = if log {
                    (low.ln() * (1.0 - unit) + high.ln() * unit).exp()
                } else {
                    // In this form no range is too wide for an f64.
                    low * (1.0 - unit) + high * unit
                };
                Value::Float(value.clamp(low, high))
            }
            &Domain::Int {
                low,
                high,
                log: true,
            } => {
                let (from, to) = ((low as f64 - 0.5).ln(), (high as f64 + 0.5).ln());
                let value = (from * (1.0 - unit) + to * unit).exp().round();
                Value::Int((value as i64).clamp(low, high))
            }
            &Domain::Int { low, high, .. } => {
                let width = i128::from(high) - i128::from(low) + 1;
                let offset = ((unit * width as f64) as i128).min(width - 1);
                Value::Int((i128::from(low) + offset) as i64)
            }
            Domain::Float { .. } | Domain::Choice(_) => {
                let count = self.count().unwrap_or(1);
                self.nth(((unit * count as f64) as u64).min(count - 1))
            }
        }
    }

    /// How many values there are; nothing for a continuous domain, and for the one range of whole
    /// numbers whose size does not fit.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Domain::Float { step: None, .. } => None,
            &Domain::Float {
                low,
                high,
                step: Some(step),
                ..
            } => Some(last_step(low, high, step) as u64 + 1),
            &Domain::Int { low, high, .. } => high.abs_diff(low).checked_add(1),
            Domain::Choice(values) => Some(values.len() as u64),
        }
    }

    /// The value at `index` of a countable domain; an index past the end gives the last value.
    pub(super) fn nth(&self, index: u64) -> Value {
        match self {
            &Domain::Float {
                low, high, step, ..
            } => {
                let value = low + index as f64 * step.unwrap_or(0.0);
                Value::Float(value.min(high))
            }
            &Domain::Int { low, high, .. } => {
                Value::Int(low.saturating_add_unsigned(index).min(high))
            }
            Domain::Choice(values) => {
                let index = (index as usize).min(values.len() - 1);
                values[index].clone()
            }
        }
    }

    /// Where `value` stands in a domain of whole numbers or choices; nothing if it is not there.
    pub(super) fn position(&self, value: &Value) -> Option<u64> {
        match (self, value) {
            (&Domain::Int { low, high, .. }, &Value::Int(value)) => {
                (low..=high).contains(&value).then(|| value.abs_diff(low))
            }
            (Domain::Choice(values), value) => {
                let index = values.iter().position(|choice| choice == value)?;
                Some(index as u64)
            }
            _ => None,
        }
    }

    /// Whether the parameter may take `value`. A stepped value may be a billionth of a step off, as
    /// decimal fractions typed by hand are.
    pub fn contains(&self, value: &Value) -> bool {
        match (self, value) {
            (
                &Domain::Float {
                    low, high, step, ..
                },
                &Value::Float(value),
            ) => {
                let on_step = step.is_none_or(|step| {
                    let steps = (value - low) / step;
                    (steps - steps.round()).abs() < 1e-9
                });
                (low..=high).contains(&value) && on_step
            }
            _ => self.position(value).is_some(),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = |log: bool| if log { " (log)" } else { "" };
        match self {
            Domain::Float {
                low,
                high,
                log,
                step,
            } => {
                write!(f, "a float from {low:?} to {high:?}{}", scale(*log))?;
                match step {
                    Some(step) => write!(f, " in steps of {step:?}"),
                    None => Ok(()),
                }
            }
            Domain::Int { low, high, log } => {
                write!(f, "a whole number from {low} to {high}{}", scale(*log))
            }
            Domain::Choice(values) => {
                f.write_str("one of ")?;
                for (i, value) in values.iter().enumerate() {
                    let separator = if i == 0 { "" } else { ", " };
                    write!(f, "{separator}{value}")?;
                }
                Ok(())
            }
        }
    }
}

fn check_float(low: f64, high: f64, log: bool, step: Option<f64>) -> Result<(), DomainError> {
    for (what, value) in [("low", low), ("high", high), ("step", step.unwrap_or(1.0))] {
        if !value.is_finite() {
            return Err(DomainError::NotFinite { what, value });
        }
    }
    if low >= high {
        let (low, high) = (low.into(), high.into());
        return Err(DomainError::Empty { low, high });
    }
    if log && low <= 0.0 {
        return Err(DomainError::LogOfNothing { low: low.into() });
    }
    let Some(step) = step else { return Ok(()) };
    if log {
        return Err(DomainError::StepWithLog);
    }
    if step <= 0.0 || step > high - low {
        return Err(DomainError::StepOutOfRange { step, low, high });
    }
    // Rounding moves a value by at most two units in the last place, so four keep them apart.
    if step < 4.0 * f64::EPSILON * low.abs().max(high.abs()) {
        return Err(DomainError::StepTooFine { step, high });
    }
    Ok(())
}

fn check_choices(values: &[Value]) -> Result<(), DomainError> {
    if values.is_empty() {
        return Err(DomainError::NoChoices);
    }
    for (i, value) in values.iter().enumerate() {
        if let &Value::Float(value) = value
            && !value.is_finite()
        {
            let what = "a choice";
            return Err(DomainError::NotFinite { what, value });
        }
        if values[..i].contains(value) {
            let value = value.clone();
            return Err(DomainError::RepeatedChoice { value });
        }
    }
    Ok(())
}

/// The number of the last step; (1 − 0) / 0.1 must count as ten although it may compute as less.
fn last_step(low: f64, high: f64, step: f64) -> f64 {
    ((high - low) / step + 1e-9).floor()
}
