//! From a reference's name and constructor arguments to our scheduler and its parameters.
//!
//! An argument that is not given has the reference's default. One that is not known here is an
//! error rather than ignored, so that nothing is compared with something else.

mod arguments;
mod hf;
mod torch;

use anyhow::bail;
use arguments::Arguments;
use attune_plugin_api::param::Value;
use std::collections::BTreeMap;

/// Every scheduler that a reference is mapped to.
pub(crate) const SCHEDULERS: [&str; 15] = [
    "constant",
    "cosine",
    "cosine-restarts",
    "cyclic",
    "exponential",
    "greedy",
    "inverse-sqrt",
    "linear",
    "linear-to-zero",
    "multistep",
    "one-cycle",
    "plateau",
    "polynomial",
    "step",
    "wsd",
];

/// What to run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) scheduler: &'static str,
    pub(crate) params: BTreeMap<String, Value>,
    /// The starting rates that our scheduler is given.
    pub(crate) start: Vec<f64>,
    /// How many steps the reference is ahead of ours.
    pub(crate) ahead: u64,
}

/// Maps a reference.
pub(crate) fn plan(
    reference: &str,
    arguments: &serde_json::Map<String, serde_json::Value>,
    start: &[f64],
) -> anyhow::Result<Plan> {
    let mut arguments = Arguments::new(arguments);
    // What a reference takes but what changes no rate.
    arguments.ignore("verbose");
    arguments.ignore("last_epoch");
    let plan = match reference.split_once('.') {
        Some(("torch", name)) => torch::plan(name, &mut arguments, start)?,
        Some(("hf", name)) => hf::plan(name, &mut arguments, start)?,
        _ => None,
    };
    let Some(plan) = plan else {
        bail!("no scheduler of ours stands for `{reference}`");
    };
    arguments.all_taken()?;
    Ok(plan)
}

impl Plan {
    fn of(scheduler: &'static str, start: &[f64]) -> Self {
        Plan {
            scheduler,
            params: BTreeMap::new(),
            start: start.to_vec(),
            ahead: 0,
        }
    }

    fn float(self, name: &str, value: f64) -> Self {
        self.with(name, Value::Float(value))
    }

    fn int(self, name: &str, value: u64) -> Self {
        self.with(name, Value::Int(value as i64))
    }

    fn text(self, name: &str, value: &str) -> Self {
        self.with(name, Value::Text(value.into()))
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.params.insert(name.into(), value);
        self
    }

    /// Hands arguments over that have the same name and meaning on both sides.
    fn same(mut self, arguments: &mut Arguments, names: &[&str]) -> anyhow::Result<Self> {
        for name in names {
            if let Some(value) = arguments.value(name)? {
                self.params.insert((*name).into(), value);
            }
        }
        Ok(self)
    }

    fn starting_at(mut self, start: Vec<f64>) -> Self {
        self.start = start;
        self
    }

    fn ahead_by(mut self, steps: u64) -> Self {
        self.ahead = steps;
        self
    }
}
