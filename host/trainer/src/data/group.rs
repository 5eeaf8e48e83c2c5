//! Splits that keep the rows of a group together.

use super::split::{Fold, Shares, Split};
use crate::random::{Purpose, shuffle, stream};

/// Rows of one group, counted by class.
struct Group {
    /// Its number.
    id: usize,
    rows: usize,
    /// Classes that it has, with so many rows of each.
    classes: Vec<(usize, f64)>,
}

/// What a part has and should have of each class.
struct Share {
    /// Rows that it lacks, by class; below zero where it has too many.
    lacks: Vec<f64>,
    groups: usize,
}

/// Deals whole groups out to the parts, the largest first (chance settles ties), each to the part
/// that is then nearest to its share of every class (after Yin et al.'s greedy stratified group folds
/// as scikit-learn has them). No part stays without a group where there are enough; otherwise, how
/// many there are and must be.
///
/// With a fold, the parts are the test part and every fold, so that all folds of a seed fit together.
pub(crate) fn split(
    strata: &[Vec<usize>],
    groups: &[usize],
    shares: Shares,
    fold: Option<Fold>,
    seed: u64,
) -> Result<Split, (usize, usize)> {
    // The test part is the last one.
    let mut wanted = match fold {
        None => vec![shares.train, shares.valid],
        Some(fold) => vec![(1.0 - shares.test) / fold.of as f64; fold.of],
    };
    if shares.test > 0.0 {
        wanted.push(shares.test);
    }
    let mut all = counted(strata, groups);
    if all.len() < wanted.len() {
        return Err((all.len(), wanted.len()));
    }
    shuffle(&mut all, &mut stream(seed, Purpose::Split, 0));
    all.sort_by_key(|group| std::cmp::Reverse(group.rows));

    let mut parts: Vec<Share> = wanted
        .iter()
        .map(|share| Share {
            lacks: strata.iter().map(|s| share * s.len() as f64).collect(),
            groups: 0,
        })
        .collect();
    let mut part_of = vec![0; all.len()];
    for (dealt, group) in all.iter().enumerate() {
        let empty = parts.iter().filter(|part| part.groups == 0).count();
        let must_fill = all.len() - dealt <= empty;
        let open = (0..parts.len()).filter(|&part| !must_fill || parts[part].groups == 0);
        // How much farther from its shares the part is with the group than without; a class weighs
        // the same whether it is frequent or rare.
        let cost = |part: usize| -> f64 {
            let of_class = |&(class, rows): &(usize, f64)| {
                rows * (rows - 2.0 * parts[part].lacks[class]) / strata[class].len() as f64
            };
            group.classes.iter().map(of_class).sum()
        };
        // The first of equals, and one is always open.
        let best = open
            .min_by(|&a, &b| cost(a).total_cmp(&cost(b)))
            .unwrap_or(0);
        part_of[group.id] = best;
        parts[best].groups += 1;
        for &(class, rows) in &group.classes {
            parts[best].lacks[class] -= rows;
        }
    }

    let role = |part: usize| match fold {
        None => part,
        Some(fold) if part == fold.of => 2,
        Some(fold) => usize::from(part + 1 == fold.index),
    };
    Ok(Split::of_parts(
        groups.iter().map(|&group| role(part_of[group])),
    ))
}

fn counted(strata: &[Vec<usize>], groups: &[usize]) -> Vec<Group> {
    let count = groups.iter().max().map_or(0, |last| last + 1);
    let mut all: Vec<Group> = (0..count)
        .map(|id| Group {
            id,
            rows: 0,
            classes: Vec::new(),
        })
        .collect();
    for (class, rows) in strata.iter().enumerate() {
        for &row in rows {
            let group = &mut all[groups[row]];
            group.rows += 1;
            match group.classes.last_mut() {
                Some((last, rows)) if *last == class => *rows += 1.0,
                _ => group.classes.push((class, 1.0)),
            }
        }
    }
    all
}
