//! What a trial would take of memory is known before it takes it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_plugin_api::{OptimizerKind, Signal, Slot};
use attune_trainer::data::Dataset;
use attune_trainer::trial::{Progress, Trial, TrialError, TrialSettings};
use attune_trainer::{
    CnnSettings, MlpSettings, ModelSettings, NormKind, TabularResnetSettings, TransformerSettings,
};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use support::{Constant, History, dataset, flowers, stripes, trial, verse};

static GO: AtomicBool = AtomicBool::new(false);
const MIB: u64 = 1 << 20;

fn transformer(width: usize) -> ModelSettings {
    ModelSettings::Transformer(TransformerSettings {
        width,
        ..TransformerSettings::default()
    })
}

/// What it says that it needs, where it may take nothing.
fn needed(settings: &TrialSettings, data: &Arc<Dataset>) -> u64 {
    let settings = settings.clone().check().unwrap();
    match Trial::check_memory(&settings, data, &[], 0) {
        Err(TrialError::TooMuchMemory { needed, .. }) => needed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trial_that_is_too_large_is_told_by_what_to_lower() {
    let data = verse(1024, 9000);
    let settings = TrialSettings {
        model: transformer(64),
        batch_size: 65_536,
        ..TrialSettings::default()
    };
    let checked = settings.clone().check().unwrap();
    let most = 1024 * MIB;
    let told = Trial::check_memory(&checked, &data, &[], most)
        .unwrap_err()
        .to_string();
    assert!(
        told.starts_with("a network of 2 layers of width 64 would take ")
            && told.ends_with(
                " at once, but may take 1073741824; lower `batch_size`, `context`, `width` or `layers`"
            ),
        "{told}"
    );
    let needed = needed(&settings, &data);
    assert_eq!(Trial::check_memory(&checked, &data, &[], needed), Ok(()));
    // What a scheduler looks back to is kept beside the rest.
    let way = [Signal::norm_sq(Slot::FromStart)];
    assert!(Trial::check_memory(&checked, &data, &way, needed).is_err());
    // No more rows are trained on than there are.
    let fewer = TrialSettings {
        batch_size: 8,
        ..settings
    };
    let fewer = fewer.check().unwrap();
    assert_eq!(Trial::check_memory(&fewer, &data, &[], most), Ok(()));
}

/// Memory that the process has written to and that is no file's.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB").parse::<u64>();
    kib.unwrap() * 1024
}

#[cfg(target_os = "linux")]
fn kinds() -> Vec<(ModelSettings, usize, f64, Arc<Dataset>)> {
    let mlp = |norm, residual| {
        ModelSettings::Mlp(MlpSettings {
            hidden: vec![512; 4],
            norm,
            residual,
            ..MlpSettings::default()
        })
    };
    let cnn = ModelSettings::Cnn(CnnSettings {
        channels: vec![32, 64],
        ..CnnSettings::default()
    });
    let resnet = ModelSettings::TabularResnet(TabularResnetSettings::default());
    let rows = || dataset(&flowers(6000), "kind");
    vec![
        (mlp(NormKind::None, false), 4096, 0.3, rows()),
        (mlp(NormKind::Layer, true), 4096, 0.0, rows()),
        (mlp(NormKind::Batch, true), 4096, 0.2, rows()),
        (ModelSettings::mlp([4096, 1024]), 4200, 0.0, rows()),
        (resnet, 4096, 0.1, rows()),
        (cnn, 2048, 0.0, stripes(3000)),
        (transformer(64), 64, 0.1, verse(128, 1500)),
    ]
}

/// Each in a process of its own, for memory that one has given back is not measured when the next one
/// takes it.
#[cfg(target_os = "linux")]
#[test]
fn a_trial_takes_about_what_it_said() {
    const WHICH: &str = "ATTUNE_TEST_MEMORY_OF";
    let Ok(which) = std::env::var(WHICH) else {
        for which in 0..kinds().len() {
            let own = std::env::current_exe().unwrap();
            let mut test = std::process::Command::new(own);
            test.args(["--exact", "a_trial_takes_about_what_it_said"]);
            let done = test.env(WHICH, which.to_string()).output().unwrap();
            let told = String::from_utf8_lossy(&done.stdout);
            assert!(done.status.success(), "kind {which}: {told}");
        }
        return;
    };
    let (model, batch_size, dropout, data) = kinds().swap_remove(which.parse().unwrap());
    let settings = TrialSettings {
        model,
        batch_size,
        dropout,
        optimizer: OptimizerKind::AdamW,
        lr: 1e-6,
        max_epochs: 1,
        ..TrialSettings::default()
    };
    let told = needed(&settings, &data);
    let before = resident();
    let mut trial = trial::<Constant>(settings.clone(), &data);
    let done = trial.run_until(1, &mut History::default(), &GO);
    assert_eq!(done, Ok(Progress::Reached));
    let checkpoint = trial.checkpoint().unwrap();
    let taken = resident() - before;
    drop(checkpoint);
    let room = 8 * MIB;
    assert!(
        taken < told + told / 4 + room && told < taken + taken / 4 + room,
        "{settings:?}: {} MiB told, {} taken",
        told / MIB,
        taken / MIB,
    );
}
