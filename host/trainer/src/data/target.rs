//! What a model predicts: classes or a number.

use super::cell::{is_missing, mostly_numbers, number};
use super::column::{ColumnAction, ColumnKind, ColumnReport};
use super::error::DataError;
use super::shape::Shape;
use super::table::Table;
use super::text::Vocabulary;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Up to this many different whole numbers are classes rather than quantities.
const MAX_NUMERIC_CLASSES: usize = 20;
/// The most classes, of tables and of pictures.
pub(super) const MAX_CLASSES: usize = 1000;

/// Whether classes or numbers are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// One of several classes.
    Classification,
    /// A number.
    Regression,
    /// The next token of a text.
    Text,
}

/// What is predicted, with all that turns a model's outputs into answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Task {
    /// One of these classes: numbers ascending, text in alphabetical order.
    Classification {
        /// The labels, as they are written in the data.
        classes: Vec<String>,
    },
    /// A number. Models learn it standardised by the training rows; metrics and predictions are in
    /// its own units.
    Regression {
        /// The training rows' mean.
        mean: f64,
        /// The training rows' standard deviation, above 0.
        scale: f64,
    },
    /// The next token of a text, at every place of a window.
    Text {
        /// The tokens.
        vocabulary: Vocabulary,
        /// How many are seen at once.
        context: usize,
    },
}

impl Task {
    /// Which of them.
    pub fn kind(&self) -> TaskKind {
        match self {
            Task::Classification { .. } => TaskKind::Classification,
            Task::Regression { .. } => TaskKind::Regression,
            Task::Text { .. } => TaskKind::Text,
        }
    }

    /// How many outputs a model for it has at each place.
    pub fn outputs(&self) -> usize {
        match self {
            Task::Classification { classes } => classes.len(),
            Task::Regression { .. } => 1,
            Task::Text { vocabulary, .. } => vocabulary.size(),
        }
    }

    /// What the numbers of a row are, where a table's rows become such.
    pub(crate) fn shape(&self, of_table: Shape) -> Shape {
        match self {
            Task::Classification { .. } | Task::Regression { .. } => of_table,
            Task::Text {
                vocabulary,
                context,
            } => Shape::Text {
                context: *context,
                vocabulary: vocabulary.size(),
            },
        }
    }
}

/// The target column, read.
pub(crate) struct Target {
    /// The rows of the table that have a target, ascending; the values are in this order.
    pub(crate) rows: Vec<usize>,
    pub(crate) values: Values,
    pub(crate) report: ColumnReport,
}

/// What the target's cells say.
pub(crate) enum Values {
    Classes { labels: Vec<String>, ids: Vec<u32> },
    Numbers(Vec<f64>),
}

impl Target {
    /// Reads the target. Where no kind is given, text and up to 20 different whole numbers (each
    /// three times on average) are classes, and other numbers are quantities. Quantities with a few
    /// other cells among them are refused: read as text, every number would be a class. Rows without
    /// a target are left out, and counted in the report.
    pub(crate) fn read(
        table: &Table,
        column: usize,
        kind: Option<TaskKind>,
    ) -> Result<Self, DataError> {
        let name = &table.headers()[column];
        let rows: Vec<usize> = (0..table.rows())
            .filter(|&row| !is_missing(table.cell(row, column)))
            .collect();
        if rows.is_empty() {
            return Err(DataError::EmptyTarget {
                file: table.name().into(),
                target: name.clone(),
            });
        }
        let cells: Vec<&str> = rows
            .iter()
            .map(|&row| table.cell(row, column).trim())
            .collect();
        let numbers: Option<Vec<f64>> = cells.iter().map(|cell| number(cell)).collect();
        let kind = kind.unwrap_or_else(|| match &numbers {
            Some(numbers) => detect(numbers),
            None if are_spoiled_quantities(&cells) => TaskKind::Regression,
            None => TaskKind::Classification,
        });
        let (values, mut detail) = match (kind, numbers) {
            (TaskKind::Classification, numbers) => {
                classes(table, name, &cells, numbers.as_deref())?
            }
            (TaskKind::Regression, Some(numbers)) => {
                let constant = numbers.iter().all(|&value| value == numbers[0]);
                if constant {
                    return Err(constant_target(table, name, cells[0]));
                }
                (
                    Values::Numbers(numbers),
                    "a number, so regression".to_owned(),
                )
            }
            (TaskKind::Regression, None) => return Err(not_numeric(table, name, &rows, &cells)),
            (TaskKind::Text, _) => {
                return Err(DataError::NoText {
                    file: table.name().into(),
                });
            }
        };
        let left_out = table.rows() - rows.len();
        if left_out > 0 {
            detail.push_str(&format!("; {left_out} rows without it left out"));
        }
        let report = ColumnReport {
            column: name.clone(),
            kind: ColumnKind::Target,
            action: ColumnAction::Predicted,
            detail,
        };
        Ok(Target {
            rows,
            values,
            report,
        })
    }

    /// The table's rows of each class; one stratum for a number. Places index `rows`.
    pub(crate) fn strata(&self) -> Vec<Vec<usize>> {
        match &self.values {
            Values::Classes { labels, ids } => {
                let mut strata = vec![Vec::new(); labels.len()];
                for (place, &id) in ids.iter().enumerate() {
                    strata[id as usize].push(place);
                }
                strata
            }
            Values::Numbers(numbers) => vec![(0..numbers.len()).collect()],
        }
    }
}

fn detect(numbers: &[f64]) -> TaskKind {
    let mut distinct = BTreeSet::new();
    for value in numbers {
        distinct.insert(value.to_bits());
        if value.fract() != 0.0 || distinct.len() > MAX_NUMERIC_CLASSES {
            return TaskKind::Regression;
        }
    }
    if distinct.len() * 3 <= numbers.len() {
        TaskKind::Classification
    } else {
        TaskKind::Regression
    }
}

/// Whether most of the cells are numbers, and of so many different values that they cannot be
/// classes.
fn are_spoiled_quantities(cells: &[&str]) -> bool {
    let numbers: Vec<f64> = cells.iter().filter_map(|cell| number(cell)).collect();
    let distinct: BTreeSet<u64> = numbers.iter().map(|value| value.to_bits()).collect();
    mostly_numbers(numbers.len(), cells.len())
        && (distinct.len() > MAX_NUMERIC_CLASSES || distinct.len() * 2 > numbers.len())
}

fn classes(
    table: &Table,
    name: &str,
    cells: &[&str],
    numbers: Option<&[f64]>,
) -> Result<(Values, String), DataError> {
    let (labels, ids) = labelled(cells, numbers);
    let too_many = |remedy| DataError::TooManyClasses {
        file: table.name().into(),
        target: name.into(),
        classes: labels.len(),
        rows: cells.len(),
        remedy,
    };
    if labels.len() == 1 {
        return Err(constant_target(table, name, &labels[0]));
    }
    if labels.len() > MAX_CLASSES || (labels.len() > 20 && labels.len() * 2 > cells.len()) {
        return Err(too_many(match numbers {
            Some(_) => "use regression",
            None => "choose another target",
        }));
    }
    let mut counts = vec![0_usize; labels.len()];
    for &id in &ids {
        counts[id as usize] += 1;
    }
    let mut detail = format!("{} classes", labels.len());
    let single: Vec<&str> = (0..labels.len())
        .filter(|&class| counts[class] == 1)
        .map(|class| labels[class].as_str())
        .collect();
    if !single.is_empty() {
        let some = single
            .iter()
            .take(5)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        detail.push_str(&format!(
            "; {} with a single row, used for training only ({some}{})",
            single.len(),
            if single.len() > 5 { ", …" } else { "" }
        ));
    }
    Ok((Values::Classes { labels, ids }, detail))
}

/// The different cells, and which of them each is: by value where all are numbers, and in that order.
pub(crate) fn labelled(cells: &[&str], numbers: Option<&[f64]>) -> (Vec<String>, Vec<u32>) {
    match numbers {
        Some(numbers) => numeric_classes(cells, numbers),
        None => text_classes(cells),
    }
}

/// Equal numbers are one class however they are written; its label is its first spelling.
fn numeric_classes(cells: &[&str], numbers: &[f64]) -> (Vec<String>, Vec<u32>) {
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let mut labels: Vec<String> = Vec::new();
    let mut ids = vec![0; cells.len()];
    let mut last = None;
    for place in order {
        if last != Some(numbers[place]) {
            labels.push(cells[place].to_owned());
            last = Some(numbers[place]);
        }
        ids[place] = labels.len() as u32 - 1;
    }
    (labels, ids)
}

fn text_classes(cells: &[&str]) -> (Vec<String>, Vec<u32>) {
    let mut known: BTreeMap<&str, u32> = cells.iter().map(|&cell| (cell, 0)).collect();
    for (id, slot) in known.values_mut().enumerate() {
        *slot = id as u32;
    }
    let ids = cells.iter().map(|cell| known[cell]).collect();
    (known.into_keys().map(str::to_owned).collect(), ids)
}

fn constant_target(table: &Table, name: &str, value: &str) -> DataError {
    DataError::ConstantTarget {
        file: table.name().into(),
        target: name.into(),
        value: value.into(),
    }
}

/// The first cell that is not a number of reasonable size.
fn not_numeric(table: &Table, name: &str, rows: &[usize], cells: &[&str]) -> DataError {
    let place = cells
        .iter()
        .position(|cell| number(cell).is_none())
        .unwrap_or(0);
    DataError::TargetNotNumeric {
        file: table.name().into(),
        line: table.line(rows[place]),
        target: name.into(),
        cell: cells[place].into(),
        fault: match cells[place].parse::<f64>() {
            Ok(_) => "not a finite number of reasonable size",
            Err(_) => "not a number",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, TaskKind, Values};
    use crate::data::table::Table;

    fn read(cells: &[&str], kind: Option<TaskKind>) -> Result<Target, String> {
        let text = format!(
            "x,y\n{}",
            cells
                .iter()
                .map(|cell| format!("1,{cell}\n"))
                .collect::<String>()
        );
        let table = Table::parse("data.csv", text.as_bytes()).unwrap();
        Target::read(&table, 1, kind).map_err(|error| error.to_string())
    }

    fn classes(cells: &[&str]) -> Option<Vec<String>> {
        match read(cells, None).unwrap().values {
            Values::Classes { labels, .. } => Some(labels),
            Values::Numbers(_) => None,
        }
    }

    #[test]
    fn the_task_is_recognised() {
        assert_eq!(classes(&["b", "a", "b"]).unwrap(), ["a", "b"]);
        assert_eq!(
            classes(&["10", "9", "10", "9", "9.0", "10"]).unwrap(),
            ["9", "10"]
        );
        assert_eq!(classes(&["yes", "no", "yes"]).unwrap(), ["no", "yes"]);
        assert_eq!(classes(&["1", "2", "3", "4"]), None);
        assert_eq!(classes(&["0.5", "1", "0.5", "1", "0.5", "1"]), None);
    }

    #[test]
    fn quantities_with_a_few_other_cells_are_refused_by_the_first_of_these() {
        let numbers: Vec<String> = (0..40).map(|i| format!("{i}.25")).collect();
        for (stray, fault) in [
            ("oops", "not a number"),
            ("$3.20", "not a number"),
            ("inf", "not a finite number of reasonable size"),
            ("1e300", "not a finite number of reasonable size"),
        ] {
            for rows in [8, 40] {
                let mut cells: Vec<&str> = numbers[..rows].iter().map(String::as_str).collect();
                cells[3] = stray;
                cells[5] = "later";
                assert_eq!(
                    read(&cells, None).err().unwrap(),
                    format!(
                        "data.csv:5: target `y` is `{stray}`, which is {fault}; \
                         mend the cell or use classification"
                    )
                );
            }
        }
        let grades: Vec<&str> = ["1", "2", "3", "none"].repeat(9);
        assert_eq!(classes(&grades).unwrap(), ["1", "2", "3", "none"]);
    }

    #[test]
    fn rows_without_a_target_are_left_out_and_counted() {
        let target = read(&["a", "", "b", "NA", "a"], None).unwrap();
        assert_eq!(target.rows, [0, 2, 4]);
        assert!(target.report.detail.contains("2 rows without it left out"));
        assert!(
            target
                .report
                .detail
                .contains("1 with a single row, used for training only (b)")
        );
    }

    #[test]
    fn bad_targets_are_refused_with_place_and_remedy() {
        let table: [(&[&str], Option<TaskKind>, &str); 4] = [
            (&["", "?"], None, "target `y` is empty in every row"),
            (&["a", "a"], None, "target `y` is `a` in every row"),
            (
                &["1.5", "1.5"],
                Some(TaskKind::Regression),
                "target `y` is `1.5` in every row",
            ),
            (
                &["1", "x"],
                Some(TaskKind::Regression),
                "data.csv:3: target `y` is `x`",
            ),
        ];
        for (cells, kind, part) in table {
            let message = read(cells, kind).err().unwrap();
            assert!(message.contains(part), "{message}");
        }
        let names: Vec<String> = (0..50).map(|i| format!("name {i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(
            read(&names, None)
                .err()
                .unwrap()
                .contains("50 different values in 50 rows")
        );
    }
}
