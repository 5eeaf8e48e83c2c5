//! One value of a configuration.

use crate::number::Number;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A configuration's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(Number),
    /// A word.
    Text(String),
    /// Several, one a parameter group or a step.
    List(Vec<Number>),
}

impl fmt::Display for Scalar {
    /// Floats with four significant digits, for people; programs read the JSON form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Bool(value) => write!(f, "{value}"),
            Scalar::Int(value) => write!(f, "{value}"),
            Scalar::Text(value) => f.write_str(value),
            Scalar::Float(Number(value)) => f.write_str(&significant(*value)),
            Scalar::List(values) => {
                let shown: Vec<String> = values.iter().map(|v| significant(v.0)).collect();
                write!(f, "[{}]", shown.join(", "))
            }
        }
    }
}

/// Four significant digits, without trailing zeros, in scientific form where that is shorter.
fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    if !(1e-3..1e5).contains(&magnitude) {
        let text = format!("{value:.3e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", without_trailing_zeros(digits));
    }
    let before_point = magnitude.log10().floor() as i32 + 1;
    let decimals = (4 - before_point).max(0) as usize;
    without_trailing_zeros(&format!("{value:.decimals$}")).to_owned()
}

fn without_trailing_zeros(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_shown_with_four_significant_digits() {
        let table = [
            (0.1, "0.1"),
            (0.123456, "0.1235"),
            (12.3456, "12.35"),
            (1234.5678, "1235"),
            (0.00012345, "1.234e-4"),
            (0.001, "0.001"),
            (1e-6, "1e-6"),
            (250000.0, "2.5e5"),
            (0.0, "0"),
            (100.0, "100"),
            (-0.5, "-0.5"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ];
        for (value, shown) in table {
            assert_eq!(Scalar::Float(Number(value)).to_string(), shown);
        }
    }
}
