//! Runs a schedule over some steps, for tests.

use crate::{Schedule, Shape};
use attune_plugin_api::Setup;
use attune_plugin_api::controller::{Clock, ConfigureError, Controller, InProcess};
use attune_plugin_api::param::Value;
use std::collections::BTreeMap;

/// Parameters as a user gives them.
pub(crate) type Params = BTreeMap<String, Value>;

pub(crate) fn params(given: &[(&str, Value)]) -> Params {
    given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

pub(crate) fn text(word: &str) -> Value {
    Value::Text(word.into())
}

/// A run of one group at a rate of 1, planned for this many steps.
pub(crate) fn planned(steps: u64) -> Setup {
    Setup {
        total_steps: Some(steps),
        ..Setup::of_rates(&[1.0])
    }
}

/// What a schedule sets at each step.
pub(crate) struct Trace {
    pub(crate) rates: Vec<f64>,
    pub(crate) momenta: Vec<f64>,
}

/// The first group's rates and momenta at the first steps.
pub(crate) fn trace<S: Shape>(params: &Params, setup: &Setup, steps: u64) -> Trace {
    let mut schedule = configure::<S>(params, setup).unwrap();
    let mut rates = setup.rates();
    let mut momenta = vec![f64::NAN; rates.len()];
    let mut trace = Trace {
        rates: Vec::new(),
        momenta: Vec::new(),
    };
    for step in 0..steps {
        let clock = Clock {
            step,
            ..Clock::default()
        };
        schedule
            .step(&clock, &[], &mut rates, &mut momenta)
            .unwrap();
        trace.rates.push(rates[0]);
        trace.momenta.push(momenta[0]);
    }
    trace
}

pub(crate) fn configure<S: Shape>(
    params: &Params,
    setup: &Setup,
) -> Result<InProcess<Schedule<S>>, ConfigureError> {
    InProcess::configure(params, setup)
}
