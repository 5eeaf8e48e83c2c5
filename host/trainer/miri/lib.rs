//! What of the trainer Miri can run: `cargo +nightly miri test`.
#![allow(dead_code, unused_imports, unreachable_pub)]

#[path = "../src/kernel/mod.rs"]
mod kernel;
#[path = "../src/threads.rs"]
mod threads;
