//! What models there are, and their shapes as users choose them.

use crate::data::Shape;
use crate::kernel::Activation;
use crate::layer::Pooling;
use crate::trial::SettingsError;
use crate::trial::require;
use serde::{Deserialize, Serialize};

/// The most hidden layers.
const MAX_LAYERS: usize = 32;
/// The widest hidden layer.
const MAX_WIDTH: usize = 16_384;
/// The largest side of a convolution's kernel.
const MAX_KERNEL: usize = 15;
/// The largest factor of a transformer's dense pair.
const MAX_FACTOR: usize = 16;
/// The largest rank of an adapter's factors.
const MAX_RANK: usize = 1024;

/// A kind of model with its shape. What comes in and out follows from the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelSettings {
    /// Dense layers one after another.
    Mlp(MlpSettings),
    /// Convolutions over pictures.
    Cnn(CnnSettings),
    /// Blocks of dense layers that add to what comes in.
    TabularResnet(TabularResnetSettings),
    /// A decoder of text: attention over the tokens before, and dense layers, in turns.
    Transformer(TransformerSettings),
    /// A trained model that stays as it is, with something learned beside each of its products.
    Adapter(AdapterSettings),
}

/// What normalises the numbers between layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Nothing.
    #[default]
    None,
    /// Mean and variance of each number over the batch (Ioffe and Szegedy 2015).
    Batch,
    /// Mean and variance of each row's numbers (Ba, Kiros and Hinton 2016).
    Layer,
}

/// A multi-layer perceptron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpSettings {
    /// Units of each hidden layer; none makes a linear model.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
    /// What stands between a hidden layer and its activation.
    pub norm: NormKind,
    /// Whether each hidden layer adds to what comes into it.
    pub residual: bool,
}

/// A convolutional network: in each stage a convolution with norm and activation, then pooling that
/// halves the picture; then dense layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CnnSettings {
    /// Channels of each stage.
    pub channels: Vec<usize>,
    /// The side of every kernel, an odd number.
    pub kernel: usize,
    /// Whether batch norm follows each convolution.
    pub norm: bool,
    /// Whether a stage is two convolutions that add to what comes in (He et al. 2015, §3.2).
    pub residual: bool,
    /// What follows each convolution and the hidden dense layer.
    pub activation: Activation,
    /// What ends each stage.
    pub pooling: Pooling,
    /// Whether the last stage's points are averaged before the dense layers, so that there are far
    /// fewer weights.
    pub global_average: bool,
    /// Units of a dense layer before the last one; none leaves it out.
    pub hidden: Option<usize>,
}

impl Default for CnnSettings {
    fn default() -> Self {
        CnnSettings {
            channels: vec![8, 16],
            kernel: 3,
            norm: false,
            residual: false,
            activation: Activation::Relu,
            pooling: Pooling::Max,
            global_average: false,
            hidden: None,
        }
    }
}

/// A residual network for rows without an order (Gorishniy et al. 2021, §3.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TabularResnetSettings {
    /// How many blocks.
    pub blocks: usize,
    /// Numbers that pass from block to block.
    pub width: usize,
    /// Units inside a block.
    pub hidden: usize,
    /// What stands inside a block and before the last layer.
    pub activation: Activation,
}

impl Default for TabularResnetSettings {
    fn default() -> Self {
        TabularResnetSettings {
            blocks: 2,
            width: 128,
            hidden: 256,
            activation: Activation::Relu,
        }
    }
}

impl Default for MlpSettings {
    fn default() -> Self {
        MlpSettings {
            hidden: vec![128, 64],
            activation: Activation::Relu,
            norm: NormKind::None,
            residual: false,
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

/// What adapts a base, a trained model of another kind: beside each matrix W of its products, of
/// dense layers, attention and convolutions, a product of two narrow ones is learned, W + (alpha /
/// rank) · A·B, and all else stays as it is (Hu et al. 2021, §4.1, LoRA). A is drawn from a normal
/// distribution and B is 0, so that a trial begins as its base. Norms take the base's running
/// statistics. The base's output layer is adapted like the others where the base predicts the same:
/// the same classes in the same order, a number of the same name, or text; otherwise a new one is
/// learned as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdapterSettings {
    /// The narrow side of every pair: how much can be learned.
    pub rank: usize,
    /// How much what is learned counts, in ranks; the rank itself where nothing is said, so that it
    /// counts once.
    pub alpha: Option<f64>,
}

impl Default for AdapterSettings {
    fn default() -> Self {
        AdapterSettings {
            rank: 4,
            alpha: None,
        }
    }
}

impl AdapterSettings {
    /// What the product of factors is multiplied by.
    pub(crate) fn scale(&self) -> f64 {
        self.alpha.map_or(1.0, |alpha| alpha / self.rank as f64)
    }

    fn check(&self) -> Result<(), SettingsError> {
        require(
            (1..=MAX_RANK).contains(&self.rank),
            "rank",
            self.rank,
            format!("from 1 to {MAX_RANK}"),
        )?;
        self.alpha.map_or(Ok(()), |alpha| {
            require(
                alpha.is_finite() && alpha > 0.0,
                "alpha",
                alpha,
                "a finite number above 0",
            )
        })
    }
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
        let widths = |setting, widths: &[usize], fewest: usize| {
            require(
                (fewest..=MAX_LAYERS).contains(&widths.len())
                    && widths.iter().all(|width| (1..=MAX_WIDTH).contains(width)),
                setting,
                format!("{widths:?}"),
                match fewest {
                    0 => format!("at most {MAX_LAYERS} widths from 1 to {MAX_WIDTH}"),
                    _ => format!("{fewest} to {MAX_LAYERS} widths from 1 to {MAX_WIDTH}"),
                },
            )
        };
        let width = |setting, width: usize| {
            require(
                (1..=MAX_WIDTH).contains(&width),
                setting,
                width,
                format!("from 1 to {MAX_WIDTH}"),
            )
        };
        match self {
            ModelSettings::Mlp(settings) => widths("hidden", &settings.hidden, 0),
            ModelSettings::Cnn(settings) => {
                widths("channels", &settings.channels, 1)?;
                require(
                    settings.kernel % 2 == 1 && settings.kernel <= MAX_KERNEL,
                    "kernel",
                    settings.kernel,
                    format!("an odd number from 1 to {MAX_KERNEL}"),
                )?;
                settings
                    .hidden
                    .map_or(Ok(()), |units| width("hidden", units))
            }
            ModelSettings::TabularResnet(settings) => {
                require(
                    (1..=MAX_LAYERS).contains(&settings.blocks),
                    "blocks",
                    settings.blocks,
                    format!("from 1 to {MAX_LAYERS}"),
                )?;
                width("width", settings.width)?;
                width("hidden", settings.hidden)
            }
            ModelSettings::Transformer(settings) => settings.check(),
            ModelSettings::Adapter(settings) => settings.check(),
        }
    }

    /// Whether it can be made, and see what the data has. An adapter is nothing without a base, and
    /// has that one's shape.
    ///
    /// # Errors
    /// The setting that is outside its range or does not fit.
    pub fn fits(&self, inputs: Shape) -> Result<(), SettingsError> {
        self.check()?;
        require(
            !matches!(self, ModelSettings::Adapter(_)),
            "model",
            self.kind(),
            "another kind where there is no base to adapt",
        )?;
        // A number of a row stands for nothing, and a token is no quantity.
        let reads_text = matches!(self, ModelSettings::Transformer(_));
        let has_text = matches!(inputs, Shape::Text { .. });
        require(
            reads_text == has_text,
            "model",
            self.kind(),
            match has_text {
                true => "transformer, which reads text",
                false => "one that reads rows",
            },
        )?;
        let ModelSettings::Cnn(CnnSettings { channels, .. }) = self else {
            return Ok(());
        };
        let Shape::Image { height, width, .. } = inputs else {
            return require(
                false,
                "model",
                "cnn",
                "a kind for data without pictures, or the data needs `image = [height, width, channels]`",
            );
        };
        let most = height.min(width).checked_ilog2().unwrap_or(0) as usize;
        require(
            channels.len() <= most,
            "channels",
            format!("{channels:?}"),
            format!("at most {most} stages for pictures of {height} by {width}: each halves them"),
        )
    }

    /// The name of its kind.
    fn kind(&self) -> &'static str {
        match self {
            ModelSettings::Mlp(_) => "mlp",
            ModelSettings::Cnn(_) => "cnn",
            ModelSettings::TabularResnet(_) => "tabular-resnet",
            ModelSettings::Transformer(_) => "transformer",
            ModelSettings::Adapter(_) => "adapter",
        }
    }

    /// How it is named in messages.
    pub(crate) fn told(&self) -> String {
        let most = |widths: &[usize]| widths.iter().copied().max().unwrap_or(0);
        match self {
            ModelSettings::Mlp(MlpSettings { hidden, .. }) => {
                format!("{} hidden layers of width {}", hidden.len(), most(hidden))
            }
            ModelSettings::Cnn(CnnSettings { channels, .. }) => {
                let stages = channels.len();
                format!("{stages} stages of up to {} channels", most(channels))
            }
            ModelSettings::TabularResnet(settings) => format!(
                "{} blocks of width {} and {}",
                settings.blocks, settings.width, settings.hidden
            ),
            ModelSettings::Transformer(TransformerSettings { layers, width, .. }) => {
                format!("{layers} layers of width {width}")
            }
            ModelSettings::Adapter(AdapterSettings { rank, .. }) => {
                format!("a base with factors of rank {rank}")
            }
        }
    }
}
