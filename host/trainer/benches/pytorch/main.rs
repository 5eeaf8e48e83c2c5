//! A training step here and in PyTorch, side by side in one run:
//! `cargo bench -p attune-trainer --bench pytorch`.
//!
//! Both sides are processes that are asked in turns, so that whatever else the machine does falls on
//! both. PyTorch is installed into a virtual environment under the target folder the first time.
//! What is printed is a table in Markdown; `-- mlp` runs only the cases whose names have that in them.

mod case;
#[path = "../common/mod.rs"]
mod common;
mod ours;
mod side;

use case::{CASES, Case};
use common::Failure;
use side::Side;
use std::time::Duration;

/// How often each side is asked.
const ROUNDS: usize = 15;
/// How long a side's threads take to fall asleep, at least.
const SETTLE: Duration = Duration::from_millis(250);
/// How long an answer should take, in milliseconds.
const ROUND_MS: f64 = 150.0;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, threads] = arguments.as_slice()
        && role == "ours"
    {
        return ours::answer(threads.parse()?);
    }
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let python = side::python()?;
    print_machine()?;
    println!("| step | threads | PyTorch, ms | Attune, ms | ratio | goal | of the peak |");
    println!("|---|---|---|---|---|---|---|");
    let peak = ours::peak();
    for threads in [1, 2] {
        let mut sides = [Side::ours(threads)?, Side::theirs(&python, threads)?];
        for case in CASES {
            if wanted.is_none_or(|wanted| case.name.contains(wanted.as_str())) {
                compare(&case, threads, &mut sides, peak)?;
            }
        }
    }
    println!();
    println!(
        "`of the peak`: the products' share of what so many threads could do at best; one does {peak:.0} GFLOP/s here."
    );
    Ok(())
}

fn compare(case: &Case, threads: usize, sides: &mut [Side; 2], peak: f64) -> Result<(), Failure> {
    let mut steps = [0; 2];
    for (side, steps) in sides.iter_mut().zip(&mut steps) {
        side.ask(case, 5)?;
        let time = median(side.ask(case, 15)?);
        *steps = (ROUND_MS / time).ceil().clamp(5.0, 500.0) as usize;
    }
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for ((side, times), steps) in sides.iter_mut().zip(&mut times).zip(steps) {
            // The other side's threads look for more work for a while, on the cores of this one.
            std::thread::sleep(SETTLE);
            times.extend(side.ask(case, steps)?);
        }
    }
    let [ours, theirs] = times.map(median);
    let share = case.flops() / (ours * 1e6) / (peak * threads as f64);
    println!(
        "| {} | {threads} | {theirs:.2} | {ours:.2} | {:.2} | {:.2} | {:.0}% |",
        case.name,
        ours / theirs,
        case.goals[threads - 1],
        100.0 * share
    );
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print_machine() -> Result<(), Failure> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("an unknown processor", |model| {
        model.trim_start_matches([' ', '\t', ':'])
    });
    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores of {model}\n");
    Ok(())
}
