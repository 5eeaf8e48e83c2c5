//! Whether a model treats groups of rows alike.
//!
//! Groups are compared as fairlearn does it (Agarwal et al. 2018, §2): the greatest value of a group
//! against the smallest. Of two classes the second counts as chosen, in the order of the task's
//! classes: `yes` after `no`, 1 after 0. Of more, each is looked at against all others, and the worst
//! counts.

use super::{Metric, Scores, most_likely};

/// The disparities of a model's outputs (logits or probabilities) between the groups that rows
/// belong to, which are numbered from 0.
pub(super) fn of_outputs(
    outputs: &[f32],
    labels: &[u32],
    groups: &[u32],
    classes: usize,
) -> Scores {
    let chosen: Vec<u32> = outputs
        .chunks_exact(classes.max(1))
        .map(|row| most_likely(row) as u32)
        .collect();
    of_classes(&chosen, labels, groups, classes)
}

/// The disparities of predicted classes between groups. All slices have one place a row.
pub(super) fn of_classes(chosen: &[u32], labels: &[u32], groups: &[u32], classes: usize) -> Scores {
    let asked = if classes == 2 {
        1..2
    } else {
        0..classes as u32
    };
    let mut found = Scores::new();
    for class in asked {
        let mut rates = vec![Rates::default(); count(groups)];
        for ((&chosen, &label), &group) in chosen.iter().zip(labels).zip(groups) {
            let of = &mut rates[group as usize].0[usize::from(label == class)];
            of.rows += 1;
            of.chosen += u64::from(chosen == class);
        }
        // A group without a row, as where a part has none of it, is none.
        rates.retain(|rates| rates.all().rows > 0);
        for (metric, value) in of_rates(&rates) {
            let worst = found.entry(metric).or_insert(value);
            if metric.is_better(*worst, value) || worst.is_nan() {
                *worst = value;
            }
        }
    }
    found
}

/// The disparities of predicted numbers between groups, in units of `scale`.
pub(super) fn of_numbers(outputs: &[f32], truth: &[f32], groups: &[u32], scale: f64) -> Scores {
    let mut sums = vec![Sums::default(); count(groups)];
    for ((&output, &truth), &group) in outputs.iter().zip(truth).zip(groups) {
        let (output, truth) = (f64::from(output), f64::from(truth));
        let of = &mut sums[group as usize];
        of.rows += 1;
        of.predicted += output;
        of.off += (output - truth).abs();
    }
    sums.retain(|sums| sums.rows > 0);
    let spread = |sum: fn(&Sums) -> f64| {
        let (least, most) = ends(sums.iter().map(|sums| sum(sums) / sums.rows as f64));
        (most - least) * scale
    };
    Scores::from([
        (
            Metric::MeanPredictionDifference,
            spread(|sums| sums.predicted),
        ),
        (Metric::MaeDifference, spread(|sums| sums.off)),
    ])
}

/// Of a group: what is predicted of its rows, and how far off that is.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    rows: u64,
    predicted: f64,
    off: f64,
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

fn of_rates(rates: &[Rates]) -> [(Metric, f64); 4] {
    let (least, most) = ends(rates.iter().map(|group| group.all().rate()));
    let spread = |which: usize| {
        let (least, most) = ends(rates.iter().map(|group| group.0[which].rate()));
        most - least
    };
    let [of_no, of_yes] = [spread(0), spread(1)];
    [
        (Metric::DemographicParityDifference, most - least),
        (Metric::DemographicParityRatio, least / most),
        (Metric::EqualOpportunityDifference, of_yes),
        (Metric::EqualizedOddsDifference, of_no.max(of_yes)),
    ]
}

fn count(groups: &[u32]) -> usize {
    groups.iter().max().map_or(0, |&last| last as usize + 1)
}

/// The least and the greatest; NaN where one of them is.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), value| {
            match value.is_nan() {
                true => (value, value),
                // Neither is less or greater than a NaN that came before.
                false => (
                    if value < least { value } else { least },
                    if value > most { value } else { most },
                ),
            }
        },
    )
}
