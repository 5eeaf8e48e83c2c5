//! The numbers that a task was trained to, as a file.

use super::file::{FORMAT, not_a_model, opened, sealed, tensors_crc32, write};
use super::{ModelError, finite};
use crate::metrics::Metric;
use crate::model::NamedTensor;
use crate::trial::{Trial, TrialSettings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The metadata key of the card.
pub(super) const KEY: &str = "attune_solution";

/// What a solution is of and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SolutionCard {
    format: u32,
    /// The version of Attune that made it; empty where that was not told yet.
    #[serde(default)]
    pub version: String,
    /// The task's name.
    pub solves: String,
    /// What the task said it was made of.
    pub fingerprint: String,
    /// How it was trained.
    pub settings: TrialSettings,
    /// The epoch whose numbers these are, from 1; 0 where training ended before the first.
    pub epoch: u32,
    /// What the task measured, by name; what is not finite is left out.
    pub valid: BTreeMap<String, f64>,
    /// What else the caller wanted to keep: scheduler, study, trial.
    pub training: serde_json::Value,
    tensors_crc32: u32,
}

/// The parameters of a trained [`Task`](crate::task::Task), such as the factors of a matrix: a
/// `.safetensors` file like a model's, with its card under the key `attune_solution`.
#[derive(Debug)]
pub struct Solution {
    card: SolutionCard,
    groups: Vec<(Vec<NamedTensor>, Vec<f32>)>,
}

impl Solution {
    /// The best epoch's parameters of a trial.
    pub(crate) fn of_trial(
        trial: &Trial,
        (solves, fingerprint): (&str, &str),
        groups: Vec<(Vec<NamedTensor>, Vec<f32>)>,
        training: serde_json::Value,
    ) -> Self {
        let best = trial.snapshot();
        let named = |(metric, value): (Metric, f64)| (metric.name().to_owned(), value);
        let card = SolutionCard {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            solves: solves.into(),
            fingerprint: fingerprint.into(),
            settings: (**trial.settings()).clone(),
            epoch: best.map_or(0, |best| best.epoch),
            valid: best
                .map(|best| finite(&best.valid).into_iter().map(named).collect())
                .unwrap_or_default(),
            training,
            tensors_crc32: tensors_crc32(stored(&groups)),
        };
        Solution { card, groups }
    }

    /// What it is of and how it came about.
    pub fn card(&self) -> &SolutionCard {
        &self.card
    }

    /// As [`Model::save`](super::Model::save).
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        write(path, || sealed(KEY, &self.card, stored(&self.groups)))
    }

    /// Whether these bytes are a whole solution; the path is for the errors.
    pub(super) fn check(bytes: &[u8], path: &Path) -> Result<(), ModelError> {
        let (file, card): (_, SolutionCard) = opened(KEY, bytes, path)?;
        match crc32fast::hash(file.data) == card.tensors_crc32 {
            true => Ok(()),
            false => Err(not_a_model(path, "its numbers are damaged".into())),
        }
    }
}

fn stored(
    groups: &[(Vec<NamedTensor>, Vec<f32>)],
) -> impl Iterator<Item = (&[NamedTensor], &[f32])> {
    groups
        .iter()
        .map(|(tensors, values)| (tensors.as_slice(), values.as_slice()))
}
