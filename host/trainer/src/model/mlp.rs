//! Multi-layer perceptrons.

use super::{Architecture, Plan};
use crate::layer::{Dense, Dropout, Inputs, Sequence};

/// Dense layers with an activation after each but the last.
pub(super) fn layers(architecture: &Architecture, dropout: f64, plan: &mut Plan) -> Sequence {
    let mut layers = Sequence::default();
    let mut inputs = architecture.inputs;
    let activation = Some(architecture.activation);
    for (layer, &outputs) in architecture.hidden.iter().enumerate() {
        let shape = Inputs {
            inputs,
            outputs,
            before: activation,
        };
        let name = format!("layers.{layer}");
        layers.push(Dense::new(plan, &name, shape, true, activation));
        if let Some(dropout) = Dropout::new(dropout) {
            layers.push(dropout);
        }
        inputs = outputs;
    }
    let shape = Inputs {
        inputs,
        outputs: architecture.outputs,
        before: None,
    };
    let name = format!("layers.{}", architecture.hidden.len());
    layers.push(Dense::new(plan, &name, shape, true, None));
    layers
}
