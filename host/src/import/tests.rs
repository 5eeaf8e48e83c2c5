use super::*;
use crate::export::tests::{stream, study, trial, trials};
use crate::export::{Format, jsonl};
use attune_protocol::work::{Checkpoint, Intervention};
use attune_protocol::{
    ImportedTrial, KeptAs, Number, Scalar, Steer, StepRows, StudyDetail, StudyState,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

const JOURNAL: &[u8] = include_bytes!("../../tests/formats/optuna5.journal");

fn text_of(study: &StudyDetail, trials: &[ImportedTrial]) -> String {
    stream(Format::Jsonl, study, trials).unwrap()
}

/// What should come back of an exported study.
fn imported(study: &StudyDetail, trials: &[ImportedTrial]) -> ImportedStudy {
    ImportedStudy {
        study: study.study.clone(),
        spec: study.spec.clone(),
        notes: study.notes.clone(),
        changes: study.changes.clone(),
        source: "there".to_owned(),
        trials: trials.to_vec(),
    }
}

fn read_text(text: &[u8]) -> anyhow::Result<Imported> {
    read("there", text)
}

/// Debug output tells all floats apart but for one NaN from another, which JSON has one word for.
fn same(a: &impl std::fmt::Debug, b: &impl std::fmt::Debug) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

fn number() -> impl Strategy<Value = Number> {
    any::<u64>().prop_map(|bits| Number(f64::from_bits(bits)))
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        any::<bool>().prop_map(Scalar::Bool),
        any::<i64>().prop_map(Scalar::Int),
        number().prop_map(Scalar::Float),
        any::<String>().prop_map(Scalar::Text),
        vec(number(), 0..3).prop_map(Scalar::List),
    ]
}

prop_compose! {
    fn rows()(columns in 0..4_usize, steps in 0..3000_usize, bits in any::<u64>()) -> StepRows {
        let value = |at: usize| {
            let bits = (at as u64 + 1).wrapping_mul(bits | 1);
            Number(f64::from_bits(bits))
        };
        let column = |at| (format!("c{at}"), (0..steps).map(|step| value(at + step)).collect());
        StepRows {
            steps: (0..steps as u64).map(|step| step.wrapping_mul(bits)).collect(),
            columns: (0..columns).map(column).collect(),
            next: None,
        }
    }
}

prop_compose! {
    fn any_trial()(
        config in btree_map(any::<String>(), scalar(), 0..4),
        epochs in btree_map(any::<u32>(), btree_map(any::<String>(), number(), 0..3), 0..9),
        steps in rows(),
        value in proptest::option::of(number()),
        seed in any::<u64>(),
        texts in vec(any::<String>(), 0..3),
        seconds in number(),
    ) -> ImportedTrial {
        let mut summary = trial("");
        summary.interventions = vec![Intervention {
            step: seed,
            steer: Steer::Swap { scheduler: texts.concat(), params: config.clone() },
        }];
        summary.checkpoints = vec![Checkpoint { step: seed, epoch: 1, bytes: 0, kept_as: KeptAs::Rung }];
        (summary.config, summary.value, summary.seed) = (config, value, seed);
        (summary.reason, summary.deaths, summary.seconds) = (texts.first().cloned(), texts, seconds);
        ImportedTrial { trial: summary, epochs, steps }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn json_lines_come_back_as_they_were(mut trials in vec(any_trial(), 0..4), spec in any::<String>()) {
        for (number, trial) in trials.iter_mut().enumerate() {
            trial.trial.id = format!("s1.{number}");
        }
        let mut study = study(&trials);
        study.spec = spec;
        let text = text_of(&study, &trials);
        let back = read_text(text.as_bytes()).unwrap();
        prop_assert!(back.warnings.is_empty());
        prop_assert!(same(&back.studies, &[imported(&study, &trials)]));
        // Once more: what was imported is exported as the same text, so every bit is the same.
        prop_assert_eq!(text_of(&study, &back.studies[0].trials), text);
    }

    #[test]
    fn mutated_files_never_panic(
        journal in any::<bool>(),
        mutations in vec((any::<u8>(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let trials = trials();
        let mut bytes = match journal {
            true => JOURNAL.to_vec(),
            false => text_of(&study(&trials), &trials).into_bytes(),
        };
        for (what, here, there, byte) in mutations {
            if bytes.is_empty() { break; }
            let (from, to) = (here.index(bytes.len()), there.index(bytes.len()));
            let (from, to) = (from.min(to), from.max(to));
            match what % 6 {
                0 => bytes[from] = byte,
                1 => { bytes.drain(from..to.min(from + 64)); }
                2 => bytes.truncate(to),
                3 => { let piece = bytes[from..to.min(from + 64)].to_vec(); bytes.splice(to..to, piece); }
                // A digit for another is the damage that still parses.
                4 => if let Some(at) = bytes[from..].iter().position(u8::is_ascii_digit) {
                    bytes[from + at] = b'0' + byte % 10;
                },
                _ => {
                    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
                    let (a, b) = (here.index(lines.len()), there.index(lines.len()));
                    lines.swap(a, b);
                    bytes = lines.concat();
                }
            }
        }
        if let Err(error) = read_text(&bytes) {
            prop_assert!(error.to_string().contains("there"), "{}", error);
        }
    }
}

#[test]
fn long_histories_are_told_in_pieces() {
    let mut one = trials().remove(0);
    one.steps.steps = (0..100_000).collect();
    for column in one.steps.columns.values_mut() {
        column.resize(100_000, Number(0.1));
    }
    let study = study(std::slice::from_ref(&one));
    let text = text_of(&study, std::slice::from_ref(&one));
    assert!(text.lines().count() > 70);
    assert!(text.lines().all(|line| line.len() < 100_000));
    let back = read_text(text.as_bytes()).unwrap();
    assert!(same(&back.studies, &[imported(&study, &[one])]));
}

#[test]
fn joined_files_hold_several_studies() {
    let trials = trials();
    let study = study(&trials);
    let text = text_of(&study, &trials).repeat(2);
    let back = read_text(text.as_bytes()).unwrap();
    assert_eq!(back.studies.len(), 2);
    assert!(back.warnings.is_empty());
    assert!(same(&back.studies[1], &imported(&study, &trials)));
}

#[test]
fn a_cut_export_is_read_as_far_as_it_goes() {
    let trials = trials();
    let study = study(&trials);
    let text = text_of(&study, &trials);
    let first_line = text.find('\n').unwrap();
    for length in first_line + 1..text.len() - 1 {
        let back = read_text(&text.as_bytes()[..length]).unwrap();
        let [read] = back.studies.as_slice() else {
            panic!("{} studies", back.studies.len());
        };
        let whole_trials = text[..length].matches("\n{\"trial\"").count();
        assert!(read.trials.len() + 1 >= whole_trials && read.trials.len() <= whole_trials);
        assert!(!back.warnings.is_empty(), "cut to {length} bytes");
        if let Some(best) = &read.study.best_trial {
            assert!(read.trials.iter().any(|trial| trial.trial.id == *best));
        }
    }
}

#[test]
fn damage_is_named_by_its_line() {
    let trials = trials();
    let text = text_of(&study(&trials), &trials);
    let without = |part: &str| {
        let lines = || text.split_inclusive('\n');
        let gone = lines().position(|line| line.starts_with(part)).unwrap();
        let kept = lines().enumerate().filter(|(at, _)| *at != gone);
        kept.map(|(_, line)| line).collect::<String>()
    };
    let table = [
        (
            text.replacen("\"loss\":[", "\"loss\":[0,", 1),
            "there line 4 does not fit",
        ),
        (
            text.replacen("\"trial\":", "\"tria\":", 1),
            "there line 2 is damaged",
        ),
        (
            text.replacen("\"form\":1", "\"form\":2", 1),
            "use a newer Attune",
        ),
        (
            text.replacen("\"of\":\"s1.1\"", "\"of\":\"s1.2\"", 1),
            "there line 3 does not fit",
        ),
        (without("{\"trial\""), "which is not the one before it"),
        (without("{\"steps\""), "lines are missing"),
        (
            text.replacen("s1.2", "s1.1", 1),
            "trial s1.1 is there twice",
        ),
        (
            text.replacen("\"export\"", "\"exporter\"", 1),
            "neither an \"export\" nor",
        ),
        ("[1, 2]".to_owned(), "neither an \"export\" nor"),
        ("\n \n".to_owned(), "there is empty"),
    ];
    for (text, message) in table {
        let error = read_text(text.as_bytes()).unwrap_err();
        assert!(format!("{error:#}").contains(message), "{error:#}");
    }
}

#[test]
fn only_the_last_line_may_be_cut() {
    let trials = trials();
    let text = text_of(&study(&trials), &trials);
    let middle = text.replacen("{\"trial\"", "\"trial\"", 1);
    let error = read_text(middle.as_bytes()).unwrap_err();
    assert!(
        error.to_string().contains("there line 2 is damaged"),
        "{error}"
    );

    // Optuna itself goes on writing behind a line that was cut.
    let cut = &JOURNAL[..JOURNAL.len() - 7];
    let number = cut.split(|byte| *byte == b'\n').count();
    let error = read_text(&[cut, JOURNAL].concat()).unwrap_err();
    let named = format!("there line {number} is damaged");
    assert!(error.to_string().contains(&named), "{error}");
}

#[test]
fn sizes_are_capped_before_they_are_read() {
    let mut long = vec![b' '; jsonl::MAX_LINE + 10];
    long[0] = b'{';
    long.push(b'\n');
    long.extend(b"{}");
    let error = read_text(&long).unwrap_err();
    assert!(
        format!("{error:#}").contains("line 1 is longer"),
        "{error:#}"
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    File::create(&path).unwrap().set_len(MAX_FILE + 1).unwrap();
    assert!(import(&path).unwrap_err().to_string().contains("split it"));
    assert!(
        import(folder.path())
            .unwrap_err()
            .to_string()
            .contains("not a file")
    );
    let missing = import(&folder.path().join("none")).unwrap_err();
    assert!(missing.to_string().contains("none; check the path"));
}

/// By Optuna 5, `host/tests/formats/make_journal.py`; what it holds is written down there.
#[test]
fn a_journal_of_optuna_is_read_as_optuna_reads_it() {
    let found = read_text(JOURNAL).unwrap();
    let expected = include_str!("../../tests/formats/optuna5.expected.json");
    let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
    assert_eq!(found.studies.len(), expected.as_array().unwrap().len());
    for (study, expected) in found.studies.iter().zip(expected.as_array().unwrap()) {
        let about = &study.study;
        assert_eq!(about.name, expected["name"]);
        assert_eq!(
            serde_json::to_value(about.direction).unwrap(),
            expected["direction"]
        );
        assert_eq!(
            serde_json::to_value(&about.best_trial).unwrap(),
            expected["best_trial"]
        );
        assert_eq!(about.state, StudyState::Interrupted);
        let trials: Vec<serde_json::Value> = study
            .trials
            .iter()
            .map(|trial| {
                let summary = &trial.trial;
                let reports: std::collections::BTreeMap<String, Number> = trial
                    .epochs
                    .iter()
                    .flat_map(|(epoch, metrics)| {
                        metrics
                            .values()
                            .map(move |value| (epoch.to_string(), *value))
                    })
                    .collect();
                serde_json::json!({
                    "state": summary.state,
                    "value": summary.value,
                    "config": summary.config,
                    "reports": reports,
                    "seconds": summary.seconds,
                })
            })
            .collect();
        assert_eq!(
            serde_json::Value::from(trials),
            expected["trials"],
            "{}",
            about.name
        );
    }
    let warned = found.warnings.join("\n");
    for part in [
        "\"two goals\" has 2 objectives",
        "step 0 becomes epoch 1",
        "\"note\"",
    ] {
        assert!(warned.contains(part), "{part} is not in {warned}");
    }
}

#[test]
fn a_journal_that_was_cut_keeps_every_whole_line() {
    let lines = JOURNAL.iter().filter(|byte| **byte == b'\n').count();
    for cut in 1..=120.min(JOURNAL.len() - 1) {
        let rest = &JOURNAL[..JOURNAL.len() - cut];
        let found = read_text(rest).unwrap();
        // Only an end of line was cut away: the line is whole.
        let whole = cut == 1 || rest.ends_with(b"\n");
        let told = found.warnings.iter().any(|w| w.contains("was cut after"));
        assert_eq!(told, !whole, "{cut} bytes cut off: {:?}", found.warnings);
        let last = lines
            - JOURNAL[rest.len()..]
                .iter()
                .filter(|b| **b == b'\n')
                .count()
            + 1;
        let named = found
            .warnings
            .iter()
            .any(|w| w.contains(&format!("line {last},")));
        assert_eq!(named, !whole, "{cut}");
    }
}

#[test]
fn every_operation_of_a_journal_does_what_it_does_in_optuna() {
    let float = r#""{\"name\":\"FloatDistribution\",\"attributes\":{\"step\":null,\"low\":0,\"high\":1,\"log\":false}}""#;
    let choice =
        r#""{\"name\":\"CategoricalDistribution\",\"attributes\":{\"choices\":[null,NaN]}}""#;
    let study = |name: &str| format!(r#"{{"op_code":0,"study_name":"{name}","directions":[1]}}"#);
    let create = r#"{"op_code":4,"study_id":0,"datetime_start":null}"#.to_owned();
    let param = |trial: u32, of: &str, value: &str| {
        format!(
            r#"{{"op_code":5,"trial_id":{trial},"param_name":"x","param_value_internal":{value},"distribution":{of}}}"#
        )
    };
    let end = r#"{"op_code":6,"trial_id":0,"state":1,"values":[0.5],"datetime_complete":"2026-01-01T00:00:00"}"#.to_owned();
    let read = |lines: &[String]| read_text(lines.join("\n").as_bytes()).unwrap();
    let x = |found: &Imported, trial: usize| {
        let config = &found.studies[0].trials[trial].trial.config;
        config.get("x").map(|value| format!("{value:?}"))
    };

    // A study of the same name is not made again, and one that was deleted is not there.
    let found = read(&[
        study("a"),
        study("a"),
        study("b"),
        r#"{"op_code":1,"study_id":0}"#.into(),
        create.clone(),
    ]);
    let names: Vec<&str> = found
        .studies
        .iter()
        .map(|s| s.study.name.as_str())
        .collect();
    assert_eq!(names, ["b"]);
    assert!(found.studies[0].trials.is_empty());

    // A name can be used again after its study is gone.
    let found = read(&[
        study("a"),
        r#"{"op_code":1,"study_id":0}"#.into(),
        study("a"),
    ]);
    assert_eq!(found.studies.len(), 1);

    // A parameter that does not go with the study's is not taken; nor is anything after the end.
    let found = read(&[
        study("a"),
        create.clone(),
        create.clone(),
        param(0, float, "0.25"),
        param(1, choice, "1"),
        end,
        param(0, float, "0.75"),
        r#"{"op_code":7,"trial_id":0,"step":1,"intermediate_value":0.5}"#.into(),
    ]);
    assert_eq!(x(&found, 0).unwrap(), "Float(Number(0.25))");
    assert_eq!(x(&found, 1), None);
    assert!(found.studies[0].trials[0].epochs.is_empty());

    let found = read(&[
        study("a"),
        create.clone(),
        param(0, choice, "1"),
        create.clone(),
        param(1, choice, "0"),
        r#"{"op_code":10,"trial_ids":[0]}"#.into(),
    ]);
    assert_eq!(x(&found, 0).unwrap(), "Float(Number(NaN))");
    assert_eq!(x(&found, 1).unwrap(), "Text(\"None\")");
    assert!(found.warnings[0].contains("discards"));

    for (bad, message) in [
        (param(0, choice, "2"), "none is number 2"),
        (param(0, choice, "-1"), "none is number -1"),
        (
            param(0, "3", "0"),
            "the distribution of \"x\" cannot be read: it is not a text",
        ),
        (r#"{"op_code":11}"#.to_owned(), "operation 11"),
        (
            r#"{"op_code":6,"trial_id":0,"state":9,"values":null}"#.to_owned(),
            "9 is no state",
        ),
        (
            r#"{"op_code":7,"trial_id":0,"step":-1,"intermediate_value":0}"#.to_owned(),
            "`step`",
        ),
    ] {
        let text = [study("a"), create.clone(), bad, String::new()].join("\n");
        let error = read_text(text.as_bytes()).unwrap_err();
        let shown = format!("{error:#}");
        assert!(
            shown.contains("there line 3") && shown.contains(message),
            "{shown}"
        );
    }

    let far = r#"{"op_code":7,"trial_id":0,"step":4294967296,"intermediate_value":0}"#;
    let found = read(&[study("a"), create, far.to_owned()]);
    assert!(
        found.warnings[0].contains("1 values at steps beyond"),
        "{:?}",
        found.warnings
    );

    let two = r#"{"op_code":0,"study_name":"two","directions":[1,2]}"#;
    let error = read_text(two.as_bytes()).unwrap_err();
    assert!(
        error.to_string().contains("study \"two\" has 2 objectives"),
        "{error}"
    );
}

#[test]
fn an_exported_journal_comes_back() {
    let trials = trials();
    let study = study(&trials);
    let journal = stream(Format::Optuna, &study, &trials).unwrap();
    let found = read_text(journal.as_bytes()).unwrap();
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    let [back] = found.studies.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(
        (&back.study.metric, back.study.seed),
        (&study.study.metric, 7)
    );
    assert_eq!(back.spec, study.spec);
    assert_eq!(back.study.best_trial.as_deref(), Some("s1.0"));
    for (back, trial) in back.trials.iter().zip(&trials) {
        let (back, was) = (&back.trial, &trial.trial);
        let waits = was.state == TrialState::Queued;
        assert_eq!(back.state, if waits { TrialState::Lost } else { was.state });
        assert_eq!(back.seed, was.seed);
        assert_eq!(back.epochs, was.epochs);
        assert_eq!(back.seconds, was.seconds);
        assert_eq!(back.scheduler, was.scheduler);
        for (name, value) in &was.config {
            match value {
                Scalar::List(_) => assert_eq!(back.config[name], Scalar::Text("[0.9,NaN]".into())),
                value => assert_eq!(back.config[name], *value),
            }
        }
    }
}
