//! What goes in comes out: records, ids, batches, orphans, checkpoints, threads.

use std::collections::BTreeMap;

use crate::scenario::*;
use attune_store::*;
use proptest::prelude::*;

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        float().prop_map(Scalar::Float),
        any::<i64>().prop_map(Scalar::Int),
        any::<bool>().prop_map(Scalar::Bool),
        any::<String>().prop_map(Scalar::Text),
    ]
}

fn metrics() -> impl Strategy<Value = BTreeMap<String, f64>> {
    prop::collection::btree_map(any::<String>(), float(), 0..5)
}

prop_compose! {
    fn any_trial()(
        config in prop::collection::btree_map(any::<String>(), scalar(), 0..6),
        state in prop::sample::select(vec![TrialState::Queued, TrialState::Diverged, TrialState::Lost]),
        (seed, steps, epochs) in any::<(u64, u64, u32)>(),
        (started_unix_ms, reason) in any::<(Option<u64>, Option<String>)>(),
        final_metrics in metrics(),
        best in prop::collection::btree_map(any::<String>(), (float(), any::<u32>()), 0..4),
        warnings in any::<Vec<String>>(),
    ) -> TrialRecord {
        let best_metrics =
            best.into_iter().map(|(name, (value, epoch))| (name, Best { value, epoch })).collect();
        TrialRecord {
            config, state, seed, steps, epochs, started_unix_ms, reason, final_metrics,
            best_metrics, warnings, ..trial(state)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn trials_come_back_as_they_were(records in prop::collection::vec(any_trial(), 1..20)) {
        let (dir, store) = open();
        let study = store.create_study(&study("digits")).unwrap();
        for record in &records {
            store.create_trial(study, record).unwrap();
        }
        let store = reopened(&dir, store);
        let stored: Vec<_> = store.list_trials(study).unwrap().into_iter().map(|(_, r)| r).collect();
        prop_assert_eq!(format!("{stored:?}"), format!("{records:?}"));
    }
}

#[test]
fn ids_are_never_used_twice() {
    let (dir, store) = open();
    let first = store.create_study(&study("a")).unwrap();
    assert_eq!(first, StudyId(1));
    assert_eq!(
        store.create_trial(first, &trial(TrialState::Done)).unwrap(),
        first.trial(0)
    );
    let imported = StudyId(40);
    store.put_study(imported, &study("imported")).unwrap();
    store
        .put_trial(imported.trial(6), &trial(TrialState::Done))
        .unwrap();
    let store = reopened(&dir, store);
    assert_eq!(store.create_study(&study("b")).unwrap(), StudyId(41));
    assert_eq!(
        store.create_trial(first, &trial(TrialState::Done)).unwrap(),
        first.trial(1)
    );
    assert_eq!(
        store
            .create_trial(imported, &trial(TrialState::Done))
            .unwrap(),
        imported.trial(7)
    );
    let missing = store.create_trial(StudyId(5), &trial(TrialState::Done));
    assert!(matches!(
        missing,
        Err(Error::NoSuchStudy { id: StudyId(5) })
    ));
}

#[test]
fn a_user_finds_studies_and_trials_by_what_they_type() {
    let (_dir, store) = open();
    let id = store.create_study(&study("a")).unwrap();
    store.create_trial(id, &trial(TrialState::Done)).unwrap();
    for (text, expected) in [
        ("s1", Id::Study(id)),
        ("1", Id::Study(id)),
        ("1.0", Id::Trial(id.trial(0))),
    ] {
        assert_eq!(store.resolve(text).unwrap(), expected);
    }
    for (text, expected) in [
        ("2", "no study s2"),
        ("2.0", "no study s2"),
        ("s1.1", "no trial s1.1"),
        ("digits", "is no id"),
    ] {
        let error = store.resolve(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_was_running_is_lost_or_interrupted_after_a_crash() {
    let (dir, store) = open();
    fill(&store);
    let store = reopened(&dir, store);
    let orphans = store.recover_orphans().unwrap();
    assert_eq!(orphans.studies, [StudyId(1), StudyId(2)]);
    assert_eq!(orphans.trials, [StudyId(1).trial(1), StudyId(2).trial(1)]);
    let lost = store.trial(StudyId(1).trial(1)).unwrap();
    assert_eq!(lost.state, TrialState::Lost);
    assert!(lost.reason.is_some());
    assert_eq!(
        store.study(StudyId(1)).unwrap().state,
        StudyState::Interrupted
    );
    assert_eq!(
        store.trial(StudyId(1).trial(0)).unwrap().state,
        TrialState::Stopped
    );
    assert_eq!(store.recover_orphans().unwrap(), Orphans::default());
}

#[test]
fn too_much_at_once_is_refused_before_anything_is_written() {
    let (_dir, store) = open();
    let large = |bytes| Knowledge {
        version: 1,
        bytes: vec![0; bytes],
    };
    let error = store
        .put_knowledge("greedy", "policy", &large(17 << 20))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("knowledge slot `policy` of `greedy`"),
        "{error}"
    );
    let batch = (0..5).fold(Batch::new(), |batch, slot| {
        batch.put_knowledge("greedy", &slot.to_string(), &large(15 << 20))
    });
    assert!(matches!(store.apply(batch), Err(Error::TooLarge { .. })));
    assert_eq!(store.knowledge("greedy", "0").unwrap(), None);
}

#[test]
fn a_checkpoint_changes_nothing_but_the_size() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 2000,
        ..Options::default()
    };
    let (store, _) = Store::open_with(dir.path(), "test", options).unwrap();
    fill(&store);
    for version in 0..200 {
        let knowledge = Knowledge {
            version,
            bytes: vec![1; 100],
        };
        store.put_knowledge("greedy", "digits", &knowledge).unwrap();
    }
    let all = everything(&store);
    let size = |dir| {
        files(dir, "")
            .iter()
            .map(|file| file.metadata().unwrap().len())
            .sum::<u64>()
    };
    let journal = dir.path().join("journal");
    let before = size(&journal);
    store.checkpoint().unwrap();
    store.checkpoint().unwrap();
    assert!(
        size(&journal) < before / 3,
        "{} of {before} bytes",
        size(&journal)
    );
    assert_eq!(everything(&store), all);
    let store = reopened(&dir, store);
    assert_eq!(everything(&store), all);
    drop(store);
    remove_index(dir.path());
    let (store, report) = Store::open(dir.path(), "test").unwrap();
    assert_eq!(everything(&store), all);
    assert!(report.is_clean(), "{report}");
}

#[test]
fn overwriting_for_ever_does_not_fill_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 50_000,
        garbage_bytes: 100_000,
        ..Options::default()
    };
    let (store, _) = Store::open_with(dir.path(), "test", options).unwrap();
    for version in 0..300 {
        let knowledge = Knowledge {
            version,
            bytes: vec![version as u8; 10_000],
        };
        store.put_knowledge("greedy", "policy", &knowledge).unwrap();
    }
    drop(store);
    let journal = files(&dir.path().join("journal"), "");
    let size: u64 = journal
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!(
        size < 1_500_000,
        "{size} bytes for 3 MB written and 10 kB alive"
    );
    let (store, report) = Store::open(dir.path(), "test").unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        store
            .knowledge("greedy", "policy")
            .unwrap()
            .unwrap()
            .version,
        299
    );
}

#[test]
fn threads_write_and_read_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 30_000,
        garbage_bytes: 30_000,
        ..Options::default()
    };
    let (store, _) = Store::open_with(dir.path(), "test", options).unwrap();
    let study = store.create_study(&study("threads")).unwrap();
    let shared = study.trial(1000);
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let store = &store;
            scope.spawn(move || {
                let id = store
                    .create_trial(study, &trial(TrialState::Running))
                    .unwrap();
                for turn in 0..60_u64 {
                    let batch = Batch::new()
                        .append_steps(id, rows(turn * 20..turn * 20 + 20))
                        .put_epoch(id, turn as u32, &epoch(turn as f64))
                        .put_epoch(shared, writer * 1000 + turn as u32, &epoch(0.0));
                    store.apply(batch).unwrap();
                    // A batch is seen whole, and a chunk that is being merged without a hole.
                    let steps = store.read_steps(id, ..).unwrap();
                    assert_eq!(steps.len() as u64, turn * 20 + 20);
                    let others = store.list_trials(study).unwrap();
                    for (other, _) in others {
                        let steps = store.read_steps(other, ..).unwrap();
                        assert_eq!(steps.steps, (0..steps.len() as u64).collect::<Vec<_>>());
                    }
                }
            });
        }
    });
    let store = reopened(&dir, store);
    let trials = store.list_trials(study).unwrap();
    assert_eq!(trials.len(), 6);
    for (id, _) in trials {
        assert_eq!(store.read_steps(id, ..).unwrap(), rows(0..1200), "{id}");
        assert_eq!(store.epochs(id).unwrap().len(), 60);
    }
    assert_eq!(store.epochs(shared).unwrap().len(), 360);
}
