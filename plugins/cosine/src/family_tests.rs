//! What every schedule of the family must do.

use crate::replay::{Params, Trace, configure, params, planned, text, trace};
use crate::*;
use attune_plugin_api::Setup;
use attune_plugin_api::conformance;
use attune_plugin_api::controller::Controller;
use attune_plugin_api::param::Value::{self, Bool, Float, Int, List};
use proptest::prelude::*;

type Conformance = fn(&Params) -> Result<(), String>;
type Tracer = fn(&Params, &Setup, u64) -> Trace;
type Attempt = fn(&Params, &Setup) -> Result<Vec<String>, String>;

pub(crate) struct Member {
    name: &'static str,
    conforms: Conformance,
    pub(crate) trace: Tracer,
    /// Its warnings, or why it was refused.
    attempt: Attempt,
    /// Whether it cannot be made without the length of the run.
    needs_length: bool,
    /// Whether it never rises, at its defaults.
    falls: bool,
}

fn member<S: Shape>(name: &'static str, needs_length: bool, falls: bool) -> Member {
    Member {
        name,
        conforms: conformance::check_with::<Schedule<S>>,
        trace: trace::<S>,
        attempt: |params, setup| {
            configure::<S>(params, setup)
                .map(|made| made.warnings().to_vec())
                .map_err(|e| e.to_string())
        },
        needs_length,
        falls,
    }
}

fn family() -> [Member; 14] {
    [
        member::<Constant>("constant", false, true),
        member::<Linear>("linear", true, true),
        member::<Step>("step", true, true),
        member::<Multistep>("multistep", true, true),
        member::<Exponential>("exponential", true, true),
        member::<Polynomial>("polynomial", true, true),
        member::<Cosine>("cosine", true, true),
        member::<CosineRestarts>("cosine-restarts", true, false),
        member::<OneCycle>("one-cycle", true, false),
        member::<Cyclic>("cyclic", true, false),
        member::<InverseSqrt>("inverse-sqrt", false, true),
        member::<Wsd>("wsd", true, true),
        member::<LinearToZero>("linear-to-zero", true, true),
        member::<Rex>("rex", true, true),
    ]
}

pub(crate) fn of(name: &str) -> Member {
    family()
        .into_iter()
        .find(|member| member.name == name)
        .unwrap()
}

/// Parameter sets beside the defaults that each schedule must conform with.
fn variations() -> Vec<(&'static str, Vec<(&'static str, Value)>)> {
    vec![
        (
            "linear",
            vec![("start_factor", Float(0.2)), ("end_factor", Float(1.0))],
        ),
        ("step", vec![("step_size", Int(7)), ("gamma", Float(0.0))]),
        (
            "multistep",
            vec![("milestones", List(vec![0.0, 9.0])), ("gamma", Float(0.5))],
        ),
        ("exponential", vec![("gamma", Float(0.9))]),
        (
            "polynomial",
            vec![("power", Float(0.5)), ("min_lr_ratio", Float(0.1))],
        ),
        (
            "cosine",
            vec![("cycles", Float(1.7)), ("past_end", text("repeat"))],
        ),
        ("cosine", vec![("min_lr", Float(0.01))]),
        (
            "cosine-restarts",
            vec![("first_cycle", Int(10)), ("growth", Int(2))],
        ),
        (
            "cosine-restarts",
            vec![("cycles", Int(3)), ("growth", Int(3))],
        ),
        (
            "cosine-restarts",
            vec![("cycles", Int(100)), ("growth", Int(10))],
        ),
        (
            "one-cycle",
            vec![("three_phase", Bool(true)), ("anneal", text("linear"))],
        ),
        (
            "one-cycle",
            vec![("pct_start", Float(1.0)), ("cycle_momentum", Bool(false))],
        ),
        (
            "one-cycle",
            vec![("pct_start", Float(0.0)), ("total_steps", Int(1))],
        ),
        (
            "cyclic",
            vec![("mode", text("triangular2")), ("step_size_up", Int(5))],
        ),
        (
            "cyclic",
            vec![
                ("mode", text("exp_range")),
                ("gamma", Float(0.99)),
                ("step_size_up", Int(5)),
                ("step_size_down", Int(9)),
            ],
        ),
        ("inverse-sqrt", vec![("timescale", Int(5))]),
        (
            "wsd",
            vec![("decay_steps", Int(30)), ("decay_shape", text("1-sqrt"))],
        ),
        (
            "wsd",
            vec![("decay_ratio", Float(1.0)), ("decay_shape", text("linear"))],
        ),
    ]
}

#[test]
fn every_schedule_conforms_at_its_defaults_and_with_every_warm_up() {
    for member in family() {
        (member.conforms)(&params(&[])).unwrap_or_else(|e| panic!("{}: {e}", member.name));
        for shape in ["linear", "cosine", "1-sqrt", "flat"] {
            let warm = params(&[
                ("warmup_ratio", Float(0.15)),
                ("warmup_start", Float(0.1)),
                ("warmup_shape", text(shape)),
            ]);
            (member.conforms)(&warm).unwrap_or_else(|e| panic!("{}, {shape}: {e}", member.name));
        }
    }
}

#[test]
fn every_schedule_conforms_at_other_parameters() {
    for (name, given) in variations() {
        (of(name).conforms)(&params(&given)).unwrap_or_else(|e| panic!("{name} {given:?}: {e}"));
    }
}

#[test]
fn a_length_that_is_needed_and_unknown_is_asked_for() {
    let unplanned = Setup::of_rates(&[1.0]);
    for member in family() {
        let outcome = (member.attempt)(&params(&[]), &unplanned);
        assert_eq!(
            outcome.is_err(),
            member.needs_length,
            "{}: {outcome:?}",
            member.name
        );
        if let Err(message) = outcome {
            assert!(
                message.contains("set `total_steps`"),
                "{}: {message}",
                member.name
            );
        }
        let set = (member.attempt)(&params(&[("total_steps", Int(50))]), &unplanned);
        assert!(set.is_ok(), "{}: {set:?}", member.name);
    }
}

/// A study that fixes the absolute one goes on searching the ratio, which then says nothing.
#[test]
fn an_absolute_length_or_floor_goes_before_its_ratio() {
    // The absolute parameter, its ratio, and the latter's searched values or defaults.
    let pairs = [
        (
            ("warmup_steps", Int(3)),
            "warmup_ratio",
            [0.0, 0.1, 0.2].as_slice(),
        ),
        (("min_lr", Float(0.3)), "min_lr_ratio", &[0.0, 0.1, 0.25]),
        (
            ("min_lr", List(vec![0.3])),
            "min_lr_ratio",
            &[0.0, 0.1, 0.25],
        ),
    ];
    for name in ["cosine", "cosine-restarts", "cyclic", "wsd"] {
        for (absolute, ratio, values) in &pairs {
            let rates =
                |given: &[(&str, Value)]| (of(name).trace)(&params(given), &planned(20), 20).rates;
            let alone = rates(std::slice::from_ref(absolute));
            assert_ne!(alone, rates(&[]), "{name}: {absolute:?} does nothing");
            for value in *values {
                let with_ratio = rates(&[absolute.clone(), (*ratio, Float(*value))]);
                assert_eq!(with_ratio, alone, "{name}: {absolute:?}, {ratio} = {value}");
            }
        }
    }
}

#[test]
fn contradictions_are_refused_with_the_names_of_both() {
    type Case<'a> = (&'a str, Vec<(&'a str, Value)>, &'a str);
    let table: &[Case<'_>] = &[
        (
            "cosine",
            vec![("min_lr", List(vec![0.1, 0.2]))],
            "lists 2 numbers",
        ),
        (
            "cosine",
            vec![("warmup_steps", Int(20))],
            "leaves nothing of the 20 steps",
        ),
        ("wsd", vec![("decay_steps", Int(21))], "`decay_steps` = 21"),
        (
            "one-cycle",
            vec![("three_phase", Bool(true)), ("pct_start", Float(0.6))],
            "at most 0.5",
        ),
        (
            "cyclic",
            vec![("step_size_down", Int(5))],
            "without `step_size_up`",
        ),
    ];
    for (name, given, part) in table {
        let message = (of(name).attempt)(&params(given), &planned(20)).unwrap_err();
        assert!(message.contains(part), "{name} {given:?}: {message}");
    }
}

#[test]
fn the_known_traps_are_told_before_the_run() {
    type Case<'a> = (&'a str, Vec<(&'a str, Value)>, Option<&'a str>);
    let table: &[Case<'_>] = &[
        ("cosine", vec![], None),
        (
            "cosine",
            vec![("min_lr", Float(2.0))],
            Some("will rise towards it"),
        ),
        (
            "cosine",
            vec![("total_steps", Int(200))],
            Some("in the middle of the schedule"),
        ),
        (
            "constant",
            vec![("warmup_steps", Int(100))],
            Some("before it does"),
        ),
        ("inverse-sqrt", vec![], Some("hardly falls within")),
        (
            "multistep",
            vec![("milestones", List(vec![10.0, 300.0]))],
            Some("will not be reached"),
        ),
    ];
    for (name, given, expected) in table {
        let warnings = (of(name).attempt)(&params(given), &planned(100)).unwrap();
        match expected {
            Some(part) => assert!(
                warnings.len() == 1 && warnings[0].contains(part),
                "{name} {given:?}: {warnings:?}"
            ),
            None => assert!(warnings.is_empty(), "{name} {given:?}: {warnings:?}"),
        }
    }
}

#[test]
fn each_group_keeps_its_own_peak_and_floor() {
    let setup = Setup {
        total_steps: Some(8),
        ..Setup::of_rates(&[1.0, 0.5])
    };
    let given = params(&[("min_lr", List(vec![0.2, 0.1]))]);
    let mut cosine = configure::<Cosine>(&given, &setup).unwrap();
    let mut rates = setup.rates();
    let clock = |step| attune_plugin_api::Clock {
        step,
        ..Default::default()
    };
    cosine
        .step(&clock(4), &[], &mut rates, &mut [0.0; 2])
        .unwrap();
    assert!(
        (rates[0] - 0.6).abs() < 1e-12 && (rates[1] - 0.3).abs() < 1e-12,
        "{rates:?}"
    );
}

proptest! {
    #[test]
    fn no_schedule_leaves_the_range_from_zero_to_its_peak(
        member in 0..14usize,
        steps in 1..300u64,
        peak in 1e-6..10.0f64,
        warmup in 0.0..0.5f64,
    ) {
        let member = &family()[member];
        let setup = Setup { total_steps: Some(steps), ..Setup::of_rates(&[peak]) };
        let given = params(&[("warmup_ratio", Float(warmup))]);
        // In a run of one step a warm-up leaves nothing.
        if (member.attempt)(&given, &setup).is_ok() {
            for (step, rate) in (member.trace)(&given, &setup, steps + 20).rates.into_iter().enumerate() {
                let bound = peak * (1.0 + 1e-12);
                prop_assert!((0.0..=bound).contains(&rate), "{} at {step}: {rate}", member.name);
            }
        }
    }

    #[test]
    fn what_falls_never_rises_after_its_warm_up(
        member in 0..14usize,
        steps in 30..300u64,
        warmup in 0..20i64,
    ) {
        let member = &family()[member];
        if member.falls {
            let given = params(&[("warmup_steps", Int(warmup))]);
            let rates = (member.trace)(&given, &planned(steps), steps + 20).rates;
            for pair in rates[warmup as usize..].windows(2) {
                prop_assert!(pair[1] <= pair[0] + 1e-15, "{}: {pair:?}", member.name);
            }
        }
    }

    #[test]
    fn a_warm_up_is_a_straight_line_from_zero_to_the_schedules_first_rate(
        member in 0..14usize,
        warmup in 1..30u64,
    ) {
        let member = &family()[member];
        let cold = (member.trace)(&params(&[("total_steps", Int(100))]), &planned(100), 1).rates[0];
        let given = params(&[
            ("warmup_steps", Int(warmup as i64)),
            ("total_steps", Int(100 + warmup as i64)),
        ]);
        let rates = (member.trace)(&given, &planned(100 + warmup), warmup + 1).rates;
        for (step, rate) in rates.into_iter().enumerate() {
            let line = cold * step as f64 / warmup as f64;
            prop_assert!((rate - line).abs() < 1e-12, "{} at {step}: {rate}, not {line}", member.name);
        }
    }
}
