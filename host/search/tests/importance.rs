//! Which parameters matter: against Optuna's figures, and what must hold of any.

#![allow(clippy::unwrap_used, clippy::panic)] // The helpers serve tests alone.

use attune_search::importance::Evidence;
use attune_search::{Direction, Domain, Value};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

/// As `golden/make_importance.py` writes it.
#[derive(Deserialize)]
struct Golden {
    space: BTreeMap<String, serde_json::Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    share: f64,
    maximize: bool,
    trials: Vec<Trial>,
    variance: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Trial {
    value: f64,
    config: BTreeMap<String, serde_json::Value>,
}

fn value(json: &serde_json::Value, domain: &Domain) -> Value {
    match (json, domain) {
        (serde_json::Value::String(word), _) => word.as_str().into(),
        (number, Domain::Int { .. }) => number.as_i64().unwrap().into(),
        (number, _) => number.as_f64().unwrap().into(),
    }
}

/// The domains are written as serde does, but for the kinds of a choice's values.
fn domain(json: &serde_json::Value) -> Domain {
    match json.get("choice").and_then(serde_json::Value::as_array) {
        Some(words) => Domain::Choice(
            words
                .iter()
                .map(|word| word.as_str().unwrap().into())
                .collect(),
        ),
        None => serde_json::from_value(json.clone()).unwrap(),
    }
}

#[test]
fn the_figures_are_those_of_optuna() {
    let golden: Golden = serde_json::from_str(include_str!("golden/importance.json")).unwrap();
    let space: BTreeMap<String, Domain> = golden
        .space
        .iter()
        .map(|(name, json)| (name.clone(), domain(json)))
        .collect();
    assert_eq!(golden.cases.len(), 9);
    let mut compared = 0;
    for (number, case) in golden.cases.iter().enumerate() {
        let mut evidence = Evidence::new(space.clone());
        for trial in &case.trials {
            evidence.add(trial.value, |name| {
                Some(value(trial.config.get(name)?, &space[name]))
            });
        }
        let direction = match case.maximize {
            true => Direction::Maximize,
            false => Direction::Minimize,
        };
        let judged = evidence.judge(direction, case.share);
        let total: f64 = case.variance.values().sum();
        for weight in judged.parameters {
            let Some(expected) = case.variance.get(&weight.name) else {
                assert_eq!(
                    (weight.trials, weight.variance),
                    (0, 0.0),
                    "{}",
                    weight.name
                );
                continue;
            };
            let told = format!(
                "case {number}, {}: {} and not {expected}",
                weight.name, weight.variance
            );
            assert!(
                (weight.variance - expected).abs() <= 1e-9 * expected.max(1e-6),
                "{told}"
            );
            if total > 0.0 {
                assert!((weight.share - expected / total).abs() < 1e-9, "{told}");
            } else {
                assert_eq!(weight.share, 0.0, "{told}");
            }
            compared += 1;
        }
    }
    assert!(compared > 70, "{compared}");
}

/// Trials of a made-up study: `a` decides, `b` does nothing, and `c` is only in some.
fn made_up(values: &[f64], mirrored: bool) -> Evidence {
    let float = Domain::Float {
        low: 0.0,
        high: 1.0,
        log: false,
        step: None,
    };
    let names = ["a", "b", "c"].map(|name| (name.to_owned(), float.clone()));
    let mut evidence = Evidence::new(names);
    for (trial, value) in values.iter().enumerate() {
        let value = if mirrored { -value } else { *value };
        evidence.add(value, |name| match name {
            "a" => Some(values[trial].clamp(0.0, 1.0).into()),
            "b" => Some(((trial * 37 % 101) as f64 / 100.0).into()),
            _ => (trial % 3 == 0).then_some(0.5.into()),
        });
    }
    evidence
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_decides_comes_first_and_shares_are_one_in_all(
        values in prop::collection::vec(0.0..1.0, 100..200), percent in 10_u32..40,
    ) {
        let share = f64::from(percent) / 100.0;
        let judged = made_up(&values, false).judge(Direction::Minimize, share);
        prop_assert_eq!(&judged.parameters[0].name, "a");
        let sum: f64 = judged.parameters.iter().map(|weight| weight.share).sum();
        prop_assert!((sum - 1.0).abs() < 1e-9);
        prop_assert!(judged.good.len() >= (share * values.len() as f64) as usize);
        let c = judged.parameters.iter().find(|weight| weight.name == "c").unwrap();
        prop_assert_eq!(c.trials, values.len().div_ceil(3));
        // The other way round it is the same.
        prop_assert_eq!(made_up(&values, true).judge(Direction::Maximize, share), judged);
    }

    #[test]
    fn what_is_not_a_number_is_worst_and_never_good(
        values in prop::collection::vec(0.0..1.0, 20..60),
        odd in prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ) {
        for direction in [Direction::Minimize, Direction::Maximize] {
            let mut all = values.clone();
            all.extend(vec![odd; 10]);
            let judged = made_up(&all, false).judge(direction, 0.1);
            prop_assert!(judged.good.iter().all(|trial| *trial < values.len()));
            prop_assert!(!judged.good.is_empty());
            prop_assert!(judged.parameters.iter().all(|weight| weight.variance.is_finite()));
        }
    }
}

#[test]
fn where_nothing_can_be_told_nothing_has_a_share() {
    for values in [vec![], vec![0.3], vec![0.5; 30], vec![f64::NAN; 5]] {
        let evidence = made_up(&values, false);
        assert_eq!(evidence.is_empty(), values.is_empty());
        let judged = evidence.judge(Direction::Minimize, 0.1);
        assert_eq!(judged.parameters.len(), 3);
        for weight in judged.parameters {
            assert_eq!((weight.variance, weight.share), (0.0, 0.0), "{values:?}");
        }
    }
}

#[test]
fn a_value_of_the_wrong_kind_counts_as_none() {
    let choice = Domain::Choice(vec!["x".into(), "y".into()]);
    let int = Domain::Int {
        low: 1,
        high: 3,
        log: false,
    };
    let mut evidence = Evidence::new([("choice".to_owned(), choice), ("int".to_owned(), int)]);
    let rows: [(Value, Value); 4] = [
        ("x".into(), 2.into()),
        ("z".into(), true.into()),
        (1.into(), "two".into()),
        ("y".into(), 9.into()),
    ];
    for (choice, int) in &rows {
        evidence.add(1.0, |name| {
            Some(if name == "int" {
                int.clone()
            } else {
                choice.clone()
            })
        });
    }
    let told = |name| {
        (0..4)
            .map(|trial| evidence.number(name, trial))
            .collect::<Vec<_>>()
    };
    assert_eq!(told("choice"), [Some(0.0), None, None, Some(1.0)]);
    assert_eq!(told("int"), [Some(2.0), None, None, Some(9.0)]);
    assert_eq!(told("other"), [None; 4]);
}
