//! Products and updates that are shared out are the same bit for bit. Alone in its binary, because
//! the number of threads is one for the whole process.

#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_plugin_api::OptimizerKind;
use attune_trainer::data::{Dataset, Text, TextOptions};
use attune_trainer::trial::{Snapshot, TrialSettings};
use attune_trainer::{CnnSettings, ModelSettings, TransformerSettings, use_threads};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Constant, History, dataset, flowers, stripes_of, trial};

#[test]
fn any_number_of_threads_trains_what_one_does() {
    let cases = cases();
    let one = trained(&cases);
    assert!(
        one.iter()
            .all(|(history, _)| *history != History::default())
    );
    for threads in [2, 3, 8] {
        use_threads(threads);
        assert!(trained(&cases) == one, "the histories differ");
    }
    // The number may change at any time.
    let (changes, over) = (std::sync::Barrier::new(2), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            changes.wait();
            for threads in [1, 2, 3].into_iter().cycle() {
                use_threads(threads);
                if over.load(Ordering::Relaxed) {
                    break;
                }
                std::thread::yield_now();
            }
        });
        changes.wait();
        let changed = trained(&cases);
        over.store(true, Ordering::Relaxed);
        assert!(changed == one, "the histories differ");
    });
}

/// Each has products of more than a million multiplications; of the pictures both convolutions are shared
/// out there and back, and gradients added up in several groups.
fn cases() -> Vec<(TrialSettings, Arc<Dataset>)> {
    let of = |model: ModelSettings, batch_size: usize| TrialSettings {
        model,
        batch_size,
        max_epochs: 2,
        ..TrialSettings::default()
    };
    // All weights are 264,000 numbers, of which the rules remember one, two, or one in the other's
    // place.
    let rules = [
        OptimizerKind::Sgd,
        OptimizerKind::AdamW,
        OptimizerKind::Adagrad,
    ];
    let flowers = dataset(&flowers(300), "kind");
    let mlps = rules.map(|optimizer| {
        let settings = TrialSettings {
            optimizer,
            ..of(ModelSettings::mlp([512, 512]), 128)
        };
        (settings, Arc::clone(&flowers))
    });
    let cnn = ModelSettings::Cnn(CnnSettings {
        channels: vec![32, 64],
        hidden: Some(512),
        ..CnnSettings::default()
    });
    let transformer = ModelSettings::Transformer(TransformerSettings {
        layers: 1,
        width: 128,
        ..TransformerSettings::default()
    });
    let text = Text::parse("abc.txt", "abc bca cab. ".repeat(200).as_bytes()).unwrap();
    let text = Dataset::prepare_text(&text, &TextOptions::default()).unwrap();
    let small = of(ModelSettings::mlp([256, 256]), 128);
    mlps.into_iter()
        .chain([
            (small, Arc::clone(&flowers)),
            (of(cnn, 64), stripes_of(100, 16, 16)),
            (of(transformer, 16), Arc::new(text)),
        ])
        .collect()
}

fn trained(cases: &[(TrialSettings, Arc<Dataset>)]) -> Vec<(History, Option<Snapshot>)> {
    let whole = |(settings, data): &(TrialSettings, Arc<Dataset>)| {
        let mut trial = trial::<Constant>(settings.clone(), data);
        let mut history = History::default();
        trial
            .run_until(2, &mut history, &AtomicBool::new(false))
            .unwrap();
        (history, trial.snapshot().cloned())
    };
    cases.iter().map(whole).collect()
}
