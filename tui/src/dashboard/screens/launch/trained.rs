//! What a study file trains: rows, a text, a function or factors; and the fields that say so.

use super::document::Document;
use super::fields::{Facts, Kind, Row, item, target};
use super::plain::{self, Plain};
use attune_protocol::DataColumn;

/// It.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trained {
    /// A table or pictures, with a target.
    Rows,
    Text,
    Function,
    Factorisation,
}

const CLASSES: [&str; 7] = [
    "accuracy",
    "balanced_accuracy",
    "f1",
    "auc",
    "calibration_error",
    "error",
    "loss",
];
const NUMBERS: [&str; 4] = ["rmse", "mae", "r2", "loss"];
const TOKENS: [&str; 4] = ["loss", "perplexity", "accuracy", "error"];
const DISTANCES: [&str; 2] = ["loss", "distance"];
const ERRORS: [&str; 2] = ["loss", "relative_error"];

static TEXT: [Plain; 2] = [
    (
        "data.context",
        "context",
        Kind::Whole,
        "64",
        "How many tokens the model sees at once.",
    ),
    (
        "data.level",
        "tokens",
        Kind::Turn(&["char", "byte"]),
        "char",
        "What a token is: a character, or a byte.",
    ),
];

static FUNCTION: [Plain; 5] = [
    (
        "function.shape",
        "function",
        Kind::Turn(&["quadratic", "rosenbrock"]),
        "quadratic",
        "A bowl, or a bent valley.",
    ),
    (
        "function.dimensions",
        "dimensions",
        Kind::Whole,
        "20",
        "How many numbers are trained.",
    ),
    (
        "function.condition",
        "condition",
        Kind::Number,
        "100",
        "Of a quadratic: its largest curvature over its smallest.",
    ),
    (
        "function.noise",
        "noise",
        Kind::Number,
        "0",
        "The deviation of the noise that one row adds to each number of the gradient.",
    ),
    (
        "function.rows",
        "rows",
        Kind::Whole,
        "1024",
        "How many draws of noise make an epoch.",
    ),
];

static MADE_UP: [Plain; 4] = [
    (
        "factorisation.rows",
        "rows",
        Kind::Whole,
        "128",
        "The rows of a matrix that is made up, where no file is named.",
    ),
    (
        "factorisation.columns",
        "columns",
        Kind::Whole,
        "64",
        "Its columns.",
    ),
    (
        "factorisation.planted",
        "planted",
        Kind::Whole,
        "8",
        "The rank of what it is made from.",
    ),
    (
        "factorisation.noise",
        "noise",
        Kind::Number,
        "0.01",
        "The deviation of the noise on each of its numbers.",
    ),
];

static OF_A_FILE: [Plain; 1] = [(
    "factorisation.ignore",
    "leave out",
    Kind::Setting(&[]),
    "nothing",
    "Columns that are not part of the matrix.",
)];

impl Trained {
    pub(super) fn of(document: &Document) -> Self {
        if document.has_table("function") {
            return Trained::Function;
        }
        if document.has_table("factorisation") {
            return Trained::Factorisation;
        }
        match document.word("data.task") {
            Some("text") => Trained::Text,
            _ => Trained::Rows,
        }
    }

    /// Whether it has a network, with settings of its own.
    pub(super) fn is_network(self) -> bool {
        matches!(self, Trained::Rows | Trained::Text)
    }

    /// The key of the file that it is read from.
    pub(super) fn path(self) -> &'static str {
        match self {
            Trained::Factorisation => "factorisation.path",
            Trained::Rows | Trained::Text | Trained::Function => "data.path",
        }
    }

    /// The first key without which there is nothing to be checked, and what to do about it.
    pub(super) fn lacks(self, document: &Document) -> Option<(&'static str, &'static str)> {
        let needed: &[(&str, &str)] = match self {
            Trained::Rows => &[
                ("data.path", "choose a data file and its target"),
                ("data.target", "choose the target among the columns"),
            ],
            Trained::Text => &[("data.path", "choose a text file")],
            Trained::Function | Trained::Factorisation => &[],
        };
        let mut needed = needed.iter().copied();
        needed.find(|(key, _)| document.word(key).is_none())
    }

    /// Its fields, with that of the metric.
    pub(super) fn fields(self, rows: &mut Vec<Row>, document: &Document, facts: Facts<'_>) {
        rows.push(Row::Heading(match self {
            Trained::Rows | Trained::Text => "Data",
            Trained::Function => "Function",
            Trained::Factorisation => "Factorisation",
        }));
        let plain = |rows: &mut Vec<Row>, fields: &[Plain]| {
            rows.extend(fields.iter().map(plain::row));
        };
        match self {
            Trained::Rows => {
                rows.push(data_file());
                rows.push(target_column(facts));
                rows.push(task(document, facts));
            }
            Trained::Text => {
                rows.push(data_file());
                rows.push(task(document, facts));
                plain(rows, &TEXT);
            }
            Trained::Function => plain(rows, &FUNCTION),
            Trained::Factorisation => {
                rows.push(item(
                    self.path(),
                    "data file",
                    Kind::Path,
                    "none: a matrix is made up",
                    "A table of numbers of at least 0. Tab completes.",
                ));
                match document.word(self.path()) {
                    Some(_) => plain(rows, &OF_A_FILE),
                    None => plain(rows, &MADE_UP),
                }
            }
        }
        let metrics = self.metrics(document, facts);
        let usual = facts.checked.map(|checked| checked.metric.as_str());
        let usual = usual.filter(|metric| metrics.contains(metric));
        rows.push(item(
            "objective.metric",
            "metric",
            Kind::Turn(metrics),
            usual.unwrap_or(metrics[0]),
            "What trials are compared by, on rows that no trial trains on.",
        ));
    }

    /// The metrics that fit, the usual one first.
    fn metrics(self, document: &Document, facts: Facts<'_>) -> &'static [&'static str] {
        match self {
            Trained::Text => &TOKENS,
            Trained::Function => &DISTANCES,
            Trained::Factorisation => &ERRORS,
            Trained::Rows => of_rows(document, facts),
        }
    }
}

fn data_file() -> Row {
    item(
        "data.path",
        "data file",
        Kind::Path,
        "",
        "A table: CSV, or with tabs or semicolons; or a text, where that is the task. Tab completes; a \
         path that does not begin with / begins at the study file's folder.",
    )
}

fn target_column(facts: Facts<'_>) -> Row {
    let columns = facts.table.map_or_else(Vec::new, |table| {
        let names = table.columns.iter().map(|column| column.name.clone());
        names.collect()
    });
    item(
        "data.target",
        "target",
        Kind::Column(columns),
        "none yet",
        "The column to predict.",
    )
}

fn task(document: &Document, facts: Facts<'_>) -> Row {
    let is_words = |column: &DataColumn| column.kind == "categories";
    let tasks: &'static [&'static str] = match target(document, facts.table).is_some_and(is_words) {
        true => &["auto", "classification", "text"],
        false => &["auto", "classification", "regression", "text"],
    };
    item(
        "data.task",
        "task",
        Kind::Turn(tasks),
        "auto",
        "Classes or numbers, where auto looks at the target column; or what follows in a text.",
    )
}

fn of_rows(document: &Document, facts: Facts<'_>) -> &'static [&'static str] {
    let told = facts.checked.map(|checked| checked.metric.as_str());
    let is_numbers = match (
        document.word("data.task"),
        told,
        target(document, facts.table),
    ) {
        (Some("regression"), ..) => true,
        (Some("classification"), ..) => false,
        (_, Some("rmse" | "mae" | "r2"), _) => true,
        (_, Some(metric), _) if CLASSES.contains(&metric) => false,
        (.., Some(column)) => column.kind == "numbers" && column.distinct > 20,
        (.., None) => false,
    };
    if is_numbers { &NUMBERS } else { &CLASSES }
}
