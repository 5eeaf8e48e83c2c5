//! Runs a trace through a plugin.

use crate::mapping::{self, Plan};
use crate::trace::Trace;
use anyhow::{Context, ensure};
use attune_loader::Plugins;
use attune_plugin_api::{Clock, Controller, Setup};

/// The plugin's rates and momenta, in the form of the trace's.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) rates: Vec<Vec<f64>>,
    pub(crate) momenta: Vec<Vec<f64>>,
}

/// Replays a trace.
pub(crate) fn replay(trace: &Trace, plugins: &Plugins) -> anyhow::Result<Replayed> {
    let plan = mapping::plan(&trace.reference, &trace.arguments, &trace.start)
        .with_context(|| trace.name.clone())?;
    let setup = Setup::of_rates(&plan.start);
    let mut controller = plugins
        .create(plan.scheduler, &plan.params, &setup)
        .with_context(|| trace.name.clone())?;
    let reads_metric = controller.description().metric;
    ensure!(
        reads_metric == trace.metrics.is_some(),
        "{}: {}",
        trace.name,
        if reads_metric {
            "`metrics` are missing"
        } else {
            "it reads no `metrics`"
        }
    );
    run(trace, &plan, controller.as_mut()).with_context(|| trace.name.clone())
}

fn run(trace: &Trace, plan: &Plan, controller: &mut dyn Controller) -> anyhow::Result<Replayed> {
    let mut rates = plan.start.clone();
    let mut momenta = vec![f64::NAN; rates.len()];
    let mut replayed = Replayed::default();
    if let Some(metrics) = &trace.metrics {
        if trace.begins_before_first_step {
            replayed.push(&rates, &momenta);
        }
        for (step, metric) in metrics.iter().enumerate() {
            let clock = at(step as u64);
            controller.step(&clock, &[], &mut rates, &mut momenta)?;
            controller.metric(*metric, &clock, &mut rates, &mut momenta)?;
            replayed.push(&rates, &momenta);
        }
    } else {
        for step in 0..trace.rates.len() as u64 {
            controller.step(&at(step + plan.ahead), &[], &mut rates, &mut momenta)?;
            replayed.push(&rates, &momenta);
        }
    }
    Ok(replayed)
}

impl Replayed {
    fn push(&mut self, rates: &[f64], momenta: &[f64]) {
        self.rates.push(rates.to_vec());
        self.momenta.push(momenta.to_vec());
    }
}

fn at(step: u64) -> Clock {
    Clock {
        step,
        ..Clock::default()
    }
}
