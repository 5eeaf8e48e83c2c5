//! Replays an Optuna journal: operations in, studies and trials out.
//!
//! It does what Optuna 5 does with a journal that other processes wrote, down to what that ignores:
//! operations on studies that are gone, on trials that have ended, a study made twice, a parameter
//! whose distribution does not fit the study's. Trials are numbered through over all studies.

use super::python::{self, float};
use crate::export::timestamp::Timestamp;
use anyhow::{Context, anyhow, bail, ensure};
use attune_protocol::Scalar;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// One operation, as its line has it.
pub(super) type Operation = serde_json::Map<String, Value>;

/// All that a journal has told so far.
#[derive(Debug, Default)]
pub(super) struct Journal {
    studies: BTreeMap<usize, Study>,
    names: HashSet<String>,
    made: usize,
    trials: Vec<Trial>,
    /// Operations that a newer program wrote and Optuna 5 passes over.
    pub(super) passed_over: u64,
}

/// A study that was not deleted.
#[derive(Debug)]
pub(super) struct Study {
    pub(super) name: String,
    pub(super) directions: Vec<Toward>,
    pub(super) user_attrs: Operation,
    pub(super) system_attrs: Operation,
    /// Its trials, by number.
    trials: Vec<usize>,
    /// The first of its trials that has a parameter, by name.
    first_with: BTreeMap<String, usize>,
}

/// Which way an objective goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Toward {
    NotSet,
    Minimize,
    Maximize,
}

/// A trial.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) state: State,
    pub(super) values: Vec<f64>,
    pub(super) params: BTreeMap<String, Scalar>,
    distributions: BTreeMap<String, Distribution>,
    pub(super) user_attrs: Operation,
    pub(super) system_attrs: Operation,
    pub(super) reports: BTreeMap<u64, f64>,
    pub(super) started: Option<Timestamp>,
    pub(super) completed: Option<Timestamp>,
    study: usize,
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Complete,
    Pruned,
    Fail,
    Waiting,
}

/// Where a parameter's values come from, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
enum Distribution {
    Float { log: bool },
    Int { log: bool },
    Choice(Vec<Value>),
}

impl Journal {
    /// The studies that were not deleted, in the order in which they were made.
    pub(super) fn studies(&self) -> impl Iterator<Item = &Study> {
        self.studies.values()
    }

    /// A study's trials, in order.
    pub(super) fn trials<'j>(&'j self, study: &'j Study) -> impl Iterator<Item = &'j Trial> {
        study.trials.iter().filter_map(|at| self.trials.get(*at))
    }

    /// Does an operation.
    pub(super) fn apply(&mut self, mut line: Operation) -> anyhow::Result<()> {
        match whole(&line, "op_code")? {
            0 => self.create_study(&mut line),
            1 => self.delete_study(&line),
            2 => self.study_attributes(&mut line, "user_attr", |study| &mut study.user_attrs),
            3 => self.study_attributes(&mut line, "system_attr", |study| &mut study.system_attrs),
            4 => self.create_trial(&mut line),
            5 => self.set_param(&line),
            6 => self.set_state(&line),
            7 => self.report(&line),
            8 => self.trial_attributes(&mut line, "user_attr", |trial| &mut trial.user_attrs),
            9 => self.trial_attributes(&mut line, "system_attr", |trial| &mut trial.system_attrs),
            10 => {
                self.passed_over += 1;
                Ok(())
            }
            other => bail!("operation {other} is not one of Optuna 5; export with that version"),
        }
    }

    fn create_study(&mut self, line: &mut Operation) -> anyhow::Result<()> {
        let name = text(line, "study_name")?;
        let Some(Value::Array(directions)) = line.get("directions") else {
            bail!("`directions` is missing");
        };
        let directions = directions.iter().map(|direction| match direction.as_u64() {
            Some(0) => Ok(Toward::NotSet),
            Some(1) => Ok(Toward::Minimize),
            Some(2) => Ok(Toward::Maximize),
            _ => Err(anyhow!("{direction} is no direction")),
        });
        let directions = directions.collect::<Result<_, _>>()?;
        if !self.names.insert(name.clone()) {
            return Ok(());
        }
        let study = Study {
            name,
            directions,
            user_attrs: Operation::new(),
            system_attrs: Operation::new(),
            trials: Vec::new(),
            first_with: BTreeMap::new(),
        };
        self.studies.insert(self.made, study);
        self.made += 1;
        Ok(())
    }

    fn delete_study(&mut self, line: &Operation) -> anyhow::Result<()> {
        if let Some(study) = self.studies.remove(&whole(line, "study_id")?) {
            self.names.remove(&study.name);
        }
        Ok(())
    }

    fn study_attributes(
        &mut self,
        line: &mut Operation,
        key: &str,
        of: impl FnOnce(&mut Study) -> &mut Operation,
    ) -> anyhow::Result<()> {
        let attributes = map(line, key)?;
        if let Some(study) = self.studies.get_mut(&whole(line, "study_id")?) {
            of(study).extend(attributes);
        }
        Ok(())
    }

    fn create_trial(&mut self, line: &mut Operation) -> anyhow::Result<()> {
        let study_id = whole(line, "study_id")?;
        let Some(study) = self.studies.get_mut(&study_id) else {
            return Ok(());
        };
        let mut trial = Trial {
            state: state(line.get("state"))?.unwrap_or(State::Running),
            values: values(line)?,
            params: BTreeMap::new(),
            distributions: BTreeMap::new(),
            user_attrs: optional_map(line, "user_attrs")?,
            system_attrs: optional_map(line, "system_attrs")?,
            reports: BTreeMap::new(),
            started: time(line, "datetime_start")?,
            completed: time(line, "datetime_complete")?,
            study: study_id,
        };
        for (name, text) in optional_map(line, "distributions")? {
            let distribution = distribution(&text)
                .with_context(|| format!("the distribution of {name:?} cannot be read"))?;
            trial.distributions.insert(name, distribution);
        }
        for (name, value) in optional_map(line, "params")? {
            let distribution = trial.distributions.get(&name);
            let value = distribution
                .with_context(|| format!("parameter {name:?} has no distribution"))?
                .external(&value)
                .with_context(|| format!("parameter {name:?} cannot be read"))?;
            study.has_param(&name, study.trials.len());
            trial.params.insert(name, value);
        }
        for (step, value) in optional_map(line, "intermediate_values")? {
            let step = step.parse();
            let step = step.map_err(|_| anyhow!("an intermediate value's step is no number"))?;
            trial.reports.insert(step, number(&value)?);
        }
        study.trials.push(self.trials.len());
        self.trials.push(trial);
        Ok(())
    }

    fn set_param(&mut self, line: &Operation) -> anyhow::Result<()> {
        let name = text(line, "param_name")?;
        let value = field(line, "param_value_internal")?;
        let distribution = distribution(field(line, "distribution")?)
            .with_context(|| format!("the distribution of {name:?} cannot be read"))?;
        let trial_id = whole(line, "trial_id")?;
        let Some(study_id) = self.open(trial_id).map(|trial| trial.study) else {
            return Ok(());
        };
        // The trials of a study that was deleted can still be written to; nobody sees them.
        let Some(study) = self.studies.get_mut(&study_id) else {
            return Ok(());
        };
        let first = study.first_with.get(&name);
        let first = first.and_then(|number| self.trials.get(*study.trials.get(*number)?));
        let known = first.and_then(|trial| trial.distributions.get(&name));
        if known.is_some_and(|known| !known.goes_with(&distribution)) {
            return Ok(());
        }
        let value = distribution
            .external(value)
            .with_context(|| format!("parameter {name:?} cannot be read"))?;
        if let Ok(number) = study.trials.binary_search(&trial_id) {
            study.has_param(&name, number);
        }
        if let Some(trial) = self.trials.get_mut(trial_id) {
            trial.params.insert(name.clone(), value);
            trial.distributions.insert(name, distribution);
        }
        Ok(())
    }

    fn set_state(&mut self, line: &Operation) -> anyhow::Result<()> {
        let to = state(line.get("state"))?.context("`state` is missing")?;
        let values = values(line)?;
        let started = time(line, "datetime_start")?;
        let completed = time(line, "datetime_complete")?;
        let Some(trial) = self.open(whole(line, "trial_id")?) else {
            return Ok(());
        };
        match to {
            State::Running if trial.state == State::Running => return Ok(()),
            State::Running => trial.started = started,
            State::Waiting => {}
            State::Complete | State::Pruned | State::Fail => trial.completed = completed,
        }
        trial.state = to;
        if !values.is_empty() {
            trial.values = values;
        }
        Ok(())
    }

    fn report(&mut self, line: &Operation) -> anyhow::Result<()> {
        let step = whole(line, "step")? as u64;
        let value = number(field(line, "intermediate_value")?)?;
        if let Some(trial) = self.open(whole(line, "trial_id")?) {
            trial.reports.insert(step, value);
        }
        Ok(())
    }

    fn trial_attributes(
        &mut self,
        line: &mut Operation,
        key: &str,
        of: impl FnOnce(&mut Trial) -> &mut Operation,
    ) -> anyhow::Result<()> {
        let attributes = map(line, key)?;
        if let Some(trial) = self.open(whole(line, "trial_id")?) {
            of(trial).extend(attributes);
        }
        Ok(())
    }

    /// A trial that has not ended.
    fn open(&mut self, trial: usize) -> Option<&mut Trial> {
        let trial = self.trials.get_mut(trial)?;
        matches!(trial.state, State::Running | State::Waiting).then_some(trial)
    }
}

impl Study {
    fn has_param(&mut self, name: &str, number: usize) {
        match self.first_with.get_mut(name) {
            Some(first) => *first = number.min(*first),
            None => {
                self.first_with.insert(name.to_owned(), number);
            }
        }
    }
}

impl Distribution {
    /// Whether Optuna takes both for one parameter of one study.
    fn goes_with(&self, other: &Distribution) -> bool {
        self == other
    }

    /// The value that users see.
    fn external(&self, internal: &Value) -> anyhow::Result<Scalar> {
        let value = number(internal)?;
        match self {
            Distribution::Float { .. } => Ok(Scalar::Float(value.into())),
            Distribution::Int { .. } => match internal.as_i64() {
                Some(whole) => Ok(Scalar::Int(whole)),
                // A float turns into the nearest whole number there is.
                None if value.is_finite() => Ok(Scalar::Int(value as i64)),
                None => bail!("{value} is no whole number"),
            },
            Distribution::Choice(choices) => {
                let at = (value > -1.0).then_some(value as usize);
                let choice = at.and_then(|at| choices.get(at));
                let choice = choice.with_context(|| {
                    format!(
                        "there are {} choices, and none is number {value}",
                        choices.len()
                    )
                })?;
                Ok(scalar(choice))
            }
        }
    }
}

/// A value of a choice, or one that a user gave. What Attune has no form for is the text that
/// Python would show, or JSON.
pub(super) fn scalar(value: &Value) -> Scalar {
    match (value, value.as_i64(), float(value)) {
        (Value::Bool(value), ..) => Scalar::Bool(*value),
        (_, Some(whole), _) => Scalar::Int(whole),
        (_, _, Some(float)) => Scalar::Float(float.into()),
        (Value::String(text), ..) => Scalar::Text(text.clone()),
        (Value::Null, ..) => Scalar::Text("None".to_owned()),
        (other, ..) => Scalar::Text(other.to_string()),
    }
}

/// A distribution's JSON, which is a text in its line. The names of Optuna before version 3 are
/// read too.
fn distribution(value: &Value) -> anyhow::Result<Distribution> {
    let text = value.as_str().context("it is not a text")?;
    let all: Operation = python::from_slice(text.as_bytes())?;
    let (class, attributes) = match all.get("name") {
        Some(name) => {
            let attributes = all.get("attributes").and_then(Value::as_object);
            (name, attributes.context("`attributes` is missing")?)
        }
        None => (field(&all, "type")?, &all),
    };
    let class = class.as_str().unwrap_or_default();
    let log = attributes.get("log").and_then(Value::as_bool) == Some(true);
    match class {
        "FloatDistribution" | "float" => Ok(Distribution::Float { log }),
        "UniformDistribution" | "DiscreteUniformDistribution" => {
            Ok(Distribution::Float { log: false })
        }
        "LogUniformDistribution" => Ok(Distribution::Float { log: true }),
        "IntDistribution" | "int" => Ok(Distribution::Int { log }),
        "IntUniformDistribution" => Ok(Distribution::Int { log: false }),
        "IntLogUniformDistribution" => Ok(Distribution::Int { log: true }),
        "CategoricalDistribution" | "categorical" => {
            let choices = attributes.get("choices").and_then(Value::as_array);
            Ok(Distribution::Choice(
                choices.context("`choices` is missing")?.clone(),
            ))
        }
        other => bail!("{other:?} is not a distribution of Optuna 5"),
    }
}

fn state(value: Option<&Value>) -> anyhow::Result<Option<State>> {
    let Some(value) = value else {
        return Ok(None);
    };
    match value.as_u64() {
        Some(0) => Ok(Some(State::Running)),
        Some(1) => Ok(Some(State::Complete)),
        Some(2) => Ok(Some(State::Pruned)),
        Some(3) => Ok(Some(State::Fail)),
        Some(4) => Ok(Some(State::Waiting)),
        _ => bail!("{value} is no state of a trial"),
    }
}

/// A trial's values: several in `values`, or one in `value`.
fn values(line: &Operation) -> anyhow::Result<Vec<f64>> {
    match (line.get("values"), line.get("value")) {
        (Some(Value::Array(values)), _) => values.iter().map(number).collect(),
        (None | Some(Value::Null), None | Some(Value::Null)) => Ok(Vec::new()),
        (None | Some(Value::Null), Some(value)) => Ok(vec![number(value)?]),
        _ => bail!("`values` is no list"),
    }
}

fn time(line: &Operation, key: &str) -> anyhow::Result<Option<Timestamp>> {
    match line.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let time = value.as_str().and_then(Timestamp::parse);
            Ok(Some(time.with_context(|| format!("`{key}` is no time"))?))
        }
    }
}

fn number(value: &Value) -> anyhow::Result<f64> {
    float(value).with_context(|| format!("{value} is no number"))
}

fn field<'l>(line: &'l Operation, key: &str) -> anyhow::Result<&'l Value> {
    line.get(key).with_context(|| format!("`{key}` is missing"))
}

fn whole(line: &Operation, key: &str) -> anyhow::Result<usize> {
    let whole = field(line, key)?.as_u64();
    whole
        .and_then(|whole| usize::try_from(whole).ok())
        .with_context(|| format!("`{key}` is no whole number"))
}

fn text(line: &Operation, key: &str) -> anyhow::Result<String> {
    let text = field(line, key)?.as_str();
    Ok(text
        .with_context(|| format!("`{key}` is no text"))?
        .to_owned())
}

fn map(line: &mut Operation, key: &str) -> anyhow::Result<Operation> {
    ensure!(line.contains_key(key), "`{key}` is missing");
    optional_map(line, key)
}

fn optional_map(line: &mut Operation, key: &str) -> anyhow::Result<Operation> {
    match line.remove(key) {
        None => Ok(Operation::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => bail!("`{key}` is no object"),
    }
}
