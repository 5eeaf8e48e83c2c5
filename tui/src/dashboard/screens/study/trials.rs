//! The table of a study's trials: sorted, filtered, with the columns that were chosen.

use crate::dashboard::cx::Cx;
use crate::dashboard::data::rows::{Cell, Row, Rows};
use crate::dashboard::filter::{Filter, Thing, Value};
use crate::dashboard::grid::{Grid, Heading, Text};
use crate::dashboard::pen::{Pen, split_top};
use crate::number;
use crate::style::{Ink, Style};
use attune_protocol::{Direction, StudySummary, TrialState};
use ratatui::layout::Rect;
use std::cmp::Ordering;
use std::time::Duration;

/// Columns that every trial has, before those of its settings.
const BASE: [&str; 9] = [
    "trial",
    "state",
    "scheduler",
    "value",
    "epoch",
    "rate",
    "took",
    "heard",
    "rung",
];
const TRIAL: usize = 0;
const STATE: usize = 1;
const SCHEDULER: usize = 2;
const VALUE: usize = 3;
const EPOCH: usize = 4;
const RATE: usize = 5;
const TOOK: usize = 6;
const HEARD: usize = 7;
const RUNG: usize = 8;

/// Names that a filter may use beside the settings and metrics.
const NAMES: [&str; 13] = [
    "trial",
    "state",
    "scheduler",
    "value",
    "epoch",
    "rate",
    "seconds",
    "steps",
    "deaths",
    "rung",
    "tag",
    "reason",
    "number",
];

/// So many settings are shown where none were chosen, and so many trials looked at to see which of
/// them differ.
const SETTINGS: usize = 4;
const LOOK: usize = 200;

/// The table and what was chosen in it.
#[derive(Debug)]
pub(super) struct Trials {
    pub(super) grid: Grid,
    filter: Option<(String, Filter)>,
    /// The settings and metrics that were chosen as columns; nothing where they choose themselves.
    chosen_columns: Option<Vec<String>>,
    columns: Vec<String>,
    /// The rows that are shown, by their place in the table, in their order.
    shown: Vec<u32>,
    /// What `shown` was made from.
    made_from: Option<(u64, usize, bool)>,
    metric: String,
}

impl Default for Trials {
    fn default() -> Self {
        Trials {
            grid: Grid::sorted_by(VALUE),
            filter: None,
            chosen_columns: None,
            columns: Vec::new(),
            shown: Vec::new(),
            made_from: None,
            metric: String::new(),
        }
    }
}

impl Trials {
    /// The number of the trial that is chosen.
    pub(super) fn chosen(&self, rows: &Rows) -> Option<u32> {
        let index = *self.shown.get(self.grid.chosen)?;
        rows.row(index as usize).map(|row| row.number)
    }

    pub(super) fn filter_text(&self) -> &str {
        self.filter.as_ref().map_or("", |(text, _)| text)
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Everything that can be a column.
    pub(super) fn column_names(rows: &Rows) -> Vec<String> {
        let mut names: Vec<String> = rows
            .settings()
            .filter(|name| *name != "scheduler")
            .chain(rows.metrics())
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    }

    pub(super) fn set_columns(&mut self, columns: &[String], rows: &Rows) -> Result<(), String> {
        let names = Self::column_names(rows);
        if let Some(unknown) = columns.iter().find(|column| !names.contains(column)) {
            return Err(format!("there is no setting or metric called `{unknown}`"));
        }
        self.chosen_columns = (!columns.is_empty()).then(|| columns.to_vec());
        self.made_from = None;
        Ok(())
    }

    pub(super) fn set_filter(&mut self, text: &str, rows: &Rows) -> Result<(), String> {
        let names = Self::column_names(rows);
        let is_name = |name: &str| NAMES.contains(&name) || names.iter().any(|n| n == name);
        let filter = Filter::parse(text, is_name).map_err(|why| {
            format!(
                "{why}; there are {} and every setting and metric",
                NAMES.join(", ")
            )
        })?;
        self.filter = (!filter.is_empty()).then(|| (text.to_owned(), filter));
        self.made_from = None;
        Ok(())
    }

    pub(super) fn sort_by_next(&mut self) {
        self.grid.sort = (self.grid.sort + 1) % (BASE.len() + self.columns.len());
        self.grid.reverse = false;
    }

    /// Works out which rows are shown and in which order, where something changed. The chosen trial
    /// stays chosen, but for the best one, which is stayed at.
    pub(super) fn refresh(&mut self, rows: &Rows, metric: &str, direction: Direction) {
        let from = (rows.revision(), self.grid.sort, self.grid.reverse);
        if self.made_from == Some(from) {
            return;
        }
        let chosen = self.chosen(rows).filter(|_| self.grid.chosen > 0);
        self.made_from = Some(from);
        metric.clone_into(&mut self.metric);
        self.columns = match &self.chosen_columns {
            Some(columns) => columns.clone(),
            None => telling(rows),
        };
        let mut shown: Vec<u32> = (0..rows.len() as u32).collect();
        if let Some((_, filter)) = &self.filter {
            shown.retain(|&index| {
                rows.row(index as usize).is_some_and(|row| {
                    let index = index as usize;
                    filter.fits(&Trial { rows, row, index })
                })
            });
        }
        self.sort(&mut shown, rows, direction);
        self.shown = shown;
        if let Some(number) = chosen {
            let place = rows.index_of(number).map(|index| index as u32);
            let place = place.and_then(|index| self.shown.iter().position(|i| *i == index));
            self.grid.chosen = place.unwrap_or(self.grid.chosen);
        }
        self.grid.chosen = self.grid.chosen.min(self.shown.len().saturating_sub(1));
    }

    fn sort(&self, shown: &mut [u32], rows: &Rows, direction: Direction) {
        let row = |index: &u32| &rows.rows()[*index as usize];
        match self.grid.sort {
            TRIAL => {}
            VALUE => by_number(shown, |i| row(i).value, direction == Direction::Maximize),
            STATE => shown.sort_by_key(|i| order(row(i).state)),
            SCHEDULER => shown.sort_by(|a, b| rows.scheduler(row(a)).cmp(rows.scheduler(row(b)))),
            EPOCH => shown.sort_by_key(|i| std::cmp::Reverse(row(i).epochs)),
            RATE => by_number(shown, |i| row(i).rate, false),
            TOOK => by_number(shown, |i| row(i).seconds, true),
            HEARD => shown.sort_by_key(|i| {
                let row = row(i);
                std::cmp::Reverse(row.heard_ms.or(row.ended_unix_ms))
            }),
            RUNG => shown.sort_by_key(|i| std::cmp::Reverse(row(i).rungs.last().copied())),
            column => {
                let name = self.columns.get(column - BASE.len());
                let name = name.map_or("", String::as_str);
                if let Some(setting) = rows.setting(name) {
                    shown.sort_by(|a, b| by_setting(rows, *a as usize, *b as usize, setting));
                } else if let Some(metric) = rows.metric(name) {
                    by_number(shown, |i| rows.figure(*i as usize, metric), false);
                }
            }
        }
        if self.grid.reverse {
            shown.reverse();
        }
    }

    pub(super) fn draw(
        &mut self,
        pen: &mut Pen<'_>,
        area: Rect,
        rows: &Rows,
        study: &StudySummary,
        cx: &Cx<'_>,
    ) {
        let mut area = area;
        if let Some((text, _)) = &self.filter {
            let (line, rest) = split_top(area, 1);
            let told = format!("{} of {} trials fit: {text}", self.shown.len(), rows.len());
            pen.say(line, &told, Ink::Warning);
            area = rest;
        }
        if self.shown.is_empty() {
            let text = match (&self.filter, rows.complete) {
                (Some(_), _) => "no trial fits the filter: / changes it",
                (None, true) => "no trial has begun yet",
                (None, false) => "the trials are on their way",
            };
            pen.say(area, text, Ink::Dim);
            return;
        }
        let mut headings = vec![
            Heading::word("trial"),
            Heading::word("state"),
            Heading::word("scheduler").most(18),
            Heading::number(self.metric.clone()),
            Heading::number("epoch").rank(1),
            Heading::number("rate").rank(4),
            Heading::number("took").rank(3),
            Heading::number("heard").rank(5),
            Heading::number("rung").rank(6),
        ];
        for (place, column) in self.columns.iter().enumerate() {
            let rank = 7 + place as u8;
            let is_word = rows
                .setting(column)
                .is_some_and(|setting| matches!(rows.cell(0, setting), Cell::Word(_)));
            headings.push(match is_word {
                true => Heading::word(column.clone()).rank(rank).most(16),
                false => Heading::number(column.clone()).rank(rank).most(12),
            });
        }
        let settings: Vec<Option<usize>> = self
            .columns
            .iter()
            .map(|column| rows.setting(column))
            .collect();
        let metrics: Vec<Option<usize>> = self
            .columns
            .iter()
            .map(|column| rows.metric(column))
            .collect();
        let shown = &self.shown;
        let style = pen.style;
        self.grid.draw(pen, area, &headings, shown.len(), |place| {
            let index = shown[place] as usize;
            let Some(row) = rows.row(index) else {
                return (Vec::new(), false);
            };
            let mut cells = cells(rows, row, study, cx, style);
            for (setting, metric) in settings.iter().zip(&metrics) {
                let text = match (setting, metric) {
                    (Some(setting), _) => rows.cell_text(index, *setting),
                    (None, Some(metric)) => {
                        let value = rows.figure(index, *metric);
                        if value.is_nan() {
                            String::new()
                        } else {
                            number::metric(value)
                        }
                    }
                    (None, None) => String::new(),
                };
                cells.push((text.into(), Ink::Plain));
            }
            let trial = format!("{}.{}", study.id, row.number);
            (cells, cx.focus.is_marked(&trial))
        });
    }
}

fn cells(rows: &Rows, row: &Row, study: &StudySummary, cx: &Cx<'_>, style: Style) -> Vec<Text> {
    let symbols = style.symbols();
    let trial = format!("{}.{}", study.id, row.number);
    let is_best = study.best_trial.as_deref() == Some(trial.as_str());
    let value = match row.value.is_nan() {
        true => symbols.nothing.to_owned(),
        false => number::metric(row.value),
    };
    let rate = if row.rate.is_nan() {
        String::new()
    } else {
        number::rate(row.rate)
    };
    let took = Duration::try_from_secs_f64(row.seconds).unwrap_or_default();
    let heard = match (row.ended_unix_ms, row.heard_ms.or(row.started_unix_ms)) {
        (None, Some(at)) if row.state == TrialState::Running => {
            number::clock(Duration::from_millis(cx.now.saturating_sub(at)))
        }
        _ => String::new(),
    };
    let ink = state_ink(row.state);
    vec![
        (trial.into(), if is_best { Ink::Best } else { Ink::Strong }),
        (
            format!("{} {}", symbols.state(row.state), row.state).into(),
            ink,
        ),
        (rows.scheduler(row).to_owned().into(), Ink::Plain),
        (value.into(), if is_best { Ink::Best } else { Ink::Plain }),
        (
            format!("{}/{}", row.epochs, row.max_epochs).into(),
            Ink::Plain,
        ),
        (rate.into(), Ink::Plain),
        (number::duration(took).into(), Ink::Dim),
        (heard.into(), Ink::Dim),
        (
            row.rungs
                .last()
                .map_or_else(String::new, u32::to_string)
                .into(),
            Ink::Dim,
        ),
    ]
}

/// The ink of a trial's state; its name always stands there too.
pub(crate) fn state_ink(state: TrialState) -> Ink {
    match state {
        TrialState::Running => Ink::Accent,
        TrialState::Done => Ink::Plain,
        TrialState::Queued | TrialState::Paused | TrialState::Stopped => Ink::Dim,
        TrialState::Diverged | TrialState::Lost => Ink::Warning,
        TrialState::Failed => Ink::Bad,
    }
}

/// The settings that tell trials apart: those of all trials before those of one scheduler.
fn telling(rows: &Rows) -> Vec<String> {
    let count = rows.len().min(LOOK);
    let differs = |setting: usize| {
        let first = rows.cell(0, setting);
        (1..count).any(|index| rows.cell(index, setting) != first)
    };
    let mut names: Vec<(bool, &str)> = rows
        .settings()
        .enumerate()
        .filter(|(index, name)| *name != "scheduler" && differs(*index))
        .map(|(_, name)| (name.contains('.'), name))
        .collect();
    names.sort_by_key(|(is_own, name)| (*is_own, *name != "lr"));
    let names = names.into_iter().take(SETTINGS);
    names.map(|(_, name)| name.to_owned()).collect()
}

/// Sorts by a number, those without one last; those with the same one stay in their order.
fn by_number(shown: &mut [u32], value: impl Fn(&u32) -> f64, is_falling: bool) {
    // The numbers are laid side by side: each is looked at many times, and a trial is large.
    let mut keyed: Vec<(u64, u32, u32)> = shown
        .iter()
        .zip(0..)
        .map(|(index, place)| (rank(value(index), is_falling), place, *index))
        .collect();
    keyed.sort_unstable();
    for (index, (.., sorted)) in shown.iter_mut().zip(keyed) {
        *index = sorted;
    }
}

/// A whole number that sorts as a number does, with NaN last either way.
fn rank(value: f64, is_falling: bool) -> u64 {
    if value.is_nan() {
        return u64::MAX;
    }
    let bits = value.to_bits();
    let rising = match bits >> 63 {
        0 => bits | 1 << 63,
        _ => !bits,
    };
    if is_falling { !rising } else { rising }
}

fn by_setting(rows: &Rows, a: usize, b: usize, setting: usize) -> Ordering {
    let (a, b) = (rows.cell(a, setting), rows.cell(b, setting));
    match (a, b) {
        (Cell::Missing, Cell::Missing) => Ordering::Equal,
        (Cell::Missing, _) => Ordering::Greater,
        (_, Cell::Missing) => Ordering::Less,
        (Cell::Word(a), Cell::Word(b)) => rows.word(a).cmp(rows.word(b)),
        (a, b) => {
            let number = |cell: Cell| cell.number().unwrap_or(f64::INFINITY);
            number(a).total_cmp(&number(b))
        }
    }
}

fn order(state: TrialState) -> u8 {
    use TrialState::*;
    match state {
        Running => 0,
        Queued => 1,
        Paused => 2,
        Lost => 3,
        Done => 4,
        Stopped => 5,
        Diverged => 6,
        Failed => 7,
    }
}

/// A trial as a filter sees it.
struct Trial<'a> {
    rows: &'a Rows,
    row: &'a Row,
    index: usize,
}

impl Thing for Trial<'_> {
    fn value(&self, name: &str) -> Option<Value<'_>> {
        let row = self.row;
        Some(match name {
            "trial" | "number" => Value::Number(f64::from(row.number)),
            "state" => Value::Text(state_name(row.state)),
            "scheduler" => Value::Text(self.rows.scheduler(row)),
            "value" if row.value.is_nan() => return None,
            "value" => Value::Number(row.value),
            "epoch" => Value::Number(f64::from(row.epochs)),
            "rate" => Value::Number(row.rate),
            "seconds" => Value::Number(row.seconds),
            "steps" => Value::Number(row.steps as f64),
            "deaths" => Value::Number(f64::from(row.deaths)),
            "rung" => Value::Number(f64::from(*row.rungs.last()?)),
            "tag" => Value::Words(&row.tags),
            "reason" => Value::Text(row.reason.as_deref()?),
            name => {
                if let Some(setting) = self.rows.setting(name) {
                    match self.rows.cell(self.index, setting) {
                        Cell::Missing => return None,
                        Cell::Word(word) => Value::Text(self.rows.word(word)),
                        Cell::Bool(true) => Value::Text("true"),
                        Cell::Bool(false) => Value::Text("false"),
                        cell => Value::Number(cell.number()?),
                    }
                } else {
                    let metric = self.rows.metric(name)?;
                    Value::Number(self.rows.figure(self.index, metric))
                }
            }
        })
    }

    fn holds(&self, word: &str) -> bool {
        let row = self.row;
        state_name(row.state).contains(word)
            || self.rows.scheduler(row).contains(word)
            || row
                .reason
                .as_deref()
                .is_some_and(|reason| reason.contains(word))
            || row.tags.iter().any(|tag| tag.contains(word))
            || row.number.to_string() == word
    }
}

fn state_name(state: TrialState) -> &'static str {
    match state {
        TrialState::Queued => "queued",
        TrialState::Running => "running",
        TrialState::Paused => "paused",
        TrialState::Stopped => "stopped",
        TrialState::Done => "done",
        TrialState::Diverged => "diverged",
        TrialState::Failed => "failed",
        TrialState::Lost => "lost",
    }
}

#[cfg(test)]
mod tests {
    use super::by_number;

    #[test]
    fn a_trial_without_a_number_comes_last_and_equals_keep_their_order() {
        let values = [0.5, f64::NAN, -1.0, 0.5, f64::INFINITY, -0.25, f64::NAN];
        let sorted = |is_falling| {
            let mut shown: Vec<u32> = (0..values.len() as u32).collect();
            by_number(&mut shown, |place| values[*place as usize], is_falling);
            shown
        };
        assert_eq!(sorted(false), [2, 5, 0, 3, 4, 1, 6]);
        assert_eq!(sorted(true), [4, 0, 3, 5, 2, 1, 6]);
    }
}
