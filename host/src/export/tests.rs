//! What is made here is shared with the tests of `import`.

use super::*;
use attune_protocol::{
    Direction, Metrics, Number, Scalar, StepRows, StudyState, StudySummary, TrialCounts,
    TrialState, TrialSummary,
};
use std::fs;
use std::io;

/// A trial of which nothing is known.
pub(crate) fn trial(id: &str) -> TrialSummary {
    TrialSummary {
        id: id.to_owned(),
        state: TrialState::Done,
        scheduler: "greedy".to_owned(),
        config: [].into(),
        seed: u64::MAX,
        epochs: 0,
        max_epochs: 0,
        steps: 0,
        value: None,
        best_epoch: None,
        metrics: [].into(),
        seconds: Number(0.0),
        reason: None,
        warnings: Vec::new(),
        plugin: String::new(),
        interventions: Vec::new(),
        deaths: Vec::new(),
        checkpoints: Vec::new(),
        rungs: Vec::new(),
        started_unix_ms: None,
        ended_unix_ms: None,
        note: attune_protocol::Note::default(),
    }
}

/// A study with these trials.
pub(crate) fn study(trials: &[ImportedTrial]) -> StudyDetail {
    StudyDetail {
        study: StudySummary {
            id: "s1".to_owned(),
            name: "digits".to_owned(),
            state: StudyState::Done,
            metric: "accuracy".to_owned(),
            direction: Direction::Maximize,
            seed: 7,
            trials: TrialCounts::default(),
            best_trial: None,
            best_value: None,
            created_unix_ms: 1_767_225_600_000,
            ended_unix_ms: None,
            seconds: Number(12.5),
            reason: None,
            origin: None,
            note: attune_protocol::Note::default(),
            trend: Vec::new(),
        },
        spec: "seed = 7\n".to_owned(),
        file: String::new(),
        trials: trials.iter().map(|trial| trial.trial.clone()).collect(),
        notes: Vec::new(),
        changes: Vec::new(),
    }
}

/// Trials in several states, with what is awkward: NaN, infinities, quotes, lists.
pub(crate) fn trials() -> Vec<ImportedTrial> {
    let states = [
        TrialState::Done,
        TrialState::Stopped,
        TrialState::Diverged,
        TrialState::Queued,
        TrialState::Lost,
    ];
    let mut trials = Vec::new();
    for (number, state) in (1_u32..).zip(states) {
        let part = f64::from(number) / 3.0;
        let mut summary = trial(&format!("s1.{number}"));
        summary.state = state;
        summary.config = [
            ("lr".to_owned(), Scalar::Float(Number(part / 10.0))),
            ("layers".to_owned(), Scalar::Int(number.into())),
            ("nesterov".to_owned(), Scalar::Bool(number % 2 == 0)),
            ("model".to_owned(), Scalar::Text("a \"b\",\nNaN".to_owned())),
            (
                "momenta".to_owned(),
                Scalar::List(vec![Number(0.9), Number(f64::NAN)]),
            ),
        ]
        .into();
        summary.epochs = number;
        summary.max_epochs = 5;
        summary.steps = u64::from(number) * 2;
        summary.seconds = Number(part);
        summary.reason = (state == TrialState::Diverged).then(|| "step 3, loss NaN".to_owned());
        let mut epochs = std::collections::BTreeMap::new();
        for epoch in 1..=number {
            let metrics: Metrics = [
                ("valid_accuracy".to_owned(), Number(part + f64::from(epoch))),
                ("train_loss".to_owned(), Number(f64::NAN)),
            ]
            .into();
            epochs.insert(epoch, metrics);
        }
        summary.value = Some(Number(part + f64::from(number)));
        summary.best_epoch = Some(number);
        summary.metrics = epochs[&number].clone();
        let steps: Vec<u64> = (1..=summary.steps).collect();
        let losses = steps.iter().map(|step| Number(-0.1 * *step as f64));
        let rates = steps.iter().map(|_| Number(f64::INFINITY));
        let columns = [
            ("loss".to_owned(), losses.collect()),
            ("lr".to_owned(), rates.collect()),
        ];
        trials.push(ImportedTrial {
            trial: summary,
            epochs,
            steps: StepRows {
                columns: columns.into(),
                steps,
                next: None,
            },
        });
    }
    trials
}

/// The study as a stream.
pub(crate) fn stream(
    format: Format,
    study: &StudyDetail,
    trials: &[ImportedTrial],
) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let mut each = trials.iter().cloned().map(Ok);
    export(format, study, &mut each, Target::Stream(&mut bytes))?;
    Ok(String::from_utf8(bytes)?)
}

fn to_folder(format: Format, folder: &Path, force: bool) -> anyhow::Result<Summary> {
    let trials = trials();
    let to = Target::Path {
        path: folder,
        force,
    };
    export(
        format,
        &study(&trials),
        &mut trials.iter().cloned().map(Ok),
        to,
    )
}

#[test]
fn each_form_says_what_it_wrote_and_replaces_nothing_unasked() {
    let table = [
        (Format::Jsonl, "", vec!["out"]),
        (Format::Optuna, "", vec!["out"]),
        (
            Format::Csv,
            "out",
            vec!["trials.csv", "epochs.csv", "steps.csv"],
        ),
        (
            Format::TensorBoard,
            "out",
            (1..=5)
                .map(|_| "events.out.tfevents.1767225600.attune")
                .collect(),
        ),
    ];
    for (format, under, files) in table {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("out");
        let written = to_folder(format, &place, false).unwrap();
        assert_eq!((written.trials, written.epochs), (5, 15), "{format:?}");
        assert_eq!(written.steps, 30, "{format:?}");
        let names: Vec<&str> = written
            .files
            .iter()
            .map(|file| file.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, files);
        let before: Vec<Vec<u8>> = written.files.iter().map(|f| fs::read(f).unwrap()).collect();

        let refused = to_folder(format, &place, false).unwrap_err();
        assert!(refused.to_string().contains("--force"), "{refused}");
        to_folder(format, &place, true).unwrap();
        let after: Vec<Vec<u8>> = written.files.iter().map(|f| fs::read(f).unwrap()).collect();
        assert_eq!(before, after, "{format:?} writes the same thing again");
        // Nothing is left over beside the files.
        let here = fs::read_dir(folder.path().join(under)).unwrap();
        let expected = if under.is_empty() { 1 } else { files.len() };
        assert_eq!(here.count(), expected, "{format:?}");
    }
}

#[test]
fn nothing_stays_of_an_export_that_fails() {
    for format in [
        Format::Jsonl,
        Format::Optuna,
        Format::Csv,
        Format::TensorBoard,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let trials = trials();
        let mut each = trials.iter().cloned().map(Ok).take(3);
        let mut failing = each
            .by_ref()
            .chain([Err(anyhow::anyhow!("the daemon is gone"))]);
        let to = Target::Path {
            path: &folder.path().join("out"),
            force: false,
        };
        let error = export(format, &study(&trials), &mut failing, to).unwrap_err();
        assert!(format!("{error:#}").contains("study s1: the daemon is gone"));
        let mut left = Vec::new();
        files_under(folder.path(), &mut left);
        assert!(left.is_empty(), "{format:?} left {left:?}");
    }
}

fn files_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_under(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let all = trials();
    let study = study(&all);
    let mut short = all[0].clone();
    short.steps.columns.get_mut("loss").unwrap().pop();
    let mut cut = all[0].clone();
    cut.steps.next = Some(3);
    let mut strange = all[0].clone();
    strange.trial.id = "s2.1".to_owned();
    let table = [
        (short, "2 steps but 1 values of \"loss\""),
        (cut, "end before step 3"),
        (strange, "s2.1 is not listed"),
    ];
    for (trial, message) in table {
        let error = stream(Format::Jsonl, &study, &[trial]).unwrap_err();
        assert!(format!("{error:#}").contains(message), "{error:#}");
    }
    let twice = [all[0].clone(), all[0].clone()];
    let error = stream(Format::Jsonl, &study, &twice).unwrap_err();
    assert!(error.to_string().contains("came twice"), "{error}");
    assert!(stream(Format::TensorBoard, &study, &all).is_err());

    let mut named = all.clone();
    named[0].trial.id = "../../s1".to_owned();
    let folder = tempfile::tempdir().unwrap();
    let to = Target::Path {
        path: folder.path(),
        force: true,
    };
    let study = super::tests::study(&named);
    let mut each = named.into_iter().map(Ok);
    let error = export(Format::TensorBoard, &study, &mut each, to).unwrap_err();
    assert!(error.to_string().contains("name of a folder"), "{error}");
}

#[test]
fn a_stream_that_is_full_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let trials = trials();
    for format in [Format::Jsonl, Format::Csv, Format::Optuna] {
        let mut each = trials.iter().cloned().map(Ok);
        let to = Target::Stream(&mut Full);
        assert!(export(format, &study(&trials), &mut each, to).is_err());
    }
}

#[test]
fn tables_have_a_cell_for_every_value() {
    let mut trials = trials();
    trials.truncate(2);
    // Columns that only a later trial has, and one that is called as a column of ours.
    trials[1]
        .epochs
        .get_mut(&2)
        .unwrap()
        .insert("epoch".into(), Number(f64::NEG_INFINITY));
    trials[1]
        .steps
        .columns
        .insert("gamma".into(), vec![Number(1e-7); 4]);
    let folder = tempfile::tempdir().unwrap();
    let mut each = trials.iter().cloned().map(Ok);
    let to = Target::Path {
        path: folder.path(),
        force: false,
    };
    export(Format::Csv, &study(&trials), &mut each, to).unwrap();

    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(
        read("epochs.csv"),
        "trial,epoch,train_loss,valid_accuracy,epoch\n\
         s1.1,1,NaN,1.3333333333333333,\n\
         s1.2,1,NaN,1.6666666666666665,\n\
         s1.2,2,NaN,2.6666666666666665,-Infinity\n"
    );
    let steps = read("steps.csv");
    let steps: Vec<&str> = steps.lines().collect();
    assert_eq!(steps[0], "trial,step,loss,lr,gamma");
    assert_eq!(steps[1], "s1.1,1,-0.1,Infinity,");
    assert_eq!(steps[6], "s1.2,4,-0.4,Infinity,1e-7");
    let trials_table = read("trials.csv");
    assert_eq!(
        trials_table.lines().next().unwrap(),
        "trial,state,value,best_epoch,scheduler,seed,epochs,max_epochs,steps,seconds,plugin,\
         reason,config.layers,config.lr,config.model,config.momenta,config.nesterov,\
         metric.train_loss,metric.valid_accuracy"
    );
    assert!(trials_table.contains(
        "s1.1,done,1.3333333333333333,1,greedy,18446744073709551615,1,5,2,0.3333333333333333,,,\
         1,0.03333333333333333,\"a \"\"b\"\",\nNaN\",\"[0.9,\"\"NaN\"\"]\",false,NaN,"
    ));
    assert_eq!(
        stream(Format::Csv, &study(&trials), &trials).unwrap(),
        trials_table
    );
}

#[test]
fn an_optuna_journal_has_one_operation_a_trial() {
    let trials = trials();
    let journal = stream(Format::Optuna, &study(&trials), &trials).unwrap();
    let lines: Vec<&str> = journal.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"op_code":0,"worker_id":"attune","study_name":"digits (s1)","directions":[2]}"#
    );
    let trial = lines[10];
    for part in [
        r#""op_code":4"#,
        r#""state":1,"value":1.3333333333333333,"values":null"#,
        r#""datetime_start":"2026-01-01T00:00:00.000000+00:00""#,
        r#""datetime_complete":"2026-01-01T00:00:00.333000+00:00""#,
        r#"\"name\":\"IntDistribution\",\"attributes\":{\"log\":false,\"step\":1,\"low\":1,\"high\":5}"#,
        r#""params":{"layers":1,"lr":0.03333333333333333,"model":0,"momenta":0,"nesterov":0}"#,
        r#""attune:trial":"s1.1""#,
        r#""intermediate_values":{"1":1.3333333333333333}"#,
    ] {
        assert!(trial.contains(part), "{part} is not in {trial}");
    }
    assert!(lines[13].contains(r#""state":4"#) && lines[13].contains("fixed_params"));
    assert_eq!(lines.len(), 15);
}
