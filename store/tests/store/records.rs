//! What goes in comes out: records, ids, batches, checkpoints, threads.

use std::collections::BTreeMap;

use crate::scenario::*;
use attune_store::*;
use proptest::prelude::*;

fn scalar() -> impl Strategy<Value = Scalar> {
    let one = prop_oneof![
        float().prop_map(Scalar::Float),
        any::<i64>().prop_map(Scalar::Int),
        any::<bool>().prop_map(Scalar::Bool),
        any::<String>().prop_map(Scalar::Text),
    ];
    one.prop_recursive(2, 8, 4, |one| {
        prop::collection::vec(one, 0..4).prop_map(Scalar::List)
    })
}

fn action() -> impl Strategy<Value = Action> {
    let params = prop::collection::btree_map(any::<String>(), scalar(), 0..3);
    prop_oneof![
        float().prop_map(Action::SetRate),
        (any::<String>(), params)
            .prop_map(|(scheduler, params)| Action::Swap { scheduler, params }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let kind = prop::sample::select(vec![
        OutcomeKind::Reached,
        OutcomeKind::Ended,
        OutcomeKind::Diverged,
        OutcomeKind::Failed,
    ]);
    (any::<u64>(), kind, any::<u64>(), float()).prop_map(|(seq, kind, epoch, value)| Outcome {
        seq,
        kind,
        epoch,
        value,
    })
}

fn checkpoint() -> impl Strategy<Value = Checkpoint> {
    let kept_as = prop::sample::select(vec![KeptAs::Last, KeptAs::Best, KeptAs::Rung]);
    let numbers = any::<(u64, u32, u64)>();
    (numbers, kept_as).prop_map(|((step, epoch, bytes), kept_as)| Checkpoint {
        step,
        epoch,
        bytes,
        kept_as,
    })
}

prop_compose! {
    fn any_study()(
        texts in any::<[String; 4]>(),
        (seed, parallel, reason, imported) in any::<(u64, u32, Option<String>, Option<String>)>(),
        changes in prop::collection::vec(any::<(u64, u64, String, Vec<String>)>(), 0..3),
        origin in any::<Option<(u64, u32, u64)>>(),
        seconds in float(),
        plugins in prop::collection::btree_map(any::<String>(), any::<[String; 3]>(), 0..3),
    ) -> StudyRecord {
        let [name, spec, file, data_hash] = texts;
        let change = |(unix_ms, seq, spec, summary)| Change { unix_ms, seq, spec, summary };
        let build = |[name, version, build_hash]: [String; 3]| PluginBuild { name, version, build_hash };
        StudyRecord {
            spec, seed, file, data_hash, parallel, reason, imported, seconds,
            changes: changes.into_iter().map(change).collect(),
            origin: origin.map(|(study, number, step)| Origin { trial: StudyId(study).trial(number), step }),
            plugins: plugins.into_iter().map(|(name, texts)| (name, build(texts))).collect(),
            ..study(&name)
        }
    }
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
        attempt in any::<u64>(),
        deaths in prop::collection::vec(any::<(u64, String)>(), 0..3),
        outcomes in prop::collection::vec(outcome(), 0..4),
        checkpoints in prop::collection::vec(checkpoint(), 0..4),
        model in prop::option::of((any::<u64>(), metrics())),
        interventions in prop::collection::vec((any::<u64>(), any::<u64>(), action()), 0..3),
    ) -> TrialRecord {
        let best_metrics =
            best.into_iter().map(|(name, (value, epoch))| (name, Best { value, epoch })).collect();
        TrialRecord {
            config, state, seed, steps, epochs, started_unix_ms, reason, final_metrics,
            best_metrics, warnings, attempt, outcomes, checkpoints,
            deaths: deaths.into_iter().map(|(unix_ms, reason)| Death { unix_ms, reason }).collect(),
            model: model.map(|(bytes, test)| ModelFile { bytes, test }),
            interventions: interventions
                .into_iter()
                .map(|(step, unix_ms, action)| Intervention { step, unix_ms, action })
                .collect(),
            ..trial(state)
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

    #[test]
    fn studies_come_back_as_they_were(records in prop::collection::vec(any_study(), 1..10)) {
        let (dir, store) = open();
        for record in &records {
            store.create_study(record).unwrap();
        }
        let store = reopened(&dir, store);
        let stored: Vec<_> = store.list_studies().unwrap().into_iter().map(|(_, r)| r).collect();
        prop_assert_eq!(format!("{stored:?}"), format!("{records:?}"));
    }
}

#[test]
fn trials_and_epochs_are_shown_one_by_one_and_no_others() {
    use std::ops::ControlFlow::{Break, Continue};
    let (_dir, store) = open();
    fill(&store);
    let study = store.create_study(&study("many")).unwrap();
    for _ in 0..10 {
        let record = trial(TrialState::Done);
        store.create_trial(study, &record).unwrap();
    }
    let from = |first: u32, most: usize| {
        let mut seen = Vec::new();
        let look = |id: TrialId, _| {
            seen.push(id.number);
            if seen.len() == most {
                Break(())
            } else {
                Continue(())
            }
        };
        store.each_trial_from(study.trial(first), look).unwrap();
        seen
    };
    assert_eq!(from(0, 3), [0, 1, 2]);
    assert_eq!(from(7, 100), [7, 8, 9]);
    assert!(from(10, 1).is_empty() && from(u32::MAX, 1).is_empty());

    // More epochs than are read at a time, with a hole.
    let epochs: Vec<u32> = (1..=9_000).chain([u32::MAX - 1, u32::MAX]).collect();
    let batch = epochs.iter().fold(Batch::new(), |batch, number| {
        batch.put_epoch(study.trial(3), *number, &epoch(f64::from(*number)))
    });
    let neighbour = study.trial(4);
    store
        .apply(batch.put_epoch(neighbour, 1, &epoch(0.5)))
        .unwrap();
    let mut shown = Vec::new();
    let look = |number, metrics: EpochMetrics| {
        assert_eq!(metrics["loss"], f64::from(number));
        shown.push(number);
    };
    store.each_epoch(study.trial(3), look).unwrap();
    assert_eq!(shown, epochs);
}

#[test]
fn no_two_starts_get_the_same_number() {
    let (dir, store) = open();
    assert_eq!(store.next_boot().unwrap(), 1);
    assert_eq!(store.next_boot().unwrap(), 2);
    let store = reopened(&dir, store);
    assert_eq!(store.next_boot().unwrap(), 3);
}

#[test]
fn a_quarantine_stays_until_it_is_lifted() {
    let (dir, store) = open();
    let record = Quarantine {
        unix_ms: 5,
        name: "misbehave".to_owned(),
        path: "/plugins/libmisbehave.so".to_owned(),
        reason: "three workers died".to_owned(),
        deaths: vec!["signal 11".to_owned(); 3],
    };
    let batch = ["9f2c", "77aa"].iter().fold(Batch::new(), |batch, hash| {
        batch.put_quarantine(hash, &record)
    });
    store.apply(batch).unwrap();
    let store = reopened(&dir, store);
    let both = ["77aa", "9f2c"].map(|hash| (hash.to_owned(), record.clone()));
    assert_eq!(store.quarantines().unwrap(), both);
    store.apply(Batch::new().delete_quarantine("77aa")).unwrap();
    let store = reopened(&dir, store);
    assert_eq!(store.quarantines().unwrap(), both[1..]);
    let error = store.apply(Batch::new().delete_quarantine("")).unwrap_err();
    assert!(matches!(error, Error::BadLibraryHash { .. }), "{error}");
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
    store.compact().unwrap();
    store.compact().unwrap();
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

#[test]
fn checkpoints_of_the_young_leave_the_old_alone_and_what_is_deleted_stays_so() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 20_000,
        garbage_bytes: 20_000,
        ..Options::default()
    };
    let (store, _) = Store::open_with(dir.path(), "test", options).unwrap();
    fill(&store);
    // Old records, many more than what the young ones will be.
    let old = Knowledge {
        version: 0,
        bytes: (0..300_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect(),
    };
    store.put_knowledge("tpe", "old", &old).unwrap();
    store.compact().unwrap();
    let snapshots = || files(&dir.path().join("journal"), "snapshot-");
    let oldest = snapshots();
    assert_eq!(oldest.len(), 1);

    store
        .apply(Batch::new().delete_trial(StudyId(1).trial(1)))
        .unwrap();
    let mut most = 0;
    for version in 1..400 {
        let knowledge = Knowledge {
            version,
            bytes: vec![version as u8; 1000],
        };
        store.put_knowledge("greedy", "digits", &knowledge).unwrap();
        // Something that stays with what does not.
        store
            .put_epoch(StudyId(2).trial(0), version, &epoch(0.5))
            .unwrap();
        most = most.max(snapshots().len());
    }
    drop(store);
    assert!(
        snapshots().contains(&oldest[0]) && most > 1,
        "{most} snapshots"
    );
    remove_index(dir.path());
    let (store, report) = Store::open_with(dir.path(), "test", options).unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(store.trial(StudyId(1).trial(1)).is_err());
    assert!(
        store
            .read_steps(StudyId(1).trial(1), ..)
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.knowledge("tpe", "old").unwrap(), Some(old));
    assert_eq!(store.epochs(StudyId(2).trial(0)).unwrap().len(), 400);
    let all = everything(&store);
    assert!(store.verify().unwrap().is_clean());

    // One of several snapshots gone is noticed, and the index has what was in it.
    drop(store);
    let young = snapshots().pop().unwrap();
    std::fs::remove_file(&young).unwrap();
    let (store, report) = Store::open_with(dir.path(), "test", options).unwrap();
    assert!(!report.is_clean(), "{report}");
    assert_eq!(everything(&store), all);
}

#[test]
fn a_note_is_replaced_and_taken_away_and_each_is_its_own() {
    let (dir, store) = open();
    fill(&store);
    let (study, trial) = (Id::Study(StudyId(1)), Id::Trial(StudyId(1).trial(1)));
    let batch = Batch::new()
        .put_note(study, &note("another"))
        .delete_note(trial)
        .put_note(Id::Trial(StudyId(1).trial(0)), &note("the first"));
    store.apply(batch).unwrap();
    let store = reopened(&dir, store);
    assert_eq!(store.note(study).unwrap(), Some(note("another")));
    assert_eq!(store.note(trial).unwrap(), None);
    let notes = store.notes(StudyId(1)).unwrap();
    assert_eq!(notes.study, Some(note("another")));
    assert_eq!(notes.trials, BTreeMap::from([(0, note("the first"))]));
    let other = store.notes(StudyId(2)).unwrap();
    assert_eq!(other.trials, BTreeMap::from([(1, note("the second"))]));
    assert_eq!(store.notes(StudyId(9)).unwrap(), Notes::default());
    // What is not there is taken away without a trace.
    store.apply(Batch::new().delete_note(trial)).unwrap();
}
