//! How far the gradients of a step's batches lie apart, and so how far those of its rows do.
//!
//! With kᵢ of a step's n rows in batch i, whose mean gradient is gᵢ, and the step's gradient
//! g = Σ (kᵢ/n)·gᵢ, the expected values are E‖gᵢ‖² = ‖G‖² + S/kᵢ and E‖g‖² = ‖G‖² + S/n, where S is
//! the trace of the covariance of one row's gradient and G its mean (McCandlish et al. 2018, appendix
//! A.1). So over b batches S = (Σ (kᵢ/n)·‖gᵢ‖² − ‖g‖²)·n/(b − 1) without bias. The paper has batches
//! of one size; here an epoch's last one may be smaller. Where classes have weights n is still that of the
//! rows, which is too many where few of them count.

use crate::kernel::{norm_sq, subtract};

/// What the batches of the running step came to.
#[derive(Debug, Default)]
pub(super) struct Spread {
    /// The gradients before the batch.
    before: Vec<Vec<f32>>,
    /// A group's Σ (kᵢ/n)·‖gᵢ‖².
    sums: Vec<f64>,
    batches: u64,
    /// A batch's own gradients.
    own: Vec<f32>,
}

impl Spread {
    pub(super) fn before_batch(&mut self, gradients: &[Vec<f32>]) {
        if self.batches > 0 {
            self.before.resize_with(gradients.len(), Vec::new);
            for (before, gradient) in self.before.iter_mut().zip(gradients) {
                before.clone_from(gradient);
            }
        }
    }

    pub(super) fn after_batch(&mut self, gradients: &[Vec<f32>], of_step: f64) {
        self.sums.resize(gradients.len(), 0.0);
        for (group, gradient) in gradients.iter().enumerate() {
            // What it added is its own gradient times its share.
            let added = match self.batches {
                0 => norm_sq(gradient),
                _ => {
                    subtract(&mut self.own, gradient, &self.before[group]);
                    norm_sq(&self.own)
                }
            };
            self.sums[group] += added / of_step;
        }
        self.batches += 1;
    }

    /// Whether there are batches to compare.
    pub(super) fn is_told(&self) -> bool {
        self.batches > 1
    }

    /// One value a group, from the step's whole gradient, and forgets the batches.
    pub(super) fn measure(&mut self, gradients: &[Vec<f32>], rows: usize, values: &mut [f64]) {
        values.fill(f64::NAN);
        if self.is_told() {
            let factor = rows as f64 / (self.batches - 1) as f64;
            let each = self.sums.iter().zip(gradients);
            for (value, (sum, gradient)) in values.iter_mut().zip(each) {
                *value = (sum - norm_sq(gradient)) * factor;
            }
        }
        self.sums.clear();
        self.batches = 0;
    }
}
