//! The numbers of a checkpoint that are no tensors.

use super::FORMAT;
use crate::data::Part;
use crate::metrics::{Metric, Scores};
use crate::trial::plan::Cursor;
use crate::trial::steering::{Due, Hand, SteeringState};
use crate::trial::{SteeringStats, Subject, Trial, TrialSettings};
use attune_plugin_api::{Clock, Setup, Signal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The part of a card that every version has.
#[derive(Deserialize)]
pub(super) struct Format {
    pub(super) format: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Card {
    format: u32,
    pub(super) settings: TrialSettings,
    /// The objective's name.
    pub(super) objective: String,
    pub(super) data: DataMark,
    pub(super) scheduler: String,
    pub(super) signals: Vec<Signal>,
    pub(super) setup: Setup,
    pub(super) steps: u64,
    pub(super) epochs: u32,
    pub(super) position: usize,
    epoch_loss: Exact,
    epoch_nanos: u64,
    measured: Vec<Exact>,
    pub(super) optimizer_steps: u64,
    pub(super) directed: bool,
    /// Whether the last step's gradients are kept for signals.
    #[serde(default)]
    pub(super) has_gradients: bool,
    /// Whether it has averages of the parameters.
    #[serde(default)]
    pub(super) averaged: bool,
    steering: SteeringCard,
    pub(super) best: Option<BestCard>,
}

/// A number with all its bits, which JSON keeps of finite ones only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Exact(u64);

impl From<f64> for Exact {
    fn from(value: f64) -> Self {
        Exact(value.to_bits())
    }
}

impl From<Exact> for f64 {
    fn from(exact: Exact) -> Self {
        f64::from_bits(exact.0)
    }
}

/// What data or a task are recognised by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DataMark {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) train_rows: usize,
    pub(super) valid_rows: usize,
    pub(super) test_rows: usize,
    pub(super) fingerprint: u32,
    /// What a task says it is made of; it alone and the number of rows are told of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) task: Option<String>,
    /// The hash of the base that there is to adapt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<String>,
}

impl DataMark {
    pub(super) fn of(subject: &Subject) -> Self {
        let dataset = subject.dataset();
        let rows = |part| dataset.map_or(0, |dataset| dataset.part(part).rows());
        DataMark {
            inputs: dataset.map_or(0, |dataset| dataset.shape().numbers()),
            outputs: dataset.map_or(0, |dataset| dataset.task().outputs()),
            train_rows: subject.rows(),
            valid_rows: rows(Part::Valid),
            test_rows: rows(Part::Test),
            fingerprint: dataset.map_or(0, |dataset| dataset.fingerprint()),
            task: subject.named_task().map(|(_, made_of)| made_of.to_owned()),
            base: subject.base().map(|base| base.hash().to_owned()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BestCard {
    pub(super) epoch: u32,
    pub(super) step: u64,
    objective: Exact,
    /// By the metrics' names.
    valid: BTreeMap<String, Exact>,
}

impl BestCard {
    pub(super) fn objective(&self) -> f64 {
        self.objective.into()
    }

    /// Of the metrics that are known, those that are in it.
    pub(super) fn valid(&self, known: &[Metric]) -> Scores {
        let valid = known
            .iter()
            .filter_map(|&metric| Some((metric, f64::from(*self.valid.get(metric.name())?))));
        valid.collect()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SteeringCard {
    origin_step: u64,
    origin_epoch: Exact,
    origin_samples: u64,
    due: Due,
    last_metric: Option<Exact>,
    own: Vec<Exact>,
    /// The rate that a person set, and what of.
    hand: Option<(Exact, Exact)>,
    momenta: Vec<Exact>,
    loss_sum: Exact,
    loss_count: u64,
    metric_calls: u64,
    metrics_not_finite: u64,
    clamped: u64,
    slowest_call_nanos: u64,
}

impl From<SteeringState> for SteeringCard {
    fn from(state: SteeringState) -> Self {
        SteeringCard {
            origin_step: state.origin.step,
            origin_epoch: state.origin.epoch.into(),
            origin_samples: state.origin.samples,
            due: state.due,
            last_metric: state.last_metric.map(Exact::from),
            own: exact(&state.own),
            hand: state.hand.map(|hand| (hand.rate.into(), hand.of.into())),
            momenta: exact(&state.momenta),
            loss_sum: state.loss_sum.into(),
            loss_count: state.loss_count,
            metric_calls: state.stats.metric_calls,
            metrics_not_finite: state.stats.metrics_not_finite,
            clamped: state.stats.clamped,
            slowest_call_nanos: nanos(state.stats.slowest_call),
        }
    }
}

impl Card {
    pub(super) fn of(trial: &Trial) -> Card {
        let steering = trial.steering.state();
        Card {
            format: FORMAT,
            settings: (**trial.settings()).clone(),
            objective: trial.objective.to_string(),
            data: DataMark::of(&trial.subject),
            scheduler: trial.steering.scheduler().to_owned(),
            signals: trial.steering.signals().to_vec(),
            setup: steering.setup.clone(),
            steps: trial.cursor.steps,
            epochs: trial.cursor.epochs,
            position: trial.cursor.position,
            epoch_loss: trial.epoch_loss.into(),
            epoch_nanos: nanos(trial.epoch_time),
            measured: exact(trial.signals.values()),
            optimizer_steps: trial.optimizer.steps(),
            directed: trial.optimizer.direction(0).is_some(),
            has_gradients: trial.signals.kept().has_gradients(),
            averaged: trial.averages.is_some(),
            steering: steering.into(),
            best: trial.best.as_ref().map(|best| BestCard {
                epoch: best.epoch,
                step: best.step,
                objective: best.objective.into(),
                valid: (best.valid.iter())
                    .map(|(metric, &value)| (metric.to_string(), value.into()))
                    .collect(),
            }),
        }
    }

    /// Whether it is one that a trial can have written; the error says why not.
    pub(super) fn check(&self) -> Result<(), String> {
        let rows = self.data.train_rows;
        let groups = self.setup.groups.len();
        let steering = &self.steering;
        let rate = |&exact: &Exact| {
            let rate = f64::from(exact);
            rate.is_finite() && rate >= 0.0
        };
        let most_steps = u64::from(self.settings.max_epochs).saturating_mul(rows as u64);
        let conditions = [
            (self.position < rows, "it stands outside its epoch"),
            (
                self.epochs <= self.settings.max_epochs && self.steps <= most_steps,
                "it is past its own end",
            ),
            (
                steering.origin_step <= self.steps,
                "its scheduler is from the future",
            ),
            (
                matches!(steering.due, Due::Steps(1..) | Due::Epochs(1..)),
                "its metric is never due",
            ),
            (
                steering.own.len() == groups && steering.momenta.len() == groups,
                "its parameter groups contradict each other",
            ),
            (
                steering.own.iter().chain(&steering.momenta).all(rate)
                    && steering
                        .hand
                        .is_none_or(|(set, of)| rate(&set) && rate(&of) && f64::from(of) > 0.0),
                "it has rates that are no rates",
            ),
            (
                self.best.as_ref().is_none_or(|best| {
                    best.valid.contains_key(Metric::Loss.name())
                        && best.valid.contains_key(&self.objective)
                }),
                "its best epoch has no objective",
            ),
        ];
        match conditions.into_iter().find(|(holds, _)| !holds) {
            Some((_, reason)) => Err(reason.to_owned()),
            None => Ok(()),
        }
    }

    pub(super) fn cursor(&self) -> Cursor {
        Cursor {
            steps: self.steps,
            epochs: self.epochs,
            position: self.position,
        }
    }

    pub(super) fn epoch_loss(&self) -> f64 {
        self.epoch_loss.into()
    }

    pub(super) fn epoch_time(&self) -> Duration {
        Duration::from_nanos(self.epoch_nanos)
    }

    /// The signals' last values.
    pub(super) fn measured(&self) -> Vec<f64> {
        inexact(&self.measured)
    }

    pub(super) fn steering(&self) -> SteeringState {
        let card = &self.steering;
        SteeringState {
            setup: self.setup.clone(),
            origin: Clock {
                step: card.origin_step,
                epoch: card.origin_epoch.into(),
                samples: card.origin_samples,
            },
            due: card.due,
            last_metric: card.last_metric.map(f64::from),
            own: inexact(&card.own),
            hand: card.hand.map(|(rate, of)| Hand {
                rate: rate.into(),
                of: of.into(),
            }),
            momenta: inexact(&card.momenta),
            loss_sum: card.loss_sum.into(),
            loss_count: card.loss_count,
            stats: SteeringStats {
                metric_calls: card.metric_calls,
                metrics_not_finite: card.metrics_not_finite,
                clamped: card.clamped,
                slowest_call: Duration::from_nanos(card.slowest_call_nanos),
            },
        }
    }
}

fn exact(values: &[f64]) -> Vec<Exact> {
    values.iter().copied().map(Exact::from).collect()
}

fn inexact(values: &[Exact]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
