//! A trial that trains alone has every core.

use crate::support::{Home, outcome, product_threads, study_of};

#[test]
fn a_wide_trial_alone_is_trained_on_every_core_unless_told_otherwise_and_comes_to_the_same() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let with = |configuration: &str| {
        let home = Home::new();
        home.configure(configuration);
        let space = "scheduler = \"cosine\"\nlayers = 2\nwidth = 512\nbatch_size = 128";
        let fidelity = "method = \"none\"\nmax_epochs = 20";
        let study = study_of(&home, "trials = 2\nparallel = 1", fidelity, space);
        home.run(&["run", &study]).ok();
        let workers = home.worker_pids();
        let [worker] = workers[..] else {
            panic!("{workers:?}");
        };
        (product_threads(worker), outcome(&home, "s1"))
    };
    let (threads, alone) = with("");
    assert_eq!(threads, if cores > 1 { cores } else { 0 });
    let (threads, on_one) = with("threads = 1\n");
    assert_eq!(threads, 0);
    assert_eq!(alone, on_one);
}
