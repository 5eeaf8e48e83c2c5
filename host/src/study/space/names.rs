//! What a study file names: schedulers, kinds of models, settings and parameters; and what it names
//! that is not there.

use crate::study::choice::{Choice, SpaceEntry};
use crate::study::kinds::ModelKind;
use crate::study::reader::{SpecError, nearest};
use crate::study::settings::{self, name};
use crate::study::spec::StudySpec;
use attune_plugin_api::Description;
use attune_plugin_api::param::Value;
use std::collections::BTreeSet;

/// The schedulers of a study whose file names none.
const DEFAULT_SCHEDULERS: [&str; 4] = ["greedy", "cosine", "hypergradient", "one-cycle"];

/// The schedulers that the file names, as far as there are such.
pub(super) fn chosen_schedulers<'a>(
    spec: &StudySpec,
    available: &[&'a Description],
    problems: &mut Vec<SpecError>,
) -> Vec<&'a Description> {
    let known = || {
        available
            .iter()
            .map(|description| description.name.as_str())
    };
    let find = |name: &str| available.iter().copied().find(|d| d.name == name);
    let Some(entry) = spec.entry(None, name::SCHEDULER) else {
        let found: Vec<_> = DEFAULT_SCHEDULERS.into_iter().filter_map(find).collect();
        if found.is_empty() {
            problems.push(no_schedulers(spec));
        }
        return found;
    };
    if entry.choice == Choice::Proposed {
        return available.to_vec();
    }
    let Some(names) = entry.choice.values() else {
        let message = "`scheduler` must be a name or a list of names";
        problems.push(spec.error_at(entry, message));
        return Vec::new();
    };
    let unknown = |name: &str| {
        let remedy = match nearest(name, known()) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("loaded are: {}", known().collect::<Vec<_>>().join(", ")),
        };
        format!("no plugin holds a scheduler `{name}`; {remedy}")
    };
    each_named(spec, entry, names, find, unknown, problems)
}

/// What the values of an entry name, each once, as far as there is such.
fn each_named<T>(
    spec: &StudySpec,
    entry: &SpaceEntry,
    values: &[Value],
    find: impl Fn(&str) -> Option<T>,
    unknown: impl Fn(&str) -> String,
    problems: &mut Vec<SpecError>,
) -> Vec<T> {
    let (mut names, mut named) = (BTreeSet::new(), Vec::new());
    for value in values {
        let name = value.to_string();
        match find(&name) {
            None => problems.push(spec.error_at(entry, unknown(&name))),
            Some(_) if names.contains(&name) => {
                problems.push(spec.error_at(entry, format!("`{name}` is listed twice")));
            }
            Some(one) => {
                named.push(one);
                names.insert(name);
            }
        }
    }
    named
}

/// The kinds of models that the file names, as far as they can be trained so; the usual one where it
/// names none.
pub(super) fn chosen_kinds(spec: &StudySpec, problems: &mut Vec<SpecError>) -> Vec<ModelKind> {
    let usual = spec.task.usual_kind();
    let Some(entry) = spec.entry(None, name::MODEL) else {
        return vec![usual];
    };
    let fitting = spec.task.kinds();
    let told = || {
        let names: Vec<&str> = fitting.iter().map(|kind| kind.name()).collect();
        names.join(", ")
    };
    let Some(names) = entry.choice.values() else {
        let message = format!(
            "`model` must be a kind of model or a list of kinds: {}",
            told()
        );
        problems.push(spec.error_at(entry, message));
        return vec![usual];
    };
    let unknown = |name: &str| {
        if ModelKind::of(name).is_some() {
            let section = spec.task.section();
            return format!(
                "`{name}` is not trained on [{section}]; it takes {}",
                told()
            );
        }
        ModelKind::unknown(name, &fitting)
    };
    let find = |name: &str| ModelKind::of(name).filter(|kind| fitting.contains(kind));
    let mut chosen = each_named(spec, entry, names, find, unknown, problems);
    if chosen.is_empty() {
        chosen.push(usual);
    }
    chosen
}

/// A kind of model that lacks its base, or a base that no kind adapts.
pub(super) fn without_base(spec: &StudySpec, kinds: &[ModelKind]) -> Option<SpecError> {
    let adapts = kinds.contains(&ModelKind::Adapter);
    match (spec.task.base(), adapts) {
        (None, true) => Some(spec.error_about(
            "space.model",
            "`adapter` adapts a trained model, but there is none; name it in [data] as base = \
             \"MODEL.safetensors\"",
        )),
        (Some(_), false) => Some(spec.error_about(
            "data.base",
            "`base` is given, but no model of this study adapts it; add \"adapter\" to `model`, or \
             leave `base` out",
        )),
        _ => None,
    }
}

fn no_schedulers(spec: &StudySpec) -> SpecError {
    let message = format!(
        "none of the usual schedulers ({}) is loaded; build the plugins with `cargo build \
         --release`, or name a scheduler in [space] and its library with --plugin",
        DEFAULT_SCHEDULERS.join(", ")
    );
    spec.error_about("space.scheduler", message)
}

/// The entries of the file that nothing in the study knows.
pub(super) fn unknown_entries<'s>(
    spec: &'s StudySpec,
    kinds: &[ModelKind],
    schedulers: &[&Description],
) -> Vec<(&'s SpaceEntry, SpecError)> {
    let settings = settings::all();
    let problem = |entry: &SpaceEntry| {
        let Some(scheduler) = &entry.scheduler else {
            let known = || {
                let own = settings.iter().map(|setting| setting.name.as_str());
                own.chain([name::SCHEDULER])
            };
            if !known().any(|name| name == entry.key) {
                let known = known().collect();
                return Some(unknown(spec, entry, "a trial has no setting", known));
            }
            let has = |kind: &ModelKind| kind.setting(&entry.key).is_some();
            let is_of_none = entry.key != name::SCHEDULER && !kinds.iter().any(has);
            return is_of_none.then(|| of_another_kind(spec, entry, kinds));
        };
        let Some(described) = schedulers.iter().find(|s| s.name == *scheduler) else {
            let names: Vec<&str> = schedulers.iter().map(|s| s.name.as_str()).collect();
            let remedy = match nearest(scheduler, names.iter().copied()) {
                Some(right) => format!("did you mean `{right}`?"),
                None => format!("its schedulers are: {}", names.join(", ")),
            };
            return Some(spec.error_at(
                entry,
                format!("`{scheduler}` is not a scheduler of this study; {remedy}"),
            ));
        };
        if described.find(&entry.key).is_some() {
            return None;
        }
        let known = described.params.iter().map(|p| p.name.as_str()).collect();
        let what = format!("scheduler `{scheduler}` has no parameter");
        Some(unknown(spec, entry, &what, known))
    };
    let problems = spec
        .space
        .iter()
        .filter_map(|entry| Some((entry, problem(entry)?)));
    problems.collect()
}

fn of_another_kind(spec: &StudySpec, entry: &SpaceEntry, kinds: &[ModelKind]) -> SpecError {
    let told = |kinds: &mut dyn Iterator<Item = &ModelKind>| {
        let names: Vec<&str> = kinds.map(|kind| kind.name()).collect();
        names.join(", ")
    };
    let have = &mut ModelKind::ALL
        .iter()
        .filter(|kind| kind.setting(&entry.key).is_some());
    spec.error_at(
        entry,
        format!(
            "`{}` is a setting of {}, but the models of this study are {}; leave it out, or name \
             another kind as `model`",
            entry.key,
            told(have),
            told(&mut kinds.iter())
        ),
    )
}

fn unknown(spec: &StudySpec, entry: &SpaceEntry, what: &str, known: Vec<&str>) -> SpecError {
    let remedy = match nearest(&entry.key, known.iter().copied()) {
        Some(right) => format!("did you mean `{right}`?"),
        None => format!("known are: {}", known.join(", ")),
    };
    spec.error_at(entry, format!("{what} `{}`; {remedy}", entry.key))
}
