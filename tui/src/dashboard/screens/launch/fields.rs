//! The fields of the form: which there are, what they mean, and what holds where nothing is said.
//!
//! Only the words are here. What is right is the daemon's to say, and a setting that it names and
//! that this table does not know gets a field all the same.

use super::document::Document;
use super::plain;
use super::trained::Trained;
use super::typed::Said;
use crate::dashboard::screens::plugins::describe::Scheduler;
use crate::dashboard::screens::plugins::param::Param;
use attune_protocol::{Checked, DataColumn, DataTable};
use std::collections::BTreeSet;

/// A line of the form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Row {
    Heading(&'static str),
    /// What the form begins with.
    Start,
    Field(Item),
    /// A scheduler that can be chosen.
    Scheduler {
        name: String,
        summary: String,
        is_on: bool,
        /// What is said of its parameters.
        note: String,
    },
}

/// A key of the study file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) path: String,
    pub(super) label: String,
    pub(super) kind: Kind,
    /// What holds where nothing is said.
    pub(super) unset: String,
    pub(super) doc: String,
}

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// The data file.
    Path,
    /// A column of the data.
    Column(Vec<String>),
    Text,
    Whole,
    Number,
    /// One of these words.
    Turn(&'static [&'static str]),
    Flag,
    /// A value, a list or a range; these words can be turned to.
    Setting(&'static [&'static str]),
    /// The same, of a scheduler.
    Param(Box<Param>),
}

/// What is known beside the study file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) schedulers: &'a [Scheduler],
    pub(super) table: Option<&'a DataTable>,
    pub(super) checked: Option<&'a Checked>,
}

/// The name of the row that chooses what to begin with.
pub(super) const START: &str = "start";

/// What the name of a scheduler's row begins with.
const SCHEDULER: &str = "scheduler:";

/// Where the schedulers stand.
pub(super) const SCHEDULERS: &str = "space.scheduler";

impl Row {
    /// What it is called, where it can be chosen.
    pub(super) fn id(&self) -> Option<String> {
        match self {
            Row::Heading(_) => None,
            Row::Start => Some(START.to_owned()),
            Row::Field(item) => Some(item.path.clone()),
            Row::Scheduler { name, .. } => Some(format!("{SCHEDULER}{name}")),
        }
    }
}

/// The scheduler that a row is about, or one of whose parameters it is.
pub(super) fn scheduler_of(id: &str) -> Option<&str> {
    match id.strip_prefix(SCHEDULER) {
        Some(name) => Some(name),
        None => id.strip_prefix("space.")?.split_once('.').map(|(s, _)| s),
    }
}

/// The rows of the form, from top to bottom; parameters of those schedulers that are open.
pub(super) fn rows(document: &Document, facts: Facts<'_>, open: &BTreeSet<String>) -> Vec<Row> {
    let mut rows = vec![Row::Start];
    let trained = Trained::of(document);
    trained.fields(&mut rows, document, facts);
    study(&mut rows, document, facts);
    schedulers(&mut rows, document, facts, open);
    let part = |rows: &mut Vec<Row>, title, fields: &[plain::Plain]| {
        rows.push(Row::Heading(title));
        rows.extend(fields.iter().map(plain::row));
    };
    part(&mut rows, "Length of a trial", &plain::LENGTH);
    settings(&mut rows, trained, document, facts);
    match trained {
        Trained::Rows => part(&mut rows, "Rows", &plain::ROWS),
        // Nothing else has columns.
        Trained::Text => part(&mut rows, "Rows", &plain::ROWS[..2]),
        Trained::Function | Trained::Factorisation => {}
    }
    part(&mut rows, "Search", &plain::SEARCH);
    part(&mut rows, "Steering", &plain::STEERING);
    rows
}

pub(super) fn item(path: &str, label: &str, kind: Kind, unset: &str, doc: &str) -> Row {
    Row::Field(Item {
        path: path.to_owned(),
        label: label.to_owned(),
        kind,
        unset: unset.to_owned(),
        doc: doc.to_owned(),
    })
}

fn study(rows: &mut Vec<Row>, document: &Document, facts: Facts<'_>) {
    let name = facts.checked.map_or("", |checked| checked.name.as_str());
    let trials = match document.get("budget") {
        Some(_) => "as many as there is time for",
        None => "32",
    };
    rows.push(Row::Heading("Study"));
    rows.push(item(
        "name",
        "name",
        Kind::Text,
        name,
        "What it is called, and its model's file with it.",
    ));
    rows.push(item(
        "trials",
        "trials",
        Kind::Whole,
        trials,
        "Trials at most; each trains with settings of its own.",
    ));
    rows.extend(plain::STUDY.iter().map(plain::row));
}

fn schedulers(rows: &mut Vec<Row>, document: &Document, facts: Facts<'_>, open: &BTreeSet<String>) {
    rows.push(Row::Heading("Schedulers"));
    let chosen = chosen(document, facts);
    let searches = document.get("search.scheduler_params");
    let searches = searches.and_then(toml_edit::Value::as_bool).unwrap_or(true);
    for scheduler in facts.schedulers {
        let is_on = chosen.contains(&scheduler.name);
        let table = format!("space.{}", scheduler.name);
        let set = document.keys(&table).len();
        let note = match (is_on, scheduler.params.len(), set) {
            (false, ..) => String::new(),
            (true, 0, _) => "no parameters".to_owned(),
            (true, 1, 0) => "1 parameter".to_owned(),
            (true, 1, _) => "1 parameter, set here".to_owned(),
            (true, count, 0) => format!("{count} parameters"),
            (true, count, set) => format!("{count} parameters, {set} set here"),
        };
        rows.push(Row::Scheduler {
            name: scheduler.name.clone(),
            summary: scheduler.summary.clone(),
            is_on,
            note,
        });
        if is_on && open.contains(&scheduler.name) {
            let params = scheduler.params.iter();
            rows.extend(params.map(|param| param_row(&table, param, searches)));
        }
    }
}

fn param_row(table: &str, param: &Param, searches: bool) -> Row {
    let default = param.default.to_string();
    let unset = match param.searched() {
        range if searches && !range.is_empty() => format!("searched: {range}"),
        _ => format!("{default}, its default"),
    };
    let doc = format!(
        "{} ({}; its default is {default}).",
        param.doc,
        param.takes()
    );
    Row::Field(Item {
        path: format!("{table}.{}", param.name),
        label: param.name.clone(),
        kind: Kind::Param(Box::new(param.clone())),
        unset,
        doc,
    })
}

fn settings(rows: &mut Vec<Row>, trained: Trained, document: &Document, facts: Facts<'_>) {
    rows.push(Row::Heading("Settings of the trials"));
    let parts = facts.checked.map_or(&[][..], |checked| &checked.space);
    let unset = |name: &str| {
        let part = parts.iter().find(|part| part.name == name);
        part.map_or("its default", |part| part.values.as_str())
    };
    // Most are a network's; of another task the daemon tells which it has.
    let has = |name: &str| trained.is_network() || parts.iter().any(|part| part.name == name);
    for (name, words, doc) in plain::SETTINGS.iter().filter(|(name, ..)| has(name)) {
        let path = format!("space.{name}");
        rows.push(item(&path, name, Kind::Setting(words), unset(name), doc));
    }
    let is_known = |name: &str| {
        name == "scheduler"
            || plain::SETTINGS.iter().any(|(known, ..)| *known == name)
            || facts.schedulers.iter().any(|known| known.name == name)
    };
    let told = parts.iter().filter(|part| part.scheduler.is_none());
    let told = told.map(|part| part.name.clone());
    let mut others: Vec<String> = told.chain(document.keys("space")).collect();
    others.retain(|name| !is_known(name) && !name.contains('.'));
    others.sort();
    others.dedup();
    for name in others {
        let path = format!("space.{name}");
        let is_table = document.get(&path).is_none() && !document.keys(&path).is_empty();
        if !is_table {
            rows.push(item(&path, &name, Kind::Setting(&[]), unset(&name), ""));
        }
    }
}

/// The schedulers that a study file chooses.
pub(super) fn chosen(document: &Document, facts: Facts<'_>) -> Vec<String> {
    match document.get(SCHEDULERS).and_then(Said::of) {
        Some(Said::Proposed) => {
            let all = facts.schedulers.iter();
            all.map(|scheduler| scheduler.name.clone()).collect()
        }
        Some(Said::Fixed(name)) => vec![name.to_string()],
        Some(Said::Among(names)) => names.iter().map(ToString::to_string).collect(),
        Some(Said::Between { .. }) => Vec::new(),
        // Nothing is said: the daemon tells which it would take.
        None => {
            let parts = facts.checked.map_or(&[][..], |checked| &checked.space);
            let part = parts.iter().find(|part| part.name == "scheduler");
            part.map_or_else(Vec::new, |part| {
                part.values.split(", ").map(str::to_owned).collect()
            })
        }
    }
}

/// The target column, where it is one of the table's.
pub(super) fn target<'a>(
    document: &Document,
    table: Option<&'a DataTable>,
) -> Option<&'a DataColumn> {
    let name = document.word("data.target")?;
    table?.columns.iter().find(|column| column.name == name)
}

/// The words that a field can be turned to.
pub(super) fn words(item: &Item) -> Vec<String> {
    match &item.kind {
        Kind::Turn(words) | Kind::Setting(words) => {
            words.iter().map(|&word| word.to_owned()).collect()
        }
        Kind::Column(words) => words.clone(),
        Kind::Flag => vec!["true".to_owned(), "false".to_owned()],
        Kind::Param(param) => param.choices(),
        Kind::Path | Kind::Text | Kind::Whole | Kind::Number => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::screens::plugins::param::{Kind as ParamKind, Search};
    use attune_protocol::Scalar;

    fn greedy() -> Scheduler {
        let patience = Param {
            name: "patience".to_owned(),
            kind: ParamKind::Int(0, i64::MAX),
            default: Scalar::Int(10),
            search: Some(Search::Log(1.0, 20.0)),
            doc: String::new(),
        };
        Scheduler {
            name: "greedy".to_owned(),
            summary: "Greedy.".to_owned(),
            reference: String::new(),
            params: vec![patience],
            reads: Vec::new(),
        }
    }

    #[test]
    fn a_chosen_scheduler_brings_its_parameters_and_an_unknown_setting_has_a_field() {
        let document = Document::new(
            "[space]\nscheduler = [\"greedy\"]\ngreedy.patience = 3\nfuture = 1\n[space.odd]\nx = 1\n",
        );
        let known = [greedy()];
        let facts = Facts {
            schedulers: &known,
            table: None,
            checked: None,
        };
        let ids = |open: &[&str]| -> Vec<String> {
            let open = open.iter().map(|&name| name.to_owned()).collect();
            let rows = rows(&document, facts, &open);
            rows.iter().filter_map(Row::id).collect()
        };
        let closed = ids(&[]);
        assert!(closed.contains(&"scheduler:greedy".to_owned()));
        assert!(!closed.contains(&"space.greedy.patience".to_owned()));
        assert!(ids(&["greedy"]).contains(&"space.greedy.patience".to_owned()));
        assert!(closed.contains(&"space.future".to_owned()));
        assert!(!closed.contains(&"space.odd".to_owned()));
        let mut once = closed.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), closed.len(), "no row is there twice");
        let rows = rows(&document, facts, &BTreeSet::new());
        let note = rows.iter().find_map(|row| match row {
            Row::Scheduler { note, is_on, .. } => Some((note.as_str(), *is_on)),
            _ => None,
        });
        assert_eq!(note, Some(("1 parameter, set here", true)));
    }
}
