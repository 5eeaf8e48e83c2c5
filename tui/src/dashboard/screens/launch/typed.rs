//! What people type for a setting, and what a value says of one.

use toml_edit::Value;

/// What a study file says of a setting.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// This value in every trial.
    Fixed(Plain),
    /// One of these.
    Among(Vec<Plain>),
    /// Something between two ends.
    Between { low: f64, high: f64, log: bool },
    /// The range that the setting's own description proposes.
    Proposed,
}

/// A single value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain {
    Bool(bool),
    Int(i64),
    Float(f64),
    Word(String),
}

impl Plain {
    fn of(value: &Value) -> Option<Plain> {
        Some(match value {
            Value::Boolean(value) => Plain::Bool(*value.value()),
            Value::Integer(value) => Plain::Int(*value.value()),
            Value::Float(value) => Plain::Float(*value.value()),
            Value::String(value) => Plain::Word(value.value().clone()),
            _ => return None,
        })
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Plain::Int(value) => Some(*value as f64),
            Plain::Float(value) => Some(*value),
            _ => None,
        }
    }
}

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Plain::Bool(value) => write!(f, "{value}"),
            Plain::Int(value) => write!(f, "{value}"),
            Plain::Float(value) => write!(f, "{value}"),
            Plain::Word(value) => f.write_str(value),
        }
    }
}

impl Said {
    /// What a value says; nothing where it makes no sense.
    pub(super) fn of(value: &Value) -> Option<Said> {
        match value {
            Value::Array(list) => {
                let values: Option<Vec<Plain>> = list.iter().map(Plain::of).collect();
                values.map(Said::Among)
            }
            Value::InlineTable(range) => {
                let end = |name| Plain::of(range.get(name)?)?.number();
                let log = range.get("log").and_then(Value::as_bool);
                Some(Said::Between {
                    low: end("low")?,
                    high: end("high")?,
                    log: log.unwrap_or(false),
                })
            }
            value => match Plain::of(value)? {
                Plain::Word(word) if word == "search" => Some(Said::Proposed),
                plain => Some(Said::Fixed(plain)),
            },
        }
    }

    /// What it means, in a few words.
    pub(super) fn told(&self) -> String {
        match self {
            Said::Fixed(value) => format!("always {value}"),
            Said::Among(values) => {
                let shown: Vec<String> = values.iter().map(ToString::to_string).collect();
                match shown.as_slice() {
                    [one] => format!("always {one}"),
                    shown => format!("one of {}", shown.join(", ")),
                }
            }
            Said::Between { low, high, log } => {
                let how = if *log {
                    ", as likely small as large"
                } else {
                    ""
                };
                format!("searched from {low} to {high}{how}")
            }
            Said::Proposed => "searched over its usual range".to_owned(),
        }
    }

    /// A typical one of its values.
    pub(super) fn middle(&self) -> Option<Plain> {
        match self {
            Said::Fixed(value) => Some(value.clone()),
            Said::Among(values) => values.get(values.len().saturating_sub(1) / 2).cloned(),
            Said::Between { low, high, log } => Some(Plain::Float(match log {
                true => (low * high).sqrt(),
                false => low / 2.0 + high / 2.0,
            })),
            Said::Proposed => None,
        }
    }
}

/// The value that somebody means: TOML, or shorter `0.01 to 0.2 log`, `64, 128`, `adamw`.
///
/// # Errors
/// Why it is none.
pub(super) fn value(text: &str) -> Result<Value, String> {
    let text = text.trim();
    if let Ok(value) = text.parse::<Value>() {
        return Ok(value);
    }
    if let Some(range) = range(text) {
        return Ok(range);
    }
    let is_list = text.contains(',') && !text.starts_with(['[', '{', '"', '\'']);
    if is_list {
        let parts: Result<Vec<Value>, String> = text.split(',').map(value).collect();
        let mut array = toml_edit::Array::new();
        parts?.into_iter().for_each(|part| array.push(part));
        return Ok(Value::Array(array));
    }
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    // A number that is not yet complete, such as `0.` or `1e`, is no word.
    let has_letters = text
        .chars()
        .any(|c| c.is_alphabetic() && !matches!(c, 'e' | 'E'));
    if has_letters && text.chars().all(is_word) {
        return Ok(text.into());
    }
    Err(format!(
        "`{text}` is no value; such as 0.1, [1, 2], 0.01 to 0.2 log, a word, or search"
    ))
}

/// `LOW to HIGH`, with `log` behind it where small values are as likely as large ones.
fn range(text: &str) -> Option<Value> {
    let (low, rest) = text.split_once(" to ")?;
    let (high, log) = match rest.trim().strip_suffix("log") {
        Some(high) => (high, true),
        None => (rest, false),
    };
    let end = |text: &str| text.trim().parse::<Value>().ok();
    let is_number = |value: &Value| value.is_integer() || value.is_float();
    let (low, high) = (end(low).filter(is_number)?, end(high).filter(is_number)?);
    let mut table = toml_edit::InlineTable::new();
    table.insert("low", low);
    table.insert("high", high);
    if log {
        table.insert("log", true.into());
    }
    Some(Value::InlineTable(table))
}

/// A value as it is shown where it can be typed: what [`value`] makes the same of again.
pub(super) fn shown(value: &Value) -> String {
    if let Some(word) = value.as_str() {
        let again = self::value(word);
        if again.is_ok_and(|again| again.as_str() == Some(word)) {
            return word.to_owned();
        }
    }
    let mut value = value.clone();
    value.decor_mut().clear();
    let text = value.to_string();
    // A list may stand on several lines; here is only one.
    match text.contains('\n') {
        true => text.split_whitespace().collect::<Vec<_>>().join(" "),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_meant_as_people_write_it() {
        for (text, expected) in [
            ("3", "3"),
            ("1e-3", "1e-3"),
            ("true", "true"),
            ("adamw", "\"adamw\""),
            ("search", "\"search\""),
            ("1-sqrt", "\"1-sqrt\""),
            ("'sgd'", "'sgd'"),
            ("64, 128", "[64, 128]"),
            ("sgd, adamw", "[\"sgd\", \"adamw\"]"),
            ("[1, 2]", "[1, 2]"),
            ("0.01 to 0.2", "{ low = 0.01, high = 0.2 }"),
            ("1e-5 to 1 log", "{ low = 1e-5, high = 1, log = true }"),
        ] {
            let meant = value(text).unwrap();
            assert_eq!(meant.to_string().trim(), expected, "{text}");
            let again = value(&shown(&meant)).unwrap();
            assert_eq!(Said::of(&again), Said::of(&meant), "{text}");
        }
        for text in [
            "",
            "0.",
            "1e",
            "-",
            "[1,",
            "{ low = 1",
            "a b",
            "1, [",
            "x to y",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_value_means_is_told() {
        for (text, expected) in [
            ("3", "always 3"),
            ("[3]", "always 3"),
            ("64, 128", "one of 64, 128"),
            (
                "0.01 to 1 log",
                "searched from 0.01 to 1, as likely small as large",
            ),
            ("search", "searched over its usual range"),
        ] {
            assert_eq!(Said::of(&value(text).unwrap()).unwrap().told(), expected);
        }
        let middle = |text| Said::of(&value(text).unwrap()).unwrap().middle().unwrap();
        assert_eq!(middle("0.01 to 1 log"), Plain::Float(0.1));
        assert_eq!(middle("1, 2, 3"), Plain::Int(2));
    }
}
