//! Learning curves of many trials: fetched once, and longer with every epoch that is told of.

use super::rows::{Rows, has_ended, number_of};
use super::want::Want;
use attune_protocol::{Progress, TrialCurve};
use std::collections::HashMap;

/// A metric of a trial, by epoch.
#[derive(Debug, Clone, Default)]
pub(crate) struct LearningCurve {
    pub(crate) epochs: Vec<f64>,
    pub(crate) values: Vec<f64>,
    /// Updates in an epoch.
    pub(crate) steps_per_epoch: f64,
    /// Seconds of an epoch, in the mean.
    pub(crate) seconds_per_epoch: f64,
    /// Whether epochs were told of one by one since it was fetched: some may have been left out.
    patched: bool,
    /// Whether it was fetched after its trial had ended: then there is no more to come.
    settled: bool,
    wanted_at: u64,
}

/// Which curve.
type Name = (String, String, u32);

/// Curves by study, metric and trial.
#[derive(Debug, Default)]
pub(crate) struct Curves {
    curves: HashMap<Name, LearningCurve>,
    /// What was asked for and has not come, and whether its trial had ended by then.
    asked: Vec<(Name, bool)>,
}

/// So many curves are kept.
const KEPT: usize = 1_000;

/// No question is for more trials than these.
const AT_ONCE: usize = 100;

impl Curves {
    pub(crate) fn get(&self, study: &str, metric: &str, trial: u32) -> Option<&LearningCurve> {
        let name = (study.to_owned(), metric.to_owned(), trial);
        self.curves.get(&name)
    }

    /// What must be asked for so that these trials' curves are here.
    pub(crate) fn missing(
        &mut self,
        study: &str,
        metric: &str,
        trials: &[u32],
        rows: Option<&Rows>,
        now: u64,
    ) -> Option<Want> {
        let mut missing = Vec::new();
        for &trial in trials {
            let name = (study.to_owned(), metric.to_owned(), trial);
            let row = rows.and_then(|rows| rows.get(trial));
            let over = row.is_none_or(|row| has_ended(row.state));
            let is_there = match self.curves.get_mut(&name) {
                Some(curve) => {
                    curve.wanted_at = now;
                    // What was told as it went may have gaps: once it is over it is fetched whole.
                    let last = curve.epochs.last().copied().unwrap_or(0.0);
                    let short = row.is_some_and(|row| f64::from(row.epochs) > last);
                    curve.settled || !(over && (curve.patched || short))
                }
                None => row.is_some_and(|row| row.epochs == 0),
            };
            let is_asked = self.asked.iter().any(|(asked, _)| *asked == name);
            if !is_there && !is_asked && missing.len() < AT_ONCE {
                missing.push(trial);
                self.asked.push((name, over));
            }
        }
        if missing.is_empty() {
            return None;
        }
        Some(Want::Curves {
            study: study.to_owned(),
            metric: metric.to_owned(),
            trials: missing,
        })
    }

    /// Takes in what was asked for; trials that were not told of have no such curve.
    pub(crate) fn take(
        &mut self,
        study: &str,
        metric: &str,
        trials: &[u32],
        curves: Vec<TrialCurve>,
        now: u64,
    ) {
        let name = |trial| (study.to_owned(), metric.to_owned(), trial);
        let mut settled = Vec::new();
        for &trial in trials {
            let name = name(trial);
            let over = self
                .asked
                .iter()
                .any(|(asked, over)| *asked == name && *over);
            let curve = self.curves.entry(name).or_default();
            (curve.patched, curve.settled) = (false, over);
            if over {
                settled.push(trial);
            }
        }
        self.unanswered(study, metric, trials);
        for curve in curves {
            let told = LearningCurve {
                epochs: curve.epochs.iter().copied().map(f64::from).collect(),
                values: curve.values.iter().map(|value| value.0).collect(),
                steps_per_epoch: curve.steps_per_epoch.0,
                seconds_per_epoch: curve.seconds_per_epoch.0,
                patched: false,
                settled: settled.contains(&curve.trial),
                wanted_at: now,
            };
            self.curves.insert(name(curve.trial), told);
        }
        if self.curves.len() > KEPT {
            let mut ages: Vec<u64> = self.curves.values().map(|curve| curve.wanted_at).collect();
            ages.sort_unstable();
            let oldest = ages[self.curves.len() - KEPT];
            self.curves.retain(|_, curve| curve.wanted_at >= oldest);
        }
    }

    /// A question was given up.
    pub(crate) fn unanswered(&mut self, study: &str, metric: &str, trials: &[u32]) {
        self.asked
            .retain(|((s, m, t), _)| !(s == study && m == metric && trials.contains(t)));
    }

    /// Takes in that a trial trained an epoch.
    pub(crate) fn take_epoch(&mut self, study: &str, progress: &Progress) {
        let Some(trial) = number_of(&progress.trial) else {
            return;
        };
        for (metric, value) in &progress.metrics {
            let name = (study.to_owned(), metric.clone(), trial);
            let fresh = progress.epoch == 1;
            let curve = match self.curves.get_mut(&name) {
                Some(curve) => curve,
                // A trial that begins is drawn from its first epoch on without being asked for.
                None if fresh => self.curves.entry(name).or_default(),
                None => continue,
            };
            let epoch = f64::from(progress.epoch);
            let last = curve.epochs.last().copied().unwrap_or(0.0);
            if epoch <= last {
                continue;
            }
            curve.patched |= epoch > last + 1.0;
            curve.settled = false;
            curve.epochs.push(epoch);
            curve.values.push(value.0);
            if progress.epoch > 0 {
                curve.steps_per_epoch = progress.step as f64 / epoch;
            }
        }
    }

    /// Everything must be asked for anew, as after the daemon was away.
    pub(crate) fn expire(&mut self) {
        self.asked.clear();
        for curve in self.curves.values_mut() {
            (curve.patched, curve.settled) = (true, false);
        }
    }
}
