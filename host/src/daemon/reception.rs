//! Where requests are checked before the engine hears of them: study files, plugins, data.
//!
//! Nothing here is under a lock that the engine needs, so a look at a large table keeps nobody
//! from training.

use super::catalogue::{Catalogue, Found};
use super::engine::{Ask, Engine, ForkStart, in_quarantine, library_stem, plugin_name};
use super::hub::Hub;
use super::study::{More, Schedulers, resolve};
use super::trial::file;
use super::{conflict, internal, invalid, not_found};
use crate::places::Places;
use crate::study::settings::{self, name};
use crate::study::spec::{StudySpec, parse_duration};
use crate::study::trial::direction_of;
use crate::{clock, convert};
use attune_plugin_api::Param;
use attune_plugin_api::param::{self, Value};
use attune_protocol::{
    Created, Fork, Forked, NewStudy, PluginInfo, Problem, ResumeStudy, Resumed, Steer,
};
use attune_store::{
    Best, Direction, Origin, Quarantine, Store, StudyId, StudyRecord, StudyState, TrialId,
    TrialRecord,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The most trials of a study at the same time.
const MAX_PARALLEL: u16 = 1024;

/// Checks requests, and passes on those that are sound.
pub(super) struct Reception {
    pub(super) engine: Engine,
    pub(super) store: Arc<Store>,
    pub(super) hub: Arc<Hub>,
    pub(super) places: Places,
    pub(super) catalogue: Mutex<Catalogue>,
}

impl Reception {
    /// Accepts a study.
    pub(super) async fn create(&self, new: NewStudy) -> Result<Created, Problem> {
        refuse_parallel(new.parallel)?;
        let path = absolute(&new.file)?;
        let spec = StudySpec::parse(&path, &new.spec).map_err(invalid)?;
        let named: Vec<PathBuf> = new
            .plugins
            .iter()
            .map(|p| absolute(p))
            .collect::<Result<_, _>>()?;
        let mut catalogue = self.catalogue.lock().await;
        let found = self.look(&mut catalogue, &named).await?;
        let mut warnings = Vec::new();
        for error in &found.errors {
            // What the configuration names concerns everybody, and so keeps nobody from working.
            if error.named && named.iter().any(|place| error.path.starts_with(place)) {
                return Err(invalid(&error.told));
            }
            warnings.push(error.told.clone());
        }
        let space = resolve(&spec, &found.schedulers).map_err(|error| {
            let mut told = error.to_string();
            if told.contains("no plugin holds a scheduler") {
                // Perhaps one of these does.
                told.extend(warnings.iter().map(|warning| format!("; {warning}")));
            }
            invalid(told)
        })?;
        let mut schedulers = found.schedulers;
        let chosen = space.schedulers();
        schedulers.retain(|name, _| chosen.contains(name));
        let plugins = catalogue.recorded(&schedulers);
        let prober = catalogue.prober().clone();
        drop(catalogue);

        let inspected = prober.inspect(&new.spec, &path).await.map_err(invalid)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let parallel = new
            .parallel
            .map(usize::from)
            .or(spec.parallel)
            .unwrap_or(cores);
        let record = StudyRecord {
            name: spec.name.clone(),
            state: StudyState::Queued,
            seed: spec.seed,
            metric: inspected.metric,
            direction: match inspected.minimize {
                true => Direction::Minimize,
                false => Direction::Maximize,
            },
            planned_trials: spec.planned_trials(),
            notes: inspected.notes.clone(),
            created_unix_ms: clock::unix_ms(),
            ended_unix_ms: None,
            attune_version: env!("CARGO_PKG_VERSION").into(),
            reason: None,
            file: path.to_string_lossy().into_owned(),
            data_hash: inspected.data_hash,
            parallel: u32::try_from(parallel).unwrap_or(u32::MAX),
            plugins,
            seconds: 0.0,
            changes: Vec::new(),
            origin: None,
            imported: None,
            swapped: BTreeMap::new(),
            spec: new.spec,
        };
        let event = self.hub.last();
        let ask = |reply| Ask::Create(Box::new(record), schedulers, None, reply);
        let study = self.engine.ask(ask).await?;
        Ok(Created {
            study,
            event,
            notes: inspected.notes,
            warnings,
        })
    }

    /// Lets a study go on, with more of what it had.
    pub(super) async fn resume(&self, id: StudyId, more: ResumeStudy) -> Result<Resumed, Problem> {
        refuse_parallel(more.parallel)?;
        let record = self.study(id)?;
        if let Some(imported) = &record.imported {
            return Err(conflict(format!(
                "study {id} was imported from {imported}, so nothing of it can be trained on"
            )));
        }
        if record.state == StudyState::Running && more == ResumeStudy::default() {
            return Err(conflict(format!(
                "study {id} is running already; give it more with `attune resume {id} --trials N` \
                 or `--budget TIME`, or another space with `--study FILE`"
            )));
        }
        let in_force = record
            .changes
            .last()
            .map_or(&record.spec, |change| &change.spec);
        let before = StudySpec::parse(Path::new(&record.file), in_force).map_err(invalid)?;
        // Mistakes are told of the file that they are in.
        let path = match &more.file {
            Some(file) => absolute(file)?,
            None => PathBuf::from(&record.file),
        };
        let text = changed(in_force, &more, &record)?;
        let (spec, changes) = match text.filter(|text| text != in_force) {
            None => (None, Vec::new()),
            Some(text) => {
                let spec = StudySpec::parse(&path, &text).map_err(invalid)?;
                refuse_other_changes(&before, &spec)?;
                let changes = differences(in_force, &text);
                (Some(spec).filter(|_| !changes.is_empty()), changes)
            }
        };
        self.refuse_too_little(id, &record, &before, spec.as_ref())?;
        let mut catalogue = self.catalogue.lock().await;
        let builds = catalogue.builds(&record).await;
        drop(catalogue);
        let schedulers =
            builds.map_err(|error| conflict(format!("study {id} cannot go on: {error:#}")))?;
        if let Some(spec) = &spec {
            let searched = searched(&schedulers, &record);
            resolve(spec, &searched).map_err(|error| {
                invalid(format!(
                    "{error:#} (a study keeps the builds of the schedulers that it began with: {})",
                    record
                        .plugins
                        .keys()
                        .cloned()
                        .collect::<Vec<_>>()
                        .join(", ")
                ))
            })?;
        }
        let more_for_it = More {
            spec,
            summary: changes.clone(),
        };
        let ask = |reply| Ask::Resume(id, schedulers, Box::new(more_for_it), more.parallel, reply);
        let event = self.hub.last();
        let study = self.engine.ask(ask).await?;
        Ok(Resumed {
            study,
            changes,
            event,
        })
    }

    /// A study that would end at once is not resumed.
    fn refuse_too_little(
        &self,
        id: StudyId,
        record: &StudyRecord,
        before: &StudySpec,
        after: Option<&StudySpec>,
    ) -> Result<(), Problem> {
        let is_over = record.state == StudyState::Done;
        let Some(after) = after else {
            return match is_over {
                false => Ok(()),
                true => Err(conflict(format!(
                    "study {id} has reached its end; give it more with `attune resume {id} \
                     --trials N` or `--budget TIME`, or another space with `--study FILE`"
                ))),
            };
        };
        let (had, has) = (before.most_trials(), after.most_trials());
        if has < had {
            return Err(invalid(match before.planned_trials() {
                0 => format!(
                    "study {id} is limited by its time alone, not by a number of trials; give it \
                     more with `--budget TIME`"
                ),
                _ => format!(
                    "study {id} has {had} trials, and cannot have fewer; {has} would be the number \
                     of all its trials"
                ),
            }));
        }
        if let Some(budget) = after.budget
            && budget.as_secs_f64() <= record.seconds
        {
            return Err(conflict(format!(
                "study {id} has spent its time, {} s; give it more with `--budget TIME`",
                budget.as_secs_f64()
            )));
        }
        let made = self
            .store
            .list_trials(id)
            .map_err(|e| internal(&e.into()))?;
        if is_over && has == had && made.len() >= has as usize {
            return Err(conflict(format!(
                "all {had} trials of study {id} have ended; give it more with `--trials N`"
            )));
        }
        Ok(())
    }

    /// A new study of one trial that goes on from another's checkpoint.
    pub(super) async fn fork(&self, id: TrialId, fork: Fork) -> Result<Forked, Problem> {
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
        let chosen = text_of(&config, name::SCHEDULER);
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

        let text = forked_spec(&study, &trial, id, &config)?;
        let spec = StudySpec::parse(Path::new(&study.file), &text).map_err(invalid)?;
        resolve(&spec, &schedulers).map_err(invalid)?;
        let mut notes = study.notes.clone();
        notes.insert(0, format!("forked from trial {id} at step {step}"));
        let plugin = plugins.get(&chosen).cloned();
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
            origin: Some(Origin { trial: id, step }),
            spec: text,
            attune_version: env!("CARGO_PKG_VERSION").into(),
            ..study
        };
        let start = ForkStart {
            checkpoint: path,
            config,
            seed: trial.seed,
            max_epochs: trial.max_epochs,
            plugin,
            best: self.best_until(id, &trial, checkpoint.epoch, &record.metric)?,
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

    /// Puts a person's hand on a trial's wheel. A scheduler that the study does not know is looked
    /// for among the plugins, and its build is kept with the study.
    pub(super) async fn steer(&self, id: TrialId, steer: Steer) -> Result<(), Problem> {
        let mut more = None;
        if let Steer::Swap { scheduler, params } = &steer {
            let study = self.study(id.study)?;
            let mut catalogue = self.catalogue.lock().await;
            let known = catalogue.builds(&study).await;
            let mut known = known.map_err(|error| conflict(format!("{error:#}")))?;
            if !known.contains_key(scheduler) {
                let found = self.look(&mut catalogue, &[]).await?.schedulers;
                let names = found.keys().map(String::as_str);
                let other = found.get(scheduler).cloned();
                let other = other.ok_or_else(|| invalid(no_scheduler(scheduler, names)))?;
                known = Schedulers::from([(scheduler.clone(), other)]);
                let build = catalogue.recorded(&known).remove(scheduler);
                more = build.zip(known.get(scheduler).cloned());
            }
            if let Some((description, _)) = known.get(scheduler) {
                let given = params
                    .iter()
                    .map(|(name, told)| (name.clone(), convert::value(told)));
                param::check(description, &given.collect()).map_err(invalid)?;
            }
        }
        self.engine
            .ask(|reply| Ask::Steer(id, Box::new(steer), more.map(Box::new), reply))
            .await
    }

    /// Every plugin that can be found, in the usual places and in these.
    pub(super) async fn plugins(&self, places: &[String]) -> Result<Vec<PluginInfo>, Problem> {
        let named: Vec<PathBuf> = places
            .iter()
            .map(|p| absolute(p))
            .collect::<Result<_, _>>()?;
        let mut catalogue = self.catalogue.lock().await;
        let mut plugins = self.look(&mut catalogue, &named).await?.plugins;
        let quarantined = self.store.quarantines().map_err(|e| internal(&e.into()))?;
        for (hash, quarantine) in quarantined {
            let told = attune_protocol::Quarantine {
                unix_ms: quarantine.unix_ms,
                name: quarantine.name,
                reason: quarantine.reason,
            };
            match plugins.iter_mut().find(|plugin| plugin.hash == hash) {
                Some(plugin) => plugin.quarantine = Some(told),
                None => plugins.push(PluginInfo {
                    path: quarantine.path,
                    hash,
                    library: None,
                    fingerprint: String::new(),
                    error: None,
                    quarantine: Some(told),
                }),
            }
        }
        Ok(plugins)
    }

    /// Lifts a quarantine; the library is named by its name or the beginning of its hash.
    pub(super) async fn release(&self, which: &str) -> Result<Vec<PluginInfo>, Problem> {
        let quarantined = self.store.quarantines().map_err(|e| internal(&e.into()))?;
        let meant: Vec<String> = quarantined
            .iter()
            .filter(|(hash, quarantine)| {
                quarantine.name == which || (which.len() >= 8 && hash.starts_with(which))
            })
            .map(|(hash, _)| hash.clone())
            .collect();
        if meant.is_empty() {
            let names: Vec<&str> = quarantined.iter().map(|(_, q)| q.name.as_str()).collect();
            return Err(not_found(match names.is_empty() {
                true => format!("no plugin is in quarantine, so `{which}` is not"),
                false => format!(
                    "`{which}` is not in quarantine; these are: {}",
                    names.join(", ")
                ),
            }));
        }
        for hash in meant {
            self.engine
                .ask(|reply| Ask::Quarantine(hash, None, reply))
                .await?;
        }
        self.plugins(&[]).await
    }

    async fn look(&self, catalogue: &mut Catalogue, named: &[PathBuf]) -> Result<Found, Problem> {
        let quarantined = self.store.quarantines().map_err(|e| internal(&e.into()))?;
        let reasons: BTreeMap<String, String> = quarantined
            .into_iter()
            .map(|(hash, q)| {
                let how = format!(
                    "it is in quarantine: {}; `attune plugin release {}` lifts it",
                    q.reason, q.name
                );
                (hash, how)
            })
            .collect();
        let found = catalogue.look(named, &reasons).await;
        for fatal in &found.fatal {
            let quarantine = Quarantine {
                unix_ms: clock::unix_ms(),
                name: plugin_name(&library_stem(&fatal.path)),
                path: fatal.path.clone(),
                reason: format!(
                    "it killed the process that asked what it holds: {}",
                    fatal.how
                ),
                deaths: Vec::new(),
            };
            let hash = fatal.hash.clone();
            self.engine
                .ask(|reply| Ask::Quarantine(hash, Some(quarantine), reply))
                .await?;
        }
        Ok(found)
    }

    fn study(&self, id: StudyId) -> Result<StudyRecord, Problem> {
        self.store.study(id).map_err(|e| not_found(e.to_string()))
    }
}

/// The schedulers that are part of a study's space, without those that people swapped in.
pub(super) fn searched(schedulers: &Schedulers, study: &StudyRecord) -> Schedulers {
    let searched = schedulers
        .iter()
        .filter(|(name, _)| study.plugins.contains_key(*name));
    searched
        .map(|(name, scheduler)| (name.clone(), scheduler.clone()))
        .collect()
}

fn absolute(path: &str) -> Result<PathBuf, Problem> {
    let path = PathBuf::from(path);
    // A study that was drafted has no file.
    match path.is_absolute() || path.as_os_str().is_empty() {
        true => Ok(path),
        false => Err(invalid(format!(
            "the path {} is not absolute, and the daemon runs in another folder",
            path.display()
        ))),
    }
}

/// Every one of them is a process.
fn refuse_parallel(parallel: Option<u16>) -> Result<(), Problem> {
    match parallel {
        Some(number) if !(1..=MAX_PARALLEL).contains(&number) => Err(invalid(format!(
            "`parallel` is {number}, but must be a whole number from 1 to {MAX_PARALLEL}"
        ))),
        _ => Ok(()),
    }
}

fn no_scheduler<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    match crate::study::reader::nearest(name, known.clone()) {
        Some(right) => format!("no plugin holds a scheduler `{name}`; did you mean `{right}`?"),
        None => format!(
            "no plugin holds a scheduler `{name}`; there are: {}",
            known.collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The study file from now on, if it is another one.
fn changed(
    in_force: &str,
    more: &ResumeStudy,
    record: &StudyRecord,
) -> Result<Option<String>, Problem> {
    if more.trials.is_none() && more.budget.is_none() {
        return Ok(more.spec.clone());
    }
    let text = more.spec.as_deref().unwrap_or(in_force);
    let mut table: toml::Table = text.parse().map_err(invalid)?;
    if let Some(trials) = more.trials {
        table.insert("trials".into(), i64::from(trials).into());
    }
    if let Some(budget) = &more.budget {
        let more = parse_duration(budget).map_err(invalid)?;
        let total = record.seconds + more.as_secs_f64();
        table.insert("budget".into(), format!("{}s", total.ceil()).into());
    }
    toml::to_string(&table).map(Some).map_err(invalid)
}

/// What a study was made with cannot change under its trials.
fn refuse_other_changes(before: &StudySpec, after: &StudySpec) -> Result<(), Problem> {
    let same = [
        ("seed", before.seed == after.seed),
        ("reproducible", before.reproducible == after.reproducible),
        ("virtual_width", before.virtual_width == after.virtual_width),
        ("[data]", before.data == after.data),
        ("[objective]", before.metric == after.metric),
        ("[fidelity]", before.fidelity == after.fidelity),
        ("[steering]", before.steering == after.steering),
    ];
    match same.iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((key, _)) => Err(invalid(format!(
            "{}: `{key}` is not as it was when the study began; only trials, budget, [space] and \
             [search] can change, so start another study with `attune run`",
            after.path.display()
        ))),
    }
}

/// What differs between two study files, a sentence each.
fn differences(before: &str, after: &str) -> Vec<String> {
    let (before, after) = (flat(before), flat(after));
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter_map(|key| match (before.get(key), after.get(key)) {
            (Some(old), Some(new)) if old != new => Some(format!("{key}: {old} → {new}")),
            (Some(old), None) => Some(format!("{key}: {old} → not given")),
            (None, Some(new)) => Some(format!("{key}: not given → {new}")),
            _ => None,
        })
        .collect()
}

/// Keys as `space.lr`, with their values as TOML.
fn flat(text: &str) -> BTreeMap<String, String> {
    fn add(prefix: &str, table: &toml::Table, flat: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let key = match prefix {
                "" => key.clone(),
                prefix => format!("{prefix}.{key}"),
            };
            match value {
                // A range is one value, though TOML calls it a table.
                toml::Value::Table(table) if !table.contains_key("low") => add(&key, table, flat),
                toml::Value::Table(range) => {
                    flat.insert(key, as_written(range));
                }
                value => {
                    flat.insert(key, value.to_string());
                }
            }
        }
    }
    let mut flattened = BTreeMap::new();
    if let Ok(table) = text.parse::<toml::Table>() {
        add("", &table, &mut flattened);
    }
    flattened
}

/// A range with its ends in the order in which people write them.
fn as_written(range: &toml::Table) -> String {
    let mut entries: Vec<(&String, &toml::Value)> = range.iter().collect();
    entries.sort_by_key(|(key, _)| match key.as_str() {
        "low" => 0,
        "high" => 1,
        _ => 2,
    });
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    format!("{{ {} }}", entries.join(", "))
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
    let mut known: BTreeMap<String, Param> = settings::all()
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
            let hint = crate::study::reader::nearest(key, names)
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

/// A checkpoint's parameters fit one network; nobody should find out when the fork has begun.
fn refuse_another_network(
    id: TrialId,
    trial: &TrialRecord,
    config: &BTreeMap<String, Value>,
) -> Result<(), Problem> {
    let own = convert::scalars(&trial.config);
    for key in [name::LAYERS, name::WIDTH, name::ACTIVATION] {
        let own = own.get(key).map(convert::value);
        let (Some(own), Some(wanted)) = (own, config.get(key)) else {
            continue;
        };
        if own != *wanted {
            return Err(conflict(format!(
                "a fork cannot have `{key}` {wanted}: the checkpoint of trial {id} is of a network \
                 with {own}; train another one with `attune run`"
            )));
        }
    }
    Ok(())
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

/// The study file of a fork: the study's own, with each setting at one value.
fn forked_spec(
    study: &StudyRecord,
    trial: &TrialRecord,
    id: TrialId,
    config: &BTreeMap<String, Value>,
) -> Result<String, Problem> {
    let mut table: toml::Table = study.spec.parse().map_err(invalid)?;
    let name: String = study.name.chars().take(60).collect();
    table.insert("name".into(), format!("{name} fork of {id}").into());
    table.insert("trials".into(), 1.into());
    table.remove("budget");
    table.remove("parallel");
    let mut fidelity = toml::Table::new();
    fidelity.insert("method".into(), "none".into());
    fidelity.insert("max_epochs".into(), i64::from(trial.max_epochs).into());
    table.insert("fidelity".into(), fidelity.into());
    let mut search = toml::Table::new();
    search.insert("scheduler_params".into(), false.into());
    table.insert("search".into(), search.into());
    let mut space = toml::Table::new();
    for (key, value) in config {
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
    fn what_differs_is_said_key_by_key() {
        let before = "trials = 4\n[space]\nlr = { low = 0.1, high = 1.0 }\nwidth = 8\n";
        let after = "trials = 8\n[space]\nlr = { low = 0.1, high = 2.0 }\ndropout = 0.1\n";
        let told = differences(before, after);
        assert_eq!(
            told,
            [
                "space.dropout: not given → 0.1",
                "space.lr: { low = 0.1, high = 1.0 } → { low = 0.1, high = 2.0 }",
                "space.width: 8 → not given",
                "trials: 4 → 8",
            ]
        );
        assert_eq!(differences(before, before), Vec::<String>::new());
    }

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
