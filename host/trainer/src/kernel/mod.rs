//! Loops over slices of numbers: all arithmetic of training, and nothing that knows a model.
//!
//! Products of matrices are the `gemm` crate's; everything else is written so that the compiler
//! makes vector instructions of it, once for each [`Level`] of processor, chosen at run time. Except
//! for products a result is the same bit for bit on every level: sums have a fixed order, and no
//! multiplication is fused with an addition.
//!
//! It and [`threads`](crate::threads) know nothing else of this crate, so that Miri can run them without
//! dfdx, which no nightly compiler takes (`host/trainer/miri`).

mod function;
mod lanes;
mod level;
mod loss;
mod product;
mod reduce;
mod row;
mod turn;

pub use function::Activation;
pub(crate) use function::{exp, softmax};
pub(crate) use lanes::{put, taken};
pub(crate) use level::wide;
#[cfg(test)]
pub(crate) use level::{Level, at_level};
pub use loss::Loss;
pub(crate) use loss::{cross_entropy, difference_loss, of_difference, soft};
pub(crate) use product::{Matrix, MatrixMut, Onto, multiply, multiply_here};
pub(crate) use reduce::{abs_max, abs_sum, dot, norm_sq, not_finite};
pub(crate) use row::{row_dot, row_sum};

/// Adds each value to its sum; to be called within [`wide`].
#[inline(always)]
pub(crate) fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

/// The same by itself.
pub(crate) fn add_all(sums: &mut [f32], values: &[f32]) {
    wide(
        #[inline(always)]
        || add(sums, values),
    );
}

/// Multiplies each value by a factor.
pub(crate) fn scale(values: &mut [f32], factor: f32) {
    wide(
        #[inline(always)]
        move || values.iter_mut().for_each(|value| *value *= factor),
    );
}

/// Writes a − b.
pub(crate) fn subtract(out: &mut Vec<f32>, a: &[f32], b: &[f32]) {
    out.resize(a.len(), 0.0);
    let each = out.iter_mut().zip(a).zip(b);
    wide(
        #[inline(always)]
        move || each.for_each(|((out, a), b)| *out = a - b),
    );
}

/// Writes a/√v.
pub(crate) fn over_roots(out: &mut Vec<f32>, a: &[f32], v: &[f32]) {
    out.resize(a.len(), 0.0);
    let each = out.iter_mut().zip(a).zip(v);
    wide(
        #[inline(always)]
        move || each.for_each(|((out, a), v)| *out = a / v.sqrt()),
    );
}

/// Moves each mean by this share of the way to its value.
pub(crate) fn approach(means: &mut [f32], values: &[f32], share: f32) {
    let each = means.iter_mut().zip(values);
    wide(
        #[inline(always)]
        move || each.for_each(|(mean, value)| *mean += share * (value - *mean)),
    );
}

#[cfg(test)]
mod tests;
