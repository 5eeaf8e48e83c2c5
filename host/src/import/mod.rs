//! Reads studies that ran elsewhere, or before, out of files.
//!
//! What lives here: conversions from files to wire types. Two forms are read, and told apart by
//! their first line: Attune's own JSON lines ([`crate::export::jsonl`]) and journal files of Optuna
//! 5. Both are lines of JSON, written from the front to the back. So a file that was cut is read as
//! far as it is whole, and what is missing is told; damage anywhere else is an error that names the
//! line, for nobody knows what the lines after it mean without it.

mod attune;
mod journal;
mod lines;
mod optuna;
mod python;

use anyhow::{Context, bail};
use attune_protocol::{ImportedStudy, StudySummary, TrialCounts, TrialState, TrialSummary};
use lines::Lines;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Bytes of the largest file that is read.
const MAX_FILE: u64 = 1 << 30;

/// What was found in a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Imported {
    /// The studies, in the file's order.
    pub(crate) studies: Vec<ImportedStudy>,
    /// What could not be read or kept, a sentence each.
    pub(crate) warnings: Vec<String>,
}

/// Reads a file's studies.
///
/// # Errors
///
/// Where the file cannot be read, is larger than 1 GiB, has a line longer than 16 MiB, is in no
/// known form, or is damaged before its last line; and where it holds no study that can be kept.
pub(crate) fn import(path: &Path) -> anyhow::Result<Imported> {
    let shown = path.display();
    let failed = || format!("cannot read {shown}; check the path");
    let file = File::open(path).with_context(failed)?;
    let about = file.metadata().with_context(failed)?;
    if !about.is_file() {
        bail!("{shown} is not a file; give the path of JSON lines or of an Optuna journal");
    }
    if about.len() > MAX_FILE {
        bail!(
            "{shown} has {} bytes, and {MAX_FILE} is the most that is read; split it",
            about.len()
        );
    }
    read(&shown.to_string(), BufReader::new(file))
}

fn read(source: &str, content: impl BufRead) -> anyhow::Result<Imported> {
    let lines = Lines::new(source, content)?;
    let Some(first) = lines.peek() else {
        bail!("{source} is empty; give a file of JSON lines or an Optuna journal");
    };
    match form(first) {
        Some(Form::Attune) => attune::read(lines),
        Some(Form::Optuna) => optuna::read(lines),
        None => bail!(
            "{source} is neither Attune's JSON lines nor an Optuna journal: its first line has \
             neither an \"export\" nor an \"op_code\""
        ),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Attune,
    Optuna,
}

fn form(first: &[u8]) -> Option<Form> {
    let first: serde_json::Map<String, serde_json::Value> = python::from_slice(first).ok()?;
    if first.contains_key("op_code") {
        Some(Form::Optuna)
    } else if first.contains_key("export") {
        Some(Form::Attune)
    } else {
        None
    }
}

/// Counts a study's trials by outcome, as a study's summary has them.
fn count<'t>(trials: impl Iterator<Item = &'t TrialSummary>, planned: u32) -> TrialCounts {
    let mut counts = TrialCounts {
        planned,
        ..TrialCounts::default()
    };
    for trial in trials {
        match trial.state {
            TrialState::Queued | TrialState::Running | TrialState::Paused => counts.running += 1,
            TrialState::Done => counts.done += 1,
            TrialState::Stopped => counts.stopped += 1,
            TrialState::Diverged => counts.diverged += 1,
            TrialState::Failed | TrialState::Lost => counts.failed += 1,
        }
    }
    counts
}

/// The best of a study's trials; the first where two are equal.
fn best<'t>(
    study: &StudySummary,
    trials: impl Iterator<Item = &'t TrialSummary>,
) -> Option<&'t TrialSummary> {
    let value = |trial: &TrialSummary| trial.value.map_or(f64::NAN, f64::from);
    trials
        .filter(|trial| !value(trial).is_nan())
        .reduce(|best, next| {
            if study.direction.better(value(next), value(best)) {
                next
            } else {
                best
            }
        })
}

#[cfg(test)]
mod tests;
