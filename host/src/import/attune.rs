//! Reads what `attune export` wrote as JSON lines.

use super::lines::{Lines, Said, json};
use super::{Imported, best, count};
use crate::export::jsonl::{End, Epochs, FORM, Header, Line, Steps};
use anyhow::{Context, bail, ensure};
use attune_protocol::{ImportedStudy, ImportedTrial, StepRows, TrialSummary};
use std::collections::{BTreeMap, HashSet};
use std::io::BufRead;

/// Reads all studies.
pub(super) fn read<R: BufRead>(mut lines: Lines<'_, R>) -> anyhow::Result<Imported> {
    let source = lines.source();
    let mut reading = Reading {
        source,
        found: Imported::default(),
        ids: HashSet::new(),
        open: false,
    };
    while let Some((number, said)) = lines.next(json::<Line<'static>>)? {
        match said {
            Said::Whole(line) => reading
                .take(line)
                .with_context(|| format!("{} does not fit", lines.place(number)))?,
            Said::Cut(warning) => reading.found.warnings.push(warning),
        }
    }
    if reading.open {
        reading.cut_short();
    }
    Ok(reading.found)
}

struct Reading<'s> {
    source: &'s str,
    found: Imported,
    /// The ids of the study's trials.
    ids: HashSet<String>,
    /// Whether a study has begun and not ended.
    open: bool,
}

impl Reading<'_> {
    fn take(&mut self, line: Line<'_>) -> anyhow::Result<()> {
        match line {
            Line::Export(header) => self.begin(header),
            Line::Trial(trial) => self.trial(trial.into_owned()),
            Line::Epochs(epochs) => self.epochs(epochs),
            Line::Steps(steps) => self.steps(steps),
            Line::End(end) => self.end(end),
        }
    }

    fn begin(&mut self, header: Header<'_>) -> anyhow::Result<()> {
        ensure!(
            header.form <= FORM,
            "it was written by Attune {} in form {}, and this version reads up to form {FORM}; \
             use a newer Attune",
            header.attune,
            header.form
        );
        if self.open {
            self.cut_short();
        }
        self.ids.clear();
        self.open = true;
        self.found.studies.push(ImportedStudy {
            study: header.study.into_owned(),
            spec: header.spec.into_owned(),
            notes: header.notes.into_owned(),
            changes: header.changes.into_owned(),
            source: self.source.to_owned(),
            trials: Vec::new(),
        });
        Ok(())
    }

    fn trial(&mut self, trial: TrialSummary) -> anyhow::Result<()> {
        ensure!(self.open, "a trial comes before any study");
        ensure!(
            self.ids.insert(trial.id.clone()),
            "trial {} is there twice",
            trial.id
        );
        if let Some(study) = self.found.studies.last_mut() {
            study.trials.push(ImportedTrial {
                trial,
                epochs: BTreeMap::new(),
                steps: StepRows::default(),
            });
        }
        Ok(())
    }

    fn epochs(&mut self, piece: Epochs<'_>) -> anyhow::Result<()> {
        let trial = self.latest(&piece.of)?;
        for (epoch, metrics) in piece.epochs {
            let before = trial.epochs.insert(epoch, metrics.into_owned());
            ensure!(
                before.is_none(),
                "epoch {epoch} of trial {} is there twice",
                piece.of
            );
        }
        Ok(())
    }

    fn steps(&mut self, piece: Steps<'_>) -> anyhow::Result<()> {
        let rows = &mut self.latest(&piece.of)?.steps;
        let first = rows.steps.is_empty() && rows.columns.is_empty();
        let same = rows.columns.keys().eq(piece.columns.keys());
        ensure!(
            first || same,
            "the steps of trial {} have other columns than before",
            piece.of
        );
        for (name, values) in piece.columns {
            ensure!(
                values.len() == piece.steps.len(),
                "trial {} has {} steps but {} values of {name:?}",
                piece.of,
                piece.steps.len(),
                values.len()
            );
            let column = rows.columns.entry(name.into_owned()).or_default();
            column.extend_from_slice(&values);
        }
        rows.steps.extend_from_slice(&piece.steps);
        Ok(())
    }

    /// The trial that the lines are about.
    fn latest(&mut self, id: &str) -> anyhow::Result<&mut ImportedTrial> {
        let latest = self.found.studies.last_mut();
        let latest = latest.filter(|_| self.open);
        match latest.and_then(|study| study.trials.last_mut()) {
            Some(trial) if trial.trial.id == id => Ok(trial),
            _ => bail!("it is about trial {id}, which is not the one before it"),
        }
    }

    fn end(&mut self, end: End) -> anyhow::Result<()> {
        ensure!(self.open, "a study ends that did not begin");
        let trials = self
            .found
            .studies
            .last()
            .map(|study| study.trials.as_slice());
        let trials = trials.unwrap_or_default();
        let found = End {
            trials: trials.len() as u64,
            epochs: trials.iter().map(|t| t.epochs.len() as u64).sum(),
            steps: trials.iter().map(|t| t.steps.steps.len() as u64).sum(),
        };
        ensure!(
            found == end,
            "the study has {} trials, {} epochs and {} steps, but should have {}, {} and {}: \
             lines are missing",
            found.trials,
            found.epochs,
            found.steps,
            end.trials,
            end.epochs,
            end.steps
        );
        self.open = false;
        Ok(())
    }

    /// The study goes no further. Its counts and its best trial are those of what there is, so that
    /// nothing points at a trial that is not there.
    fn cut_short(&mut self) {
        self.open = false;
        let Some(study) = self.found.studies.last_mut() else {
            return;
        };
        let trials = || study.trials.iter().map(|trial| &trial.trial);
        let counts = count(trials(), study.study.trials.planned);
        let best = best(&study.study, trials()).map(|trial| (trial.id.clone(), trial.value));
        self.found.warnings.push(format!(
            "study {} in {} is not whole: it goes as far as {} trials, and the last one's history \
             may be cut; export it again if you can",
            study.study.id,
            self.source,
            study.trials.len()
        ));
        study.study.trials = counts;
        (study.study.best_trial, study.study.best_value) =
            best.map_or((None, None), |(id, value)| (Some(id), value));
    }
}
