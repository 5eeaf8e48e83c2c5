//! Fidelity policies decide at a rung whether a trial is worth its remaining epochs.
//!
//! A rung is an epoch at which trials are compared. One file a policy.

pub mod asha;
pub mod full;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

pub use asha::{Asha, AshaError, AshaSettings};
pub use full::Full;

use crate::trial::TrialNumber;

/// Decides which trials go on.
///
/// The debug form shows the whole state, so that two equal states look equal.
pub trait FidelityPolicy: Debug + Send {
    /// The first rung after `epoch`, or nothing when a trial may run to its end from there.
    fn next_rung(&self, epoch: u64) -> Option<u64>;

    /// Takes note of a trial's value at the rung `epoch` and decides about it. NaN is worse than
    /// any number. Called at most once for a trial and rung.
    fn decide(&mut self, trial: TrialNumber, epoch: u64, value: f64) -> Decision;
}

/// What becomes of a trial at a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It runs on to its next rung or its end.
    Continue,
    /// It ends here.
    Stop,
}
