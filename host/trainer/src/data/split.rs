//! Which rows train, which validate and which test.

use super::error::DataError;
use crate::random::{Purpose, shuffle, stream};
use serde::{Deserialize, Serialize};

/// The shares of the three parts. They add up to 1; only the test share may be 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Rows that the model learns from.
    pub train: f64,
    /// Rows that steer the search and choose the best epoch.
    pub valid: f64,
    /// Rows that are looked at once, at the end.
    pub test: f64,
}

impl Default for Shares {
    fn default() -> Self {
        Shares {
            train: 0.7,
            valid: 0.15,
            test: 0.15,
        }
    }
}

impl Shares {
    /// So many things in these shares.
    pub(super) fn of(self, count: usize) -> Result<[usize; 3], DataError> {
        self.check()?;
        Ok(apportion(count, self))
    }

    fn check(self) -> Result<(), DataError> {
        let sum = self.train + self.valid + self.test;
        if self.train > 0.0 && self.valid > 0.0 && self.test >= 0.0 && (sum - 1.0).abs() < 1e-6 {
            return Ok(());
        }
        Err(DataError::BadShares {
            train: self.train.to_string(),
            valid: self.valid.to_string(),
            test: self.test.to_string(),
        })
    }
}

/// The rows of each part, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Split {
    pub(crate) train: Vec<usize>,
    pub(crate) valid: Vec<usize>,
    pub(crate) test: Vec<usize>,
}

/// Splits the rows of each stratum by the shares, so that every class is represented in each part
/// as it is in the whole. Rows that no share claims fully go by largest remainder, training first:
/// a class with a single row is in the training part only.
///
/// `strata` holds the rows of each class; regression has a single stratum.
pub(crate) fn split(
    strata: &[Vec<usize>],
    shares: Shares,
    seed: u64,
    file: &str,
) -> Result<Split, DataError> {
    shares.check()?;
    let mut parts = Split::default();
    for (class, rows) in strata.iter().enumerate() {
        let mut rows = rows.clone();
        shuffle(&mut rows, &mut stream(seed, Purpose::Split, class as u64));
        let [train, valid, _] = apportion(rows.len(), shares);
        parts.train.extend(&rows[..train]);
        parts.valid.extend(&rows[train..train + valid]);
        parts.test.extend(&rows[train + valid..]);
    }
    parts.train.sort_unstable();
    parts.valid.sort_unstable();
    parts.test.sort_unstable();

    let empty = |part| DataError::TooFewRows {
        file: file.into(),
        rows: strata.iter().map(Vec::len).sum(),
        part,
    };
    if parts.train.is_empty() {
        return Err(empty("training"));
    }
    if parts.valid.is_empty() {
        return Err(empty("validation"));
    }
    if parts.test.is_empty() && shares.test > 0.0 {
        return Err(empty("test"));
    }
    Ok(parts)
}

/// How many of `rows` each part gets, by largest remainder; ties go to the earlier part.
fn apportion(rows: usize, shares: Shares) -> [usize; 3] {
    let whole = shares.train + shares.valid + shares.test;
    let exact = [shares.train, shares.valid, shares.test].map(|share| share / whole * rows as f64);
    let mut counts = exact.map(|count| count.floor() as usize);
    let mut order = [0, 1, 2];
    // The sort is stable, and whole numbers that came out a hair too low count as ties.
    let remainder = |part: usize| ((exact[part] - exact[part].floor()) * 1e9).round() as i64;
    order.sort_by_key(|&part| -remainder(part));
    let left = rows.saturating_sub(counts.iter().sum());
    for part in order.into_iter().cycle().take(left) {
        counts[part] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::{Shares, Split, apportion, split};
    use proptest::prelude::*;

    #[test]
    fn tiny_classes_train_first() {
        let table = [
            (0, [0, 0, 0]),
            (1, [1, 0, 0]),
            (2, [2, 0, 0]),
            (3, [2, 1, 0]),
            (5, [3, 1, 1]),
            (20, [14, 3, 3]),
        ];
        for (rows, expected) in table {
            assert_eq!(apportion(rows, Shares::default()), expected, "{rows} rows");
        }
    }

    #[test]
    fn shares_that_are_no_whole_are_refused() {
        let shares = Shares {
            train: 0.7,
            valid: 0.2,
            test: 0.2,
        };
        let error = split(&[vec![0, 1]], shares, 0, "data.csv").unwrap_err();
        assert!(error.to_string().starts_with("the split 0.7/0.2/0.2 must"));
    }

    #[test]
    fn a_part_without_rows_is_an_error() {
        let error = split(&[vec![0], vec![1]], Shares::default(), 0, "data.csv").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("leave the validation part empty")
        );
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_part_and_every_class_in_proportion(
            sizes in prop::collection::vec(20_usize..200, 1..6),
            seed: u64,
        ) {
            let mut next = 0;
            let strata: Vec<Vec<usize>> = sizes
                .iter()
                .map(|&size| { next += size; (next - size..next).collect() })
                .collect();
            let parts = split(&strata, Shares::default(), seed, "data.csv").unwrap();
            prop_assert_eq!(&parts, &split(&strata, Shares::default(), seed, "data.csv").unwrap());

            let Split { train, valid, test } = parts;
            let mut all = [train.clone(), valid.clone(), test].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..next).collect::<Vec<_>>());
            for rows in &strata {
                let inside = |part: &[usize]| part.iter().filter(|row| rows.contains(row)).count() as f64;
                prop_assert!((inside(&train) - 0.7 * rows.len() as f64).abs() <= 1.0);
                prop_assert!((inside(&valid) - 0.15 * rows.len() as f64).abs() <= 1.0);
            }
        }
    }
}
