//! What has parameters and learns: all that a trial must know of what it trains.

mod network;
mod task;

pub(super) use network::NetworkLearner;
pub(super) use task::TaskLearner;

use super::error::TrialError;
use crate::data::{Dataset, Part};
use crate::metrics::Scores;
use crate::model::{Buffers, Group, Network, Share};
use std::fmt::Debug;
use std::sync::Arc;

/// Parameters, and what computes their losses and gradients. What it returns as an error is a
/// sentence that [`failure`](Learner::failure) makes a trial's.
pub(super) trait Learner: Debug + Send + Sync {
    /// The parameters.
    fn groups(&self) -> &[Group];

    /// The same, to change their values.
    fn groups_mut(&mut self) -> &mut [Group];

    /// What is no parameter and is remembered.
    fn buffers(&self) -> &Buffers;

    /// The same, to change their values.
    fn buffers_mut(&mut self) -> &mut Buffers;

    /// An epoch's rows in their order.
    fn order(&self, seed: u64, epoch: u32) -> Vec<u32>;

    /// How much rows count together in a mean loss.
    fn weight(&self, rows: &[u32]) -> f64;

    /// The mean loss of a batch's rows; its share of the step's gradients goes into one slice a
    /// group.
    fn learn(
        &mut self,
        rows: &[u32],
        share: Share,
        gradients: &mut [Vec<f32>],
    ) -> Result<f32, String>;

    /// Moves the parameters back to where they may be, after an update.
    fn project(&mut self) -> Result<(), String>;

    /// What is measured at every epoch's end, of the parameters as they are.
    fn validate(&mut self) -> Result<Scores, String>;

    /// All that is measured on a part of the data with these weights in place of the current ones.
    fn evaluate(&self, weights: &[Vec<f32>], part: Part) -> Result<Scores, String>;

    /// A network with these weights, and the data that it learns from.
    fn network(&self, weights: &[Vec<f32>]) -> Result<(Network, Arc<Dataset>), TrialError>;

    /// Lets go of all memory that is only for learning; the next batch takes what it needs anew.
    fn rest(&mut self);

    /// What went wrong at a step, as the trial's error.
    fn failure(&self, step: u64, message: String) -> TrialError;
}
