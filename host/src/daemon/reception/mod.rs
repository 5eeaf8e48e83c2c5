//! Where requests are checked before the engine hears of them: study files, plugins, data.
//!
//! Nothing here is under a lock that the engine needs, so a look at a large table keeps nobody
//! from training.
//!
//! New studies and hands on a trial's wheel are checked here; studies that go on in `resume`,
//! forks in `fork`, what concerns plugins in `plugins`, and what a study searches in `space`. What a
//! study would be is said in `check`, and in `estimate` how long it would take; data files are found,
//! looked at and made a study of in `data`, and what was read of them is remembered in
//! `inspections`. What people write is held to its bounds in `note`.

mod check;
mod data;
mod estimate;
mod fork;
mod inspections;
mod note;
mod plugins;
mod resume;
mod space;

pub(super) use space::last_spec;

use super::catalogue::Catalogue;
use super::engine::{Ask, Engine};
use super::hub::Hub;
use super::machine::cores;
use super::study::{Schedulers, resolve};
use super::{conflict, invalid, not_found};
use crate::places::Places;
use crate::study::spec::StudySpec;
use crate::worker::probe::Complaint;
use crate::{clock, convert};
use attune_plugin_api::param;
use attune_protocol::{Created, NewStudy, Problem, Steer};
use attune_store::{Direction, Store, StudyId, StudyRecord, StudyState, TrialId};
pub(super) use estimate::Paces;
pub(super) use inspections::Inspections;
pub(super) use note::checked as checked_note;
use std::collections::BTreeMap;
use std::path::PathBuf;
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
    pub(super) inspections: Inspections,
    pub(super) paces: Paces,
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

        let inspected = prober.inspect(&new.spec, &path).await;
        let inspected = inspected.map_err(|complaint| invalid(placed(&spec, &complaint)))?;
        if let Some(unfit) = space.unfit(&spec, inspected.inputs).into_iter().next() {
            return Err(invalid(unfit));
        }
        let parallel = parallel(&new, &spec);
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

/// What is wrong with a study's data, and which file that is in.
fn placed(spec: &StudySpec, complaint: &Complaint) -> String {
    match (complaint.key.as_str(), spec.path.as_os_str().is_empty()) {
        // What `fit` drafted is no file that could be named.
        ("objective.metric", true) => format!("--metric: {}", complaint.error),
        (key @ ("objective.metric" | "data.class_weights"), false) => {
            spec.error_about(key, &*complaint.error).to_string()
        }
        // What data are wrong with names the data's file already.
        _ => complaint.error.clone(),
    }
}

/// How many trials of a new study may be in training at a time.
fn parallel(new: &NewStudy, spec: &StudySpec) -> usize {
    let asked = new.parallel.map(usize::from).or(spec.parallel);
    asked.unwrap_or_else(|| cores().into())
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
