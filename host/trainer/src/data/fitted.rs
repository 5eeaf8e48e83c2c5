//! What earlier data were fitted to, for data that are to become the same features.

use super::column::{ColumnAction, ColumnReport, infer};
use super::error::DataError;
use super::preprocess::Preprocessor;
use super::table::Table;
use super::target::{Task, TaskKind, Values};
use super::text::TextLevel;
use super::{DataOptions, Vocabulary};
use serde::{Deserialize, Serialize};

/// How the data of a base were read. Data that are prepared like them become the same features: by
/// the base's columns, found by name, with its categories, means and deviations, or by its vocabulary;
/// and what they predict is numbered and scaled as the base's where it is the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    pub(crate) target: String,
    pub(crate) task: Task,
    pub(crate) preprocessor: Preprocessor,
    pub(crate) report: Vec<ColumnReport>,
}

impl Fitted {
    /// What kind of target one of this name is, if it is the base's own.
    pub(super) fn kind_of(&self, target: &str) -> Option<TaskKind> {
        (self.target == target).then(|| self.task.kind())
    }

    /// The base's task, if a target of this name and with these values is the same: the same classes
    /// in the same order, or a number of the same name.
    pub(super) fn task_of(&self, target: &str, values: &Values) -> Option<&Task> {
        let is_same = match (&self.task, values) {
            (Task::Classification { classes }, Values::Classes { labels, .. }) => classes == labels,
            (Task::Regression { .. }, Values::Numbers(_)) => self.target == target,
            _ => false,
        };
        is_same.then_some(&self.task)
    }

    /// What becomes of a target, for the user.
    pub(super) fn told(&self, target: &str, is_same: bool) -> String {
        match is_same {
            true => format!("`{target}` is what the base predicts, whose output layer is kept"),
            false => format!(
                "`{target}` is not what the base predicts, which is `{}`; an adapter of it learns an \
                 output layer of its own",
                self.target
            ),
        }
    }

    /// A report on these columns of a table, which are all that may be read, by these rows.
    ///
    /// # Errors
    /// The base is one of text, or a column of its own is missing or may not be read.
    pub(super) fn columns(
        &self,
        table: &Table,
        columns: &[usize],
        rows: &[usize],
    ) -> Result<Vec<ColumnReport>, DataError> {
        if let Task::Text { .. } = self.task {
            return Err(self.another(table.name(), "a table"));
        }
        for name in self.preprocessor.columns() {
            let unlike = |fault: String, remedy: &str| DataError::UnlikeBase {
                file: table.name().into(),
                fault,
                remedy: remedy.into(),
            };
            let place = table.find(name).ok_or_else(|| {
                let fault = format!("there is no column `{name}`, which it reads");
                unlike(
                    fault,
                    "add the column, empty if unknown, or use another base",
                )
            })?;
            if !columns.contains(&place) {
                let fault = format!(
                    "it reads column `{name}`, which is predicted, splits the rows or is ignored here"
                );
                return Err(unlike(fault, "use a base that was trained without it"));
            }
        }
        let of_column = |&column: &usize| {
            let name = &table.headers()[column];
            let reports = self.report.iter();
            let own = reports.filter(|report| report.action != ColumnAction::Predicted);
            let mut own = own.filter(|report| report.column == *name);
            own.next().cloned().unwrap_or_else(|| {
                let cells: Vec<&str> = rows.iter().map(|&row| table.cell(row, column)).collect();
                let (action, detail) = match self.preprocessor.is_point(name) {
                    true => (ColumnAction::Encoded, "a point of a picture"),
                    false => (ColumnAction::Dropped, "the base does not read it"),
                };
                ColumnReport {
                    action,
                    detail: detail.into(),
                    ..infer(name, &cells).1
                }
            })
        };
        Ok(columns.iter().map(of_column).collect())
    }

    /// Its vocabulary and context, where it is of a text.
    ///
    /// # Errors
    /// It is of something else.
    pub(super) fn text(&self, file: &str) -> Result<(&Vocabulary, usize), DataError> {
        match &self.task {
            Task::Text {
                vocabulary,
                context,
            } => Ok((vocabulary, *context)),
            _ => Err(self.another(file, "a text")),
        }
    }

    /// That data like its own are no such ones.
    pub(super) fn another(&self, file: &str, this: &str) -> DataError {
        let what = match (&self.task, self.preprocessor.points()) {
            (Task::Text { .. }, _) => "text",
            (_, Some(_)) => "pictures",
            (_, None) => "columns of a table",
        };
        DataError::UnlikeBase {
            file: file.into(),
            fault: format!("it reads {what}, and this is {this}"),
            remedy: "use a base that was trained on data of this kind".into(),
        }
    }

    /// Whether options leave alone what the base has decided.
    ///
    /// # Errors
    /// The first that does not.
    pub(super) fn check(&self, file: &str, options: &DataOptions) -> Result<(), DataError> {
        let given = [
            ("image", options.image.is_some()),
            ("size", options.size.is_some()),
            ("context", options.context.is_some()),
            ("level", options.level != TextLevel::default()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((option, _)) => Err(DataError::UnlikeBase {
                file: file.into(),
                fault: format!("`{option}` is given, but the base has its own"),
                remedy: format!("leave `{option}` out"),
            }),
        }
    }
}
