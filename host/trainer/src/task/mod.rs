//! What a trial can train that is no network on a dataset: a task, with data, parameters and a loss
//! of its own.
//!
//! A [`Task`] says what its parameters are and computes losses and gradients. All else is the
//! trial's: steps and epochs, the update rule, the scheduler with its signals, clipping,
//! accumulation, averages, the best epoch, checkpoints.
//!
//! Two come along, both to study schedulers on: [`Function`], test functions whose curvature and
//! noise are known, and [`Factorisation`], V ≈ W·H with nonnegative factors. `examples/custom-task`
//! is one from outside.
//!
//! ```
//! # use attune_plugin_api::controller::InProcess;
//! # use attune_plugin_api::prelude::*;
//! use attune_trainer::task::{FunctionSettings, Shape};
//! use attune_trainer::trial::{Subject, Trial, TrialSettings};
//! use std::sync::atomic::AtomicBool;
//! #
//! # #[derive(Serialize, Deserialize)]
//! # struct Constant {}
//! #
//! # impl Scheduler for Constant {
//! #     type Params = Constant;
//! #
//! #     fn describe() -> Description {
//! #         Description::new("constant", "Leaves every rate as it is.")
//! #     }
//! #
//! #     fn configure(params: Constant, _: &Setup) -> Result<Self, Error> {
//! #         Ok(params)
//! #     }
//! # }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let valley = FunctionSettings {
//!     shape: Shape::Quadratic { condition: 50.0 },
//!     dimensions: 10,
//!     ..FunctionSettings::default()
//! };
//! let subject = Subject::task(valley.check()?)?;
//! let settings = TrialSettings { max_epochs: 3, ..TrialSettings::default() }.check()?;
//! let setup = Trial::setup(&settings, &subject);
//! let scheduler = InProcess::<Constant>::configure(&Default::default(), &setup)?;
//! let mut trial = Trial::new(settings, &subject, Box::new(scheduler))?;
//! trial.run_until(3, &mut (), &AtomicBool::new(false))?;
//! for (parameters, values) in trial.best_parameters() {
//!     println!("{} {:?}: {values:?}", parameters.name, parameters.shape);
//! }
//! # Ok(())
//! # }
//! ```

mod checked;
mod factorisation;
mod function;

pub(crate) use checked::{CheckedTask, values};
pub use factorisation::{Factorisation, FactorisationSettings};
pub use function::{Function, FunctionSettings, Shape};

pub use crate::model::Kind;
pub use crate::random::Random;

use crate::metrics::{Metric, Scores};
use crate::random::Purpose;

/// Why a task cannot go on: any error, or a sentence.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Data, parameters and a loss that a trial can train.
///
/// All is asked of `&self`: what a task answers follows from what it was made of and what it is
/// given, and it remembers nothing from one call to the next. Then a trial of it goes on from any
/// checkpoint bit for bit. An error or a panic ends the trial as failed, with the message.
///
/// Values and gradients are slices of numbers, one a group, in the order of
/// [`parameters`](Task::parameters).
pub trait Task: Send + Sync {
    /// A short name, for messages.
    fn name(&self) -> String;

    /// What it was made of, to the last number: its settings, and a [`checksum`] of its data. A
    /// checkpoint is gone on from only with a task of the same fingerprint.
    fn fingerprint(&self) -> String;

    /// Its parameters: at least one group, each with a learning rate of its own.
    fn parameters(&self) -> Vec<Parameters>;

    /// Where the parameters start, drawn from a stream of the trial's seed.
    fn start(&self, random: &mut Random) -> Vec<Vec<f32>>;

    /// How many rows there are to train on. An epoch sees each once, in an order of its own;
    /// rows that make a step are `batch_size` times `accumulate`.
    fn rows(&self) -> usize;

    /// The mean loss over the batch's rows at these values, and its gradients, which arrive as
    /// zeros.
    ///
    /// # Errors
    /// Ends the trial. A loss that is not finite ends it too, as one that diverged.
    fn learn(
        &self,
        batch: &Batch<'_>,
        values: &[&[f32]],
        gradients: &mut [&mut [f32]],
    ) -> Result<f32, Failure>;

    /// Moves the values back to where they may be, after each update. Where averages of the
    /// parameters are kept (`ema`), what may be must be convex.
    ///
    /// # Errors
    /// Ends the trial.
    fn project(&self, values: &mut [&mut [f32]]) -> Result<(), Failure> {
        let _ = values;
        Ok(())
    }

    /// What [`validate`](Task::validate) measures: [`Metric::Loss`] and what else it likes. The
    /// first is the objective.
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::Loss]
    }

    /// What no batch's loss is below, where that is known: some schedulers step by how far the loss
    /// is from it.
    fn loss_lower_bound(&self) -> Option<f64> {
        None
    }

    /// All of [`metrics`](Task::metrics) at these values, on rows that are not trained on where
    /// that can be.
    ///
    /// # Errors
    /// Ends the trial.
    fn validate(&self, values: &[&[f32]]) -> Result<Scores, Failure>;
}

/// A group of parameters: one tensor, with a learning rate of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Its name, unique in the task; what schedulers and checkpoints know it by.
    pub name: String,
    /// What it is for: what schedulers see as its tag.
    pub kind: Kind,
    /// Its sides, the last one's numbers next to each other.
    pub shape: Vec<usize>,
    /// Whether weight decay applies, unless the settings' `group_decay` says otherwise of its
    /// kind.
    pub decays: bool,
}

impl Parameters {
    /// A group that decays as networks' groups of this kind do: weights and embeddings, and not
    /// biases and norms.
    pub fn new(name: impl Into<String>, kind: Kind, shape: impl Into<Vec<usize>>) -> Self {
        Parameters {
            name: name.into(),
            kind,
            shape: shape.into(),
            decays: kind.decays(),
        }
    }

    /// How many numbers it has; nothing where that overflows.
    pub fn size(&self) -> Option<usize> {
        let mut sides = self.shape.iter();
        sides.try_fold(1_usize, |size, &side| size.checked_mul(side))
    }
}

/// A batch of training rows.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The rows, at least one, each below [`Task::rows`].
    pub rows: &'a [u32],
    /// Its number in the run, from 0. Where several make a step and an epoch's last step has fewer,
    /// those that it lacks are counted too.
    pub number: u64,
    /// The trial's seed.
    pub seed: u64,
}

impl Batch<'_> {
    /// The stream of random numbers that belongs to this batch: the same wherever the trial was
    /// cut.
    pub fn random(&self) -> Random {
        Random::of(self.seed, Purpose::Noise, self.number)
    }
}

/// The CRC-32 of numbers, bit for bit, for a [`fingerprint`](Task::fingerprint).
pub fn checksum(numbers: &[f32]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
    hasher.finalize()
}
