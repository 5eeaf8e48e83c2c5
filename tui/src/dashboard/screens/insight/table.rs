//! A study's trials as columns of numbers, one a setting, made when something changed and not for
//! every picture.

use super::brush::Brush;
use super::scale::Scale;
use crate::dashboard::data::rows::{Cell, Rows, best_of};
use crate::dashboard::screens::launch::Searched;
use crate::dashboard::screens::plugins::describe;
use attune_protocol::{Direction, Insight, PluginInfo};
use std::collections::{BTreeMap, HashMap};

/// One setting of all trials, or the value that they came to.
#[derive(Debug)]
pub(super) struct Column {
    /// Such as `lr`; of the value the name that a filter knows it by.
    pub(super) name: String,
    pub(super) scale: Scale,
    /// By place in the table; NaN where a trial has none. Of words, their numbers.
    pub(super) values: Vec<f64>,
}

/// The columns, and which trials the brushes leave.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The settings, the most important first, and the value last; empty before there is any.
    pub(super) columns: Vec<Column>,
    pub(super) brushes: BTreeMap<String, Brush>,
    /// The places of the trials in all brushes.
    pub(super) brushed: Vec<u32>,
    pub(super) trials: usize,
    /// Which way the value is better; nothing before the table is made.
    pub(super) direction: Option<Direction>,
    /// Rises when anything above is another.
    pub(super) generation: u64,
    made_from: Option<Made>,
}

/// What a table was made from, and when.
#[derive(Debug)]
struct Made {
    revision: u64,
    at: u64,
    key: Key,
}

/// What a table is made anew for at once.
#[derive(Debug, PartialEq)]
struct Key {
    trials: usize,
    /// The settings that are known to matter, the most important first.
    order: Vec<String>,
    /// How long the study file is.
    spec: usize,
    plugins: usize,
}

/// What is known of a study.
pub(super) struct Source<'a> {
    pub(super) rows: &'a Rows,
    pub(super) direction: Direction,
    /// The study file.
    pub(super) spec: &'a str,
    pub(super) insight: Option<&'a Insight>,
    pub(super) plugins: &'a [PluginInfo],
    pub(super) is_running: bool,
}

/// What a filter calls the value that a trial came to.
pub(super) const VALUE: &str = "value";

/// More settings than these are left out, the least important.
const SETTINGS: usize = 24;

/// No more trials than these are drawn above the others.
const ABOVE: usize = 10;

/// Of a running study with many trials plots are made at most once in so many milliseconds.
const MANY: usize = 5_000;
const PAUSE: u64 = 500;

/// Whether what was made of so many trials at this moment is still good enough, though some of them
/// have trained on.
pub(super) fn can_wait(trials: usize, made_at: u64, now: u64) -> bool {
    trials >= MANY && now.saturating_sub(made_at) < PAUSE
}

impl Table {
    /// Makes it anew where something changed.
    pub(super) fn refresh(&mut self, source: &Source<'_>, now: u64) {
        let order = source.insight.map(|insight| &insight.importance);
        let order = order.into_iter().flatten().map(|part| part.name.clone());
        let key = Key {
            trials: source.rows.len(),
            order: order.collect(),
            spec: source.spec.len(),
            plugins: source.plugins.len(),
        };
        let revision = source.rows.revision();
        if let Some(before) = self.made_from.as_ref().filter(|made| made.key == key) {
            let waits = source.is_running && can_wait(key.trials, before.at, now);
            if before.revision == revision || waits {
                return;
            }
        }
        self.columns = columns(source, &key.order);
        self.trials = key.trials;
        self.direction = Some(source.direction);
        let at = now;
        self.made_from = Some(Made { revision, at, key });
        self.brush_anew();
    }

    /// The settings, without the value.
    pub(super) fn settings(&self) -> &[Column] {
        let settings = self.columns.len().saturating_sub(1);
        &self.columns[..settings]
    }

    /// The values that trials came to, if any did.
    pub(super) fn value(&self) -> Option<&Column> {
        self.columns.last()
    }

    /// Sets the brush of a column, or takes it away.
    pub(super) fn set_brush(&mut self, column: usize, brush: Option<Brush>) {
        let Some(name) = self.columns.get(column).map(|column| column.name.clone()) else {
            return;
        };
        match brush {
            Some(brush) => drop(self.brushes.insert(name, brush)),
            None => drop(self.brushes.remove(&name)),
        }
        self.brush_anew();
    }

    pub(super) fn clear_brushes(&mut self) {
        self.brushes.clear();
        self.brush_anew();
    }

    pub(super) fn brush(&self, column: usize) -> Option<&Brush> {
        self.brushes.get(&self.columns.get(column)?.name)
    }

    /// How many of the brushed trials count as the best, and are drawn above the others.
    pub(super) fn above(&self) -> usize {
        self.brushed.len().div_ceil(5).min(ABOVE)
    }

    /// The places of the best trials among the brushed ones, the best first.
    pub(super) fn best(&self, count: usize) -> Vec<u32> {
        let (Some(value), Some(direction)) = (self.value(), self.direction) else {
            return Vec::new();
        };
        let value = |place: &u32| value.values.get(*place as usize).copied();
        let ranked = self.brushed.iter();
        let ranked = ranked.filter_map(|place| Some((value(place)?, *place)));
        best_of(ranked, direction, count)
    }

    /// The filter that shows the brushed trials; nothing where there is no brush. `Err` is the
    /// setting that cannot be told.
    pub(super) fn filter(&self) -> Result<Option<String>, String> {
        let mut parts = Vec::new();
        for column in &self.columns {
            if let Some(brush) = self.brushes.get(&column.name) {
                let part = brush.filter(&column.name, &column.scale);
                parts.push(part.ok_or_else(|| column.name.clone())?);
            }
        }
        Ok((!parts.is_empty()).then(|| parts.join(" and ")))
    }

    fn brush_anew(&mut self) {
        self.generation += 1;
        let brushes: Vec<(&Brush, &Column)> = self
            .columns
            .iter()
            .filter_map(|column| Some((self.brushes.get(&column.name)?, column)))
            .collect();
        let holds = |place: &u32| {
            brushes.iter().all(|(brush, column)| {
                let value = column.values.get(*place as usize).copied();
                brush.holds(&column.scale, value.unwrap_or(f64::NAN))
            })
        };
        self.brushed = (0..self.trials as u32).filter(holds).collect();
    }
}

/// The columns of a study: settings that differ, by importance, and the value.
fn columns(source: &Source<'_>, order: &[String]) -> Vec<Column> {
    let rows = source.rows;
    let mut names: Vec<(usize, bool, &str)> = rows
        .settings()
        .enumerate()
        .filter(|(setting, _)| differs(rows, *setting))
        .map(|(_, name)| {
            let rank = order.iter().position(|known| known == name);
            // Without knowing better: those of all trials before those of one scheduler.
            (rank.unwrap_or(usize::MAX), name.contains('.'), name)
        })
        .collect();
    names.sort_by_key(|(rank, is_own, name)| (*rank, *is_own, *name != "lr"));
    names.truncate(SETTINGS);
    let searched = Searched::new(source.spec);
    let mut columns: Vec<Column> = names
        .into_iter()
        .filter_map(|(_, _, name)| setting(source, &searched, name))
        .collect();
    let values: Vec<f64> = rows.rows().iter().map(|row| row.value).collect();
    if let Some(scale) = Scale::of_numbers(&values, false) {
        columns.push(Column {
            name: VALUE.to_owned(),
            scale,
            values,
        });
    } else {
        // Without any value there is nothing to hold settings against.
        columns.clear();
    }
    columns
}

fn differs(rows: &Rows, setting: usize) -> bool {
    let first = rows.cell(0, setting);
    (1..rows.len()).any(|place| rows.cell(place, setting) != first)
}

fn setting(source: &Source<'_>, searched: &Searched, name: &str) -> Option<Column> {
    let rows = source.rows;
    let setting = rows.setting(name)?;
    let cells = || (0..rows.len()).map(|place| rows.cell(place, setting));
    let is_word = cells().any(|cell| matches!(cell, Cell::Word(_) | Cell::Bool(_)));
    let (scale, values) = if is_word {
        words(rows, setting)
    } else {
        let number = |cell: Cell| cell.number().unwrap_or(f64::NAN);
        let values: Vec<f64> = cells().map(number).collect();
        let searched_log = searched.is_log(name) || describe::is_searched_log(source.plugins, name);
        (Scale::of_numbers(&values, searched_log)?, values)
    };
    Some(Column {
        name: name.to_owned(),
        scale,
        values,
    })
}

/// A column of words: the words sorted, and the number of each trial's.
fn words(rows: &Rows, setting: usize) -> (Scale, Vec<f64>) {
    // Each word is written once, not once for each of its trials.
    let mut places: HashMap<(u8, u64), usize> = HashMap::new();
    let mut texts: Vec<String> = Vec::new();
    let found: Vec<Option<usize>> = (0..rows.len())
        .map(|place| {
            let key = key(rows.cell(place, setting))?;
            Some(*places.entry(key).or_insert_with(|| {
                texts.push(rows.cell_text(place, setting));
                texts.len() - 1
            }))
        })
        .collect();
    let mut words = texts.clone();
    words.sort_unstable();
    words.dedup();
    let number = |text: &String| words.binary_search(text).map_or(f64::NAN, |n| n as f64);
    let numbers: Vec<f64> = texts.iter().map(number).collect();
    let value = |place: &Option<usize>| place.map_or(f64::NAN, |place| numbers[place]);
    let values = found.iter().map(value).collect();
    (Scale::Words(words), values)
}

/// What tells a setting's value from others; nothing where there is none.
fn key(cell: Cell) -> Option<(u8, u64)> {
    Some(match cell {
        Cell::Missing => return None,
        Cell::Bool(value) => (0, u64::from(value)),
        Cell::Int(value) => (1, value as u64),
        Cell::Float(value) => (2, value.to_bits()),
        Cell::Word(word) => (3, word.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use attune_protocol::TrialTable;
    use serde_json::json;

    fn rows() -> Rows {
        let trials = json!([[0, 1, 0.5], [1, 2, 0.25], [2, 4, 0.125]]);
        let row = |trial: &serde_json::Value| {
            json!({"number": trial[0], "state": "done", "scheduler": "greedy",
                   "config": [{"int": trial[1]}], "metrics": [], "epochs": 1, "max_epochs": 1, "steps": 1,
                   "value": trial[2], "best_epoch": 1, "rungs": [], "seconds": 1.0,
                   "started_unix_ms": 1, "ended_unix_ms": 2, "reason": null, "deaths": 0,
                   "tags": []})
        };
        let told: Vec<_> = trials.as_array().unwrap().iter().map(row).collect();
        let table = json!({"keys": ["greedy.patience"], "metrics": [], "rows": told, "next": null});
        let mut rows = Rows::default();
        rows.take(serde_json::from_value::<TrialTable>(table).unwrap());
        rows
    }

    fn greedy() -> PluginInfo {
        let params = json!([{"name": "patience", "kind": {"type": "int", "min": 0, "max": 99},
                             "default": 3, "search": {"log": [1.0, 20.0]}}]);
        let library = json!({"schedulers": [{"name": "greedy", "params": params}]});
        let info = json!({"path": "greedy.so", "hash": "", "library": library, "fingerprint": "",
                          "error": null, "quarantine": null});
        serde_json::from_value(info).unwrap()
    }

    #[test]
    fn plugins_that_are_known_later_say_how_their_parameters_are_searched() {
        let (rows, plugins) = (rows(), [greedy()]);
        let source = |plugins| Source {
            rows: &rows,
            direction: Direction::Minimize,
            spec: "",
            insight: None,
            plugins,
            is_running: false,
        };
        let mut table = Table::default();
        table.refresh(&source(&[]), 1);
        assert!(!table.settings()[0].scale.is_log());
        table.refresh(&source(&plugins), 2);
        assert!(table.settings()[0].scale.is_log());
    }
}
