//! Joins a study file, the trial's settings and the schedulers' descriptions into a search space.
//!
//! Nobody writes the conditional part: a scheduler's parameters are searched over the ranges that
//! it describes, and exist only in trials that it steers.

use super::kinds::{ModelKind, Shared};
use super::reader::{SpecError, nearest};
use super::settings::{self, name};
use super::spec::{Choice, SpaceEntry, StudySpec};
use attune_plugin_api::param::{Kind, Search, Value};
use attune_plugin_api::{Description, Param};
use attune_search::{Condition, Config, Domain, Parameter, Space, UncheckedSpace};
use std::collections::{BTreeMap, BTreeSet};

/// The schedulers of a study whose file names none.
const DEFAULT_SCHEDULERS: [&str; 4] = ["greedy", "cosine", "hypergradient", "one-cycle"];

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
        let searched = self.searched.parameters().iter().find_map(|parameter| {
            match (&parameter.name, &parameter.domain) {
                (name, Domain::Choice(values)) if name == name::SCHEDULER => {
                    Some(values.iter().map(ToString::to_string).collect())
                }
                _ => None,
            }
        });
        searched.unwrap_or_else(|| {
            self.fixed
                .get(name::SCHEDULER)
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

#[derive(Default)]
struct Joined {
    parameters: Vec<Parameter>,
    fixed: BTreeMap<String, Value>,
}

impl Joined {
    /// What others depend on.
    fn add_one_of(&mut self, name: &str, names: &[&str]) {
        match names {
            // There is a problem already.
            [] => {}
            [only] => {
                let value = Value::Text((*only).to_owned());
                self.fixed.insert(name.into(), value);
            }
            several => self.parameters.push(Parameter {
                name: name.into(),
                domain: Domain::Choice(several.iter().map(|name| (*name).into()).collect()),
                when: None,
            }),
        }
    }

    /// A setting, in those of these kinds of models that have it.
    fn add_setting(
        &mut self,
        spec: &StudySpec,
        setting: &Shared,
        kinds: &[ModelKind],
    ) -> Result<(), SpecError> {
        let name = &setting.param.name;
        let Some(entry) = spec.entry(None, name) else {
            // Where the kinds differ, each trial has that of its own kind.
            if let Some(default) = setting.default() {
                self.fixed.insert(name.clone(), default.clone());
            }
            return Ok(());
        };
        for (_, meant) in &setting.meanings {
            meaning(spec, meant, entry)?;
        }
        let when = (setting.meanings.len() < kinds.len()).then(|| Condition {
            parameter: name::MODEL.into(),
            any_of: setting
                .meanings
                .iter()
                .map(|(kind, _)| kind.name().into())
                .collect(),
        });
        self.add(spec, &setting.param, name.clone(), Some(entry), None, when)
    }

    /// One setting or parameter: as the file says, else over `proposed`, else at its default.
    fn add(
        &mut self,
        spec: &StudySpec,
        param: &Param,
        full_name: String,
        entry: Option<&SpaceEntry>,
        proposed: Option<Search>,
        when: Option<Condition>,
    ) -> Result<(), SpecError> {
        let domain = match (entry, proposed) {
            (Some(entry), _) => match meaning(spec, param, entry)? {
                Meaning::Value(value) => Err(value),
                Meaning::Domain(domain) => Ok(domain),
            },
            (None, Some(search)) => Ok(proposed_domain(param, search)),
            (None, None) => Err(param.default.clone()),
        };
        match domain {
            Ok(domain) => self.parameters.push(Parameter {
                name: full_name,
                domain,
                when,
            }),
            Err(value) => {
                self.fixed.insert(full_name, value);
            }
        }
        Ok(())
    }

    /// A starting rate above the highest one that is ever used would fail every trial that has it.
    fn refuse_rates_above(&self, spec: &StudySpec) -> Result<(), SpecError> {
        let searched = self.parameters.iter().find(|p| p.name == name::LR);
        let highest = match (searched.map(|p| &p.domain), self.fixed.get(name::LR)) {
            (Some(Domain::Float { high, .. }), _) => *high,
            (Some(Domain::Choice(values)), _) => values
                .iter()
                .filter_map(|value| number(&param_value(value)))
                .fold(0.0, f64::max),
            (_, Some(fixed)) => number(fixed).unwrap_or(0.0),
            _ => 0.0,
        };
        let max_lr = spec.steering.max_lr;
        if highest <= max_lr {
            return Ok(());
        }
        let message = format!(
            "`lr` goes up to {highest}, above `max_lr` in [steering], which is {max_lr}; lower \
             the one or raise the other"
        );
        Err(match spec.entry(None, name::LR) {
            Some(entry) => spec.error_at(entry, message),
            None => spec.error_about("steering.max_lr", message),
        })
    }

    /// A picture's point is the middle of its square.
    fn refuse_even_kernels(&self, spec: &StudySpec) -> Result<(), SpecError> {
        let searched = self.parameters.iter().find(|p| p.name == name::KERNEL);
        let is_odd = |value: &Value| matches!(value, Value::Int(side) if side % 2 == 1);
        let all_odd = match searched.map(|p| &p.domain) {
            Some(Domain::Choice(sides)) => sides.iter().map(param_value).all(|side| is_odd(&side)),
            Some(_) => false,
            None => self.fixed.get(name::KERNEL).is_none_or(is_odd),
        };
        match (all_odd, spec.entry(None, name::KERNEL)) {
            (false, Some(entry)) => Err(spec.error_at(
                entry,
                "`kernel` must be odd, such as 3 or [3, 5]: its middle is the point that it makes",
            )),
            _ => Ok(()),
        }
    }

    fn check(self, spec: &StudySpec, kinds: Vec<ModelKind>) -> Result<StudySpace, SpecError> {
        let space = UncheckedSpace {
            parameters: self.parameters,
        };
        let searched = space.check().map_err(|error| {
            // Every range was checked where it stands, so what is left concerns the whole.
            spec.error_about("space", format!("[space] cannot be searched: {error}"))
        })?;
        Ok(StudySpace {
            searched,
            kinds,
            fixed: self.fixed,
        })
    }
}

enum Meaning {
    Value(Value),
    Domain(Domain),
}

/// What an entry of the file means for a parameter.
fn meaning(spec: &StudySpec, param: &Param, entry: &SpaceEntry) -> Result<Meaning, SpecError> {
    let accept = |value: &Value| {
        param.accept(value).ok_or_else(|| {
            spec.error_at(
                entry,
                format!("`{}` is {value}, but must be a {}", entry.key, param.kind),
            )
        })
    };
    match &entry.choice {
        Choice::Fixed(value) => Ok(Meaning::Value(accept(value)?)),
        Choice::Among(values) => match &param.kind {
            Kind::PerGroup(_) | Kind::Steps => {
                let numbers = values.iter().map(number).collect::<Option<Vec<f64>>>();
                let list = numbers.map_or_else(|| values[0].clone(), Value::List);
                Ok(Meaning::Value(accept(&list)?))
            }
            _ => {
                let values = values.iter().map(accept).collect::<Result<Vec<_>, _>>()?;
                match values.as_slice() {
                    [only] => Ok(Meaning::Value(only.clone())),
                    several => {
                        let several = several.iter().filter_map(search_value).collect();
                        Ok(Meaning::Domain(Domain::Choice(several)))
                    }
                }
            }
        },
        Choice::Between { low, high, log } => {
            let end = |end: f64| match param.kind {
                Kind::Int { .. } if end.fract() == 0.0 => Value::Int(end as i64),
                _ => Value::Float(end),
            };
            let ends = (accept(&end(*low))?, accept(&end(*high))?);
            Ok(Meaning::Domain(match ends {
                (Value::Int(low), Value::Int(high)) => Domain::Int {
                    low,
                    high,
                    log: *log,
                },
                _ => float_domain(*low, *high, *log),
            }))
        }
        Choice::Proposed => match param.search {
            Some(search) => Ok(Meaning::Domain(proposed_domain(param, search))),
            None => Err(spec.error_at(
                entry,
                format!(
                    "`{}` proposes no range to search; write {{ low = .., high = .. }} or a list",
                    entry.key
                ),
            )),
        },
    }
}

fn proposed_domain(param: &Param, search: Search) -> Domain {
    let (low, high, log) = match search {
        Search::Linear(low, high) => (low, high, false),
        Search::Log(low, high) => (low, high, true),
        Search::All => {
            return Domain::Choice(match &param.kind {
                Kind::Choice { choices } => choices.iter().map(|c| c.as_str().into()).collect(),
                _ => vec![false.into(), true.into()],
            });
        }
    };
    match param.kind {
        Kind::Int { .. } => Domain::Int {
            low: low as i64,
            high: high as i64,
            log,
        },
        _ => float_domain(low, high, log),
    }
}

fn float_domain(low: f64, high: f64, log: bool) -> Domain {
    Domain::Float {
        low,
        high,
        log,
        step: None,
    }
}

/// The schedulers that the file names, as far as there are such.
fn chosen_schedulers<'a>(
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
    let names = match &entry.choice {
        Choice::Proposed => return available.to_vec(),
        Choice::Fixed(value) => std::slice::from_ref(value),
        Choice::Among(values) => values.as_slice(),
        Choice::Between { .. } => {
            let message = "`scheduler` must be a name or a list of names";
            problems.push(spec.error_at(entry, message));
            return Vec::new();
        }
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
fn chosen_kinds(spec: &StudySpec, problems: &mut Vec<SpecError>) -> Vec<ModelKind> {
    let usual = spec.task.usual_kind();
    let Some(entry) = spec.entry(None, name::MODEL) else {
        return vec![usual];
    };
    let fitting = spec.task.kinds();
    let known = || fitting.iter().map(|kind| kind.name());
    let told = || known().collect::<Vec<_>>().join(", ");
    let names = match &entry.choice {
        Choice::Fixed(value) => std::slice::from_ref(value),
        Choice::Among(values) => values.as_slice(),
        Choice::Proposed | Choice::Between { .. } => {
            let message = format!(
                "`model` must be a kind of model or a list of kinds: {}",
                told()
            );
            problems.push(spec.error_at(entry, message));
            return vec![usual];
        }
    };
    let unknown = |name: &str| {
        if ModelKind::of(name).is_some() {
            let section = spec.task.section();
            return format!(
                "`{name}` is not trained on [{section}]; it takes {}",
                told()
            );
        }
        let remedy = match nearest(name, known()) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("there are {}", told()),
        };
        format!("there is no kind of model `{name}`; {remedy}")
    };
    let find = |name: &str| ModelKind::of(name).filter(|kind| fitting.contains(kind));
    let mut chosen = each_named(spec, entry, names, find, unknown, problems);
    if chosen.is_empty() {
        chosen.push(usual);
    }
    chosen
}

/// A kind of model that lacks its base, or a base that no kind adapts.
fn without_base(spec: &StudySpec, kinds: &[ModelKind]) -> Option<SpecError> {
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
fn unknown_entries<'s>(
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

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

fn search_value(value: &Value) -> Option<attune_search::Value> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::Int(value) => Some((*value).into()),
        Value::Float(value) => Some((*value).into()),
        Value::Text(value) => Some(value.as_str().into()),
        Value::List(_) => None,
    }
}

pub(super) fn param_value(value: &attune_search::Value) -> Value {
    match value {
        attune_search::Value::Bool(value) => Value::Bool(*value),
        attune_search::Value::Int(value) => Value::Int(*value),
        attune_search::Value::Float(value) => Value::Float(*value),
        attune_search::Value::Text(value) => Value::Text(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attune_search::TrialNumber;
    use attune_search::searcher::{Random, Searcher};
    use std::path::Path;

    fn greedy() -> Description {
        Description::new("greedy", "")
            .param(Param::int("patience", 10).search(1, 20))
            .param(Param::float("factor", 0.95).above(0.0).below(1.0))
            .param(Param::per_group("min_lr", 1e-3))
    }

    fn cosine() -> Description {
        Description::new("cosine", "").param(Param::float("warmup", 0.0).search(0.0, 0.2))
    }

    fn resolve(space: &str) -> Result<StudySpace, SpecError> {
        let text = format!("[data]\npath = 'd.csv'\ntarget = 'y'\n[space]\n{space}");
        let spec = StudySpec::parse(Path::new("s.toml"), &text)?;
        StudySpace::resolve(&spec, &[&greedy(), &cosine()])
    }

    #[test]
    fn a_scheduler_brings_its_parameters_and_only_its_own() {
        let space = resolve("scheduler = ['greedy', 'cosine']\nlr = 'search'").unwrap();
        let mut random = Random::new(space.searched.clone(), 3);
        let mut seen = std::collections::BTreeSet::new();
        for trial in 0..20 {
            let config = space.complete(&random.suggest(TrialNumber(trial)).unwrap());
            let Value::Text(scheduler) = &config["scheduler"] else {
                panic!("{config:?}");
            };
            let own: Vec<&String> = config.keys().filter(|k| k.contains('.')).collect();
            let expected: Vec<String> = match scheduler.as_str() {
                "greedy" => ["factor", "min_lr", "patience"]
                    .map(|p| format!("greedy.{p}"))
                    .into(),
                _ => vec!["cosine.warmup".into()],
            };
            assert_eq!(own, expected.iter().collect::<Vec<_>>());
            assert!(matches!(config["lr"], Value::Float(lr) if (0.01..=0.3).contains(&lr)));
            assert_eq!(config["optimizer"], Value::Text("nesterov".into()));
            seen.insert(scheduler.clone());
        }
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn a_kind_of_model_brings_its_settings_and_only_its_own() {
        let kinds = "['linear', 'mlp', 'cnn', 'tabular-resnet']";
        let text = format!(
            "scheduler = 'cosine'\nmodel = {kinds}\nlayers = [1, 2]\nkernel = [3, 5]\ndropout = 0.1"
        );
        let space = resolve(&text).unwrap();
        let mut random = Random::new(space.searched.clone(), 3);
        let mut seen = std::collections::BTreeSet::new();
        for trial in 0..40 {
            let config = space.complete(&random.suggest(TrialNumber(trial)).unwrap());
            let own: Vec<&str> = config
                .keys()
                .map(String::as_str)
                .filter(|name| settings::OF_NETWORK.contains(name) || *name == name::DROPOUT)
                .collect();
            let kind = ModelKind::of_config(&config);
            let (own_settings, width): (&[&str], _) = match kind {
                ModelKind::Linear => (&["model"], None),
                ModelKind::Mlp => (
                    &[
                        "activation",
                        "dropout",
                        "layers",
                        "model",
                        "norm",
                        "residual",
                        "width",
                    ],
                    Some(Value::Int(128)),
                ),
                ModelKind::Cnn => (
                    &[
                        "activation",
                        "dropout",
                        "global_average",
                        "kernel",
                        "layers",
                        "model",
                        "norm",
                        "pooling",
                        "residual",
                        "width",
                    ],
                    Some(Value::Int(16)),
                ),
                ModelKind::TabularResnet => (
                    &[
                        "activation",
                        "dropout",
                        "expansion",
                        "layers",
                        "model",
                        "width",
                    ],
                    Some(Value::Int(128)),
                ),
                kind => panic!("{kind} was not chosen"),
            };
            assert_eq!(own, own_settings, "{kind}");
            assert_eq!(config.get("width"), width.as_ref(), "{kind}");
            super::super::trial::model(&config).unwrap();
            seen.insert(kind.name());
        }
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn the_file_overrides_what_a_scheduler_proposes() {
        let space =
            resolve("scheduler = 'greedy'\ngreedy.patience = 4\ngreedy.min_lr = [0.1, 0.2]");
        let space = space.unwrap();
        assert_eq!(space.searched.dimensions(), 0);
        let config = space.complete(&Config::default());
        assert_eq!(config["greedy.patience"], Value::Int(4));
        assert_eq!(config["greedy.min_lr"], Value::List(vec![0.1, 0.2]));
        assert_eq!(config["greedy.factor"], Value::Float(0.95));
        assert_eq!(space.schedulers(), ["greedy"]);
    }

    #[test]
    fn every_mistake_is_told_at_once_and_the_rest_is_a_space() {
        let text = "[data]\npath = 'd.csv'\ntarget = 'y'\n[space]\nscheduler = ['greedy', 'cosin']\n\
                    lr = -1\nwidht = 3\ngreedy.patience = 'x'\nlayers = [1, 2]\n";
        let spec = StudySpec::parse(Path::new("s.toml"), text).unwrap();
        let (space, problems) = StudySpace::check(&spec, &[&greedy(), &cosine()]);
        let mut told: Vec<(usize, &str)> =
            problems.iter().map(|p| (p.line, p.key.as_str())).collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                (5, "space.scheduler"),
                (6, "space.lr"),
                (7, "space.widht"),
                (8, "space.greedy.patience"),
            ]
        );
        let space = space.unwrap();
        assert_eq!(space.schedulers(), ["greedy"]);
        let searched = space.searched.parameters().iter();
        assert!(searched.map(|p| p.name.as_str()).eq(["layers"]));
    }

    #[test]
    fn mistakes_are_placed_and_have_a_remedy() {
        let table = [
            (
                "scheduler = 'gredy'",
                "no plugin holds a scheduler `gredy`; did you mean `greedy`?",
            ),
            (
                "scheduler = ['cosine', 'cosine']",
                "`cosine` is listed twice",
            ),
            (
                "lrr = 0.1",
                "a trial has no setting `lrr`; did you mean `lr`?",
            ),
            (
                "lr = -0.1",
                "`lr` is -0.1, but must be a number in (0, 1000]",
            ),
            (
                "lr = { low = 0.1, high = 1e9 }",
                "`lr` is 1000000000.0, but must be a number",
            ),
            (
                "width = { low = 1.5, high = 3 }",
                "`width` is 1.5, but must be a whole number",
            ),
            (
                "optimizer = ['sgd', 'adamm']",
                "`optimizer` is adamm, but must be a word, one of sgd",
            ),
            (
                "greedy.patiense = 3",
                "has no parameter `patiense`; did you mean `patience`?",
            ),
            (
                "scheduler = 'cosine'\ngreedy.patience = 3",
                "`greedy` is not a scheduler of this study",
            ),
            (
                "greedy.factor = 'search'",
                "`factor` proposes no range to search",
            ),
            (
                "model = 'mpl'",
                "there is no kind of model `mpl`; did you mean `mlp`?",
            ),
            ("model = ['cnn', 'cnn']", "`cnn` is listed twice"),
            (
                "model = 'search'",
                "`model` must be a kind of model or a list",
            ),
            (
                "model = ['mlp', 'linear']\nkernel = 3",
                "`kernel` is a setting of cnn, but the models of this study are mlp, linear",
            ),
            (
                "model = ['mlp', 'cnn']\nlayers = 0",
                "`layers` is 0, but must be a whole number in [1, 16]",
            ),
            (
                "model = ['mlp', 'cnn']\nnorm = ['layer', 'none']",
                "`norm` is layer, but must be a word, one of none, batch",
            ),
            (
                "model = ['mlp', 'cnn']\nwidth = 'search'",
                "`width` proposes no range to search",
            ),
            ("model = 'cnn'\nkernel = [3, 4]", "`kernel` must be odd"),
            (
                "model = 'cnn'\nkernel = { low = 1, high = 5 }",
                "`kernel` must be odd",
            ),
        ];
        for (text, expected) in table {
            let error = resolve(text).unwrap_err();
            assert!(
                error.to_string().contains(expected),
                "{text}\n gave {error}"
            );
            assert!(error.line >= 5, "{error}");
        }
    }
}
