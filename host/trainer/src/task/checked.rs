//! A task that was asked what it is, and whose answers fit together.

use super::{Batch, Failure, Parameters, Random, Task};
use crate::metrics::{Metric, Scores};
use crate::model::{Group, MAX_PARAMETERS, NamedTensor};
use crate::random::Purpose;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The most rows, so that each has a number of 32 bits.
const MAX_ROWS: usize = u32::MAX as usize;
/// The longest name and fingerprint, in bytes: both stand in checkpoints and messages.
const MAX_TEXT: usize = 4096;

/// A task and what it says of itself, which was asked once.
#[derive(Clone)]
pub(crate) struct CheckedTask {
    task: Arc<dyn Task>,
    pub(crate) name: String,
    pub(crate) fingerprint: String,
    pub(crate) parameters: Vec<Parameters>,
    pub(crate) rows: usize,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) loss_lower_bound: Option<f64>,
}

impl CheckedTask {
    /// Asks a task what it is; the error says its name, where it has one, and what is wrong.
    pub(crate) fn of(task: Arc<dyn Task>) -> Result<Self, (String, String)> {
        let name = caught(|| Ok(task.name())).map_err(|reason| (String::new(), reason))?;
        let checked = caught(|| {
            Ok(CheckedTask {
                name: name.clone(),
                fingerprint: task.fingerprint(),
                parameters: task.parameters(),
                rows: task.rows(),
                metrics: task.metrics(),
                loss_lower_bound: task.loss_lower_bound(),
                task: Arc::clone(&task),
            })
        });
        checked
            .and_then(CheckedTask::checked)
            .map_err(|reason| (name, reason))
    }

    fn checked(self) -> Result<Self, String> {
        let names: BTreeSet<&str> = self.parameters.iter().map(|p| p.name.as_str()).collect();
        let metrics: BTreeSet<&str> = self.metrics.iter().map(|m| m.name()).collect();
        let sizes = self.parameters.iter().map(Parameters::size);
        let size = sizes.into_iter().try_fold(0, |sum: usize, size| {
            size.filter(|&size| size > 0)
                .and_then(|size| sum.checked_add(size))
        });
        let conditions = [
            (
                [&self.name, &self.fingerprint]
                    .iter()
                    .all(|text| (1..=MAX_TEXT).contains(&text.len())),
                "its name and fingerprint must have 1 to 4096 bytes",
            ),
            (
                !names.is_empty() && names.len() == self.parameters.len() && !names.contains(""),
                "its parameters must be at least one group, each with a name of its own",
            ),
            (
                size.is_some_and(|size| size <= MAX_PARAMETERS),
                "each of its groups must have a number, and all together at most 2²⁶",
            ),
            (
                (1..=MAX_ROWS).contains(&self.rows),
                "it must have at least one row and less than 2³²",
            ),
            (
                self.metrics.contains(&Metric::Loss) && metrics.len() == self.metrics.len(),
                "its metrics must have different names, and the loss must be among them",
            ),
            (
                self.loss_lower_bound.is_none_or(f64::is_finite),
                "its loss's lower bound must be finite",
            ),
        ];
        match conditions.into_iter().find(|(holds, _)| !holds) {
            Some((_, reason)) => Err(reason.to_owned()),
            None => Ok(self),
        }
    }

    /// Takes another of its metrics for the first one.
    pub(crate) fn optimise(&mut self, metric: Metric) {
        self.metrics.sort_by_key(|known| *known != metric);
    }

    /// Its parameters where they start, drawn by a seed.
    pub(crate) fn draw(&self, seed: u64) -> Result<Vec<Group>, String> {
        let mut random = Random::of(seed, Purpose::Init, 0);
        let starts = caught(|| Ok(self.task.start(&mut random)))?;
        let sizes = starts.iter().map(|values| Some(values.len()));
        if !sizes.eq(self.parameters.iter().map(Parameters::size)) {
            return Err("it starts from other numbers of parameters than it said it has".into());
        }
        let groups = self.parameters.iter().zip(starts);
        Ok(groups
            .map(|(parameters, values)| Group {
                kind: parameters.kind,
                decays: parameters.decays,
                tensors: vec![NamedTensor {
                    name: parameters.name.clone(),
                    shape: parameters.shape.clone(),
                    range: 0..values.len(),
                }],
                values,
            })
            .collect())
    }

    /// As [`Task::learn`]; the gradients' old numbers do not matter.
    pub(crate) fn learn(
        &self,
        batch: &Batch<'_>,
        groups: &[Group],
        gradients: &mut [Vec<f32>],
    ) -> Result<f32, String> {
        let mut gradients: Vec<&mut [f32]> = gradients.iter_mut().map(Vec::as_mut_slice).collect();
        for gradient in &mut gradients {
            gradient.fill(0.0);
        }
        caught(|| self.task.learn(batch, &values(groups), &mut gradients))
    }

    /// As [`Task::project`].
    pub(crate) fn project(&self, groups: &mut [Group]) -> Result<(), String> {
        let values = groups.iter_mut().map(|group| group.values.as_mut_slice());
        let mut values: Vec<&mut [f32]> = values.collect();
        caught(|| self.task.project(&mut values))
    }

    /// As [`Task::validate`].
    pub(crate) fn validate(&self, values: &[&[f32]]) -> Result<Scores, String> {
        let scores = caught(|| self.task.validate(values))?;
        match self.metrics.iter().find(|m| !scores.contains_key(m)) {
            Some(missing) => Err(format!(
                "it did not measure `{missing}`, as it said it does"
            )),
            None => Ok(scores),
        }
    }
}

impl fmt::Debug for CheckedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Task").field(&self.fingerprint).finish()
    }
}

/// Groups as tasks see them.
pub(crate) fn values(groups: &[Group]) -> Vec<&[f32]> {
    groups.iter().map(|group| group.values.as_slice()).collect()
}

/// A task's answer; its errors and panics as what they say.
fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(answer) => answer.map_err(|failure| failure.to_string()),
        Err(panic) => Err(format!(
            "it panicked: {}",
            crate::trial::panic_message(&*panic)
        )),
    }
}
