//! How a library and its schedulers describe themselves. Crosses the boundary as JSON, once.

use crate::param::Param;
use crate::signal::Signal;
use serde::{Deserialize, Serialize};

/// What a plugin library holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Library {
    /// The crate's name.
    pub name: String,
    /// The crate's version.
    pub version: String,
    /// Its schedulers, in the order of the `export!` line.
    pub schedulers: Vec<Description>,
}

/// What a scheduler is and takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The name users write: lower-case letters, digits and hyphens, unique among all loaded
    /// plugins.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// The paper or reference implementation, with its equation or section.
    pub reference: String,
    /// Its parameters, in the order of help texts.
    pub params: Vec<Param>,
    /// The signals that it must be shown at every step.
    pub signals: Vec<Signal>,
    /// Whether it is driven by the session's metric.
    pub metric: bool,
}

impl Description {
    /// A scheduler without parameters, signals or metric: a function of the step alone.
    pub fn new(name: &str, summary: &str) -> Self {
        Description {
            name: name.into(),
            summary: summary.into(),
            reference: String::new(),
            params: Vec::new(),
            signals: Vec::new(),
            metric: false,
        }
    }

    /// Cites the paper or reference implementation.
    pub fn reference(mut self, citation: &str) -> Self {
        self.reference = citation.into();
        self
    }

    /// Adds a parameter.
    pub fn param(mut self, param: Param) -> Self {
        self.params.push(param);
        self
    }

    /// Adds several parameters, such as a family shares.
    pub fn params(mut self, params: impl IntoIterator<Item = Param>) -> Self {
        self.params.extend(params);
        self
    }

    /// Asks for a signal at every step.
    pub fn signal(mut self, signal: Signal) -> Self {
        self.signals.push(signal);
        self
    }

    /// Asks for the session's metric.
    pub fn reads_metric(mut self) -> Self {
        self.metric = true;
        self
    }

    /// Whether its rates depend on nothing but the step.
    pub fn is_closed_form(&self) -> bool {
        !self.metric && self.signals.is_empty()
    }

    /// The parameter of this name.
    pub fn find(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// What is wrong with the description itself: an author's mistake, found at load.
    ///
    /// # Errors
    /// A bad or doubled name, a signal that is asked for twice, a default or a search range outside
    /// the parameter's range.
    pub fn check(&self) -> Result<(), String> {
        let well_named = !self.name.is_empty()
            && self
                .name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !well_named {
            return Err(format!(
                "scheduler name `{}` must be lower-case letters, digits and hyphens",
                self.name
            ));
        }
        for (index, signal) in self.signals.iter().enumerate() {
            if self.signals[..index].contains(signal) {
                return Err(format!(
                    "scheduler `{}` asks for the signal `{signal}` twice",
                    self.name
                ));
            }
        }
        for (index, param) in self.params.iter().enumerate() {
            if self.params[..index].iter().any(|p| p.name == param.name) {
                return Err(format!(
                    "scheduler `{}` describes parameter `{}` twice",
                    self.name, param.name
                ));
            }
            param
                .check_description()
                .map_err(|e| format!("scheduler `{}`: {e}", self.name))?;
        }
        Ok(())
    }
}
