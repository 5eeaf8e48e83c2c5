//! Runs a study.
//!
//! The [`coordinator`] asks the conductor what to run, writes down what came of it, and tells an
//! [`Audience`]. It runs no plugin code and no training: the [`worker`] does, on threads of its own,
//! owns every trial, and speaks to the coordinator in the plain [`message`]s alone, so that it can
//! become a process without either noticing.

mod coordinator;
mod log;
mod message;
mod record;
mod worker;

pub(crate) use coordinator::{Coordinator, Cut, Ending, Interrupt, Plan};
pub(crate) use worker::Workshop;

use attune_protocol::Event;

/// Whoever wants to know what happens: a terminal, a log, a program.
pub(crate) trait Audience {
    /// Something happened, and is stored.
    fn tell(&mut self, event: &Event);

    /// Time passed; called several times a second while a study runs.
    fn tick(&mut self) {}
}
