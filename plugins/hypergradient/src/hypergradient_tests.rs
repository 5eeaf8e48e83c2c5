use super::Hypergradient;
use attune_plugin_api::conformance;
use attune_plugin_api::controller::{Clock, Controller, InProcess};
use attune_plugin_api::param::Value::{self, Float};
use attune_plugin_api::{OptimizerKind, Setup};
use proptest::prelude::*;
use std::collections::BTreeMap;

pub(super) type Params = BTreeMap<String, Value>;

pub(super) fn params(rule: &str, scope: &str, more: &[(&str, f64)]) -> Params {
    let words = [("rule", rule), ("scope", scope)];
    let words = words.map(|(name, word)| (name.to_owned(), Value::Text(word.into())));
    let numbers = more.iter().map(|&(name, x)| (name.to_owned(), Float(x)));
    words.into_iter().chain(numbers).collect()
}

/// The rates after one step with these ⟨g, u⟩, ‖g‖² and ‖u‖² of each group.
fn step(params: &Params, setup: &Setup, signals: &[f64]) -> Vec<f64> {
    let mut scheduler = InProcess::<Hypergradient>::configure(params, setup).unwrap();
    let mut rates = setup.rates();
    let mut momenta = vec![f64::NAN; rates.len()];
    scheduler
        .step(&Clock::default(), signals, &mut rates, &mut momenta)
        .unwrap();
    rates
}

#[test]
fn it_passes_conformance_in_every_form() {
    conformance::check::<Hypergradient>().unwrap();
    for rule in ["additive", "multiplicative"] {
        for scope in ["global", "group"] {
            let given = params(rule, scope, &[("beta", 0.1), ("min_lr", 0.0)]);
            conformance::check_with::<Hypergradient>(&given).unwrap();
        }
    }
}

#[test]
fn one_step_worked_out_by_hand() {
    const NAN: f64 = f64::NAN;
    // rule, scope, starting rates, ⟨g, u⟩s, ‖g‖²s, ‖u‖²s, rates after; beta is a tenth.
    type Case<'a> = (
        &'a str,
        &'a str,
        [f64; 2],
        [f64; 2],
        [f64; 2],
        [f64; 2],
        [f64; 2],
    );
    let table: &[Case<'_>] = &[
        (
            "additive",
            "group",
            [0.5, 0.5],
            [1.0, -2.0],
            [1.0; 2],
            [9.0; 2],
            [0.6, 0.3],
        ),
        (
            "additive",
            "global",
            [0.5, 0.5],
            [1.0, -2.0],
            [1.0; 2],
            [9.0; 2],
            [0.4, 0.4],
        ),
        // Ratios 1 and 1/2: the higher rate moves by a tenth of 1 − 2/2 = 0, then of 1 + 2/2 = 2.
        (
            "additive",
            "global",
            [0.5, 0.25],
            [1.0, -2.0],
            [1.0; 2],
            [9.0; 2],
            [0.5, 0.25],
        ),
        (
            "additive",
            "global",
            [0.25, 0.5],
            [2.0, 1.0],
            [1.0; 2],
            [9.0; 2],
            [0.35, 0.7],
        ),
        // Cosines 1 and −1/2.
        (
            "multiplicative",
            "group",
            [0.5, 0.5],
            [2.0, -1.0],
            [1.0, 1.0],
            [4.0, 4.0],
            [0.55, 0.475],
        ),
        // (2 + 1) / (√(4 + 5)·√(1 + 3)) = 1/2.
        (
            "multiplicative",
            "global",
            [0.5, 0.5],
            [2.0, 1.0],
            [4.0, 5.0],
            [1.0, 3.0],
            [0.525, 0.525],
        ),
        // Bounds, first step, no gradient at all.
        (
            "additive",
            "group",
            [0.5, 0.5],
            [9.0, -9.0],
            [1.0; 2],
            [9.0; 2],
            [1.0, 1e-8],
        ),
        (
            "additive",
            "group",
            [0.5, 0.5],
            [NAN, 1.0],
            [1.0; 2],
            [NAN; 2],
            [0.5, 0.6],
        ),
        (
            "additive",
            "global",
            [0.5, 0.5],
            [NAN, 1.0],
            [1.0; 2],
            [NAN; 2],
            [0.5, 0.5],
        ),
        (
            "multiplicative",
            "global",
            [0.5, 0.5],
            [0.0; 2],
            [0.0; 2],
            [1.0; 2],
            [0.5, 0.5],
        ),
    ];
    for (rule, scope, start, dots, grads, updates, expected) in table {
        let signals = [*dots, *grads, *updates].concat();
        let rates = step(
            &params(rule, scope, &[("beta", 0.1)]),
            &Setup::of_rates(start),
            &signals,
        );
        for (rate, expected) in rates.iter().zip(expected) {
            assert!(
                (rate - expected).abs() < 1e-12,
                "{rule} {scope} from {start:?} with {signals:?}: {rates:?}"
            );
        }
    }
}

#[test]
fn beta_is_chosen_by_rule_and_optimizer() {
    let table = [
        ("additive", OptimizerKind::Sgd, 1e-6),
        ("additive", OptimizerKind::Nesterov, 1e-6),
        ("additive", OptimizerKind::Adam, 1e-8),
        ("additive", OptimizerKind::AdamW, 1e-8),
        ("multiplicative", OptimizerKind::AdamW, 0.01),
    ];
    for (rule, optimizer, change) in table {
        let setup = Setup {
            optimizer,
            ..Setup::of_rates(&[0.5])
        };
        // With all sums at 1 the additive change is beta and the multiplicative one half of it.
        let rate = step(&params(rule, "group", &[]), &setup, &[1.0; 3])[0];
        assert!(
            (rate - 0.5 - change).abs() < 1e-14,
            "{rule} {optimizer:?}: {rate}"
        );
    }
}

#[test]
fn bounds_that_cross_are_refused_and_a_start_outside_them_is_told() {
    let crossed = params("additive", "global", &[("min_lr", 0.5), ("max_lr", 0.1)]);
    let setup = Setup::of_rates(&[2.0]);
    let error = InProcess::<Hypergradient>::configure(&crossed, &setup).unwrap_err();
    assert!(error.to_string().contains("above `max_lr`"), "{error}");
    let outside = InProcess::<Hypergradient>::configure(&Params::new(), &setup).unwrap();
    assert!(
        outside.warnings()[0].contains("lies outside"),
        "{:?}",
        outside.warnings()
    );
    let stuck = params("multiplicative", "global", &[("min_lr", 0.0)]);
    let stuck = InProcess::<Hypergradient>::configure(&stuck, &Setup::of_rates(&[0.0])).unwrap();
    assert!(stuck.warnings()[0].contains("starts at a rate of 0"));
}

proptest! {
    #[test]
    fn rates_stay_within_their_bounds_whatever_the_signals(
        additive: bool,
        global: bool,
        signals in prop::collection::vec(prop_oneof![
            8 => -1e6..1e6f64,
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
        ], 9),
    ) {
        let given = params(
            if additive { "additive" } else { "multiplicative" },
            if global { "global" } else { "group" },
            &[("beta", 0.5), ("min_lr", 1e-4), ("max_lr", 2.0)],
        );
        for rate in step(&given, &Setup::of_rates(&[0.1, 0.2, 1.0]), &signals) {
            prop_assert!((1e-4..=2.0).contains(&rate), "{rate}");
        }
    }
}
