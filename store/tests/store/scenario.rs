//! What the tests share: a store with something of everything, and a way to see all of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use attune_store::*;
use proptest::prelude::*;

pub(crate) fn study(name: &str) -> StudyRecord {
    StudyRecord {
        name: name.to_owned(),
        state: StudyState::Running,
        spec: "[study]\nname = \"digits\"".to_owned(),
        seed: 7,
        metric: "accuracy".to_owned(),
        direction: Direction::Maximize,
        planned_trials: 12,
        notes: vec!["id: left out".to_owned()],
        created_unix_ms: 1_700_000_000_000,
        ended_unix_ms: None,
        attune_version: "0.1.0".to_owned(),
        reason: None,
        file: "/data/studies/digits.toml".to_owned(),
        data_hash: "77aa".to_owned(),
        parallel: 2,
        plugins: BTreeMap::from([("greedy".to_owned(), greedy())]),
        seconds: 1.5,
        changes: Vec::new(),
        origin: None,
        imported: None,
        swapped: BTreeMap::new(),
    }
}

fn greedy() -> PluginBuild {
    PluginBuild {
        name: "greedy".to_owned(),
        version: "0.1.0".to_owned(),
        build_hash: "9f2c".to_owned(),
    }
}

pub(crate) fn trial(state: TrialState) -> TrialRecord {
    TrialRecord {
        state,
        config: BTreeMap::from([
            ("layers".to_owned(), Scalar::Int(3)),
            ("lr".to_owned(), Scalar::Float(0.1)),
            ("nesterov".to_owned(), Scalar::Bool(true)),
            ("optimizer".to_owned(), Scalar::Text("sgd".to_owned())),
        ]),
        seed: 11,
        plugin: Some(greedy()),
        started_unix_ms: Some(1_700_000_000_001),
        ended_unix_ms: None,
        epochs: 2,
        max_epochs: 9,
        steps: 40,
        seconds: 1.5,
        reason: None,
        final_metrics: BTreeMap::from([("loss".to_owned(), f64::NAN)]),
        best_metrics: BTreeMap::from([(
            "loss".to_owned(),
            Best {
                value: 0.25,
                epoch: 1,
            },
        )]),
        warnings: vec!["the loss was not finite once".to_owned()],
        attempt: 1,
        deaths: Vec::new(),
        outcomes: Vec::new(),
        checkpoints: Vec::new(),
        model: None,
        interventions: Vec::new(),
    }
}

pub(crate) fn note(text: &str) -> Note {
    Note {
        text: text.to_owned(),
        tags: vec!["good".into(), "größer".into()],
    }
}

pub(crate) fn epoch(loss: f64) -> EpochMetrics {
    BTreeMap::from([("loss".to_owned(), loss), ("rate".to_owned(), 0.1)])
}

pub(crate) fn rows(steps: std::ops::Range<u64>) -> Steps {
    let loss = steps
        .clone()
        .map(|step| 1.0 / (step as f32 + 1.0))
        .collect();
    let rate = steps
        .clone()
        .map(|step| 0.1 * (step as f64 / 100.0).cos())
        .collect();
    Steps::new(steps.collect())
        .with_f32("loss", loss)
        .with_f64("rate", rate)
}

/// Fills a store with something of everything, in about twenty writes.
pub(crate) fn fill(store: &Store) {
    for name in ["digits", "wine"] {
        let id = store.create_study(&study(name)).unwrap();
        for state in [TrialState::Done, TrialState::Running] {
            let trial_id = store.create_trial(id, &trial(state)).unwrap();
            store.put_epoch(trial_id, 0, &epoch(f64::INFINITY)).unwrap();
            store.append_steps(trial_id, &rows(0..30)).unwrap();
            store.append_steps(trial_id, &rows(30..60)).unwrap();
        }
        let policy = Knowledge {
            version: 1,
            bytes: name.as_bytes().repeat(20),
        };
        store.put_knowledge("greedy", name, &policy).unwrap();
        let notes = Batch::new()
            .put_note(Id::Study(id), &note(name))
            .put_note(Id::Trial(id.trial(1)), &note("the second"));
        store.apply(notes).unwrap();
    }
    // A batch of several records.
    let first = StudyId(1).trial(0);
    let batch = Batch::new()
        .put_trial(first, &trial(TrialState::Stopped))
        .put_epoch(first, 1, &epoch(0.5));
    store.apply(batch).unwrap();
}

/// Everything in the store, one record a line; floats as their bits, for NaN equals itself there.
pub(crate) fn everything(store: &Store) -> String {
    let mut all = String::new();
    for (study, record) in store.list_studies().unwrap() {
        writeln!(all, "{study} {record:?}").unwrap();
    }
    // Trials may be there though damage took their study.
    for study in (1..4).map(StudyId) {
        let notes = store.notes(study).unwrap();
        if let Some(note) = notes.study {
            writeln!(all, "{study} {note:?}").unwrap();
        }
        for (number, note) in notes.trials {
            writeln!(all, "{} {note:?}", study.trial(number)).unwrap();
        }
        for number in 0..4 {
            let id = study.trial(number);
            match store.trial(id) {
                Ok(record) => writeln!(all, "{id} {record:?}").unwrap(),
                Err(Error::NoSuchTrial { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            for (epoch, metrics) in store.epochs(id).unwrap() {
                writeln!(all, "{id} epoch {epoch} {metrics:?}").unwrap();
            }
            let steps = store.read_steps(id, ..).unwrap();
            for (row, step) in steps.steps.iter().enumerate() {
                let values: Vec<_> = steps
                    .columns
                    .iter()
                    .map(|column| (&column.name, column.values.get(row).unwrap().to_bits()))
                    .collect();
                writeln!(all, "{id} step {step} {values:?}").unwrap();
            }
        }
    }
    for slot in ["digits", "wine"] {
        if let Some(knowledge) = store.knowledge("greedy", slot).unwrap() {
            writeln!(all, "greedy {slot} {knowledge:?}").unwrap();
        }
    }
    all
}

/// A closed store that [`fill`] has filled, and all that is in it.
pub(crate) fn filled() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), "fill").unwrap();
    fill(&store);
    let all = everything(&store);
    drop(store);
    (dir, all)
}

pub(crate) fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    copy_into(from, to.path());
    to
}

fn copy_into(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_into(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files of the store's folder whose name starts with `prefix`, or of the whole of it.
pub(crate) fn files(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ""));
        } else if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with(prefix)
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(crate) fn segments(dir: &Path) -> Vec<PathBuf> {
    files(&dir.join("journal"), "segment-")
}

pub(crate) fn index_dir(dir: &Path) -> PathBuf {
    let is_index = |path: &PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("index.")
    };
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(is_index)
        .unwrap()
}

pub(crate) fn remove_index(dir: &Path) {
    fs::remove_dir_all(index_dir(dir)).unwrap();
}

pub(crate) fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let (store, report) = Store::open(dir.path(), "test").unwrap();
    assert_eq!(
        (report.records, report.index.clone()),
        (0, IndexState::Created)
    );
    assert!(report.is_clean());
    (dir, store)
}

pub(crate) fn reopened(dir: &tempfile::TempDir, store: Store) -> Store {
    drop(store);
    let (store, report) = Store::open(dir.path(), "test").unwrap();
    assert!(report.is_clean() && report.torn.is_none(), "{report}");
    assert_eq!(report.index, IndexState::Intact);
    store
}

/// Floats of every sort, NaN and the infinities often among them.
pub(crate) fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
    ]
}

/// Floats as bits, for NaN is not equal to itself.
pub(crate) fn bits(steps: &Steps) -> (Vec<u64>, Vec<(String, Vec<u64>)>) {
    let columns = steps.columns.iter().map(|column| {
        let values = match &column.values {
            Values::F32(values) => values.iter().map(|value| value.to_bits().into()).collect(),
            Values::F64(values) => values.iter().map(|value| value.to_bits()).collect(),
        };
        (column.name.clone(), values)
    });
    (steps.steps.clone(), columns.collect())
}
