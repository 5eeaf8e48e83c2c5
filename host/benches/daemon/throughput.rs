//! Trials that cost next to nothing, a second: Attune against Optuna with its journal and with
//! SQLite, as many processes each, in turns.
//!
//! A trial of Attune's is a linear model that makes one step on 28 rows and is evaluated; its
//! configuration, result, epoch and step are stored durably. One of Optuna's is a sum of four
//! squares, and only its value is stored. Both suggest four floats at random. Optuna's processes are
//! counted from when all of them are ready, Attune's study from being handed in. Optuna becomes
//! slower with each trial that is stored, and is asked for fewer.

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

pub fn measure(is_short: bool) {
    let scale = if is_short { 20 } else { 1 };
    let (ours, journal, sqlite) = (5_000 / scale, 400 / scale, 100 / scale);
    let house = House::new(&[("line.csv", &line())]);
    // Its workers stay warm from here on, as those of whoever tunes all day.
    house.run(&near_zero(100), PROCESSES);
    println!("{PROCESSES} processes; {ours} trials, journal {journal}, SQLite {sqlite}");
    println!(
        "{:>12} {:>12} {:>12}  trials/s",
        "Attune", "journal", "SQLite"
    );
    let mut ratios = (Vec::new(), Vec::new());
    for _ in 0..if is_short { 1 } else { ROUNDS } {
        let ran = house.run(&near_zero(ours), PROCESSES);
        assert_eq!(ran.detail.study.trials.done as usize, ours);
        let attune = ours as f64 / ran.took.as_secs_f64();
        let rivals = (optuna("journal", journal), optuna("sqlite", sqlite));
        let (Some(journal), Some(sqlite)) = rivals else {
            println!("{attune:>12.0}  (for its rivals run host/benches/peers/install)");
            continue;
        };
        println!("{attune:>12.0} {journal:>12.1} {sqlite:>12.1}");
        ratios.0.push(attune / journal);
        ratios.1.push(attune / sqlite);
    }
    if !ratios.0.is_empty() {
        println!(
            "{:.0} times the journal (goal: 20), {:.0} times SQLite (goal: 100); medians",
            median(ratios.0),
            median(ratios.1)
        );
    }
}

/// Trials a second; nothing where Optuna is not installed.
fn optuna(storage: &str, trials: usize) -> Option<f64> {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = host.join("../target/peers/bin/python");
    let output = Command::new(python)
        .arg(host.join("benches/peers/optuna_trials.py"))
        .args([storage, &trials.to_string(), &PROCESSES.to_string()])
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
