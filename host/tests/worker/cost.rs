//! What training in a worker costs more than training. Measurements: run them with
//! `cargo test --release -p attune --test worker -- --ignored --nocapture --test-threads 1`.

use crate::support::plugins_dir;
use crate::toy::*;
use attune_loader::{Place, Plugins};
use attune_plugin_api::OptimizerKind;
use attune_protocol::Scalar;
use attune_protocol::work::*;
use attune_trainer::data::{DataOptions, Dataset, Table};
use attune_trainer::trial::{Trial, TrialSettings};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const WIDTH: usize = 256;
const ROUNDS: u64 = 7;

#[test]
#[ignore = "a measurement"]
fn a_trial_in_a_worker_and_a_bare_one() {
    attune_trainer::use_one_thread().unwrap();
    let (plugins, _) = Plugins::load(
        &[Place::shared(plugins_dir())],
        tempfile::tempdir().unwrap().path(),
    );
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/digits.csv");
    let table = Table::read(&data).unwrap();
    let data = Arc::new(Dataset::prepare(&table, &DataOptions::of_target("digit")).unwrap());
    let bare = || {
        let began = Instant::now();
        let settings = TrialSettings {
            hidden: vec![WIDTH],
            optimizer: OptimizerKind::Nesterov,
            lr: 0.05,
            weight_decay: 1e-4,
            batch_size: 32,
            dropout: 0.1,
            max_epochs: EPOCHS,
            seed: 7,
            ..TrialSettings::default()
        };
        let settings = settings.check().unwrap();
        let setup = Trial::setup(&settings, &data);
        let scheduler = plugins.create("greedy", &Default::default(), &setup);
        let mut trial = Trial::new(settings, Arc::clone(&data), scheduler.unwrap()).unwrap();
        let stop = AtomicBool::new(false);
        trial.run_until(EPOCHS, &mut (), &stop).unwrap();
        (began.elapsed(), trial.steps())
    };
    let toy = Toy::with_study();
    let leased = |attempt: u64| {
        let trial = format!("s1.{attempt}");
        let began = Instant::now();
        toy.lease(Lease {
            config: config("greedy", &[("width", Scalar::Int(WIDTH as i64))]),
            // No model is wanted, as of most trials.
            beat: Some(2.0.into()),
            ..lease(&trial, 1, "greedy", EPOCHS)
        });
        toy.end(&trial, 1);
        began.elapsed()
    };
    leased(0);
    // In turns, so that whatever else the machine does is done to both.
    let mut times: Vec<(Duration, Duration)> = Vec::new();
    for round in 1..=ROUNDS {
        times.push((bare().0, leased(round)));
    }
    let steps = bare().1;
    let median = |of: fn(&(Duration, Duration)) -> Duration| {
        let mut all: Vec<_> = times.iter().map(of).collect();
        all.sort();
        all[all.len() / 2]
    };
    let (bare, leased) = (median(|pair| pair.0), median(|pair| pair.1));
    let more = leased.as_secs_f64() / bare.as_secs_f64() - 1.0;
    println!(
        "{steps} steps: bare {bare:?}, in a worker {leased:?}, {:+.2}%",
        100.0 * more
    );
}
