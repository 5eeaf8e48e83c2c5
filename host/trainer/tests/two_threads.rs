//! Products and updates that are shared out are the same bit for bit. Alone in its binary, because
//! the number of threads is one for the whole process.

mod support;

use attune_plugin_api::OptimizerKind;
use attune_trainer::trial::TrialSettings;
use attune_trainer::{ModelSettings, use_threads};
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Constant, History, dataset, flowers, trial};

#[test]
fn any_number_of_threads_trains_what_one_does() {
    // Each product of the middle layer has 33 million multiplications, and all weights are 264,000
    // numbers, of which the rules remember one, two, or one in the other's place.
    let rules = [
        OptimizerKind::Sgd,
        OptimizerKind::AdamW,
        OptimizerKind::Adagrad,
    ];
    let data = dataset(&flowers(300), "kind");
    let trained = || {
        rules.map(|optimizer| {
            let settings = TrialSettings {
                model: ModelSettings::mlp([512, 512]),
                batch_size: 128,
                optimizer,
                ..TrialSettings::default()
            };
            let mut trial = trial::<Constant>(settings, &data);
            let mut history = History::default();
            trial
                .run_until(2, &mut history, &AtomicBool::new(false))
                .unwrap();
            (history, trial.snapshot().cloned())
        })
    };
    let one = trained();
    for threads in [2, 3, 8] {
        use_threads(threads);
        assert!(trained() == one, "the histories differ");
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
        let changed = trained();
        over.store(true, Ordering::Relaxed);
        assert!(changed == one, "the histories differ");
    });
}
