//! No early stopping.

use super::{Decision, FidelityPolicy};
use crate::trial::TrialNumber;

/// Lets every trial run to its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Full;

impl FidelityPolicy for Full {
    fn next_rung(&self, _: u64) -> Option<u64> {
        None
    }

    fn decide(&mut self, _: TrialNumber, _: u64, _: f64) -> Decision {
        Decision::Continue
    }
}
