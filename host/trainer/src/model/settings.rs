//! What models there are, and their shapes as users choose them.

use crate::kernel::Activation;
use crate::trial::SettingsError;
use crate::trial::require;
use serde::{Deserialize, Serialize};

/// The most hidden layers.
const MAX_LAYERS: usize = 32;
/// The widest hidden layer.
const MAX_WIDTH: usize = 16_384;

/// What is minimised where a number is predicted, of the difference in standard deviations of the
/// training target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Its square.
    #[default]
    Squared,
    /// Half its square up to 1, and from there on straight (Huber 1964): far-off rows pull less.
    Huber,
    /// Its magnitude.
    Absolute,
}

/// A kind of model with its shape. What comes in and out follows from the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelSettings {
    /// Dense layers one after another.
    Mlp(MlpSettings),
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
        }
    }

    /// How it is named in messages.
    pub(crate) fn told(&self) -> String {
        match self {
            ModelSettings::Mlp(MlpSettings { hidden, .. }) => {
                let width = hidden.iter().copied().max().unwrap_or(0);
                format!("{} hidden layers of width {width}", hidden.len())
            }
        }
    }
}
