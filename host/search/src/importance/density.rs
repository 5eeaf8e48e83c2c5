//! How values are spread: a Parzen estimate over a grid.

use crate::space::Domain;

/// The most points of a grid.
const MOST: usize = 50;

/// What the knowledge of no value at all counts as, in values.
const PRIOR: f64 = 1.0;

/// No kernel is narrower: nine tenths of it then lie within its own point of the grid.
const NARROWEST: f64 = 0.5 / 1.64;

/// Further out than this the normal distribution has nothing that counts.
const FARTHEST: f64 = 12.0;

/// The values of a domain, rounded to few.
pub(super) enum Grid {
    /// Even steps from `low`, which is a logarithm where `log` is set.
    Numbers {
        low: f64,
        step: f64,
        log: bool,
        size: usize,
    },
    /// One point a choice.
    Choices(usize),
}

impl Grid {
    /// Nothing where the domain has one value.
    pub(super) fn of(domain: &Domain) -> Option<Self> {
        let numbers = |low: f64, high: f64, log: bool, size: f64| {
            let size = (size as usize).min(MOST);
            let (low, high) = if log {
                (low.ln(), high.ln())
            } else {
                (low, high)
            };
            let step = (high - low) / (size.max(2) - 1) as f64;
            (size > 1 && step > 0.0).then_some(Grid::Numbers {
                low,
                step,
                log,
                size,
            })
        };
        match *domain {
            Domain::Float {
                low,
                high,
                log,
                step,
            } => {
                let size = step.map_or(MOST as f64, |step| ((high - low) / step).round() + 1.0);
                numbers(low, high, log, size)
            }
            Domain::Int { low, high, log } => {
                let count = high.abs_diff(low) as f64 + 1.0;
                // Few of a wide range on a logarithmic scale are far enough from each other.
                let size = if log {
                    count.log2().ceil() + 1.0
                } else {
                    count
                };
                numbers(low as f64, high as f64, log, size)
            }
            Domain::Choice(ref choices) => {
                (choices.len() > 1).then_some(Grid::Choices(choices.len()))
            }
        }
    }

    /// Nothing counted at any point.
    pub(super) fn counts(&self) -> Vec<u32> {
        vec![0; self.size()]
    }

    /// The point of a number; one between two is the lower one's.
    pub(super) fn place(&self, number: f64) -> usize {
        let place = match *self {
            Grid::Numbers { low, step, log, .. } => {
                let number = if log { number.ln() } else { number };
                ((number - low) / step - 0.5).ceil()
            }
            Grid::Choices(_) => number,
        };
        // What is below the lowest one is there too: a cast to a whole number ends at 0.
        (place as usize).min(self.size() - 1)
    }

    fn size(&self) -> usize {
        match *self {
            Grid::Numbers { size, .. } | Grid::Choices(size) => size,
        }
    }
}

/// The density at each point of the grid, of values that were counted there. There is one at least.
pub(super) fn density(grid: &Grid, counts: &[u32]) -> Vec<f64> {
    let seen = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let kernels: Vec<(usize, f64)> = seen.map(|(at, count)| (at, f64::from(*count))).collect();
    let total: f64 = kernels.iter().map(|(_, weight)| weight).sum::<f64>() + PRIOR;
    let mut density = match grid {
        Grid::Numbers { size, .. } => of_numbers(&kernels, *size),
        Grid::Choices(size) => of_choices(&kernels, *size),
    };
    density.iter_mut().for_each(|mass| *mass /= total);
    density
}

/// Each kernel a normal distribution around its point, cut off at the grid's ends; the prior's is as
/// wide as the grid.
fn of_numbers(kernels: &[(usize, f64)], size: usize) -> Vec<f64> {
    let sigma = bandwidth(kernels).max(NARROWEST);
    let high = (size - 1) as f64;
    let mut density = vec![0.0; size];
    let mut add = |center: f64, sigma: f64, weight: f64| {
        let standard = |x: f64| (x - center) / sigma;
        let whole = mass(standard(-0.5), standard(high + 0.5));
        for (at, density) in density.iter_mut().enumerate() {
            let at = at as f64;
            *density += weight * mass(standard(at - 0.5), standard(at + 0.5)) / whole;
        }
    };
    for (at, weight) in kernels {
        add(*at as f64, sigma, *weight);
    }
    add(high / 2.0, high + 1.0, PRIOR);
    density
}

/// Scott's rule (Scott, "Multivariate Density Estimation", 1992), robust against values far away.
fn bandwidth(kernels: &[(usize, f64)]) -> f64 {
    let total: f64 = kernels.iter().map(|(_, weight)| weight).sum();
    let sum = |of: &dyn Fn(f64) -> f64| -> f64 {
        kernels
            .iter()
            .map(|(at, weight)| of(*at as f64) * weight)
            .sum()
    };
    let mean = sum(&|at| at) / total;
    let deviation = (sum(&|at| (at - mean).powi(2)) / (total - 1.0).max(1.0)).sqrt();
    // The first point up to which there are as many values, or more of them.
    let quartile = |reached: &dyn Fn(f64) -> bool| {
        let mut upto = 0.0;
        let found = kernels.iter().find(|(_, weight)| {
            upto += weight;
            reached(upto)
        });
        found.or(kernels.last()).map_or(0.0, |(at, _)| *at as f64)
    };
    let lower = (total / 4.0).floor();
    let upper = (total * 3.0 / 4.0).floor();
    let between = quartile(&|upto| upto > upper) - quartile(&|upto| upto >= lower);
    1.059 * (between / 1.34).min(deviation) * total.powf(-0.2)
}

/// Each kernel its choice, and a little of all of them; the prior's is even.
fn of_choices(kernels: &[(usize, f64)], size: usize) -> Vec<f64> {
    let little = PRIOR / (kernels.len() + 1) as f64;
    let row = 1.0 + little * size as f64;
    let mut density = vec![PRIOR / size as f64; size];
    for (choice, weight) in kernels {
        for (at, density) in density.iter_mut().enumerate() {
            let own = if at == *choice { 1.0 } else { 0.0 };
            *density += weight * (own + little) / row;
        }
    }
    density
}

/// The mass of the standard normal distribution between two numbers, exact also far from the middle.
fn mass(from: f64, to: f64) -> f64 {
    if from > 0.0 {
        above(from) - above(to)
    } else if to < 0.0 {
        above(-to) - above(-from)
    } else {
        1.0 - above(-from) - above(to)
    }
}

/// The mass above a number that is not negative.
fn above(x: f64) -> f64 {
    let bell = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if x < 3.0 {
        // The mass between 0 and x, as the series x + x³/3 + x⁵/(3·5) + … times the bell.
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term > sum * f64::EPSILON / 4.0 {
            odd += 2.0;
            term *= x * x / odd;
            sum += term;
        }
        return 0.5 - bell * sum;
    }
    if x > FARTHEST {
        return 0.0;
    }
    // Laplace's continued fraction 1/(x + 1/(x + 2/(x + 3/(x + …, from far inside.
    let fraction = (1..=60).rev().fold(x, |inner, n| x + f64::from(n) / inner);
    bell / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From tables of the normal distribution.
    #[test]
    fn the_normal_distribution() {
        for (x, expected) in [
            (0.0, 0.5),
            (0.5, 0.308_537_538_725_986_9),
            (1.0, 0.158_655_253_931_457_05),
            (2.0, 0.022_750_131_948_179_195),
            (2.999, 0.001_354_336_533_727),
            (3.0, 0.001_349_898_031_630_094_6),
            (5.0, 2.866_515_718_791_939e-7),
            (10.0, 7.619_853_024_160_525e-24),
        ] {
            let error = (above(x) / expected - 1.0).abs();
            assert!(error < 1e-12, "{x}: {} and not {expected}", above(x));
        }
        assert!((mass(-1.0, 1.0) - 0.682_689_492_137_086).abs() < 1e-15);
        assert_eq!(mass(-4.0, -3.0), mass(3.0, 4.0));
        assert_eq!(above(f64::INFINITY), 0.0);
    }

    #[test]
    fn a_density_is_one_in_all() {
        let float = |low, high, log| Domain::Float {
            low,
            high,
            log,
            step: None,
        };
        for domain in [
            float(0.0, 1.0, false),
            float(1e-3, 1.0, true),
            Domain::Int {
                low: 1,
                high: 3,
                log: false,
            },
            Domain::Int {
                low: 1,
                high: 1_000,
                log: true,
            },
            Domain::Int {
                low: i64::MIN,
                high: i64::MAX,
                log: false,
            },
            Domain::Choice(vec![false.into(), true.into(), "both".into()]),
        ] {
            let grid = Grid::of(&domain).unwrap();
            for numbers in [vec![1.0], vec![1.0, 1.0, 2.0], vec![-1e300, 1e300, 0.5]] {
                let mut counts = grid.counts();
                numbers
                    .iter()
                    .for_each(|number| counts[grid.place(*number)] += 1);
                let sum: f64 = density(&grid, &counts).iter().sum();
                assert!((sum - 1.0).abs() < 1e-12, "{domain}: {sum}");
            }
        }
        let one = Domain::Choice(vec![true.into()]);
        assert!(Grid::of(&one).is_none() && Grid::of(&float(1.0, 1.0, false)).is_none());
    }
}
