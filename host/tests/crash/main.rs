//! What survives: daemons and workers that are killed or stopped, files that are cut or damaged, and
//! a disk that is full. In the end there must be what an undisturbed run gives, bit for bit.
//!
//! Everything random follows from a seed that every failure tells; `ATTUNE_CRASH_SEED=N` sets
//! another. In their usual form the kill test makes 20 kills, and the torn writes are one of each
//! kind of file; their full forms, of some minutes each, are
//!
//! ```text
//! ATTUNE_KILLS=200 cargo test -p attune --test crash kills -- --nocapture
//! ATTUNE_TORN=200 cargo test -p attune --test crash wounded -- --nocapture
//! ```
//!
//! The full disk needs a file system of its own and so the right to mount one; without it that test
//! says that it was skipped. Nothing sleeps for a result: tests wait for conditions, and the pauses
//! between kills are where in the study the next one lands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    unreachable_pub
)]

#[path = "../support/mod.rs"]
mod support;

mod ground;
mod outcome;

mod disk;
mod kills;
mod points;
mod stopped;
mod torn;
mod wishes;
