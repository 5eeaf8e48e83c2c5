//! Random search: every suggestion independent of all others.

use super::distinct::Distinct;
use super::{Exhausted, Searcher};
use crate::space::{Config, Space};
use crate::stream::{Purpose, stream, unit};
use crate::trial::TrialNumber;

/// Draws each trial's configuration from the trial's own random stream (Bergstra and Bengio,
/// "Random search for hyper-parameter optimization", JMLR 13, 2012).
#[derive(Debug)]
pub struct Random {
    seed: u64,
    distinct: Distinct,
}

impl Random {
    /// A random search of `space`.
    pub fn new(space: Space, seed: u64) -> Random {
        let distinct = Distinct::new(space);
        Random { seed, distinct }
    }
}

impl Searcher for Random {
    fn suggest(&mut self, trial: TrialNumber) -> Result<Config, Exhausted> {
        let mut rng = stream(self.seed, Purpose::SUGGEST, trial.0);
        let point = (0..self.distinct.dimensions())
            .map(|_| unit(&mut rng))
            .collect();
        self.distinct.take(point, &mut rng)
    }

    fn observe(&mut self, _: TrialNumber, _: &Config, _: u64, _: f64) {}
}
