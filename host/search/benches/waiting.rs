//! What does a reproducible outcome cost in idle workers?
//!
//! Simulates the same study in virtual order and in order of arrival on a virtual clock, and prints
//! how long each takes and how busy its workers are. A trial's epochs cost what its configuration
//! says, spread over trials as a lognormal with σ = 1 (one trial in a hundred ten times as slow as
//! the median one), and each segment is off by a further lognormal with σ = 0.3, as on a machine
//! that does other things too. Deterministic: it prints the same on every machine.

use std::num::{NonZeroU16, NonZeroU64};

use attune_search::fidelity::{AshaSettings, Full};
use attune_search::searcher::Random;
use attune_search::simulator::{Job, Run, Simulator};
use attune_search::stream::{Purpose, stream, unit};
use attune_search::{
    Conductor, Direction, Domain, FidelityPolicy, Order, Outcome, Parameter, Segment, Settings,
    UncheckedSpace,
};

const TRIALS: u64 = 128;
const MAX_EPOCHS: u64 = 27;
const STUDIES: u64 = 100;
const TICKS_AN_EPOCH: f64 = 1e6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{TRIALS} trials of up to {MAX_EPOCHS} epochs, means over {STUDIES} studies");
    for (name, early_stopping) in [
        ("ASHA, eta 3, from 1 epoch", true),
        ("no early stopping", false),
    ] {
        println!("\n{name}\n");
        println!("workers  width  time against arrival  busy, virtual  busy, arrival");
        for workers in [1, 2, 4, 8] {
            for width in [8, 16, 32] {
                let mut ratio = 0.0;
                let (mut busy_virtual, mut busy_arrival) = (0.0, 0.0);
                for seed in 0..STUDIES {
                    let waits = study(seed, early_stopping, Order::Virtual, width, workers)?;
                    let arrival = study(seed, early_stopping, Order::Arrival, workers, workers)?;
                    ratio += waits.ticks as f64 / arrival.ticks as f64;
                    busy_virtual += busy(&waits, workers);
                    busy_arrival += busy(&arrival, workers);
                }
                let mean = |sum: f64| sum / STUDIES as f64;
                println!(
                    "{workers:>7}  {width:>5}  {:>20.2}  {:>12.0}%  {:>12.0}%",
                    mean(ratio),
                    100.0 * mean(busy_virtual),
                    100.0 * mean(busy_arrival),
                );
            }
        }
    }
    Ok(())
}

fn busy(run: &Run, workers: u16) -> f64 {
    run.busy as f64 / (run.ticks as f64 * f64::from(workers))
}

fn study(
    seed: u64,
    early_stopping: bool,
    order: Order,
    width: u16,
    workers: u16,
) -> Result<Run, Box<dyn std::error::Error>> {
    let lr = Parameter {
        name: "lr".to_owned(),
        domain: Domain::Float {
            low: 1e-4,
            high: 1.0,
            log: true,
            step: None,
        },
        when: None,
    };
    let space = UncheckedSpace {
        parameters: vec![lr],
    };
    let policy: Box<dyn FidelityPolicy> = if early_stopping {
        let settings = AshaSettings {
            min_epochs: 1,
            max_epochs: MAX_EPOCHS,
            eta: 3,
            direction: Direction::Minimize,
        };
        Box::new(settings.check()?)
    } else {
        Box::new(Full)
    };
    let settings = Settings {
        trials: NonZeroU64::try_from(TRIALS)?,
        max_epochs: NonZeroU64::try_from(MAX_EPOCHS)?,
        width: NonZeroU16::try_from(width)?,
        order,
    };
    let searcher = Random::new(space.check()?, seed);
    let mut conductor = Conductor::new(settings, Box::new(searcher), policy);
    let simulator = Simulator {
        workers: usize::from(workers),
        stop_suggesting_at: None,
    };
    Ok(simulator.run(&mut conductor, |segment| train(seed, segment))?)
}

/// A made-up training run: trials differ in where their value settles and in how fast they are.
fn train(seed: u64, segment: &Segment) -> Job {
    let trial = segment.trial.0;
    let mut of_trial = stream(seed, Purpose(*b"trial   "), trial);
    let settled = unit(&mut of_trial);
    let speed = normal(unit(&mut of_trial), unit(&mut of_trial)).exp();
    let index = trial << 32 | segment.until_epoch;
    let mut of_segment = stream(seed, Purpose(*b"segment "), index);
    let noise = normal(unit(&mut of_segment), unit(&mut of_segment));
    let delay = (0.3 * normal(unit(&mut of_segment), unit(&mut of_segment))).exp();
    let epochs = (segment.until_epoch - segment.from_epoch) as f64;
    Job {
        ticks: (TICKS_AN_EPOCH * epochs * speed * delay) as u64,
        outcome: Outcome::Reached {
            epoch: segment.until_epoch,
            value: settled + (1.0 + 0.3 * noise) / segment.until_epoch as f64,
        },
    }
}

/// A standard normal number from two uniform ones (Box and Muller 1958).
fn normal(u: f64, v: f64) -> f64 {
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
