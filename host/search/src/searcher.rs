//! Searchers propose configurations and learn from what became of them.
//!
//! One file a searcher. A searcher decides *what* to try; when, and how long, is the conductor's and
//! the fidelity policy's business (the split of Syne Tune's scheduler and searcher).

mod distinct;
pub mod random;
pub mod sobol;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use random::Random;
pub use sobol::Sobol;

use crate::space::Config;
use crate::trial::TrialNumber;

/// Proposes configurations.
///
/// A searcher is a function of its seed and of the calls made to it, and the conductor makes the
/// same calls in the same order however its trials are spread over machines. The debug form shows
/// the whole state, so that two equal states look equal.
pub trait Searcher: Debug + Send {
    /// The configuration for `trial`. Called once a trial, in the order of their numbers; never
    /// gives the same configuration twice in a study.
    fn suggest(&mut self, trial: TrialNumber) -> Result<Config, Exhausted>;

    /// Takes note that `trial`, running `config`, had `value` after `epoch` epochs. NaN means that
    /// it diverged. A trial is observed at each rung it reaches and at its end; one that failed for
    /// reasons of its machine is not.
    fn observe(&mut self, trial: TrialNumber, config: &Config, epoch: u64, value: f64);
}

/// The space holds no further configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("all {tried} configurations of the space have been tried; widen it to search on")]
pub struct Exhausted {
    /// How many configurations have been suggested.
    pub tried: u64,
}
