//! What searchers suggest: reproducibly, evenly, and never twice.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use attune_search::searcher::sobol::Sequence;
use attune_search::searcher::{Random, Sobol};
use attune_search::{Config, Domain, Parameter, Searcher, Space, TrialNumber, UncheckedSpace};
use serde::Deserialize;

type Make = fn(Space, u64) -> Box<dyn Searcher>;

const SEARCHERS: [(&str, Make); 2] = [
    ("random", |space, seed| Box::new(Random::new(space, seed))),
    ("sobol", |space, seed| Box::new(Sobol::new(space, seed))),
];

fn space(domains: Vec<Domain>) -> Space {
    let parameters = domains
        .into_iter()
        .enumerate()
        .map(|(i, domain)| Parameter {
            name: format!("x{i}"),
            domain,
            when: None,
        })
        .collect();
    UncheckedSpace { parameters }.check().unwrap()
}

fn unit_cube(dimensions: usize) -> Space {
    let unit = Domain::Float {
        low: 0.0,
        high: 1.0,
        log: false,
        step: None,
    };
    space(vec![unit; dimensions])
}

fn suggestions(searcher: &mut dyn Searcher, trials: std::ops::Range<u64>) -> Vec<Config> {
    trials
        .map(|trial| searcher.suggest(TrialNumber(trial)).unwrap())
        .collect()
}

#[test]
fn a_suggestion_depends_on_seed_and_trial_only() {
    for (name, make) in SEARCHERS {
        let all = suggestions(&mut *make(unit_cube(3), 5), 0..20);
        assert_eq!(
            all,
            suggestions(&mut *make(unit_cube(3), 5), 0..20),
            "{name}"
        );
        assert_eq!(
            all[7..],
            suggestions(&mut *make(unit_cube(3), 5), 7..20),
            "{name}"
        );
        assert_ne!(
            all,
            suggestions(&mut *make(unit_cube(3), 6), 0..20),
            "{name}"
        );
    }
}

#[test]
fn a_countable_space_is_searched_to_its_last_configuration_and_no_further() {
    let domains = || {
        vec![
            Domain::Choice(vec!["a".into(), "b".into(), "c".into()]),
            Domain::Int {
                low: 1,
                high: 400,
                log: true,
            },
        ]
    };
    for (name, make) in SEARCHERS {
        for seed in 0..5 {
            let mut searcher = make(space(domains()), seed);
            let all: BTreeSet<_> = suggestions(&mut *searcher, 0..1200).into_iter().collect();
            assert_eq!(all.len(), 1200, "{name}, seed {seed}");
            let error = searcher.suggest(TrialNumber(1200)).unwrap_err();
            assert_eq!(
                error.to_string(),
                "all 1200 configurations of the space have been tried; widen it to search on"
            );
        }
    }
}

#[test]
fn a_range_of_a_few_floats_is_exhausted_too() {
    let low = 1.0_f64;
    let narrow = Domain::Float {
        low,
        high: low.next_up().next_up(),
        log: false,
        step: None,
    };
    for (name, make) in SEARCHERS {
        let mut searcher = make(space(vec![narrow.clone()]), 1);
        let found = (0..).find(|&trial| searcher.suggest(TrialNumber(trial)).is_err());
        assert_eq!(found, Some(3), "{name}");
    }
}

#[test]
fn more_parameters_than_the_sobol_table_has_are_still_all_searched() {
    let dimensions = Sequence::MAX_DIMENSIONS + 3;
    let configs = suggestions(&mut Sobol::new(unit_cube(dimensions), 1), 0..2);
    for name in ["x0", &format!("x{}", dimensions - 1)] {
        assert!(configs[0].get(name).is_some());
        assert_ne!(configs[0].get(name), configs[1].get(name));
    }
}

#[derive(Deserialize)]
struct GoldenSobol {
    dimensions: usize,
    indices: Vec<u32>,
    points: Vec<Vec<u32>>,
}

#[test]
fn plain_sobol_points_are_those_of_scipy() {
    let golden: Vec<GoldenSobol> = serde_json::from_str(include_str!("golden/sobol.json")).unwrap();
    assert_eq!(golden.len(), 5);
    for case in golden {
        let sequence = Sequence::plain(case.dimensions);
        assert_eq!(case.indices.len(), case.points.len());
        for (index, expected) in case.indices.into_iter().zip(case.points) {
            let expected: Vec<f64> = expected
                .into_iter()
                .map(|digits| f64::from(digits) / 2_f64.powi(32))
                .collect();
            assert_eq!(
                sequence.point(index),
                expected,
                "{index} of {}",
                case.dimensions
            );
        }
    }
}

/// How many of `points` lie in each box of a grid with 2^`bits[d]` cells along dimension d.
fn boxes(points: &[Vec<f64>], bits: &[(usize, u32)]) -> Vec<u32> {
    let total: u32 = bits.iter().map(|&(_, bits)| bits).sum();
    let mut counts = vec![0; 1 << total];
    for point in points {
        let index = bits.iter().fold(0, |index, &(dimension, bits)| {
            index << bits | (point[dimension] * f64::from(1 << bits)) as usize
        });
        counts[index] += 1;
    }
    counts
}

#[test]
fn scrambled_sobol_points_fill_every_dimension_evenly_at_every_scale() {
    let dimensions = Sequence::MAX_DIMENSIONS;
    let sequence = Sequence::scrambled(dimensions, 3);
    for k in [0, 1, 4, 7] {
        for block in [0, 1, 5] {
            let points: Vec<_> = (block << k..(block + 1) << k)
                .map(|index| sequence.point(index))
                .collect();
            for dimension in 0..dimensions {
                let counts = boxes(&points, &[(dimension, k)]);
                assert!(
                    counts.iter().all(|&count| count == 1),
                    "dimension {dimension}"
                );
            }
        }
    }
}

#[test]
fn the_first_two_scrambled_dimensions_fill_the_plane_evenly_in_boxes_of_any_shape() {
    for seed in 0..4 {
        let sequence = Sequence::scrambled(2, seed);
        let points: Vec<_> = (256..512).map(|index| sequence.point(index)).collect();
        for across in 0..=8 {
            let counts = boxes(&points, &[(0, across), (1, 8 - across)]);
            assert!(
                counts.iter().all(|&count| count == 1),
                "{across} bits across"
            );
        }
    }
}

#[test]
fn scrambling_moves_points_but_not_their_mean() {
    let points: Vec<f64> = (0..2000)
        .map(|seed| Sequence::scrambled(6, seed).point(9)[5])
        .collect();
    let mean = points.iter().sum::<f64>() / 2000.0;
    let variance = points.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2000.0;
    // Uniform on [0, 1): mean 1/2 with a standard error of 0.0065, variance 1/12 with 0.0017.
    assert!((mean - 0.5).abs() < 0.026, "{mean}");
    assert!((variance - 1.0 / 12.0).abs() < 0.007, "{variance}");
}
