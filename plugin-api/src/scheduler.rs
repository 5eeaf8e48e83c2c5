//! The author's side: the [`Scheduler`] trait, what it sees and what it does.

use crate::controller::Clock;
use crate::describe::Description;
use crate::signal::{Layout, Signal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A learning-rate scheduler.
///
/// The type itself is the state: it is saved and loaded whole through serde, so that a run that
/// resumes continues bit for bit. Keep everything that decides a rate in its fields, and nothing
/// in globals or thread-locals: one call comes after another, but not always on the same thread.
///
/// The host calls [`configure`](Scheduler::configure) once, then for every training step
/// [`step`](Scheduler::step) just before the update is made (the rate of *this* step is fixed
/// there), and [`metric`](Scheduler::metric) whenever the session's metric arrives. Both have a
/// default that changes nothing: implement the one you need.
pub trait Scheduler: Serialize + DeserializeOwned + Send + 'static {
    /// The parameters as plain fields, named as in [`describe`](Scheduler::describe). The host has
    /// checked every value against its description before this type is made.
    type Params: DeserializeOwned;

    /// Raise it when the fields change their meaning or order; older saved states are then refused
    /// with a clear message instead of being misread.
    const STATE_VERSION: u8 = 1;

    /// Name, purpose, parameters and needed signals.
    fn describe() -> Description;

    /// Makes the scheduler for one training run.
    ///
    /// # Errors
    /// What the parameters' descriptions cannot say: two values that contradict each other, a list
    /// that does not fit the number of groups, a horizon that is needed and unknown.
    fn configure(params: Self::Params, setup: &Setup) -> Result<Self, Error>;

    /// What the user should know about this configuration before the run starts, a sentence each:
    /// a patience that can never be reached, a starting rate outside its bounds.
    fn warnings(&self, setup: &Setup) -> Vec<String> {
        let _ = setup;
        Vec::new()
    }

    /// Just before a step's update: the declared signals are there, and what `rates` holds
    /// afterwards is the rate of this step.
    ///
    /// # Errors
    /// Any error ends the trial as failed, with the message shown to the user.
    fn step(&mut self, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        let _ = (now, rates);
        Ok(())
    }

    /// A metric arrived, at the cadence that the session chose. Only called where the description
    /// says [`Description::reads_metric`].
    ///
    /// # Errors
    /// As for [`step`](Scheduler::step).
    fn metric(&mut self, value: f64, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        let _ = (value, now, rates);
        Ok(())
    }
}

/// What a scheduler is told once, before the first step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The parameter groups, in the order of all per-group numbers.
    pub groups: Vec<Group>,
    /// Planned steps of the whole run, where known.
    pub total_steps: Option<u64>,
    /// Steps in one pass over the training data, where known.
    pub steps_per_epoch: Option<u64>,
    /// How often [`Scheduler::metric`] is planned to be called, where known.
    pub metric_calls: Option<u64>,
    /// Whether the session's metric is better when lower.
    pub metric_minimized: bool,
    /// The optimizer whose rate is steered.
    #[serde(flatten, with = "told")]
    pub optimizer: OptimizerKind,
    /// The bound that rates in force are held below, where there is one: the session's `max_lr`.
    #[serde(default)]
    pub lr_upper_bound: Option<f64>,
    /// What no batch's loss is below, where that is known, as for Polyak steps: 0 for cross-entropy
    /// and for the losses of numbers.
    #[serde(default)]
    pub loss_lower_bound: Option<f64>,
    /// Whether some layers normalise by the batch's own mean and variance, so that the loss does not
    /// depend on the scale of the weights before them.
    #[serde(default)]
    pub batch_norm: bool,
    /// A seed of this run's own, for schedulers that draw random numbers.
    pub seed: u64,
}

impl Setup {
    /// A setup of these starting rates, one group each, for traces and tests.
    pub fn of_rates(rates: &[f64]) -> Self {
        Setup {
            groups: rates
                .iter()
                .enumerate()
                .map(|(index, &lr)| Group {
                    name: format!("group{index}"),
                    lr,
                    momentum: None,
                    beta2: None,
                    weight_decay: 0.0,
                    size: 0,
                    tags: Vec::new(),
                })
                .collect(),
            total_steps: None,
            steps_per_epoch: None,
            metric_calls: None,
            metric_minimized: true,
            optimizer: OptimizerKind::Sgd,
            lr_upper_bound: None,
            loss_lower_bound: None,
            batch_norm: false,
            seed: 0,
        }
    }

    /// The starting rates, one a group.
    pub fn rates(&self) -> Vec<f64> {
        self.groups.iter().map(|group| group.lr).collect()
    }

    /// The number of steps over which a schedule stretches: the parameter where the user set one
    /// (above zero), else the planned length of the run.
    ///
    /// # Errors
    /// When neither is known.
    pub fn horizon(&self, parameter: &str, value: u64) -> Result<u64, Error> {
        match (value, self.total_steps) {
            (0, None | Some(0)) => Err(Error::new(format!(
                "the length of the run is not known; set `{parameter}` to the number of steps"
            ))),
            (0, Some(total)) => Ok(total),
            (set, _) => Ok(set),
        }
    }
}

/// One parameter group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name, unique in the run.
    pub name: String,
    /// The starting learning rate, finite and not negative.
    pub lr: f64,
    /// SGD's momentum or Adam's beta1, where the optimizer has one.
    pub momentum: Option<f64>,
    /// The decay rate of the mean of squared gradients (Adam's beta2), or of Lion's momentum, where
    /// the optimizer has one. It stays as it is.
    #[serde(default)]
    pub beta2: Option<f64>,
    /// The weight decay: in the gradient, or decoupled for AdamW and Lion. It stays as it is.
    #[serde(default)]
    pub weight_decay: f64,
    /// How many numbers it holds; 0 where unknown.
    pub size: u64,
    /// What it holds: `weight`, `bias`, `norm`, `embedding`, `factor`.
    pub tags: Vec<String>,
}

/// The optimizer that makes the update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OptimizerKind {
    /// Gradient descent, with heavy-ball momentum where a group has one.
    Sgd,
    /// Gradient descent with Nesterov's momentum.
    Nesterov,
    /// Adam with L2 regularisation in the gradient.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
    /// RMSprop, with momentum where a group has one.
    RmsProp,
    /// Adagrad, which has no momentum.
    Adagrad,
    /// Lion: steps of one length, with decoupled weight decay.
    Lion,
}

impl OptimizerKind {
    /// Every optimizer.
    pub const ALL: [OptimizerKind; 7] = [
        OptimizerKind::Sgd,
        OptimizerKind::Nesterov,
        OptimizerKind::Adam,
        OptimizerKind::AdamW,
        OptimizerKind::RmsProp,
        OptimizerKind::Adagrad,
        OptimizerKind::Lion,
    ];

    /// The one of the first four that is steered most like this one.
    fn kin(self) -> OptimizerKind {
        match self {
            OptimizerKind::RmsProp | OptimizerKind::Adagrad => OptimizerKind::Adam,
            OptimizerKind::Lion => OptimizerKind::AdamW,
            known => known,
        }
    }
}

/// How a [`Setup`] tells the optimizer: plugins that were built when there were four know no other
/// words, so a later kind stands under a key of its own, beside the one of the four that it is kin
/// to.
mod told {
    use super::OptimizerKind;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Told {
        optimizer: OptimizerKind,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        update_rule: Option<OptimizerKind>,
    }

    pub(super) fn serialize<S: Serializer>(
        kind: &OptimizerKind,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let optimizer = kind.kin();
        let told = Told {
            optimizer,
            update_rule: (optimizer != *kind).then_some(*kind),
        };
        told.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<OptimizerKind, D::Error> {
        let told = Told::deserialize(deserializer)?;
        Ok(told.update_rule.unwrap_or(told.optimizer))
    }
}

/// What a scheduler sees at a step or a metric.
#[derive(Debug)]
pub struct Now<'a> {
    clock: &'a Clock,
    layout: &'a Layout,
    signals: &'a [f64],
}

impl<'a> Now<'a> {
    pub(crate) fn new(clock: &'a Clock, layout: &'a Layout, signals: &'a [f64]) -> Self {
        Now {
            clock,
            layout,
            signals,
        }
    }

    /// Updates made so far: 0 before the first.
    pub fn step(&self) -> u64 {
        self.clock.step
    }

    /// Passes over the training data so far, with the fraction of the running one.
    pub fn epoch(&self) -> f64 {
        self.clock.epoch
    }

    /// Training rows seen so far.
    pub fn samples(&self) -> u64 {
        self.clock.samples
    }

    /// A signal of scope [`Scope::Global`](crate::signal::Scope), NaN where the host has none yet
    /// or it was not declared.
    pub fn signal(&self, signal: Signal) -> f64 {
        self.of_group(signal, 0)
    }

    /// A signal of one group, NaN where the host has none yet or it was not declared.
    pub fn of_group(&self, signal: Signal, group: usize) -> f64 {
        self.layout
            .range(signal)
            .and_then(|range| self.signals.get(range)?.get(group).copied())
            .unwrap_or(f64::NAN)
    }
}

/// The learning rates and momenta that a scheduler may change, one a group. What it leaves alone
/// stays as it was.
#[derive(Debug)]
pub struct Rates<'a> {
    rates: &'a mut [f64],
    momenta: &'a mut [f64],
}

impl<'a> Rates<'a> {
    pub(crate) fn new(rates: &'a mut [f64], momenta: &'a mut [f64]) -> Self {
        Rates { rates, momenta }
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.rates.len()
    }

    /// The current rate of a group; NaN for a group that does not exist.
    pub fn get(&self, group: usize) -> f64 {
        self.rates.get(group).copied().unwrap_or(f64::NAN)
    }

    /// Sets the rate of a group; a group that does not exist is ignored.
    pub fn set(&mut self, group: usize, rate: f64) {
        if let Some(slot) = self.rates.get_mut(group) {
            *slot = rate;
        }
    }

    /// Sets every group's rate from its index and current rate.
    pub fn set_each(&mut self, mut rate: impl FnMut(usize, f64) -> f64) {
        for (group, slot) in self.rates.iter_mut().enumerate() {
            *slot = rate(group, *slot);
        }
    }

    /// Sets SGD's momentum or Adam's beta1 of every group; ignored by an optimizer without one.
    pub fn set_momentum(&mut self, momentum: f64) {
        self.momenta.fill(momentum);
    }
}

/// Why a scheduler cannot go on, in one sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Error(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::{OptimizerKind, Setup};

    /// A plugin of earlier days reads `optimizer` and ignores what it does not know.
    #[test]
    fn earlier_plugins_are_told_an_optimizer_that_they_know() {
        use OptimizerKind::{Adagrad, Adam, AdamW, Lion, Nesterov, RmsProp, Sgd};
        let kinds = [
            (Sgd, "sgd", None),
            (Nesterov, "nesterov", None),
            (Adam, "adam", None),
            (AdamW, "adam_w", None),
            (RmsProp, "adam", Some("rms_prop")),
            (Adagrad, "adam", Some("adagrad")),
            (Lion, "adam_w", Some("lion")),
        ];
        for (optimizer, word, rule) in kinds {
            let mut setup = Setup::of_rates(&[0.1, 1e-300]);
            setup.optimizer = optimizer;
            setup.seed = u64::MAX;
            let json = serde_json::to_string(&setup).unwrap();
            let told: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(told["optimizer"], word);
            assert_eq!(told.get("update_rule").and_then(|rule| rule.as_str()), rule);
            assert_eq!(serde_json::from_str::<Setup>(&json).unwrap(), setup);
        }
    }
}
