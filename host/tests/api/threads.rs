//! How the cores are shared out: what workers are told.

use crate::hand::Hand;
use crate::support::{Home, small_study};

const WORKERS: u16 = 3;

#[test]
fn trials_in_training_share_the_cores_out_and_the_last_has_them_all() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u16;
    for most in [1, cores] {
        let home = Home::new();
        home.configure(&format!("threads = {most}\n"));
        let mut workers = Hand::hired(&home, WORKERS.into());
        let study = small_study(&home, &format!("trials = {WORKERS}\nparallel = {WORKERS}"));
        let id = home.start_detached(&study);
        let share = |training: u16| (cores / training).clamp(1, most);
        for (worker, training) in workers.iter_mut().zip(1..) {
            assert_eq!(worker.take().threads, share(training));
        }
        while let Some(mut last) = workers.pop() {
            let training = workers.len() as u16 + 1;
            for worker in workers.iter().chain([&last]) {
                assert_eq!(worker.ask().threads, share(training));
            }
            // Who trains nothing is not told anything.
            assert_eq!(last.fail().threads, 0);
        }
        home.wait_for_state(&id, "done");
    }
}
