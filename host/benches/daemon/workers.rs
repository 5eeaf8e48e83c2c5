//! What workers take, and what a second one brings: memory of a worker while studies of digits are
//! trained, and how much more two trials at once train than one at a time.

use crate::house::{House, median};
use crate::overhead;

const ROUNDS: usize = 5;

pub fn measure(is_short: bool) {
    let (rounds, trials, epochs) = if is_short {
        (1, 2, 5)
    } else {
        (ROUNDS, 8, 100)
    };
    let house = House::new(&[]);
    let spec = overhead::study(trials, epochs);
    // Both workers are warm from here on.
    house.run(&spec, 2);
    println!("{:>12} {:>12} {:>9}", "one", "two at once", "times");
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let trained = |parallel| house.run(&spec, parallel).trained.as_secs_f64();
        // Each goes first as often as the other.
        let (one, two) = match round % 2 {
            0 => (trained(1), trained(2)),
            _ => {
                let two = trained(2);
                (trained(1), two)
            }
        };
        println!("{one:>10.3} s {two:>10.3} s {:>9.2}", one / two);
        ratios.push(one / two);
    }
    println!(
        "{:.2} times the throughput of one (goal: at least 1.8), the median",
        median(ratios)
    );
    memory(is_short);
}

/// The example as it is, all of whose trials are held in memory between their segments.
fn memory(is_short: bool) {
    let house = House::new(&[]);
    let example = std::fs::read_to_string(overhead::digits().with_file_name("../digits.toml"));
    let path = format!("path = \"{}\"", overhead::digits().display());
    let mut spec = example
        .unwrap()
        .replace("path = \"data/digits.csv\"", &path);
    if is_short {
        spec = spec.replace("trials = 32", "trials = 2");
    }
    house.run(&spec, 2);
    // They wait for more to do.
    for worker in house.home.worker_pids() {
        println!(
            "a worker of digits: at most {:.0} MB in memory (goal: 60 MB)",
            at_most_held(worker)
        );
    }
}

/// Megabytes that a process had in memory when it had the most.
fn at_most_held(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes = line.split_whitespace().next().unwrap();
    kilobytes.parse::<f64>().unwrap() * 1024.0 / 1e6
}
