//! What the dashboard takes as people have it: the real program in a terminal, before the real
//! daemon.
//!
//! `cargo bench -p attune --bench dashboard` measures all of it and prints each figure beside its
//! goal. `-- large` measures a study of 50,000 trials alone: memory, rest, and how soon a key is
//! answered as seen from outside; `-- running` ten trials in training: what comes from the daemon,
//! and what goes to the terminal. How long the pure dashboard takes to draw is measured by
//! `attune-tui`'s own bench, `frames`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

#[allow(dead_code)] // The tests use the rest of it.
#[path = "../../tests/dashboard/ground.rs"]
mod ground;
mod large;
#[path = "../daemon/parts.rs"]
mod parts;
mod relay;
mod running;
#[path = "../../tests/support/mod.rs"]
mod support;
mod watched;

fn main() {
    parts::run(
        &[("large", large::measure), ("running", running::measure)],
        ", a terminal of 120 by 40",
    );
}
