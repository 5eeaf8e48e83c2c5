//! The worker process, against a toy daemon over a real socket: real trials, real plugins, real
//! deaths.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

// The flight recorder's reader is the daemon's, and the daemon is in the same program; tests of what
// a dead worker left read it with the same code.
#[allow(dead_code)]
#[path = "../../src/clock.rs"]
mod clock;
#[allow(dead_code)]
#[path = "../../src/worker/flight.rs"]
mod flight;
#[path = "../support/mod.rs"]
mod support;
mod toy;

mod deaths;
mod leases;
mod probe;
mod resume;
mod steering;
mod threads;
