//! The section `[space]` of a study file: what it says of each setting.

use super::reader::{Entry, Reading, Section, SpecError};
use super::settings;
use attune_plugin_api::param::Value;
use std::ops::Range;

/// One key of `[space]`, or of one scheduler's table inside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpaceEntry {
    /// The scheduler, for a key inside its table.
    pub(crate) scheduler: Option<String>,
    pub(crate) key: String,
    pub(crate) choice: Choice,
    pub(super) at: Range<usize>,
}

/// What the file says of a setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Choice {
    /// This value in every trial.
    Fixed(Value),
    /// One of these.
    Among(Vec<Value>),
    /// Something between two ends.
    Between { low: f64, high: f64, log: bool },
    /// The range that the setting's own description proposes: `"search"`.
    Proposed,
}

impl Choice {
    /// The values that it names, where it does.
    pub(super) fn values(&self) -> Option<&[Value]> {
        match self {
            Choice::Fixed(value) => Some(std::slice::from_ref(value)),
            Choice::Among(values) => Some(values),
            Choice::Between { .. } | Choice::Proposed => None,
        }
    }
}

impl SpaceEntry {
    /// The whole key, such as `space.greedy.patience`.
    pub(super) fn path(&self) -> String {
        match &self.scheduler {
            Some(scheduler) => format!("space.{scheduler}.{}", self.key),
            None => format!("space.{}", self.key),
        }
    }
}

pub(super) fn read<'d>(found: &mut Reading<'d>, top: &mut Section<'d>) -> Vec<SpaceEntry> {
    let section = found.section(top, "space");
    let settings = settings::all();
    let mut entries = Vec::new();
    for entry in section.entries() {
        // The table of a setting is a range, any other the table of one scheduler.
        let is_setting = settings.iter().any(|setting| setting.name == entry.key());
        if entry.is_table() && !is_setting {
            let scheduler = Some(entry.key().to_owned());
            for param in found.take(entry.entries()).unwrap_or_default() {
                entries.extend(found.take(space_entry(scheduler.clone(), &param)));
            }
        } else {
            entries.extend(found.take(space_entry(None, &entry)));
        }
    }
    entries
}

fn space_entry(scheduler: Option<String>, entry: &Entry<'_>) -> Result<SpaceEntry, SpecError> {
    let choice = if entry.is_table() {
        between(entry)?
    } else if entry.is_list() {
        let values = entry.values()?;
        if values.is_empty() {
            return Err(entry.error(format!(
                "`{}` lists nothing; give at least one value",
                entry.key()
            )));
        }
        Choice::Among(values)
    } else {
        match entry.value()? {
            Value::Text(text) if text == "search" => Choice::Proposed,
            value => Choice::Fixed(value),
        }
    };
    Ok(SpaceEntry {
        scheduler,
        key: entry.key().to_owned(),
        choice,
        at: entry.place(),
    })
}

fn between(entry: &Entry<'_>) -> Result<Choice, SpecError> {
    let (mut low, mut high, mut log) = (None, None, false);
    let finite = f64::MIN..=f64::MAX;
    for end in entry.entries()? {
        match end.key() {
            "low" => low = Some(end.float(finite.clone())?),
            "high" => high = Some(end.float(finite.clone())?),
            "log" => log = end.bool()?,
            _ => return Err(end.unknown_key(entry.key(), ["low", "high", "log"])),
        }
    }
    match (low, high) {
        (Some(low), Some(high)) if low < high && (!log || low > 0.0) => {
            Ok(Choice::Between { low, high, log })
        }
        (Some(low), Some(high)) => Err(entry.error(format!(
            "the range of `{}` runs from {low} to {high}; `low` must be below `high`{}",
            entry.key(),
            if log {
                ", and above 0 with log = true"
            } else {
                ""
            }
        ))),
        _ => Err(entry.error(format!(
            "the range of `{}` needs both `low` and `high`",
            entry.key()
        ))),
    }
}
