//! Quasi-random search: suggestions that fill the space evenly from the first one on.

mod directions;
mod sequence;

pub use sequence::Sequence;

use super::distinct::Distinct;
use super::{Exhausted, Searcher};
use crate::space::{Config, Space};
use crate::stream::{Purpose, stream, unit};
use crate::trial::TrialNumber;

/// Suggests to trial n the point n of a scrambled Sobol sequence.
///
/// Parameters beyond [`Sequence::MAX_DIMENSIONS`] are drawn at random. So is a whole point whose
/// configuration is already taken, which happens in countable spaces only.
#[derive(Debug)]
pub struct Sobol {
    seed: u64,
    sequence: Sequence,
    distinct: Distinct,
}

impl Sobol {
    /// A quasi-random search of `space`.
    pub fn new(space: Space, seed: u64) -> Sobol {
        Sobol {
            seed,
            sequence: Sequence::scrambled(space.dimensions(), seed),
            distinct: Distinct::new(space),
        }
    }
}

impl Searcher for Sobol {
    fn suggest(&mut self, trial: TrialNumber) -> Result<Config, Exhausted> {
        // The sequence repeats itself after 2³² points.
        let mut point = self.sequence.point(trial.0 as u32);
        let mut rest = stream(self.seed, Purpose::SUGGEST, trial.0);
        point.resize_with(self.distinct.dimensions(), || unit(&mut rest));
        let mut redraws = stream(self.seed, Purpose::REDRAW, trial.0);
        self.distinct.take(point, &mut redraws)
    }

    fn observe(&mut self, _: TrialNumber, _: &Config, _: u64, _: f64) {}
}
