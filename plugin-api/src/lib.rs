//! The stable ABI between Attune and its scheduler plugins, and the author's kit.
//!
//! A **scheduler** steers the learning rate inside a training run. It lives in a shared library
//! that Attune loads at run time. Its author writes a plain Rust type, implements
//! [`Scheduler`] for it and lists it in one [`export!`] line; nothing else in this crate needs to
//! be understood to write a plugin.
//!
//! ```
//! use attune_plugin_api::prelude::*;
//!
//! /// Halves the rate every `period` steps.
//! #[derive(Serialize, Deserialize)]
//! struct Halving { period: u64, base: Vec<f64> }
//!
//! #[derive(Deserialize)]
//! struct HalvingParams { period: u64 }
//!
//! impl Scheduler for Halving {
//!     type Params = HalvingParams;
//!
//!     fn describe() -> Description {
//!         Description::new("halving", "Halves the rate every `period` steps.")
//!             .param(Param::int("period", 100).at_least(1).search_log(10, 1000)
//!                 .doc("Steps between two halvings."))
//!     }
//!
//!     fn configure(params: HalvingParams, setup: &Setup) -> Result<Self, Error> {
//!         Ok(Halving { period: params.period, base: setup.rates() })
//!     }
//!
//!     fn step(&mut self, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
//!         let halvings = (now.step() / self.period) as f64;
//!         rates.set_each(|group, _| self.base[group] * 0.5f64.powf(halvings));
//!         Ok(())
//!     }
//! }
//! # mod in_a_library_of_its_own { use super::Halving;
//! attune_plugin_api::export!(Halving);
//! # }
//! # fn main() { attune_plugin_api::conformance::check::<Halving>().unwrap(); }
//! ```
//!
//! # What lives here
//! - [`scheduler`]: the author's trait and what it sees ([`Now`]) and does ([`Rates`]).
//! - [`describe`] and [`param`]: how a scheduler describes itself and its parameters; from this
//!   come validation, help texts and the search space.
//! - [`signal`]: what a scheduler may ask to be shown at each step.
//! - [`controller`]: the same scheduler as the host sees it, a plain object-safe trait. A trainer
//!   steers through it and never knows whether a library stands behind it.
//! - [`v1`] and [`handshake`]: the two layers that cross the library boundary. Only loaders look
//!   at them.
//! - [`conformance`]: checks that every scheduler must pass.
//!
//! # Stability
//! ABI 1 stays **open until the first release**: services (line search) and update rules
//! (per-parameter methods) will be added to it. From the release on, [`v1`] is frozen and every
//! change is a `v2` beside it. Until then rebuild plugins together with the host; a mismatch is
//! refused at load with one clear line.
//!
//! # What must not live here
//! Nothing that trains, stores or searches; no threads, no globals, no file access. This crate
//! knows no other room of Attune.

pub mod conformance;
pub mod controller;
pub mod describe;
mod export;
pub mod handshake;
pub mod param;
pub mod scheduler;
pub mod signal;
mod state;
pub mod v1;

pub use controller::{CallError, Clock, Controller};
pub use describe::{Description, Library};
pub use param::{Param, PerGroup};
pub use scheduler::{Error, Group, Now, OptimizerKind, Rates, Scheduler, Setup};
pub use signal::{Signal, Slot};

/// Everything that a plugin's author needs, in one `use`.
pub mod prelude {
    pub use crate::{
        Description, Error, Group, Now, OptimizerKind, Param, PerGroup, Rates, Scheduler, Setup,
        Signal, Slot,
    };
    pub use serde::{Deserialize, Serialize};
}

#[doc(hidden)]
pub mod reexport {
    //! What the [`crate::export!`] macro names, so that a plugin needs no dependency but this one.
    pub use crate::export::{create, describe, plugin};
    pub use abi_stable;
}

/// The plugin that the project's front page shows must compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct FrontPage;
