//! Asynchronous successive halving, the stopping kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Decision, FidelityPolicy};
use crate::direction::Direction;
use crate::trial::TrialNumber;

/// What [`Asha`] is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AshaSettings {
    /// The first rung, in epochs; at least 1.
    pub min_epochs: u64,
    /// The epochs of a trial that is never stopped; above `min_epochs`.
    pub max_epochs: u64,
    /// The factor from rung to rung, and of the trials kept at each one; at least 2.
    pub eta: u64,
    /// Whether small or large values are good.
    pub direction: Direction,
}

/// Why settings make no [`Asha`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AshaError {
    /// `eta` does not thin the trials out.
    #[error("eta is {eta}; give 2 or more")]
    EtaTooSmall {
        /// The setting.
        eta: u64,
    },
    /// There would be no rung to decide at.
    #[error(
        "min_epochs is {min_epochs} and max_epochs {max_epochs}; give 1 or more, the first below the second, or turn early stopping off"
    )]
    NoRung {
        /// The first setting.
        min_epochs: u64,
        /// The second setting.
        max_epochs: u64,
    },
}

/// ASHA in its stopping form: rungs lie at `min_epochs · etaᵏ` below `max_epochs`, and a trial that
/// reaches one continues if its value is among the best 1/eta of all values recorded there so far,
/// its own included.
///
/// Precisely: of n values, fewer than ⌈n / eta⌉ are strictly better than its own. So the first
/// trial at a rung continues, below `eta` trials only a new best does, and equals fare equally. This
/// is the stopping rule of Syne Tune, `value ≤ numpy.quantile(values, 1 / eta)`, without its
/// rounding errors; the halving itself is Li et al., "A system for massively parallel hyperparameter
/// tuning", MLSys 2020, algorithm 2, which promotes paused trials (the best ⌊n / eta⌋) rather than
/// stopping running ones. NaN is recorded as the worst value and never continues.
#[derive(Debug, Clone)]
pub struct Asha {
    settings: AshaSettings,
    /// By epoch, the values recorded there, best first.
    rungs: BTreeMap<u64, Vec<f64>>,
}

impl AshaSettings {
    /// Checks the settings and gives the policy.
    pub fn check(self) -> Result<Asha, AshaError> {
        let AshaSettings {
            min_epochs,
            max_epochs,
            eta,
            ..
        } = self;
        if eta < 2 {
            return Err(AshaError::EtaTooSmall { eta });
        }
        if min_epochs == 0 || min_epochs >= max_epochs {
            return Err(AshaError::NoRung {
                min_epochs,
                max_epochs,
            });
        }
        let rungs = std::iter::successors(Some(min_epochs), |epoch| epoch.checked_mul(eta))
            .take_while(|&epoch| epoch < max_epochs)
            .map(|epoch| (epoch, Vec::new()))
            .collect();
        Ok(Asha {
            settings: self,
            rungs,
        })
    }
}

impl FidelityPolicy for Asha {
    fn next_rung(&self, epoch: u64) -> Option<u64> {
        self.rungs.keys().find(|&&rung| rung > epoch).copied()
    }

    fn decide(&mut self, _: TrialNumber, epoch: u64, value: f64) -> Decision {
        let AshaSettings { eta, direction, .. } = self.settings;
        let Some(values) = self.rungs.get_mut(&epoch) else {
            return Decision::Continue;
        };
        let better = values.partition_point(|&other| direction.better(other, value));
        values.insert(better, value);
        let kept = (values.len() as u64).div_ceil(eta);
        if !value.is_nan() && (better as u64) < kept {
            Decision::Continue
        } else {
            Decision::Stop
        }
    }
}
