//! What the columns of a table hold, before anybody has said which one is the target.

use super::cell::is_missing;
use super::column::{ColumnKind, infer};
use super::table::Table;
use std::collections::BTreeSet;

/// Rows by which a column's kind is judged; more of them, evenly spread, say nothing else.
const JUDGED_BY: usize = 20_000;
/// The most different values that are counted.
const MOST_DISTINCT: usize = 1_000;
/// How many values are shown, and how many characters of each.
const EXAMPLES: usize = 5;
const EXAMPLE_CHARS: usize = 40;

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnLook {
    /// Its header.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Cells without a value.
    pub missing: usize,
    /// Different values, counted up to 1,000.
    pub distinct: usize,
    /// A few of its values, in the order in which they first come, cut to 40 characters.
    pub examples: Vec<String>,
}

impl Table {
    /// What each column holds.
    pub fn look(&self) -> Vec<ColumnLook> {
        let columns = self.headers().iter().enumerate();
        columns
            .map(|(at, name)| self.column_look(at, name))
            .collect()
    }

    fn column_look(&self, at: usize, name: &str) -> ColumnLook {
        let (mut missing, mut examples) = (0, Vec::new());
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for row in 0..self.rows() {
            let cell = self.cell(row, at).trim();
            if is_missing(cell) {
                missing += 1;
            } else if seen.len() < MOST_DISTINCT && seen.insert(cell) && examples.len() < EXAMPLES {
                examples.push(cell.chars().take(EXAMPLE_CHARS).collect());
            }
        }
        let every = self.rows().div_ceil(JUDGED_BY).max(1);
        let some: Vec<&str> = (0..self.rows())
            .step_by(every)
            .map(|row| self.cell(row, at))
            .collect();
        let (_, report) = infer(name, &some);
        ColumnLook {
            name: name.into(),
            kind: report.kind,
            missing,
            distinct: seen.len(),
            examples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_by_what_they_hold() {
        let mut csv = String::from("id,size,colour,since,country,note,yes\n");
        for row in 0..2_000 {
            let size = if row % 4 == 0 {
                "NA".into()
            } else {
                row.to_string()
            };
            let colour = ["red", "green", "blue"][row % 3];
            let day = row % 28 + 1;
            csv += &format!("k{row},{size},{colour},2024-01-{day:02},DE,said {row} times,y\n");
        }
        let table = Table::parse("t.csv", csv.as_bytes()).unwrap();
        let look = table.look();
        let told: Vec<_> = look
            .iter()
            .map(|c| (c.name.as_str(), c.kind, c.missing, c.distinct))
            .collect();
        assert_eq!(
            told,
            [
                ("id", ColumnKind::Identifier, 0, 1_000),
                ("size", ColumnKind::Numeric, 500, 1_000),
                ("colour", ColumnKind::Categorical, 0, 3),
                ("since", ColumnKind::Date, 0, 28),
                ("country", ColumnKind::Constant, 0, 1),
                ("note", ColumnKind::Identifier, 0, 1_000),
                ("yes", ColumnKind::Constant, 0, 1),
            ]
        );
        assert_eq!(look[1].examples, ["1", "2", "3", "5", "6"]);
        assert_eq!(look[2].examples, ["red", "green", "blue"]);
        let long = format!("a\n{}\n", "ß".repeat(100));
        let table = Table::parse("t.csv", long.as_bytes()).unwrap();
        assert_eq!(table.look()[0].examples, ["ß".repeat(40)]);
    }
}
