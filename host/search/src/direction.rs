//! Which way a metric gets better.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Whether small or large values of a metric are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Small values are good (a loss, an error).
    Minimize,
    /// Large values are good (an accuracy, R²).
    Maximize,
}

impl Direction {
    /// Orders two values best first. NaN is worse than every number and equal to itself, and the
    /// two zeros are equal, so this is a total order that [`slice::sort_by`] may use.
    pub fn compare(self, a: f64, b: f64) -> Ordering {
        match (a.is_nan(), b.is_nan()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let ascending = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
                match self {
                    Direction::Minimize => ascending,
                    Direction::Maximize => ascending.reverse(),
                }
            }
        }
    }

    /// Whether `a` is strictly better than `b`.
    pub fn better(self, a: f64, b: f64) -> bool {
        self.compare(a, b) == Ordering::Less
    }
}

#[cfg(test)]
mod tests {
    use super::Direction;

    #[test]
    fn the_best_comes_first_and_nan_last_in_both_directions() {
        let values = [f64::NAN, 0.5, f64::INFINITY, -1.0, f64::NEG_INFINITY];
        for (direction, best_first) in [
            (
                Direction::Minimize,
                [f64::NEG_INFINITY, -1.0, 0.5, f64::INFINITY],
            ),
            (
                Direction::Maximize,
                [f64::INFINITY, 0.5, -1.0, f64::NEG_INFINITY],
            ),
        ] {
            let mut sorted = values;
            sorted.sort_by(|&a, &b| direction.compare(a, b));
            assert_eq!(sorted[..4], best_first);
            assert!(sorted[4].is_nan());
        }
    }
}
