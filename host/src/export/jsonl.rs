//! JSON lines: everything of a study, exactly.
//!
//! Each line is an object with one key, which says what the line is. Lines come in this order:
//!
//! | key | holds | how often |
//! |---|---|---|
//! | `export` | `form` (this description is of form 1), `attune` (the version that wrote it), `study` (a `StudySummary`), `spec` (the study file), `notes`, `changes` | once |
//! | `trial` | a `TrialSummary` | once a trial |
//! | `epochs` | `of` (the trial's id), `epochs` (metrics by name, by epoch) | for the trial before it, in pieces |
//! | `steps` | `of`, `steps` (their numbers), `columns` (a list of values for each name, as long as `steps`) | for the trial before it, in pieces |
//! | `end` | `trials`, `epochs`, `steps`: how many there were | once |
//!
//! All values are as the wire has them: numbers with all their digits, and `"NaN"`, `"Infinity"`
//! and `"-Infinity"` for what JSON has no numbers for. No line is longer than [`MAX_LINE`]. A file
//! without its `end` was cut. Files can be joined: another `export` line begins another study.
//! A reader ignores keys that it does not know inside these objects; anything that a reader of
//! form 1 would get wrong makes a new form.

use super::Trials;
use anyhow::{Context, ensure};
use attune_protocol::{ImportedTrial, Metrics, Number, StudyDetail, StudySummary, TrialSummary};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

/// The form that is written, and the newest that is read.
pub(crate) const FORM: u32 = 1;

/// Bytes of the longest line, its end not counted.
pub(crate) const MAX_LINE: usize = 16 << 20;

/// Numbers in one line, at most: a line stays small enough to look at.
const NUMBERS_A_LINE: usize = 4096;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line<'l> {
    /// A study begins.
    Export(Header<'l>),
    /// A trial begins.
    Trial(Cow<'l, TrialSummary>),
    /// Some of the trial's epochs.
    Epochs(Epochs<'l>),
    /// Some of the trial's steps.
    Steps(Steps<'l>),
    /// The study is whole.
    End(End),
}

/// What a study is, apart from its trials.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header<'l> {
    /// The form of the lines.
    pub(crate) form: u32,
    /// The version of Attune that wrote them.
    pub(crate) attune: Cow<'l, str>,
    /// The study at a glance.
    pub(crate) study: Cow<'l, StudySummary>,
    /// The study file.
    pub(crate) spec: Cow<'l, str>,
    /// What was done to the data.
    #[serde(default)]
    pub(crate) notes: Cow<'l, [String]>,
    /// What was changed while it ran.
    #[serde(default)]
    pub(crate) changes: Cow<'l, [String]>,
}

/// Metrics of some epochs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Epochs<'l> {
    /// The trial.
    pub(crate) of: Cow<'l, str>,
    /// Metrics by epoch.
    pub(crate) epochs: BTreeMap<u32, Cow<'l, Metrics>>,
}

/// Values of some steps.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Steps<'l> {
    /// The trial.
    pub(crate) of: Cow<'l, str>,
    /// The steps.
    pub(crate) steps: Cow<'l, [u64]>,
    /// Values by column.
    pub(crate) columns: BTreeMap<Cow<'l, str>, Cow<'l, [Number]>>,
}

/// How much there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct End {
    /// Trials.
    pub(crate) trials: u64,
    /// Epochs of all trials.
    pub(crate) epochs: u64,
    /// Steps of all trials.
    pub(crate) steps: u64,
}

/// Writes a study.
pub(super) fn write(
    study: &StudyDetail,
    trials: &mut Trials<'_>,
    to: &mut dyn Write,
) -> anyhow::Result<()> {
    let header = Header {
        form: FORM,
        attune: env!("CARGO_PKG_VERSION").into(),
        study: Cow::Borrowed(&study.study),
        spec: study.spec.as_str().into(),
        notes: study.notes.as_slice().into(),
        changes: study.changes.as_slice().into(),
    };
    let about = &study.study.id;
    put(to, about, &Line::Export(header))?;
    let mut end = End::default();
    for trial in trials {
        let trial = trial?;
        write_trial(&trial, to)?;
        end.trials += 1;
        end.epochs += trial.epochs.len() as u64;
        end.steps += trial.steps.steps.len() as u64;
    }
    put(to, about, &Line::End(end))
}

fn write_trial(trial: &ImportedTrial, to: &mut dyn Write) -> anyhow::Result<()> {
    let id = trial.trial.id.as_str();
    put(to, id, &Line::Trial(Cow::Borrowed(&trial.trial)))?;

    let mut piece = BTreeMap::new();
    let mut numbers = 0;
    for (epoch, metrics) in &trial.epochs {
        numbers += metrics.len() + 1;
        piece.insert(*epoch, Cow::Borrowed(metrics));
        if numbers >= NUMBERS_A_LINE {
            put(to, id, &epochs(id, std::mem::take(&mut piece)))?;
            numbers = 0;
        }
    }
    if !piece.is_empty() {
        put(to, id, &epochs(id, piece))?;
    }

    let rows = &trial.steps;
    let steps_a_line = (NUMBERS_A_LINE / (rows.columns.len() + 1)).max(1);
    let mut from = 0;
    // Columns without a step are told too, in a line of their own.
    while from < rows.steps.len() || (from == 0 && !rows.columns.is_empty()) {
        let to_step = (from + steps_a_line).min(rows.steps.len());
        let columns = rows.columns.iter().map(|(name, values)| {
            let values = values.get(from..to_step).unwrap_or_default();
            (name.as_str().into(), values.into())
        });
        let piece = Steps {
            of: id.into(),
            steps: rows.steps.get(from..to_step).unwrap_or_default().into(),
            columns: columns.collect(),
        };
        put(to, id, &Line::Steps(piece))?;
        from = to_step.max(1);
    }
    Ok(())
}

fn epochs<'l>(of: &'l str, epochs: BTreeMap<u32, Cow<'l, Metrics>>) -> Line<'l> {
    Line::Epochs(Epochs {
        of: of.into(),
        epochs,
    })
}

/// Writes a line, unless it is so long that it could not be read again.
fn put(to: &mut dyn Write, about: &str, line: &Line<'_>) -> anyhow::Result<()> {
    let mut bytes = serde_json::to_vec(line).with_context(|| format!("cannot write {about}"))?;
    ensure!(
        bytes.len() <= MAX_LINE,
        "cannot export {about}: what is known of it needs a line of {} bytes, and {MAX_LINE} is the \
         most that can be read again; export it as CSV",
        bytes.len()
    );
    bytes.push(b'\n');
    to.write_all(&bytes)
        .with_context(|| format!("cannot write {about}; is the disk full?"))
}
