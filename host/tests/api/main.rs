//! The API of a real daemon under clients that mean it no good, or no longer mean anything.
//!
//! Everything random follows from a seed that every failure tells. `ATTUNE_API_SEED=N` sets another,
//! `ATTUNE_API_REQUESTS=N` the number of requests of the fuzz, which takes some seconds by default.
//! A fuzz that is driven by the served OpenAPI document is `host/benches/fuzz_api/run.py`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

#[path = "../support/mod.rs"]
mod support;

mod draw;
mod hand;
mod wire;

mod best;
mod care;
mod clients;
mod doctor;
mod events;
mod fuzz;
mod insight;
mod table;
mod threads;
