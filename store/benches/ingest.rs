//! How fast the store takes in what trials report, and how many bytes a step costs.
//!
//! `cargo bench -p attune-store --bench ingest` prints a table. All writes are durable: every figure
//! has its syncs in it. The folder is made where `TMPDIR` says, so that another disk can be measured.
//!
//! The bytes are those of all files in the store's folder, right after the last write and after it
//! was compacted. With `-- sustained` there is only the long run.
//! The goal is 6 a record, at 500,000 records/s.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Instant;

use attune_store::{Batch, EpochMetrics, Knowledge, Steps, Store, StudyId};

const ROWS: u64 = 4_000_000;

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let rows = if std::env::args().any(|arg| arg == "--bench") {
        ROWS
    } else {
        20_000
    };
    // `-- sustained` leaves the rest out.
    if std::env::args().any(|arg| arg == "sustained") {
        return sustained(15 * rows);
    }
    println!("step records (f32 loss, f64 rate), {rows} a run");
    println!(
        "{:<34} {:>6} {:>12} {:>13} {:>13}",
        "rate", "batch", "records/s", "bytes/record", "compacted"
    );
    for (name, rate) in RATES {
        for batch in [256, 1024, 8192] {
            ingest(name, rate(rows), batch);
        }
    }
    sustained(15 * rows);
    println!("\nsingle durable writes of an epoch's metrics");
    for threads in [1, 8] {
        singles(threads, rows / 2000);
    }
    reopening(rows / 4);
}

/// The rates of so many steps.
type Rate = fn(u64) -> Vec<f64>;

/// Rates as schedulers give them, by step.
const RATES: &[(&str, Rate)] = &[
    ("constant", |rows| vec![0.1; rows as usize]),
    ("cosine", |rows| {
        let angle = |step| step as f64 * std::f64::consts::PI / 1e6;
        (0..rows)
            .map(|step| 0.05 * (1.0 + angle(step).cos()))
            .collect()
    }),
    ("exponential", |rows| {
        (0..rows)
            .map(|step| 0.1 * 0.999_99_f64.powf(step as f64))
            .collect()
    }),
    ("step decay", |rows| {
        (0..rows)
            .map(|step| 0.1 * 0.5_f64.powi((step / 10_000 % 10) as i32))
            .collect()
    }),
    ("greedy (jumps)", |rows| {
        let factor = |step: u64| 0.9_f64.powi((noise(step / 200) * 20.0) as i32);
        (0..rows).map(|step| 0.1 * factor(step)).collect()
    }),
    // rate += beta * (gradient . gradient before), as the hypergradient rule has it.
    ("hypergradient, f32 products", |rows| {
        hypergradient(rows, |product| f64::from(product as f32))
    }),
    ("hypergradient, f64 products", |rows| {
        hypergradient(rows, |product| product)
    }),
    ("hypergradient, rounded to f32", |rows| {
        let rates = hypergradient(rows, |product| product);
        rates
            .into_iter()
            .map(|rate| f64::from(rate as f32))
            .collect()
    }),
    ("52 random bits a step", |rows| {
        (0..rows).map(|step| 0.1 + 0.01 * noise(step)).collect()
    }),
];

fn hypergradient(rows: u64, product: fn(f64) -> f64) -> Vec<f64> {
    let mut rate = 0.1;
    let step = |step| {
        rate = f64::clamp(rate + 1e-5 * product(noise(step) - 0.5), 1e-3, 1.0);
        rate
    };
    (0..rows).map(step).collect()
}

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

fn table(rates: &[f64], first: u64) -> Steps {
    let steps = first..first + rates.len() as u64;
    Steps::new(steps.clone().collect())
        .with_f32("loss", steps.map(loss).collect())
        .with_f64("rate", rates.to_vec())
}

fn open(dir: &Path) -> Store {
    Store::open(dir, "bench").unwrap().0
}

fn ingest(name: &str, rates: Vec<f64>, batch: usize) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut first = 0;
    let mut tables = Vec::new();
    for rates in rates.chunks(batch) {
        tables.push(table(rates, first));
        first += rates.len() as u64;
    }
    let trial = StudyId(1).trial(0);
    let start = Instant::now();
    for table in &tables {
        store.append_steps(trial, table).unwrap();
    }
    let took = start.elapsed().as_secs_f64();
    let written = rates.len() as f64;
    let open = bytes(dir.path()) as f64 / written;
    store.compact().unwrap();
    let compact = bytes(dir.path()) as f64 / written;
    println!(
        "{name:<34} {batch:>6} {:>12.0} {open:>13.2} {compact:>13.2}",
        written / took
    );
}

/// A long run of eight trials side by side in small batches, the rows made as it goes.
fn sustained(rows: u64) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let batch = 512;
    let angle = |step| step as f64 * std::f64::consts::PI / 1e6;
    let start = Instant::now();
    let (mut most, mut written) = (0.0, 0);
    while written < rows {
        for number in 0..8 {
            let first = written / 8;
            let rates: Vec<f64> = (first..first + batch)
                .map(|step| 0.05 * (1.0 + angle(step).cos()))
                .collect();
            store
                .append_steps(StudyId(1).trial(number), &table(&rates, first))
                .unwrap();
        }
        written += 8 * batch;
        if written % (rows / 16) < 8 * batch && written > rows / 4 {
            most = f64::max(most, bytes(dir.path()) as f64 / written as f64);
        }
    }
    let took = start.elapsed().as_secs_f64();
    println!(
        "\n{rows} records of 8 trials, cosine, in batches of {batch}: {:.0} records/s for {took:.0} s, {:.2} bytes/record, at most {most:.2} after the first quarter",
        written as f64 / took,
        bytes(dir.path()) as f64 / written as f64
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
    let size = bytes(dir.path()) >> 20;
    println!("\nopening {rows} records of 100 bytes ({size} MB of files)");
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

/// Bytes of all files in a folder.
fn bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes(&path)
        } else {
            // A checkpoint may just be removing it.
            path.metadata().map_or(0, |metadata| metadata.len())
        }
    });
    entries.sum()
}
