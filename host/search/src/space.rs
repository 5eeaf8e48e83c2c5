//! Search spaces: named parameters, their domains, and conditions under which they exist.
//!
//! A space is described as an [`UncheckedSpace`] and becomes a [`Space`] by [`UncheckedSpace::check`];
//! searchers only ever see the checked form, which is also the only one that can be read back from
//! storage.

mod counting;
mod domain;
mod value;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use counting::Counts;
pub use domain::{Domain, DomainError};
pub use value::{Config, Value};

/// One named dimension of a space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name, unique in the space.
    pub name: String,
    /// The values it may take.
    pub domain: Domain,
    /// When it exists at all; without a condition, always.
    pub when: Option<Condition>,
}

/// A parameter exists only while another one has one of certain values.
///
/// The other one may itself be conditional, and the space may so be a tree of any depth: where a
/// parent does not exist, its children do not either.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The other parameter: a choice or a whole number, listed before this one.
    pub parameter: String,
    /// The values under which this one exists.
    pub any_of: Vec<Value>,
}

/// A space as somebody described it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UncheckedSpace {
    /// Its parameters, parents before their children.
    pub parameters: Vec<Parameter>,
}

/// A space whose parameters, domains and conditions make sense together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedSpace", into = "UncheckedSpace")]
pub struct Space {
    parameters: Vec<Parameter>,
    counts: Counts,
}

/// Why a described space cannot be searched.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SpaceError {
    /// A parameter's domain is wrong in itself.
    #[error("parameter `{parameter}`: {source}")]
    Domain {
        /// The parameter.
        parameter: String,
        /// What is wrong.
        source: DomainError,
    },
    /// Two parameters share a name.
    #[error("parameter `{parameter}` is listed twice; rename one of the two")]
    RepeatedName {
        /// The shared name.
        parameter: String,
    },
    /// A condition names no parameter of the space.
    #[error(
        "parameter `{parameter}` depends on `{parent}`, which the space does not have; add it, or correct the name"
    )]
    UnknownParent {
        /// The conditional parameter.
        parameter: String,
        /// The name in its condition.
        parent: String,
    },
    /// A condition names a parameter that comes later, or the parameter itself.
    #[error(
        "parameter `{parameter}` depends on `{parent}`, which is not listed before it; move `{parent}` up"
    )]
    LateParent {
        /// The conditional parameter.
        parameter: String,
        /// The name in its condition.
        parent: String,
    },
    /// A condition on a float, which hits no given value but by accident.
    #[error(
        "parameter `{parameter}` depends on `{parent}`, which is a float; make `{parent}` a choice or a whole number"
    )]
    FloatParent {
        /// The conditional parameter.
        parameter: String,
        /// The float it depends on.
        parent: String,
    },
    /// A condition without values, which never holds.
    #[error(
        "parameter `{parameter}` names no value of `{parent}` under which it exists; name one, or drop the condition"
    )]
    EmptyCondition {
        /// The conditional parameter.
        parameter: String,
        /// The parameter it depends on.
        parent: String,
    },
    /// A condition on a value that never occurs.
    #[error(
        "parameter `{parameter}` exists when `{parent}` is {value}, but `{parent}` is {domain}; correct the value"
    )]
    ImpossibleCondition {
        /// The conditional parameter.
        parameter: String,
        /// The parameter it depends on.
        parent: String,
        /// The value that never occurs.
        value: Value,
        /// What the parent may be instead.
        domain: Domain,
    },
}

/// Why a configuration is not one of a space.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ConfigError {
    /// An active parameter has no value.
    #[error("parameter `{parameter}` has no value; give {domain}")]
    Missing {
        /// The parameter.
        parameter: String,
        /// What it may be.
        domain: Domain,
    },
    /// A value for a parameter that the space does not have.
    #[error("the space has no parameter `{parameter}`; remove it, or correct the name")]
    Unknown {
        /// The name.
        parameter: String,
    },
    /// A value for a parameter that does not exist under the other values.
    #[error(
        "parameter `{parameter}` does not exist with this `{parent}`; remove it, or change `{parent}`"
    )]
    Inactive {
        /// The parameter.
        parameter: String,
        /// The one it depends on.
        parent: String,
    },
    /// A value of the wrong kind or out of range.
    #[error("parameter `{parameter}` is {value}; give {domain}")]
    OutOfDomain {
        /// The parameter.
        parameter: String,
        /// Its value.
        value: Value,
        /// What it may be.
        domain: Domain,
    },
}

impl UncheckedSpace {
    /// Checks every parameter and condition, and gives the space that searchers take.
    pub fn check(self) -> Result<Space, SpaceError> {
        let mut places = BTreeMap::new();
        for (place, Parameter { name, domain, .. }) in self.parameters.iter().enumerate() {
            if places.insert(name.as_str(), place).is_some() {
                let parameter = name.clone();
                return Err(SpaceError::RepeatedName { parameter });
            }
            domain.check().map_err(|source| SpaceError::Domain {
                parameter: name.clone(),
                source,
            })?;
        }
        let mut parents = Vec::with_capacity(self.parameters.len());
        for (place, parameter) in self.parameters.iter().enumerate() {
            let Some(condition) = &parameter.when else {
                parents.push(None);
                continue;
            };
            let parent = places.get(condition.parameter.as_str()).copied();
            check_condition(&self.parameters, place, condition, parent)?;
            parents.push(parent);
        }
        let counts = Counts::of(&self.parameters, &parents);
        Ok(Space {
            parameters: self.parameters,
            counts,
        })
    }
}

impl Space {
    /// The parameters, parents before their children.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How many coordinates a point of the unit cube has: one a parameter, active or not, so that a
    /// coordinate means the same parameter in every configuration.
    pub fn dimensions(&self) -> usize {
        self.parameters.len()
    }

    /// The configuration at a point of the unit cube. Coordinates are in the parameters' order;
    /// those of inactive parameters have no effect. A coordinate outside [0, 1] counts as the
    /// nearer end.
    ///
    /// Logarithmic scales use the platform's exponential function, so that another platform may
    /// give values a last bit apart.
    ///
    /// # Panics
    /// If the point does not have [`Space::dimensions`] coordinates.
    pub fn sample_unit(&self, point: &[f64]) -> Config {
        assert_eq!(
            point.len(),
            self.dimensions(),
            "a point needs one coordinate a parameter"
        );
        let mut config = Config::default();
        for (parameter, &unit) in self.parameters.iter().zip(point) {
            if parameter.is_active(&config) {
                config.insert(parameter.name.as_str(), parameter.domain.at(unit));
            }
        }
        config
    }

    /// Whether `config` has a fitting value for each active parameter and nothing else.
    pub fn contains(&self, config: &Config) -> Result<(), ConfigError> {
        let mut known = BTreeMap::new();
        for parameter in &self.parameters {
            known.insert(parameter.name.as_str(), parameter);
            let name = || parameter.name.clone();
            match (config.get(&parameter.name), parameter.is_active(config)) {
                (None, false) => {}
                (None, true) => {
                    return Err(ConfigError::Missing {
                        parameter: name(),
                        domain: parameter.domain.clone(),
                    });
                }
                (Some(_), false) => {
                    let parent = parameter.when.as_ref().map(|when| when.parameter.clone());
                    return Err(ConfigError::Inactive {
                        parameter: name(),
                        parent: parent.unwrap_or_default(),
                    });
                }
                (Some(value), true) if !parameter.domain.contains(value) => {
                    return Err(ConfigError::OutOfDomain {
                        parameter: name(),
                        value: value.clone(),
                        domain: parameter.domain.clone(),
                    });
                }
                (Some(_), true) => {}
            }
        }
        match config.iter().find(|(name, _)| !known.contains_key(name)) {
            Some((name, _)) => Err(ConfigError::Unknown {
                parameter: name.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// How many configurations there are; nothing when a parameter is continuous, or when the
    /// number does not fit.
    pub fn cardinality(&self) -> Option<u64> {
        self.counts.total()
    }

    /// The configuration at `index`, below [`Space::cardinality`], in a fixed order of all
    /// configurations of a countable space.
    pub fn nth(&self, index: u64) -> Option<Config> {
        self.counts.nth(&self.parameters, index)
    }
}

impl TryFrom<UncheckedSpace> for Space {
    type Error = SpaceError;

    fn try_from(unchecked: UncheckedSpace) -> Result<Self, SpaceError> {
        unchecked.check()
    }
}

impl From<Space> for UncheckedSpace {
    fn from(space: Space) -> Self {
        UncheckedSpace {
            parameters: space.parameters,
        }
    }
}

impl Parameter {
    /// Whether the parameter exists, given the values of those before it.
    fn is_active(&self, config: &Config) -> bool {
        self.when.as_ref().is_none_or(|when| {
            config
                .get(&when.parameter)
                .is_some_and(|value| when.any_of.contains(value))
        })
    }
}

fn check_condition(
    parameters: &[Parameter],
    place: usize,
    condition: &Condition,
    parent_place: Option<usize>,
) -> Result<(), SpaceError> {
    let parameter = parameters[place].name.clone();
    let parent = condition.parameter.clone();
    let Some(parent_place) = parent_place else {
        return Err(SpaceError::UnknownParent { parameter, parent });
    };
    if parent_place >= place {
        return Err(SpaceError::LateParent { parameter, parent });
    }
    let domain = &parameters[parent_place].domain;
    if matches!(domain, Domain::Float { .. }) {
        return Err(SpaceError::FloatParent { parameter, parent });
    }
    if condition.any_of.is_empty() {
        return Err(SpaceError::EmptyCondition { parameter, parent });
    }
    match condition
        .any_of
        .iter()
        .find(|&value| !domain.contains(value))
    {
        Some(value) => Err(SpaceError::ImpossibleCondition {
            parameter,
            parent,
            value: value.clone(),
            domain: domain.clone(),
        }),
        None => Ok(()),
    }
}
