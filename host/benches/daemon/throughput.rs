//! Trials that cost next to nothing, a second: Attune against Optuna with its journal and with
//! SQLite, as many processes each, in turns.
//!
//! A trial of Attune's is a linear model that makes one step on 28 rows and is evaluated; its
//! configuration, result, epoch and step are stored durably, and it is suggested at random. One of
//! Optuna's is a sum of four squares, of which only the value is stored; it is suggested at random
//! too, and by the sampler that Optuna uses where nobody says which (TPE). Nobody watches either.
//! Optuna's processes are counted from when all of them are ready, Attune's study from being handed
//! in. Optuna becomes slower with each trial that is stored, and is asked for fewer.

use crate::house::{House, median};
use std::path::Path;
use std::process::Command;

const PROCESSES: u16 = 2;
const ROUNDS: usize = 3;

/// Rows of a straight line, a little bent.
pub fn line() -> String {
    let rows = (0..40).map(|row| {
        let x = f64::from(row * 7 % 40) / 40.0;
        format!("{x:.4},{:.4}\n", 2.0 * x + 0.1 * x * x)
    });
    format!("x,y\n{}", rows.collect::<String>())
}

/// A study of trials that cost next to nothing, over the table [`line`].
pub fn near_zero(trials: usize) -> String {
    format!(
        "trials = {trials}\n[data]\npath = \"line.csv\"\ntarget = \"y\"\n\
         [search]\nmethod = \"random\"\nscheduler_params = false\n\
         [fidelity]\nmethod = \"none\"\nmax_epochs = 1\n\
         [space]\nscheduler = \"constant\"\nlayers = 0\nbatch_size = 32\n\
         lr = {{ low = 0.001, high = 0.1, log = true }}\n\
         momentum = {{ low = 0.1, high = 0.9 }}\n\
         weight_decay = {{ low = 1e-6, high = 1e-2, log = true }}\n\
         clip_norm = {{ low = 0.1, high = 10.0 }}\n"
    )
}

/// Storage, sampler and trials of each rival, and how many times as fast we want to be.
const RIVALS: [(&str, &str, usize, u32); 4] = [
    ("journal", "random", 400, 20),
    ("journal", "default", 400, 20),
    ("sqlite", "random", 100, 100),
    ("sqlite", "default", 100, 100),
];

pub fn measure(is_short: bool) {
    let scale = if is_short { 20 } else { 1 };
    let ours = 10_000 / scale;
    let house = House::new(&[("line.csv", &line())]);
    // Its workers stay warm from here on, as those of whoever tunes all day.
    house.run_unseen(&near_zero(100), PROCESSES);
    println!("{PROCESSES} processes each; trials/s");
    print!("{:>10}", "Attune");
    for (storage, sampler, ..) in RIVALS {
        print!("{:>18}", format!("{storage}, {sampler}"));
    }
    println!();
    let mut ratios = vec![Vec::new(); RIVALS.len()];
    for _ in 0..if is_short { 1 } else { ROUNDS } {
        let took = house.run_unseen(&near_zero(ours), PROCESSES);
        let attune = ours as f64 / took.as_secs_f64();
        print!("{attune:>10.0}");
        for ((storage, sampler, trials, _), ratios) in RIVALS.iter().zip(&mut ratios) {
            match optuna(storage, sampler, trials / scale) {
                Some(rate) => {
                    print!("{rate:>18.1}");
                    ratios.push(attune / rate);
                }
                None => print!("{:>18}", "not installed"),
            }
        }
        println!();
    }
    for ((storage, sampler, _, goal), ratios) in RIVALS.iter().zip(ratios) {
        match ratios.is_empty() {
            true => println!("{storage}: run host/benches/peers/install first"),
            false => println!(
                "{:.0} times Optuna with {storage}, {sampler} sampler (goal: {goal}); the median",
                median(ratios)
            ),
        }
    }
}

/// Trials a second; nothing where Optuna is not installed.
fn optuna(storage: &str, sampler: &str, trials: usize) -> Option<f64> {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = host.join("../target/peers/bin/python");
    let output = Command::new(python)
        .arg(host.join("benches/peers/optuna_trials.py"))
        .args([storage, sampler])
        .args([trials.to_string(), PROCESSES.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    Some(
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .unwrap(),
    )
}
