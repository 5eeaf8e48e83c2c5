//! Training happens on the thread that calls it. Alone in its binary, because the thread pool is
//! one for the whole process.

mod support;

use attune_trainer::trial::{Progress, TrialSettings};
use attune_trainer::{ModelSettings, use_one_thread};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;
use support::{Constant, dataset, flowers, trial};

/// The pool's only thread is kept busy, so training that needed it could not finish. The layers are
/// wide enough for gemm to ask for help: its threshold is some 48·48·256 multiplications.
#[test]
fn training_needs_no_thread_of_the_pool() {
    use_one_thread().unwrap();
    use_one_thread().unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    rayon::spawn(move || {
        let _ = blocked.recv();
    });

    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let settings = TrialSettings {
            model: ModelSettings::mlp([256, 256]),
            batch_size: 128,
            ..TrialSettings::default()
        };
        let data = dataset(&flowers(300), "kind");
        let progress =
            trial::<Constant>(settings, &data).run_until(1, &mut (), &AtomicBool::new(false));
        let _ = done.send(progress);
    });
    let progress = finished.recv_timeout(Duration::from_secs(60));
    drop(release);
    assert_eq!(progress, Ok(Ok(Progress::Reached)));
}
