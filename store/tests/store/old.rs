//! Stores that earlier versions wrote open, with every record in them.

use std::collections::BTreeMap;
use std::path::Path;

use attune_store::*;

use crate::scenario::*;

fn noise(step: u64) -> f64 {
    let z = step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 31)) as f64 / u64::MAX as f64
}

/// Rows that make use of every coding: noise, a smooth schedule, plateaus, and what is no number.
fn history(steps: std::ops::Range<u64>) -> Steps {
    let loss = |step| match step % 1000 {
        7 => f32::NAN,
        8 => f32::NEG_INFINITY,
        _ => (1.0 + noise(step)) as f32,
    };
    let cosine = |step| 0.05 * (1.0 + (step as f64 / 1000.0).cos());
    let plateau = |step| if noise(step / 200) < 0.5 { 0.1 } else { 0.09 };
    Steps::new(steps.clone().collect())
        .with_f32("loss", steps.clone().map(loss).collect())
        .with_f64("rate", steps.clone().map(cosine).collect())
        .with_f64("rate.head", steps.map(plateau).collect())
}

/// A study as version 1 kept it: without what came later.
fn old_study(name: &str) -> StudyRecord {
    StudyRecord {
        file: String::new(),
        data_hash: String::new(),
        parallel: 0,
        plugins: BTreeMap::new(),
        seconds: 0.0,
        ..study(name)
    }
}

fn old_trial(state: TrialState) -> TrialRecord {
    TrialRecord {
        attempt: 0,
        ..trial(state)
    }
}

#[test]
fn a_store_of_version_1_opens_with_all_that_is_in_it() {
    for has_index in [true, false] {
        let dir = copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old/v1"));
        if !has_index {
            remove_index(dir.path());
        }
        let (store, report) = Store::open(dir.path(), "test").unwrap();
        assert!(report.is_clean() && report.torn.is_none(), "{report}");
        assert_version_1(&store);
        // Written on, by this version, and opened again.
        let next = store.create_study(&study("next")).unwrap();
        assert_eq!(next, StudyId(3));
        let (dir, store) = (&dir, reopened(&dir, store));
        assert_version_1(&store);
        store.compact().unwrap();
        let store = reopened(dir, store);
        assert_version_1(&store);
        assert_eq!(store.study(next).unwrap(), study("next"));
    }
}

fn assert_version_1(store: &Store) {
    let (digits, wine) = (StudyId(1), StudyId(2));
    assert_eq!(store.study(digits).unwrap(), old_study("digits"));
    let ended = StudyRecord {
        state: StudyState::Done,
        direction: Direction::Minimize,
        ended_unix_ms: Some(1_700_000_009_000),
        ..old_study("wine")
    };
    assert_eq!(store.study(wine).unwrap(), ended);
    for (id, state, steps) in [
        (digits.trial(0), TrialState::Done, 60),
        (digits.trial(1), TrialState::Running, 4500),
        (wine.trial(0), TrialState::Diverged, 30),
        (wine.trial(1), TrialState::Lost, 30),
    ] {
        // As text, for NaN is not equal to itself.
        let found = format!("{:?}", store.trial(id).unwrap());
        assert_eq!(found, format!("{:?}", old_trial(state)));
        let epochs = format!("{:?}", store.epochs(id).unwrap());
        assert_eq!(
            epochs,
            format!("{:?}", [(0, epoch(f64::NAN)), (1, epoch(0.25))])
        );
        let found = store.read_steps(id, ..).unwrap();
        assert_eq!(bits(&found), bits(&history(0..steps)), "{id}");
    }
    let bare = TrialRecord {
        plugin: None,
        started_unix_ms: None,
        config: BTreeMap::new(),
        ..old_trial(TrialState::Queued)
    };
    let found = store.trial(wine.trial(2)).unwrap();
    assert_eq!(format!("{found:?}"), format!("{bare:?}"));
    for (owner, slot, version) in [("greedy", "policy", 2), ("tpe", "prior", 3)] {
        let bytes = vec![version as u8; 300];
        let known = store.knowledge(owner, slot).unwrap();
        assert_eq!(known, Some(Knowledge { version, bytes }));
    }
}
