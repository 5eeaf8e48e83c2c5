//! A reference's constructor arguments, taken one by one.

use crate::trace::{number_of, numbers};
use anyhow::{Context, bail};
use attune_plugin_api::param::Value;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The arguments that have not been taken yet. `null` counts as not given.
#[derive(Debug)]
pub(crate) struct Arguments(BTreeMap<String, Json>);

impl Arguments {
    pub(crate) fn new(given: &serde_json::Map<String, Json>) -> Self {
        let given = given.iter().filter(|(_, value)| !value.is_null());
        Arguments(
            given
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    pub(crate) fn ignore(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(crate) fn all_taken(&self) -> anyhow::Result<()> {
        match self.0.keys().next() {
            Some(name) => bail!("the argument `{name}` has no counterpart in our scheduler"),
            None => Ok(()),
        }
    }

    pub(crate) fn float(&mut self, name: &str) -> anyhow::Result<Option<f64>> {
        self.0
            .remove(name)
            .map(|value| number_of(&value, name))
            .transpose()
    }

    /// A whole number that is not negative.
    pub(crate) fn int(&mut self, name: &str) -> anyhow::Result<Option<u64>> {
        let Some(number) = self.float(name)? else {
            return Ok(None);
        };
        if number.fract() != 0.0 || !(0.0..9e15).contains(&number) {
            bail!("`{name}` is {number}, not a whole number of at least 0");
        }
        Ok(Some(number as u64))
    }

    /// A whole number that must be there and above 0: for us 0 would mean "choose".
    pub(crate) fn positive(&mut self, name: &str) -> anyhow::Result<u64> {
        match self.int(name)? {
            Some(0) => bail!("`{name}` is 0, which has no counterpart in our scheduler"),
            Some(number) => Ok(number),
            None => bail!("`{name}` is missing"),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> anyhow::Result<Option<String>> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => bail!("`{name}` is {other}, not a word"),
        }
    }

    /// A number for all groups or one a group.
    pub(crate) fn per_group(&mut self, name: &str, groups: usize) -> anyhow::Result<Vec<f64>> {
        let list = match self
            .0
            .remove(name)
            .with_context(|| format!("`{name}` is missing"))?
        {
            Json::Array(list) => numbers(&list, name)?,
            one => vec![number_of(&one, name)?; groups],
        };
        if list.len() != groups {
            bail!("`{name}` lists {} numbers for {groups} groups", list.len());
        }
        Ok(list)
    }

    /// An argument as it stands.
    pub(crate) fn value(&mut self, name: &str) -> anyhow::Result<Option<Value>> {
        let Some(value) = self.0.remove(name) else {
            return Ok(None);
        };
        Ok(Some(match value {
            Json::Bool(value) => Value::Bool(value),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Value::Int(whole),
                None => Value::Float(number_of(&Json::Number(number), name)?),
            },
            Json::Array(list) => Value::List(numbers(&list, name)?),
            Json::String(text) => Value::Text(text),
            other => bail!("`{name}` is {other}, which no scheduler takes"),
        }))
    }
}
