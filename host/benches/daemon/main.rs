//! What the daemon can carry, and what it costs.
//!
//! `cargo bench -p attune --bench daemon` measures all of it, against rivals in the same run, and
//! prints each figure beside its goal. `-- throughput` measures that part alone; others are
//! `overhead`, `listeners` and `memory`. The rivals need Python: `host/benches/peers/install` brings
//! them into `target/peers`. What the store alone does is measured by its own benches, `ingest` and
//! `large`.

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
#[path = "../../tests/support/mod.rs"]
mod support;
mod throughput;

/// A part, and how it is measured; in short where cargo only wants to know that it runs.
type Part = (&'static str, fn(bool));

const PARTS: [Part; 4] = [
    ("throughput", throughput::measure),
    ("overhead", overhead::measure),
    ("listeners", listeners::measure),
    ("memory", memory::measure),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let is_short = !args.iter().any(|arg| arg == "--bench");
    let asked = |name: &str| args.iter().any(|arg| arg == name);
    let all = !PARTS.iter().any(|(name, _)| asked(name));
    println!("{}", house::machine());
    for (name, measure) in PARTS {
        if all || asked(name) {
            println!("\n{name}");
            measure(is_short);
        }
    }
}
