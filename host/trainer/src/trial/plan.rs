//! What follows from settings and data before a scheduler takes the wheel.

use super::error::TrialError;
use super::settings::{CheckedSettings, ClassWeights, MetricSource, SettingsError, TrialSettings};
use super::steering::Due;
use super::subject::Subject;
use crate::artifact::Model;
use crate::data::{Dataset, Part, Targets, Task};
use crate::metrics::Metric;
use crate::model::{Adapter, Aim, Architecture, MAX_PARAMETERS, ModelSettings, Network, Plan};
use crate::optimizer::{Optimizer, beta2};
use attune_plugin_api::scheduler::Group;
use attune_plugin_api::{Clock, Setup};

/// How far a trial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cursor {
    /// Updates made.
    pub(super) steps: u64,
    /// Whole epochs made.
    pub(super) epochs: u32,
    /// Rows of the running epoch that were trained on; 0 between epochs.
    pub(super) position: usize,
}

impl Cursor {
    /// The same as schedulers are told it, for so many training rows.
    pub(super) fn clock(&self, rows: usize) -> Clock {
        Clock {
            step: self.steps,
            epoch: f64::from(self.epochs) + self.position as f64 / rows as f64,
            samples: u64::from(self.epochs) * rows as u64 + self.position as u64,
        }
    }
}

/// What the scheduler is told before the first step.
pub(super) fn setup(settings: &CheckedSettings, subject: &Subject) -> Setup {
    let start = Cursor::default();
    let due = due(settings, subject, start);
    let groups = subject.planned(settings).groups.len();
    let rates = vec![settings.lr; groups];
    let momenta = vec![settings.start_momentum(); groups];
    setup_at(settings, subject, start, due, &rates, &momenta)
}

/// What a scheduler is told that takes the wheel here, with these rates and momenta in force. Its
/// run is what remains.
pub(super) fn setup_at(
    settings: &CheckedSettings,
    subject: &Subject,
    cursor: Cursor,
    due: Due,
    rates: &[f64],
    momenta: &[f64],
) -> Setup {
    let remaining = remaining_steps(settings, subject, cursor);
    let calls_by = |steps, epochs: u32| due.calls(steps, epochs.into());
    let all_calls = calls_by(cursor.steps + remaining, settings.max_epochs);
    let planned = subject.planned(settings);
    let groups = planned.groups.into_iter();
    let groups = groups.zip(rates.iter().zip(momenta));
    Setup {
        groups: groups
            .map(|(group, (&lr, &momentum))| Group {
                name: group.name,
                lr,
                momentum: (settings.start_momentum() > 0.0).then_some(momentum),
                beta2: beta2(settings.optimizer),
                weight_decay: group.decay,
                size: group.size,
                tags: vec![group.tag.into()],
            })
            .collect(),
        total_steps: Some(remaining),
        steps_per_epoch: Some(steps_per_epoch(settings, subject)),
        metric_calls: Some(all_calls.saturating_sub(calls_by(cursor.steps, cursor.epochs))),
        metric_minimized: match settings.cadence.source {
            MetricSource::TrainLoss | MetricSource::ValidLoss => true,
            MetricSource::Objective => objective(settings, subject).minimized(),
        },
        optimizer: settings.optimizer,
        lr_upper_bound: Some(settings.max_lr),
        loss_lower_bound: planned.loss_lower_bound,
        batch_norm: planned.batch_norm,
        seed: settings.seed,
    }
}

/// When the metric is due in a run that goes on from here.
pub(super) fn due(settings: &TrialSettings, subject: &Subject, cursor: Cursor) -> Due {
    let total = cursor.steps + remaining_steps(settings, subject, cursor);
    Due::of(settings, total)
}

/// The objective, where it can be measured of the subject.
pub(super) fn checked_objective(
    settings: &TrialSettings,
    subject: &Subject,
) -> Result<Metric, TrialError> {
    let objective = objective(settings, subject);
    let known = subject.metrics();
    let measured = settings.measure.iter().map(|&metric| ("measure", metric));
    for (setting, metric) in std::iter::once(("objective", objective)).chain(measured) {
        if !known.contains(&metric) {
            let nameable = known.iter().filter(|m| !matches!(m, Metric::Own(_)));
            let names: Vec<&str> = nameable.map(|metric| metric.name()).collect();
            let whose = subject.dataset().map_or("task", |_| "target");
            let expected = format!("one of {} for this {whose}", names.join(", "));
            return Err(refuse(setting, metric.to_string(), expected));
        }
    }
    Ok(objective)
}

/// Whether settings that are about networks were left alone, for what has none.
pub(super) fn check_no_network(settings: &TrialSettings) -> Result<(), TrialError> {
    let usual = TrialSettings::default();
    let told = [
        (
            "model",
            settings.model == usual.model,
            settings.model.told(),
        ),
        (
            "engine",
            settings.engine == usual.engine,
            format!("{:?}", settings.engine),
        ),
        (
            "dropout",
            settings.dropout == usual.dropout,
            settings.dropout.to_string(),
        ),
        (
            "label_smoothing",
            settings.label_smoothing == usual.label_smoothing,
            settings.label_smoothing.to_string(),
        ),
        (
            "class_weights",
            settings.class_weights == usual.class_weights,
            "not `even`".into(),
        ),
        (
            "loss",
            settings.loss == usual.loss,
            format!("{:?}", settings.loss),
        ),
    ];
    match told.into_iter().find(|(_, is_usual, _)| !is_usual) {
        Some((setting, _, found)) => {
            let expected = "left out: a task has no network".into();
            Err(refuse(setting, found, expected))
        }
        None => Ok(()),
    }
}

/// What is minimised, where the class weights are of classes that there are.
pub(super) fn checked_aim(settings: &TrialSettings, dataset: &Dataset) -> Result<Aim, TrialError> {
    let weights = match (dataset.task(), &settings.class_weights) {
        (Task::Classification { classes }, ClassWeights::Given(given)) => {
            let unknown = given.keys().find(|label| !classes.contains(label));
            if let Some(label) = unknown {
                let labels = classes.join(", ");
                return Err(refuse(
                    "class_weights",
                    format!("for `{label}`"),
                    format!("for classes of the target: {labels}"),
                ));
            }
            let weight = |label| given.get(label).map_or(1.0, |&weight| weight as f32);
            Some(classes.iter().map(weight).collect())
        }
        (Task::Regression { .. }, ClassWeights::Given(_)) => {
            return Err(refuse(
                "class_weights",
                "given".into(),
                "left out: this target is a number".into(),
            ));
        }
        (Task::Text { .. }, ClassWeights::Given(_) | ClassWeights::Balanced) => {
            return Err(refuse(
                "class_weights",
                "not `even`".into(),
                "left out: all tokens of a text count the same".into(),
            ));
        }
        (Task::Classification { classes }, ClassWeights::Balanced) => {
            let rows = &dataset.part(Part::Train).targets;
            Some(balanced(rows, classes.len()))
        }
        (_, ClassWeights::Even) | (Task::Regression { .. }, _) => None,
    };
    Ok(Aim {
        label_smoothing: settings.label_smoothing as f32,
        class_weights: weights,
        loss: settings.loss,
    })
}

/// Weights under which all classes count the same, and all rows together as much as before, as
/// scikit-learn makes them. A class that does not occur counts 1.
fn balanced(targets: &Targets, classes: usize) -> Vec<f32> {
    let mut counts = vec![0_u64; classes];
    if let Targets::Classes(labels) = targets {
        for &label in labels {
            counts[label as usize] += 1;
        }
    }
    let rows = counts.iter().sum::<u64>() as f64;
    let weight = |count| match count {
        0 => 1.0,
        count => (rows / (classes as f64 * count as f64)) as f32,
    };
    counts.into_iter().map(weight).collect()
}

/// A network to be.
#[derive(Debug)]
pub(super) struct Blueprint<'a> {
    architecture: Architecture,
    /// The network that is adapted, and how.
    base: Option<(&'a Network, Adapter)>,
}

impl Blueprint<'_> {
    /// Its parameters to be.
    pub(super) fn plan(&self) -> Plan {
        self.architecture
            .plan(self.base.map(|(_, adapter)| adapter))
    }

    /// How many numbers a trial of it holds while it trains these rows at once, so many copies of what
    /// is learned among them.
    fn held(&self, copies: usize, rows: usize, dropout: f64) -> u64 {
        let adapter = self.base.map(|(_, adapter)| adapter);
        let plan = self.plan();
        let learned: usize = plan.groups().map(|(_, size)| size).sum();
        let all = plan.parameters().unwrap_or(usize::MAX);
        // The base's are there as they were, and with what is added to them.
        let frozen = all.saturating_sub(learned) as u64 * 2;
        let passed = self.architecture.passed(rows, adapter, dropout) as u64;
        copies as u64 * learned as u64 + frozen + passed
    }

    /// The network, with what it learns freshly drawn.
    pub(super) fn network(self, dropout: f64, seed: u64) -> Network {
        match self.base {
            None => Network::new(self.architecture, dropout, seed),
            Some((base, adapter)) => {
                Network::adapting(base, self.architecture.outputs, adapter, dropout, seed)
            }
        }
    }
}

/// The network, where it is of reasonable size, and has a base if it is to adapt one.
pub(super) fn checked_blueprint<'a>(
    settings: &TrialSettings,
    dataset: &Dataset,
    base: Option<&'a Model>,
) -> Result<Blueprint<'a>, TrialError> {
    let blueprint = blueprint(settings, dataset, base);
    let architecture = &blueprint.architecture;
    architecture.model.fits(architecture.inputs)?;
    let parameters = blueprint.plan().parameters().unwrap_or(usize::MAX);
    if parameters <= MAX_PARAMETERS {
        return Ok(blueprint);
    }
    Err(TrialError::TooManyParameters {
        model: settings.model.told(),
        inputs: architecture.inputs.numbers(),
        outputs: architecture.outputs,
        parameters,
        most: MAX_PARAMETERS,
    })
}

/// How often a trial has what it learns: as it is, as it was in the best epoch, and what the optimizer
/// and the average remember.
pub(super) fn copies_kept(settings: &TrialSettings) -> usize {
    2 + Optimizer::remembers(settings.optimizer) + usize::from(settings.ema.is_some())
}

/// Bytes that a trial of a network keeps while it does not train, beside its data, with so many copies
/// of what it learns.
pub(super) fn kept(
    settings: &TrialSettings,
    dataset: &Dataset,
    base: Option<&Model>,
    copies: usize,
) -> u64 {
    let numbers = blueprint(settings, dataset, base).held(copies, 0, 0.0);
    numbers.saturating_mul(size_of::<f32>() as u64)
}

/// Refuses a trial of a network that would take more bytes than `most` while it trains, beside its data,
/// and keeps so many copies of what it learns. What is small is left out: this tells what cannot be
/// from what can, and not to the byte.
pub(super) fn check_memory(
    settings: &TrialSettings,
    dataset: &Dataset,
    base: Option<&Model>,
    kept: usize,
    most: u64,
) -> Result<(), TrialError> {
    let blueprint = checked_blueprint(settings, dataset, base)?;
    let rows = settings.batch_size.min(dataset.part(Part::Train).rows());
    // Beside what it keeps there are gradients, and a checkpoint of what it keeps is made.
    let copies = 2 * kept + 1;
    let rows_of = |part| dataset.part(part).rows();
    let evaluated = rows_of(Part::Valid).max(rows_of(Part::Test));
    let evaluated = evaluated * blueprint.architecture.predicted();
    let numbers = blueprint.held(copies, rows, settings.dropout) + evaluated as u64;
    let needed = numbers.saturating_mul(size_of::<f32>() as u64);
    if needed <= most {
        return Ok(());
    }
    Err(TrialError::TooMuchMemory {
        model: settings.model.told(),
        rows,
        needed,
        most,
        lower: match dataset.task() {
            Task::Text { .. } => "`batch_size`, `context`, `width` or `layers`",
            _ => "`batch_size`, `width` or `layers`",
        },
    })
}

fn remaining_steps(settings: &TrialSettings, subject: &Subject, cursor: Cursor) -> u64 {
    let left = match cursor.position {
        0 => 0,
        position => subject.rows().saturating_sub(position),
    };
    let begun = u32::from(cursor.position > 0);
    let untouched = settings
        .max_epochs
        .saturating_sub(cursor.epochs)
        .saturating_sub(begun);
    left.div_ceil(settings.step_rows()) as u64
        + u64::from(untouched) * steps_per_epoch(settings, subject)
}

fn steps_per_epoch(settings: &TrialSettings, subject: &Subject) -> u64 {
    subject.rows().div_ceil(settings.step_rows()) as u64
}

pub(super) fn blueprint<'a>(
    settings: &TrialSettings,
    dataset: &Dataset,
    base: Option<&'a Model>,
) -> Blueprint<'a> {
    let base = match (&settings.model, base) {
        (ModelSettings::Adapter(adapter), Some(base)) => {
            let adapter = Adapter {
                rank: adapter.rank,
                scale: adapter.scale() as f32,
                keeps_output: base.card().task == *dataset.task(),
            };
            Some((base.network(), adapter))
        }
        _ => None,
    };
    let model = base.map_or(&settings.model, |(base, _)| &base.architecture().model);
    Blueprint {
        architecture: Architecture {
            model: model.clone(),
            inputs: dataset.shape(),
            outputs: dataset.task().outputs(),
        },
        base,
    }
}

pub(super) fn objective(settings: &TrialSettings, subject: &Subject) -> Metric {
    settings
        .objective
        .unwrap_or_else(|| subject.usual_objective())
}

fn refuse(setting: &'static str, found: String, expected: String) -> TrialError {
    TrialError::Settings(SettingsError {
        setting,
        found,
        expected,
    })
}
