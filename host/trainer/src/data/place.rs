//! The column that decides to which part a row goes.

use super::DataOptions;
use super::cell::{is_missing, number};
use super::column::{ColumnAction, ColumnReport, infer};
use super::date::DateForm;
use super::error::DataError;
use super::split::Rule;
use super::table::Table;
use super::target::labelled;
use std::collections::BTreeMap;

/// What the column says of each row that has a target, in their order.
#[derive(Debug)]
pub(crate) enum Places {
    /// There is no such column.
    Any,
    Groups {
        column: usize,
        of: Vec<usize>,
    },
    Times {
        column: usize,
        of: Vec<f64>,
    },
}

impl Places {
    pub(crate) fn read(
        table: &Table,
        options: &DataOptions,
        rows: &[usize],
    ) -> Result<Places, DataError> {
        match (&options.group, &options.time) {
            (None, None) => Ok(Places::Any),
            (Some(name), None) => {
                let column = other_column(table, name, &options.target, "group")?;
                let of = groups(table, column, rows)?;
                Ok(Places::Groups { column, of })
            }
            (None, Some(name)) => {
                let column = other_column(table, name, &options.target, "time")?;
                let of = times(table, column, rows)?;
                Ok(Places::Times { column, of })
            }
            (Some(_), Some(_)) => Err(DataError::RulesClash {
                first: "group",
                second: "time",
                why: "a group may reach over all times",
            }),
        }
    }

    /// The column, which is not learned from: rows of other parts have other values in it.
    pub(crate) fn column(&self) -> Option<usize> {
        match self {
            Places::Any => None,
            Places::Groups { column, .. } | Places::Times { column, .. } => Some(*column),
        }
    }

    pub(crate) fn rule<'r>(&'r self, table: &'r Table) -> Rule<'r> {
        match self {
            Places::Any => Rule::Rows,
            Places::Groups { column, of } => Rule::Groups {
                column: &table.headers()[*column],
                of,
            },
            Places::Times { column, of } => Rule::Times {
                column: &table.headers()[*column],
                of,
            },
        }
    }

    /// What was done with the column.
    pub(crate) fn report(&self, table: &Table, train: &[usize]) -> Option<ColumnReport> {
        let column = self.column()?;
        let detail = match self {
            Places::Times { .. } => "the rows are split by it: later ones validate and test",
            _ => "the rows are split by it: equal ones stay together",
        };
        let cells: Vec<&str> = train.iter().map(|&row| table.cell(row, column)).collect();
        let (_, report) = infer(&table.headers()[column], &cells);
        Some(ColumnReport {
            action: ColumnAction::Dropped,
            detail: detail.into(),
            ..report
        })
    }
}

fn other_column(
    table: &Table,
    name: &str,
    target: &str,
    key: &'static str,
) -> Result<usize, DataError> {
    if name == target {
        return Err(DataError::RulesClash {
            first: key,
            second: "target",
            why: "they name one column",
        });
    }
    table.column(name)
}

fn groups(table: &Table, column: usize, rows: &[usize]) -> Result<Vec<usize>, DataError> {
    let cell = |&row: &usize| match table.cell(row, column).trim() {
        cell if is_missing(cell) => Err(no_place(table, column, row, "the name of a group")),
        cell => Ok(cell),
    };
    let cells: Vec<&str> = rows.iter().map(cell).collect::<Result<_, _>>()?;
    let numbers: Option<Vec<f64>> = cells.iter().map(|cell| number(cell)).collect();
    let (_, of) = labelled(&cells, numbers.as_deref());
    // Numbered as they come.
    let mut known: BTreeMap<u32, usize> = BTreeMap::new();
    let mut group = |group: u32| {
        let next = known.len();
        *known.entry(group).or_insert(next)
    };
    Ok(of.into_iter().map(&mut group).collect())
}

fn times(table: &Table, column: usize, rows: &[usize]) -> Result<Vec<f64>, DataError> {
    let first = rows.first().map_or("", |&row| table.cell(row, column));
    let read = |row: usize, read: &dyn Fn(&str) -> Option<f64>, expected| {
        read(table.cell(row, column)).ok_or_else(|| no_place(table, column, row, expected))
    };
    if number(first).is_some() {
        let all = rows.iter().map(|&row| read(row, &number, "a number"));
        return all.collect();
    }
    let mut fault = None;
    for form in DateForm::ALL {
        let expected = match form {
            DateForm::YearMonthDay => "a date such as 2024-03-31",
            DateForm::DottedDayMonthYear => "a date such as 31.3.2024",
            DateForm::MonthDayYear => "a date such as 3/31/2024",
            DateForm::DayMonthYear => "a date such as 31/3/2024",
        };
        let days = |cell: &str| form.read(cell).map(|date| date.days());
        let all: Result<Vec<f64>, _> = rows.iter().map(|&row| read(row, &days, expected)).collect();
        match all {
            Ok(all) => return Ok(all),
            // The form that the first cell has is the one that is meant.
            Err(error) if days(first).is_some() => fault = Some(error),
            Err(_) => {}
        }
    }
    let row = rows.first().copied().unwrap_or(0);
    Err(fault.unwrap_or_else(|| no_place(table, column, row, "a number or a date")))
}

fn no_place(table: &Table, column: usize, row: usize, expected: &'static str) -> DataError {
    DataError::NoPlace {
        file: table.name().into(),
        line: table.line(row),
        column: table.headers()[column].clone(),
        cell: table.cell(row, column).trim().into(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::groups;
    use crate::data::table::Table;

    fn of(cells: &[&str]) -> Vec<usize> {
        let text = format!("g\n{}\n", cells.join("\n"));
        let table = Table::parse("data.csv", text.as_bytes()).unwrap();
        let rows: Vec<usize> = (0..table.rows()).collect();
        groups(&table, 0, &rows).unwrap()
    }

    #[test]
    fn equal_numbers_are_one_group_however_they_are_written() {
        assert_eq!(
            of(&["17", "0", "17.0", "-0", "1.7e1", "18"]),
            [0, 1, 0, 1, 0, 2]
        );
        assert_eq!(of(&["17", "a", "17.0", " a "]), [0, 1, 2, 1]);
    }
}
