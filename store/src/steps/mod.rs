//! Step histories: what happened at every single training step of a trial, in columns.
//!
//! [`Steps`] is the table as callers see it. [`packing`] makes one column small, [`chunk`] a few
//! thousand rows of all columns one record, and [`history`] decides which records an append
//! rewrites and how a range is read back. [`summary`] is what a chunk looks like from afar, and
//! [`curve`] reads a column from any distance.

pub(crate) mod chunk;
pub(crate) mod curve;
pub(crate) mod history;
pub(crate) mod packing;
pub(crate) mod summary;

use std::ops::Range;

/// The most rows one record holds.
pub const CHUNK_ROWS: usize = 4096;
/// The most columns a batch may have beside its step numbers.
pub const MAX_COLUMNS: usize = 256;
/// The longest column name, in bytes.
pub const MAX_COLUMN_NAME: usize = 200;

/// A table of steps: step numbers, strictly increasing, and columns as long as they are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Steps {
    /// The step numbers.
    pub steps: Vec<u64>,
    /// The signals: loss, one rate a group, whatever else was recorded.
    pub columns: Vec<Column>,
}

/// One signal over the steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, unique in the table.
    pub name: String,
    /// A value for every step.
    pub values: Values,
}

/// A column's values, kept bit for bit in the width they came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

impl Steps {
    /// A table of these steps, without columns yet.
    pub fn new(steps: Vec<u64>) -> Self {
        Self {
            steps,
            columns: Vec::new(),
        }
    }

    /// The table with one more column in single precision.
    #[must_use]
    pub fn with_f32(self, name: &str, values: Vec<f32>) -> Self {
        self.with(name, Values::F32(values))
    }

    /// The table with one more column in double precision.
    #[must_use]
    pub fn with_f64(self, name: &str, values: Vec<f64>) -> Self {
        self.with(name, Values::F64(values))
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Values> {
        self.columns
            .iter()
            .find(|column| column.name == name)
            .map(|column| &column.values)
    }

    fn with(mut self, name: &str, values: Values) -> Self {
        self.columns.push(Column {
            name: name.to_owned(),
            values,
        });
        self
    }

    /// What is wrong with this table as something to append, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        if let Some(pair) = self.steps.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Some(format!(
                "step {} follows step {}; give steps in increasing order",
                pair[1], pair[0]
            ));
        }
        if self.columns.len() > MAX_COLUMNS {
            return Some(format!(
                "{} columns are more than the {MAX_COLUMNS} allowed; record fewer signals",
                self.columns.len()
            ));
        }
        for (at, column) in self.columns.iter().enumerate() {
            let name = &column.name;
            if name.is_empty() || name.len() > MAX_COLUMN_NAME {
                return Some(format!(
                    "`{name}` cannot name a column; use 1 to {MAX_COLUMN_NAME} bytes"
                ));
            }
            if self.columns[..at].iter().any(|other| other.name == *name) {
                return Some(format!(
                    "two columns are called `{name}`; give each its own name"
                ));
            }
            if column.values.len() != self.steps.len() {
                return Some(format!(
                    "column `{name}` has {} values for {} steps; give one for each",
                    column.values.len(),
                    self.steps.len()
                ));
            }
        }
        None
    }

    /// Whether both have the same columns, in name, width and order.
    pub(crate) fn same_columns(&self, other: &Self) -> bool {
        self.columns.len() == other.columns.len()
            && self.columns.iter().zip(&other.columns).all(|(a, b)| {
                a.name == b.name
                    && matches!(
                        (&a.values, &b.values),
                        (Values::F32(_), Values::F32(_)) | (Values::F64(_), Values::F64(_))
                    )
            })
    }

    pub(crate) fn slice(&self, rows: Range<usize>) -> Self {
        Self {
            steps: self.steps[rows.clone()].to_vec(),
            columns: self
                .columns
                .iter()
                .map(|column| Column {
                    name: column.name.clone(),
                    values: column.values.slice(rows.clone()),
                })
                .collect(),
        }
    }

    /// Appends `later`. Columns only one of the two has are filled with NaN, and a column that comes
    /// in both widths becomes double.
    pub(crate) fn extend(&mut self, later: Self) {
        let before = self.len();
        if before == 0 {
            *self = later;
            return;
        }
        self.steps.extend_from_slice(&later.steps);
        for column in later.columns {
            match self
                .columns
                .iter_mut()
                .find(|mine| mine.name == column.name)
            {
                Some(mine) => mine.values.extend(column.values),
                None => {
                    let mut values = column.values.of_nan(before);
                    values.extend(column.values);
                    self.columns.push(Column {
                        name: column.name,
                        values,
                    });
                }
            }
        }
        let rows = self.len();
        for column in &mut self.columns {
            let missing = rows - column.values.len();
            let filler = column.values.of_nan(missing);
            column.values.extend(filler);
        }
    }
}

impl Values {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One value, widened where need be.
    pub fn get(&self, row: usize) -> Option<f64> {
        match self {
            Self::F32(values) => values.get(row).copied().map(f64::from),
            Self::F64(values) => values.get(row).copied(),
        }
    }

    fn slice(&self, rows: Range<usize>) -> Self {
        match self {
            Self::F32(values) => Self::F32(values[rows].to_vec()),
            Self::F64(values) => Self::F64(values[rows].to_vec()),
        }
    }

    /// A column of this width with nothing but NaN.
    fn of_nan(&self, rows: usize) -> Self {
        match self {
            Self::F32(_) => Self::F32(vec![f32::NAN; rows]),
            Self::F64(_) => Self::F64(vec![f64::NAN; rows]),
        }
    }

    fn extend(&mut self, later: Self) {
        match (&mut *self, later) {
            (Self::F32(mine), Self::F32(later)) => mine.extend(later),
            (Self::F64(mine), Self::F64(later)) => mine.extend(later),
            (Self::F64(mine), Self::F32(later)) => mine.extend(later.into_iter().map(f64::from)),
            (Self::F32(mine), Self::F64(later)) => {
                let wide = mine.iter().copied().map(f64::from).chain(later).collect();
                *self = Self::F64(wide);
            }
        }
    }
}
