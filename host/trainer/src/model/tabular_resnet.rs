//! Residual networks for rows without an order.

use super::{Architecture, Plan, TabularResnetSettings};
use crate::layer::{Activate, BatchNorm, Dense, Dropout, Inputs, Residual, Sequence};

/// A dense layer, blocks x + dropout(dense(dropout(f(dense(norm(x)))))), and dense(f(norm(x)))
/// (Gorishniy et al. 2021, §3.2).
pub(super) fn layers(
    settings: &TabularResnetSettings,
    architecture: &Architecture,
    dropout: f64,
    plan: &mut Plan,
) -> Sequence {
    let TabularResnetSettings {
        blocks,
        width,
        hidden,
        activation,
    } = *settings;
    let shape = |inputs, outputs, before| Inputs {
        inputs,
        outputs,
        before,
    };
    let mut layers = Sequence::default();
    let first = shape(architecture.inputs.numbers(), width, None);
    layers.push(Dense::new(plan, "input", first, true, None));
    for block in 0..blocks {
        let name = |part: &str| format!("blocks.{block}.{part}");
        let mut inner = Sequence::default();
        inner.push(BatchNorm::new(plan, &name("norm"), width));
        let (wider, before) = (shape(width, hidden, Some(activation)), Some(activation));
        inner.push(Dense::new(plan, &name("first"), wider, true, before));
        if let Some(dropout) = Dropout::new(dropout) {
            inner.push(dropout);
        }
        let back = shape(hidden, width, None);
        inner.push(Dense::new(plan, &name("second"), back, true, None));
        if let Some(dropout) = Dropout::new(dropout) {
            inner.push(dropout);
        }
        layers.push(Residual::new(inner, None));
    }
    layers.push(BatchNorm::new(plan, "norm", width));
    layers.push(Activate::new(activation));
    let last = shape(width, architecture.predicted(), None);
    layers.push(plan.output(|plan| Dense::new(plan, "output", last, true, None)));
    layers
}
