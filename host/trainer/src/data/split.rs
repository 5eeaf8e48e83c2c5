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

/// One of several folds: its rows validate, and the other folds' rows train. Test rows are set aside
/// first, and are the same whatever the fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// Which, from 1.
    pub index: usize,
    /// Of how many, from 2 to 1000.
    pub of: usize,
}

/// The most folds.
const MAX_FOLDS: usize = 1000;

impl Fold {
    fn check(self) -> Result<(), DataError> {
        let Fold { index, of } = self;
        match (2..=MAX_FOLDS).contains(&of) && (1..=of).contains(&index) {
            true => Ok(()),
            false => Err(DataError::BadFold { index, of }),
        }
    }
}

/// What decides to which part a row goes, beside chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule<'r> {
    /// Nothing.
    Rows,
    /// Rows of one group stay together. A group for each place, from 0 without gaps.
    Groups { column: &'r str, of: &'r [usize] },
    /// The earliest rows train, the latest test. A time for each place.
    Times { column: &'r str, of: &'r [f64] },
}

/// The rows of each part, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Split {
    pub(crate) train: Vec<usize>,
    pub(crate) valid: Vec<usize>,
    pub(crate) test: Vec<usize>,
}

impl Split {
    /// Of the part of each place: 0 trains, 1 validates, 2 tests.
    pub(crate) fn of_parts(parts: impl Iterator<Item = usize>) -> Split {
        let mut split = Split::default();
        for (place, part) in parts.enumerate() {
            match part {
                0 => split.train.push(place),
                1 => split.valid.push(place),
                _ => split.test.push(place),
            }
        }
        split
    }

    fn check(self, shares: Shares, file: &str) -> Result<Split, DataError> {
        let parts = [
            ("training", &self.train, true),
            ("validation", &self.valid, true),
            ("test", &self.test, shares.test > 0.0),
        ];
        let empty = parts
            .into_iter()
            .find(|(_, rows, needed)| *needed && rows.is_empty());
        match empty {
            None => Ok(self),
            Some((part, ..)) => Err(DataError::TooFewRows {
                file: file.into(),
                rows: self.train.len() + self.valid.len() + self.test.len(),
                part,
            }),
        }
    }
}

/// Splits rows into the three parts.
///
/// `strata` holds the rows of each class; regression has a single stratum.
pub(crate) fn split(
    strata: &[Vec<usize>],
    shares: Shares,
    fold: Option<Fold>,
    rule: Rule<'_>,
    seed: u64,
    file: &str,
) -> Result<Split, DataError> {
    shares.check()?;
    fold.map_or(Ok(()), Fold::check)?;
    let split = match (rule, fold) {
        (Rule::Rows, None) => by_shares(strata, shares, seed),
        (Rule::Rows, Some(fold)) => by_fold(strata, shares, fold, seed),
        (Rule::Groups { column, of }, fold) => super::group::split(strata, of, shares, fold, seed)
            .map_err(|(groups, needed)| DataError::TooFewGroups {
                file: file.into(),
                column: column.into(),
                groups,
                needed,
            })?,
        (Rule::Times { .. }, Some(_)) => {
            return Err(DataError::RulesClash {
                first: "fold",
                second: "time",
                why: "later folds would train for earlier ones",
            });
        }
        (Rule::Times { column, of }, None) => {
            by_time(of, shares).map_err(|(times, needed)| DataError::TooFewTimes {
                file: file.into(),
                column: column.into(),
                times,
                needed,
            })?
        }
    };
    split.check(shares, file)
}

/// Splits the rows of each stratum by the shares, so that every class is represented in each part
/// as it is in the whole. Rows that no share claims fully go by largest remainder, training first:
/// a class with a single row is in the training part only.
fn by_shares(strata: &[Vec<usize>], shares: Shares, seed: u64) -> Split {
    let mut parts = Split::default();
    for (class, rows) in strata.iter().enumerate() {
        let rows = shuffled(rows, seed, class);
        let [train, valid, _] = apportion(rows.len(), shares);
        parts.train.extend(&rows[..train]);
        parts.valid.extend(&rows[train..train + valid]);
        parts.test.extend(&rows[train + valid..]);
    }
    parts.train.sort_unstable();
    parts.valid.sort_unstable();
    parts.test.sort_unstable();
    parts
}

/// Sets the test rows of each stratum aside and deals the others out to the folds in turn, going on
/// where the stratum before ended, so that folds differ by one row at most. A class of which a
/// single row is left trains in every fold.
fn by_fold(strata: &[Vec<usize>], shares: Shares, fold: Fold, seed: u64) -> Split {
    let mut parts = Split::default();
    let mut dealt = 0;
    for (class, rows) in strata.iter().enumerate() {
        let rows = shuffled(rows, seed, class);
        let aside = Shares {
            train: 1.0 - shares.test,
            valid: 0.0,
            test: shares.test,
        };
        let (rest, test) = rows.split_at(apportion(rows.len(), aside)[0]);
        parts.test.extend(test);
        if let [only] = rest {
            parts.train.push(*only);
            continue;
        }
        for &row in rest {
            match dealt % fold.of + 1 == fold.index {
                true => parts.valid.push(row),
                false => parts.train.push(row),
            }
            dealt += 1;
        }
    }
    parts.train.sort_unstable();
    parts.valid.sort_unstable();
    parts.test.sort_unstable();
    parts
}

/// Cuts the rows, in the order of their times, as near to the shares as can be without parting rows
/// of one time. Where there are too few different times, how many there are and must be.
fn by_time(times: &[f64], shares: Shares) -> Result<Split, (usize, usize)> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    // Where a new time begins: so many rows are earlier.
    let starts: Vec<usize> = (1..sorted.len())
        .filter(|&at| sorted[at - 1] != sorted[at])
        .collect();
    let needed = 2 + usize::from(shares.test > 0.0);
    if starts.len() + 1 < needed {
        return Err((starts.len() + usize::from(!sorted.is_empty()), needed));
    }
    let nearest = |starts: &[usize], share: f64| {
        let wanted = share * sorted.len() as f64;
        let far = |at: usize| (at as f64 - wanted).abs();
        // The first of equals, and there is one.
        (0..starts.len())
            .min_by(|&a, &b| far(starts[a]).total_cmp(&far(starts[b])))
            .unwrap_or(0)
    };
    let before_test = starts.len() - (needed - 2);
    let valid = nearest(&starts[..before_test], shares.train);
    let test = match needed {
        3 => {
            let later = &starts[valid + 1..];
            Some(sorted[later[nearest(later, shares.train + shares.valid)]])
        }
        _ => None,
    };
    let valid = sorted[starts[valid]];
    Ok(Split::of_parts(times.iter().map(|&time| {
        usize::from(time >= valid) + usize::from(test.is_some_and(|test| time >= test))
    })))
}

fn shuffled(rows: &[usize], seed: u64, class: usize) -> Vec<usize> {
    let mut rows = rows.to_vec();
    shuffle(&mut rows, &mut stream(seed, Purpose::Split, class as u64));
    rows
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
    use super::*;
    use proptest::prelude::*;

    fn whole(
        strata: &[Vec<usize>],
        fold: Option<Fold>,
        rule: Rule<'_>,
        seed: u64,
    ) -> Result<Split, DataError> {
        split(strata, Shares::default(), fold, rule, seed, "data.csv")
    }

    /// Each of the rows is in one part, and none is in two.
    fn is_whole(split: &Split, rows: usize) -> bool {
        let mut all = [&split.train[..], &split.valid, &split.test].concat();
        all.sort_unstable();
        all == (0..rows).collect::<Vec<_>>()
    }

    /// The rows of each class.
    fn strata_of(classes: &[usize]) -> Vec<Vec<usize>> {
        let of = |class| {
            let rows = 0..classes.len();
            rows.filter(|&row| classes[row] == class).collect()
        };
        (0..4).map(of).collect()
    }

    #[test]
    fn what_cannot_be_split_so_is_refused_with_the_reason() {
        let strata = [(0..9).collect::<Vec<_>>()];
        let groups = Rule::Groups {
            column: "patient",
            of: &[0, 0, 0, 0, 0, 1, 1, 1, 1],
        };
        let times = Rule::Times {
            column: "day",
            of: &[1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0],
        };
        let fold = |index, of| Some(Fold { index, of });
        for (fold, rule, part) in [
            (fold(0, 5), Rule::Rows, "fold 0 of 5"),
            (fold(6, 5), Rule::Rows, "fold 6 of 5"),
            (fold(1, 1), Rule::Rows, "fold 1 of 1"),
            (fold(1, 5), times, "`fold` and `time`"),
            (
                None,
                groups,
                "`patient` has 2 different values, but 3 are needed",
            ),
            (
                fold(1, 5),
                groups,
                "`patient` has 2 different values, but 6 are needed",
            ),
            (None, times, "`day` has 2 different times, but 3 are needed"),
        ] {
            let message = whole(&strata, fold, rule, 0).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

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
        let error = split(&[vec![0, 1]], shares, None, Rule::Rows, 0, "data.csv").unwrap_err();
        assert!(error.to_string().starts_with("the split 0.7/0.2/0.2 must"));
    }

    #[test]
    fn a_part_without_rows_is_an_error() {
        let error = whole(&[vec![0], vec![1]], None, Rule::Rows, 0).unwrap_err();
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
            let parts = whole(&strata, None, Rule::Rows, seed).unwrap();
            prop_assert_eq!(&parts, &whole(&strata, None, Rule::Rows, seed).unwrap());

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

        #[test]
        fn every_row_validates_in_one_fold_and_test_rows_in_none(
            classes in prop::collection::vec(0_usize..4, 30..200),
            of in 2_usize..6,
            seed: u64,
        ) {
            let strata = strata_of(&classes);
            let mut validated = vec![0; classes.len()];
            let mut tests = Vec::new();
            for index in 1..=of {
                let split = whole(&strata, Some(Fold { index, of }), Rule::Rows, seed).unwrap();
                prop_assert!(is_whole(&split, classes.len()));
                split.valid.iter().for_each(|&row| validated[row] += 1);
                tests.push(split.test);
            }
            prop_assert!(tests.iter().all(|test| *test == tests[0]));
            for (row, times) in validated.into_iter().enumerate() {
                let is_test = tests[0].contains(&row);
                let rest = |row: &&usize| !tests[0].contains(row);
                let alone = strata[classes[row]].iter().filter(rest).count() == 1;
                prop_assert_eq!(times, usize::from(!is_test && !alone), "row {}", row);
            }
        }

        #[test]
        fn no_group_is_in_two_parts(
            rows in prop::collection::vec((0_usize..4, 0_usize..25), 100..300),
            of in prop::option::of(2_usize..5),
            seed: u64,
        ) {
            let classes: Vec<usize> = rows.iter().map(|row| row.0).collect();
            let groups: Vec<usize> = rows.iter().map(|row| row.1).collect();
            let rule = Rule::Groups { column: "g", of: &groups };
            let mut validated = vec![0; rows.len()];
            for index in 1..=of.unwrap_or(1) {
                let fold = of.map(|of| Fold { index, of });
                let split = whole(&strata_of(&classes), fold, rule, seed).unwrap();
                prop_assert!(is_whole(&split, rows.len()));
                split.valid.iter().for_each(|&row| validated[row] += 1);
                split.test.iter().for_each(|&row| validated[row] += usize::from(index == 1));
                let has = |part: &[usize], group| part.iter().any(|&row| groups[row] == group);
                for group in 0..25 {
                    let parts = [&split.train, &split.valid, &split.test];
                    prop_assert!(parts.iter().filter(|part| has(part, group)).count() <= 1);
                }
            }
            // Over all folds, every row is looked at once.
            prop_assert!(of.is_none() || validated.iter().all(|&times| times == 1));
        }

        #[test]
        fn what_is_later_neither_trains_nor_is_parted(
            times in prop::collection::vec((0_u32..40).prop_map(f64::from), 60..200),
            test in prop::sample::select(vec![0.0, 0.15]),
        ) {
            let shares = Shares { train: 0.85 - test, valid: 0.15, test };
            let rule = Rule::Times { column: "t", of: &times };
            let split = split(&[], shares, None, rule, 0, "data.csv").unwrap();
            prop_assert!(is_whole(&split, times.len()));
            let of = |part: &[usize]| part.iter().map(|&row| times[row]).collect::<Vec<_>>();
            let last = |part: &[usize]| of(part).into_iter().fold(f64::MIN, f64::max);
            let first = |part: &[usize]| of(part).into_iter().fold(f64::MAX, f64::min);
            prop_assert!(last(&split.train) < first(&split.valid));
            prop_assert!(last(&split.valid) < first(&split.test));
        }
    }
}
