use super::Plateau;
use crate::replay::{params, text, trace, trace_one};
use attune_plugin_api::Setup;
use attune_plugin_api::conformance;
use attune_plugin_api::controller::{Controller, InProcess};
use attune_plugin_api::param::Value::{self, Float, Int, List};
use proptest::prelude::*;

#[test]
fn it_passes_conformance() {
    conformance::check::<Plateau>().unwrap();
    for (cooldown, mode) in [(0, "min"), (3, "max"), (1, "auto")] {
        conformance::check_with::<Plateau>(&params([
            ("cooldown", Int(cooldown)),
            ("mode", text(mode)),
            ("patience", Int(1)),
            ("min_lr", Float(1e-3)),
        ]))
        .unwrap();
    }
}

#[test]
fn it_follows_the_reference() {
    type Case<'a> = (&'a str, Vec<(&'a str, Value)>, &'a [f64], &'a [f64]);
    let table: &[Case<'_>] = &[
        (
            "patience + 1 without improvement",
            vec![("patience", Int(1))],
            &[5.0, 5.0, 5.0, 5.0, 5.0, 4.0, 4.0],
            &[1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25],
        ),
        (
            "the record is updated while cooling down",
            vec![("patience", Int(0)), ("cooldown", Int(2))],
            // Falls at 6; 3 is taken as the record though it cools, so 4 is none and it falls.
            &[5.0, 6.0, 3.0, 9.0, 4.0],
            &[1.0, 0.5, 0.5, 0.5, 0.25],
        ),
        (
            "an improvement must exceed the relative threshold",
            vec![("patience", Int(0)), ("threshold", Float(0.1))],
            &[10.0, 9.5, 8.0],
            &[1.0, 0.5, 0.5],
        ),
        (
            "or the absolute one",
            vec![
                ("patience", Int(0)),
                ("threshold", Float(1.0)),
                ("threshold_mode", text("abs")),
            ],
            &[10.0, 9.5, 8.5],
            &[1.0, 0.5, 0.5],
        ),
        (
            "NaN is no improvement",
            vec![("patience", Int(0))],
            &[5.0, f64::NAN, 4.0],
            &[1.0, 0.5, 0.5],
        ),
        (
            "the floor holds",
            vec![("patience", Int(0)), ("min_lr", Float(0.4))],
            &[5.0, 5.0, 5.0],
            &[1.0, 0.5, 0.4],
        ),
    ];
    for (name, more, metrics, expected) in table {
        let mut given = params([("factor", Float(0.5))]);
        given.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        assert_eq!(
            &trace_one::<Plateau>(&given, 1.0, metrics),
            expected,
            "{name}"
        );
    }
}

#[test]
fn floors_may_differ_by_group() {
    let given = params([
        ("factor", Float(0.5)),
        ("patience", Int(0)),
        ("min_lr", List(vec![0.75, 0.0])),
    ]);
    let rates = trace::<Plateau>(&given, &Setup::of_rates(&[1.0, 1.0]), &[1.0, 1.0]);
    assert_eq!(rates, [[1.0, 1.0], [0.75, 0.5]]);
}

#[test]
fn a_patience_out_of_reach_is_told() {
    let of_calls = |calls| Setup {
        metric_calls: Some(calls),
        ..Setup::of_rates(&[0.1])
    };
    let warnings = |setup: &Setup| {
        let plateau = InProcess::<Plateau>::configure(&params([]), setup).unwrap();
        plateau.warnings().to_vec()
    };
    assert!(warnings(&of_calls(11))[0].contains("needs 11 metrics in a row"));
    assert!(warnings(&of_calls(12)).is_empty());
}

proptest! {
    #[test]
    fn the_rate_never_rises_and_keeps_its_floor(
        factor in 0.0..0.99f64,
        patience in 0..4i64,
        cooldown in 0..4i64,
        metrics in prop::collection::vec(-10.0..10.0f64, 1..80),
    ) {
        let given = params([
            ("factor", Float(factor)),
            ("patience", Int(patience)),
            ("cooldown", Int(cooldown)),
            ("min_lr", Float(0.01)),
        ]);
        let mut before = 0.1;
        for rate in trace_one::<Plateau>(&given, 0.1, &metrics) {
            prop_assert!(rate <= before && rate >= 0.01, "{before} then {rate}");
            before = rate;
        }
    }
}
