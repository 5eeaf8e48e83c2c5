//! Fields that are always there and always the same, by the part of the form that they stand in.

use super::fields::{Kind, Row, item};

/// Its key, what it is called, how it is filled in, what holds where nothing is said, and what it
/// means.
pub(super) type Plain = (&'static str, &'static str, Kind, &'static str, &'static str);

pub(super) fn row((path, label, kind, unset, doc): &Plain) -> Row {
    item(path, label, kind.clone(), unset, doc)
}

/// What is said of a study as a whole, after its name and its trials.
pub(super) static STUDY: [Plain; 3] = [
    (
        "budget",
        "time limit",
        Kind::Text,
        "none",
        "Time at most, such as 90s, 5m or 1.5h.",
    ),
    (
        "seed",
        "seed",
        Kind::Whole,
        "0",
        "What everything random is drawn from: the same seed gives the same study.",
    ),
    (
        "parallel",
        "parallel",
        Kind::Whole,
        "as many as there are cores",
        "Trials at the same time.",
    ),
];

pub(super) static LENGTH: [Plain; 4] = [
    (
        "fidelity.max_epochs",
        "epochs",
        Kind::Whole,
        "40",
        "Passes over the data that a trial makes at most.",
    ),
    (
        "fidelity.method",
        "early stopping",
        Kind::Turn(&["asha", "none"]),
        "asha",
        "asha: of the trials that came as far, only the best go on. none: every trial trains to its \
         end.",
    ),
    (
        "fidelity.min_epochs",
        "first look",
        Kind::Whole,
        "after a ninth of the epochs",
        "No trial is stopped before so many epochs.",
    ),
    (
        "fidelity.eta",
        "keep one of",
        Kind::Whole,
        "3",
        "At each look one of so many trials goes on, for so many times as long.",
    ),
];

pub(super) static ROWS: [Plain; 3] = [
    (
        "data.valid",
        "compared on",
        Kind::Number,
        "0.15",
        "The share of the rows that trials are compared on; none trains on them.",
    ),
    (
        "data.test",
        "measured on",
        Kind::Number,
        "0.15",
        "The share of the rows that only the best trial is measured on, at the end.",
    ),
    (
        "data.ignore",
        "leave out",
        Kind::Setting(&[]),
        "nothing",
        "Columns that are not used, such as id, date.",
    ),
];

pub(super) static SEARCH: [Plain; 4] = [
    (
        "search.method",
        "settings from",
        Kind::Turn(&["sobol", "random"]),
        "sobol",
        "sobol spreads the trials evenly over everything that is searched; random does not.",
    ),
    (
        "search.scheduler_params",
        "parameters too",
        Kind::Flag,
        "true",
        "Whether schedulers' parameters are searched where nothing is said of them.",
    ),
    (
        "reproducible",
        "reproducible",
        Kind::Flag,
        "true",
        "Whether the same seed gives the same study, bit for bit, however many trials run at the \
         same time.",
    ),
    (
        "virtual_width",
        "virtual width",
        Kind::Whole,
        "8",
        "A reproducible study takes its decisions as if so many trials ran at the same time.",
    ),
];

pub(super) static STEERING: [Plain; 4] = [
    (
        "steering.metric",
        "by",
        Kind::Turn(&["train_loss", "valid_loss", "objective"]),
        "train_loss",
        "What is shown to schedulers that look at how training goes.",
    ),
    (
        "steering.every",
        "every",
        Kind::Text,
        "auto",
        "How often it is shown to them: auto, or such as 10 steps, 1 epochs.",
    ),
    (
        "steering.nan",
        "no number",
        Kind::Turn(&["drop", "substitute", "pass"]),
        "drop",
        "What becomes of a value that is no number before a scheduler is shown it.",
    ),
    (
        "steering.max_lr",
        "highest rate",
        Kind::Number,
        "100",
        "The highest learning rate that is ever used, whatever a scheduler says.",
    ),
];

/// Settings of a trial: what they are called, words that they can be turned to, what they mean.
pub(super) static SETTINGS: [(&str, &[&str], &str); 12] = [
    (
        "lr",
        &[],
        "The learning rate that a trial begins with; what a schedule calls its base or peak.",
    ),
    (
        "optimizer",
        &[
            "sgd", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "lion",
        ],
        "What makes the update.",
    ),
    (
        "momentum",
        &[],
        "Momentum of sgd, nesterov and rmsprop, beta1 of adam, adamw and lion.",
    ),
    ("weight_decay", &[], "Weight decay; biases have their own."),
    (
        "clip_norm",
        &[],
        "The gradient's norm is cut to this; 0 does not clip.",
    ),
    ("batch_size", &[], "Rows of a batch."),
    (
        "model",
        &["linear", "mlp", "tabular-resnet", "cnn", "transformer"],
        "The kind of model: cnn takes pictures, transformer text, the others rows.",
    ),
    (
        "layers",
        &[],
        "Hidden layers, blocks, or stages of cnn; an mlp of 0 is linear.",
    ),
    (
        "width",
        &[],
        "Units in each hidden layer or block; of cnn the channels of its first stage.",
    ),
    (
        "activation",
        &["relu", "gelu", "tanh"],
        "The hidden layers' activation.",
    ),
    (
        "dropout",
        &[],
        "The share of hidden units left out in training.",
    ),
    (
        "label_smoothing",
        &[],
        "For classification: the share of a label given to all classes alike.",
    ),
];
