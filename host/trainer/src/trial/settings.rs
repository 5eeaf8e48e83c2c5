//! A trial's settings: what users and searchers choose, and the checks before anything runs.

use crate::metrics::Metric;
use crate::model::ModelSettings;
use attune_plugin_api::OptimizerKind;
use serde::{Deserialize, Serialize};

/// The most epochs.
const MAX_EPOCHS: u32 = 1_000_000;
/// The largest batch.
const MAX_BATCH: usize = 1 << 20;

/// How one trial trains. Unchecked; only [`CheckedSettings`] run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrialSettings {
    /// What is trained.
    pub model: ModelSettings,
    /// The share of hidden units left out at each step, in [0, 1).
    pub dropout: f64,
    /// The update rule.
    pub optimizer: OptimizerKind,
    /// The base learning rate, above 0, that the scheduler starts from.
    pub lr: f64,
    /// SGD's momentum or Adam's first decay rate, in [0, 1).
    pub momentum: f64,
    /// Weight decay, at least 0; not applied to biases.
    pub weight_decay: f64,
    /// The longest gradient, over all parameters; none leaves gradients alone.
    pub clip_norm: Option<f64>,
    /// Rows a step; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Passes over the training rows.
    pub max_epochs: u32,
    /// The share of each label that is spread over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// The seed of initial weights, order and dropout.
    pub seed: u64,
    /// What is optimised on the validation rows; accuracy or RMSE where nothing is said.
    pub objective: Option<Metric>,
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
            dropout: 0.0,
            optimizer: OptimizerKind::AdamW,
            lr: 1e-3,
            momentum: 0.9,
            weight_decay: 0.01,
            clip_norm: None,
            batch_size: 64,
            max_epochs: 30,
            label_smoothing: 0.0,
            seed: 0,
            objective: None,
            cadence: Cadence::default(),
            nan_policy: NanPolicy::default(),
            max_lr: 1e3,
        }
    }
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
    use super::{Cadence, Every, ModelSettings, TrialSettings};
    use crate::model::TransformerSettings;

    #[test]
    fn settings_outside_their_range_are_named() {
        type Change = fn(&mut TrialSettings);
        let table: [(Change, &str); 9] = [
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
                |s| s.dropout = 1.0,
                "`dropout` is 1, but it must be at least 0",
            ),
            (|s| s.lr = -0.1, "`lr` is -0.1, but it must be above 0"),
            (|s| s.lr = f64::NAN, "`lr` is NaN"),
            (|s| s.momentum = 1.5, "`momentum` is 1.5"),
            (|s| s.clip_norm = Some(0.0), "`clip_norm` is 0"),
            (|s| s.batch_size = 0, "`batch_size` is 0"),
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
