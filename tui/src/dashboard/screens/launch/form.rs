//! The form: which field is filled in, and what keys do to it. What is typed goes into the study
//! file at once; what is no value yet stays here until it is one.

use super::complete::Completion;
use super::document::Document;
use super::fields::{self, Facts, Item, Kind, Row, SCHEDULERS, START};
use super::typed;
use crate::dashboard::field::Field;
use attune_protocol::DataEntry;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;
use std::collections::{BTreeMap, BTreeSet};
use toml_edit::Value;

/// The form.
#[derive(Debug)]
pub(super) struct Form {
    /// The row that is filled in, by its name.
    pub(super) chosen: String,
    pub(super) field: Field,
    /// What was typed for a key and is no value, and why.
    pub(super) bad: BTreeMap<String, (String, String)>,
    /// Schedulers whose parameters are shown.
    pub(super) open: BTreeSet<String>,
    /// What was said of the parameters of schedulers that are not chosen any more.
    pub(super) shelf: BTreeMap<String, Vec<(String, Value)>>,
    /// What to begin with: a study, or nothing.
    pub(super) start: String,
    pub(super) completion: Completion,
    /// The first line in sight, and whether it goes where the chosen row is.
    pub(super) top: usize,
    pub(super) follows: bool,
    /// Where things were drawn last.
    pub(super) hits: Vec<(Rect, Hit)>,
}

/// Something on the form that can be clicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hit {
    /// A row, by its name.
    Row(String),
    /// A value for the chosen row.
    Offer(String),
}

/// What came of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Nothing,
    /// The study file is another one now: this key of it.
    Edited(String),
    /// The form is to begin with this study; with nothing where it is empty.
    Begin(String),
}

/// What keys need to know beside the study file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) facts: Facts<'a>,
    /// What the folder holds that the data file's path leads to.
    pub(super) entries: &'a [DataEntry],
    /// The folder that paths in the study file begin at.
    pub(super) folder: &'a str,
    /// The ids of all studies.
    pub(super) studies: &'a [String],
}

/// Rows that one key moves over.
const PAGE: isize = 8;

impl Default for Form {
    fn default() -> Self {
        Form {
            chosen: "data.path".to_owned(),
            field: Field::default(),
            bad: BTreeMap::new(),
            open: BTreeSet::new(),
            shelf: BTreeMap::new(),
            start: String::new(),
            completion: Completion::default(),
            top: 0,
            follows: true,
            hits: Vec::new(),
        }
    }
}

impl Form {
    /// The study file is another one.
    pub(super) fn renew(&mut self, document: &Document, facts: Facts<'_>) {
        self.bad.clear();
        self.shelf.clear();
        self.completion = Completion::default();
        self.load(document, facts);
    }

    /// The row that is filled in.
    pub(super) fn row(&self, document: &Document, facts: Facts<'_>) -> Option<Row> {
        let rows = fields::rows(document, facts, &self.open);
        let mut chosen = rows.into_iter();
        chosen.find(|row| row.id().as_ref() == Some(&self.chosen))
    }

    /// Fills in another row.
    pub(super) fn choose(&mut self, id: &str, document: &Document, facts: Facts<'_>) {
        self.completion = Completion::default();
        if let (true, Some(scheduler)) = (id.starts_with("space."), fields::scheduler_of(id)) {
            self.open.insert(scheduler.to_owned());
        }
        self.chosen = match id {
            SCHEDULERS => {
                let first = facts.schedulers.first();
                first.map_or_else(|| START.to_owned(), |s| format!("scheduler:{}", s.name))
            }
            id => id.to_owned(),
        };
        self.follows = true;
        self.load(document, facts);
    }

    /// Shows what the study file says where the chosen row is filled in.
    pub(super) fn load(&mut self, document: &Document, facts: Facts<'_>) {
        let shown = match self.row(document, facts) {
            Some(Row::Field(item)) => self.shown(document, &item),
            Some(_) => String::new(),
            None => {
                // The row went away: to the scheduler that it belonged to, or to the first.
                let scheduler = fields::scheduler_of(&self.chosen);
                let name = scheduler.map(|name| format!("scheduler:{name}"));
                let rows = fields::rows(document, facts, &self.open);
                let is_there = |id: &String| rows.iter().any(|row| row.id().as_ref() == Some(id));
                self.chosen = name.filter(is_there).unwrap_or_else(|| START.to_owned());
                String::new()
            }
        };
        if self.field.text() != shown {
            self.field = Field::new(shown);
        }
    }

    /// What a field holds, as it is typed.
    pub(super) fn shown(&self, document: &Document, item: &Item) -> String {
        if let Some((typed, _)) = self.bad.get(&item.path) {
            return typed.clone();
        }
        match (document.get(&item.path), &item.kind) {
            (None, _) => String::new(),
            (Some(value), Kind::Path | Kind::Column(_) | Kind::Text | Kind::Turn(_)) => value
                .as_str()
                .map_or_else(|| typed::shown(value), str::to_owned),
            (Some(value), _) => typed::shown(value),
        }
    }

    /// Takes a key.
    pub(super) fn key(
        &mut self,
        event: &KeyEvent,
        document: &mut Document,
        around: Around<'_>,
    ) -> Outcome {
        let Some(row) = self.row(document, around.facts) else {
            self.load(document, around.facts);
            return Outcome::Nothing;
        };
        if let Row::Field(item) = &row
            && item.kind == Kind::Path
            && let Some(outcome) = self.complete(event, item, document, around)
        {
            return outcome;
        }
        match event.code {
            KeyCode::Tab | KeyCode::Down => self.step(1, document, around.facts),
            KeyCode::BackTab | KeyCode::Up => self.step(-1, document, around.facts),
            KeyCode::PageDown => self.step(PAGE, document, around.facts),
            KeyCode::PageUp => self.step(-PAGE, document, around.facts),
            _ => {
                return match row {
                    Row::Heading(_) => Outcome::Nothing,
                    Row::Start => self.start(event, around),
                    Row::Scheduler { name, is_on, .. } => {
                        self.scheduler(event, &name, is_on, document, around.facts)
                    }
                    Row::Field(item) => self.fill(event, &item, document, around.facts),
                };
            }
        }
        Outcome::Nothing
    }

    pub(super) fn step(&mut self, step: isize, document: &Document, facts: Facts<'_>) {
        let rows = fields::rows(document, facts, &self.open);
        let ids: Vec<String> = rows.iter().filter_map(Row::id).collect();
        let at = ids.iter().position(|id| *id == self.chosen);
        let count = ids.len() as isize;
        let next = at.map_or(0, |at| at as isize + step);
        // One step goes around the end, a page does not.
        let next = match step.abs() {
            1 => next.rem_euclid(count.max(1)),
            _ => next.clamp(0, (count - 1).max(0)),
        };
        if let Some(id) = ids.get(next as usize) {
            self.choose(id, document, facts);
        }
    }

    fn start(&mut self, event: &KeyEvent, around: Around<'_>) -> Outcome {
        match event.code {
            KeyCode::Right | KeyCode::Char(' ') => self.turn_start(1, around.studies),
            KeyCode::Left => self.turn_start(-1, around.studies),
            KeyCode::Enter => return Outcome::Begin(self.start.clone()),
            _ => {}
        }
        Outcome::Nothing
    }

    fn turn_start(&mut self, step: isize, studies: &[String]) {
        let at = studies.iter().position(|study| *study == self.start);
        let count = studies.len() as isize + 1;
        let next = (at.map_or(0, |at| at as isize + 1) + step).rem_euclid(count);
        self.start = match next {
            0 => String::new(),
            next => studies[next as usize - 1].clone(),
        };
    }
}
