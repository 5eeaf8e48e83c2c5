//! The dashboard as people have it: the real program in a terminal, before the real daemon.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code)] // The bench of the dashboard uses the rest of it.
mod ground;
mod lines;
mod restore;
mod shown;
mod story;
#[allow(dead_code)] // Other tests use the rest of it.
#[path = "../control/ground.rs"]
mod studies;
