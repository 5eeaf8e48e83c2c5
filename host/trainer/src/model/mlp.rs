//! Multi-layer perceptrons.

use super::{Architecture, MlpSettings, NormKind, Plan};
use crate::layer::{Activate, BatchNorm, Dense, Dropout, Inputs, LayerNorm, Residual, Sequence};

/// Dense layers with an activation after each but the last.
pub(super) fn layers(
    settings: &MlpSettings,
    architecture: &Architecture,
    dropout: f64,
    plan: &mut Plan,
) -> Sequence {
    let mut layers = Sequence::default();
    let mut inputs = architecture.inputs.numbers();
    for (layer, &outputs) in settings.hidden.iter().enumerate() {
        let name = format!("layers.{layer}");
        let mut hidden = Sequence::default();
        let shape = Inputs {
            inputs,
            outputs,
            before: Some(settings.activation),
        };
        push_hidden(&mut hidden, settings, shape, &name, plan);
        if let Some(dropout) = Dropout::new(dropout) {
            hidden.push(dropout);
        }
        if settings.residual {
            layers.push(Residual::new(
                hidden,
                projection(inputs, outputs, &name, plan),
            ));
        } else {
            layers.append(hidden);
        }
        inputs = outputs;
    }
    let shape = Inputs {
        inputs,
        outputs: architecture.predicted(),
        before: None,
    };
    let name = format!("layers.{}", settings.hidden.len());
    layers.push(plan.output(|plan| Dense::new(plan, &name, shape, true, None)));
    layers
}

fn push_hidden(
    hidden: &mut Sequence,
    settings: &MlpSettings,
    shape: Inputs,
    name: &str,
    plan: &mut Plan,
) {
    if settings.norm == NormKind::None {
        let activation = Some(settings.activation);
        hidden.push(Dense::new(plan, name, shape, true, activation));
        return;
    }
    // What a norm's shift adds a bias need not.
    hidden.push(Dense::new(plan, name, shape, false, None));
    let (norm, width) = (format!("{name}.norm"), shape.outputs);
    match settings.norm {
        NormKind::None => {}
        NormKind::Batch => hidden.push(BatchNorm::new(plan, &norm, width)),
        NormKind::Layer => hidden.push(LayerNorm::new(plan, &norm, width)),
    }
    hidden.push(Activate::new(settings.activation));
}

/// What makes the inputs as wide as the outputs, where they are not.
pub(super) fn projection(
    inputs: usize,
    outputs: usize,
    name: &str,
    plan: &mut Plan,
) -> Option<Dense> {
    let shape = Inputs {
        inputs,
        outputs,
        before: None,
    };
    let name = format!("{name}.projection");
    (inputs != outputs).then(|| Dense::new(plan, &name, shape, false, None))
}
