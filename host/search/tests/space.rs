//! What spaces accept, refuse, count and map.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use attune_search::{Condition, Config, Domain, Parameter, Space, UncheckedSpace, Value};
use proptest::prelude::*;

fn float(low: f64, high: f64) -> Domain {
    Domain::Float {
        low,
        high,
        log: false,
        step: None,
    }
}

fn log_float(low: f64, high: f64) -> Domain {
    Domain::Float {
        low,
        high,
        log: true,
        step: None,
    }
}

fn stepped(low: f64, high: f64, step: f64) -> Domain {
    Domain::Float {
        low,
        high,
        log: false,
        step: Some(step),
    }
}

fn int(low: i64, high: i64) -> Domain {
    Domain::Int {
        low,
        high,
        log: false,
    }
}

fn log_int(low: i64, high: i64) -> Domain {
    Domain::Int {
        low,
        high,
        log: true,
    }
}

fn choice<V: Into<Value> + Clone>(values: &[V]) -> Domain {
    Domain::Choice(values.iter().cloned().map(Into::into).collect())
}

fn always(name: &str, domain: Domain) -> Parameter {
    Parameter {
        name: name.to_owned(),
        domain,
        when: None,
    }
}

fn when<V: Into<Value> + Clone>(parent: &str, any_of: &[V], child: Parameter) -> Parameter {
    Parameter {
        when: Some(Condition {
            parameter: parent.to_owned(),
            any_of: any_of.iter().cloned().map(Into::into).collect(),
        }),
        ..child
    }
}

fn check(parameters: Vec<Parameter>) -> Result<Space, String> {
    UncheckedSpace { parameters }
        .check()
        .map_err(|error| error.to_string())
}

fn one(domain: Domain) -> Space {
    check(vec![always("x", domain)]).unwrap()
}

fn value(space: &Space, unit: f64) -> Value {
    space.sample_unit(&[unit]).get("x").unwrap().clone()
}

/// A study's space with two levels of conditions and every kind of domain.
fn schedulers() -> Space {
    check(vec![
        always("lr", log_float(1e-5, 1.0)),
        always("scheduler", choice(&["greedy", "cosine", "none"])),
        when("scheduler", &["greedy"], always("patience", int(1, 10))),
        when(
            "scheduler",
            &["greedy", "cosine"],
            always("warmup", choice(&[false, true])),
        ),
        when("warmup", &[true], always("warmup_epochs", log_int(1, 100))),
        always("dropout", stepped(0.0, 0.5, 0.1)),
    ])
    .unwrap()
}

#[test]
fn a_space_that_makes_no_sense_is_refused_with_a_remedy() {
    let scheduler = || always("s", choice(&["a", "b"]));
    let x = |domain| vec![always("x", domain)];
    let child = |parent: &str, values: &[&str]| when(parent, values, always("c", int(1, 2)));
    let cases = [
        (
            x(float(1.0, 1.0)),
            "parameter `x`: low 1.0 is not below high 1.0; raise high, or give the value as a constant",
        ),
        (
            x(int(3, 2)),
            "parameter `x`: low 3 is not below high 2; raise high, or give the value as a constant",
        ),
        (
            x(float(f64::NAN, 1.0)),
            "parameter `x`: low is NaN; give a finite number",
        ),
        (
            x(float(0.0, f64::INFINITY)),
            "parameter `x`: high is inf; give a finite number",
        ),
        (
            x(log_float(0.0, 1.0)),
            "parameter `x`: a log scale cannot start at 0.0; raise low above zero, or drop log",
        ),
        (
            x(log_int(0, 8)),
            "parameter `x`: a log scale cannot start at 0; raise low above zero, or drop log",
        ),
        (
            x(stepped(0.0, 1.0, 2.0)),
            "parameter `x`: step 2 does not fit between 0 and 1; give a step above 0 and at most 1",
        ),
        (
            x(stepped(0.0, 1.0, 0.0)),
            "parameter `x`: step 0 does not fit between 0 and 1; give a step above 0 and at most 1",
        ),
        (
            x(stepped(1e16, 2e16, 1.0)),
            "parameter `x`: step 1 is too fine for values up to 20000000000000000; widen it, or drop it",
        ),
        (
            x(Domain::Float {
                low: 1.0,
                high: 2.0,
                log: true,
                step: Some(0.5),
            }),
            "parameter `x`: step and log exclude each other; drop one of them",
        ),
        (
            x(choice::<&str>(&[])),
            "parameter `x`: there is nothing to choose from; list at least one value",
        ),
        (
            x(choice(&["a", "b", "a"])),
            "parameter `x`: a is listed twice; remove one",
        ),
        (
            x(choice(&[1.0, f64::NAN])),
            "parameter `x`: a choice is NaN; give a finite number",
        ),
        (
            vec![scheduler(), scheduler()],
            "parameter `s` is listed twice; rename one of the two",
        ),
        (
            vec![child("t", &["a"]), scheduler()],
            "parameter `c` depends on `t`, which the space does not have; add it, or correct the name",
        ),
        (
            vec![child("s", &["a"]), scheduler()],
            "parameter `c` depends on `s`, which is not listed before it; move `s` up",
        ),
        (
            vec![child("c", &["a"])],
            "parameter `c` depends on `c`, which is not listed before it; move `c` up",
        ),
        (
            vec![scheduler(), child("s", &[])],
            "parameter `c` names no value of `s` under which it exists; name one, or drop the condition",
        ),
        (
            vec![scheduler(), child("s", &["a", "z"])],
            "parameter `c` exists when `s` is z, but `s` is one of a, b; correct the value",
        ),
        (
            vec![always("s", float(0.0, 1.0)), child("s", &["a"])],
            "parameter `c` depends on `s`, which is a float; make `s` a choice or a whole number",
        ),
        (
            vec![
                always("s", int(1, 4)),
                when("s", &[5], always("c", int(1, 2))),
            ],
            "parameter `c` exists when `s` is 5, but `s` is a whole number from 1 to 4; correct the value",
        ),
    ];
    for (parameters, message) in cases {
        assert_eq!(check(parameters).unwrap_err(), message);
    }
}

#[test]
fn a_unit_number_picks_a_value_in_proportion() {
    let wide = one(float(-f64::MAX, f64::MAX));
    assert_eq!(value(&wide, 0.5), Value::Float(0.0));
    let cases: [(Domain, &[(f64, Value)]); 6] = [
        (
            float(-1.0, 3.0),
            &[
                (0.0, (-1.0).into()),
                (0.25, 0.0.into()),
                (1.0, 3.0.into()),
                (7.0, 3.0.into()),
            ],
        ),
        (
            stepped(0.0, 1.0, 0.3),
            &[
                (0.0, 0.0.into()),
                (0.24, 0.0.into()),
                (0.26, 0.3.into()),
                (0.99, (3.0 * 0.3).into()),
            ],
        ),
        (
            int(1, 4),
            &[
                (0.0, 1.into()),
                (0.249, 1.into()),
                (0.25, 2.into()),
                (0.999, 4.into()),
                (1.0, 4.into()),
            ],
        ),
        (
            int(i64::MIN, i64::MAX),
            &[
                (0.0, i64::MIN.into()),
                (0.5, 0.into()),
                (1.0, i64::MAX.into()),
            ],
        ),
        (
            log_int(1, 2),
            &[
                (0.0, 1.into()),
                (0.68, 1.into()),
                (0.69, 2.into()),
                (1.0, 2.into()),
            ],
        ),
        (
            choice(&["a", "b", "c"]),
            &[
                (0.3, "a".into()),
                (0.34, "b".into()),
                (1.0, "c".into()),
                (-1.0, "a".into()),
            ],
        ),
    ];
    for (domain, picks) in cases {
        let space = one(domain.clone());
        for (unit, expected) in picks {
            assert_eq!(&value(&space, *unit), expected, "{unit} of {domain}");
        }
    }
    let Value::Float(middle) = value(&one(log_float(1e-4, 1e-2)), 0.5) else {
        panic!("a float domain gives floats");
    };
    assert!((middle / 1e-3 - 1.0).abs() < 1e-12);
}

#[test]
fn whole_numbers_get_equal_shares_and_on_a_log_scale_those_of_their_neighbourhood() {
    let steps = 200_000;
    let share =
        |domain: Domain, expected: &dyn Fn(f64) -> f64, numbers: std::ops::RangeInclusive<i64>| {
            let space = one(domain);
            let mut counts = std::collections::BTreeMap::new();
            for step in 0..steps {
                let unit = (f64::from(step) + 0.5) / f64::from(steps);
                *counts.entry(value(&space, unit)).or_insert(0) += 1;
            }
            assert_eq!(counts.len(), numbers.clone().count());
            for k in numbers {
                let share = f64::from(counts[&Value::Int(k)]) / f64::from(steps);
                assert!(
                    (share - expected(k as f64)).abs() < 2.0 / f64::from(steps),
                    "{k}: {share}"
                );
            }
        };
    share(int(-3, 3), &|_| 1.0 / 7.0, -3..=3);
    let whole = (64.5_f64 / 0.5).ln();
    share(
        log_int(1, 64),
        &|k| ((k + 0.5) / (k - 0.5)).ln() / whole,
        1..=64,
    );
}

#[test]
fn a_condition_brings_and_takes_a_whole_sub_space() {
    let space = schedulers();
    assert_eq!(space.dimensions(), 6);
    let names = |point: [f64; 6]| {
        let config = space.sample_unit(&point);
        config
            .iter()
            .map(|(name, _)| name.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names([0.5, 0.0, 0.5, 0.9, 0.5, 0.5]),
        [
            "dropout",
            "lr",
            "patience",
            "scheduler",
            "warmup",
            "warmup_epochs"
        ]
    );
    assert_eq!(
        names([0.5, 0.5, 0.5, 0.1, 0.5, 0.5]),
        ["dropout", "lr", "scheduler", "warmup"]
    );
    // Its condition names a value that `warmup` would have if it existed.
    assert_eq!(
        names([0.5, 0.9, 0.5, 0.9, 0.5, 0.5]),
        ["dropout", "lr", "scheduler"]
    );
}

#[test]
fn a_configuration_of_another_space_is_refused_with_a_remedy() {
    let space = schedulers();
    let base = [
        ("lr", Value::from(0.1)),
        ("scheduler", "none".into()),
        ("dropout", 0.3.into()),
    ];
    let with = |changes: &[(&str, Value)]| {
        let config: Config = base
            .iter()
            .cloned()
            .chain(changes.iter().cloned())
            .collect();
        space.contains(&config).map_err(|error| error.to_string())
    };
    assert_eq!(with(&[]), Ok(()));
    assert_eq!(
        with(&[("scheduler", "cosine".into())]).unwrap_err(),
        "parameter `warmup` has no value; give one of false, true"
    );
    assert_eq!(
        with(&[("patience", 3.into())]).unwrap_err(),
        "parameter `patience` does not exist with this `scheduler`; remove it, or change `scheduler`"
    );
    assert_eq!(
        with(&[("lr", 2.0.into())]).unwrap_err(),
        "parameter `lr` is 2.0; give a float from 1e-5 to 1.0 (log)"
    );
    assert_eq!(
        with(&[("lr", 1.into())]).unwrap_err(),
        "parameter `lr` is 1; give a float from 1e-5 to 1.0 (log)"
    );
    assert_eq!(
        with(&[("dropout", 0.25.into())]).unwrap_err(),
        "parameter `dropout` is 0.25; give a float from 0.0 to 0.5 in steps of 0.1"
    );
    assert_eq!(
        with(&[("momentum", 0.9.into())]).unwrap_err(),
        "the space has no parameter `momentum`; remove it, or correct the name"
    );
}

#[test]
fn countable_spaces_know_their_size_and_list_themselves_without_repetition() {
    let finite = check(vec![
        always("scheduler", choice(&["greedy", "cosine", "none"])),
        when("scheduler", &["greedy"], always("patience", int(1, 10))),
        when(
            "scheduler",
            &["greedy", "cosine"],
            always("warmup", choice(&[false, true])),
        ),
        when(
            "warmup",
            &[true, true],
            always("warmup_epochs", log_int(1, 100)),
        ),
        always("dropout", stepped(0.0, 0.5, 0.1)),
        always("layers", int(1, 4)),
        when("layers", &[2, 4], always("skip", choice(&[false, true]))),
    ])
    .unwrap();
    let warmup = 1 + 100;
    let expected = (10 * warmup + warmup + 1) * 6 * (1 + 2 + 1 + 2);
    assert_eq!(finite.cardinality(), Some(expected));
    let all: std::collections::BTreeSet<Config> = (0..expected)
        .map(|index| finite.nth(index).unwrap())
        .collect();
    assert_eq!(all.len() as u64, expected);
    for config in &all {
        assert_eq!(finite.contains(config), Ok(()));
    }
    assert_eq!(finite.nth(expected), None);

    assert_eq!(check(vec![]).unwrap().cardinality(), Some(1));
    assert_eq!(check(vec![]).unwrap().nth(0), Some(Config::default()));
    assert_eq!(schedulers().cardinality(), None);
    assert_eq!(one(int(i64::MIN, i64::MAX)).cardinality(), None);
    assert_eq!(
        one(int(i64::MIN, i64::MAX - 1)).cardinality(),
        Some(u64::MAX)
    );
}

#[test]
fn values_and_spaces_keep_their_kinds_in_storage() {
    let values = [
        Value::Float(1.0),
        Value::Float(-1e-300),
        Value::Float(0.1 + 0.2),
        Value::Int(1),
        Value::Int(i64::MIN),
        Value::Bool(true),
        Value::Text("1.0".to_owned()),
    ];
    for value in values {
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&json).unwrap(),
            value,
            "{json}"
        );
        let bytes = postcard::to_stdvec(&value).unwrap();
        assert_eq!(postcard::from_bytes::<Value>(&bytes).unwrap(), value);
    }
    assert_ne!(Value::Float(1.0), Value::Int(1));

    let space = schedulers();
    let json = serde_json::to_string(&space).unwrap();
    assert_eq!(serde_json::from_str::<Space>(&json).unwrap(), space);
    let bytes = postcard::to_stdvec(&space).unwrap();
    assert_eq!(postcard::from_bytes::<Space>(&bytes).unwrap(), space);
    let broken = json.replacen("\"low\":1", "\"low\":1000", 1);
    let error = serde_json::from_str::<Space>(&broken).unwrap_err();
    assert!(error.to_string().contains("is not below high"), "{error}");
}

proptest! {
    #[test]
    fn every_point_of_the_cube_is_a_configuration_of_the_space(
        point in prop::array::uniform6(-0.5..1.5_f64)
    ) {
        let space = schedulers();
        let config = space.sample_unit(&point);
        prop_assert_eq!(space.contains(&config), Ok(()));
        let json = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Config>(&json).unwrap(), &config);
        let bytes = postcard::to_stdvec(&config).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<Config>(&bytes).unwrap(), &config);
    }

    #[test]
    fn every_step_of_any_stepped_range_is_a_value_of_its_own(
        low in -1e6..1e6_f64,
        width in 1e-3..1e6_f64,
        steps in 1_u32..200,
        at in 0.0..1.0_f64,
    ) {
        let domain = stepped(low, low + width, width / f64::from(steps));
        let space = match check(vec![always("x", domain)]) {
            Ok(space) => space,
            Err(_) => return Err(TestCaseError::reject("the step rounds to more than the range")),
        };
        let total = space.cardinality().unwrap();
        prop_assert!(total == u64::from(steps) + 1, "{total} of {steps}");
        let all: std::collections::BTreeSet<Config> = (0..total).filter_map(|i| space.nth(i)).collect();
        prop_assert_eq!(all.len() as u64, total);
        prop_assert!(all.contains(&space.sample_unit(&[at])));
    }
}
