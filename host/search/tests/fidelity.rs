//! Which trials go on: against Syne Tune's rule as NumPy computes it, and against a naive model.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use attune_search::fidelity::{Asha, AshaSettings, Full};
use attune_search::{Decision, Direction, FidelityPolicy, TrialNumber};
use proptest::prelude::*;
use serde::Deserialize;

fn asha(min_epochs: u64, max_epochs: u64, eta: u64, direction: Direction) -> Result<Asha, String> {
    let settings = AshaSettings {
        min_epochs,
        max_epochs,
        eta,
        direction,
    };
    settings.check().map_err(|error| error.to_string())
}

fn continues(policy: &mut dyn FidelityPolicy, trial: usize, epoch: u64, value: f64) -> bool {
    policy.decide(TrialNumber(trial as u64), epoch, value) == Decision::Continue
}

#[test]
fn rungs_lie_at_powers_of_eta_below_the_end() {
    let cases: [(u64, u64, u64, &[u64]); 5] = [
        (1, 27, 3, &[1, 3, 9]),
        (1, 28, 3, &[1, 3, 9, 27]),
        (5, 6, 2, &[5]),
        (2, 100, 7, &[2, 14, 98]),
        (1 << 62, u64::MAX, 4, &[1 << 62]),
    ];
    for (min_epochs, max_epochs, eta, expected) in cases {
        let policy = asha(min_epochs, max_epochs, eta, Direction::Minimize).unwrap();
        let rungs: Vec<u64> =
            std::iter::successors(policy.next_rung(0), |&rung| policy.next_rung(rung)).collect();
        assert_eq!(rungs, expected);
    }
}

#[test]
fn settings_without_a_decision_are_refused_with_a_remedy() {
    let no_rung = |min, max| {
        format!(
            "min_epochs is {min} and max_epochs {max}; give 1 or more, the first below the second, or turn early stopping off"
        )
    };
    for (min_epochs, max_epochs, eta, message) in [
        (1, 9, 1, "eta is 1; give 2 or more".to_owned()),
        (0, 9, 3, no_rung(0, 9)),
        (9, 9, 3, no_rung(9, 9)),
    ] {
        let error = asha(min_epochs, max_epochs, eta, Direction::Minimize).unwrap_err();
        assert_eq!(error, message);
    }
}

#[test]
fn the_first_at_a_rung_continues_then_new_bests_then_the_best_share() {
    let mut policy = asha(1, 9, 3, Direction::Maximize).unwrap();
    let decisions = [
        (0.5, true),
        (0.4, false),
        (0.6, true),
        (0.5, true), // Second of four, and ⌈4 / 3⌉ = 2 are kept.
        (0.5, true), // As good as the second.
        (0.3, false),
    ];
    for (trial, (value, expected)) in decisions.into_iter().enumerate() {
        assert_eq!(
            continues(&mut policy, trial, 1, value),
            expected,
            "trial {trial}"
        );
    }
    // Another rung has a record of its own.
    assert!(continues(&mut policy, 1, 3, 0.1));
    // Between rungs there is nothing to decide.
    assert!(continues(&mut policy, 1, 2, -100.0));
}

#[test]
fn nan_never_continues_but_counts_as_a_value() {
    let mut policy = asha(1, 9, 2, Direction::Minimize).unwrap();
    assert!(!continues(&mut policy, 0, 1, f64::NAN));
    assert!(!continues(&mut policy, 1, 1, f64::NAN));
    assert!(continues(&mut policy, 2, 1, 1.0));
    assert!(continues(&mut policy, 3, 1, 2.0), "two of four are kept");
    assert!(
        continues(&mut policy, 4, 1, f64::INFINITY),
        "three of five are kept, and two are NaN"
    );
}

#[test]
fn without_early_stopping_there_is_no_rung() {
    assert_eq!(Full.next_rung(0), None);
    assert!(continues(&mut Full, 0, 1, f64::NAN));
}

#[derive(Deserialize)]
struct Golden {
    eta: u64,
    maximize: bool,
    values: Vec<f64>,
    kept: Vec<bool>,
}

#[test]
fn decisions_are_those_of_syne_tunes_quantile() {
    let golden: Vec<Golden> = serde_json::from_str(include_str!("golden/asha.json")).unwrap();
    assert_eq!(golden.len(), 8);
    for case in golden {
        let direction = if case.maximize {
            Direction::Maximize
        } else {
            Direction::Minimize
        };
        let mut policy = asha(1, 9, case.eta, direction).unwrap();
        let kept: Vec<bool> = case
            .values
            .iter()
            .enumerate()
            .map(|(trial, &value)| continues(&mut policy, trial, 1, value))
            .collect();
        assert_eq!(kept, case.kept, "eta {}, {direction:?}", case.eta);
    }
}

/// The definition, by counting: fewer than n / eta of the n values so far are strictly better.
fn naive(values: &[f64], eta: u64, direction: Direction) -> bool {
    let own = values[values.len() - 1];
    let better = |other: f64| match direction {
        Direction::Minimize => other < own,
        Direction::Maximize => other > own,
    };
    let better = values.iter().filter(|&&other| better(other)).count() as u64;
    !own.is_nan() && better * eta < values.len() as u64
}

proptest! {
    #[test]
    fn decisions_are_those_of_the_naive_model(
        values in prop::collection::vec(
            prop_oneof![
                8 => (-5..5_i32).prop_map(f64::from),
                1 => Just(f64::NAN),
                1 => Just(f64::INFINITY),
                1 => Just(f64::NEG_INFINITY),
                1 => Just(-0.0),
            ],
            1..80,
        ),
        eta in 2_u64..6,
        maximize: bool,
    ) {
        let direction = if maximize { Direction::Maximize } else { Direction::Minimize };
        let mut policy = asha(1, 9, eta, direction).unwrap();
        for n in 1..=values.len() {
            prop_assert_eq!(
                continues(&mut policy, n, 1, values[n - 1]),
                naive(&values[..n], eta, direction),
                "value {}", n
            );
        }
    }
}
