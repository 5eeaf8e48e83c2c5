//! Cosine and its family: schedules that are functions of the step alone.
//!
//! Each file holds one schedule as a [`Shape`]: a pure function from the number of steps since the
//! warm-up to a factor between 0 and 1. [`schedule`] makes a scheduler of it,
//!
//! rate(group, t) = floor(group) + (peak(group) − floor(group)) · factor(t),
//!
//! and adds what all of them share: the length of the run, the optional [`warmup`] and the
//! [`floor`].
//!
//! # What holds for every schedule here
//! - **The starting rate of a group is its peak.** No schedule goes above it, so that a searched
//!   starting rate means the same whatever the schedule. (PyTorch's one-cycle and cyclic schedules
//!   take the peak as a parameter of its own.)
//! - **Step t is the t-th update, counted from 0.** Its rate is fixed just before it is made.
//! - **Length.** A schedule that stretches over the run ends at `total_steps`, or at the planned
//!   length of the run where that is 0. Warm-up steps are part of it.
//! - **Past its end** a schedule holds its last value. Schedules without an end go on: step,
//!   exponential, cyclic, inverse square root, and restarts with a `first_cycle`. The references
//!   agree except for cosine, which there climbs again; `past_end = "repeat"` does that here.
//!
//! What must not live here: anything that looks at a metric or a gradient.

pub mod floor;
pub mod schedule;
pub mod warmup;

pub mod constant;
pub mod cosine;
pub mod cosine_restarts;
pub mod cyclic;
pub mod exponential;
pub mod inverse_sqrt;
pub mod linear;
pub mod linear_to_zero;
pub mod multistep;
pub mod one_cycle;
pub mod polynomial;
pub mod rex;
pub mod step;
pub mod wsd;

pub use constant::Constant;
pub use cosine::Cosine;
pub use cosine_restarts::CosineRestarts;
pub use cyclic::Cyclic;
pub use exponential::Exponential;
pub use inverse_sqrt::InverseSqrt;
pub use linear::Linear;
pub use linear_to_zero::LinearToZero;
pub use multistep::Multistep;
pub use one_cycle::OneCycle;
pub use polynomial::Polynomial;
pub use rex::Rex;
pub use schedule::{Schedule, Shape, Span};
pub use step::Step;
pub use wsd::Wsd;

attune_plugin_api::export!(
    Schedule<Constant>,
    Schedule<Linear>,
    Schedule<Step>,
    Schedule<Multistep>,
    Schedule<Exponential>,
    Schedule<Polynomial>,
    Schedule<Cosine>,
    Schedule<CosineRestarts>,
    Schedule<OneCycle>,
    Schedule<Cyclic>,
    Schedule<InverseSqrt>,
    Schedule<Wsd>,
    Schedule<LinearToZero>,
    Schedule<Rex>,
);

#[cfg(test)]
mod family_tests;
#[cfg(test)]
mod known_values_tests;
#[cfg(test)]
mod replay;
