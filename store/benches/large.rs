//! A large store: how fast it opens, what it takes in memory and on the disk, how fast it draws.
//!
//! `cargo bench -p attune-store --bench large` prints the figures beside their goals. It takes some
//! two gigabytes under `TMPDIR`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use attune_store::*;

/// Which part of the work a process of its own does, and where.
const PART: &str = "ATTUNE_STORE_BENCH_PART";
const DIR: &str = "ATTUNE_STORE_BENCH_DIR";

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    if let Ok(part) = std::env::var(PART) {
        let dir = std::env::var(DIR).unwrap();
        return match &part[..] {
            "fill" => fill(Path::new(&dir), is_bench),
            _ => open_and_tell(Path::new(&dir)),
        };
    }
    zoom(if is_bench { 1_000_000 } else { 20_000 });
    let dir = tempfile::tempdir().unwrap();
    part("fill", dir.path());
    println!(
        "\nopening {} of disk (goal: 1 GB in 2 s, 60 MB of memory for 10,000 trials)",
        size(dir.path())
    );
    part("closed", dir.path());
    kill_while_writing(dir.path());
    part("killed", dir.path());
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("index.")
        {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    part("without its index", dir.path());
}

/// Runs a part in a process of its own, for the memory that it alone takes.
fn part(name: &str, dir: &Path) {
    assert!(command(name, dir).status().unwrap().success());
}

fn command(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let args: Vec<String> = std::env::args().skip(1).collect();
    command.args(args).env(PART, name).env(DIR, dir);
    command
}

fn kill_while_writing(dir: &Path) {
    let before = size_of(dir);
    let mut child = command("fill", dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // It has opened the store and is in the midst of writing once the store grows.
    while size_of(dir) < before + 100_000 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A thousand studies' worth of everything: 10,000 trials of 20 epochs and 25,000 steps.
fn fill(dir: &Path, is_bench: bool) {
    let (studies, steps) = if is_bench { (100, 25_000) } else { (1, 5000) };
    let (store, _) = Store::open(dir, "bench").unwrap();
    let start = Instant::now();
    for _ in 0..studies {
        let study = store.create_study(&study()).unwrap();
        for number in 0..100 {
            let trial = study.trial(number);
            let mut batch = Batch::new().put_trial(trial, &a_trial());
            for epoch in 0..20 {
                let names = ["loss", "accuracy", "f1", "rate", "gradient_norm"];
                let metrics = names.map(|name| (name.to_owned(), noise(u64::from(epoch))));
                batch = batch.put_epoch(trial, epoch, &metrics.into());
            }
            store
                .apply(batch.append_steps(trial, table(0..steps, u64::from(number))))
                .unwrap();
        }
    }
    let rows = studies * 100 * steps;
    let seconds = start.elapsed().as_secs_f64();
    drop(store);
    println!(
        "\n{} trials of 20 epochs and {steps} steps: {:.0} steps/s, {:.2} bytes a step with all that goes with them",
        studies * 100,
        rows as f64 / seconds,
        size_of(dir) as f64 / rows as f64
    );
}

fn open_and_tell(dir: &Path) {
    let before = resident();
    let start = Instant::now();
    let (store, report) = Store::open(dir, "bench").unwrap();
    let took = start.elapsed().as_secs_f64();
    let opened = resident() - before;
    let trials: usize = store
        .list_studies()
        .unwrap()
        .iter()
        .map(|(study, _)| store.list_trials(*study).unwrap().len())
        .sum();
    println!(
        "{}: {took:.2} s, {} MB more resident, {} MB once {trials} trials were listed ({report})",
        std::env::var(PART).unwrap(),
        opened >> 20,
        (resident() - before) >> 20,
    );
}

/// Any zoom of one long curve.
fn zoom(rows: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), "bench").unwrap();
    let trial = StudyId(1).trial(0);
    for first in (0..rows).step_by(1000) {
        store
            .append_steps(trial, &table(first..first + 1000, 7))
            .unwrap();
    }
    println!("a curve of {rows} steps, of which the worst of 50 places (goal: 5 ms)");
    println!(
        "{:>12} {:>8} {:>10} {:>10}",
        "steps", "points", "median ms", "worst ms"
    );
    for points in [200, 1000, 2000] {
        for part in [1, 3, 10, 30, 100, 1000] {
            let length = rows / part;
            let mut took: Vec<f64> = (0..50)
                .map(|at| {
                    let from = (noise(at) * (rows - length) as f64) as u64;
                    let start = Instant::now();
                    let column = if at % 2 == 0 { "loss" } else { "rate" };
                    let curve = store
                        .curve(trial, column, from..from + length, points)
                        .unwrap();
                    assert!(!curve.buckets.is_empty() && curve.buckets.len() <= points);
                    start.elapsed().as_secs_f64() * 1000.0
                })
                .collect();
            took.sort_by(f64::total_cmp);
            println!(
                "{length:>12} {points:>8} {:>10.2} {:>10.2}",
                took[25], took[49]
            );
        }
    }
}

fn table(steps: std::ops::Range<u64>, seed: u64) -> Steps {
    let loss =
        |step: u64| 2.0 / (1.0 + step as f64 / 5e3) + 0.2 * noise(step.wrapping_mul(seed | 1));
    let rate = |step: u64| 0.05 * (1.0 + (step as f64 * std::f64::consts::PI / 1e6).cos());
    Steps::new(steps.clone().collect())
        .with_f32(
            "loss",
            steps.clone().map(|step| loss(step) as f32).collect(),
        )
        .with_f64("rate", steps.map(rate).collect())
}

/// SplitMix64 of the number, from 0 to 1.
fn noise(number: u64) -> f64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as f64 / u64::MAX as f64
}

fn study() -> StudyRecord {
    StudyRecord {
        name: "digits".to_owned(),
        state: StudyState::Done,
        spec: "[study]\nname = \"digits\"\n".repeat(20),
        seed: 7,
        metric: "accuracy".to_owned(),
        direction: Direction::Maximize,
        planned_trials: 100,
        notes: Vec::new(),
        created_unix_ms: 1_700_000_000_000,
        ended_unix_ms: None,
        attune_version: "0.1.0".to_owned(),
        reason: None,
        file: "/data/study.toml".to_owned(),
        data_hash: "9f".repeat(32),
        parallel: 2,
        plugins: BTreeMap::new(),
        seconds: 1.5,
        changes: Vec::new(),
        origin: None,
        imported: None,
        swapped: BTreeMap::new(),
    }
}

fn a_trial() -> TrialRecord {
    let names = ["lr", "momentum", "decay", "dropout", "width"];
    let config = names.map(|name| (name.to_owned(), Scalar::Float(noise(name.len() as u64))));
    TrialRecord {
        state: TrialState::Done,
        config: config.into(),
        seed: 11,
        plugin: None,
        started_unix_ms: Some(1_700_000_000_001),
        ended_unix_ms: Some(1_700_000_000_001),
        epochs: 20,
        max_epochs: 20,
        steps: 25_000,
        seconds: 1.5,
        reason: None,
        final_metrics: BTreeMap::from([("loss".to_owned(), 0.5), ("accuracy".to_owned(), 0.9)]),
        best_metrics: BTreeMap::new(),
        warnings: Vec::new(),
        attempt: 1,
        deaths: Vec::new(),
        outcomes: Vec::new(),
        checkpoints: Vec::new(),
        model: None,
        interventions: Vec::new(),
    }
}

/// Bytes of memory that this process has resident.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

fn size(dir: &Path) -> String {
    let parts = std::fs::read_dir(dir).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        format!("{name} {} MB", size_of(&entry.path()) >> 20)
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// Bytes of all files in a folder, or of one file. Files that vanish meanwhile count nothing.
fn size_of(path: &Path) -> u64 {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| size_of(&entry.path())).sum(),
        Err(_) => std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
    }
}
