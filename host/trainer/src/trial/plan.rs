//! What follows from settings and data before the first step.

use super::error::TrialError;
use super::settings::{CheckedSettings, MetricSource, SettingsError, TrialSettings};
use super::steering::Due;
use crate::data::{Dataset, Part};
use crate::metrics::Metric;
use crate::model::Architecture;
use attune_plugin_api::Setup;
use attune_plugin_api::scheduler::Group;

/// The most parameters of a network: 256 MiB of them, and several times that with gradients, the
/// optimizer's memory and the best epoch's copy.
const MAX_PARAMETERS: usize = 1 << 26;

/// What the scheduler is told before the first step.
pub(super) fn setup(settings: &CheckedSettings, dataset: &Dataset) -> Setup {
    let steps_per_epoch = steps_per_epoch(settings, dataset);
    let total_steps = steps_per_epoch * u64::from(settings.max_epochs);
    let widths = widths(settings, dataset);
    let weights: u64 = widths
        .windows(2)
        .map(|pair| (pair[0] * pair[1]) as u64)
        .sum();
    let biases: u64 = widths[1..].iter().map(|&width| width as u64).sum();
    let group = |name: &str, tag: &str, size| Group {
        name: name.into(),
        lr: settings.lr,
        momentum: (settings.momentum > 0.0).then_some(settings.momentum),
        size,
        tags: vec![tag.into()],
    };
    let objective = objective(settings, dataset);
    Setup {
        groups: vec![
            group("weights", "weight", weights),
            group("biases", "bias", biases),
        ],
        total_steps: Some(total_steps),
        steps_per_epoch: Some(steps_per_epoch),
        metric_calls: Some(
            Due::of(settings, total_steps).calls(total_steps, settings.max_epochs.into()),
        ),
        metric_minimized: match settings.cadence.source {
            MetricSource::TrainLoss | MetricSource::ValidLoss => true,
            MetricSource::Objective => objective.minimized(),
        },
        optimizer: settings.optimizer,
        seed: settings.seed,
    }
}

/// The objective, where this kind of task has it.
pub(super) fn checked_objective(
    settings: &TrialSettings,
    dataset: &Dataset,
) -> Result<Metric, TrialError> {
    let objective = objective(settings, dataset);
    let known = Metric::of(dataset.task().kind());
    if known.contains(&objective) {
        return Ok(objective);
    }
    let names: Vec<&str> = known.iter().map(|metric| metric.name()).collect();
    let expected = format!("one of {} for this target", names.join(", "));
    Err(refuse("objective", objective.to_string(), expected))
}

/// The network, where it is of reasonable size.
pub(super) fn checked_architecture(
    settings: &TrialSettings,
    dataset: &Dataset,
) -> Result<Architecture, TrialError> {
    let architecture = Architecture {
        inputs: dataset.preprocessor().width(),
        hidden: settings.hidden.clone(),
        outputs: dataset.task().outputs(),
        activation: settings.activation,
    };
    let parameters = architecture.parameters().unwrap_or(usize::MAX);
    if parameters <= MAX_PARAMETERS {
        return Ok(architecture);
    }
    Err(TrialError::TooManyParameters {
        layers: settings.hidden.len(),
        width: settings.hidden.iter().copied().max().unwrap_or(0),
        inputs: architecture.inputs,
        outputs: architecture.outputs,
        parameters,
        most: MAX_PARAMETERS,
    })
}

fn steps_per_epoch(settings: &TrialSettings, dataset: &Dataset) -> u64 {
    dataset
        .part(Part::Train)
        .rows()
        .div_ceil(settings.batch_size) as u64
}

fn widths(settings: &TrialSettings, dataset: &Dataset) -> Vec<usize> {
    let mut widths = vec![dataset.preprocessor().width()];
    widths.extend(&settings.hidden);
    widths.push(dataset.task().outputs());
    widths
}

fn objective(settings: &TrialSettings, dataset: &Dataset) -> Metric {
    let kind = dataset.task().kind();
    settings
        .objective
        .unwrap_or_else(|| Metric::default_objective(kind))
}

fn refuse(setting: &'static str, found: String, expected: String) -> TrialError {
    TrialError::Settings(SettingsError {
        setting,
        found,
        expected,
    })
}
