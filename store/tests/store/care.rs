//! Verifying, backing up, counting, and giving space back.

use std::fs;
use std::path::Path;

use attune_store::*;

use crate::scenario::*;

/// A store with something of everything, and histories long enough to lie in the journal alone.
fn large() -> (tempfile::TempDir, Store) {
    let (dir, store) = open();
    fill(&store);
    for number in 0..2 {
        store
            .append_steps(StudyId(1).trial(number), &rows(60..9000))
            .unwrap();
    }
    (dir, store)
}

fn size(dir: &Path) -> u64 {
    files(dir, "")
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum()
}

#[test]
fn what_is_whole_is_said_to_be_so() {
    let (dir, store) = large();
    for _ in 0..2 {
        let verification = store.verify().unwrap();
        assert!(verification.is_clean(), "{verification}");
        assert_eq!(verification.bytes, size(&dir.path().join("journal")));
        store.compact().unwrap();
    }
    let records = store.verify().unwrap().records;
    drop(store);
    assert_eq!(Store::open(dir.path(), "test").unwrap().1.records, records);
}

#[test]
fn damage_under_an_open_store_is_found_and_named_and_the_rest_can_be_read() {
    let (dir, store) = large();
    store.compact().unwrap();
    let all = everything(&store);
    let snapshot = files(&dir.path().join("journal"), "snapshot-").swap_remove(0);
    let whole = fs::read(&snapshot).unwrap();
    let (mut lost, mut mendable) = (0, 0);
    let small = (28..3000).step_by(151);
    for place in small.chain((3000..whole.len()).step_by(whole.len() / 40)) {
        let mut damaged = whole.clone();
        damaged[place] ^= 16;
        fs::write(&snapshot, &damaged).unwrap();
        let verification = store.verify().unwrap();
        assert!(!verification.is_clean(), "byte {place}");
        let in_file = |found: &&DamagedRecord| found.file == snapshot && found.record.is_some();
        let Some(found) = verification.damaged.iter().find(in_file) else {
            continue;
        };
        match found.harm {
            Harm::Mendable => {
                mendable += 1;
                assert_eq!(everything(&store), all, "byte {place}");
            }
            Harm::Lost => {
                lost += 1;
                let name = found.record.clone().unwrap();
                let reads = (0..2).map(|number| {
                    let id = StudyId(1).trial(number);
                    let drawn = store.curve(id, "loss", .., 10).map(drop);
                    store.read_steps(id, ..).map(drop).and(drawn)
                });
                let errors: Vec<String> = reads
                    .filter_map(Result::err)
                    .map(|error| error.to_string())
                    .collect();
                assert!(
                    errors.len() == 1 && errors[0].starts_with(&name),
                    "{name}: {errors:?}"
                );
                assert!(errors[0].contains("snapshot-"), "{errors:?}");
            }
            harm => panic!("{harm:?} at byte {place}"),
        }
    }
    assert!(lost > 5 && mendable > 0, "{lost} lost, {mendable} mendable");
    fs::write(&snapshot, &whole).unwrap();
    assert!(store.verify().unwrap().is_clean());

    // What is lost when the store is opened is left out, and told of.
    drop(store);
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 16;
    fs::write(&snapshot, &damaged).unwrap();
    let (store, report) = Store::open(dir.path(), "test").unwrap();
    assert_eq!(report.losses.len(), 1, "{report}");
    assert!(
        report.losses[0]
            .record
            .as_ref()
            .unwrap()
            .contains("the steps of trial"),
        "{report}"
    );
    assert!(store.verify().unwrap().is_clean());
}

#[test]
fn a_backup_made_while_others_write_opens_as_a_store() {
    let (_dir, store) = large();
    let all = everything(&store);
    let backups = tempfile::tempdir().unwrap();
    let target = backups.path().join("monday");
    let shared = StudyId(9).trial(0);
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let store = &store;
        scope.spawn(move || {
            for number in 0.. {
                if stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Empty) {
                    break;
                }
                let batch = Batch::new()
                    .put_epoch(shared, number, &epoch(0.5))
                    .put_epoch(shared, number + 1_000_000, &epoch(0.5));
                store.apply(batch).unwrap();
            }
        });
        let backup = store.backup(&target).unwrap();
        assert_eq!(backup.bytes, size(&target));
        drop(stop);
    });
    let (copy, report) = Store::open(&target, "test").unwrap();
    assert!(report.is_clean() && report.torn.is_none(), "{report}");
    assert_eq!(everything(&copy), all);
    assert_eq!(copy.epochs(shared).unwrap().len() % 2, 0, "half a batch");
    let error = store.backup(&target).unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
}

#[test]
fn everything_is_counted() {
    let (_dir, store) = large();
    store.thin(StudyId(1).trial(1)).unwrap();
    let stats = store.stats().unwrap();
    assert_eq!((stats.studies, stats.trials, stats.epochs), (2, 4, 5));
    assert_eq!(
        (stats.step_rows, stats.thinned_rows),
        (9000 + 60 + 60, 9000)
    );
    assert!(stats.live_bytes["steps"] > stats.live_bytes["summaries"]);
    let live: u64 = stats.live_bytes.values().sum();
    assert!(stats.garbage_bytes > 0 && live + stats.garbage_bytes < stats.journal_bytes);
    store.compact().unwrap();
    let compact = store.stats().unwrap();
    assert_eq!(compact.live_bytes, stats.live_bytes);
    assert!(compact.garbage_bytes < 500, "{}", compact.garbage_bytes);
}

#[test]
fn what_was_deleted_gives_its_space_back() {
    let (dir, store) = open();
    for name in ["kept", "gone"] {
        let id = store.create_study(&study(name)).unwrap();
        for number in 0..10 {
            let steps = if name == "gone" { 60_000 } else { 100 };
            store
                .append_steps(id.trial(number), &rows(0..steps))
                .unwrap();
        }
    }
    let before = size(dir.path());
    store.apply(Batch::new().delete_study(StudyId(2))).unwrap();
    store.compact().unwrap();
    let after = size(dir.path());
    assert!(after * 5 < before, "{after} of {before} bytes");
    let store = reopened(&dir, store);
    assert_eq!(
        store.read_steps(StudyId(1).trial(3), ..).unwrap(),
        rows(0..100)
    );
}
