//! Operations of our own on dfdx's tape: a whole layer, and the two losses.
//!
//! dfdx's own operations would do the same in several passes each, with a gradient for the input
//! and for every mask and label. These compute the slope that the backward pass needs while the
//! forward pass has the value at hand. Each tensor may be read by one operation of a tape only:
//! gradients are stored, not added.

use super::activation::{Activation, exp};
use dfdx::prelude::*;

/// A matrix of rows.
pub(crate) type Matrix<T = NoneTape> = Tensor<(usize, usize), f32, Cpu, T>;
/// A flat list of parameters.
pub(crate) type Flat = Tensor<(usize,), f32, Cpu>;
/// A single number.
pub(crate) type Scalar<T = NoneTape> = Tensor<(), f32, Cpu, T>;

/// What a layer does with x·W + b.
#[derive(Debug, Clone, Copy)]
pub(crate) struct After<'a> {
    /// Applied to every number; none for an output layer.
    pub(crate) activation: Option<Activation>,
    /// Multiplied in afterwards: dropout.
    pub(crate) mask: Option<&'a [f32]>,
}

/// A layer: mask · f(x·W + b), with W of shape (inputs, outputs) given flat. The first layer of a
/// model needs no gradient for its input.
pub(crate) fn dense<T: Tape<f32, Cpu>>(
    input: Matrix<T>,
    weight: &Flat,
    bias: &Flat,
    after: After<'_>,
    input_needs_gradient: bool,
) -> Result<Matrix<T>, CpuError> {
    let (input, mut tape) = input.split_tape();
    let device = weight.device().clone();
    let (rows, inputs) = *input.shape();
    let outputs = bias.shape().0;
    let matrix = weight.clone().try_reshape_like(&(inputs, outputs))?;

    let mut values = vec![0.0; rows * outputs];
    input
        .clone()
        .try_matmul(matrix.clone())?
        .copy_into(&mut values);
    let mut offsets = vec![0.0; outputs];
    bias.copy_into(&mut offsets);
    for row in values.chunks_exact_mut(outputs) {
        add(row, &offsets);
    }
    let mut slopes = T::OWNS_TAPE.then(|| vec![1.0; rows * outputs]);
    if let Some(activation) = after.activation {
        activation.apply(&mut values, slopes.as_deref_mut());
    }
    if let Some(mask) = after.mask {
        multiply(&mut values, mask);
        if let Some(slopes) = &mut slopes {
            multiply(slopes, mask);
        }
    }
    let output = device.try_tensor_from_vec(values, (rows, outputs))?;

    if let Some(slopes) = slopes {
        let ghost = output.ghost();
        let (weight, bias) = (weight.ghost(), bias.ghost());
        tape.add_backward_op(move |gradients| {
            let mut before = std::mem::take(&mut **gradients.get_or_alloc_mut(&ghost)?);
            multiply(&mut before, &slopes);
            let bias_gradient: &mut Vec<f32> = gradients.get_or_alloc_mut(&bias)?;
            for row in before.chunks_exact(outputs) {
                add(bias_gradient, row);
            }
            let before = device.try_tensor_from_vec(before, (rows, outputs))?;
            let turned: Matrix = input.clone().try_permute::<_, Axes2<1, 0>>()?;
            turned
                .try_matmul(before.clone())?
                .copy_into(gradients.get_or_alloc_mut(&weight)?);
            if input_needs_gradient {
                let turned: Matrix = matrix.try_permute::<_, Axes2<1, 0>>()?;
                before
                    .try_matmul(turned)?
                    .copy_into(gradients.get_or_alloc_mut(&input)?);
            }
            Ok(())
        });
    }
    Ok(output.put_tape(tape))
}

/// The mean over rows of the cross entropy between softmax(logits) and the labels, with a share of
/// `smoothing` of each label spread evenly over all classes (Szegedy et al. 2016, §7).
pub(crate) fn cross_entropy<T: Tape<f32, Cpu>>(
    logits: Matrix<T>,
    labels: &[u32],
    smoothing: f32,
) -> Result<Scalar<T>, CpuError> {
    let classes = logits.shape().1;
    let even = smoothing / classes as f32;
    row_loss(logits, |row, slopes, index| {
        let label = labels[index] as usize;
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (slope, logit) in slopes.iter_mut().zip(row) {
            *slope = exp(logit - highest);
            sum += *slope;
        }
        let log_sum = highest + sum.ln();
        let mut loss = (1.0 - smoothing) * (log_sum - row[label]);
        if smoothing > 0.0 {
            loss += even * row.iter().map(|logit| log_sum - logit).sum::<f32>();
        }
        for slope in slopes.iter_mut() {
            *slope = *slope / sum - even;
        }
        slopes[label] -= 1.0 - smoothing;
        loss
    })
}

/// The mean over rows of the squared difference.
pub(crate) fn squared_error<T: Tape<f32, Cpu>>(
    outputs: Matrix<T>,
    targets: &[f32],
) -> Result<Scalar<T>, CpuError> {
    row_loss(outputs, |row, slopes, index| {
        let difference = row[0] - targets[index];
        slopes[0] = 2.0 * difference;
        difference * difference
    })
}

/// The mean of a loss that each row has by itself. `loss` gets a row, where to write its slopes,
/// and the row's place.
fn row_loss<T: Tape<f32, Cpu>>(
    outputs: Matrix<T>,
    loss: impl Fn(&[f32], &mut [f32], usize) -> f32,
) -> Result<Scalar<T>, CpuError> {
    let (outputs, mut tape) = outputs.split_tape();
    let device = outputs.device().clone();
    let (rows, width) = *outputs.shape();
    let mut values = vec![0.0; rows * width];
    outputs.copy_into(&mut values);
    let mut slopes = vec![0.0; rows * width];
    let mut sum = 0.0_f64;
    let each = values
        .chunks_exact(width)
        .zip(slopes.chunks_exact_mut(width));
    for (index, (row, slopes)) in each.enumerate() {
        sum += f64::from(loss(row, slopes, index));
    }
    let mean = device.try_tensor_from_vec(vec![(sum / rows as f64) as f32], ())?;
    let ghost = mean.ghost();
    tape.add_backward_op(move |gradients| {
        let scale = gradients.get_or_alloc_mut(&ghost)?[0] / rows as f32;
        let gradient: &mut Vec<f32> = gradients.get_or_alloc_mut(&outputs)?;
        for (gradient, slope) in gradient.iter_mut().zip(&slopes) {
            *gradient = scale * slope;
        }
        Ok(())
    });
    Ok(mean.put_tape(tape))
}

fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

fn multiply(values: &mut [f32], factors: &[f32]) {
    for (value, factor) in values.iter_mut().zip(factors) {
        *value *= factor;
    }
}
