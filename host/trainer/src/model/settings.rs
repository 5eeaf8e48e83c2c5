//! What models there are, and their shapes as users choose them.

use crate::kernel::Activation;
use crate::trial::SettingsError;
use crate::trial::require;
use serde::{Deserialize, Serialize};

/// The most hidden layers.
const MAX_LAYERS: usize = 32;
/// The widest hidden layer.
const MAX_WIDTH: usize = 16_384;
/// The largest factor of a transformer's dense pair.
const MAX_FACTOR: usize = 16;

/// A kind of model with its shape. What comes in and out follows from the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelSettings {
    /// Dense layers one after another.
    Mlp(MlpSettings),
    /// A decoder of text: attention over the tokens before, and dense layers, in turns.
    Transformer(TransformerSettings),
}

/// A multi-layer perceptron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpSettings {
    /// Units of each hidden layer; none makes a linear model.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
}

impl Default for MlpSettings {
    fn default() -> Self {
        MlpSettings {
            hidden: vec![128, 64],
            activation: Activation::Relu,
        }
    }
}

/// A decoder-only transformer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransformerSettings {
    /// How often attention and a dense pair follow each other.
    pub layers: usize,
    /// Heads of each attention; they share the width evenly.
    pub heads: usize,
    /// Units of a place.
    pub width: usize,
    /// How many times as wide the dense pair is between its two layers.
    pub feed_forward: usize,
    /// What stands between these two.
    pub activation: Activation,
}

impl Default for TransformerSettings {
    fn default() -> Self {
        TransformerSettings {
            layers: 2,
            heads: 4,
            width: 64,
            feed_forward: 4,
            activation: Activation::Gelu,
        }
    }
}

impl TransformerSettings {
    fn check(&self) -> Result<(), SettingsError> {
        let &TransformerSettings {
            layers,
            heads,
            width,
            feed_forward,
            ..
        } = self;
        require(
            (1..=MAX_LAYERS).contains(&layers),
            "layers",
            layers,
            format!("from 1 to {MAX_LAYERS}"),
        )?;
        require(
            (1..=MAX_WIDTH).contains(&width),
            "width",
            width,
            format!("from 1 to {MAX_WIDTH}"),
        )?;
        require(heads > 0, "heads", heads, "at least 1")?;
        require(
            width.is_multiple_of(heads),
            "width",
            width,
            format!("a multiple of `heads` ({heads}), which share it"),
        )?;
        require(
            (1..=MAX_FACTOR).contains(&feed_forward),
            "feed_forward",
            feed_forward,
            format!("from 1 to {MAX_FACTOR}"),
        )
    }
}

impl Default for ModelSettings {
    fn default() -> Self {
        ModelSettings::Mlp(MlpSettings::default())
    }
}

impl ModelSettings {
    /// Rectified layers of these widths.
    pub fn mlp(hidden: impl Into<Vec<usize>>) -> Self {
        ModelSettings::Mlp(MlpSettings {
            hidden: hidden.into(),
            ..MlpSettings::default()
        })
    }

    /// # Errors
    /// The first setting outside its range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        match self {
            ModelSettings::Mlp(MlpSettings { hidden, .. }) => require(
                hidden.len() <= MAX_LAYERS
                    && hidden.iter().all(|width| (1..=MAX_WIDTH).contains(width)),
                "hidden",
                format!("{hidden:?}"),
                format!("at most {MAX_LAYERS} widths from 1 to {MAX_WIDTH}"),
            ),
            ModelSettings::Transformer(settings) => settings.check(),
        }
    }

    /// How it is named in messages.
    pub(crate) fn told(&self) -> String {
        match self {
            ModelSettings::Mlp(MlpSettings { hidden, .. }) => {
                let width = hidden.iter().copied().max().unwrap_or(0);
                format!("{} hidden layers of width {width}", hidden.len())
            }
            ModelSettings::Transformer(TransformerSettings { layers, width, .. }) => {
                format!("{layers} layers of width {width}")
            }
        }
    }
}
