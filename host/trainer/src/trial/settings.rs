//! A trial's settings: what users and searchers choose, and the checks before anything runs.

use crate::kernel::Loss;
use crate::metrics::Metric;
use crate::model::{Kind, ModelSettings};
use crate::optimizer;
use attune_plugin_api::OptimizerKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most epochs.
const MAX_EPOCHS: u32 = 1_000_000;
/// The largest batch.
const MAX_BATCH: usize = 1 << 20;
/// The most batches a step.
const MAX_ACCUMULATED: usize = 4096;

/// How one trial trains. Unchecked; only [`CheckedSettings`] run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrialSettings {
    /// What is trained.
    pub model: ModelSettings,
    /// What computes it.
    pub engine: Engine,
    /// The share of hidden units left out at each step, in [0, 1).
    pub dropout: f64,
    /// The update rule.
    pub optimizer: OptimizerKind,
    /// The base learning rate, above 0, that the scheduler starts from.
    pub lr: f64,
    /// The momentum of SGD and RMSprop, or the first decay rate of Adam and Lion, in [0, 1).
    /// Adagrad has none.
    pub momentum: f64,
    /// Weight decay, at least 0; applied to weights and embeddings and not to biases and norms,
    /// unless `group_decay` says otherwise.
    pub weight_decay: f64,
    /// The weight decay of single parameter groups, by their names.
    pub group_decay: BTreeMap<String, f64>,
    /// The longest gradient, over all parameters; none leaves gradients alone.
    pub clip_norm: Option<f64>,
    /// Rows that are computed at once; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// How many batches make one step, their losses averaged over all rows.
    pub accumulate: usize,
    /// The decay of a moving average of the parameters, in [0, 1), which then is what is validated
    /// and saved in place of the parameters. It starts lower: at most (1+t)/(10+t) after t steps.
    pub ema: Option<f64>,
    /// Passes over the training rows.
    pub max_epochs: u32,
    /// The share of each label that is spread over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// How much each class counts in the training loss.
    pub class_weights: ClassWeights,
    /// What is minimised where a number is predicted.
    pub loss: Loss,
    /// The seed of initial weights, order and dropout.
    pub seed: u64,
    /// What is optimised on the validation rows. Where nothing is said: accuracy, RMSE, the loss of a
    /// text, or the first metric of a task.
    pub objective: Option<Metric>,
    /// Metrics that take long, to be measured at every epoch's end even so. The objective always
    /// is, and at the end of a trial all are.
    pub measure: Vec<Metric>,
    /// Which metric the scheduler sees, and how often.
    pub cadence: Cadence,
    /// What happens to a metric that is not finite before the scheduler sees it.
    pub nan_policy: NanPolicy,
    /// The highest learning rate that is ever used, whatever the scheduler says.
    pub max_lr: f64,
}

impl Default for TrialSettings {
    fn default() -> Self {
        TrialSettings {
            model: ModelSettings::default(),
            engine: Engine::default(),
            dropout: 0.0,
            optimizer: OptimizerKind::AdamW,
            lr: 1e-3,
            momentum: 0.9,
            weight_decay: 0.01,
            group_decay: BTreeMap::new(),
            clip_norm: None,
            batch_size: 64,
            accumulate: 1,
            ema: None,
            max_epochs: 30,
            label_smoothing: 0.0,
            class_weights: ClassWeights::default(),
            loss: Loss::default(),
            seed: 0,
            objective: None,
            measure: Vec::new(),
            cadence: Cadence::default(),
            nan_policy: NanPolicy::default(),
            max_lr: 1e3,
        }
    }
}

/// What computes a model's passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Operations of our own for CPUs.
    #[default]
    Own,
    /// Plain operations of dfdx: slower on a CPU, the same numbers up to rounding. To hold the own
    /// ones against.
    Dfdx,
    /// The same on the first NVIDIA GPU, in a build with the feature `cuda`. Some of its sums have no
    /// fixed order, so that two runs differ in their last bits.
    Cuda,
}

/// How much each class counts in the training loss, whose mean is weighted by them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// Every row counts the same.
    #[default]
    Even,
    /// Every class counts the same, whatever its share of the training rows.
    Balanced,
    /// By label, above 0; a class that is not named counts 1.
    Given(BTreeMap<String, f64>),
}

/// Which metric drives the scheduler, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cadence {
    /// The metric.
    pub source: MetricSource,
    /// How often.
    pub every: Every,
}

/// The metric that drives the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricSource {
    /// The mean of the training losses since the last call.
    #[default]
    TrainLoss,
    /// The loss on the validation rows.
    ValidLoss,
    /// The study's objective on the validation rows.
    Objective,
}

/// How often the scheduler sees its metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// Some 200 times in the planned run for the training loss, once an epoch for the others.
    #[default]
    Auto,
    /// After every so many steps. Metrics on validation rows are measured anew each time.
    Steps(u64),
    /// After every so many epochs.
    Epochs(u32),
}

/// What happens to a metric that is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NanPolicy {
    /// The scheduler is not called.
    #[default]
    Drop,
    /// The last finite one takes its place; before there is one, the scheduler is not called.
    Substitute,
    /// The scheduler gets it as it is.
    Pass,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}` is {found}, but it must be {expected}")]
pub struct SettingsError {
    /// The setting.
    pub setting: &'static str,
    /// What it is.
    pub found: String,
    /// What it may be.
    pub expected: String,
}

/// Settings that can be trained with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct CheckedSettings(TrialSettings);

impl std::ops::Deref for CheckedSettings {
    type Target = TrialSettings;

    fn deref(&self) -> &TrialSettings {
        &self.0
    }
}

impl TrialSettings {
    /// Rows that make one step.
    pub(crate) fn step_rows(&self) -> usize {
        self.batch_size.saturating_mul(self.accumulate)
    }

    /// The momentum that a trial starts with: 0 where the optimizer has none.
    pub(crate) fn start_momentum(&self) -> f64 {
        optimizer::momentum(self.optimizer, self.momentum)
    }

    /// The weight decay of a parameter group.
    pub(crate) fn decay_of(&self, group: &str, decays: bool) -> f64 {
        let usual = if decays { self.weight_decay } else { 0.0 };
        self.group_decay.get(group).copied().unwrap_or(usual)
    }

    /// Checks every setting by itself. Whether the objective fits the data is checked when the
    /// trial is made.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn check(self) -> Result<CheckedSettings, SettingsError> {
        let share = |value: f64| (0.0..1.0).contains(&value);
        let positive = |value: f64| value.is_finite() && value > 0.0;
        self.model.check()?;
        require(
            share(self.dropout),
            "dropout",
            self.dropout,
            "at least 0 and below 1",
        )?;
        require(
            positive(self.max_lr),
            "max_lr",
            self.max_lr,
            "a finite number above 0",
        )?;
        require(
            positive(self.lr) && self.lr <= self.max_lr,
            "lr",
            self.lr,
            format!("above 0 and at most `max_lr` ({})", self.max_lr),
        )?;
        require(
            share(self.momentum),
            "momentum",
            self.momentum,
            "at least 0 and below 1",
        )?;
        require(
            self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            "weight_decay",
            self.weight_decay,
            "a finite number of at least 0",
        )?;
        for (group, &decay) in &self.group_decay {
            require(
                Kind::ALL.iter().any(|kind| kind.group() == group),
                "group_decay",
                format!("of `{group}`"),
                format!("of {}", Kind::ALL.map(Kind::group).join(" or ")),
            )?;
            require(
                decay.is_finite() && decay >= 0.0,
                "group_decay",
                format!("{decay} for `{group}`"),
                "a finite number of at least 0",
            )?;
        }
        if let Some(clip_norm) = self.clip_norm {
            require(
                positive(clip_norm),
                "clip_norm",
                clip_norm,
                "a finite number above 0",
            )?;
        }
        require(
            (1..=MAX_BATCH).contains(&self.batch_size),
            "batch_size",
            self.batch_size,
            format!("from 1 to {MAX_BATCH}"),
        )?;
        require(
            (1..=MAX_ACCUMULATED).contains(&self.accumulate),
            "accumulate",
            self.accumulate,
            format!("from 1 to {MAX_ACCUMULATED}"),
        )?;
        if let Some(ema) = self.ema {
            require(share(ema), "ema", ema, "at least 0 and below 1")?;
        }
        if let ClassWeights::Given(weights) = &self.class_weights {
            let wrong = weights.iter().find(|&(_, &weight)| !positive(weight));
            if let Some((label, weight)) = wrong {
                require(
                    false,
                    "class_weights",
                    format!("{weight} for `{label}`"),
                    "a finite number above 0",
                )?;
            }
        }
        require(
            (1..=MAX_EPOCHS).contains(&self.max_epochs),
            "max_epochs",
            self.max_epochs,
            format!("from 1 to {MAX_EPOCHS}"),
        )?;
        require(
            share(self.label_smoothing),
            "label_smoothing",
            self.label_smoothing,
            "at least 0 and below 1",
        )?;
        let own = self.objective.iter().chain(&self.measure);
        for metric in own.filter(|metric| matches!(metric, Metric::Own(_))) {
            require(
                false,
                "objective",
                metric,
                "left out: a task's own first metric is what is optimised of it",
            )?;
        }
        require(
            !matches!(self.cadence.every, Every::Steps(0) | Every::Epochs(0)),
            "cadence.every",
            0,
            "at least 1",
        )?;
        Ok(CheckedSettings(self))
    }
}

pub(crate) fn require(
    holds: bool,
    setting: &'static str,
    found: impl ToString,
    expected: impl Into<String>,
) -> Result<(), SettingsError> {
    if holds {
        return Ok(());
    }
    Err(SettingsError {
        setting,
        found: found.to_string(),
        expected: expected.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Cadence, ClassWeights, Every, ModelSettings, TrialSettings};
    use crate::model::{CnnSettings, TabularResnetSettings, TransformerSettings};

    #[test]
    fn settings_outside_their_range_are_named() {
        type Change = fn(&mut TrialSettings);
        let table: [(Change, &str); 17] = [
            (
                |s| s.model = ModelSettings::mlp([8, 0]),
                "`hidden` is [8, 0], but it must be",
            ),
            (
                |s| {
                    s.model = ModelSettings::Transformer(TransformerSettings {
                        heads: 5,
                        ..TransformerSettings::default()
                    });
                },
                "`width` is 64, but it must be a multiple of `heads` (5)",
            ),
            (
                |s| {
                    s.model = ModelSettings::Cnn(CnnSettings {
                        kernel: 4,
                        ..CnnSettings::default()
                    });
                },
                "`kernel` is 4, but it must be an odd number from 1 to 15",
            ),
            (
                |s| {
                    s.model = ModelSettings::Cnn(CnnSettings {
                        channels: Vec::new(),
                        ..CnnSettings::default()
                    });
                },
                "`channels` is [], but it must be 1 to 32 widths",
            ),
            (
                |s| {
                    s.model = ModelSettings::TabularResnet(TabularResnetSettings {
                        blocks: 0,
                        ..TabularResnetSettings::default()
                    });
                },
                "`blocks` is 0, but it must be from 1 to 32",
            ),
            (
                |s| s.dropout = 1.0,
                "`dropout` is 1, but it must be at least 0",
            ),
            (|s| s.lr = -0.1, "`lr` is -0.1, but it must be above 0"),
            (|s| s.lr = f64::NAN, "`lr` is NaN"),
            (|s| s.momentum = 1.5, "`momentum` is 1.5"),
            (|s| s.clip_norm = Some(0.0), "`clip_norm` is 0"),
            (|s| s.batch_size = 0, "`batch_size` is 0"),
            (|s| s.accumulate = 0, "`accumulate` is 0"),
            (|s| s.ema = Some(1.0), "`ema` is 1, but it must be"),
            (
                |s| s.group_decay = [("bias".to_owned(), 0.1)].into(),
                "`group_decay` is of `bias`, but it must be of weights or biases",
            ),
            (
                |s| s.group_decay = [("biases".to_owned(), -0.1)].into(),
                "`group_decay` is -0.1 for `biases`",
            ),
            (
                |s| s.class_weights = ClassWeights::Given([("a".to_owned(), 0.0)].into()),
                "`class_weights` is 0 for `a`",
            ),
            (
                |s| s.cadence.every = Every::Steps(0),
                "`cadence.every` is 0",
            ),
        ];
        assert!(TrialSettings::default().check().is_ok());
        for (change, start) in table {
            let mut settings = TrialSettings::default();
            change(&mut settings);
            let message = settings.check().unwrap_err().to_string();
            assert!(message.starts_with(start), "{message}");
        }
    }

    #[test]
    fn missing_settings_have_defaults_and_unknown_ones_are_refused() {
        let read = |json: &str| serde_json::from_str::<TrialSettings>(json);
        let settings = read(r#"{"cadence": {"every": {"epochs": 2}}}"#).unwrap();
        assert_eq!(
            settings.cadence,
            Cadence {
                every: Every::Epochs(2),
                ..Cadence::default()
            }
        );
        assert!(read(r#"{"droput": 0.1}"#).is_err());
    }
}
