//! Drives a scheduler over a list of metrics, for tests.

use attune_plugin_api::Setup;
use attune_plugin_api::controller::{Clock, Controller, InProcess};
use attune_plugin_api::param::Value;
use attune_plugin_api::scheduler::Scheduler;
use std::collections::BTreeMap;

/// Parameters as a user gives them.
pub(crate) type Params = BTreeMap<String, Value>;

pub(crate) fn params<const N: usize>(given: [(&str, Value); N]) -> Params {
    given.map(|(name, value)| (name.to_owned(), value)).into()
}

pub(crate) fn text(word: &str) -> Value {
    Value::Text(word.into())
}

/// The rates after each metric, one list a metric.
pub(crate) fn trace<S: Scheduler>(
    params: &Params,
    setup: &Setup,
    metrics: &[f64],
) -> Vec<Vec<f64>> {
    let mut scheduler = InProcess::<S>::configure(params, setup).unwrap();
    let mut rates = setup.rates();
    let mut momenta = vec![f64::NAN; rates.len()];
    metrics
        .iter()
        .map(|&metric| {
            scheduler
                .metric(metric, &Clock::default(), &mut rates, &mut momenta)
                .unwrap();
            rates.clone()
        })
        .collect()
}

/// The same for one group.
pub(crate) fn trace_one<S: Scheduler>(params: &Params, lr: f64, metrics: &[f64]) -> Vec<f64> {
    trace::<S>(params, &Setup::of_rates(&[lr]), metrics)
        .into_iter()
        .map(|rates| rates[0])
        .collect()
}
