//! Turns a configuration into what the trainer and the loader take.

use super::settings::name;
use super::space::FullConfig;
use super::spec::StudySpec;
use anyhow::{Context, bail};
use attune_plugin_api::OptimizerKind;
use attune_plugin_api::param::Value;
use attune_store::Direction;
use attune_trainer::metrics::Metric;
use attune_trainer::trial::{CheckedSettings, TrialSettings};
use attune_trainer::{Activation, MlpSettings, ModelSettings};
use std::collections::BTreeMap;

/// What steers a trial.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Steering {
    pub(crate) scheduler: String,
    pub(crate) params: BTreeMap<String, Value>,
}

/// What every trial of a study has in common, apart from its configuration.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) max_epochs: u32,
    pub(crate) objective: Metric,
    pub(crate) steering: super::spec::SteeringSpec,
}

impl Common {
    pub(crate) fn of(spec: &StudySpec, objective: Metric) -> Self {
        Common {
            max_epochs: spec.fidelity.max_epochs,
            objective,
            steering: spec.steering,
        }
    }

    /// The trainer's settings for a configuration.
    pub(crate) fn settings(
        &self,
        config: &FullConfig,
        seed: u64,
    ) -> anyhow::Result<CheckedSettings> {
        let width = usize::try_from(int(config, name::WIDTH)?)?;
        let layers = usize::try_from(int(config, name::LAYERS)?)?;
        let clip_norm = float(config, name::CLIP_NORM)?;
        let settings = TrialSettings {
            model: ModelSettings::Mlp(MlpSettings {
                hidden: vec![width; layers],
                activation: match text(config, name::ACTIVATION)? {
                    "relu" => Activation::Relu,
                    "gelu" => Activation::Gelu,
                    "tanh" => Activation::Tanh,
                    other => bail!("`{}` is unknown as an activation", other),
                },
                ..MlpSettings::default()
            }),
            dropout: float(config, name::DROPOUT)?,
            optimizer: match text(config, name::OPTIMIZER)? {
                "sgd" => OptimizerKind::Sgd,
                "nesterov" => OptimizerKind::Nesterov,
                "adam" => OptimizerKind::Adam,
                "adamw" => OptimizerKind::AdamW,
                other => bail!("`{}` is unknown as an optimizer", other),
            },
            lr: float(config, name::LR)?,
            momentum: float(config, name::MOMENTUM)?,
            weight_decay: float(config, name::WEIGHT_DECAY)?,
            clip_norm: (clip_norm > 0.0).then_some(clip_norm),
            batch_size: usize::try_from(int(config, name::BATCH_SIZE)?)?,
            max_epochs: self.max_epochs,
            label_smoothing: float(config, name::LABEL_SMOOTHING)?,
            seed,
            objective: Some(self.objective),
            cadence: self.steering.cadence,
            nan_policy: self.steering.nan_policy,
            max_lr: self.steering.max_lr,
        };
        Ok(settings.check()?)
    }
}

impl Steering {
    /// The scheduler of a configuration and its parameters.
    pub(crate) fn of(config: &FullConfig) -> anyhow::Result<Self> {
        let scheduler = text(config, name::SCHEDULER)?.to_owned();
        let prefix = format!("{scheduler}.");
        let params = config
            .iter()
            .filter_map(|(name, value)| {
                Some((name.strip_prefix(&prefix)?.to_owned(), value.clone()))
            })
            .collect();
        Ok(Steering { scheduler, params })
    }
}

/// Which way one of a trial's recorded metrics is better, by its name with its part in front, such
/// as `valid_accuracy`.
pub(crate) fn direction_of(recorded: &str) -> Direction {
    let name = recorded.split_once('_').map_or(recorded, |(_, name)| name);
    let all = Metric::CLASSIFICATION.iter().chain(&Metric::REGRESSION);
    match all.clone().find(|metric| metric.name() == name) {
        Some(metric) if !metric.minimized() => Direction::Maximize,
        _ => Direction::Minimize,
    }
}

fn value<'c>(config: &'c FullConfig, name: &str) -> anyhow::Result<&'c Value> {
    config
        .get(name)
        .with_context(|| format!("the configuration lacks `{name}`"))
}

fn float(config: &FullConfig, name: &str) -> anyhow::Result<f64> {
    match value(config, name)? {
        Value::Float(value) => Ok(*value),
        Value::Int(value) => Ok(*value as f64),
        other => bail!("`{name}` is {other}, but must be a number"),
    }
}

fn int(config: &FullConfig, name: &str) -> anyhow::Result<i64> {
    match value(config, name)? {
        Value::Int(value) => Ok(*value),
        other => bail!("`{name}` is {other}, but must be a whole number"),
    }
}

fn text<'c>(config: &'c FullConfig, name: &str) -> anyhow::Result<&'c str> {
    match value(config, name)? {
        Value::Text(value) => Ok(value),
        other => bail!("`{name}` is {other}, but must be a word"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_know_their_direction_by_name() {
        for (name, expected) in [
            ("valid_accuracy", Direction::Maximize),
            ("valid_balanced_accuracy", Direction::Maximize),
            ("valid_r2", Direction::Maximize),
            ("valid_error", Direction::Minimize),
            ("train_loss", Direction::Minimize),
            ("test_rmse", Direction::Minimize),
        ] {
            assert_eq!(direction_of(name), expected, "{name}");
        }
    }

    #[test]
    fn a_schedulers_parameters_are_found_by_its_name() {
        let config: FullConfig = [
            ("scheduler", Value::Text("wsd".into())),
            ("wsd.decay", Value::Float(0.2)),
            ("lr", Value::Float(0.1)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let steering = Steering::of(&config).unwrap();
        assert_eq!(steering.scheduler, "wsd");
        assert_eq!(
            steering.params,
            [("decay".to_owned(), Value::Float(0.2))].into()
        );
    }
}
