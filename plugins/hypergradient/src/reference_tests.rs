//! Against the paper's own algorithms (SGD-HD, SGDN-HD and Adam-HD), written out from arXiv
//! 1703.04782, on a quadratic bowl. They know their optimizer's inside; the scheduler sees only
//! what a host sees, the gradient and the displacement of the last step.

use super::Hypergradient;
use super::tests::params;
use attune_plugin_api::Setup;
use attune_plugin_api::controller::{Clock, Controller, InProcess};

/// f(x) = ½ Σ cᵢ xᵢ²; the first two coordinates are one parameter group, the others another.
const CURVATURES: [f64; 5] = [1.0, 0.3, 2.0, 0.05, 0.7];
const START: [f64; 5] = [1.0, -2.0, 0.5, 3.0, -1.0];
const GROUPS: [std::ops::Range<usize>; 2] = [0..2, 2..5];
const STEPS: usize = 200;
const RATE: f64 = 0.01;

type Point = [f64; 5];

fn gradient(x: &Point) -> Point {
    std::array::from_fn(|i| CURVATURES[i] * x[i])
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// An optimizer: its direction for a gradient. Each step is then x ← x − α·direction.
#[derive(Clone, Copy)]
enum Optimizer {
    Sgd,
    /// Velocity with Nesterov's look-ahead and a momentum of 0.9.
    Nesterov {
        velocity: Point,
    },
    /// β₁ 0.9, β₂ 0.999, ε 1e-8.
    Adam {
        m: Point,
        v: Point,
        t: i32,
    },
}

impl Optimizer {
    fn direction(&mut self, g: &Point) -> Point {
        match self {
            Optimizer::Sgd => *g,
            Optimizer::Nesterov { velocity } => {
                *velocity = std::array::from_fn(|i| 0.9 * velocity[i] + g[i]);
                std::array::from_fn(|i| g[i] + 0.9 * velocity[i])
            }
            Optimizer::Adam { m, v, t } => {
                *t += 1;
                *m = std::array::from_fn(|i| 0.9 * m[i] + 0.1 * g[i]);
                *v = std::array::from_fn(|i| 0.999 * v[i] + 0.001 * g[i] * g[i]);
                let (m_bias, v_bias) = (1.0 - 0.9f64.powi(*t), 1.0 - 0.999f64.powi(*t));
                std::array::from_fn(|i| (m[i] / m_bias) / ((v[i] / v_bias).sqrt() + 1e-8))
            }
        }
    }
}

/// The paper's algorithms: the rates of every step. `moves` are the index ranges that share a rate.
fn reference(
    mut optimizer: Optimizer,
    additive: bool,
    beta: f64,
    moves: &[std::ops::Range<usize>],
) -> Vec<Vec<f64>> {
    let mut x = START;
    let mut rates = vec![RATE; moves.len()];
    let mut previous: Option<Point> = None;
    let mut trace = Vec::new();
    for _ in 0..STEPS {
        let g = gradient(&x);
        if let Some(u) = previous {
            for (rate, range) in rates.iter_mut().zip(moves) {
                let (g, u) = (&g[range.clone()], &u[range.clone()]);
                let h = dot(g, u);
                if additive {
                    *rate += beta * h;
                } else {
                    *rate *= 1.0 + beta * h / (dot(g, g) * dot(u, u)).sqrt();
                }
            }
        }
        let u = optimizer.direction(&g);
        for (rate, range) in rates.iter().zip(moves) {
            for i in range.clone() {
                x[i] -= rate * u[i];
            }
        }
        previous = Some(u);
        trace.push(rates.clone());
    }
    trace
}

/// A host that measures the displacement of each step and hands out the declared signals.
fn steered(mut optimizer: Optimizer, rule: &str, scope: &str, beta: f64) -> Vec<Vec<f64>> {
    let setup = Setup::of_rates(&[RATE; 2]);
    let given = params(rule, scope, &[("beta", beta), ("max_lr", 1e6)]);
    let mut scheduler = InProcess::<Hypergradient>::configure(&given, &setup).unwrap();
    let mut rates = setup.rates();
    let mut x = START;
    let mut moved = [f64::NAN; 5];
    let mut trace = Vec::new();
    for step in 0..STEPS {
        let g = gradient(&x);
        let of_groups = |a: &Point, b: &Point| GROUPS.map(|r| dot(&a[r.clone()], &b[r]));
        let signals = [
            of_groups(&g, &moved),
            of_groups(&g, &g),
            of_groups(&moved, &moved),
        ];
        let clock = Clock {
            step: step as u64,
            ..Clock::default()
        };
        scheduler
            .step(&clock, &signals.concat(), &mut rates, &mut [f64::NAN; 2])
            .unwrap();
        let before = x;
        let direction = optimizer.direction(&g);
        for (rate, range) in rates.iter().zip(GROUPS) {
            for i in range {
                x[i] -= rate * direction[i];
                moved[i] = (before[i] - x[i]) / rate;
            }
        }
        trace.push(rates.clone());
    }
    trace
}

#[test]
fn sgd_nesterov_and_adam_give_the_rates_of_the_papers_algorithms() {
    let optimizers = [
        ("SGD", Optimizer::Sgd, 1e-3),
        ("Nesterov", Optimizer::Nesterov { velocity: [0.0; 5] }, 1e-5),
        (
            "Adam",
            Optimizer::Adam {
                m: [0.0; 5],
                v: [0.0; 5],
                t: 0,
            },
            1e-5,
        ),
    ];
    for (name, optimizer, additive_beta) in optimizers {
        for (rule, beta) in [("additive", additive_beta), ("multiplicative", 0.02)] {
            for scope in ["global", "group"] {
                let together = 0..5;
                let moves = match scope {
                    "global" => std::slice::from_ref(&together),
                    _ => &GROUPS,
                };
                let expected = reference(optimizer, rule == "additive", beta, moves);
                let rates = steered(optimizer, rule, scope, beta);
                for (step, (rates, expected)) in rates.iter().zip(&expected).enumerate() {
                    for (group, rate) in rates.iter().enumerate() {
                        let expected = expected[group.min(expected.len() - 1)];
                        assert!(
                            (rate - expected).abs() <= 1e-9 * expected,
                            "{name}, {rule}, {scope}, step {step}, group {group}: \
                             {rate}, not {expected}"
                        );
                    }
                }
                let last = &rates[STEPS - 1];
                let change = (last[0] / RATE - 1.0).abs();
                assert!(
                    change > 0.01,
                    "{name}, {rule}, {scope}: the rate hardly moved, {last:?}"
                );
            }
        }
    }
}
