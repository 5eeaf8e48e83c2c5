//! Turns a configuration into what the trainer and the loader take.

use super::kinds::ModelKind;
use super::settings::{self, name};
use super::space::FullConfig;
use super::spec::StudySpec;
use anyhow::{Context, bail};
use attune_plugin_api::OptimizerKind;
use attune_plugin_api::param::Value;
use attune_store::Direction;
use attune_trainer::data::TaskKind;
use attune_trainer::metrics::Metric;
use attune_trainer::trial::{CheckedSettings, ClassWeights, Engine, TrialSettings};
use attune_trainer::{
    Activation, AdapterSettings, CnnSettings, Loss, MlpSettings, ModelSettings, NormKind, Pooling,
    TabularResnetSettings, TransformerSettings,
};
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
    /// Those that are given, for trials that take them.
    pub(crate) class_weights: BTreeMap<String, f64>,
    pub(crate) steering: super::spec::SteeringSpec,
}

impl Common {
    pub(crate) fn of(spec: &StudySpec, objective: Metric) -> Self {
        Common {
            max_epochs: spec.fidelity.max_epochs,
            objective,
            class_weights: spec.task.class_weights().clone(),
            steering: spec.steering,
        }
    }

    /// The trainer's settings for a configuration.
    pub(crate) fn settings(
        &self,
        config: &FullConfig,
        seed: u64,
    ) -> anyhow::Result<CheckedSettings> {
        let config = &up_to_date(config);
        let clip_norm = float(config, name::CLIP_NORM)?;
        // Not every kind of model has these.
        let or_none = |name| match config.contains_key(name) {
            true => float(config, name),
            false => Ok(0.0),
        };
        let mut group_decay = BTreeMap::new();
        for (group, name) in [("biases", name::BIAS_DECAY), ("norms", name::NORM_DECAY)] {
            let decay = or_none(name)?;
            if decay > 0.0 {
                group_decay.insert(group.to_owned(), decay);
            }
        }
        if config.contains_key(name::DECAY_EMBEDDINGS) && !bool(config, name::DECAY_EMBEDDINGS)? {
            group_decay.insert("embeddings".to_owned(), 0.0);
        }
        let ema = float(config, name::EMA)?;
        let settings = TrialSettings {
            model: model(config)?,
            engine: match config.contains_key(name::DEVICE) {
                true => engine(text(config, name::DEVICE)?)?,
                false => Engine::Own,
            },
            dropout: or_none(name::DROPOUT)?,
            optimizer: match text(config, name::OPTIMIZER)? {
                "sgd" => OptimizerKind::Sgd,
                "nesterov" => OptimizerKind::Nesterov,
                "adam" => OptimizerKind::Adam,
                "adamw" => OptimizerKind::AdamW,
                "rmsprop" => OptimizerKind::RmsProp,
                "adagrad" => OptimizerKind::Adagrad,
                "lion" => OptimizerKind::Lion,
                other => bail!("`{}` is unknown as an optimizer", other),
            },
            lr: float(config, name::LR)?,
            momentum: float(config, name::MOMENTUM)?,
            weight_decay: float(config, name::WEIGHT_DECAY)?,
            group_decay,
            clip_norm: (clip_norm > 0.0).then_some(clip_norm),
            batch_size: size(config, name::BATCH_SIZE)?,
            accumulate: size(config, name::ACCUMULATE)?,
            ema: (ema > 0.0).then_some(ema),
            max_epochs: self.max_epochs,
            label_smoothing: or_none(name::LABEL_SMOOTHING)?,
            class_weights: match text(config, name::CLASS_WEIGHTS)? {
                "even" => ClassWeights::Even,
                "balanced" => ClassWeights::Balanced,
                settings::GIVEN => ClassWeights::Given(self.class_weights.clone()),
                other => bail!("`{}` is unknown as class weights", other),
            },
            loss: match text(config, name::LOSS)? {
                "squared" => Loss::Squared,
                "huber" => Loss::Huber,
                "absolute" => Loss::Absolute,
                other => bail!("`{}` is unknown as a loss", other),
            },
            seed,
            // A task's own is its subject's.
            objective: Some(self.objective).filter(|metric| !matches!(metric, Metric::Own(_))),
            measure: Vec::new(),
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

/// The model of a configuration: its kind, and its shape but for what follows from the data.
pub(super) fn model(config: &FullConfig) -> anyhow::Result<ModelSettings> {
    let size = |name| size(config, name);
    let bool = |name| bool(config, name);
    let activation = || match text(config, name::ACTIVATION)? {
        "relu" => Ok(Activation::Relu),
        "gelu" => Ok(Activation::Gelu),
        "tanh" => Ok(Activation::Tanh),
        other => bail!("`{other}` is unknown as an activation"),
    };
    let norm = || match text(config, name::NORM)? {
        "none" => Ok(NormKind::None),
        "batch" => Ok(NormKind::Batch),
        "layer" => Ok(NormKind::Layer),
        other => bail!("`{other}` is unknown as a norm"),
    };
    let kind = text(config, name::MODEL)?;
    let kind = ModelKind::of(kind).with_context(|| format!("`{kind}` is no kind of model"))?;
    Ok(match kind {
        ModelKind::Linear => ModelSettings::mlp([]),
        ModelKind::Mlp => ModelSettings::Mlp(MlpSettings {
            hidden: tapered(
                size(name::WIDTH)?,
                float(config, name::TAPER)?,
                size(name::LAYERS)?,
            ),
            activation: activation()?,
            norm: norm()?,
            residual: bool(name::RESIDUAL)?,
        }),
        ModelKind::TabularResnet => ModelSettings::TabularResnet(TabularResnetSettings {
            blocks: size(name::LAYERS)?,
            width: size(name::WIDTH)?,
            hidden: size(name::WIDTH)? * size(name::EXPANSION)?,
            activation: activation()?,
        }),
        ModelKind::Cnn => ModelSettings::Cnn(CnnSettings {
            channels: channels(size(name::WIDTH)?, size(name::LAYERS)?),
            kernel: size(name::KERNEL)?,
            norm: norm()? == NormKind::Batch,
            residual: bool(name::RESIDUAL)?,
            activation: activation()?,
            pooling: match text(config, name::POOLING)? {
                "max" => Pooling::Max,
                "average" => Pooling::Average,
                other => bail!("`{other}` is unknown as a pooling"),
            },
            global_average: bool(name::GLOBAL_AVERAGE)?,
            hidden: None,
        }),
        ModelKind::Transformer => ModelSettings::Transformer(TransformerSettings {
            layers: size(name::LAYERS)?,
            heads: size(name::HEADS)?,
            width: size(name::WIDTH)?.next_multiple_of(size(name::HEADS)?.max(1)),
            feed_forward: size(name::EXPANSION)?,
            activation: activation()?,
        }),
        ModelKind::Adapter => {
            let alpha = float(config, name::ALPHA)?;
            ModelSettings::Adapter(AdapterSettings {
                rank: size(name::RANK)?,
                alpha: (alpha > 0.0).then_some(alpha),
            })
        }
        // A task has no network.
        ModelKind::Function | ModelKind::Factorisation => ModelSettings::default(),
    })
}

/// What trains on this device.
fn engine(device: &str) -> anyhow::Result<Engine> {
    match device {
        "cpu" => Ok(Engine::Own),
        settings::CUDA => Ok(Engine::Cuda),
        other => bail!("`{other}` is unknown as a device"),
    }
}

/// So many layers, each of which has this share of the units of the one before, and one at least.
fn tapered(first: usize, taper: f64, layers: usize) -> Vec<usize> {
    let narrowed = |layer| first as f64 * taper.powi(layer);
    let layers = (0..).map(narrowed).take(layers);
    layers
        .map(|units| units.round().max(1.0) as usize)
        .collect()
}

/// Each stage has twice the channels of the one before.
fn channels(first: usize, stages: usize) -> Vec<usize> {
    let doubled = |channels: &usize| channels.checked_mul(2);
    std::iter::successors(Some(first), doubled)
        .take(stages)
        .collect()
}

/// Which way one of a trial's recorded metrics is better, by its name with its part in front, such
/// as `valid_accuracy`.
pub(crate) fn direction_of(recorded: &str) -> Direction {
    let name = recorded.split_once('_').map_or(recorded, |(_, name)| name);
    let kinds = [
        TaskKind::Classification,
        TaskKind::Regression,
        TaskKind::Text,
    ];
    let of = |kind| Metric::of(kind).iter().chain(Metric::disparities(kind));
    let mut all = kinds.into_iter().flat_map(of);
    match all.find(|metric| metric.name() == name) {
        Some(metric) if !metric.minimized() => Direction::Maximize,
        _ => Direction::Minimize,
    }
}

/// A configuration with what has become a setting since it was made, as it is where nothing is
/// said.
fn up_to_date(config: &FullConfig) -> FullConfig {
    let later = settings::all().into_iter();
    let later = later.filter(|param| settings::LATER.contains(&param.name.as_str()));
    let mut all: FullConfig = later.map(|param| (param.name, param.default)).collect();
    all.extend(config.clone());
    all
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

pub(super) fn size(config: &FullConfig, name: &str) -> anyhow::Result<usize> {
    usize::try_from(int(config, name)?).with_context(|| format!("`{name}` is negative"))
}

fn bool(config: &FullConfig, name: &str) -> anyhow::Result<bool> {
    match value(config, name)? {
        Value::Bool(value) => Ok(*value),
        other => bail!("`{name}` is {other}, but must be true or false"),
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
            ("valid_f1", Direction::Maximize),
            ("valid_auc", Direction::Maximize),
            ("valid_calibration_error", Direction::Minimize),
            ("valid_error", Direction::Minimize),
            ("valid_perplexity", Direction::Minimize),
            ("valid_demographic_parity_ratio", Direction::Maximize),
            ("test_equalized_odds_difference", Direction::Minimize),
            ("valid_mae_difference", Direction::Minimize),
            ("train_loss", Direction::Minimize),
            ("test_rmse", Direction::Minimize),
        ] {
            assert_eq!(direction_of(name), expected, "{name}");
        }
    }

    /// Configurations of studies that are kept may lack what became a setting later.
    #[test]
    fn a_configuration_becomes_what_the_trainer_takes() {
        let common = Common {
            max_epochs: 3,
            objective: Metric::Accuracy,
            class_weights: [("rare".to_owned(), 5.0)].into(),
            steering: crate::study::spec::SteeringSpec {
                cadence: Default::default(),
                nan_policy: Default::default(),
                max_lr: 100.0,
            },
        };
        let mut config: FullConfig = settings::all()
            .into_iter()
            .map(|param| (param.name, param.default))
            .collect();
        let full = common.settings(&config, 7).unwrap();
        assert_eq!((full.accumulate, full.ema), (1, None));
        assert!(full.group_decay.is_empty());
        config.retain(|name, _| !settings::LATER.contains(&name.as_str()));
        assert_eq!(common.settings(&config, 7).unwrap(), full);
        let words = [
            ("optimizer", "rmsprop"),
            ("class_weights", "balanced"),
            ("loss", "huber"),
        ];
        for (name, word) in words {
            config.insert(name.into(), Value::Text(word.into()));
        }
        config.insert("bias_decay".into(), Value::Float(0.5));
        config.insert("norm_decay".into(), Value::Float(0.25));
        config.insert("ema".into(), Value::Float(0.9));
        config.insert("accumulate".into(), Value::Int(4));
        config.insert("decay_embeddings".into(), Value::Bool(false));
        config.insert("device".into(), Value::Text("cuda".into()));
        config.insert("taper".into(), Value::Float(0.3));
        let found = common.settings(&config, 7).unwrap();
        assert_eq!(found.optimizer, OptimizerKind::RmsProp);
        assert_eq!(found.class_weights, ClassWeights::Balanced);
        assert_eq!(found.loss, Loss::Huber);
        assert_eq!(found.group_decay["biases"], 0.5);
        assert_eq!(found.group_decay["norms"], 0.25);
        assert_eq!(found.group_decay["embeddings"], 0.0);
        assert_eq!(found.engine, Engine::Cuda);
        let ModelSettings::Mlp(mlp) = &found.model else {
            panic!("{:?}", found.model);
        };
        assert_eq!(mlp.hidden, [128, 38]);
        assert_eq!((found.accumulate, found.ema), (4, Some(0.9)));
        config.insert("class_weights".into(), Value::Text("given".into()));
        let found = common.settings(&config, 7).unwrap();
        let given = ClassWeights::Given(common.class_weights.clone());
        assert_eq!(found.class_weights, given);
        config.remove("lr");
        assert!(common.settings(&config, 7).is_err());
    }

    #[test]
    fn an_alpha_of_nothing_is_the_rank() {
        let usual = ModelKind::Adapter.settings().into_iter();
        let mut config: FullConfig = usual.map(|param| (param.name, param.default)).collect();
        config.insert(name::MODEL.into(), Value::Text("adapter".into()));
        let adapter = |rank, alpha| ModelSettings::Adapter(AdapterSettings { rank, alpha });
        assert_eq!(model(&config).unwrap(), adapter(4, None));
        config.insert(name::RANK.into(), Value::Int(3));
        config.insert(name::ALPHA.into(), Value::Float(6.0));
        assert_eq!(model(&config).unwrap(), adapter(3, Some(6.0)));
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
