//! The column whose values are the groups that metrics compare.

use super::cell::{is_missing, number};
use super::error::DataError;
use super::split::Split;
use super::table::Table;
use super::target::labelled;
use serde::{Deserialize, Serialize};

/// The most groups: of many small ones the most extreme says little about the model.
const MAX_GROUPS: usize = 20;

/// The groups that metrics compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protected {
    /// The column that they are read from.
    pub column: String,
    /// Its different values, numbers ascending, text in alphabetical order.
    pub groups: Vec<String>,
}

/// They, and to which of them each row belongs.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) protected: Protected,
    /// Of each row that has a target, in their order, its place among the groups.
    of: Vec<u32>,
}

impl Groups {
    /// Reads the column; what it says must fit each row into one of a few groups.
    pub(crate) fn read(
        table: &Table,
        column: &str,
        target: &str,
        rows: &[usize],
    ) -> Result<Groups, DataError> {
        if column == target {
            return Err(DataError::RulesClash {
                first: "protected",
                second: "target",
                why: "they name one column",
            });
        }
        let place = table.column(column)?;
        let mut cells = Vec::with_capacity(rows.len());
        for &row in rows {
            let cell = table.cell(row, place).trim();
            if is_missing(cell) {
                return Err(DataError::NoGroup {
                    file: table.name().into(),
                    line: table.line(row),
                    column: column.into(),
                    cell: cell.into(),
                });
            }
            cells.push(cell);
        }
        let numbers: Option<Vec<f64>> = cells.iter().map(|cell| number(cell)).collect();
        let (groups, of) = labelled(&cells, numbers.as_deref());
        if !(2..=MAX_GROUPS).contains(&groups.len()) {
            return Err(DataError::UncomparableGroups {
                file: table.name().into(),
                column: column.into(),
                groups: groups.len(),
                most: MAX_GROUPS,
            });
        }
        let column = column.into();
        let protected = Protected { column, groups };
        Ok(Groups { protected, of })
    }

    /// Whether all groups are in each part that metrics are measured on.
    pub(crate) fn check(&self, split: &Split, file: &str) -> Result<(), DataError> {
        let Protected { column, groups } = &self.protected;
        for (part, rows) in [("validation", &split.valid), ("test", &split.test)] {
            let counts = self.counts(&self.of_part(rows));
            let absent = counts.iter().position(|&rows| rows == 0);
            if let Some(absent) = absent.filter(|_| !rows.is_empty()) {
                return Err(DataError::AbsentGroup {
                    file: file.into(),
                    column: column.clone(),
                    group: groups[absent].clone(),
                    part,
                });
            }
        }
        Ok(())
    }

    /// The groups of the rows of a part.
    pub(crate) fn of_part(&self, places: &[usize]) -> Vec<u32> {
        places.iter().map(|&place| self.of[place]).collect()
    }

    /// How many of these rows are in each group.
    fn counts(&self, of: &[u32]) -> Vec<u64> {
        let mut counts = vec![0; self.protected.groups.len()];
        of.iter().for_each(|&group| counts[group as usize] += 1);
        counts
    }

    /// What the user should know.
    pub(crate) fn note(&self) -> String {
        let Protected { column, groups } = &self.protected;
        let told = groups.iter().zip(self.counts(&self.of));
        let told: Vec<String> = told
            .map(|(name, rows)| format!("{name} ({rows} rows)"))
            .collect();
        format!(
            "metrics compare the groups of `{column}`: {}",
            told.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataOptions, Dataset, Fold, Part};
    use std::fmt::Write;

    /// Who is in group 9 has 1 in `in_9`; those in group 10 have 0.
    fn table(rows: usize) -> Table {
        let mut text = String::from("x,group,in_9,team,rare,one,who,day,y\n");
        for row in 0..rows {
            let group = ["9", "10", "9.0"][row * 7 % 3];
            let in_9 = u8::from(group != "10");
            let (team, rare) = (row % 4, if row == 5 { "rare" } else { "usual" });
            let gap = if row == 3 { "" } else { "there" };
            let y = ["no", "yes"][row / 2 % 2];
            writeln!(
                text,
                "{}.5,{group},{in_9},{team},{rare},1,{gap},{row},{y}",
                row * row % 17
            )
            .unwrap();
        }
        Table::parse("people.csv", text.as_bytes()).unwrap()
    }

    fn protected(column: &str) -> DataOptions {
        DataOptions {
            protected: Some(column.into()),
            ..DataOptions::of_target("y")
        }
    }

    #[test]
    fn rows_keep_their_group_however_they_are_split() {
        let ways: [fn(&mut DataOptions); 4] = [
            |_| {},
            |options| options.fold = Some(Fold { index: 2, of: 4 }),
            |options| options.group = Some("team".into()),
            |options| options.time = Some("day".into()),
        ];
        for change in ways {
            let mut options = protected("group");
            options.ignore = ["group", "x", "team", "rare", "one", "who", "day"]
                .map(String::from)
                .into();
            change(&mut options);
            for seed in 0..5 {
                options.seed = seed;
                let data = Dataset::prepare(&table(120), &options).unwrap();
                assert_eq!(data.protected().unwrap().groups, ["9", "10"]);
                for part in [Part::Train, Part::Valid, Part::Test] {
                    let samples = data.part(part);
                    let groups = samples.groups.as_ref().unwrap();
                    assert_eq!(groups.len(), samples.rows());
                    for (row, &group) in groups.iter().enumerate() {
                        let is_in_9 = samples.features.row(row)[0] > 0.0;
                        assert_eq!(group, u32::from(!is_in_9), "{part:?} {row}, seed {seed}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_column_is_learned_from_unless_it_is_left_out() {
        let mut options = protected("group");
        let both = Dataset::prepare(&table(60), &options).unwrap();
        options.ignore = vec!["group".into()];
        let without = Dataset::prepare(&table(60), &options).unwrap();
        let reads = |data: &Dataset| {
            data.preprocessor()
                .columns()
                .any(|column| column == "group")
        };
        assert!(reads(&both) && !reads(&without));
        assert_eq!(
            without.notes().last().unwrap(),
            "metrics compare the groups of `group`: 9 (40 rows), 10 (20 rows)"
        );
        // What is measured depends on the groups, so a checkpoint must tell them apart.
        options.protected = None;
        let unmeasured = Dataset::prepare(&table(60), &options).unwrap();
        assert_eq!(unmeasured.protected(), None);
        assert_ne!(unmeasured.fingerprint(), without.fingerprint());
    }

    #[test]
    fn groups_that_cannot_be_compared_are_refused_with_the_reason() {
        for (column, part) in [
            ("sex", "people.csv has no column `sex`"),
            (
                "y",
                "`protected` and `target` are both given, but they name one column",
            ),
            (
                "who",
                "people.csv:5: `who` is ``, but metrics compare the groups that it names",
            ),
            (
                "one",
                "the number of different values in `one` is 1, but metrics compare 2 to 20 groups",
            ),
            (
                "day",
                "the number of different values in `day` is 60, but metrics compare 2 to 20 groups",
            ),
            ("rare", "no row of the validation part has `rare` in `rare`"),
        ] {
            let error = Dataset::prepare(&table(60), &protected(column)).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
        let mut by_group = protected("group");
        by_group.group = Some("team".into());
        by_group.protected = Some("team".into());
        let error = Dataset::prepare(&table(60), &by_group).unwrap_err();
        assert!(matches!(error, DataError::AbsentGroup { .. }), "{error}");
    }
}
