//! A trial that is cut, and goes on somewhere else, is the trial that was never cut.

use crate::toy::*;
use attune_protocol::work::*;
use attune_protocol::{KeptAs, Number, Scalar};
use rustix::process::Signal;

/// Where an attempt goes on.
fn from(toy: &Toy, trial: &str) -> Option<Start> {
    let (study, number) = trial.split_once('.').unwrap();
    let checkpoint = last_checkpoint(&toy.reports(), trial)?;
    let file = format!("{number}/step-{}.ckpt", checkpoint.step);
    Some(Start {
        path: toy.folder(study).join(file).display().to_string(),
        step: checkpoint.step,
        fork: false,
    })
}

/// Lays a trial down in its middle, and lets another worker go on with it.
fn cut_and_go_on(toy: &mut Toy, lease: Lease) {
    let trial = lease.id.trial.clone();
    let name = trial.clone();
    toy.lease(lease.clone());
    toy.when(
        move |reports| steps(reports, &name) > 0,
        order(&trial, 1, Do::LayDown),
    );
    assert!(
        matches!(toy.end(&trial, 1), End::LaidDown { .. }),
        "it was too fast"
    );
    toy.dismiss();
    toy.employ(&[]);
    let from = from(toy, &trial);
    let step = from.as_ref().unwrap().step;
    assert_eq!(steps(&toy.reports(), &trial), step);
    toy.lease(Lease {
        id: id(&trial, 2),
        from,
        ..lease
    });
    assert!(matches!(toy.end(&trial, 2), End::Reached { .. }));
    let reports = toy.reports();
    let first = of(&reports, &trial, 2).find_map(|news| match news {
        News::Piece(piece) => Some(piece.first_step),
        _ => None,
    });
    assert_eq!(first, Some(step), "it did not go on from its checkpoint");
}

#[test]
fn every_shipped_scheduler_goes_on_in_another_process_as_if_nothing_had_happened() {
    let mut toy = Toy::with_study();
    let slow = [("width", Scalar::Int(128))];
    for (number, scheduler) in shipped().keys().enumerate() {
        let whole = format!("s1.{}", 2 * number);
        let cut = format!("s1.{}", 2 * number + 1);
        let lease = |trial: &str| Lease {
            config: config(scheduler, &slow),
            ..lease(trial, 1, scheduler, EPOCHS)
        };
        toy.lease(lease(&whole));
        assert!(
            matches!(toy.end(&whole, 1), End::Reached { .. }),
            "{scheduler}"
        );
        cut_and_go_on(&mut toy, lease(&cut));
        let reports = toy.reports();
        let (whole, cut) = (history(&reports, &whole), history(&reports, &cut));
        assert!(whole == cut, "{scheduler} went on otherwise");
    }
}

#[test]
fn every_optimizer_goes_on_in_another_process() {
    let mut toy = Toy::with_study();
    let optimizers = [
        "sgd", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "lion",
    ];
    for (number, optimizer) in optimizers.into_iter().enumerate() {
        let whole = format!("s1.{}", 2 * number);
        let cut = format!("s1.{}", 2 * number + 1);
        let changes = [
            ("optimizer", Scalar::Text(optimizer.into())),
            ("lr", Scalar::Float(Number(0.003))),
            ("dropout", Scalar::Float(Number(0.3))),
            ("clip_norm", Scalar::Float(Number(1.0))),
            ("width", Scalar::Int(128)),
        ];
        let lease = |trial: &str| Lease {
            config: config("hypergradient", &changes),
            ..lease(trial, 1, "hypergradient", EPOCHS)
        };
        toy.lease(lease(&whole));
        toy.end(&whole, 1);
        cut_and_go_on(&mut toy, lease(&cut));
        let reports = toy.reports();
        let (whole, cut) = (history(&reports, &whole), history(&reports, &cut));
        assert!(whole == cut, "{optimizer} went on otherwise");
    }
}

#[test]
fn a_killed_workers_trial_goes_on_from_its_last_checkpoint() {
    let mut toy = Toy::new();
    toy.study("s1", |brief| brief.checkpoint_seconds = Number(0.005));
    toy.employ(&[]);
    toy.lease(lease("s1.0", 1, "greedy", EPOCHS));
    toy.end("s1.0", 1);

    let wide = lease("s1.1", 1, "greedy", EPOCHS);
    let mut killed = 0;
    let mut attempt = 1;
    loop {
        toy.lease(Lease {
            id: id("s1.1", attempt),
            from: from(&toy, "s1.1"),
            ..wide.clone()
        });
        let before = from(&toy, "s1.1").map_or(0, |from| from.step);
        let over = toy.until(|reports| {
            let mut ends = of(reports, "s1.1", attempt);
            let over = ends.any(|news| matches!(news, News::Ended(_)));
            let checkpoint = last_checkpoint(reports, "s1.1").map_or(0, |last| last.step);
            (over || checkpoint > before).then_some(over)
        });
        if over {
            break;
        }
        toy.kill();
        killed += 1;
        toy.employ(&[]);
        attempt += 1;
    }
    assert!(killed >= 2, "killed {killed} times");
    let reports = toy.reports();
    assert!(history(&reports, "s1.0") == history(&reports, "s1.1"));
    let kept = reports.iter().filter_map(|report| match &report.news {
        News::Checkpoint(checkpoint) => Some(checkpoint.kept_as),
        _ => None,
    });
    assert!(kept.clone().count() > 0 && { kept }.all(|kept_as| kept_as == KeptAs::Last));
}

#[test]
fn a_damaged_checkpoint_costs_time_and_nothing_else() {
    let toy = Toy::with_study();
    toy.lease(lease("s1.0", 1, "plateau", 3));
    toy.end("s1.0", 1);
    let path = toy.home.file("torn.ckpt", "half of a checkp");
    toy.lease(Lease {
        from: Some(Start {
            path: path.display().to_string(),
            step: 50,
            fork: false,
        }),
        ..lease("s1.1", 2, "plateau", 3)
    });
    assert!(matches!(toy.end("s1.1", 2), End::Reached { .. }));
    let reports = toy.reports();
    assert!(history(&reports, "s1.0") == history(&reports, "s1.1"));
    let warned = of(&reports, "s1.1", 2).any(|news| match news {
        News::Warnings(all) => all.iter().any(|warning| warning.contains("torn.ckpt")),
        _ => false,
    });
    assert!(warned);
}

#[test]
fn told_to_end_it_lays_everything_down() {
    let mut toy = Toy::with_study();
    let slow = |trial: &str| Lease {
        config: config(
            "cosine",
            &[("width", Scalar::Int(512)), ("layers", Scalar::Int(2))],
        ),
        ..lease(trial, 1, "cosine", EPOCHS)
    };
    toy.lease(slow("s1.0"));
    toy.lease(slow("s1.1"));
    toy.until(|reports| (steps(reports, "s1.0") > 0).then_some(()));
    toy.signal(Signal::INT);
    toy.next_exchange();
    assert!(toy.is_alive(), "Ctrl-C is the daemon's business");
    toy.signal(Signal::TERM);
    let (status, _) = toy.post_mortem();
    assert_eq!(status.code(), Some(0));
    assert!(matches!(toy.end("s1.0", 1), End::LaidDown { .. }));
    assert!(matches!(toy.end("s1.1", 1), End::LaidDown { .. }));
    assert!(last_checkpoint(&toy.reports(), "s1.0").is_some());

    // And where it has nothing to do.
    toy.employ(&[]);
    toy.next_exchange();
    toy.signal(Signal::TERM);
    assert_eq!(toy.post_mortem().0.code(), Some(0));
}

#[test]
fn it_ends_with_the_daemon() {
    let mut toy = Toy::with_study();
    toy.lease(lease("s1.0", 1, "cosine", EPOCHS));
    toy.until(|reports| (steps(reports, "s1.0") > 0).then_some(()));
    assert_eq!(toy.dismiss().unwrap().code(), Some(0));
}

#[test]
fn a_fork_begins_where_the_checkpoint_was_made() {
    let toy = Toy::with_study();
    toy.lease(lease("s1.0", 1, "cosine", EPOCHS));
    toy.when(
        |reports| steps(reports, "s1.0") > 0,
        order("s1.0", 1, Do::LayDown),
    );
    assert!(matches!(toy.end("s1.0", 1), End::LaidDown { .. }));
    let start = Start {
        fork: true,
        ..from(&toy, "s1.0").unwrap()
    };
    let step = start.step;
    let rate_at = |trial: &str, step: u64| {
        let history = history(&toy.reports(), trial);
        f64::from_bits(history.rates[&step][0])
    };
    let forked = |trial: &str, changes: &[(&str, Scalar)]| {
        toy.lease(Lease {
            from: Some(start.clone()),
            config: config("constant", changes),
            ..lease(trial, 1, "constant", EPOCHS)
        });
        assert!(matches!(toy.end(trial, 1), End::Reached { .. }));
        rate_at(trial, step)
    };
    // Another scheduler, at the rate in force.
    assert_eq!(forked("s1.1", &[]), rate_at("s1.0", step - 1));
    // Another rate is meant.
    let other = [("lr", Scalar::Float(Number(0.011)))];
    assert_eq!(forked("s1.2", &other), 0.011);
    assert_eq!(
        history(&toy.reports(), "s1.2").epochs.keys().last(),
        Some(&EPOCHS)
    );
}
