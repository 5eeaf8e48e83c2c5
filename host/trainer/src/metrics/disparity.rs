//! Whether a model treats groups of rows alike.
//!
//! Rates of groups are compared as Agarwal et al. 2018 and fairlearn do: the greatest against the
//! smallest. Of two classes the second counts as chosen, in the order of the task's classes: `yes`
//! after `no`, 1 after 0. Of more, each is looked at against all others, and the worst counts.

use super::most_likely;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A way in which groups may be treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fairness {
    /// The greatest share of a group that is chosen, less the smallest.
    DemographicParityDifference,
    /// The smallest such share over the greatest; NaN where nobody is chosen.
    DemographicParityRatio,
    /// The greatest difference between groups in the share that is chosen of those who should be,
    /// or of those who should not, whichever is greater.
    EqualizedOddsDifference,
}

/// Disparities between groups.
pub type Disparities = BTreeMap<Fairness, f64>;

impl Fairness {
    /// All of them.
    pub const ALL: [Fairness; 3] = [
        Fairness::DemographicParityDifference,
        Fairness::DemographicParityRatio,
        Fairness::EqualizedOddsDifference,
    ];

    /// The name in settings, records and tables.
    pub fn name(self) -> &'static str {
        match self {
            Fairness::DemographicParityDifference => "demographic_parity_difference",
            Fairness::DemographicParityRatio => "demographic_parity_ratio",
            Fairness::EqualizedOddsDifference => "equalized_odds_difference",
        }
    }

    /// Whether lower is fairer.
    pub fn minimized(self) -> bool {
        self != Fairness::DemographicParityRatio
    }
}

impl fmt::Display for Fairness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The disparities of a model's outputs (logits or probabilities) between the groups that rows
/// belong to, which are numbered from 0.
pub fn of_outputs(outputs: &[f32], labels: &[u32], groups: &[u32], classes: usize) -> Disparities {
    let chosen: Vec<u32> = outputs
        .chunks_exact(classes.max(1))
        .map(|row| most_likely(row) as u32)
        .collect();
    of_classes(&chosen, labels, groups, classes)
}

/// The disparities of predicted classes between groups. All slices have one place a row.
pub fn of_classes(chosen: &[u32], labels: &[u32], groups: &[u32], classes: usize) -> Disparities {
    let asked = if classes == 2 {
        1..2
    } else {
        0..classes as u32
    };
    let count = groups.iter().max().map_or(0, |&last| last as usize + 1);
    let mut found = Disparities::new();
    for class in asked {
        let mut rates = vec![Rates::default(); count];
        for ((&chosen, &label), &group) in chosen.iter().zip(labels).zip(groups) {
            let of = &mut rates[group as usize].0[usize::from(label == class)];
            of.rows += 1;
            of.chosen += u64::from(chosen == class);
        }
        // A group without a row, as where a table has none of it, is none.
        rates.retain(|rates| rates.all().rows > 0);
        for (fairness, value) in of_rates(&rates) {
            let worst = found.entry(fairness).or_insert(value);
            let is_worse = match fairness.minimized() {
                true => value > *worst,
                false => value < *worst,
            };
            if is_worse || worst.is_nan() {
                *worst = value;
            }
        }
    }
    found
}

/// Of a group: rows that should not be chosen, and rows that should.
#[derive(Debug, Clone, Copy, Default)]
struct Rates([Share; 2]);

#[derive(Debug, Clone, Copy, Default)]
struct Share {
    rows: u64,
    chosen: u64,
}

impl Share {
    /// 0 of no rows, as fairlearn counts it.
    fn rate(self) -> f64 {
        match self.rows {
            0 => 0.0,
            rows => self.chosen as f64 / rows as f64,
        }
    }
}

impl Rates {
    fn all(&self) -> Share {
        let [no, yes] = self.0;
        Share {
            rows: no.rows + yes.rows,
            chosen: no.chosen + yes.chosen,
        }
    }
}

fn of_rates(rates: &[Rates]) -> [(Fairness, f64); 3] {
    let ends = |rate: &dyn Fn(&Rates) -> Share| {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        rates
            .iter()
            .map(|group| rate(group).rate())
            .fold(ends, |(least, most), rate| {
                (least.min(rate), most.max(rate))
            })
    };
    let (least, most) = ends(&Rates::all);
    let spread = |which: usize| {
        let (least, most) = ends(&|rates| rates.0[which]);
        most - least
    };
    [
        (Fairness::DemographicParityDifference, most - least),
        (Fairness::DemographicParityRatio, least / most),
        (Fairness::EqualizedOddsDifference, spread(0).max(spread(1))),
    ]
}
