//! Checks that every scheduler must pass, for authors to call from a test of their own:
//! `attune_plugin_api::conformance::check::<MyScheduler>().unwrap()`.

use crate::controller::{CallError, Clock, Controller, InProcess};
use crate::param::Value;
use crate::scheduler::{Scheduler, Setup};
use crate::signal::{Layout, Signal, Slot};
use std::collections::BTreeMap;

const STEPS: u64 = 120;

/// What the metrics of a run are.
#[derive(Debug, Clone, Copy)]
enum Metrics {
    Finite,
    /// The session's policy for a metric that is not a number may be to pass it on.
    SomeNan,
}

/// Runs a scheduler at its default parameters, with one group and with three, over a made-up run,
/// and checks that
/// - its description is sound and its parameters are what it describes;
/// - every rate is finite and not negative, although the signals that look back to the previous
///   update are NaN at the first step;
/// - where it reads the metric, the same holds in a second run in which some metrics are NaN;
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
    let description = S::describe();
    description.check()?;
    for groups in [1, 3] {
        let setup = made_up_setup(groups);
        resumes_exactly::<S>(params, &setup, Metrics::Finite)?;
        if description.metric {
            resumes_exactly::<S>(params, &setup, Metrics::SomeNan)
                .map_err(|problem| format!("in a run with some metrics NaN: {problem}"))?;
        }
        refuses_bad_states::<S>(params, &setup)?;
    }
    Ok(())
}

fn resumes_exactly<S: Scheduler>(
    params: &BTreeMap<String, Value>,
    setup: &Setup,
    metrics: Metrics,
) -> Result<(), String> {
    let groups = setup.groups.len();
    let undisturbed = run::<S>(params, setup, metrics, None)?;
    if undisturbed != run::<S>(params, setup, metrics, None)? {
        return Err(format!("with {groups} groups two equal runs differ"));
    }
    for resumed_at in [0, 1, 7, STEPS / 2, STEPS - 1] {
        if undisturbed != run::<S>(params, setup, metrics, Some(resumed_at))? {
            return Err(format!(
                "with {groups} groups, saved and loaded at step {resumed_at}, the run goes on \
                 differently"
            ));
        }
    }
    Ok(())
}

/// Every rate and momentum of a run as bits, so that NaN equals NaN.
fn run<S: Scheduler>(
    params: &BTreeMap<String, Value>,
    setup: &Setup,
    metrics: Metrics,
    resume_at: Option<u64>,
) -> Result<Vec<u64>, String> {
    let description = S::describe();
    let fresh = || InProcess::<S>::configure(params, setup).map_err(|e| e.to_string());
    let mut scheduler = fresh()?;
    let layout = Layout::new(&description.signals, setup.groups.len());
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
        let signals = made_up_signals(&layout, setup.groups.len(), step);
        scheduler
            .step(&clock, &signals, &mut rates, &mut momenta)
            .map_err(at(step))?;
        in_bounds(&rates, step, "before its update")?;
        if description.metric {
            scheduler
                .metric(
                    made_up_metric(metrics, step),
                    &clock,
                    &mut rates,
                    &mut momenta,
                )
                .map_err(at(step))?;
            in_bounds(&rates, step, "after its metric")?;
        }
        trace.extend(rates.iter().chain(&momenta).map(|number| number.to_bits()));
    }
    Ok(trace)
}

fn in_bounds(rates: &[f64], step: u64, when: &str) -> Result<(), String> {
    match rates.iter().find(|rate| !rate.is_finite() || **rate < 0.0) {
        Some(bad) => Err(format!("at step {step}, {when}, it sets a rate to {bad}")),
        None => Ok(()),
    }
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

fn made_up_signals(layout: &Layout, groups: usize, step: u64) -> Vec<f64> {
    layout
        .signals()
        .flat_map(|signal| {
            (0..signal.width(groups) as u64).map(move |group| made_up_signal(signal, group, step))
        })
        .collect()
}

/// A signal as [`Signal`] documents it, of vectors of a few numbers.
fn made_up_signal(signal: Signal, group: u64, step: u64) -> f64 {
    match signal {
        Signal::Loss => wave(step, 1 + 10 * group),
        Signal::GradNotFinite => 0.0,
        Signal::GradVariance => wave(step, 2 + 10 * group).powi(2),
        Signal::Reduced(reduction) => reduction.of(|slot| made_up_vector(slot, group, step)),
    }
}

/// Nothing at the first step where it looks back to the previous one.
fn made_up_vector(slot: Slot, group: u64, step: u64) -> Option<Vec<f64>> {
    let salt = 100 * (1 + slot as u64) + 10 * group;
    let drawn = |step| (0..4).map(move |place| wave(step, salt + place));
    let before = |slot| made_up_vector(slot, group, step.checked_sub(1)?);
    match slot {
        Slot::PrevGrad => before(Slot::Grad),
        Slot::PrevUpdate => before(Slot::Update),
        Slot::FromStart => {
            let (x, x0) = (drawn(step), drawn(0));
            Some(x.zip(x0).map(|(x, x0)| x - x0).collect())
        }
        // Both begin at 0.
        Slot::FirstMoment | Slot::SecondMoment if step == 0 => Some(vec![0.0; 4]),
        Slot::SecondMoment => Some(drawn(step).map(|number| number * number).collect()),
        _ => Some(drawn(step).collect()),
    }
}

/// The NaNs come one at a time and, from step 40, four in a row; the very first metric is one.
fn made_up_metric(metrics: Metrics, step: u64) -> f64 {
    match metrics {
        Metrics::SomeNan if step.is_multiple_of(9) || (40..44).contains(&step) => f64::NAN,
        Metrics::Finite | Metrics::SomeNan => 1.0 + wave(step, 0),
    }
}

/// A number in [-1, 1] that looks irregular and is the same on every run.
fn wave(step: u64, salt: u64) -> f64 {
    ((step * 37 + salt * 101) as f64).sin() * 0.5 + ((step + salt) as f64 * 0.07).cos() * 0.5
}

fn at(step: u64) -> impl Fn(CallError) -> String {
    move |error| format!("at step {step}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// What is wrong with a [`Probe`].
    #[derive(Debug, Clone, Copy, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Flaw {
        None,
        Signals,
        Metrics,
        Forgets,
    }

    #[derive(Deserialize)]
    struct ProbeParams {
        flaw: Flaw,
    }

    /// Reads everything, refuses signals that are not as documented, and errs as it is told to.
    #[derive(Serialize, Deserialize)]
    struct Probe {
        flaw: Flaw,
        #[serde(skip)]
        calls: u64,
    }

    impl Scheduler for Probe {
        type Params = ProbeParams;

        fn describe() -> Description {
            Signal::all()
                .fold(
                    Description::new("probe", "Reads everything."),
                    Description::signal,
                )
                .reads_metric()
                .param(
                    Param::choice("flaw", &["none", "signals", "metrics", "forgets"], "none")
                        .doc("What it does wrong."),
                )
        }

        fn configure(params: ProbeParams, _: &Setup) -> Result<Self, Error> {
            Ok(Probe {
                flaw: params.flaw,
                calls: 0,
            })
        }

        fn step(&mut self, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
            self.calls += 1;
            for group in 0..rates.groups() {
                let of = |signal| now.of_group(signal, group);
                let norm = |slot| of(Signal::norm_sq(slot));
                let (grad, update) = (norm(Slot::Grad), norm(Slot::PrevUpdate));
                let dot = of(Signal::dot(Slot::Grad, Slot::PrevUpdate));
                let first = now.step() == 0;
                let as_documented = grad >= 0.0
                    && norm(Slot::Param) >= 0.0
                    && (0.0..=grad.sqrt()).contains(&of(Signal::abs_max(Slot::Grad)))
                    && (update.is_nan() == first && (first || update >= 0.0))
                    && (dot.is_nan() == first && (first || dot * dot <= grad * update))
                    && now.signal(Signal::Loss).is_finite();
                if !as_documented {
                    return Err(Error::new("a signal is not as documented"));
                }
                match self.flaw {
                    Flaw::Signals => rates.set(group, rates.get(group) * (1.0 + 0.0 * dot)),
                    Flaw::Forgets => rates.set(group, 1.0 / self.calls as f64),
                    Flaw::None | Flaw::Metrics => {}
                }
            }
            Ok(())
        }

        fn metric(&mut self, value: f64, _: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
            if let Flaw::Metrics = self.flaw {
                rates.set_each(|_, rate| rate + 0.0 * value);
            }
            Ok(())
        }
    }

    #[test]
    fn each_flaw_is_found_and_told() {
        let of = |flaw: &str| {
            check_with::<Probe>(&[("flaw".to_owned(), Value::Text(flaw.into()))].into())
        };
        assert_eq!(of("none"), Ok(()));
        let table = [
            (
                "signals",
                "at step 0, before its update, it sets a rate to NaN",
            ),
            (
                "metrics",
                "in a run with some metrics NaN: at step 0, after its metric, it sets a rate to NaN",
            ),
            (
                "forgets",
                "with 1 groups, saved and loaded at step 1, the run goes on differently",
            ),
        ];
        for (flaw, message) in table {
            assert_eq!(of(flaw), Err(message.to_owned()), "{flaw}");
        }
    }
}
