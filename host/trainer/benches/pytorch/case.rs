//! What is compared.

/// One network and its batch.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) model: Model,
    pub(crate) batch: usize,
    /// The ratios that are aimed at, with one thread and with two.
    pub(crate) goals: [f64; 2],
}

pub(crate) enum Model {
    Mlp(&'static [usize]),
    Transformer {
        layers: usize,
        heads: usize,
        width: usize,
        context: usize,
        vocabulary: usize,
    },
    /// Pictures of one channel with this side; channels of each stage, of which each is a
    /// convolution of 3 by 3 and pooling of 2 by 2; ten classes.
    Cnn(usize, &'static [usize]),
}

pub(crate) const CASES: [Case; 8] = [
    Case {
        name: "mlp 64-256-256-10, batch 128",
        model: Model::Mlp(&[64, 256, 256, 10]),
        batch: 128,
        goals: [0.50, 0.55],
    },
    Case {
        name: "mlp 784-512-512-10, batch 256",
        model: Model::Mlp(&[784, 512, 512, 10]),
        batch: 256,
        goals: [0.85, 1.0],
    },
    Case {
        name: "mlp 256-1024-1024-10, batch 128",
        model: Model::Mlp(&[256, 1024, 1024, 10]),
        batch: 128,
        goals: [1.0, 1.15],
    },
    Case {
        name: "mlp 784-2048-2048-10, batch 256",
        model: Model::Mlp(&[784, 2048, 2048, 10]),
        batch: 256,
        goals: [1.0, 1.15],
    },
    Case {
        name: "cnn 28x28, channels 8-16, batch 64",
        model: Model::Cnn(28, &[8, 16]),
        batch: 64,
        goals: [0.40, 0.60],
    },
    Case {
        name: "cnn 28x28, channels 32-64, batch 64",
        model: Model::Cnn(28, &[32, 64]),
        batch: 64,
        goals: [1.0, 1.15],
    },
    Case {
        name: "transformer 64, 4 heads, 2 layers, context 64, batch 16",
        model: Model::Transformer {
            layers: 2,
            heads: 4,
            width: 64,
            context: 64,
            vocabulary: 96,
        },
        batch: 16,
        goals: [0.90, 1.10],
    },
    Case {
        name: "transformer 256, 16 heads, 2 layers, context 64, batch 16",
        model: Model::Transformer {
            layers: 2,
            heads: 16,
            width: 256,
            context: 64,
            vocabulary: 96,
        },
        batch: 16,
        goals: [1.0, 1.15],
    },
];

/// How many classes pictures are told apart by.
const CLASSES: usize = 10;

impl Case {
    /// The same as PyTorch's side is told it.
    pub(crate) fn json(&self) -> serde_json::Value {
        match self.model {
            Model::Mlp(widths) => {
                serde_json::json!({"model": "mlp", "widths": widths, "batch": self.batch})
            }
            Model::Transformer {
                layers,
                heads,
                width,
                context,
                vocabulary,
            } => serde_json::json!({
                "model": "transformer",
                "layers": layers,
                "heads": heads,
                "width": width,
                "context": context,
                "vocabulary": vocabulary,
                "batch": self.batch,
            }),
            Model::Cnn(side, channels) => {
                serde_json::json!({"model": "cnn", "side": side, "channels": channels, "batch": self.batch})
            }
        }
    }

    /// The multiplications and additions that a step cannot do without: products forward, by the
    /// weights, and by the inputs of all layers but the first.
    pub(crate) fn flops(&self) -> f64 {
        match self.model {
            Model::Mlp(widths) => {
                let layers = widths
                    .windows(2)
                    .map(|pair| 2.0 * (self.batch * pair[0] * pair[1]) as f64);
                let first = layers.clone().next().unwrap_or(0.0);
                3.0 * layers.sum::<f64>() - first
            }
            Model::Transformer {
                layers,
                width,
                context,
                vocabulary,
                ..
            } => {
                // Four products of width² for attention, eight for the dense pair, and of each
                // place with the visible half of the others: scores and mixtures.
                let of_place = layers * (12 * width * width + width * (context + 1));
                let head = width * vocabulary;
                3.0 * 2.0 * (self.batch * context * (of_place + head)) as f64
            }
            Model::Cnn(side, channels) => {
                let (mut side, mut inputs, mut first, mut all) = (side, 1, 0.0, 0.0);
                for &outputs in channels {
                    let flops = 2.0 * (self.batch * side * side * 9 * inputs * outputs) as f64;
                    if inputs == 1 {
                        first = flops;
                    }
                    all += flops;
                    (side, inputs) = (side / 2, outputs);
                }
                all += 2.0 * (self.batch * side * side * inputs * CLASSES) as f64;
                3.0 * all - first
            }
        }
    }
}
