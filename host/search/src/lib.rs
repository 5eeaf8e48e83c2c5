//! Search spaces, searchers and fidelity policies: pure decisions, no I/O, no clock, no threads.
//!
//! Everything here is a function of (state, event, random stream). The [`conductor`] asks a
//! [`searcher`] what to try and a [`fidelity`] policy what to stop, and tells its caller which piece
//! of which trial to run next; training, time and storage are the caller's. What must not live here:
//! files, sockets, wall clocks, threads, and any knowledge of what a trial does.
//!
//! The natural order of reading is [`space`] → [`searcher`] → [`fidelity`] → [`conductor`] →
//! [`simulator`].

pub mod conductor;
pub mod direction;
pub mod fidelity;
pub mod importance;
pub mod searcher;
pub mod simulator;
pub mod space;
pub mod stream;
pub mod trial;

pub use conductor::{Conductor, Next, Order, Outcome, Ruling, Segment, Settings, Verdict};
pub use direction::Direction;
pub use fidelity::{Decision, FidelityPolicy};
pub use searcher::{Exhausted, Searcher};
pub use space::{Condition, Config, Domain, Parameter, Space, UncheckedSpace, Value};
pub use trial::TrialNumber;
