//! Checks that every scheduler must pass, for authors to call from a test of their own:
//! `attune_plugin_api::conformance::check::<MyScheduler>().unwrap()`.

use crate::controller::{CallError, Clock, Controller, InProcess};
use crate::param::Value;
use crate::scheduler::{Scheduler, Setup};
use crate::signal::Layout;
use std::collections::BTreeMap;

const STEPS: u64 = 120;

/// Runs a scheduler at its default parameters, with one group and with three, over a made-up run,
/// and checks that
/// - its description is sound and its parameters are what it describes;
/// - every rate is finite and not negative;
/// - the same input gives the same rates, bit for bit;
/// - saved at any of several steps and loaded into a fresh one, it goes on as if nothing had
///   happened;
/// - a state that is cut or of another version is refused.
///
/// # Errors
/// The first check that fails, in a sentence.
pub fn check<S: Scheduler>() -> Result<(), String> {
    check_with::<S>(&BTreeMap::new())
}

/// The same, at the given parameters.
///
/// # Errors
/// As for [`check`].
pub fn check_with<S: Scheduler>(params: &BTreeMap<String, Value>) -> Result<(), String> {
    S::describe().check()?;
    for groups in [1, 3] {
        let setup = made_up_setup(groups);
        let undisturbed = run::<S>(params, &setup, None)?;
        if undisturbed != run::<S>(params, &setup, None)? {
            return Err(format!("with {groups} groups two equal runs differ"));
        }
        for resumed_at in [0, 1, 7, STEPS / 2, STEPS - 1] {
            if undisturbed != run::<S>(params, &setup, Some(resumed_at))? {
                return Err(format!(
                    "with {groups} groups, saved and loaded at step {resumed_at}, the run goes on \
                     differently"
                ));
            }
        }
        refuses_bad_states::<S>(params, &setup)?;
    }
    Ok(())
}

/// Every rate of a run as bits, so that NaN equals NaN.
fn run<S: Scheduler>(
    params: &BTreeMap<String, Value>,
    setup: &Setup,
    resume_at: Option<u64>,
) -> Result<Vec<u64>, String> {
    let fresh = || InProcess::<S>::configure(params, setup).map_err(|e| e.to_string());
    let mut scheduler = fresh()?;
    let layout = Layout::new(&S::describe().signals, setup.groups.len());
    let mut rates = setup.rates();
    let mut momenta = vec![0.9; rates.len()];
    let mut trace = Vec::new();
    for step in 0..STEPS {
        if resume_at == Some(step) {
            let state = scheduler.save().map_err(at(step))?;
            scheduler = fresh()?;
            scheduler.load(&state).map_err(at(step))?;
        }
        let clock = Clock {
            step,
            epoch: step as f64 / 10.0,
            samples: step * 32,
        };
        let signals: Vec<f64> = (0..layout.len())
            .map(|place| wave(step, place as u64 + 1))
            .collect();
        scheduler
            .step(&clock, &signals, &mut rates, &mut momenta)
            .map_err(at(step))?;
        if S::describe().metric {
            scheduler
                .metric(1.0 + wave(step, 0), &clock, &mut rates, &mut momenta)
                .map_err(at(step))?;
        }
        if let Some(bad) = rates.iter().find(|rate| !rate.is_finite() || **rate < 0.0) {
            return Err(format!("at step {step} it sets a rate to {bad}"));
        }
        trace.extend(rates.iter().chain(&momenta).map(|number| number.to_bits()));
    }
    Ok(trace)
}

fn refuses_bad_states<S: Scheduler>(
    params: &BTreeMap<String, Value>,
    setup: &Setup,
) -> Result<(), String> {
    let mut scheduler = InProcess::<S>::configure(params, setup).map_err(|e| e.to_string())?;
    let state = scheduler.save().map_err(at(0))?;
    let mut other_version = state.clone();
    if let Some(version) = other_version.first_mut() {
        *version = version.wrapping_add(1);
    }
    if scheduler.load(&other_version).is_ok() {
        return Err("it loads a state of another version".into());
    }
    let cut = &state[..state.len().saturating_sub(1)];
    if scheduler.load(cut).is_ok() {
        return Err("it loads a state that was cut".into());
    }
    Ok(())
}

fn made_up_setup(groups: usize) -> Setup {
    let rates: Vec<f64> = (0..groups).map(|g| 0.1 / (g + 1) as f64).collect();
    Setup {
        total_steps: Some(STEPS),
        steps_per_epoch: Some(10),
        metric_calls: Some(STEPS),
        ..Setup::of_rates(&rates)
    }
}

/// A number in [-1, 1] that looks irregular and is the same on every run.
fn wave(step: u64, salt: u64) -> f64 {
    ((step * 37 + salt * 101) as f64).sin() * 0.5 + ((step + salt) as f64 * 0.07).cos() * 0.5
}

fn at(step: u64) -> impl Fn(CallError) -> String {
    move |error| format!("at step {step}: {error}")
}
