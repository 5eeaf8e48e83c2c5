//! Training: data, networks and other tasks, optimizers, telemetry and saved models.
//!
//! ```
//! use attune_plugin_api::controller::InProcess;
//! use attune_plugin_api::prelude::*;
//! use attune_trainer::data::{DataOptions, Dataset, Table};
//! use attune_trainer::trial::{Trial, TrialSettings};
//! use std::sync::{Arc, atomic::AtomicBool};
//!
//! /// The simplest of schedulers.
//! #[derive(Serialize, Deserialize)]
//! struct Constant {}
//!
//! impl Scheduler for Constant {
//!     type Params = Constant;
//!
//!     fn describe() -> Description {
//!         Description::new("constant", "Leaves every rate as it is.")
//!     }
//!
//!     fn configure(params: Constant, _: &Setup) -> Result<Self, Error> {
//!         Ok(params)
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! attune_trainer::use_one_thread()?;
//! # let csv = "x,y\n".to_owned() + &"1,a\n2,b\n".repeat(20);
//! let table = Table::parse("data.csv", csv.as_bytes())?;
//! let data = Arc::new(Dataset::prepare(&table, &DataOptions::of_target("y"))?);
//! let settings = TrialSettings { max_epochs: 3, ..TrialSettings::default() }.check()?;
//! let setup = Trial::setup(&settings, &data);
//! let scheduler = InProcess::<Constant>::configure(&Default::default(), &setup)?;
//! let mut trial = Trial::new(settings, data, Box::new(scheduler))?;
//! trial.run_until(3, &mut (), &AtomicBool::new(false))?;
//! let mut model = trial.model(serde_json::Value::Null)?;
//! let predictions = model.predict(&table)?;
//! # let _ = predictions;
//! # Ok(())
//! # }
//! ```
//!
//! # What lives here
//! - [`data`]: from tables, arrays, pictures and texts to rows of finite numbers, fitted on training
//!   rows only.
//! - [`trial`]: one training run, advanced in pieces, steered through
//!   [`Controller`](attune_plugin_api::Controller).
//! - [`metrics`]: how good predictions are.
//! - [`artifact`]: trained models as files.
//! - [`task`]: what a trial can train that is no network on a dataset, and how to bring one's own.
//! - Inside: layers and the networks made of them, dfdx's plain operations that train the same
//!   networks, the update rules, and the signals that schedulers ask for.
//!
//! # What must not live here
//! Queues, stores, searches, or sockets: a trial trains on the thread that calls it, or on several of its
//! own where [`use_threads`] says so, and hears of nothing else. No other room
//! names dfdx. Nothing here knows whether a shared library stands behind a scheduler.
//!
//! # The same every time
//! All chance comes from ChaCha8 streams keyed by (seed, purpose, index), and every sum has
//! a fixed order. On one machine a trial is a function of settings, data and scheduler, bit for bit;
//! also where it was put aside as a [`Checkpoint`](trial::Checkpoint) at any step and restored in
//! another process, and where a person steered it, at the same steps in the same way.

pub mod artifact;
pub mod data;
mod kernel;
mod layer;
pub mod metrics;
mod model;
mod optimizer;
mod plain;
mod random;
mod signals;
pub mod task;
mod tensor_file;
mod threads;
pub mod trial;

pub use kernel::{Activation, Loss};
pub use layer::Pooling;
pub use model::{
    AdapterSettings, CnnSettings, MlpSettings, ModelSettings, NormKind, TabularResnetSettings,
    TransformerSettings,
};
pub use threads::{ThreadsError, use_one_thread, use_threads};

/// Whether this build can train on NVIDIA GPUs: it has the feature `cuda`.
pub const HAS_CUDA: bool = cfg!(feature = "cuda");
