use super::Greedy;
use crate::replay::{Params, params, text, trace, trace_one};
use attune_plugin_api::Setup;
use attune_plugin_api::conformance;
use attune_plugin_api::controller::{Controller, InProcess};
use attune_plugin_api::param::Value::{self, Bool, Float, Int, List};
use proptest::prelude::*;

/// A factor of a half and no patience, so that every step can be followed by hand.
fn quick(more: &[(&str, Value)]) -> Params {
    let mut quick = params([
        ("factor", Float(0.5)),
        ("patience", Int(0)),
        ("threshold", Float(0.0)),
        ("min_lr", Float(0.125)),
        ("max_lr", Float(8.0)),
    ]);
    for (name, value) in more {
        quick.insert((*name).to_owned(), value.clone());
    }
    quick
}

#[test]
fn it_passes_conformance_in_every_variant() {
    conformance::check::<Greedy>().unwrap();
    for variant in ["hf", "previous", "paper", "momentum"] {
        for smooth in [false, true] {
            let params = quick(&[
                ("variant", text(variant)),
                ("smooth", Bool(smooth)),
                ("window_size", Int(3)),
                ("cooldown", Int(2)),
                ("warmup", Int(1)),
                ("reset_start", Int(2)),
                ("min_lr", Float(0.01)),
            ]);
            conformance::check_with::<Greedy>(&params).unwrap();
        }
    }
}

#[test]
fn each_variant_does_what_its_source_says() {
    // name, further parameters, metrics, rates after each; all from a rate of 1.
    type Case<'a> = (&'a str, Vec<(&'a str, Value)>, &'a [f64], &'a [f64]);
    let table: &[Case<'_>] = &[
        (
            "hf rises on a record and falls otherwise",
            vec![],
            &[5.0, 4.0, 4.0, 4.5],
            &[2.0, 4.0, 2.0, 1.0],
        ),
        (
            "hf waits for patience + 1 in a row",
            vec![("patience", Int(1))],
            &[5.0, 4.0, 3.0, 9.0, 9.0, 2.0, 9.0, 1.0],
            &[1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        ),
        (
            "hf compares nothing while cooling down, and best stays where it was",
            vec![("cooldown", Int(2))],
            // The 3 is skipped, so the 4 that follows is still a record against 5.
            &[5.0, 6.0, 3.0, 9.0, 4.0],
            &[2.0, 1.0, 1.0, 1.0, 2.0],
        ),
        (
            "hf compares nothing while warming up",
            vec![("warmup", Int(1))],
            &[5.0, 9.0, 4.0, 9.0],
            &[2.0, 2.0, 4.0, 4.0],
        ),
        (
            "hf starts anew after reset_start decreases at the floor, and arms the cooldown then",
            vec![
                ("reset_start", Int(2)),
                ("cooldown", Int(1)),
                ("min_lr", Float(0.5)),
            ],
            // Falls to the floor (1 left), rests, falls (0 left: reset), rests, 7 is a record again.
            &[f64::NAN, 0.0, f64::NAN, 7.0, 7.0],
            &[0.5, 0.5, 1.0, 1.0, 2.0],
        ),
        (
            "hf with reset_start 0 starts anew at the first decrease at the floor, as with 1",
            vec![("reset_start", Int(0)), ("min_lr", Float(0.25))],
            &[f64::NAN, f64::NAN, f64::NAN],
            &[0.5, 1.0, 0.5],
        ),
        (
            "hf with reset_start 1 does the same",
            vec![("reset_start", Int(1)), ("min_lr", Float(0.25))],
            &[f64::NAN, f64::NAN, f64::NAN],
            &[0.5, 1.0, 0.5],
        ),
        (
            "hf looks at the mean of the window",
            vec![("smooth", Bool(true)), ("window_size", Int(2))],
            // Means: 4, 5, 4, 2.
            &[4.0, 6.0, 2.0, 2.0],
            &[2.0, 1.0, 0.5, 1.0],
        ),
        (
            "a metric that is better when higher",
            vec![("mode", text("max"))],
            &[0.5, 0.6, 0.4],
            &[2.0, 4.0, 2.0],
        ),
        (
            "previous compares with the metric before, with no patience",
            vec![("variant", text("previous")), ("patience", Int(7))],
            &[5.0, 6.0, 5.5, 5.4, 5.4],
            &[1.0, 0.5, 1.0, 2.0, 1.0],
        ),
        (
            "previous stays within its bounds",
            vec![("variant", text("previous")), ("max_lr", Float(1.5))],
            &[5.0, 4.0, 3.0],
            &[1.0, 1.5, 1.5],
        ),
        (
            "paper takes its threshold as a fraction",
            vec![("variant", text("paper")), ("threshold", Float(0.5))],
            &[8.0, 5.0, 3.0],
            &[2.0, 1.0, 2.0],
        ),
        (
            "paper still compares while cooling down, and only bad counts are dropped",
            vec![("variant", text("paper")), ("cooldown", Int(2))],
            // Falls at 6; 3 is a record and raises at once, 9 is forgiven, 4 is no record.
            &[5.0, 6.0, 3.0, 9.0, 4.0],
            &[2.0, 1.0, 2.0, 2.0, 1.0],
        ),
        (
            "paper drops good counts while warming up, but keeps the record",
            vec![("variant", text("paper")), ("warmup", Int(1))],
            &[5.0, 3.0, 4.0],
            &[2.0, 2.0, 1.0],
        ),
        (
            "paper's reset leaves rates and record",
            vec![
                ("variant", text("paper")),
                ("reset_start", Int(1)),
                ("min_lr", Float(0.5)),
            ],
            &[5.0, 6.0, 6.0, 6.0, 5.5],
            &[2.0, 1.0, 0.5, 0.5, 0.5],
        ),
        (
            "momentum goes on falling while cooling down",
            vec![("variant", text("momentum")), ("cooldown", Int(2))],
            &[5.0, 6.0, 4.0, 3.0, 2.0],
            &[2.0, 1.0, 0.5, 0.25, 0.5],
        ),
        (
            "momentum goes on rising while warming up",
            vec![("variant", text("momentum")), ("warmup", Int(1))],
            &[5.0, 9.0, 9.0],
            &[2.0, 4.0, 2.0],
        ),
    ];
    for (name, more, metrics, expected) in table {
        assert_eq!(
            &trace_one::<Greedy>(&quick(more), 1.0, metrics),
            expected,
            "{name}"
        );
    }
}

#[test]
fn bounds_may_differ_by_group_and_the_reset_waits_for_the_last() {
    let params = quick(&[
        ("min_lr", List(vec![0.5, 0.25])),
        ("max_lr", List(vec![1.0, 4.0])),
        ("reset_start", Int(1)),
    ]);
    let rates = trace::<Greedy>(
        &params,
        &Setup::of_rates(&[1.0, 1.0]),
        &[5.0, 6.0, 6.0, 6.0],
    );
    assert_eq!(rates, [[1.0, 2.0], [0.5, 1.0], [0.5, 0.5], [1.0, 1.0]]);
}

#[test]
fn changes_of_at_most_eps_are_not_made() {
    let params = quick(&[("eps", Float(0.5)), ("min_lr", Float(0.0))]);
    // From 2 to 1 is a change of 1; from 1 to a half is no more than eps.
    assert_eq!(
        trace_one::<Greedy>(&params, 1.0, &[5.0, 6.0, 6.0]),
        [2.0, 1.0, 1.0]
    );
}

#[test]
fn the_default_mode_is_the_sessions_direction() {
    let mut setup = Setup::of_rates(&[1.0]);
    setup.metric_minimized = false;
    let rates = trace::<Greedy>(&quick(&[]), &setup, &[0.5, 0.6, 0.4]);
    assert_eq!(rates, [[2.0], [4.0], [2.0]]);
}

fn warnings(params: &Params, setup: &Setup) -> Vec<String> {
    InProcess::<Greedy>::configure(params, setup)
        .unwrap()
        .warnings()
        .to_vec()
}

#[test]
fn the_known_traps_are_told_before_the_run() {
    let few = Setup {
        metric_calls: Some(10),
        ..Setup::of_rates(&[0.1])
    };
    let enough = Setup {
        metric_calls: Some(11),
        ..Setup::of_rates(&[0.1])
    };
    let table = [
        (
            params([]),
            Setup::of_rates(&[5e-5]),
            Some("below `min_lr` = 0.001"),
        ),
        (
            params([]),
            Setup::of_rates(&[2.0]),
            Some("above `max_lr` = 1"),
        ),
        (
            params([]),
            few.clone(),
            Some("needs 11 metrics in a row, but only 10"),
        ),
        (params([]), enough, None),
        (params([("variant", text("previous"))]), few, None),
        (
            params([("eps", Float(1e-4))]),
            Setup::of_rates(&[0.1]),
            Some("never reaches `min_lr`"),
        ),
        (params([]), Setup::of_rates(&[0.1]), None),
    ];
    for (params, setup, expected) in table {
        let warnings = warnings(&params, &setup);
        match expected {
            Some(part) => assert!(
                warnings.len() == 1 && warnings[0].contains(part),
                "{params:?}: {warnings:?} should contain {part}"
            ),
            None => assert!(warnings.is_empty(), "{params:?}: {warnings:?}"),
        }
    }
}

#[test]
fn bounds_that_cross_or_do_not_fit_the_groups_are_refused() {
    let table = [
        (quick(&[("max_lr", Float(0.1))]), "above `max_lr`"),
        (
            quick(&[("min_lr", List(vec![0.1, 0.2]))]),
            "lists 2 numbers",
        ),
    ];
    for (params, part) in table {
        let error = InProcess::<Greedy>::configure(&params, &Setup::of_rates(&[1.0])).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}

proptest! {
    #[test]
    fn rates_stay_within_their_bounds(
        variant in prop::sample::select(vec!["hf", "previous", "paper", "momentum"]),
        factor in 0.05..0.99f64,
        patience in 0..4i64,
        rests in (0..4i64, 0..4i64),
        reset_start in 0..4i64,
        smooth: bool,
        metrics in prop::collection::vec(prop_oneof![9 => -10.0..10.0f64, 1 => Just(f64::NAN)], 1..80),
    ) {
        let params = params([
            ("variant", text(variant)),
            ("factor", Float(factor)),
            ("patience", Int(patience)),
            ("cooldown", Int(rests.0)),
            ("warmup", Int(rests.1)),
            ("reset_start", Int(reset_start)),
            ("smooth", Bool(smooth)),
            ("window_size", Int(4)),
            ("min_lr", Float(0.01)),
            ("max_lr", Float(0.5)),
        ]);
        for rate in trace_one::<Greedy>(&params, 0.1, &metrics) {
            prop_assert!((0.01..=0.5).contains(&rate), "{rate}");
        }
    }
}
