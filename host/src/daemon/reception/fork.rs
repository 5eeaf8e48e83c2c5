//! Trials that are trained again: whether one can be forked or retried, and the study of one trial
//! that comes of it.

use super::{Reception, no_scheduler};
use crate::clock;
use crate::convert;
use crate::daemon::catalogue::Catalogue;
use crate::daemon::engine::{Ask, in_quarantine};
use crate::daemon::study::{ForkStart, Schedulers, resolve};
use crate::daemon::trial::file;
use crate::daemon::{conflict, internal, invalid, not_found};
use crate::study::kinds::ModelKind;
use crate::study::reader::nearest;
use crate::study::settings::{self, name};
use crate::study::spec::StudySpec;
use crate::study::trial::direction_of;
use attune_plugin_api::Param;
use attune_plugin_api::param::Value;
use attune_protocol::{Fork, Forked, Problem, Steer};
use attune_store::{Best, Origin, StudyRecord, StudyState, TrialId, TrialRecord};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::sync::MutexGuard;

/// A trial that is trained again, from a checkpoint or from its beginning.
struct Again {
    of: TrialId,
    study: StudyRecord,
    trial: TrialRecord,
    /// The last step that the two have in common.
    step: u64,
    checkpoint: Option<PathBuf>,
    config: BTreeMap<String, Value>,
    /// The best of each metric so far.
    best: BTreeMap<String, Best>,
    /// What its study's name says that it is.
    called: &'static str,
    /// What its study's notes say of it.
    told: String,
}

impl Reception {
    /// A new study of one trial that goes on from another's checkpoint.
    pub(in crate::daemon) async fn fork(&self, id: TrialId, fork: Fork) -> Result<Forked, Problem> {
        let study = self.study(id.study)?;
        let trial = self.store.trial(id).map_err(|e| not_found(e.to_string()))?;
        let checkpoint = trial
            .checkpoints
            .iter()
            .filter(|checkpoint| fork.at.is_none_or(|at| checkpoint.step <= at))
            .max_by_key(|checkpoint| checkpoint.step);
        let Some(checkpoint) = checkpoint else {
            let steps: Vec<String> = trial
                .checkpoints
                .iter()
                .map(|c| c.step.to_string())
                .collect();
            return Err(conflict(match (steps.is_empty(), fork.at) {
                (false, Some(at)) => format!(
                    "trial {id} has no checkpoint at or before step {at}; it has some at steps {}",
                    steps.join(", ")
                ),
                _ => format!(
                    "trial {id} has no checkpoint to fork from: trials keep one every \
                     `checkpoint_every` seconds, at each rung that they survive, and where they \
                     are paused"
                ),
            }));
        };
        let step = checkpoint.step;
        let folder = self.places.checkpoints().join(id.study.to_string());
        let path = file::checkpoint(&folder, id.number, step);

        let mut catalogue = self.catalogue.lock().await;
        let kept = catalogue.builds(&study).await;
        let mut schedulers = kept.map_err(|error| conflict(format!("{error:#}")))?;
        if let Some(wanted) = fork
            .scheduler
            .as_ref()
            .filter(|s| !schedulers.contains_key(*s))
        {
            let found = self.look(&mut catalogue, &[]).await?;
            let names = found.schedulers.keys().map(String::as_str);
            let other = found.schedulers.get(wanted).cloned();
            let other = other.ok_or_else(|| invalid(no_scheduler(wanted, names)))?;
            schedulers.insert(wanted.clone(), other);
        }
        let config = forked_config(&trial, step, &fork, &schedulers)?;
        refuse_another_network(id, &trial, &config)?;
        let best = self.best_until(id, &trial, checkpoint.epoch, &study.metric)?;
        let again = Again {
            of: id,
            study,
            trial,
            step,
            checkpoint: Some(path),
            config,
            best,
            called: "fork of",
            told: format!("forked from trial {id} at step {step}"),
        };
        self.train_again(again, schedulers, catalogue).await
    }

    /// A new study of one trial that is another one, from its beginning.
    pub(in crate::daemon) async fn retry(&self, id: TrialId) -> Result<Forked, Problem> {
        let study = self.study(id.study)?;
        let trial = self.store.trial(id).map_err(|e| not_found(e.to_string()))?;
        if let Some(imported) = &study.imported {
            return Err(conflict(format!(
                "trial {id} was imported from {imported}, so it cannot be trained here"
            )));
        }
        if let Some(origin) = study.origin.filter(|origin| origin.step > 0) {
            let (parent, at) = (origin.trial, origin.step);
            return Err(conflict(format!(
                "trial {id} began with a checkpoint of {parent}; `attune fork {parent} --at {at}` \
                 goes on from there once more"
            )));
        }
        if trial.ended_unix_ms.is_none() && study.ended_unix_ms.is_none() {
            let state = convert::trial_state(trial.state);
            return Err(conflict(format!(
                "trial {id} has not ended, it is {state}; end it with `attune stop {id}` first"
            )));
        }
        let mut catalogue = self.catalogue.lock().await;
        let kept = catalogue.builds(&study).await;
        let schedulers = kept.map_err(|error| conflict(format!("{error:#}")))?;
        let config = forked_config(&trial, 0, &Fork::default(), &schedulers)?;
        let again = Again {
            of: id,
            study,
            trial,
            step: 0,
            checkpoint: None,
            config,
            best: BTreeMap::new(),
            called: "retry of",
            told: format!("trial {id} once more, from its beginning"),
        };
        self.train_again(again, schedulers, catalogue).await
    }

    async fn train_again(
        &self,
        again: Again,
        mut schedulers: Schedulers,
        catalogue: MutexGuard<'_, Catalogue>,
    ) -> Result<Forked, Problem> {
        let chosen = text_of(&again.config, name::SCHEDULER);
        schedulers.retain(|name, _| *name == chosen);
        let plugins = catalogue.recorded(&schedulers);
        drop(catalogue);
        let quarantined = self.store.quarantines().map_err(|e| internal(&e.into()))?;
        let used = |hash: &String| {
            schedulers
                .values()
                .any(|(_, library)| library.hash == *hash)
        };
        if let Some((_, quarantine)) = quarantined.iter().find(|(hash, _)| used(hash)) {
            return Err(conflict(in_quarantine(quarantine)));
        }

        let text = again.spec()?;
        let Again {
            of,
            study,
            trial,
            step,
            ..
        } = again;
        let spec = StudySpec::parse(Path::new(&study.file), &text).map_err(invalid)?;
        resolve(&spec, &schedulers).map_err(invalid)?;
        let mut notes = study.notes.clone();
        notes.insert(0, again.told);
        let start = ForkStart {
            checkpoint: again.checkpoint,
            config: again.config,
            seed: trial.seed,
            max_epochs: trial.max_epochs,
            plugin: plugins.get(&chosen).cloned(),
            best: again.best,
        };
        let record = StudyRecord {
            name: spec.name.clone(),
            state: StudyState::Queued,
            planned_trials: 1,
            notes,
            created_unix_ms: clock::unix_ms(),
            ended_unix_ms: None,
            reason: None,
            parallel: 1,
            plugins,
            seconds: 0.0,
            changes: Vec::new(),
            origin: Some(Origin { trial: of, step }),
            spec: text,
            attune_version: env!("CARGO_PKG_VERSION").into(),
            ..study
        };
        let ask = |reply| Ask::Create(Box::new(record), schedulers, Some(start), reply);
        let event = self.hub.last();
        let study = self.engine.ask(ask).await?;
        Ok(Forked { study, step, event })
    }

    /// The best of each metric that a trial had reached at the end of an epoch, as its trainer counts
    /// it: of equal values of the objective the one with the lower loss is the better one.
    fn best_until(
        &self,
        id: TrialId,
        trial: &TrialRecord,
        epoch: u32,
        metric: &str,
    ) -> Result<BTreeMap<String, Best>, Problem> {
        let is_within = |best: &&Best| best.epoch <= epoch;
        if trial.best_metrics.values().all(|best| is_within(&best)) {
            return Ok(trial.best_metrics.clone());
        }
        let objective = convert::on_valid(metric);
        let loss_name = convert::on_valid("loss");
        let epochs = self.store.epochs(id).map_err(|e| internal(&e.into()))?;
        let (mut bests, mut loss_of_best) = (BTreeMap::new(), f64::INFINITY);
        for (number, metrics) in epochs.iter().take_while(|(number, _)| *number <= epoch) {
            let loss = metrics.get(&loss_name).copied().unwrap_or(f64::NAN);
            for (name, value) in metrics {
                let direction = convert::direction(direction_of(name));
                let best: Option<&Best> = bests.get(name);
                let is_first = best.is_none() && !value.is_nan();
                let is_better = best.is_some_and(|best| direction.better(*value, best.value));
                let is_tie = best.is_some_and(|best| best.value == *value);
                let is_best = match *name == objective {
                    true => {
                        loss.is_finite()
                            && (is_first || is_better || (is_tie && loss < loss_of_best))
                    }
                    false => is_first || is_better,
                };
                if is_best {
                    if *name == objective {
                        loss_of_best = loss;
                    }
                    let best = Best {
                        value: *value,
                        epoch: *number,
                    };
                    bests.insert(name.clone(), best);
                }
            }
        }
        Ok(bests)
    }
}

/// The configuration of a fork: the trial's own, with what is to be another.
fn forked_config(
    trial: &TrialRecord,
    step: u64,
    fork: &Fork,
    schedulers: &Schedulers,
) -> Result<BTreeMap<String, Value>, Problem> {
    let mut config: BTreeMap<String, Value> = convert::scalars(&trial.config)
        .iter()
        .map(|(name, told)| (name.clone(), convert::value(told)))
        .collect();
    take_swaps(&mut config, trial, step);
    if let Some(scheduler) = &fork.scheduler {
        if text_of(&config, name::SCHEDULER) != *scheduler {
            config.retain(|name, _| !name.contains('.'));
        }
        config.insert(name::SCHEDULER.into(), Value::Text(scheduler.clone()));
    }
    let scheduler = text_of(&config, name::SCHEDULER);
    let Some((description, _)) = schedulers.get(&scheduler) else {
        return Err(invalid(no_scheduler(
            &scheduler,
            schedulers.keys().map(String::as_str),
        )));
    };
    let mut known: BTreeMap<String, Param> = ModelKind::of_config(&config)
        .settings()
        .into_iter()
        .map(|param| (param.name.clone(), param))
        .collect();
    for param in &description.params {
        let full = format!("{scheduler}.{}", param.name);
        config
            .entry(full.clone())
            .or_insert_with(|| param.default.clone());
        known.insert(full, param.clone());
    }
    for (key, text) in &fork.set {
        // A scheduler's parameter may be named without the scheduler.
        let full = match known.contains_key(key) {
            true => key.clone(),
            false => format!("{scheduler}.{key}"),
        };
        let Some(param) = known.get(&full) else {
            let names = known.keys().map(String::as_str);
            let hint = nearest(key, names)
                .map(|right| format!("; did you mean `{right}`?"))
                .unwrap_or_default();
            return Err(invalid(format!("there is no setting `{key}`{hint}")));
        };
        let value = param
            .accept(&written(text))
            .ok_or_else(|| invalid(format!("`{key}` is {text}, but must be a {}", param.kind)))?;
        config.insert(full, value);
    }
    Ok(config)
}

/// Who swapped the scheduler before this step forks the one that was put there.
fn take_swaps(config: &mut BTreeMap<String, Value>, trial: &TrialRecord, step: u64) {
    let done = trial.interventions.iter().filter(|done| done.step < step);
    let mut swaps = done.filter_map(|done| match &convert::intervention(done).steer {
        Steer::Swap { scheduler, params } => Some((scheduler.clone(), params.clone())),
        Steer::SetRate(_) => None,
    });
    let Some((scheduler, params)) = swaps.next_back() else {
        return;
    };
    config.retain(|name, _| !name.contains('.'));
    for (name, told) in &params {
        config.insert(format!("{scheduler}.{name}"), convert::value(told));
    }
    config.insert(name::SCHEDULER.into(), Value::Text(scheduler));
}

/// A checkpoint's parameters fit one network; nobody should find out when the fork has begun.
fn refuse_another_network(
    id: TrialId,
    trial: &TrialRecord,
    config: &BTreeMap<String, Value>,
) -> Result<(), Problem> {
    let own = convert::scalars(&trial.config);
    for key in settings::OF_NETWORK {
        // A configuration from before there was this setting is as it was then.
        let own = own.get(key).map(convert::value);
        let own = own.or_else(|| Some(ModelKind::default().setting(key)?.default));
        let (Some(own), Some(wanted)) = (own, config.get(key)) else {
            continue;
        };
        if own != *wanted {
            return Err(conflict(format!(
                "a fork cannot have `{key}` {wanted}: the checkpoint of trial {id} is of one \
                 with {own}; train another one with `attune run`"
            )));
        }
    }
    Ok(())
}

impl Again {
    /// The study file: the study's own, with each setting at one value.
    fn spec(&self) -> Result<String, Problem> {
        let mut table: toml::Table = self.study.spec.parse().map_err(invalid)?;
        let name: String = self.study.name.chars().take(60).collect();
        let name = format!("{name} {} {}", self.called, self.of);
        table.insert("name".into(), name.into());
        table.insert("trials".into(), 1.into());
        table.remove("budget");
        table.remove("parallel");
        let mut fidelity = toml::Table::new();
        fidelity.insert("method".into(), "none".into());
        let max_epochs = i64::from(self.trial.max_epochs);
        fidelity.insert("max_epochs".into(), max_epochs.into());
        table.insert("fidelity".into(), fidelity.into());
        let mut search = toml::Table::new();
        search.insert("scheduler_params".into(), false.into());
        table.insert("search".into(), search.into());
        let mut space = toml::Table::new();
        for (key, value) in &self.config {
            let value = as_toml(value);
            match key.split_once('.') {
                None => {
                    space.insert(key.clone(), value);
                }
                Some((scheduler, param)) => {
                    let section = space
                        .entry(scheduler)
                        .or_insert_with(|| toml::Table::new().into());
                    if let toml::Value::Table(section) = section {
                        section.insert(param.to_owned(), value);
                    }
                }
            }
        }
        table.insert("space".into(), space.into());
        toml::to_string(&table).map_err(invalid)
    }
}

/// A value as a user writes it: as in a study file, and words without quotes too.
fn written(text: &str) -> Value {
    let line = format!("x = {text}");
    let value = line
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut table| table.remove("x"));
    match value {
        Some(toml::Value::Boolean(value)) => Value::Bool(value),
        Some(toml::Value::Integer(value)) => Value::Int(value),
        Some(toml::Value::Float(value)) => Value::Float(value),
        Some(toml::Value::String(value)) => Value::Text(value),
        Some(toml::Value::Array(values)) => {
            let numbers = values
                .iter()
                .map(|v| v.as_float().or(v.as_integer().map(|i| i as f64)));
            match numbers.collect::<Option<Vec<f64>>>() {
                Some(numbers) => Value::List(numbers),
                None => Value::Text(text.to_owned()),
            }
        }
        _ => Value::Text(text.to_owned()),
    }
}

fn text_of(config: &BTreeMap<String, Value>, key: &str) -> String {
    config.get(key).map(ToString::to_string).unwrap_or_default()
}

fn as_toml(value: &Value) -> toml::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
        Value::List(values) => values.clone().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_in_a_study_file_and_words_need_no_quotes() {
        for (text, expected) in [
            ("0.1", Value::Float(0.1)),
            ("3", Value::Int(3)),
            ("true", Value::Bool(true)),
            ("adamw", Value::Text("adamw".into())),
            ("\"adamw\"", Value::Text("adamw".into())),
            ("[1, 0.5]", Value::List(vec![1.0, 0.5])),
            ("a b", Value::Text("a b".into())),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }
}
