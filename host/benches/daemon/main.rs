//! What the daemon can carry, and what it costs.
//!
//! `cargo bench -p attune --bench daemon` measures all of it, against rivals in the same run, and
//! prints each figure beside its goal. `-- throughput` measures that part alone; others are
//! `overhead`, `listeners`, `memory` and `workers`. The rivals need Python:
//! `host/benches/peers/install` brings them into `target/peers`. What the store alone does is
//! measured by its own benches, `ingest` and `large`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

mod house;
mod listeners;
mod memory;
mod overhead;
mod parts;
#[path = "../../tests/support/mod.rs"]
mod support;
mod throughput;
mod workers;

fn main() {
    parts::run(
        &[
            ("throughput", throughput::measure),
            ("overhead", overhead::measure),
            ("listeners", listeners::measure),
            ("memory", memory::measure),
            ("workers", workers::measure),
        ],
        "",
    );
}
