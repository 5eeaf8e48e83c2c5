//! GreedyLR and reduce-on-plateau: schedulers that react to a metric.
//!
//! - [`greedy`]: raises the rate while the metric improves and lowers it while it does not.
//! - [`plateau`]: lowers the rate when the metric has stopped improving.
//! - [`comparison`]: what "better" means, shared by both.
//! - [`window`]: the running mean that GreedyLR can look through.
//!
//! How often a metric arrives (each step, each epoch, every N steps) matters as much as any
//! parameter here and is a setting of the session. A metric that is not finite counts as no
//! improvement; whether it arrives here at all is the session's setting too.
//!
//! What must not live here: schedules that are functions of the step alone, and anything that
//! needs a gradient.

pub mod comparison;
pub mod greedy;
pub mod plateau;
pub mod window;

pub use greedy::Greedy;
pub use plateau::Plateau;

#[cfg(test)]
mod replay;

attune_plugin_api::export!(Greedy, Plateau);
