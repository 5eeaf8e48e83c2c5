//! How long a study will take, judged by what trials on the same data took before.

use super::Reception;
use crate::daemon::internal;
use crate::daemon::machine::cores;
use crate::study::settings::name;
use crate::study::space::StudySpace;
use crate::study::spec::StudySpec;
use crate::worker::probe::Inspected;
use attune_plugin_api::param::Value;
use attune_protocol::{Estimate, Number, Problem};
use attune_search::Domain;
use attune_store::{Error, Scalar, Store, StudyId, TrialState};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many past studies are looked at, and how many trials of each: the newest, and the first.
const STUDIES: usize = 5;
const TRIALS: u32 = 200;

/// How long a look at past trials is believed: whoever types asks several times a second.
const FRESH: Duration = Duration::from_secs(3);

/// What was found of the data that somebody asked of last.
#[derive(Default)]
pub(in crate::daemon) struct Paces {
    last: Mutex<Option<(String, Instant, Arc<Pace>)>>,
}

/// How quickly trials on some data were trained.
#[derive(Debug, Default, PartialEq)]
struct Pace {
    /// The studies that it is taken from.
    studies: Vec<StudyId>,
    /// Seconds and steps by batch size.
    by_batch: BTreeMap<i64, (f64, u64)>,
    /// What part of the epochs that they might have trained the trials of studies with rungs did.
    kept_by_rungs: Option<f64>,
}

impl Reception {
    /// Seconds that a study will take, where anything is known of how long its trials do.
    pub(super) async fn estimate(
        &self,
        spec: &StudySpec,
        space: &StudySpace,
        data: &Inspected,
        parallel: usize,
    ) -> Result<Option<Estimate>, Problem> {
        let hash = data.data_hash.clone();
        let pace = match self.paces.recall(&hash) {
            Some(pace) => pace,
            None => {
                let store = Arc::clone(&self.store);
                let read = tokio::task::spawn_blocking(move || {
                    Pace::of(&store, &hash).map(|pace| (hash, Arc::new(pace)))
                });
                let read = read.await.map_err(|error| internal(&error.into()))?;
                let (hash, pace) = read.map_err(|error| internal(&error.into()))?;
                self.paces.remember(hash, &pace);
                pace
            }
        };
        let batches = batches(space);
        Ok(estimate(
            spec,
            &pace,
            &batches,
            data.train_rows,
            parallel.min(cores().into()),
        ))
    }
}

impl Paces {
    fn recall(&self, hash: &str) -> Option<Arc<Pace>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, at, pace) = last.as_ref()?;
        (of == hash && at.elapsed() < FRESH).then(|| Arc::clone(pace))
    }

    fn remember(&self, hash: String, pace: &Arc<Pace>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((hash, Instant::now(), Arc::clone(pace)));
    }
}

impl Pace {
    fn of(store: &Store, hash: &str) -> Result<Self, Error> {
        let mut pace = Pace::default();
        let (mut trained, mut possible) = (0, 0);
        let studies = store.list_studies()?;
        let on_these = studies
            .iter()
            .rev()
            .filter(|(_, study)| study.data_hash == hash)
            // A fork has steps that another trial took the time for.
            .filter(|(_, study)| study.imported.is_none() && study.origin.is_none());
        for (id, study) in on_these.take(STUDIES) {
            let has_rungs = StudySpec::parse(Path::new(&study.file), &study.spec)
                .is_ok_and(|spec| spec.fidelity.asha);
            let mut has_any = false;
            store.each_trial_from(id.trial(0), |id, trial| {
                if id.number >= TRIALS {
                    return ControlFlow::Break(());
                }
                if trial.steps == 0 || trial.seconds <= 0.0 {
                    return ControlFlow::Continue(());
                }
                has_any = true;
                let Some(Scalar::Int(batch)) = trial.config.get(name::BATCH_SIZE) else {
                    return ControlFlow::Continue(());
                };
                let sum = pace.by_batch.entry(*batch).or_default();
                sum.0 += trial.seconds;
                sum.1 += trial.steps;
                let is_judged = matches!(trial.state, TrialState::Done | TrialState::Stopped);
                if has_rungs && is_judged {
                    trained += u64::from(trial.epochs);
                    possible += u64::from(trial.max_epochs);
                }
                ControlFlow::Continue(())
            })?;
            if has_any {
                pace.studies.push(*id);
            }
        }
        pace.kept_by_rungs = (possible > 0).then(|| trained as f64 / possible as f64);
        Ok(pace)
    }

    /// Seconds of a step with this batch size: of such steps where there were any, of all others
    /// where not.
    fn seconds_per_step(&self, batch: i64) -> Option<f64> {
        let mean = |sums: &mut dyn Iterator<Item = &(f64, u64)>| {
            let (seconds, steps) = sums.fold((0.0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            (steps > 0).then(|| seconds / steps as f64)
        };
        mean(&mut self.by_batch.get(&batch).into_iter())
            .or_else(|| mean(&mut self.by_batch.values()))
    }
}

fn estimate(
    spec: &StudySpec,
    pace: &Pace,
    batches: &[i64],
    train_rows: usize,
    parallel: usize,
) -> Option<Estimate> {
    let budget = spec.budget.map(|budget| budget.as_secs_f64());
    let by_budget = budget.map(|seconds| Estimate {
        seconds: Number(seconds),
        basis: "its budget, which may be more than it needs".into(),
    });
    let trials = spec.planned_trials();
    let an_epoch: Option<f64> = batches
        .iter()
        .map(|batch| {
            let steps = train_rows.div_ceil(usize::try_from(*batch).unwrap_or(1).max(1));
            Some(pace.seconds_per_step(*batch)? * steps as f64)
        })
        .sum();
    let (Some(an_epoch), true) = (an_epoch, trials > 0 && !batches.is_empty()) else {
        return by_budget;
    };
    let to_the_end = f64::from(trials) * f64::from(spec.fidelity.max_epochs) * an_epoch
        / batches.len() as f64
        / parallel.max(1) as f64;
    let studies: Vec<String> = pace.studies.iter().rev().map(ToString::to_string).collect();
    let basis = format!("the trials of {}, on the same data", studies.join(", "));
    let (seconds, basis) = match (spec.fidelity.asha, pace.kept_by_rungs) {
        (false, _) => (to_the_end, basis),
        (true, Some(kept)) => (to_the_end * kept, basis),
        (true, None) => (
            to_the_end,
            format!("{basis}; at most, as if none of its trials were stopped early"),
        ),
    };
    match by_budget {
        Some(by_budget) if by_budget.seconds.0 < seconds => Some(Estimate {
            basis: format!("its budget; without one, {seconds:.0} s by {basis}"),
            ..by_budget
        }),
        _ => Some(Estimate {
            seconds: Number(seconds),
            basis,
        }),
    }
}

/// Batch sizes that trials will have, evenly.
fn batches(space: &StudySpace) -> Vec<i64> {
    let mut searched = space.searched.parameters().iter();
    let domain = searched
        .find(|parameter| parameter.name == name::BATCH_SIZE)
        .map(|parameter| &parameter.domain);
    match domain {
        Some(Domain::Choice(values)) => {
            let whole = values.iter().filter_map(|value| match value {
                attune_search::Value::Int(batch) => Some(*batch),
                _ => None,
            });
            whole.collect()
        }
        Some(Domain::Int { low, high, log }) => {
            const PARTS: i32 = 8;
            let part = |part: i32| (f64::from(part) + 0.5) / f64::from(PARTS);
            let (low, high) = (*low as f64, *high as f64);
            (0..PARTS)
                .map(|number| match log {
                    true => low * (high / low).powf(part(number)),
                    false => low + (high - low) * part(number),
                })
                .map(|batch| batch.round() as i64)
                .collect()
        }
        _ => match space.fixed(name::BATCH_SIZE) {
            Some(Value::Int(batch)) => vec![*batch],
            _ => Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(more: &str) -> StudySpec {
        let text = format!("{more}\n[data]\npath = '/d.csv'\ntarget = 'y'\n");
        StudySpec::parse(Path::new("/s.toml"), &text).unwrap()
    }

    fn pace(kept_by_rungs: Option<f64>) -> Pace {
        Pace {
            studies: vec![StudyId(5), StudyId(3)],
            by_batch: BTreeMap::from([(10, (2.0, 200)), (100, (3.0, 100))]),
            kept_by_rungs,
        }
    }

    /// 1,000 rows: an epoch takes 100 steps of 10 ms, or 10 of 30 ms.
    #[test]
    fn the_steps_that_are_planned_take_what_such_steps_took() {
        let whole = spec("trials = 20\nfidelity = { method = 'none', max_epochs = 10 }");
        let rungs = spec("trials = 20\nfidelity = { max_epochs = 10 }");
        let seconds = |spec: &StudySpec, pace: &Pace, batches: &[i64], parallel| {
            estimate(spec, pace, batches, 1000, parallel).map(|told| told.seconds.0.round())
        };
        assert_eq!(seconds(&whole, &pace(None), &[10], 1), Some(200.0));
        assert_eq!(seconds(&whole, &pace(None), &[10], 2), Some(100.0));
        assert_eq!(seconds(&whole, &pace(None), &[100], 1), Some(60.0));
        assert_eq!(seconds(&whole, &pace(None), &[10, 100], 1), Some(130.0));
        // No such batch was seen: 5 s in 300 steps, and twenty steps an epoch.
        assert_eq!(seconds(&whole, &pace(None), &[50], 1), Some(67.0));
        assert_eq!(seconds(&rungs, &pace(Some(0.25)), &[10], 1), Some(50.0));
        let bound = estimate(&rungs, &pace(None), &[10], 1000, 1).unwrap();
        assert_eq!(bound.seconds.0.round(), 200.0);
        assert_eq!(
            bound.basis,
            "the trials of s3, s5, on the same data; at most, as if none of its trials were \
             stopped early"
        );
        assert_eq!(seconds(&whole, &Pace::default(), &[10], 1), None);
    }

    #[test]
    fn a_budget_is_a_bound() {
        let both =
            spec("trials = 20\nbudget = '30s'\nfidelity = { method = 'none', max_epochs = 10 }");
        let time = spec("budget = '30s'");
        let told = estimate(&both, &pace(None), &[10], 1000, 1).unwrap();
        assert_eq!(told.seconds.0, 30.0);
        assert!(told.basis.contains("without one, 200 s"), "{}", told.basis);
        let told = estimate(&time, &pace(None), &[10], 1000, 1).unwrap();
        assert_eq!(told.seconds.0, 30.0);
        let told = estimate(&both, &Pace::default(), &[10], 1000, 1).unwrap();
        assert_eq!(told.seconds.0, 30.0);
    }
}
