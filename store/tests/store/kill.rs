//! A process is killed in the middle of writing, again and again: what it said was written is there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::scenario::*;
use attune_store::*;

const DIR: &str = "ATTUNE_STORE_TEST_DIR";
const WRITERS: u32 = 3;
const ROUNDS: u64 = 10;

/// The child. Its writers each add to a trial of their own and tell of every batch that was applied.
#[test]
#[ignore = "the process that the other test starts and kills"]
fn child() {
    let dir = std::env::var(DIR).expect("started by the other test");
    // Small files, so that rotation and checkpoints are killed too.
    let options = Options {
        segment_bytes: 20_000,
        garbage_bytes: 20_000,
        ..Options::default()
    };
    let (store, _) = Store::open_with(dir, "the child", options).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                let first = store.epochs(StudyId(1).trial(writer)).unwrap().len() as u32;
                for number in first.. {
                    store.apply(nth(writer, number)).unwrap();
                    eprintln!("{writer} {number}");
                }
            });
        }
    });
}

/// The batch a writer writes as its n-th: one of everything, seven steps among it.
fn nth(writer: u32, number: u32) -> Batch {
    let id = StudyId(1).trial(writer);
    let first = u64::from(number) * 7;
    let mut record = trial(TrialState::Running);
    record.epochs = number;
    Batch::new()
        .put_epoch(id, number, &epoch(f64::from(number)))
        .put_trial(id, &record)
        .put_knowledge(
            "greedy",
            &writer.to_string(),
            &Knowledge {
                version: number,
                bytes: vec![number as u8; 300],
            },
        )
        .append_steps(id, rows(first..first + 7))
}

fn start_child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "kill::child", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn everything_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), "parent").unwrap();
    store.create_study(&study("killed")).unwrap();
    drop(store);

    let mut acknowledged = [None; WRITERS as usize];
    for round in 0..ROUNDS {
        let mut child = start_child(dir.path());
        // The kill comes after a number of acknowledgements that is different every round.
        let enough = 20 + (round * 7919) % 300;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut note = |line: &str| {
            let (writer, number) = line.split_once(' ').unwrap();
            acknowledged[writer.parse::<usize>().unwrap()] = Some(number.parse::<u32>().unwrap());
        };
        for _ in 0..enough {
            note(&lines.next().unwrap().unwrap());
        }
        if round == 0 {
            let error = Store::open(dir.path(), "parent").err().unwrap().to_string();
            let holder = format!("is in use by process {} (the child)", child.id());
            assert!(error.contains(&holder), "{error}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it could still say before it died counts, up to a line cut in the middle.
        for line in lines
            .map_while(Result::ok)
            .filter(|line| line.contains(' '))
        {
            note(&line);
        }
        check(dir.path(), &acknowledged);
    }
}

/// Each writer's batches are there up to the last acknowledged one, at most one more, and whole.
fn check(dir: &Path, acknowledged: &[Option<u32>]) {
    let (store, report) = Store::open(dir, "parent").unwrap();
    assert!(report.is_clean(), "{report}");
    for (writer, acknowledged) in acknowledged.iter().enumerate() {
        let id = StudyId(1).trial(writer as u32);
        let least = acknowledged.map_or(0, |last| last + 1);
        let epochs = store.epochs(id).unwrap();
        let count = epochs.len() as u32;
        assert!(
            (least..=least + 1).contains(&count),
            "{id}: {count} of {least} batches"
        );
        for (number, (stored, metrics)) in epochs.iter().enumerate() {
            assert_eq!((*stored as usize, metrics["loss"]), (number, number as f64));
        }
        assert_eq!(store.read_steps(id, ..).unwrap(), all_rows(count), "{id}");
        if count > 0 {
            assert_eq!(store.trial(id).unwrap().epochs, count - 1);
            let knowledge = store
                .knowledge("greedy", &writer.to_string())
                .unwrap()
                .unwrap();
            assert_eq!(knowledge.version, count - 1);
        }
    }
}

fn all_rows(batches: u32) -> Steps {
    match batches {
        0 => Steps::default(),
        batches => rows(0..u64::from(batches) * 7),
    }
}
