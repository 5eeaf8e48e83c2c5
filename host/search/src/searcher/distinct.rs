//! Keeps a study from trying the same configuration twice.

use std::collections::BTreeSet;

use rand::Rng;
use rand::rngs::ChaCha8Rng;

use super::Exhausted;
use crate::space::{Config, Space};
use crate::stream::unit;

/// How often a point is drawn anew before the space counts as nearly used up. Where half of all
/// draws are still new, sixty-four old ones in a row never happen.
const REDRAWS: usize = 64;

/// A space, less the configurations already suggested from it.
#[derive(Debug)]
pub(super) struct Distinct {
    space: Space,
    suggested: BTreeSet<Config>,
}

impl Distinct {
    pub(super) fn new(space: Space) -> Distinct {
        Distinct {
            space,
            suggested: BTreeSet::new(),
        }
    }

    /// The configuration at `point`; where that is taken, at a random point drawn from `rng`; and
    /// where only few are left, the first free one at or after a random place in the space's list.
    /// So a countable space is searched to its last configuration.
    pub(super) fn take(
        &mut self,
        point: Vec<f64>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Config, Exhausted> {
        let tried = self.suggested.len() as u64;
        let total = self.space.cardinality();
        if total == Some(tried) {
            return Err(Exhausted { tried });
        }
        let mut point = point;
        for _ in 0..=REDRAWS {
            let config = self.space.sample_unit(&point);
            if self.suggested.insert(config.clone()) {
                return Ok(config);
            }
            point.fill_with(|| unit(rng));
        }
        // Only a range as narrow as a few floating-point numbers comes here without a total.
        let total = total.ok_or(Exhausted { tried })?;
        let start = rng.next_u64() % total;
        let free = (start..total)
            .chain(0..start)
            .filter_map(|index| self.space.nth(index))
            .find(|config| !self.suggested.contains(config))
            .ok_or(Exhausted { tried })?;
        self.suggested.insert(free.clone());
        Ok(free)
    }

    pub(super) fn dimensions(&self) -> usize {
        self.space.dimensions()
    }
}
