//! Decoders of text.

use super::{Architecture, Plan, Start, TransformerSettings};
use crate::layer::{Attention, Dense, Dropout, Embedding, Heads, LayerNorm, Residual, Sequence};

/// The deviation that weights start with (Radford et al. 2018, §4.1).
const DEVIATION: f64 = 0.02;

/// As GPT-2 (Radford et al. 2019, §2.3): normalisation before attention and before the dense pair,
/// one more at the end, and what is added to the residual path starts smaller the more there is of
/// it. The head has weights of its own.
pub(super) fn layers(
    settings: &TransformerSettings,
    architecture: &Architecture,
    dropout: f64,
    plan: &mut Plan,
) -> Sequence {
    let &TransformerSettings {
        layers: depth,
        heads,
        width,
        feed_forward,
        activation,
    } = settings;
    let (context, vocabulary) = (architecture.inputs.numbers(), architecture.outputs);
    let start = Start::Normal(DEVIATION);
    let smaller = Start::Normal(DEVIATION / (2.0 * depth as f64).sqrt());
    let shape = Heads {
        context,
        width,
        heads,
        causal: true,
    };
    let mut layers = Sequence::default();
    layers.push(Embedding::new(plan, context, vocabulary, width, start));
    for layer in 0..depth {
        let name = |part: &str| format!("layers.{layer}.{part}");
        let mut inner = Sequence::default();
        inner.push(LayerNorm::new(plan, &name("attention_norm"), width));
        inner.push(Attention::new(
            plan,
            &name("attention"),
            shape,
            start,
            smaller,
        ));
        layers.push(residual(inner, dropout));

        let between = width * feed_forward;
        let (widen, narrow) = ([width, between], [between, width]);
        let mut inner = Sequence::default();
        inner.push(LayerNorm::new(plan, &name("dense_norm"), width));
        let activation = Some(activation);
        let name = |part: &str| name(&format!("dense.{part}"));
        inner.push(Dense::starting(
            plan,
            &name("widen"),
            widen,
            start,
            true,
            activation,
        ));
        inner.push(Dense::starting(
            plan,
            &name("narrow"),
            narrow,
            smaller,
            true,
            None,
        ));
        layers.push(residual(inner, dropout));
    }
    layers.push(LayerNorm::new(plan, "norm", width));
    let head =
        |plan: &mut Plan| Dense::starting(plan, "head", [width, vocabulary], start, true, None);
    layers.push(plan.output(head));
    layers
}

fn residual(mut inner: Sequence, dropout: f64) -> Residual {
    if let Some(dropout) = Dropout::new(dropout) {
        inner.push(dropout);
    }
    Residual::new(inner, None)
}
