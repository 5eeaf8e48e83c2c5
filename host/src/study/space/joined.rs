//! Settings and parameters, joined one by one: what varies, and what has one value.

use super::StudySpace;
use crate::study::choice::{Choice, SpaceEntry};
use crate::study::kinds::{ModelKind, Shared};
use crate::study::reader::SpecError;
use crate::study::settings::{self, name};
use crate::study::spec::StudySpec;
use attune_plugin_api::Param;
use attune_plugin_api::param::{Kind, Search, Value};
use attune_search::{Condition, Domain, Parameter, UncheckedSpace};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Joined {
    parameters: Vec<Parameter>,
    fixed: BTreeMap<String, Value>,
}

impl Joined {
    /// What others depend on.
    pub(super) fn add_one_of(&mut self, name: &str, names: &[&str]) {
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
    pub(super) fn add_setting(
        &mut self,
        spec: &StudySpec,
        setting: &Shared,
        kinds: &[ModelKind],
    ) -> Result<(), SpecError> {
        let name = &setting.param.name;
        let Some(entry) = spec.entry(None, name) else {
            // Where the kinds differ, each trial has that of its own kind.
            let default = match name == name::CLASS_WEIGHTS && gives_weights(spec) {
                // Nobody gives weights that no trial is to take.
                true => Some(Value::Text(settings::GIVEN.into())),
                false => setting.default().cloned(),
            };
            if let Some(default) = default {
                self.fixed.insert(name.clone(), default);
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
    pub(super) fn add(
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
    pub(super) fn refuse_rates_above(&self, spec: &StudySpec) -> Result<(), SpecError> {
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
    pub(super) fn refuse_even_kernels(&self, spec: &StudySpec) -> Result<(), SpecError> {
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

    /// Weights that are taken have to be given.
    pub(super) fn refuse_missing_weights(&self, spec: &StudySpec) -> Result<(), SpecError> {
        let Some(entry) = spec.entry(None, name::CLASS_WEIGHTS) else {
            return Ok(());
        };
        let values = entry.choice.values().unwrap_or_default();
        let is_given =
            |value: &Value| matches!(value, Value::Text(word) if word == settings::GIVEN);
        match values.iter().any(is_given) && !gives_weights(spec) {
            true => Err(spec.error_at(
                entry,
                "`class_weights` is given, but nothing gives them; add class_weights = { CLASS = \
                 5.0 } to [data]",
            )),
            false => Ok(()),
        }
    }

    pub(super) fn check(
        self,
        spec: &StudySpec,
        kinds: Vec<ModelKind>,
    ) -> Result<StudySpace, SpecError> {
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

fn gives_weights(spec: &StudySpec) -> bool {
    !spec.task.class_weights().is_empty()
}

pub(super) enum Meaning {
    Value(Value),
    Domain(Domain),
}

/// What an entry of the file means for a parameter.
pub(super) fn meaning(
    spec: &StudySpec,
    param: &Param,
    entry: &SpaceEntry,
) -> Result<Meaning, SpecError> {
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

pub(super) fn float_domain(low: f64, high: f64, log: bool) -> Domain {
    Domain::Float {
        low,
        high,
        log,
        step: None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

pub(super) fn search_value(value: &Value) -> Option<attune_search::Value> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::Int(value) => Some((*value).into()),
        Value::Float(value) => Some((*value).into()),
        Value::Text(value) => Some(value.as_str().into()),
        Value::List(_) => None,
    }
}

pub(in crate::study) fn param_value(value: &attune_search::Value) -> Value {
    match value {
        attune_search::Value::Bool(value) => Value::Bool(*value),
        attune_search::Value::Int(value) => Value::Int(*value),
        attune_search::Value::Float(value) => Value::Float(*value),
        attune_search::Value::Text(value) => Value::Text(value.clone()),
    }
}
