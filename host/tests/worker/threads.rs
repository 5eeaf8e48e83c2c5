//! A worker's trial computes on as many threads as the daemon says.

use crate::toy::{Toy, config, history, lease};
use attune_protocol::Scalar;
use attune_protocol::work::{Answer, Lease};

/// A trial whose products, of 64 rows by 512 by 512, are worth sharing out.
fn wide(trial: &str) -> Lease {
    let sizes = [
        ("layers", Scalar::Int(2)),
        ("width", Scalar::Int(512)),
        ("batch_size", Scalar::Int(64)),
    ];
    Lease {
        config: config("cosine", &sizes),
        ..lease(trial, 1, "cosine", 1)
    }
}

#[test]
fn a_trial_is_trained_on_as_many_threads_as_the_daemon_says_and_comes_to_the_same() {
    let toy = Toy::with_study();
    let trains_on = |trial: &str, threads: u16| {
        toy.give(Answer {
            leases: vec![wide(trial)],
            threads,
            ..Answer::default()
        });
        toy.end(trial, 1);
        toy.product_threads()
    };
    assert_eq!(trains_on("s1.0", 1), 0);
    assert_eq!(trains_on("s1.1", 0), 0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(trains_on("s1.2", 2), cores);
    let reports = toy.reports();
    let [first, others @ ..] = ["s1.0", "s1.1", "s1.2"].map(|trial| history(&reports, trial));
    assert!(!first.losses.is_empty());
    assert!(others.iter().all(|other| *other == first));
}
