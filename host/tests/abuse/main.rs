//! What misbehaves, through the real daemon and real workers: plugins that panic, crash, exit, hang,
//! take all memory or give numbers that are none, when they are asked what they hold, loaded,
//! configured or in the middle of a step; and files that change or vanish under a study. It costs
//! workers, and at most the trial: never the daemon, nor anybody else's trial.
//!
//! Studies here have no rungs, so that what one trial comes to says nothing about another: each of
//! the others must end exactly as it does beside a plugin that behaves.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

#[path = "../support/mod.rs"]
mod support;

mod deeds;
mod files;
mod ground;
mod probe;
mod quarantine;
mod swap;
