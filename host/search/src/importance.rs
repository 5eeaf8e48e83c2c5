//! Which parameters decide how good a trial becomes.
//!
//! The method is PED-ANOVA (Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently Quantifying
//! Hyperparameter Importance in Arbitrary Subspaces", IJCAI 2023, arXiv:2304.10255): a parameter
//! matters as much as its values among the good trials are spread otherwise than among all trials.
//! With p the density of a parameter's values among all trials, p' that among the good ones, and γ'
//! the share of the good ones, the variance that the parameter explains by itself of "a trial is
//! good" is
//!
//! ```text
//! γ'² · Σ p(x) · (p'(x) / p(x) − 1)²            over a grid of the parameter's values
//! ```
//!
//! the Pearson divergence of the two. A parameter that not all trials have is judged among those
//! that have it (Baba, Ozaki and Watanabe, "Conditional PED-ANOVA", arXiv:2601.20800, theorem 4.2
//! and algorithm 1): with α the share of the good trials that have it and β that of all trials, its
//! divergence counts α² / β as much.
//!
//! Densities are Parzen estimates on the grid, with Scott's bandwidth, in the way of Optuna 5.0's
//! `PedAnovaImportanceEvaluator` with its usual settings, whose figures these are to nine digits.
//! Where we differ: a trial whose value is not a finite number counts as worse than all others, and
//! is never good, where Optuna leaves it out; and where nothing explains anything no parameter has a
//! share, where Optuna gives all the same.

mod density;

use crate::direction::Direction;
use crate::space::{Domain, Value};
use density::{Grid, density};

/// A parameter that fewer trials have cannot be judged.
const FEWEST: usize = 2;

/// Keeps a quotient of densities finite.
const TINY: f64 = 1e-12;

/// Trials with their values and configurations.
#[derive(Debug, Clone)]
pub struct Evidence {
    parameters: Vec<Parameter>,
    values: Vec<f64>,
}

#[derive(Debug, Clone)]
struct Parameter {
    name: String,
    domain: Domain,
    /// A number a trial; of a choice, which one it is. NaN where the trial does not have it.
    column: Vec<f64>,
}

/// What the trials say.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// The good trials, by their place in the order in which they were added.
    pub good: Vec<usize>,
    /// The parameters, the most important first.
    pub parameters: Vec<Weight>,
}

/// How much one parameter matters.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// The parameter.
    pub name: String,
    /// The variance that it explains.
    pub variance: f64,
    /// Its share of what all parameters explain, 0 to 1; 0 for all where nothing is explained.
    pub share: f64,
    /// How many trials have it.
    pub trials: usize,
}

impl Evidence {
    /// No trials yet, of a space with these parameters.
    pub fn new(parameters: impl IntoIterator<Item = (String, Domain)>) -> Self {
        let parameters = parameters.into_iter().map(|(name, domain)| Parameter {
            name,
            domain,
            column: Vec::new(),
        });
        Evidence {
            parameters: parameters.collect(),
            values: Vec::new(),
        }
    }

    /// Adds a trial that came to `value`. A number outside its parameter's range counts as the
    /// nearer end; a value of another kind, or that is no choice of its parameter's, as none.
    pub fn add(&mut self, value: f64, config: impl Fn(&str) -> Option<Value>) {
        for Parameter {
            name,
            domain,
            column,
        } in &mut self.parameters
        {
            let number = config(name).and_then(|value| number(domain, &value));
            column.push(number.unwrap_or(f64::NAN));
        }
        self.values.push(value);
    }

    /// How many trials there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no trial.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The parameters with their domains, in the order in which they were given.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Domain)> {
        let parameters = self.parameters.iter();
        parameters.map(|parameter| (parameter.name.as_str(), &parameter.domain))
    }

    /// What a parameter is in one of the trials: a number, or of a choice which one it is.
    pub fn number(&self, parameter: &str, trial: usize) -> Option<f64> {
        let mut parameters = self.parameters.iter();
        let column = &parameters.find(|known| known.name == parameter)?.column;
        column.get(trial).copied().filter(|number| !number.is_nan())
    }

    /// Judges every parameter by what sets the best trials apart: this share of all, above 0 and
    /// below 1, and those that are as good as the last one of them.
    pub fn judge(&self, direction: Direction, share: f64) -> Importance {
        let good = self.good(direction, share);
        let mut is_good = vec![false; self.len()];
        for trial in &good {
            is_good[*trial] = true;
        }
        let parameters = self.parameters.iter().map(|parameter| Weight {
            name: parameter.name.clone(),
            variance: match self.len() {
                0 | 1 => 0.0,
                _ => parameter.variance(&is_good, good.len()),
            },
            share: 0.0,
            trials: parameter
                .column
                .iter()
                .filter(|number| !number.is_nan())
                .count(),
        });
        let mut parameters: Vec<Weight> = parameters.collect();
        let explained: f64 = parameters.iter().map(|weight| weight.variance).sum();
        for weight in &mut parameters {
            weight.share = match explained > 0.0 {
                true => weight.variance / explained,
                false => 0.0,
            };
        }
        // Of equals the one that comes first in the space, as sorting is stable.
        parameters.sort_by(|a, b| b.variance.total_cmp(&a.variance));
        Importance { good, parameters }
    }

    fn good(&self, direction: Direction, share: f64) -> Vec<usize> {
        let rank = |a: &f64, b: &f64| {
            let key = |value: f64| if value.is_finite() { value } else { f64::NAN };
            direction.compare(key(*a), key(*b))
        };
        let mut ranked = self.values.clone();
        ranked.sort_by(rank);
        let most = (share * ranked.len() as f64).ceil() as usize;
        let Some(last) = ranked.get(most.clamp(1, ranked.len().max(1)) - 1) else {
            return Vec::new();
        };
        let trials = self.values.iter().enumerate();
        trials
            .filter(|(_, value)| value.is_finite() && rank(value, last).is_le())
            .map(|(trial, _)| trial)
            .collect()
    }
}

impl Parameter {
    fn variance(&self, is_good: &[bool], good: usize) -> f64 {
        let Some(grid) = Grid::of(&self.domain) else {
            return 0.0;
        };
        let (mut all, mut best) = (grid.counts(), grid.counts());
        let trials = self.column.iter().zip(is_good);
        for (number, is_good) in trials.filter(|(number, _)| !number.is_nan()) {
            let at = grid.place(*number);
            all[at] += 1;
            best[at] += u32::from(*is_good);
        }
        let count = |counts: &[u32]| counts.iter().map(|count| *count as usize).sum::<usize>();
        let (have, good_have) = (count(&all), count(&best));
        if have < FEWEST || good_have == 0 {
            return 0.0;
        }
        let divergence: f64 = density(&grid, &best)
            .iter()
            .zip(density(&grid, &all))
            .map(|(best, all)| {
                let (best, all) = (best + TINY, all + TINY);
                all * (best / all - 1.0).powi(2)
            })
            .sum();
        let alpha = good_have as f64 / good as f64;
        let beta = have as f64 / is_good.len() as f64;
        let share = good as f64 / is_good.len() as f64;
        alpha.powi(2) / beta * divergence * share.powi(2)
    }
}

/// A value of a domain as a number.
fn number(domain: &Domain, value: &Value) -> Option<f64> {
    match (domain, value) {
        (Domain::Choice(choices), value) => {
            let place = choices.iter().position(|choice| choice == value)?;
            Some(place as f64)
        }
        (_, Value::Int(number)) => Some(*number as f64),
        (_, Value::Float(number)) => Some(*number),
        _ => None,
    }
}
