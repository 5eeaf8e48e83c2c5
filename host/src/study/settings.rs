//! The settings of a trial itself, described like a scheduler's parameters: from one table come
//! checking and the search space.

use super::kinds::ModelKind;
use attune_plugin_api::Param;

/// The settings' names, for the places that read them back out of a configuration.
pub(crate) mod name {
    pub(crate) const SCHEDULER: &str = "scheduler";
    pub(crate) const LR: &str = "lr";
    pub(crate) const OPTIMIZER: &str = "optimizer";
    pub(crate) const MOMENTUM: &str = "momentum";
    pub(crate) const WEIGHT_DECAY: &str = "weight_decay";
    pub(crate) const BIAS_DECAY: &str = "bias_decay";
    pub(crate) const NORM_DECAY: &str = "norm_decay";
    pub(crate) const DECAY_EMBEDDINGS: &str = "decay_embeddings";
    pub(crate) const CLIP_NORM: &str = "clip_norm";
    pub(crate) const BATCH_SIZE: &str = "batch_size";
    pub(crate) const ACCUMULATE: &str = "accumulate";
    pub(crate) const EMA: &str = "ema";
    pub(crate) const DEVICE: &str = "device";
    pub(crate) const MODEL: &str = "model";
    pub(crate) const LAYERS: &str = "layers";
    pub(crate) const WIDTH: &str = "width";
    pub(crate) const TAPER: &str = "taper";
    pub(crate) const ACTIVATION: &str = "activation";
    pub(crate) const DROPOUT: &str = "dropout";
    pub(crate) const NORM: &str = "norm";
    pub(crate) const RESIDUAL: &str = "residual";
    pub(crate) const EXPANSION: &str = "expansion";
    pub(crate) const KERNEL: &str = "kernel";
    pub(crate) const POOLING: &str = "pooling";
    pub(crate) const GLOBAL_AVERAGE: &str = "global_average";
    pub(crate) const HEADS: &str = "heads";
    pub(crate) const RANK: &str = "rank";
    pub(crate) const ALPHA: &str = "alpha";
    pub(crate) const LABEL_SMOOTHING: &str = "label_smoothing";
    pub(crate) const CLASS_WEIGHTS: &str = "class_weights";
    pub(crate) const LOSS: &str = "loss";
}

/// The class weights that `[data]` gives.
pub(crate) const GIVEN: &str = "given";

/// The device that only a build with the feature `cuda` has.
pub(crate) const CUDA: &str = "cuda";

/// Settings that configurations from before them lack; they then are as where nothing is said.
pub(crate) const LATER: [&str; 12] = [
    name::BIAS_DECAY,
    name::NORM_DECAY,
    name::DECAY_EMBEDDINGS,
    name::DEVICE,
    name::TAPER,
    name::ACCUMULATE,
    name::EMA,
    name::CLASS_WEIGHTS,
    name::LOSS,
    name::MODEL,
    name::NORM,
    name::RESIDUAL,
];

/// Settings that decide which weights there are, and what they are for.
pub(crate) const OF_NETWORK: [&str; 14] = [
    name::MODEL,
    name::LAYERS,
    name::WIDTH,
    name::TAPER,
    name::ACTIVATION,
    name::NORM,
    name::RESIDUAL,
    name::EXPANSION,
    name::KERNEL,
    name::POOLING,
    name::GLOBAL_AVERAGE,
    name::HEADS,
    name::RANK,
    name::ALPHA,
];

/// Every setting of a trial but its scheduler, in the order of help texts and tables, as they are for
/// a multi-layer perceptron where [kinds of models](super::kinds) differ.
pub(crate) fn all() -> Vec<Param> {
    use name::*;
    vec![
        Param::float(LR, 0.05)
            .above(0.0)
            .at_most(1e3)
            .search_log(0.01, 0.3)
            .doc("The starting learning rate; what a schedule calls its base or peak."),
        Param::choice(
            OPTIMIZER,
            &[
                "sgd", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "lion",
            ],
            "nesterov",
        )
        .doc("What makes the update."),
        Param::float(MOMENTUM, 0.9)
            .at_least(0.0)
            .below(1.0)
            .search(0.8, 0.98)
            .doc(
                "Momentum of sgd, nesterov and rmsprop, beta1 of adam, adamw and lion; adagrad has \
                 none.",
            ),
        Param::float(WEIGHT_DECAY, 1e-4)
            .at_least(0.0)
            .at_most(10.0)
            .search_log(1e-6, 1e-2)
            .doc("Weight decay; biases and norms have their own."),
        Param::float(BIAS_DECAY, 0.0)
            .at_least(0.0)
            .at_most(10.0)
            .doc("Weight decay of biases, which do as well without."),
        Param::float(NORM_DECAY, 0.0)
            .at_least(0.0)
            .at_most(10.0)
            .doc("Weight decay of what norms multiply by and add, which do as well without."),
        Param::bool(DECAY_EMBEDDINGS, true)
            .search_all()
            .doc("Whether the weight decay of transformer is that of its embeddings too."),
        Param::float(CLIP_NORM, 0.0)
            .at_least(0.0)
            .at_most(1e6)
            .doc("The gradient's norm is cut to this; 0 does not clip."),
        Param::int(BATCH_SIZE, 64)
            .at_least(1)
            .at_most(65536)
            .search_log(16, 256)
            .doc("Rows at once: those of a step, unless `accumulate` takes several such batches."),
        Param::int(ACCUMULATE, 1)
            .at_least(1)
            .at_most(4096)
            .doc("Batches a step: large steps in the memory of small ones."),
        Param::float(EMA, 0.0).at_least(0.0).below(1.0).doc(
            "The decay of a moving average of the weights, which is then validated and saved in \
             their place, such as 0.99; 0 keeps none.",
        ),
        Param::choice(DEVICE, &["cpu", CUDA], "cpu").doc(
            "What trains: cpu, or cuda, the first NVIDIA GPU, in a build with the feature `cuda`.",
        ),
        Param::choice(
            MODEL,
            &ModelKind::ALL.map(ModelKind::name),
            ModelKind::Mlp.name(),
        )
        .doc(
            "The kind of model: linear, mlp and tabular-resnet take rows, cnn takes pictures, \
             transformer text, and adapter what the `base` of [data] takes; function and \
             factorisation stand alone, in studies that are of such.",
        ),
        Param::int(LAYERS, 2).at_most(16).search(1, 3).doc(
            "Hidden layers of mlp, where 0 is a linear model; blocks of tabular-resnet and \
             transformer; stages of cnn, each of which halves the picture.",
        ),
        Param::int(WIDTH, 128)
            .at_least(1)
            .at_most(8192)
            .search_log(32, 512)
            .doc(
                "Units in each hidden layer, or that pass from block to block; of cnn the channels \
                 of the first stage, twice as many in each further one; of transformer rounded up \
                 to a multiple of `heads`.",
            ),
        Param::float(TAPER, 1.0)
            .above(0.0)
            .at_most(1.0)
            .search(0.25, 1.0)
            .doc("Units of each further hidden layer of mlp, as a share of the one before."),
        Param::choice(ACTIVATION, &["relu", "gelu", "tanh"], "relu")
            .search_all()
            .doc("The hidden layers' activation."),
        Param::float(DROPOUT, 0.0)
            .at_least(0.0)
            .below(1.0)
            .search(0.0, 0.5)
            .doc("The share of hidden units left out in training."),
        Param::choice(NORM, &["none", "batch", "layer"], "none")
            .search_all()
            .doc("What stands before the activations of mlp, and after the convolutions of cnn."),
        Param::bool(RESIDUAL, false)
            .search_all()
            .doc("Whether each hidden layer of mlp, or stage of cnn, adds to what comes in."),
        Param::int(EXPANSION, 2)
            .at_least(1)
            .at_most(16)
            .search(1, 4)
            .doc("Units inside a block of tabular-resnet or transformer, in widths."),
        Param::int(KERNEL, 3)
            .at_least(1)
            .at_most(15)
            .doc("The side of cnn's kernels, an odd number of points."),
        Param::choice(POOLING, &["max", "average"], "max")
            .search_all()
            .doc("How each stage of cnn halves the picture."),
        Param::bool(GLOBAL_AVERAGE, false).search_all().doc(
            "Whether cnn averages the points of its last stage before its last layer, which then \
             has far fewer weights.",
        ),
        Param::int(HEADS, 4)
            .at_least(1)
            .at_most(64)
            .search_log(1, 8)
            .doc("Heads of each attention of transformer; they share the width evenly."),
        Param::int(RANK, 8)
            .at_least(1)
            .at_most(65536)
            .search_log(2, 32)
            .doc(
                "Columns of the first factor and rows of the second: of factorisation, and of each \
                 pair of adapter.",
            ),
        Param::float(ALPHA, 0.0).at_least(0.0).at_most(1e6).doc(
            "How much the factors of adapter count, in ranks: alpha / rank times their product; 0 \
             takes the rank, so that they count once.",
        ),
        Param::float(LABEL_SMOOTHING, 0.0)
            .at_least(0.0)
            .below(1.0)
            .search(0.0, 0.2)
            .doc("For classification: the share of a label given to all classes alike."),
        Param::choice(CLASS_WEIGHTS, &["even", "balanced", GIVEN], "even").doc(
            "For classification: balanced makes all classes count the same, rare or not; given \
             takes `class_weights` of [data], and is the default where those stand there.",
        ),
        Param::choice(LOSS, &["squared", "huber", "absolute"], "squared")
            .doc("For regression: what is minimised; huber and absolute mind outliers less."),
    ]
}

#[cfg(test)]
mod tests {
    use attune_plugin_api::Description;

    #[test]
    fn the_table_is_sound() {
        let as_a_description = Description::new("trial", "").params(super::all());
        assert_eq!(as_a_description.check(), Ok(()));
    }
}
