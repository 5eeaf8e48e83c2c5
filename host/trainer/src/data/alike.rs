//! Columns that are measured on one scale, such as the points of a picture or the answers of a
//! questionnaire.
//!
//! Standardised one by one, a point at a picture's edge that is hardly ever set would count as much
//! as one in its middle, and be tens of deviations off in the few rows that set it. By one mean and
//! deviation for all, a column keeps the weight that its own spread gives it.

use std::collections::BTreeMap;

/// So many columns that reach from the same lowest to the same highest number are no coincidence.
const FEWEST: usize = 8;

/// What a column of numbers is compared by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) mean: f64,
    /// The standard deviation.
    pub(super) deviation: f64,
}

impl Spread {
    /// Whether it is of truth values, which reach from 0 to 1 whatever they are about.
    fn is_binary(&self) -> bool {
        (self.low, self.high) == (0.0, 1.0)
    }
}

/// Columns that are measured on one scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alike {
    /// Their places, ascending.
    pub(super) members: Vec<usize>,
    pub(super) low: f64,
    pub(super) high: f64,
    /// The mean of all their numbers.
    pub(super) mean: f64,
    /// The standard deviation of all their numbers.
    pub(super) deviation: f64,
}

impl Alike {
    /// The columns within the range that most of them reach both ends of, if so many do: eight at
    /// least, and half of those within it.
    pub(super) fn of(spreads: &[Spread]) -> Option<Alike> {
        let mut reaching: BTreeMap<[u64; 2], usize> = BTreeMap::new();
        for spread in spreads.iter().filter(|spread| !spread.is_binary()) {
            // Zero has two signs.
            let ends = [spread.low, spread.high].map(|end| (end + 0.0).to_bits());
            *reaching.entry(ends).or_default() += 1;
        }
        let (ends, reached) = reaching.into_iter().max_by_key(|&(_, count)| count)?;
        let [low, high] = ends.map(f64::from_bits);
        let is_within = |spread: &Spread| low <= spread.low && spread.high <= high;
        let members: Vec<usize> = (0..spreads.len())
            .filter(|&place| is_within(&spreads[place]))
            .collect();
        if reached < FEWEST || reached * 2 < members.len() {
            return None;
        }
        let average = |of: &dyn Fn(&Spread) -> f64| {
            let all = members.iter().map(|&place| of(&spreads[place]));
            all.sum::<f64>() / members.len() as f64
        };
        let mean = average(&|spread| spread.mean);
        let square = |spread: &Spread| spread.deviation.powi(2) + (spread.mean - mean).powi(2);
        Some(Alike {
            deviation: average(&square).sqrt(),
            mean,
            members,
            low,
            high,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Alike, Spread};

    fn spread([low, high]: [f64; 2], deviation: f64) -> Spread {
        Spread {
            low,
            high,
            mean: low + deviation,
            deviation,
        }
    }

    #[test]
    fn columns_of_one_range_are_one_with_those_within_it() {
        let mut spreads = vec![spread([0.0, 16.0], 6.0); 7];
        assert_eq!(Alike::of(&spreads), None, "seven may be a coincidence");
        spreads.push(spread([-0.0, 16.0], 6.0));
        spreads.insert(3, spread([0.0, 1.0], 0.0));
        spreads.push(spread([-1.0, 16.0], 6.0));
        let alike = Alike::of(&spreads).unwrap();
        assert_eq!(alike.members, (0..9).collect::<Vec<_>>());
        assert_eq!((alike.low, alike.high), (0.0, 16.0));
        // Eight have mean and deviation 6, the rare one has neither.
        let mean = 48.0 / 9.0;
        assert!((alike.mean - mean).abs() < 1e-9);
        let square = 8.0 * 72.0 / 9.0 - mean * mean;
        assert!((alike.deviation.powi(2) - square).abs() < 1e-9);
    }

    #[test]
    fn a_range_that_many_only_happen_to_lie_within_is_no_scale() {
        let mut spreads = vec![spread([0.0, 1000.0], 1.0); 8];
        spreads.extend((1..=8).map(|n| spread([0.0, f64::from(n)], 1.0)));
        assert!(Alike::of(&spreads).is_some());
        spreads.push(spread([3.0, 4.0], 1.0));
        assert_eq!(Alike::of(&spreads), None);
    }

    #[test]
    fn truth_values_are_no_scale_of_their_own() {
        assert_eq!(Alike::of(&[spread([0.0, 1.0], 0.5); 50]), None);
        assert_eq!(Alike::of(&[]), None);
    }
}
