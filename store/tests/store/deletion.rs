//! What is deleted is gone with all its parts, for good, and nothing else is.

use std::fs;

use attune_store::*;

use crate::scenario::*;

/// What the store says of one study and its trials.
fn lines_of<'a>(all: &'a str, id: &str) -> Vec<&'a str> {
    let of =
        |line: &&str| line.starts_with(&format!("{id} ")) || line.starts_with(&format!("{id}."));
    all.lines().filter(of).collect()
}

#[test]
fn a_deleted_trial_is_gone_and_its_neighbours_stay() {
    let (dir, all) = filled();
    let (store, _) = Store::open(dir.path(), "test").unwrap();
    let gone = StudyId(1).trial(1);
    store.apply(Batch::new().delete_trial(gone)).unwrap();
    let expected: Vec<_> = all
        .lines()
        .filter(|line| !line.starts_with("s1.1 "))
        .collect();
    assert_eq!(everything(&store).lines().collect::<Vec<_>>(), expected);
    let store = reopened(&dir, store);
    assert_eq!(everything(&store).lines().collect::<Vec<_>>(), expected);
    // Another time it is no error, and leaves no trace.
    store.apply(Batch::new().delete_trial(gone)).unwrap();
    assert_eq!(everything(&store).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_deleted_study_is_gone_and_its_neighbours_stay() {
    let (dir, all) = filled();
    let (store, _) = Store::open(dir.path(), "test").unwrap();
    store.apply(Batch::new().delete_study(StudyId(1))).unwrap();
    let store = reopened(&dir, store);
    let left = everything(&store);
    assert_eq!(lines_of(&left, "s1"), [""; 0]);
    assert_eq!(lines_of(&left, "s2"), lines_of(&all, "s2"));
    assert!(store.list_trials(StudyId(1)).unwrap().is_empty());
}

#[test]
fn ids_of_what_was_deleted_are_not_used_again() {
    let (dir, store) = open();
    let first = store.create_study(&study("a")).unwrap();
    let second = store.create_study(&study("b")).unwrap();
    for _ in 0..3 {
        store.create_trial(first, &trial(TrialState::Done)).unwrap();
    }
    let batch = Batch::new()
        .delete_study(second)
        .delete_trial(first.trial(2))
        .delete_trial(first.trial(1));
    store.apply(batch).unwrap();
    let store = reopened(&dir, store);
    let third = store.create_study(&study("c")).unwrap();
    assert_eq!(third, StudyId(3));
    let next = store.create_trial(first, &trial(TrialState::Done)).unwrap();
    assert_eq!(next, first.trial(3));
    // Nor in the same process, nor after everything is gone.
    let batch = Batch::new().delete_study(first).delete_study(third);
    store.apply(batch).unwrap();
    assert_eq!(store.create_study(&study("d")).unwrap(), StudyId(4));
    let store = reopened(&dir, store);
    assert_eq!(store.create_study(&study("e")).unwrap(), StudyId(5));
}

#[test]
fn a_history_begun_anew_after_a_deletion_has_nothing_of_the_old_one() {
    let (_dir, store) = open();
    let id = StudyId(1).trial(0);
    store.append_steps(id, &rows(0..50)).unwrap();
    store.apply(Batch::new().delete_trial(id)).unwrap();
    store.append_steps(id, &rows(60..70)).unwrap();
    assert_eq!(store.read_steps(id, ..).unwrap(), rows(60..70));
}

#[test]
fn a_batch_that_contradicts_itself_is_refused() {
    let (_dir, store) = open();
    fill(&store);
    let all = everything(&store);
    let id = StudyId(1).trial(0);
    for batch in [
        Batch::new().delete_trial(id).put_epoch(id, 5, &epoch(0.1)),
        Batch::new()
            .delete_study(id.study)
            .append_steps(id, rows(90..91)),
        Batch::new()
            .put_trial(id, &trial(TrialState::Done))
            .delete_study(id.study),
    ] {
        let error = store.apply(batch).unwrap_err();
        assert!(matches!(error, Error::Contradiction { .. }), "{error}");
    }
    assert_eq!(everything(&store), all);
}

#[test]
fn a_deletion_cut_short_anywhere_is_finished_by_the_next_opening() {
    let (dir, all) = filled();
    let segment = segments(dir.path()).pop().unwrap();
    let before = fs::metadata(&segment).unwrap().len();
    let (store, _) = Store::open(dir.path(), "test").unwrap();
    store.apply(Batch::new().delete_study(StudyId(1))).unwrap();
    drop(store);
    let after = fs::metadata(&segment).unwrap().len();
    let (mut whole, mut gone) = (0, 0);
    for to in (before..=after).step_by(7) {
        let damaged = copy(dir.path());
        remove_index(damaged.path());
        let path = &segments(damaged.path())[0];
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(to).unwrap();
        let (store, report) = Store::open(damaged.path(), "test").unwrap();
        assert!(report.is_clean(), "cut at {to}: {report}");
        let left = everything(&store);
        if store.study(StudyId(1)).is_ok() {
            assert_eq!(left, all, "cut at {to}");
            whole += 1;
        } else {
            assert_eq!(lines_of(&left, "s1"), [""; 0], "cut at {to}");
            gone += 1;
        }
        assert_eq!(store.create_study(&study("next")).unwrap(), StudyId(3));
    }
    assert!(whole > 3 && gone > 3, "{whole} whole, {gone} gone");
}

#[test]
fn a_study_with_more_than_one_batch_may_hold_goes_as_a_whole() {
    let (dir, store) = open();
    let id = store.create_study(&study("large")).unwrap();
    let trial_id = store.create_trial(id, &trial(TrialState::Done)).unwrap();
    for first in (0..45_000).step_by(5000) {
        let epochs = first..first + 5000;
        let batch = epochs.fold(Batch::new(), |batch, number| {
            batch.put_epoch(trial_id, number, &epoch(0.5))
        });
        store.apply(batch).unwrap();
    }
    store.apply(Batch::new().delete_study(id)).unwrap();
    assert!(store.epochs(trial_id).unwrap().is_empty());
    let store = reopened(&dir, store);
    assert!(store.epochs(trial_id).unwrap().is_empty());
    assert_eq!(store.create_study(&study("next")).unwrap(), StudyId(2));
}
