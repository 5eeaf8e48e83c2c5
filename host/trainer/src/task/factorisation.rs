//! Nonnegative matrix factorisation: V ≈ W·H, with V (m × n), W (m × r) and H (r × n) all
//! nonnegative (Lee and Seung 1999), by projected stochastic gradients (Lin 2007, *Projected gradient
//! methods for nonnegative matrix factorization*).
//!
//! A row of training is a row of V. The loss of row i is ‖vᵢ − wᵢH‖², and a batch B has the mean of
//! its rows, with R = W_B·H − V_B and the gradients
//!
//! ```text
//! ∂/∂W_B = 2/|B| · R·Hᵀ        ∂/∂H = 2/|B| · W_Bᵀ·R
//! ```
//!
//! where rows of W outside B have none. After each update what is negative becomes 0. Over all rows
//! the loss is ‖V − WH‖²/m, whose blocks have the Hessians 2HHᵀ/m and 2WᵀW/m: a step of one block
//! alone falls for lr_W < m/λmax(HHᵀ) and lr_H < m/λmax(WᵀW).
//!
//! Both factors start from |N(0, 1)|·√(mean(V)/r), as scikit-learn's `init="random"`. All of V is
//! validated on: what is asked is how well it is factored, and a row that W has not seen has no
//! factors.

use super::{Batch, Failure, Kind, Parameters, Random, Task, checksum};
use crate::data::{DataError, Table, nonnegative};
use crate::kernel::{Matrix, MatrixMut, Onto, multiply, norm_sq};
use crate::metrics::{Metric, OwnMetric, Scores};
use crate::trial::{SettingsError, require};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most numbers of V.
const MAX_NUMBERS: usize = 1 << 26;

/// ‖V − WH‖ / ‖V‖, in Frobenius norms.
const RELATIVE_ERROR: Metric = Metric::Own(OwnMetric {
    name: "relative_error",
    minimized: true,
});

/// A made-up matrix to factor. Unchecked; only a [`Factorisation`] is trained.
///
/// V = W°·H° + noise, with the numbers of W° (m × planted) and H° (planted × n) uniform in [0, 1), and
/// what is negative set to 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FactorisationSettings {
    /// The rows m of V.
    pub rows: usize,
    /// The columns n of V.
    pub columns: usize,
    /// The rank r of W·H.
    pub rank: usize,
    /// The rank of what V is made from.
    pub planted: usize,
    /// The deviation of the normal noise on each number of V, at least 0.
    pub noise: f64,
    /// The seed of V; where W and H start follows the trial's.
    pub seed: u64,
}

impl Default for FactorisationSettings {
    fn default() -> Self {
        FactorisationSettings {
            rows: 128,
            columns: 64,
            rank: 8,
            planted: 8,
            noise: 0.01,
            seed: 0,
        }
    }
}

impl FactorisationSettings {
    /// Checks every setting and makes the matrix up.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn check(self) -> Result<Factorisation, SettingsError> {
        check_sides(self.rows, self.columns, self.rank)?;
        require(
            (1..=self.rows.min(self.columns)).contains(&self.planted),
            "planted",
            self.planted,
            "from 1 to the smaller side of the matrix",
        )?;
        require(
            self.noise.is_finite() && self.noise >= 0.0,
            "noise",
            self.noise,
            "a finite number of at least 0",
        )?;
        let mut random = Random::new(self.seed);
        let mut uniform =
            |count: usize| -> Vec<f32> { (0..count).map(|_| random.uniform() as f32).collect() };
        let (w, h) = (
            uniform(self.rows * self.planted),
            uniform(self.planted * self.columns),
        );
        let mut v = vec![0.0; self.rows * self.columns];
        multiply(
            MatrixMut::of(&mut v, self.columns),
            Onto::Nothing,
            1.0,
            Matrix::of(&w, self.planted),
            Matrix::of(&h, self.columns),
        );
        for number in &mut v {
            *number = (*number + (self.noise * random.normal()) as f32).max(0.0);
        }
        Factorisation::new(self.columns, v, self.rank)
    }
}

fn check_sides(rows: usize, columns: usize, rank: usize) -> Result<(), SettingsError> {
    for (setting, side) in [("rows", rows), ("columns", columns)] {
        require(side > 0, setting, side, "at least 1")?;
    }
    require(
        rows.checked_mul(columns)
            .is_some_and(|all| all <= MAX_NUMBERS),
        "columns",
        columns,
        format!("so few that {rows} rows have at most {MAX_NUMBERS} numbers"),
    )?;
    require(
        (1..=rows.min(columns)).contains(&rank),
        "rank",
        rank,
        "from 1 to the smaller side of the matrix",
    )
}

/// A matrix to factor. Its parameters are the groups `w` and `h`; its metrics are the loss and
/// `relative_error`, ‖V − WH‖ / ‖V‖.
#[derive(Debug, Clone)]
pub struct Factorisation {
    columns: usize,
    rank: usize,
    v: Arc<[f32]>,
    norm_sq: f64,
    /// The [checksum] of its numbers, which every trial of it has in its fingerprint.
    checksum: u32,
}

impl Factorisation {
    /// Factors of this rank for a matrix of so many columns, its rows one after another.
    ///
    /// # Errors
    /// A matrix without numbers, with negative ones or ones that are not finite, with zeros alone, or
    /// whose last row is not whole; a rank that is 0 or above its smaller side.
    pub fn new(
        columns: usize,
        v: impl Into<Arc<[f32]>>,
        rank: usize,
    ) -> Result<Self, SettingsError> {
        let v = v.into();
        require(
            columns > 0 && v.len().is_multiple_of(columns),
            "columns",
            columns,
            format!("above 0 and divide the {} numbers of the matrix", v.len()),
        )?;
        check_sides(v.len() / columns, columns, rank)?;
        let wrong = v.iter().find(|x| !(x.is_finite() && **x >= 0.0));
        if let Some(wrong) = wrong {
            require(false, "matrix", wrong, "of finite numbers of at least 0")?;
        }
        let norm_sq = norm_sq(&v);
        require(
            norm_sq > 0.0,
            "matrix",
            0,
            "of numbers of which one is above 0",
        )?;
        Ok(Factorisation {
            columns,
            rank,
            norm_sq,
            checksum: checksum(&v),
            v,
        })
    }

    /// Factors of rank 1 for the numbers of a table, without some of its columns.
    ///
    /// # Errors
    /// A column to leave out that is not there, or none that stays; more than 2²⁶ numbers; a cell that
    /// is no finite number of at least 0.
    pub fn of_table(table: &Table, ignore: &[String]) -> Result<Self, DataError> {
        let (columns, v) = nonnegative(table, ignore, MAX_NUMBERS)?;
        Factorisation::new(columns, v, 1).map_err(|error| DataError::Unfit {
            file: table.name().into(),
            fault: error.to_string(),
            remedy: "name a table with more in it".into(),
        })
    }

    /// The same matrix with factors of another rank.
    ///
    /// # Errors
    /// A rank that is 0 or above the matrix's smaller side.
    pub fn of_rank(&self, rank: usize) -> Result<Self, SettingsError> {
        let (rows, columns) = self.sides();
        check_sides(rows, columns, rank)?;
        Ok(Factorisation {
            rank,
            ..self.clone()
        })
    }

    /// The rows and columns of the matrix.
    pub fn sides(&self) -> (usize, usize) {
        (self.v.len() / self.columns, self.columns)
    }

    /// W_B·H − V_B for the rows of W that are given and those of V that are asked for.
    fn residuals<'v>(
        &'v self,
        w: &[f32],
        h: &[f32],
        v: impl Iterator<Item = &'v [f32]>,
    ) -> Vec<f32> {
        let mut residuals = vec![0.0; w.len() / self.rank * self.columns];
        multiply(
            MatrixMut::of(&mut residuals, self.columns),
            Onto::Nothing,
            1.0,
            Matrix::of(w, self.rank),
            Matrix::of(h, self.columns),
        );
        for (residuals, v) in residuals.chunks_exact_mut(self.columns).zip(v) {
            for (residual, v) in residuals.iter_mut().zip(v) {
                *residual -= v;
            }
        }
        residuals
    }
}

impl Task for Factorisation {
    fn name(&self) -> String {
        "factorisation".into()
    }

    fn fingerprint(&self) -> String {
        let ((rows, columns), rank) = (self.sides(), self.rank);
        let numbers = self.checksum;
        format!("factorisation of {rows} x {columns} numbers {numbers:08x} at rank {rank}")
    }

    fn parameters(&self) -> Vec<Parameters> {
        vec![
            Parameters::new("w", Kind::Weight, [self.rows(), self.rank]),
            Parameters::new("h", Kind::Weight, [self.rank, self.columns]),
        ]
    }

    fn start(&self, random: &mut Random) -> Vec<Vec<f32>> {
        let mean = self.v.iter().copied().map(f64::from).sum::<f64>() / self.v.len() as f64;
        let size = (mean / self.rank as f64).sqrt();
        let mut drawn = |count: usize| {
            let numbers = (0..count).map(|_| (size * random.normal().abs()) as f32);
            numbers.collect()
        };
        vec![
            drawn(self.rows() * self.rank),
            drawn(self.rank * self.columns),
        ]
    }

    fn rows(&self) -> usize {
        self.sides().0
    }

    fn learn(
        &self,
        batch: &Batch<'_>,
        values: &[&[f32]],
        gradients: &mut [&mut [f32]],
    ) -> Result<f32, Failure> {
        let (w, h, rank) = (values[0], values[1], self.rank);
        let row = |row: u32, width: usize| row as usize * width..(row as usize + 1) * width;
        let gathered = batch.rows.iter().flat_map(|&i| &w[row(i, rank)]);
        let w: Vec<f32> = gathered.copied().collect();
        let v = batch.rows.iter().map(|&i| &self.v[row(i, self.columns)]);
        let residuals = self.residuals(&w, h, v);
        let rows = batch.rows.len() as f32;
        let r = Matrix::of(&residuals, self.columns);
        multiply(
            MatrixMut::of(gradients[1], self.columns),
            Onto::Nothing,
            2.0 / rows,
            Matrix::of(&w, rank).turned(),
            r,
        );
        let mut slopes = w;
        multiply(
            MatrixMut::of(&mut slopes, rank),
            Onto::Nothing,
            2.0 / rows,
            r,
            Matrix::of(h, self.columns).turned(),
        );
        for (&i, slopes) in batch.rows.iter().zip(slopes.chunks_exact(rank)) {
            gradients[0][row(i, rank)].copy_from_slice(slopes);
        }
        Ok((norm_sq(&residuals) / f64::from(rows)) as f32)
    }

    fn project(&self, values: &mut [&mut [f32]]) -> Result<(), Failure> {
        // What is no number stays so, to be seen.
        for value in values.iter_mut().flat_map(|values| values.iter_mut()) {
            if *value < 0.0 {
                *value = 0.0;
            }
        }
        Ok(())
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::Loss, RELATIVE_ERROR]
    }

    fn loss_lower_bound(&self) -> Option<f64> {
        Some(0.0)
    }

    fn validate(&self, values: &[&[f32]]) -> Result<Scores, Failure> {
        let rows = self.v.chunks_exact(self.columns);
        let off = norm_sq(&self.residuals(values[0], values[1], rows));
        Ok(Scores::from([
            (Metric::Loss, off / self.rows() as f64),
            (RELATIVE_ERROR, (off / self.norm_sq).sqrt()),
        ]))
    }
}
