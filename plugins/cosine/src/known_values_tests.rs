//! Values of each schedule that were worked out by hand.

use crate::family_tests::of;
use crate::replay::{params, planned, text};
use attune_plugin_api::param::Value::{self, Bool, Float, Int, List};

#[test]
fn known_values_worked_out_by_hand() {
    const R: f64 = std::f64::consts::FRAC_1_SQRT_2;
    // schedule, parameters, steps of the run, (step, rate) from a starting rate of 1.
    type Case<'a> = (&'a str, Vec<(&'a str, Value)>, u64, &'a [(usize, f64)]);
    let table: &[Case<'_>] = &[
        ("constant", vec![], 10, &[(0, 1.0), (20, 1.0)]),
        (
            "constant",
            vec![("warmup_steps", Int(4))],
            10,
            &[(0, 0.0), (3, 0.75), (4, 1.0)],
        ),
        (
            "linear",
            vec![("end_factor", Float(0.5))],
            10,
            &[(0, 1.0), (4, 0.8), (10, 0.5), (20, 0.5)],
        ),
        (
            "step",
            vec![],
            9,
            &[(2, 1.0), (3, 0.1), (6, 0.01), (9, 0.001)],
        ),
        (
            "step",
            vec![("step_size", Int(2)), ("gamma", Float(0.5))],
            9,
            &[(1, 1.0), (5, 0.25)],
        ),
        (
            "multistep",
            vec![],
            8,
            &[(3, 1.0), (4, 0.1), (5, 0.1), (6, 0.01), (20, 0.01)],
        ),
        (
            "multistep",
            vec![("milestones", List(vec![1.0, 5.0])), ("gamma", Float(0.5))],
            8,
            &[(0, 1.0), (1, 0.5), (4, 0.5), (5, 0.25)],
        ),
        (
            "exponential",
            vec![("gamma", Float(0.5))],
            8,
            &[(0, 1.0), (3, 0.125)],
        ),
        ("exponential", vec![], 8, &[(0, 1.0), (4, 0.1), (8, 0.01)]),
        (
            "polynomial",
            vec![("power", Float(2.0))],
            10,
            &[(0, 1.0), (5, 0.25), (10, 0.0), (20, 0.0)],
        ),
        (
            "polynomial",
            vec![("power", Float(2.0)), ("min_lr", Float(0.2))],
            10,
            &[(5, 0.4), (10, 0.2)],
        ),
        (
            "cosine",
            vec![],
            8,
            &[
                (0, 1.0),
                (2, (1.0 + R) / 2.0),
                (4, 0.5),
                (8, 0.0),
                (16, 0.0),
            ],
        ),
        (
            "cosine",
            vec![("past_end", text("repeat"))],
            8,
            &[(8, 0.0), (12, 0.5), (16, 1.0)],
        ),
        (
            "cosine",
            vec![("min_lr_ratio", Float(0.1))],
            8,
            &[(4, 0.55), (8, 0.1)],
        ),
        (
            "cosine",
            vec![("warmup_steps", Int(4))],
            12,
            &[(0, 0.0), (1, 0.25), (4, 1.0), (8, 0.5), (12, 0.0)],
        ),
        (
            "cosine",
            vec![("cycles", Float(1.0))],
            8,
            &[(4, 0.0), (8, 1.0)],
        ),
        (
            "cosine-restarts",
            vec![("cycles", Int(2))],
            8,
            &[(0, 1.0), (2, 0.5), (4, 1.0), (6, 0.5), (8, 0.0)],
        ),
        (
            "cosine-restarts",
            vec![("first_cycle", Int(2)), ("growth", Int(2))],
            8,
            &[
                (0, 1.0),
                (1, 0.5),
                (2, 1.0),
                (4, 0.5),
                (6, 1.0),
                (10, 0.5),
                (14, 1.0),
            ],
        ),
        (
            "cosine-restarts",
            vec![("cycles", Int(2)), ("growth", Int(3))],
            8,
            &[(0, 1.0), (1, 0.5), (2, 1.0), (5, 0.5), (8, 0.0)],
        ),
        (
            "one-cycle",
            vec![
                ("anneal", text("linear")),
                ("pct_start", Float(0.5)),
                ("div_factor", Float(5.0)),
                ("final_div_factor", Float(2.0)),
            ],
            // Up from 0.2 to 1 by step 4, down to 0.1 by step 9.
            10,
            &[(0, 0.2), (2, 0.6), (4, 1.0), (9, 0.1), (15, 0.1)],
        ),
        (
            "one-cycle",
            vec![
                ("three_phase", Bool(true)),
                ("pct_start", Float(0.3)),
                ("div_factor", Float(5.0)),
                ("final_div_factor", Float(2.0)),
            ],
            // Peak at step 2, back at step 4, end at step 9.
            10,
            &[(0, 0.2), (1, 0.6), (2, 1.0), (3, 0.6), (4, 0.2), (9, 0.1)],
        ),
        (
            "cyclic",
            vec![
                ("step_size_up", Int(4)),
                ("min_lr", Float(0.2)),
                ("min_lr_ratio", Float(0.0)),
            ],
            10,
            &[(0, 0.2), (2, 0.6), (4, 1.0), (6, 0.6), (8, 0.2), (12, 1.0)],
        ),
        (
            "cyclic",
            vec![
                ("mode", text("triangular2")),
                ("step_size_up", Int(2)),
                ("step_size_down", Int(6)),
                ("min_lr_ratio", Float(0.0)),
            ],
            10,
            &[(2, 1.0), (5, 0.5), (8, 0.0), (10, 0.5), (18, 0.25)],
        ),
        (
            "cyclic",
            vec![
                ("mode", text("exp_range")),
                ("step_size_up", Int(1)),
                ("gamma", Float(0.5)),
                ("min_lr_ratio", Float(0.0)),
            ],
            10,
            &[(0, 0.0), (1, 0.5), (2, 0.0), (3, 0.125)],
        ),
        (
            "cyclic",
            vec![("cycles", Int(2))],
            8,
            &[(0, 0.25), (2, 1.0), (4, 0.25), (6, 1.0)],
        ),
        (
            "inverse-sqrt",
            vec![("timescale", Int(4))],
            10,
            &[(0, 1.0), (4, R), (12, 0.5)],
        ),
        (
            "inverse-sqrt",
            vec![("warmup_steps", Int(4))],
            10,
            &[(2, 0.5), (4, 1.0), (16, 0.5)],
        ),
        (
            "wsd",
            vec![("decay_steps", Int(4)), ("decay_shape", text("linear"))],
            10,
            &[
                (0, 1.0),
                (6, 1.0),
                (7, 0.75),
                (9, 0.25),
                (10, 0.0),
                (20, 0.0),
            ],
        ),
        (
            "wsd",
            vec![("decay_ratio", Float(0.4)), ("decay_shape", text("1-sqrt"))],
            10,
            &[(6, 1.0), (7, 0.5), (10, 0.0)],
        ),
        (
            "wsd",
            vec![("decay_ratio", Float(0.4))],
            10,
            &[(6, 1.0), (8, 0.5), (10, 0.0)],
        ),
        (
            "linear-to-zero",
            vec![],
            8,
            &[(0, 1.0), (2, 0.75), (8, 0.0), (20, 0.0)],
        ),
        (
            "rex",
            vec![],
            10,
            &[
                (0, 1.0),
                (5, 2.0 / 3.0),
                (8, 1.0 / 3.0),
                (10, 0.0),
                (20, 0.0),
            ],
        ),
        (
            "rex",
            vec![("min_lr_ratio", Float(0.4))],
            10,
            &[(5, 0.8), (10, 0.4)],
        ),
    ];
    for (name, given, steps, expected) in table {
        let rates = (of(name).trace)(&params(given), &planned(*steps), 21).rates;
        for (step, rate) in *expected {
            assert!(
                (rates[*step] - rate).abs() < 1e-12,
                "{name} {given:?}: {} at step {step}, not {rate}",
                rates[*step]
            );
        }
    }
}

#[test]
fn the_momentum_moves_against_the_rate() {
    let one_cycle = params(&[("anneal", text("linear")), ("pct_start", Float(0.5))]);
    let momenta = (of("one-cycle").trace)(&one_cycle, &planned(10), 10).momenta;
    for (step, expected) in [(0, 0.95), (2, 0.90), (4, 0.85), (9, 0.95)] {
        assert!(
            (momenta[step] - expected).abs() < 1e-12,
            "{step}: {}",
            momenta[step]
        );
    }
    let cyclic = params(&[("step_size_up", Int(4))]);
    let momenta = (of("cyclic").trace)(&cyclic, &planned(10), 10).momenta;
    for (step, expected) in [(0, 0.9), (2, 0.85), (4, 0.8), (8, 0.9)] {
        assert!(
            (momenta[step] - expected).abs() < 1e-12,
            "{step}: {}",
            momenta[step]
        );
    }
    for name in ["one-cycle", "cyclic"] {
        let off = params(&[("cycle_momentum", Bool(false))]);
        let momenta = (of(name).trace)(&off, &planned(10), 10).momenta;
        assert!(
            momenta.iter().all(|m| m.is_nan()),
            "{name} touched the momentum"
        );
    }
}
