//! What a column holds and how it becomes features, judged from its training cells alone.

use super::cell::{is_missing, mostly_numbers, number, truth};
use super::date::DateForm;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most categories that get a feature of their own.
const MAX_CATEGORIES: usize = 50;
/// Fewer cells than this cannot tell an identifier from a value that happens not to repeat.
const FEWEST_FOR_IDENTIFIER: usize = 10;

/// What was found in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Numbers.
    Numeric,
    /// Two truth values, as words or as 0 and 1.
    Boolean,
    /// Text with few different values.
    Categorical,
    /// Dates, with or without times.
    Date,
    /// The same value everywhere.
    Constant,
    /// A different value in every row that says nothing about it.
    Identifier,
    /// Text with too many different values.
    Text,
    /// No value at all.
    Empty,
    /// What the model predicts.
    Target,
}

/// What was done with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnAction {
    /// Became features.
    Encoded,
    /// Left out.
    Dropped,
    /// Is predicted.
    Predicted,
}

/// What was done to one column, for the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnReport {
    /// The column.
    pub column: String,
    /// What was found in it.
    pub kind: ColumnKind,
    /// What was done with it.
    pub action: ColumnAction,
    /// How, in a few words.
    pub detail: String,
}

/// How a column becomes features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub(crate) enum Encoding {
    /// One standardised number.
    Number { fill: f64, mean: f64, scale: f64 },
    /// One number of a picture, by the mean and deviation of all of them.
    Point { mean: f64, scale: f64 },
    /// One standardised 0 or 1.
    Truth { fill: f64, mean: f64, scale: f64 },
    /// Standardised days, then month and weekday as points on a circle.
    Date {
        form: DateForm,
        fill: f64,
        mean: f64,
        scale: f64,
    },
    /// One feature a category, and one for every other value where some were left out.
    OneHot {
        categories: Vec<String>,
        other: bool,
    },
}

impl Encoding {
    /// Whether a training cell has no value under this encoding.
    pub(crate) fn lacks_value(&self, cell: &str) -> bool {
        match self {
            Encoding::Number { .. } | Encoding::Point { .. } => number(cell).is_none(),
            Encoding::Truth { .. } | Encoding::Date { .. } | Encoding::OneHot { .. } => {
                is_missing(cell)
            }
        }
    }
}

/// Judges a column.
pub(crate) fn infer(name: &str, cells: &[&str]) -> (Option<Encoding>, ColumnReport) {
    let present: Vec<&str> = cells
        .iter()
        .map(|cell| cell.trim())
        .filter(|cell| !is_missing(cell))
        .collect();
    let missing = cells.len() - present.len();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in &present {
        *counts.entry(cell).or_default() += 1;
    }

    let (kind, encoding, detail) = judge(name, &present, &counts, missing);
    let lacking = encoding.as_ref().map_or(0, |encoding| {
        cells
            .iter()
            .filter(|cell| encoding.lacks_value(cell))
            .count()
    });
    let detail = match (lacking, &encoding) {
        (0, _) | (_, None) => detail,
        (n, Some(Encoding::OneHot { .. })) => {
            format!("{detail}; {n} missing, marked in a column of their own")
        }
        (n, Some(_)) => format!("{detail}; {n} missing, filled with the median and marked"),
    };
    let action = match encoding {
        Some(_) => ColumnAction::Encoded,
        None => ColumnAction::Dropped,
    };
    let report = ColumnReport {
        column: name.into(),
        kind,
        action,
        detail,
    };
    (encoding, report)
}

fn judge(
    name: &str,
    present: &[&str],
    counts: &BTreeMap<&str, usize>,
    missing: usize,
) -> (ColumnKind, Option<Encoding>, String) {
    if present.is_empty() {
        return (
            ColumnKind::Empty,
            None,
            "no value in any training row".into(),
        );
    }
    if let (1, 0, Some(only)) = (counts.len(), missing, counts.keys().next()) {
        let detail = format!("always `{}`", shortened(only));
        return (ColumnKind::Constant, None, detail);
    }
    if let Some(dates) = dates(present) {
        return dates;
    }
    if let Some(numbers) = numbers(name, present, counts, missing) {
        return numbers;
    }
    if let Some(words) = truths(present, counts) {
        return words;
    }
    categories(present, counts)
}

fn dates(present: &[&str]) -> Option<(ColumnKind, Option<Encoding>, String)> {
    let read = |form: DateForm| -> Option<Vec<f64>> {
        present
            .iter()
            .map(|cell| Some(form.read(cell)?.days()))
            .collect()
    };
    let (form, days) = DateForm::ALL
        .into_iter()
        .find_map(|form| Some((form, read(form)?)))?;
    let Standard { fill, mean, scale } = Standard::of(days);
    let detail = format!("dates ({}) as days, month and weekday", form.pattern());
    let encoding = Encoding::Date {
        form,
        fill,
        mean,
        scale,
    };
    Some((ColumnKind::Date, Some(encoding), detail))
}

fn numbers(
    name: &str,
    present: &[&str],
    counts: &BTreeMap<&str, usize>,
    missing: usize,
) -> Option<(ColumnKind, Option<Encoding>, String)> {
    let values: Vec<f64> = present.iter().filter_map(|cell| number(cell)).collect();
    let stray = present.len() - values.len();
    if !mostly_numbers(values.len(), present.len()) {
        return None;
    }
    let unique = counts.len() == present.len() && present.len() >= FEWEST_FOR_IDENTIFIER;
    let whole = values.iter().all(|value| value.fract() == 0.0);
    if unique && whole && missing == 0 && stray == 0 && is_named_like_an_identifier(name) {
        let detail = "a different whole number in every row, and named like an identifier";
        return Some((ColumnKind::Identifier, None, detail.into()));
    }
    let binary = stray == 0 && values.iter().all(|&value| value == 0.0 || value == 1.0);
    let kind = if binary {
        ColumnKind::Boolean
    } else {
        ColumnKind::Numeric
    };
    let example = present.iter().find(|cell| number(cell).is_none());
    let detail = match example {
        None => "standardised".into(),
        Some(example) => {
            let example = shortened(example);
            let cells = match stray {
                1 => format!("1 cell that is not a number, `{example}`, reads"),
                n => format!("{n} cells that are not numbers, such as `{example}`, read"),
            };
            format!("standardised; {cells} as missing")
        }
    };
    let Standard { fill, mean, scale } = Standard::of(values);
    Some((kind, Some(Encoding::Number { fill, mean, scale }), detail))
}

fn truths(
    present: &[&str],
    counts: &BTreeMap<&str, usize>,
) -> Option<(ColumnKind, Option<Encoding>, String)> {
    let values: Option<Vec<f64>> = present
        .iter()
        .map(|cell| truth(cell).map(|yes| f64::from(u8::from(yes))))
        .collect();
    let Standard { fill, mean, scale } = Standard::of(values?);
    let words: Vec<String> = counts.keys().map(|word| format!("`{word}`")).collect();
    let detail = format!("{} as 0 or 1, standardised", words.join(", "));
    Some((
        ColumnKind::Boolean,
        Some(Encoding::Truth { fill, mean, scale }),
        detail,
    ))
}

fn categories(
    present: &[&str],
    counts: &BTreeMap<&str, usize>,
) -> (ColumnKind, Option<Encoding>, String) {
    let distinct = counts.len();
    if distinct == present.len() && distinct >= FEWEST_FOR_IDENTIFIER {
        return (
            ColumnKind::Identifier,
            None,
            "a different text in every row".into(),
        );
    }
    // The most frequent first; the map's order settles ties, so the choice is reproducible.
    let mut ranked: Vec<(&str, usize)> =
        counts.iter().map(|(&text, &count)| (text, count)).collect();
    ranked.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let kept = &ranked[..distinct.min(MAX_CATEGORIES)];
    let covered: usize = kept.iter().map(|(_, count)| count).sum();
    if covered * 2 < present.len() {
        let detail = format!("{distinct} different texts, too many to be categories");
        return (ColumnKind::Text, None, detail);
    }
    let other = distinct > MAX_CATEGORIES;
    let detail = if other {
        format!(
            "one-hot: the {MAX_CATEGORIES} most frequent of {distinct} categories, the others together"
        )
    } else {
        format!("one-hot: {distinct} categories")
    };
    let mut categories: Vec<String> = kept.iter().map(|(text, _)| (*text).to_owned()).collect();
    categories.sort_unstable();
    (
        ColumnKind::Categorical,
        Some(Encoding::OneHot { categories, other }),
        detail,
    )
}

/// The numbers that standardise a column.
struct Standard {
    fill: f64,
    mean: f64,
    scale: f64,
}

impl Standard {
    /// Median, mean and population standard deviation; the values must not be empty. A deviation
    /// of nothing scales by 1.
    fn of(mut values: Vec<f64>) -> Standard {
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        let fill = if values.len() % 2 == 1 {
            values[middle]
        } else {
            (values[middle - 1] + values[middle]) / 2.0
        };
        let (mean, scale) = mean_and_scale(&values);
        Standard { fill, mean, scale }
    }
}

/// Mean and population standard deviation, the latter 1 where there is no spread.
pub(crate) fn mean_and_scale(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let spread = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    let scale = spread.sqrt();
    // Rounding leaves a trace of spread in equal values; dividing by it would blow them up.
    let has_spread = scale > 1e-12 * mean.abs() && scale > 1e-100;
    (mean, if has_spread { scale } else { 1.0 })
}

/// Whether a header suggests that its numbers only name rows.
fn is_named_like_an_identifier(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "id", "ids", "index", "idx", "key", "uuid", "guid", "row", "rownum", "nr", "no", "unnamed",
    ];
    let lower = name.to_lowercase();
    let camel = name.ends_with("Id") || name.ends_with("ID");
    camel
        || lower.starts_with("column_")
        || lower
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| WORDS.contains(&word))
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ColumnKind, Encoding, infer};

    fn kind_of(name: &str, cells: &[&str]) -> (ColumnKind, bool) {
        let (encoding, report) = infer(name, cells);
        (report.kind, encoding.is_some())
    }

    fn counted(prefix: &str, count: usize) -> Vec<String> {
        (0..count).map(|i| format!("{prefix}{i}")).collect()
    }

    #[test]
    fn columns_are_judged_by_their_cells() {
        let table: [(&str, &[&str], ColumnKind, bool); 11] = [
            ("x", &["1", "2.5", "-3e2", ""], ColumnKind::Numeric, true),
            ("x", &["0", "1", "1", "0"], ColumnKind::Boolean, true),
            ("x", &["yes", "No", "NO"], ColumnKind::Boolean, true),
            ("x", &["red", "blue", "red"], ColumnKind::Categorical, true),
            ("x", &["red", "red", "?"], ColumnKind::Categorical, true),
            ("x", &["5", "5", "5"], ColumnKind::Constant, false),
            ("x", &["NA", "", "-"], ColumnKind::Empty, false),
            ("x", &["2024-01-31", "2023-12-01"], ColumnKind::Date, true),
            ("x", &["31/12/2024", "01/02/2024"], ColumnKind::Date, true),
            ("x", &["31.12.2024", "1.2.2024"], ColumnKind::Date, true),
            ("x", &["1", "two", "three"], ColumnKind::Categorical, true),
        ];
        for (name, cells, kind, encoded) in table {
            assert_eq!(kind_of(name, cells), (kind, encoded), "{cells:?}");
        }
    }

    #[test]
    fn identifiers_need_a_name_when_they_are_numbers() {
        let numbers = counted("", 30);
        let cells: Vec<&str> = numbers.iter().map(String::as_str).collect();
        for name in ["id", "customer_id", "PassengerId", "Unnamed: 0", "row nr"] {
            assert_eq!(
                kind_of(name, &cells),
                (ColumnKind::Identifier, false),
                "{name}"
            );
        }
        for name in ["price", "idea", "width", "valid"] {
            assert_eq!(kind_of(name, &cells), (ColumnKind::Numeric, true), "{name}");
        }
        let texts = counted("user ", 30);
        let cells: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(kind_of("who", &cells), (ColumnKind::Identifier, false));
    }

    #[test]
    fn rare_categories_are_put_together_and_free_text_is_dropped() {
        let rare = counted("rare ", 60);
        let mut cells: Vec<&str> = rare.iter().map(String::as_str).collect();
        assert_eq!(
            kind_of("x", &[&cells[..], &cells[..]].concat()).0,
            ColumnKind::Categorical
        );
        cells.extend(["often"; 100]);
        let (encoding, report) = infer("x", &cells);
        let Some(Encoding::OneHot { categories, other }) = encoding else {
            panic!("{report:?}")
        };
        assert!(other && categories.len() == 50 && categories.contains(&"often".to_owned()));

        let many = counted("text ", 300);
        let cells: Vec<&str> = many.iter().chain(&many[..10]).map(String::as_str).collect();
        assert_eq!(kind_of("x", &cells), (ColumnKind::Text, false));
    }

    #[test]
    fn a_few_stray_words_do_not_make_numbers_a_category() {
        let numbers = counted("", 99);
        let mut cells: Vec<&str> = numbers.iter().map(String::as_str).collect();
        cells.push("unknown");
        let (encoding, report) = infer("x", &cells);
        assert!(matches!(encoding, Some(Encoding::Number { fill, .. }) if fill == 49.0));
        assert_eq!(
            report.detail,
            "standardised; 1 cell that is not a number, `unknown`, reads as missing; \
             1 missing, filled with the median and marked"
        );
    }

    #[test]
    fn mostly_numbers_are_numbers_and_mostly_text_is_not() {
        let numbers = counted("0.", 100);
        let table: [(usize, &[&str], ColumnKind); 5] = [
            (10, &["inf", "-inf", "1e400"], ColumnKind::Numeric),
            (10, &["error", "offline"], ColumnKind::Numeric),
            (35, &["error", "offline"], ColumnKind::Numeric),
            (36, &["error", "offline"], ColumnKind::Categorical),
            (90, &["red", "blue"], ColumnKind::Categorical),
        ];
        for (stray, texts, kind) in table {
            let cells: Vec<&str> = (0..100)
                .map(|row| {
                    if row < stray {
                        texts[row % texts.len()]
                    } else {
                        numbers[row].as_str()
                    }
                })
                .collect();
            let (encoding, report) = infer("x", &cells);
            assert_eq!(
                (report.kind, encoding.is_some()),
                (kind, true),
                "{stray} {texts:?}"
            );
            let told = format!(
                "standardised; {stray} cells that are not numbers, such as `{}`, read as missing",
                texts[0]
            );
            assert_eq!(
                report.detail.starts_with(&told),
                kind == ColumnKind::Numeric,
                "{}",
                report.detail
            );
        }
    }
}
