//! Joins a study file, the trial's settings and the schedulers' descriptions into a search space.
//!
//! Nobody writes the conditional part: a scheduler's parameters are searched over the ranges that
//! it describes, and exist only in trials that it steers.

mod joined;
mod names;

pub(super) use joined::param_value;

use super::choice::Choice;
use super::kinds::{ModelKind, Shared};
use super::reader::SpecError;
use super::settings::name;
use super::spec::StudySpec;
use attune_plugin_api::Description;
use attune_plugin_api::param::Value;
use attune_search::{Condition, Config, Domain, Space};
use joined::{Joined, Meaning, float_domain, meaning, search_value};
use names::{chosen_kinds, chosen_schedulers, unknown_entries, without_base};
use std::collections::BTreeMap;

/// What varies between trials and what does not.
#[derive(Debug)]
pub(crate) struct StudySpace {
    /// What the searcher draws from.
    pub(crate) searched: Space,
    /// The kinds of models that are tried.
    pub(crate) kinds: Vec<ModelKind>,
    /// The settings and parameters with one value, by the same names; a scheduler's are left out
    /// of a configuration that it does not steer.
    pub(super) fixed: BTreeMap<String, Value>,
}

/// A whole configuration: every setting of the trial, and every parameter of its scheduler as
/// `SCHEDULER.PARAMETER`.
pub(crate) type FullConfig = BTreeMap<String, Value>;

impl StudySpace {
    /// Checks the file's `[space]` against the trial's settings and these schedulers.
    pub(crate) fn resolve(spec: &StudySpec, available: &[&Description]) -> Result<Self, SpecError> {
        let (space, problems) = Self::check(spec, available);
        match problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => space,
        }
    }

    /// As [`resolve`](Self::resolve), but tells everything that is wrong, and takes the rest as if
    /// what is wrong were not there; there is no space only where that cannot be searched either.
    pub(crate) fn check(
        spec: &StudySpec,
        available: &[&Description],
    ) -> (Result<Self, SpecError>, Vec<SpecError>) {
        let mut problems = Vec::new();
        let schedulers = chosen_schedulers(spec, available, &mut problems);
        // Without its schedulers nobody knows what may stand in their tables.
        let is_complete = problems.is_empty();
        let kinds = chosen_kinds(spec, &mut problems);
        problems.extend(without_base(spec, &kinds));
        problems.extend(
            unknown_entries(spec, &kinds, &schedulers)
                .into_iter()
                .filter(|(entry, _)| is_complete || entry.scheduler.is_none())
                .map(|(_, problem)| problem),
        );

        let mut joined = Joined::default();
        let names = schedulers.iter().map(|scheduler| scheduler.name.as_str());
        joined.add_one_of(name::SCHEDULER, &names.collect::<Vec<_>>());
        let names = kinds.iter().map(|kind| kind.name());
        joined.add_one_of(name::MODEL, &names.collect::<Vec<_>>());
        for setting in Shared::all(&kinds) {
            if setting.param.name != name::MODEL {
                problems.extend(joined.add_setting(spec, &setting, &kinds).err());
            }
        }
        for scheduler in &schedulers {
            let when = (schedulers.len() > 1).then(|| Condition {
                parameter: name::SCHEDULER.into(),
                any_of: vec![scheduler.name.as_str().into()],
            });
            for param in &scheduler.params {
                let entry = spec.entry(Some(&scheduler.name), &param.name);
                let proposed = param.search.filter(|_| spec.search.scheduler_params);
                let full_name = format!("{}.{}", scheduler.name, param.name);
                let added = joined.add(spec, param, full_name, entry, proposed, when.clone());
                problems.extend(added.err());
            }
        }
        problems.extend(joined.refuse_rates_above(spec).err());
        problems.extend(joined.refuse_even_kernels(spec).err());
        problems.extend(joined.refuse_missing_weights(spec).err());
        let space = joined.check(spec, kinds);
        if let (Err(problem), true) = (&space, problems.is_empty()) {
            problems.push(problem.clone());
        }
        (space, problems)
    }

    /// A searcher's suggestion with everything that is not searched.
    pub(crate) fn complete(&self, suggested: &Config) -> FullConfig {
        let mut config: FullConfig = suggested
            .iter()
            .map(|(name, value)| (name.to_owned(), param_value(value)))
            .collect();
        for (name, value) in &self.fixed {
            config.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let steered_by = match config.get(name::SCHEDULER) {
            Some(Value::Text(scheduler)) => format!("{scheduler}."),
            _ => String::new(),
        };
        let of_kind: FullConfig = ModelKind::of_config(&config)
            .settings()
            .into_iter()
            .map(|param| (param.name, param.default))
            .collect();
        config.retain(|name, _| {
            name.starts_with(&steered_by) || name == name::SCHEDULER || of_kind.contains_key(name)
        });
        for (name, default) in of_kind {
            config.entry(name).or_insert(default);
        }
        config
    }

    /// The value of a setting that every trial has.
    pub(crate) fn fixed(&self, name: &str) -> Option<&Value> {
        self.fixed.get(name)
    }

    /// The schedulers that a trial may be steered by.
    pub(crate) fn schedulers(&self) -> Vec<String> {
        self.words(name::SCHEDULER)
    }

    /// The words that a setting may be; none where no trial has it.
    pub(crate) fn words(&self, setting: &str) -> Vec<String> {
        let searched = self.searched.parameters().iter().find_map(|parameter| {
            match (&parameter.name, &parameter.domain) {
                (name, Domain::Choice(values)) if name == setting => {
                    Some(values.iter().map(ToString::to_string).collect())
                }
                _ => None,
            }
        });
        searched.unwrap_or_else(|| {
            self.fixed
                .get(setting)
                .map(|value| vec![value.to_string()])
                .unwrap_or_default()
        })
    }
}

/// The domains that a file states by itself: those of the trial's settings, and the ranges and lists
/// that it has for schedulers. What is wrong with it is left out.
pub(crate) fn stated(spec: &StudySpec) -> BTreeMap<String, Domain> {
    let mut stated = BTreeMap::new();
    for Shared { param, .. } in Shared::all(&chosen_kinds(spec, &mut Vec::new())) {
        let entry = spec.entry(None, &param.name);
        let meant = entry.and_then(|entry| meaning(spec, &param, entry).ok());
        if let Some(Meaning::Domain(domain)) = meant {
            stated.insert(param.name, domain);
        }
    }
    for entry in &spec.space {
        let full_name = match &entry.scheduler {
            Some(scheduler) => format!("{scheduler}.{}", entry.key),
            None if entry.key == name::SCHEDULER => entry.key.clone(),
            None => continue,
        };
        let domain = match &entry.choice {
            Choice::Between { low, high, log } => float_domain(*low, *high, *log),
            Choice::Among(values) => {
                Domain::Choice(values.iter().filter_map(search_value).collect())
            }
            Choice::Fixed(_) | Choice::Proposed => continue,
        };
        stated.insert(full_name, domain);
    }
    stated
}

#[cfg(test)]
mod tests;
