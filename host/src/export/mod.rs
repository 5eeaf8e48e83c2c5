//! Writes a study into files that other programs read.
//!
//! What lives here: conversions from wire types to files, one module a form. Trials come one at a
//! time and are written as they come, so that a study of any size needs the memory of one trial.
//! What must not live here: anything that asks the daemon; the caller brings what is written.
//!
//! | form | holds | goes to |
//! |---|---|---|
//! | [`jsonl`] | everything, exactly; `attune import` reads it back | a file or a stream |
//! | [`tables`] | trials, epochs and steps as CSV tables | a folder; the trials alone a stream |
//! | [`tensorboard`] | curves and configurations as event files | a folder |
//! | [`optuna`] | the study as a journal that Optuna opens and continues | a file or a stream |
//!
//! Files are written aside, synced (but for event files, of which there is one a trial) and renamed
//! when all of them are whole. A file that is there already is replaced only where that was asked
//! for.

pub(crate) mod jsonl;
mod objective;
mod optuna;
mod outputs;
mod space;
mod tables;
mod tensorboard;
pub(crate) mod timestamp;

use anyhow::{Context, bail, ensure};
use attune_protocol::{ImportedTrial, StudyDetail};
use outputs::Outputs;
use std::collections::HashSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What a study can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON lines that hold everything.
    Jsonl,
    /// Tables of trials, epochs and steps.
    Csv,
    /// Event files, a run folder a trial.
    TensorBoard,
    /// A journal file of Optuna 5.
    Optuna,
}

/// Where a study is written to.
pub(crate) enum Target<'t> {
    /// A stream, such as the standard output.
    Stream(&'t mut dyn Write),
    /// A file, or a folder for the forms that are several files.
    Path {
        /// The file or folder; folders above it are made.
        path: &'t Path,
        /// Whether files that are there already are replaced.
        force: bool,
    },
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Summary {
    /// How many trials.
    pub(crate) trials: u64,
    /// How many epochs, of all trials.
    pub(crate) epochs: u64,
    /// How many steps, of all trials.
    pub(crate) steps: u64,
    /// The files, in the order in which they were begun.
    pub(crate) files: Vec<PathBuf>,
    /// What the form could not hold, a sentence each.
    pub(crate) notes: Vec<String>,
}

impl Format {
    /// Whether the form holds metrics by epoch; a caller need not fetch them where it does not.
    pub(crate) fn wants_epochs(self, to: &Target<'_>) -> bool {
        !matches!((self, to), (Format::Csv, Target::Stream(_)))
    }

    /// Whether the form holds steps; a caller need not fetch them where it does not.
    pub(crate) fn wants_steps(self, to: &Target<'_>) -> bool {
        self != Format::Optuna && self.wants_epochs(to)
    }
}

/// Writes a study. `trials` yields the trials that `study` lists, whole and in the order in which
/// they are to be written.
///
/// # Errors
///
/// Where a file cannot be written or is there already, where a trial does not come, is none of the
/// study's or does not fit together. No file is left behind then.
pub(crate) fn export(
    format: Format,
    study: &StudyDetail,
    trials: &mut dyn Iterator<Item = anyhow::Result<ImportedTrial>>,
    to: Target<'_>,
) -> anyhow::Result<Summary> {
    let mut summary = Summary::default();
    let mut missing: HashSet<&str> = study.trials.iter().map(|trial| trial.id.as_str()).collect();
    let mut trials = trials.map(|trial| {
        let trial = trial.with_context(|| format!("cannot export study {}", study.study.id))?;
        let id = trial.trial.id.as_str();
        ensure!(
            missing.remove(id),
            "trial {id} is not listed in study {}, or came twice; export the study again",
            study.study.id
        );
        check(&trial)?;
        summary.trials += 1;
        summary.epochs += trial.epochs.len() as u64;
        summary.steps += trial.steps.steps.len() as u64;
        Ok(trial)
    });
    let trials: &mut Trials<'_> = &mut trials;
    let mut notes = Vec::new();
    let files = match to {
        Target::Stream(stream) => {
            let mut stream = BufWriter::new(stream);
            match format {
                Format::Jsonl => jsonl::write(study, trials, &mut stream)?,
                Format::Csv => tables::write_trials(study, trials, &mut stream)?,
                Format::Optuna => notes = optuna::write(study, trials, &mut stream)?,
                Format::TensorBoard => bail!(
                    "TensorBoard event files are a folder and cannot go to a stream; \
                     name a folder to write to"
                ),
            }
            stream
                .flush()
                .with_context(|| format!("cannot write study {}", study.study.id))?;
            Vec::new()
        }
        Target::Path { path, force } => {
            let mut outputs = Outputs::new(force);
            match format {
                Format::Jsonl => {
                    outputs.file(path, |file| jsonl::write(study, trials, file))?;
                }
                Format::Optuna => {
                    notes = outputs.file(path, |file| optuna::write(study, trials, file))?;
                }
                Format::Csv => tables::write(study, trials, path, &mut outputs)?,
                Format::TensorBoard => tensorboard::write(study, trials, path, &mut outputs)?,
            }
            outputs.keep()?
        }
    };
    Ok(Summary {
        files,
        notes,
        ..summary
    })
}

/// Checked trials, as every form takes them.
type Trials<'t> = dyn Iterator<Item = anyhow::Result<ImportedTrial>> + 't;

/// Refuses a trial whose steps are cut off or whose columns are not equally long: every form would
/// hold something else than was recorded.
fn check(trial: &ImportedTrial) -> anyhow::Result<()> {
    let id = &trial.trial.id;
    let steps = &trial.steps;
    if let Some(next) = steps.next {
        bail!("the steps of trial {id} end before step {next}; export the study again");
    }
    for (name, column) in &steps.columns {
        ensure!(
            column.len() == steps.steps.len(),
            "trial {id} has {} steps but {} values of {name:?}; run `attune store verify`",
            steps.steps.len(),
            column.len()
        );
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
