//! What a worker does with the leases it is given.

use crate::toy::*;
use attune_protocol::work::*;
use attune_protocol::{KeptAs, Number, Scalar};
use std::time::Instant;

#[test]
fn a_trial_is_trained_to_its_end_and_its_model_saved() {
    let toy = Toy::with_study();
    toy.lease(lease("s1.0", 1, "greedy", EPOCHS));
    let End::Reached { model: Some(model) } = toy.end("s1.0", 1) else {
        panic!("{:?}", toy.reports());
    };
    let path = toy.folder("s1").join("0/model.safetensors");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), model.bytes);
    assert!(model.test["accuracy"].0 > 0.9, "{:?}", model.test);
    let loaded = attune_trainer::artifact::Model::load(&path).unwrap();
    assert_eq!(loaded.card().training["trial"], "s1.0");
    assert_eq!(loaded.card().training["config"]["width"]["int"], 48);

    let history = history(&toy.reports(), "s1.0");
    assert_eq!(history.epochs.len(), EPOCHS as usize);
    let steps = history.epochs[&EPOCHS].0;
    let expected: Vec<u64> = (0..steps).collect();
    assert_eq!(history.losses.keys().copied().collect::<Vec<_>>(), expected);
    assert_eq!(history.rates[&0].len(), 2);
    // The last epoch is no rung, so nothing is kept of it.
    assert_eq!(last_checkpoint(&toy.reports(), "s1.0"), None);
}

#[test]
fn a_model_is_written_only_where_it_is_not_worse() {
    let toy = Toy::with_study();
    let model_of = |trial: &str, beat: Option<f64>| {
        toy.lease(Lease {
            beat: beat.map(Number),
            ..lease(trial, 1, "constant", 2)
        });
        match toy.end(trial, 1) {
            End::Reached { model } => model.is_some(),
            other => panic!("{other:?}"),
        }
    };
    assert!(!model_of("s1.0", Some(1.0)), "nobody is perfect");
    assert!(model_of("s1.1", None));
    // The same again is not worse.
    assert!(model_of("s1.2", None));
    toy.study("s2", |_| {});
    toy.lease(Lease {
        config: config("constant", &[("lr", Scalar::Float(Number(1e-7)))]),
        ..lease("s1.3", 1, "constant", 2)
    });
    // Worse than what this worker has written itself, though nobody has heard of that one.
    assert_eq!(toy.end("s1.3", 1), End::Reached { model: None });
}

#[test]
fn segments_of_a_warm_trial_are_the_whole_trial() {
    let toy = Toy::with_study();
    for (attempt, until) in [1, 2, 5, 12].into_iter().enumerate() {
        toy.lease(lease("s1.0", attempt as u64 + 1, "cosine", until));
        toy.end("s1.0", attempt as u64 + 1);
    }
    toy.lease(lease("s1.1", 1, "cosine", 12));
    toy.end("s1.1", 1);
    let reports = toy.reports();
    assert_eq!(history(&reports, "s1.0"), history(&reports, "s1.1"));
    // It went on where it was: no step was made twice.
    let mut made = 0;
    for report in reports.iter().filter(|report| report.lease.trial == "s1.0") {
        if let News::Piece(piece) = &report.news {
            assert_eq!(piece.first_step, made);
            made += piece.losses.len() as u64;
        }
    }
}

#[test]
fn a_rung_is_kept_where_that_is_worth_it() {
    let toy = Toy::with_study();
    let wide = [("width", Scalar::Int(512)), ("layers", Scalar::Int(2))];
    toy.lease(Lease {
        config: config("greedy", &wide),
        ..lease("s1.0", 1, "greedy", 4)
    });
    assert!(matches!(toy.end("s1.0", 1), End::Reached { .. }));
    let reports = toy.reports();
    let checkpoint = last_checkpoint(&reports, "s1.0").unwrap();
    assert_eq!((checkpoint.epoch, checkpoint.kept_as), (4, KeptAs::Rung));
    let path = toy
        .folder("s1")
        .join(format!("0/step-{}.ckpt", checkpoint.step));
    assert_eq!(std::fs::metadata(path).unwrap().len(), checkpoint.bytes);
    // On the disk before anybody hears of the end.
    let news: Vec<_> = of(&reports, "s1.0", 1).collect();
    assert!(matches!(news[news.len() - 1], News::Ended(_)));
}

#[test]
fn short_trials_come_many_at_a_time() {
    let toy = Toy::with_study();
    let tiny = [
        ("layers", Scalar::Int(0)),
        ("batch_size", Scalar::Int(65_536)),
    ];
    const TRIALS: usize = 300;
    let leases = |range: std::ops::Range<usize>| Answer {
        leases: range
            .map(|number| Lease {
                config: config("constant", &tiny),
                seed: number as u64,
                ..lease(&format!("s1.{number}"), 1, "constant", 1)
            })
            .collect(),
        ..Answer::default()
    };
    let ended = |reports: &[Report]| {
        let ends = reports.iter().filter(|r| matches!(r.news, News::Ended(_)));
        ends.count()
    };
    toy.give(leases(0..20));
    toy.until(|reports| (ended(reports) == 20).then_some(()));
    let began = Instant::now();
    toy.give(leases(20..TRIALS));
    toy.until(|reports| (ended(reports) == TRIALS).then_some(()));
    let each = began.elapsed() / (TRIALS - 20) as u32;
    println!("{each:?} a trial of one step");
    assert!(toy.most_wanted() > 5, "{}", toy.most_wanted());
    assert!(toy.holds().is_empty());
    // Each in the order in which it was given.
    let reports = toy.reports();
    let pieces = reports.iter().filter(|r| matches!(r.news, News::Piece(_)));
    let trials: Vec<_> = pieces.map(|report| report.lease.trial.clone()).collect();
    let expected: Vec<_> = (0..TRIALS).map(|number| format!("s1.{number}")).collect();
    assert_eq!(trials, expected);
}

#[test]
fn what_is_void_is_never_heard_of_again() {
    let toy = Toy::with_study();
    toy.lease(lease("s1.0", 1, "greedy", EPOCHS));
    toy.lease(lease("s1.1", 1, "greedy", EPOCHS));
    toy.when(
        |reports| steps(reports, "s1.0") > 0,
        Answer {
            void: vec![id("s1.0", 1), id("s1.1", 1)],
            leases: vec![lease("s1.2", 1, "greedy", EPOCHS)],
            ..Answer::default()
        },
    );
    toy.end("s1.2", 1);
    assert!(toy.holds().is_empty());
    let reports = toy.reports();
    assert!(of(&reports, "s1.1", 1).next().is_none());
    assert_eq!(toy.of_void(), []);
    // Given anew it begins anew: what is void was let go of.
    toy.lease(lease("s1.0", 2, "greedy", EPOCHS));
    toy.end("s1.0", 2);
    let reports = toy.reports();
    let first = of(&reports, "s1.0", 2).find_map(|news| match news {
        News::Piece(piece) => Some(piece.first_step),
        _ => None,
    });
    assert_eq!(first, Some(0));
    assert_eq!(history(&reports, "s1.0"), history(&reports, "s1.2"));
}

#[test]
fn an_exchange_that_fails_is_sent_again() {
    let toy = Toy::with_study();
    toy.lease(lease("s1.0", 1, "cosine", EPOCHS));
    toy.until(|reports| (steps(reports, "s1.0") > 0).then_some(()));
    toy.refuse(3);
    toy.end("s1.0", 1);
    let history = history(&toy.reports(), "s1.0");
    assert_eq!(history.epochs.len(), EPOCHS as usize);
    assert_eq!(history.losses.len() as u64, history.epochs[&EPOCHS].0);
}

#[test]
fn data_that_changed_end_the_study_and_not_the_worker() {
    let toy = Toy::with_study();
    toy.study("s2", |brief| brief.data_hash = "0123456789abcdef".repeat(4));
    toy.lease(lease("s2.0", 1, "greedy", 2));
    let End::Unusable { reason } = toy.end("s2.0", 1) else {
        panic!("{:?}", toy.reports());
    };
    for part in ["digits.csv", "0123456789ab)", "put the old one back"] {
        assert!(
            reason.contains(part.trim_end_matches(')')),
            "{reason} lacks {part}"
        );
    }
    toy.lease(lease("s1.0", 1, "greedy", 1));
    assert!(matches!(toy.end("s1.0", 1), End::Reached { .. }));
}

#[test]
fn a_folder_that_cannot_be_written_ends_the_study_with_its_name() {
    let toy = Toy::with_study();
    let file = toy.home.file("no-folder", "");
    let folder = file.join("s2");
    toy.study("s2", move |brief| {
        brief.folder = folder.display().to_string()
    });
    toy.lease(lease("s2.0", 1, "greedy", EPOCHS));
    let End::Unusable { reason } = toy.end("s2.0", 1) else {
        panic!("{:?}", toy.reports());
    };
    assert!(reason.contains("no-folder/s2/0"), "{reason}");
    // In the middle of a segment too.
    let folder = file.join("s3");
    toy.study("s3", move |brief| {
        brief.folder = folder.display().to_string();
        brief.checkpoint_seconds = Number(0.02);
    });
    toy.lease(lease("s3.0", 1, "greedy", EPOCHS));
    assert!(matches!(toy.end("s3.0", 1), End::Unusable { .. }));
    toy.lease(lease("s1.0", 1, "greedy", 1));
    assert!(matches!(toy.end("s1.0", 1), End::Reached { .. }));
}

#[test]
fn a_trial_that_cannot_be_made_fails_alone() {
    let toy = Toy::with_study();
    let table: [(&str, Lease, &str); 3] = [
        (
            "s1.0",
            lease("s1.0", 1, "gredy", 2),
            "no plugin holds a scheduler `gredy`",
        ),
        (
            "s1.1",
            Lease {
                config: config("greedy", &[("greedy.patience", Scalar::Int(-5))]),
                ..lease("s1.1", 1, "greedy", 2)
            },
            "patience",
        ),
        (
            "s1.2",
            Lease {
                from: Some(Start {
                    path: "/nowhere/step-9.ckpt".into(),
                    step: 9,
                    fork: true,
                }),
                ..lease("s1.2", 1, "greedy", 2)
            },
            "/nowhere/step-9.ckpt",
        ),
    ];
    for (trial, lease, expected) in table {
        toy.lease(lease);
        match toy.end(trial, 1) {
            End::Failed { reason } => assert!(reason.contains(expected), "{reason}"),
            other => panic!("{trial}: {other:?}"),
        }
    }
}

#[test]
fn a_loss_that_is_not_finite_is_a_result() {
    let toy = Toy::with_study();
    toy.lease(Lease {
        config: config("constant", &[("lr", Scalar::Float(Number(100.0)))]),
        ..lease("s1.0", 1, "constant", 12)
    });
    match toy.end("s1.0", 1) {
        End::Diverged { reason, .. } => assert!(reason.contains("at step"), "{reason}"),
        other => panic!("{other:?}"),
    }
}
