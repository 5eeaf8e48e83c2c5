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
#[allow(dead_code)] // The same.
#[path = "../daemon/house.rs"]
mod house;
mod large;
mod relay;
mod running;
#[path = "../../tests/support/mod.rs"]
mod support;
mod watched;

/// A part, and how it is measured; in short where cargo only wants to know that it runs.
type Part = (&'static str, fn(bool));

const PARTS: [Part; 2] = [("large", large::measure), ("running", running::measure)];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let is_short = !args.iter().any(|arg| arg == "--bench");
    let asked = |name: &str| args.iter().any(|arg| arg == name);
    let all = !PARTS.iter().any(|(name, _)| asked(name));
    println!("{}, a terminal of 120 by 40", house::machine());
    for (name, measure) in PARTS {
        if all || asked(name) {
            println!("\n{name}");
            measure(is_short);
        }
    }
}
