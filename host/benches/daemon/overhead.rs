//! A trial under the daemon, with every step stored, against the trainer alone on the same trial: the
//! same settings, seed and data, which must come to the same value, bit for bit.

use crate::house::{House, median};
use crate::support::plugins_dir;
use attune_loader::{Place, Plugins};
use attune_plugin_api::OptimizerKind;
use attune_protocol::{Scalar, TrialSummary};
use attune_trainer::ModelSettings;
use attune_trainer::data::{DataOptions, Dataset, Shares, Table};
use attune_trainer::trial::{Trial, TrialSettings};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;

/// The table of handwritten digits.
pub fn digits() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/digits.csv")
}

/// Trials of digits with two hidden layers, which are alike but for their seeds.
pub fn study(trials: u32, epochs: u32) -> String {
    format!(
        "trials = {trials}\n[data]\npath = \"{}\"\ntarget = \"digit\"\nvalid = 0.15\ntest = 0.15\n\
         [search]\nmethod = \"random\"\nscheduler_params = false\n\
         [fidelity]\nmethod = \"none\"\nmax_epochs = {epochs}\n\
         [space]\nscheduler = \"greedy\"\noptimizer = \"sgd\"\nmomentum = 0.9\n\
         lr = {{ low = 0.02, high = 0.04 }}\nweight_decay = 0.0\nclip_norm = 0.0\n\
         batch_size = 128\nlayers = 2\nwidth = 256\nactivation = \"relu\"\ndropout = 0.1\n\
         label_smoothing = 0.0\n",
        digits().display()
    )
}

pub fn measure(is_short: bool) {
    let (rounds, epochs) = if is_short { (1, 5) } else { (ROUNDS, 300) };
    attune_trainer::use_one_thread().unwrap();
    let house = House::new(&[]);
    let copies = house.home.path().join("copies");
    let (plugins, _) = Plugins::load(&[Place::shared(plugins_dir())], &copies);
    // The worker is warm from here on, and the study's one trial is the same each time.
    let known = house.run(&study(1, epochs), 1);
    let trial = &known.detail.trials[0];
    println!("{:>12} {:>12} {:>9}", "alone", "daemon", "more");
    let mut more = Vec::new();
    for round in 0..rounds {
        let daemon = || house.run(&study(1, epochs), 1).trained.as_secs_f64();
        let alone = || alone(&plugins, trial, epochs).as_secs_f64();
        // In turns, and each goes first as often as the other.
        let (daemon, alone) = match round % 2 {
            0 => (daemon(), alone()),
            _ => {
                let alone = alone();
                (daemon(), alone)
            }
        };
        let percent = 100.0 * (daemon / alone - 1.0);
        println!("{alone:>10.3} s {daemon:>10.3} s {percent:>8.2}%");
        more.push(percent);
    }
    println!("{:+.2}% (goal: at most 3%), the median", median(more));
}

/// Reads the data, makes the trial and trains it, with nobody looking.
fn alone(plugins: &Plugins, trial: &TrialSummary, epochs: u32) -> Duration {
    let began = Instant::now();
    let table = Table::read(&digits()).unwrap();
    let options = DataOptions {
        shares: Shares {
            train: 1.0 - 0.15 - 0.15,
            valid: 0.15,
            test: 0.15,
        },
        seed: 0,
        ..DataOptions::of_target("digit")
    };
    let data = Arc::new(Dataset::prepare(&table, &options).unwrap());
    let Some(Scalar::Float(lr)) = trial.config.get("lr") else {
        panic!("the trial has a rate");
    };
    let settings = TrialSettings {
        model: ModelSettings::mlp([256; 2]),
        optimizer: OptimizerKind::Sgd,
        lr: lr.0,
        momentum: 0.9,
        weight_decay: 0.0,
        batch_size: 128,
        dropout: 0.1,
        max_epochs: epochs,
        seed: trial.seed,
        ..TrialSettings::default()
    };
    let settings = settings.check().unwrap();
    let setup = Trial::setup(&settings, &data);
    let scheduler = plugins.create("greedy", &Default::default(), &setup);
    let mut alone = Trial::new(settings, data, scheduler.unwrap()).unwrap();
    alone
        .run_until(epochs, &mut (), &AtomicBool::new(false))
        .unwrap();
    let took = began.elapsed();
    let value = alone.snapshot().map(|best| best.objective);
    let wanted = trial.value.map(f64::from);
    assert_eq!(value, wanted, "another trial was trained");
    took
}
