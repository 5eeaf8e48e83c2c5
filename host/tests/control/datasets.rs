//! Workers that train on the same data have one copy of it.

use crate::ground::wait_for_training;
use crate::support::{Home, wait_until};
use std::fs;

const DIGITS: &str = include_str!("../../../examples/data/digits.csv");

#[test]
fn workers_share_what_is_large() {
    let home = Home::new();
    let (header, rows) = DIGITS.split_once('\n').unwrap();
    home.file("large.csv", format!("{header}\n{}", rows.repeat(3)));
    let study = home.file(
        "study.toml",
        "trials = 2\nparallel = 2\n[data]\npath = \"large.csv\"\ntarget = \"digit\"\n\
         [fidelity]\nmethod = \"none\"\nmax_epochs = 1000000\n[space]\nscheduler = \"cosine\"\n",
    );
    let id = home.start_detached(&study.to_string_lossy());
    for trial in 0..2 {
        wait_for_training(&home, &format!("{id}.{trial}"));
    }
    let entries = fs::read_dir(home.attune_home().join("cache/datasets")).unwrap();
    let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else {
        panic!("{files:?}");
    };
    let file = file.to_str().unwrap();
    let maps_it = |pid: &u32| {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        maps.contains(file)
    };
    let workers = home.worker_pids();
    assert_eq!(workers.len(), 2);
    wait_until(
        || workers.iter().all(maps_it),
        "both workers have mapped the dataset",
    );
}
