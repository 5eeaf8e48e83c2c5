//! Turns the studies of an Optuna journal into Attune's.

use super::journal::{Journal, Operation, State, Study, Toward, Trial, scalar};
use super::lines::{Lines, Said};
use super::{Imported, best, count, python};
use anyhow::{Context, bail};
use attune_protocol::{
    Direction, ImportedStudy, ImportedTrial, Metrics, Number, Scalar, StepRows, StudyState,
    StudySummary, TrialState, TrialSummary,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

/// What stands before the user attributes that `attune export` writes.
const OWN: &str = "attune:";

/// How many names a warning lists.
const NAMES: usize = 5;

/// Reads all studies.
pub(super) fn read<R: BufRead>(mut lines: Lines<'_, R>) -> anyhow::Result<Imported> {
    let mut journal = Journal::default();
    let mut found = Imported::default();
    while let Some((number, said)) = lines.next(python::from_slice::<Operation>)? {
        match said {
            Said::Whole(operation) => journal.apply(operation).with_context(|| {
                format!(
                    "{} is no operation of Optuna 5; take the file from where it was written",
                    lines.place(number)
                )
            })?,
            Said::Cut(warning) => found.warnings.push(warning),
        }
    }
    let source = lines.source();
    if journal.passed_over > 0 {
        found.warnings.push(format!(
            "{source} discards trials in {} places, which Optuna 5 does not do either: they are \
             kept",
            journal.passed_over
        ));
    }
    let mut refused = Vec::new();
    for study in journal.studies() {
        match direction(study) {
            Ok(direction) => {
                let number = found.studies.len() + 1;
                let study = Reading {
                    journal: &journal,
                    study,
                    direction,
                    number,
                }
                .study(source, &mut found.warnings);
                found.studies.push(study);
            }
            Err(why) => refused.push(why.to_string()),
        }
    }
    if found.studies.is_empty() {
        match refused.as_slice() {
            [] => bail!("{source} holds no study; give another journal"),
            _ => bail!(
                "{source} holds no study that can be kept: {}",
                refused.join("; ")
            ),
        }
    }
    found.warnings.extend(refused);
    Ok(found)
}

fn direction(study: &Study) -> anyhow::Result<Direction> {
    match study.directions.as_slice() {
        [Toward::Minimize] => Ok(Direction::Minimize),
        [Toward::Maximize] => Ok(Direction::Maximize),
        [Toward::NotSet] | [] => bail!(
            "study {:?} says neither minimize nor maximize; set its direction in Optuna",
            study.name
        ),
        several => bail!(
            "study {:?} has {} objectives, and Attune's studies have one; copy the trials into a \
             study of one objective in Optuna",
            study.name,
            several.len()
        ),
    }
}

struct Reading<'j> {
    journal: &'j Journal,
    study: &'j Study,
    direction: Direction,
    /// The study's, counted from 1.
    number: usize,
}

impl Reading<'_> {
    fn study(&self, source: &str, warnings: &mut Vec<String>) -> ImportedStudy {
        let metric = self.metric();
        let first_epoch = self.first_epoch(warnings);
        let trials: Vec<ImportedTrial> = self
            .journal
            .trials(self.study)
            .enumerate()
            .map(|(number, trial)| self.trial(number, trial, &metric, first_epoch))
            .collect();
        self.warn_of_far_steps(&trials, warnings);
        self.warn_of_attributes(warnings);

        let times = || self.journal.trials(self.study);
        let created = times().filter_map(|trial| trial.started).min();
        let ended = times().filter_map(|trial| trial.completed).max();
        let unfinished = trials.iter().any(|t| t.trial.state == TrialState::Lost);
        let own = |key| own(&self.study.user_attrs, key);
        let summaries = || trials.iter().map(|trial| &trial.trial);
        let took = match (created, ended) {
            (Some(created), Some(ended)) => ended.unix_ms().saturating_sub(created.unix_ms()),
            _ => 0,
        };
        let mut study = StudySummary {
            seconds: Number(took as f64 / 1e3),
            id: format!("s{}", self.number),
            name: self.study.name.clone(),
            state: if unfinished {
                StudyState::Interrupted
            } else {
                StudyState::Done
            },
            metric,
            direction: self.direction,
            seed: own("seed").and_then(Value::as_u64).unwrap_or(0),
            trials: count(summaries(), trials.len().try_into().unwrap_or(u32::MAX)),
            best_trial: None,
            best_value: None,
            created_unix_ms: created.map_or(0, |time| time.unix_ms()),
            ended_unix_ms: ended.map(|time| time.unix_ms()),
            reason: None,
            origin: None,
            note: attune_protocol::Note::default(),
            trend: Vec::new(),
        };
        if let Some(best) = best(&study, summaries().filter(|t| t.state == TrialState::Done)) {
            study.best_trial = Some(best.id.clone());
            study.best_value = best.value;
        }
        let spec = own("spec").and_then(Value::as_str).unwrap_or_default();
        ImportedStudy {
            study,
            spec: spec.to_owned(),
            notes: Vec::new(),
            changes: Vec::new(),
            source: source.to_owned(),
            trials,
        }
    }

    /// The objective's name, where the study has one.
    fn metric(&self) -> String {
        let names = self.study.system_attrs.get("study:metric_names");
        let name = names.and_then(|names| names.get(0)?.as_str());
        name.unwrap_or("value").to_owned()
    }

    /// Optuna's steps are whatever the user counts, often from 0; epochs are counted from 1.
    fn first_epoch(&self, warnings: &mut Vec<String>) -> u64 {
        let mut trials = self.journal.trials(self.study);
        if trials.any(|trial| trial.reports.contains_key(&0)) {
            warnings.push(format!(
                "study {:?} counts its steps from 0: step 0 becomes epoch 1, and so on",
                self.study.name
            ));
            return 1;
        }
        0
    }

    fn trial(&self, number: usize, trial: &Trial, metric: &str, first_epoch: u64) -> ImportedTrial {
        let on_valid = format!("valid_{metric}");
        let mut epochs: BTreeMap<u32, Metrics> = BTreeMap::new();
        for (step, value) in &trial.reports {
            if let Ok(epoch) = u32::try_from(step.saturating_add(first_epoch)) {
                let metrics = [(on_valid.clone(), Number(*value))];
                epochs.insert(epoch, metrics.into());
            }
        }
        let value = trial.values.first().copied();
        let own = |key| own(&trial.user_attrs, key);
        let own_text = |key| own(key).and_then(Value::as_str).map(str::to_owned);
        let best_epoch = epochs
            .iter()
            .find(|(_, metrics)| metrics.values().any(|found| Some(found.0) == value))
            .map(|(epoch, _)| *epoch);
        let last = epochs.last_key_value();
        let last_epoch = last.map_or(0, |(epoch, _)| *epoch);
        let own_count = |key| own(key).and_then(Value::as_u64);
        let epoch_count = |key| own_count(key).and_then(|count| u32::try_from(count).ok());
        let took = trial.started.zip(trial.completed);
        let took = took.map_or(0.0, |(start, end)| end.seconds_since(start).max(0.0));
        let (state, reason) = outcome(trial);
        let config = config(trial);
        let scheduler = own_text("scheduler").or_else(|| match config.get("scheduler") {
            Some(Scalar::Text(scheduler)) => Some(scheduler.clone()),
            _ => None,
        });
        let summary = TrialSummary {
            id: format!("s{}.{number}", self.number),
            state,
            scheduler: scheduler.unwrap_or_default(),
            config,
            seed: own_count("seed").unwrap_or(0),
            epochs: epoch_count("epochs").unwrap_or(last_epoch),
            max_epochs: epoch_count("max_epochs").unwrap_or(last_epoch),
            steps: own_count("steps").unwrap_or(0),
            value: value.map(Number),
            best_epoch: epoch_count("best_epoch").or(best_epoch),
            metrics: last.map(|(_, metrics)| metrics.clone()).unwrap_or_default(),
            seconds: Number(own("seconds").and_then(python::float).unwrap_or(took)),
            reason: own_text("reason").or(reason),
            warnings: Vec::new(),
            plugin: own_text("plugin").unwrap_or_default(),
            interventions: Vec::new(),
            deaths: Vec::new(),
            checkpoints: Vec::new(),
            rungs: Vec::new(),
            started_unix_ms: None,
            ended_unix_ms: None,
            note: attune_protocol::Note::default(),
        };
        ImportedTrial {
            trial: summary,
            epochs,
            steps: StepRows::default(),
        }
    }

    /// Epochs have 32 bits.
    fn warn_of_far_steps(&self, trials: &[ImportedTrial], warnings: &mut Vec<String>) {
        let reported: usize = self
            .journal
            .trials(self.study)
            .map(|t| t.reports.len())
            .sum();
        let kept: usize = trials.iter().map(|trial| trial.epochs.len()).sum();
        if reported > kept {
            warnings.push(format!(
                "study {:?} has {} values at steps beyond {}, which are left out",
                self.study.name,
                reported - kept,
                u32::MAX
            ));
        }
    }

    /// Attributes that users set have no place here.
    fn warn_of_attributes(&self, warnings: &mut Vec<String>) {
        let of_trials = self.journal.trials(self.study);
        let all = of_trials.map(|trial| &trial.user_attrs);
        let all = all.chain([&self.study.user_attrs]);
        let names: BTreeSet<&str> = all
            .flat_map(|attributes| attributes.keys())
            .filter(|name| !name.starts_with(OWN))
            .map(String::as_str)
            .collect();
        if names.is_empty() {
            return;
        }
        let shown: Vec<String> = names.iter().take(NAMES).map(|n| format!("{n:?}")).collect();
        let more = match names.len().saturating_sub(NAMES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        warnings.push(format!(
            "study {:?} has user attributes, which are not kept: {}{more}",
            self.study.name,
            shown.join(", ")
        ));
    }
}

/// What became of a trial. Nobody knows where one is that had not ended, so it is lost.
fn outcome(trial: &Trial) -> (TrialState, Option<String>) {
    let lost = |why: &str| (TrialState::Lost, Some(why.to_owned()));
    match trial.state {
        State::Complete => (TrialState::Done, None),
        State::Pruned => (TrialState::Stopped, None),
        State::Fail => {
            let state = match own(&trial.user_attrs, "state").and_then(Value::as_str) {
                Some("diverged") => TrialState::Diverged,
                Some("lost") => TrialState::Lost,
                _ => TrialState::Failed,
            };
            (state, None)
        }
        State::Running => lost("it was running in Optuna when its journal was read"),
        State::Waiting => lost("it waited in Optuna's queue and did not begin"),
    }
}

/// A trial's parameters; of one that did not begin, those that it was to have.
fn config(trial: &Trial) -> BTreeMap<String, Scalar> {
    if trial.state == State::Waiting
        && let Some(Value::Object(fixed)) = trial.system_attrs.get("fixed_params")
    {
        let fixed = fixed
            .iter()
            .map(|(name, value)| (name.clone(), scalar(value)));
        return fixed.collect();
    }
    trial.params.clone()
}

/// An attribute that `attune export` wrote.
fn own<'a>(attributes: &'a Operation, key: &str) -> Option<&'a Value> {
    attributes.get(&format!("{OWN}{key}"))
}
