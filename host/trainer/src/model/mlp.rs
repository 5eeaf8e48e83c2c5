//! Multi-layer perceptrons.

use super::{Architecture, MlpSettings, Plan};
use crate::layer::{Dense, Dropout, Inputs, Sequence};

/// Dense layers with an activation after each but the last.
pub(super) fn layers(
    settings: &MlpSettings,
    architecture: &Architecture,
    dropout: f64,
    plan: &mut Plan,
) -> Sequence {
    let mut layers = Sequence::default();
    let mut inputs = architecture.inputs.numbers();
    let activation = Some(settings.activation);
    for (layer, &outputs) in settings.hidden.iter().enumerate() {
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
        outputs: architecture.predicted(),
        before: None,
    };
    let name = format!("layers.{}", settings.hidden.len());
    layers.push(Dense::new(plan, &name, shape, true, None));
    layers
}
