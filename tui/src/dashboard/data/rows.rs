//! A study's trials, as many as there are: a table of columns that 50,000 of them fit into with
//! room to spare, and that sorts and filters in a few milliseconds.

use super::column::Column;
use attune_protocol::{
    Direction, Progress, Scalar, TrialRow, TrialState, TrialSummary, TrialTable,
};
use std::collections::{BTreeSet, HashMap};

/// The trials of one study.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: Vec<Row>,
    config: Vec<Column<Cell>>,
    metrics: Vec<Column<f32>>,
    words: Words,
    /// Rises with every change.
    revision: u64,
    /// Whether all trials that there were have come.
    pub(crate) complete: bool,
    /// How many times trials have been asked for from where: the number to go on from.
    pub(crate) next: u32,
    /// Those that have not ended, by number.
    open: BTreeSet<u32>,
}

/// What every trial has.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) state: TrialState,
    pub(crate) epochs: u32,
    pub(crate) max_epochs: u32,
    pub(crate) best_epoch: Option<u32>,
    pub(crate) deaths: u32,
    scheduler: u32,
    /// NaN where there is none.
    pub(crate) value: f64,
    /// The rate at the last epoch that was heard of; NaN where none was.
    pub(crate) rate: f64,
    pub(crate) steps: u64,
    pub(crate) seconds: f64,
    pub(crate) started_unix_ms: Option<u64>,
    pub(crate) ended_unix_ms: Option<u64>,
    /// When it was last heard of, by the clock of this program.
    pub(crate) heard_ms: Option<u64>,
    pub(crate) rungs: Box<[u32]>,
    pub(crate) reason: Option<Box<str>>,
    pub(crate) tags: Box<[String]>,
}

/// A setting's value, small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Word(u32),
}

/// Words that many trials share.
#[derive(Debug, Default)]
struct Words {
    words: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Words {
    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = self.words.len() as u32;
        self.words.push(word.to_owned());
        self.numbers.insert(word.to_owned(), number);
        number
    }
}

/// Whether a trial in this state will not change any more.
pub(crate) fn has_ended(state: TrialState) -> bool {
    use TrialState::*;
    match state {
        Queued | Running | Paused | Lost => false,
        Stopped | Done | Diverged | Failed => true,
    }
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn row(&self, index: usize) -> Option<&Row> {
        self.rows.get(index)
    }

    /// Where a trial stands in the table.
    pub(crate) fn index_of(&self, number: u32) -> Option<usize> {
        // Numbers have no holes as a rule.
        let guess = number as usize;
        if self.rows.get(guess).is_some_and(|row| row.number == number) {
            return Some(guess);
        }
        self.rows
            .binary_search_by_key(&number, |row| row.number)
            .ok()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Row> {
        self.rows.get(self.index_of(number)?)
    }

    pub(crate) fn scheduler(&self, row: &Row) -> &str {
        self.word(row.scheduler)
    }

    pub(crate) fn word(&self, number: u32) -> &str {
        self.words
            .words
            .get(number as usize)
            .map_or("", String::as_str)
    }

    /// The settings' names, as they were met.
    pub(crate) fn settings(&self) -> impl Iterator<Item = &str> {
        self.config.iter().map(|column| column.name.as_str())
    }

    /// The metrics' names, as they were met.
    pub(crate) fn metrics(&self) -> impl Iterator<Item = &str> {
        self.metrics.iter().map(|column| column.name.as_str())
    }

    /// A setting's column, by its name.
    pub(crate) fn setting(&self, name: &str) -> Option<usize> {
        self.config.iter().position(|column| column.name == name)
    }

    /// A metric's column, by its name.
    pub(crate) fn metric(&self, name: &str) -> Option<usize> {
        self.metrics.iter().position(|column| column.name == name)
    }

    /// The value of a setting's column.
    pub(crate) fn cell(&self, index: usize, setting: usize) -> Cell {
        let column = self.config.get(setting);
        column.map_or(Cell::Missing, |column| column.get(index))
    }

    /// The value of a metric's column; NaN where there is none.
    pub(crate) fn figure(&self, index: usize, metric: usize) -> f64 {
        let column = self.metrics.get(metric);
        column.map_or(f32::NAN, |column| column.get(index)).into()
    }

    /// A setting's value as text; empty where there is none.
    pub(crate) fn cell_text(&self, index: usize, setting: usize) -> String {
        match self.cell(index, setting) {
            Cell::Missing => String::new(),
            Cell::Bool(value) => value.to_string(),
            Cell::Int(value) => value.to_string(),
            Cell::Float(value) => crate::number::significant(value),
            Cell::Word(word) => self.word(word).to_owned(),
        }
    }

    /// The numbers of the best trials, the best first, at most so many.
    pub(crate) fn best(&self, direction: Direction, count: usize) -> Vec<u32> {
        let ranked = self.rows.iter().map(|row| (row.value, row.number));
        best_of(ranked, direction, count)
    }

    /// The numbers of those in training, or on their way there.
    pub(crate) fn running(&self) -> impl Iterator<Item = u32> {
        let of = |number: &u32| self.get(*number);
        self.open
            .iter()
            .filter_map(of)
            .filter(|row| row.state == TrialState::Running)
            .map(|row| row.number)
    }

    /// The first trial that has not ended, or the number after the last one: from there on the table
    /// may have missed something.
    pub(crate) fn first_open(&self) -> u32 {
        let after_last = self.rows.last().map_or(0, |row| row.number + 1);
        self.open.first().copied().unwrap_or(after_last)
    }

    /// How many have ended, however.
    pub(crate) fn ended(&self) -> usize {
        self.rows.len() - self.open.len()
    }

    /// Takes a page of trials in.
    pub(crate) fn take(&mut self, table: TrialTable) {
        let settings: Vec<usize> = table.keys.iter().map(|key| self.setting_at(key)).collect();
        let metrics: Vec<usize> = table
            .metrics
            .iter()
            .map(|key| self.metric_at(key))
            .collect();
        let last = self.rows.last().map(|row| row.number);
        let new = table.rows.iter().filter(|row| Some(row.number) > last);
        self.expect(new.count());
        for row in table.rows {
            let index = self.place(row.number);
            for (column, value) in settings.iter().zip(&row.config) {
                let cell = value
                    .as_ref()
                    .map_or(Cell::Missing, |value| self.small(value));
                self.config[*column].put(index, cell);
            }
            for (column, value) in metrics.iter().zip(&row.metrics) {
                let value = value.map_or(f32::NAN, |value| value.0);
                self.metrics[*column].put(index, value);
            }
            self.fill(index, row);
        }
        self.next = table.next.unwrap_or_else(|| self.first_open());
        self.complete |= table.next.is_none();
        self.revision += 1;
    }

    /// So many trials are about to come: room for just these is made, and not for twice as many.
    fn expect(&mut self, more: usize) {
        self.rows.reserve_exact(more);
        self.config
            .iter_mut()
            .for_each(|column| column.expect(more));
        self.metrics
            .iter_mut()
            .for_each(|column| column.expect(more));
    }

    /// Takes in how a trial stands.
    pub(crate) fn take_summary(&mut self, number: u32, trial: &TrialSummary, now: u64) {
        let index = self.place(number);
        for (key, value) in &trial.config {
            let column = self.setting_at(key);
            let cell = self.small(value);
            self.config[column].put(index, cell);
        }
        for (key, value) in &trial.metrics {
            let column = self.metric_at(key);
            self.metrics[column].put(index, value.0 as f32);
        }
        self.fill(index, TrialRow::of(number, trial));
        self.rows[index].heard_ms = Some(now);
        self.revision += 1;
    }

    /// Takes in that a trial trained an epoch.
    pub(crate) fn take_epoch(
        &mut self,
        number: u32,
        progress: &Progress,
        objective: (&str, Direction),
        now: u64,
    ) {
        let Some(index) = self.index_of(number) else {
            return;
        };
        for (key, value) in &progress.metrics {
            let column = self.metric_at(key);
            self.metrics[column].put(index, value.0 as f32);
        }
        let (metric, direction) = objective;
        let row = &mut self.rows[index];
        row.epochs = row.epochs.max(progress.epoch);
        row.steps = row.steps.max(progress.step);
        row.rate = progress.rate.0;
        row.heard_ms = Some(now);
        if let Some(value) = progress.objective(metric)
            && direction.better(value, row.value)
        {
            row.value = value;
            row.best_epoch = Some(progress.epoch);
        }
        self.revision += 1;
    }

    fn fill(&mut self, index: usize, row: TrialRow) {
        let scheduler = self.words.number(&row.scheduler);
        if has_ended(row.state) {
            self.open.remove(&row.number);
        } else {
            self.open.insert(row.number);
        }
        let before = &self.rows[index];
        self.rows[index] = Row {
            number: row.number,
            state: row.state,
            // What an epoch said may be newer than the record of the trial.
            epochs: row.epochs.max(before.epochs),
            max_epochs: row.max_epochs,
            best_epoch: row.best_epoch.or(before.best_epoch),
            deaths: row.deaths,
            scheduler,
            value: row.value.map_or(before.value, |value| value.0),
            rate: before.rate,
            steps: row.steps.max(before.steps),
            seconds: row.seconds.0,
            started_unix_ms: row.started_unix_ms,
            ended_unix_ms: row.ended_unix_ms,
            heard_ms: before.heard_ms,
            rungs: row.rungs.into(),
            reason: row.reason.map(Into::into),
            tags: row.tags.into(),
        };
    }

    /// The place of a trial, made where there is none.
    fn place(&mut self, number: u32) -> usize {
        match self.index_of(number) {
            Some(index) => index,
            None => {
                let index = self.rows.partition_point(|row| row.number < number);
                self.rows.insert(index, Row::unknown(number));
                // Mostly the new one is the last, and no column is that long.
                for column in &mut self.config {
                    column.insert(index);
                }
                for column in &mut self.metrics {
                    column.insert(index);
                }
                index
            }
        }
    }

    fn setting_at(&mut self, name: &str) -> usize {
        at(&mut self.config, name, Cell::Missing)
    }

    fn metric_at(&mut self, name: &str) -> usize {
        at(&mut self.metrics, name, f32::NAN)
    }

    fn small(&mut self, value: &Scalar) -> Cell {
        match value {
            Scalar::Bool(value) => Cell::Bool(*value),
            Scalar::Int(value) => Cell::Int(*value),
            Scalar::Float(value) => Cell::Float(value.0),
            Scalar::Text(word) => Cell::Word(self.words.number(word)),
            list @ Scalar::List(_) => Cell::Word(self.words.number(&list.to_string())),
        }
    }
}

impl Row {
    fn unknown(number: u32) -> Self {
        Row {
            number,
            state: TrialState::Queued,
            epochs: 0,
            max_epochs: 0,
            best_epoch: None,
            deaths: 0,
            scheduler: u32::MAX,
            value: f64::NAN,
            rate: f64::NAN,
            steps: 0,
            seconds: 0.0,
            started_unix_ms: None,
            ended_unix_ms: None,
            heard_ms: None,
            rungs: Box::default(),
            reason: None,
            tags: Box::default(),
        }
    }
}

impl Cell {
    /// As a number, where it is one.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Cell::Int(value) => Some(value as f64),
            Cell::Float(value) => Some(value),
            Cell::Bool(value) => Some(f64::from(u8::from(value))),
            Cell::Missing | Cell::Word(_) => None,
        }
    }
}

fn at<T: Copy + PartialEq>(columns: &mut Vec<Column<T>>, name: &str, missing: T) -> usize {
    if let Some(index) = columns.iter().position(|column| column.name == name) {
        return index;
    }
    columns.push(Column::new(name, missing));
    columns.len() - 1
}

/// Of values and whose they are, whose the best `count` are, the best first; those that are not
/// numbers are none.
pub(crate) fn best_of(
    ranked: impl Iterator<Item = (f64, u32)>,
    direction: Direction,
    count: usize,
) -> Vec<u32> {
    let mut ranked: Vec<(f64, u32)> = ranked.filter(|(value, _)| !value.is_nan()).collect();
    let better = |a: &(f64, u32), b: &(f64, u32)| {
        let order = match direction {
            Direction::Minimize => a.0.total_cmp(&b.0),
            Direction::Maximize => b.0.total_cmp(&a.0),
        };
        order.then(a.1.cmp(&b.1))
    };
    if ranked.len() > count && count > 0 {
        ranked.select_nth_unstable_by(count - 1, better);
    }
    ranked.truncate(count);
    ranked.sort_unstable_by(better);
    ranked.into_iter().map(|(_, whose)| whose).collect()
}

/// The number of a trial within its study: 3 of `s12.3`.
pub(crate) fn number_of(trial: &str) -> Option<u32> {
    trial.rsplit_once('.')?.1.parse().ok()
}

/// The study of a trial: `s12` of `s12.3`.
pub(crate) fn study_of(trial: &str) -> &str {
    trial.rsplit_once('.').map_or(trial, |(study, _)| study)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_what_is_no_number_never() {
        let values = [3.0, f64::NAN, 1.0, 2.0, 1.0];
        let best = |places: &[u32], direction, count| {
            let ranked = places.iter().map(|place| (values[*place as usize], *place));
            best_of(ranked, direction, count)
        };
        let places = [0, 1, 2, 3, 4];
        assert_eq!(best(&places, Direction::Minimize, 3), [2, 4, 3]);
        assert_eq!(best(&places, Direction::Maximize, 2), [0, 3]);
        assert_eq!(best(&[3, 0], Direction::Minimize, 9), [3, 0]);
        assert_eq!(best(&places, Direction::Minimize, 0), [0u32; 0]);
    }
}
