//! Test functions whose minimum and curvature are known, to study schedulers on.
//!
//! - **Quadratic**: f(x) = ½ Σ λᵢ xᵢ², with λ from 1/κ to 1 in equal ratios, κ the condition number;
//!   its minimum is 0 at 0. Gradient descent at a constant rate makes xᵢ ← (1 − lr·λᵢ)·xᵢ, so it
//!   converges for every rate below 2, best at lr = 2/(1 + 1/κ), by (κ−1)/(κ+1) a step (Polyak 1987,
//!   *Introduction to Optimization*, §1.4).
//! - **Rosenbrock**: f(x) = Σ 100·(xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)² over i < n, a bent valley (Rosenbrock
//!   1960; for n > 2 the chained form); its minimum is 0 where all xᵢ are 1.
//!
//! With **noise** σ, a row's loss is f(x) + ⟨ξ, x − x*⟩ with ξ ~ N(0, σ²·I) drawn anew at every
//! look: its mean is f(x), and its gradient is f's with noise of deviation σ in every direction. A
//! batch of b rows has the mean of their noise, of deviation σ/√b. On a quadratic this is the noisy
//! quadratic model (Schaul, Zhang and LeCun 2013; Wu et al. 2018; Zhang et al. 2019), where a
//! constant rate ends at a floor that is proportional to it, and a falling one does not.
//!
//! What is validated has no noise.

use super::{Batch, Failure, Kind, Parameters, Random, Task};
use crate::metrics::{Metric, OwnMetric, Scores};
use crate::trial::{SettingsError, require};
use serde::{Deserialize, Serialize};

/// The most dimensions.
const MAX_DIMENSIONS: usize = 1 << 20;
/// The most rows.
const MAX_ROWS: usize = 1 << 24;

/// ‖x − x*‖: how far from the minimum.
const DISTANCE: Metric = Metric::Own(OwnMetric {
    name: "distance",
    minimized: true,
});

/// Which function. Unchecked; only a [`Function`] is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FunctionSettings {
    /// Its shape.
    pub shape: Shape,
    /// The length of x.
    pub dimensions: usize,
    /// The deviation σ of one row's gradient noise in every direction, at least 0.
    pub noise: f64,
    /// How many rows, and so how many draws of noise, make an epoch.
    pub rows: usize,
}

/// The shape of a [`Function`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A bowl. x starts from the standard normal distribution.
    Quadratic {
        /// The condition number κ, at least 1.
        condition: f64,
    },
    /// A bent valley. x starts at (−1.2, 1, −1.2, 1, …), whatever the seed is.
    Rosenbrock,
}

impl Default for FunctionSettings {
    fn default() -> Self {
        FunctionSettings {
            shape: Shape::Quadratic { condition: 100.0 },
            dimensions: 20,
            noise: 0.0,
            rows: 1024,
        }
    }
}

/// A test function. Its parameters are one group, `x`, to which weight decay does not apply; its
/// metrics are the loss f(x) and `distance`, ‖x − x*‖.
#[derive(Debug, Clone)]
pub struct Function {
    settings: FunctionSettings,
    /// A quadratic's λ.
    curvatures: Vec<f64>,
}

impl FunctionSettings {
    /// Checks every setting.
    ///
    /// # Errors
    /// The first one outside its range.
    pub fn check(self) -> Result<Function, SettingsError> {
        let least = match self.shape {
            Shape::Quadratic { condition } => {
                require(
                    condition.is_finite() && condition >= 1.0,
                    "condition",
                    condition,
                    "a finite number of at least 1",
                )?;
                1
            }
            Shape::Rosenbrock => 2,
        };
        require(
            (least..=MAX_DIMENSIONS).contains(&self.dimensions),
            "dimensions",
            self.dimensions,
            format!("from {least} to {MAX_DIMENSIONS}"),
        )?;
        require(
            self.noise.is_finite() && self.noise >= 0.0,
            "noise",
            self.noise,
            "a finite number of at least 0",
        )?;
        require(
            (1..=MAX_ROWS).contains(&self.rows),
            "rows",
            self.rows,
            format!("from 1 to {MAX_ROWS}"),
        )?;
        let curvatures = match self.shape {
            Shape::Quadratic { condition } => curvatures(condition, self.dimensions),
            Shape::Rosenbrock => Vec::new(),
        };
        Ok(Function {
            settings: self,
            curvatures,
        })
    }
}

/// From 1/κ to 1 in equal ratios; of one dimension 1.
fn curvatures(condition: f64, dimensions: usize) -> Vec<f64> {
    let ratios = (dimensions - 1).max(1) as f64;
    let exponents = (0..dimensions).rev().map(|left| left as f64 / ratios);
    exponents
        .map(|exponent| condition.powf(-exponent))
        .collect()
}

impl Function {
    /// What it was made of.
    pub fn settings(&self) -> &FunctionSettings {
        &self.settings
    }

    /// Each coordinate of the minimum.
    fn minimum(&self) -> f64 {
        match self.settings.shape {
            Shape::Quadratic { .. } => 0.0,
            Shape::Rosenbrock => 1.0,
        }
    }

    /// f(x), and what `slope` is told of each coordinate's part of the gradient, in f64.
    fn at(&self, x: &[f32], mut slope: impl FnMut(usize, f64)) -> f64 {
        match self.settings.shape {
            Shape::Quadratic { .. } => {
                let mut sum = 0.0;
                for (place, (&x, curvature)) in x.iter().zip(&self.curvatures).enumerate() {
                    let x = f64::from(x);
                    sum += curvature * x * x;
                    slope(place, curvature * x);
                }
                0.5 * sum
            }
            Shape::Rosenbrock => {
                let mut sum = 0.0;
                for (place, pair) in x.windows(2).enumerate() {
                    let [x, next] = [pair[0], pair[1]].map(f64::from);
                    let (off, left) = (next - x * x, 1.0 - x);
                    sum += 100.0 * off * off + left * left;
                    slope(place, -400.0 * off * x - 2.0 * left);
                    slope(place + 1, 200.0 * off);
                }
                sum
            }
        }
    }
}

impl Task for Function {
    fn name(&self) -> String {
        match self.settings.shape {
            Shape::Quadratic { .. } => "quadratic".into(),
            Shape::Rosenbrock => "rosenbrock".into(),
        }
    }

    fn fingerprint(&self) -> String {
        format!("{:?}", self.settings)
    }

    fn parameters(&self) -> Vec<Parameters> {
        vec![Parameters {
            decays: false,
            ..Parameters::new("x", Kind::Weight, [self.settings.dimensions])
        }]
    }

    fn start(&self, random: &mut Random) -> Vec<Vec<f32>> {
        let places = 0..self.settings.dimensions;
        vec![match self.settings.shape {
            Shape::Quadratic { .. } => places.map(|_| random.normal() as f32).collect(),
            Shape::Rosenbrock => places.map(|place| [-1.2, 1.0][place % 2]).collect(),
        }]
    }

    fn rows(&self) -> usize {
        self.settings.rows
    }

    fn learn(
        &self,
        batch: &Batch<'_>,
        values: &[&[f32]],
        gradients: &mut [&mut [f32]],
    ) -> Result<f32, Failure> {
        let (x, gradient) = (values[0], &mut *gradients[0]);
        let mut loss = self.at(x, |place, slope| gradient[place] += slope as f32);
        let deviation = self.settings.noise / (batch.rows.len() as f64).sqrt();
        if deviation > 0.0 {
            let mut random = batch.random();
            for (slope, &x) in gradient.iter_mut().zip(x) {
                let noise = deviation * random.normal();
                loss += noise * (f64::from(x) - self.minimum());
                *slope += noise as f32;
            }
        }
        Ok(loss as f32)
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::Loss, DISTANCE]
    }

    fn loss_lower_bound(&self) -> Option<f64> {
        // Noise has none.
        (self.settings.noise == 0.0).then_some(0.0)
    }

    fn validate(&self, values: &[&[f32]]) -> Result<Scores, Failure> {
        let x = values[0];
        let squares = x.iter().map(|&x| (f64::from(x) - self.minimum()).powi(2));
        Ok(Scores::from([
            (Metric::Loss, self.at(x, |_, _| {})),
            (DISTANCE, squares.sum::<f64>().sqrt()),
        ]))
    }
}
