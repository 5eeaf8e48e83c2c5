//! Whether what was replayed is what the reference did.

use crate::replay::Replayed;
use crate::trace::Trace;
use std::fmt;

/// A value this small against the largest of its trace is the rounding noise of a reference that
/// adds up small differences, where the closed form is exactly zero.
const NOISE: f64 = 1e-15;

/// A trace's outcome.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) values: usize,
    pub(crate) mismatches: Vec<Mismatch>,
}

/// A value that does not agree.
#[derive(Debug)]
pub(crate) struct Mismatch {
    what: &'static str,
    step: usize,
    group: usize,
    expected: f64,
    got: f64,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch {
            what,
            step,
            group,
            expected,
            got,
        } = self;
        let error = (got - expected).abs() / expected.abs();
        write!(
            f,
            "{what} at step {step}, group {group}: expected {expected:?}, got {got:?} (relative \
             error {error:.1e})"
        )
    }
}

/// Compares every value of a trace. Steps are counted as in the file, from 0.
pub(crate) fn compare(trace: &Trace, replayed: &Replayed) -> Comparison {
    let mut comparison = Comparison {
        values: 0,
        mismatches: Vec::new(),
    };
    comparison.add("lr", trace.tolerance, &trace.rates, &replayed.rates);
    if let Some(momenta) = &trace.momenta {
        comparison.add("momentum", trace.tolerance, momenta, &replayed.momenta);
    }
    comparison
}

impl Comparison {
    fn add(&mut self, what: &'static str, tolerance: f64, expected: &[Vec<f64>], got: &[Vec<f64>]) {
        let largest = expected
            .iter()
            .flatten()
            .fold(0.0, |a: f64, b| a.max(b.abs()));
        for (step, (expected, got)) in expected.iter().zip(got).enumerate() {
            for (group, (&expected, &got)) in expected.iter().zip(got).enumerate() {
                self.values += 1;
                let allowed = (tolerance * expected.abs()).max(NOISE * largest);
                let both_nan = expected.is_nan() && got.is_nan();
                let agrees = expected == got || (expected - got).abs() <= allowed || both_nan;
                if !agrees {
                    self.mismatches.push(Mismatch {
                        what,
                        step,
                        group,
                        expected,
                        got,
                    });
                }
            }
        }
    }
}
