//! How fast the store takes in what trials report, and how many bytes a step costs.
//!
//! `cargo bench -p attune-store` prints a table. All writes are durable: every figure has its syncs
//! in it. The folder is made where `TMPDIR` says, so that another disk can be measured.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Instant;

use attune_store::{Batch, EpochMetrics, Knowledge, Steps, Store, StudyId};

const ROWS: u64 = 1_000_000;

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let rows = if std::env::args().any(|arg| arg == "--bench") {
        ROWS
    } else {
        20_000
    };
    println!("step records (f32 loss, f64 rate), {rows} a run");
    println!(
        "{:<24} {:>8} {:>14} {:>14}",
        "rate", "batch", "records/s", "bytes/record"
    );
    for (name, rate) in RATES {
        for batch in [256, 1024, 8192] {
            ingest(name, *rate, rows, batch);
        }
    }
    println!("\nsingle durable writes of an epoch's metrics");
    for threads in [1, 8] {
        singles(threads, rows / 500);
    }
    reopening(rows);
}

type Rate = fn(u64) -> f64;

/// Rates as schedulers give them, by step.
const RATES: &[(&str, Rate)] = &[
    ("constant", |_| 0.1),
    ("cosine", |step| {
        0.05 * (1.0 + (step as f64 * std::f64::consts::PI / 1e6).cos())
    }),
    ("exponential", |step| 0.1 * 0.999_99_f64.powf(step as f64)),
    ("greedy (jumps)", |step| {
        0.1 * 0.9_f64.powi((noise(step / 200) * 20.0) as i32)
    }),
    ("hypergradient (noise)", |step| 0.1 + 0.01 * noise(step)),
];

/// A loss that falls and is noisy in all its bits.
fn loss(step: u64) -> f32 {
    (2.0 / (1.0 + step as f64 / 5e4) + 0.2 * noise(step.wrapping_mul(31))) as f32
}

/// SplitMix64 of the step, from 0 to 1.
fn noise(step: u64) -> f64 {
    let mut z = step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as f64 / u64::MAX as f64
}

fn table(steps: std::ops::Range<u64>, rate: Rate) -> Steps {
    Steps::new(steps.clone().collect())
        .with_f32("loss", steps.clone().map(loss).collect())
        .with_f64("rate", steps.map(rate).collect())
}

fn open(dir: &Path) -> Store {
    Store::open(dir, "bench").unwrap().0
}

fn ingest(name: &str, rate: Rate, rows: u64, batch: u64) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let tables: Vec<Steps> = (0..rows / batch)
        .map(|number| table(number * batch..(number + 1) * batch, rate))
        .collect();
    let trial = StudyId(1).trial(0);
    let start = Instant::now();
    for table in &tables {
        store.append_steps(trial, table).unwrap();
    }
    let took = start.elapsed().as_secs_f64();
    // After a checkpoint the journal is what the live records take.
    store.checkpoint().unwrap();
    let written = (rows / batch * batch) as f64;
    println!(
        "{name:<24} {batch:>8} {:>14.0} {:>14.2}",
        written / took,
        bytes(&dir.path().join("journal")) as f64 / written
    );
}

fn singles(threads: u64, writes: u64) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let metrics = EpochMetrics::from([("loss".to_owned(), 0.5), ("accuracy".to_owned(), 0.9)]);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (store, metrics) = (&store, &metrics);
            scope.spawn(move || {
                for epoch in 0..writes {
                    let trial = StudyId(1).trial(thread as u32);
                    store.put_epoch(trial, epoch as u32, metrics).unwrap();
                }
            });
        }
    });
    let took = start.elapsed().as_secs_f64();
    println!(
        "{threads} threads: {:.0} writes/s",
        (threads * writes) as f64 / took
    );
}

fn reopening(rows: u64) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 0..rows / 20 {
        let knowledge = Knowledge {
            version: 1,
            bytes: vec![7; 100],
        };
        let batch = (0..20).fold(Batch::new(), |batch, slot| {
            batch.put_knowledge("bench", &(number * 20 + slot).to_string(), &knowledge)
        });
        store.apply(batch).unwrap();
    }
    drop(store);
    let size = bytes(&dir.path().join("journal")) >> 20;
    println!("\nopening {rows} records of 100 bytes ({size} MiB of journal)");
    println!("comparing with the index: {:.2} s", opening(dir.path()));
    std::fs::remove_dir_all(dir.path().join("index.1")).unwrap();
    println!("rebuilding the index: {:.2} s", opening(dir.path()));
}

/// Seconds.
fn opening(dir: &Path) -> f64 {
    let start = Instant::now();
    let _store = open(dir);
    start.elapsed().as_secs_f64()
}

fn bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}
