//! What a daemon takes with ten thousand trials stored, and how long it takes to start on a large
//! store: after it was stopped, and after it was killed while it wrote.

use crate::house::House;
use crate::support::{Home, signal, wait_until};
use crate::throughput::{line, near_zero};
use attune_protocol::TrialsQuery;
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const TRIALS: usize = 10_000;

pub fn measure(is_short: bool) {
    let trials = if is_short { 100 } else { TRIALS };
    let house = House::new(&[("line.csv", &line())]);
    let ran = house.run(&near_zero(trials), 2);
    let trained = house.block_on(house.client.status()).unwrap();
    for _ in 0..5 {
        house.block_on(house.client.study(&ran.id)).unwrap();
    }
    let listed = house.block_on(house.client.status()).unwrap();
    println!(
        "{trials} trials: {} MB after they were trained, {} MB after they were listed (goal: 150 MB)",
        trained.memory_bytes >> 20,
        listed.memory_bytes >> 20
    );
    let began = Instant::now();
    let (mut from, mut rows) = (Some(0), 0);
    while let Some(next) = from {
        let which = TrialsQuery {
            from: Some(next),
            limit: None,
        };
        let page = house
            .block_on(house.client.trials(&ran.id, &which))
            .unwrap();
        rows += page.rows.len();
        from = page.next;
    }
    println!(
        "a table of {rows} trials, page by page: {:.0} ms, {} MB of memory",
        began.elapsed().as_secs_f64() * 1e3,
        house.block_on(house.client.status()).unwrap().memory_bytes >> 20
    );
    drop(house);

    let home = Home::new();
    fill(&home.state().join("store"), is_short);
    start(&home, "a store that was filled");
    home.run(&["daemon", "stop"]).ok();
    start(&home, "after it was stopped");
    signal(home.daemon_pid().unwrap(), Signal::KILL);
    wait_until(|| home.daemon_pid().is_none(), "the daemon is gone");
    start(&home, "after it was killed");
}

/// Starts the daemon and tells how long it took until it answered, the command's own time included.
fn start(home: &Home, when: &str) {
    let began = Instant::now();
    home.run(&["daemon", "start"]).ok();
    let took = began.elapsed().as_secs_f64();
    let status = home.json(&["status", "--json"]);
    println!(
        "start {when}: {took:.2} s with {} MB on the disk (goal: 2 s with 1 GB), {} MB of memory",
        status["store_bytes"].as_u64().unwrap() >> 20,
        status["memory_bytes"].as_u64().unwrap() >> 20,
    );
}

/// The store's own bench knows what a large store is made of.
fn fill(store: &Path, is_short: bool) {
    std::fs::create_dir_all(store).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["bench", "--quiet", "-p", "attune-store", "--bench", "large"])
        .env("ATTUNE_STORE_BENCH_PART", "fill")
        .env("ATTUNE_STORE_BENCH_DIR", store);
    if is_short {
        // What it does where it is not a measurement is enough.
        cargo.args(["--", "--short"]);
    }
    assert!(cargo.status().unwrap().success());
}
