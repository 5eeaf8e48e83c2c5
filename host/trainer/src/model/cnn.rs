//! Convolutional networks.

use super::mlp::projection;
use super::{Architecture, CnnSettings, Plan};
use crate::data::Shape;
use crate::kernel::Activation;
use crate::layer::{
    Activate, BatchNorm, Conv, Dense, Dropout, GlobalAverage, Inputs, Picture, Pool, Residual,
    Sequence, Window,
};

/// Stages of convolutions, then dense layers.
pub(super) fn layers(
    settings: &CnnSettings,
    architecture: &Architecture,
    dropout: f64,
    plan: &mut Plan,
) -> Sequence {
    let mut layers = Sequence::default();
    let mut picture = picture(architecture.inputs);
    for (stage, &outputs) in settings.channels.iter().enumerate() {
        let name = format!("stages.{stage}");
        let mut convolutions = Convolutions {
            settings,
            plan: &mut *plan,
        };
        if settings.residual {
            let mut inner = Sequence::default();
            let activation = Some(settings.activation);
            convolutions.push(
                &mut inner,
                &format!("{name}.0"),
                picture,
                outputs,
                activation,
            );
            let between = picture.of(outputs);
            convolutions.push(&mut inner, &format!("{name}.1"), between, outputs, None);
            let projection = projection(picture.channels, outputs, &name, plan);
            layers.push(Residual::new(inner, projection));
            layers.push(Activate::new(settings.activation));
        } else {
            let activation = Some(settings.activation);
            convolutions.push(&mut layers, &name, picture, outputs, activation);
        }
        picture = picture.of(outputs);
        layers.push(Pool::new(picture, settings.pooling));
        picture = picture.halved();
    }
    let mut inputs = picture.numbers();
    if settings.global_average {
        layers.push(GlobalAverage::new(picture));
        inputs = picture.channels;
    }
    if let Some(outputs) = settings.hidden {
        let shape = Inputs {
            inputs,
            outputs,
            before: Some(settings.activation),
        };
        layers.push(Dense::new(
            plan,
            "hidden",
            shape,
            true,
            Some(settings.activation),
        ));
        inputs = outputs;
    }
    if let Some(dropout) = Dropout::new(dropout) {
        layers.push(dropout);
    }
    let shape = Inputs {
        inputs,
        outputs: architecture.predicted(),
        before: None,
    };
    layers.push(plan.output(|plan| Dense::new(plan, "output", shape, true, None)));
    layers
}

/// Anything else than a picture is one line; whether such a model may be trained is checked
/// elsewhere.
fn picture(inputs: Shape) -> Picture {
    match inputs {
        Shape::Image {
            height,
            width,
            channels,
        } => Picture {
            height,
            width,
            channels,
        },
        other => Picture {
            height: 1,
            width: other.numbers(),
            channels: 1,
        },
    }
}

struct Convolutions<'a> {
    settings: &'a CnnSettings,
    plan: &'a mut Plan,
}

impl Convolutions<'_> {
    /// A convolution, its norm, and what follows.
    fn push(
        &mut self,
        layers: &mut Sequence,
        name: &str,
        picture: Picture,
        outputs: usize,
        activation: Option<Activation>,
    ) {
        let window = Window {
            picture,
            outputs,
            kernel: self.settings.kernel,
            before: Some(self.settings.activation),
        };
        let name = format!("{name}.conv");
        if !self.settings.norm {
            layers.push(Conv::new(self.plan, &name, window, true, activation));
            return;
        }
        // What a norm's shift adds a bias need not.
        layers.push(Conv::new(self.plan, &name, window, false, None));
        layers.push(BatchNorm::new(self.plan, &format!("{name}.norm"), outputs));
        if let Some(activation) = activation {
            layers.push(Activate::new(activation));
        }
    }
}
