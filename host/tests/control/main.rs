//! Taking hold of what runs, through the real program: the daemon itself, and pause, resume, stop,
//! removal, steering, forks, comparison and `attune status`, which says why nothing moves.
//!
//! How fast a worker obeys is printed: `cargo test -p attune --test control obey -- --nocapture`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    unreachable_pub
)]

#[path = "../support/mod.rs"]
mod support;

mod adapters;
mod asking;
mod check;
mod compare;
mod daemon;
mod data;
mod datasets;
mod fork;
mod ground;
mod killed;
mod lifecycle;
mod log;
mod models;
mod more;
mod notes;
mod obey;
mod pause;
mod preview;
mod remove;
mod retry;
mod signals;
mod status;
mod tasks;
mod threads;
