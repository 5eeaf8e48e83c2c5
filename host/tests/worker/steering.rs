//! People at the wheel.

use crate::toy::*;
use attune_protocol::work::*;
use attune_protocol::{Number, Scalar, Steer};
use std::collections::BTreeMap;

fn swap(scheduler: &str, params: &[(&str, Scalar)]) -> Do {
    let params = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Do::Steer(Steer::Swap {
        scheduler: scheduler.into(),
        params: params.collect::<BTreeMap<_, _>>(),
    })
}

/// What was done to a trial so far.
fn interventions(reports: &[Report], trial: &str) -> Vec<Intervention> {
    let of_trial = reports.iter().filter(|report| report.lease.trial == trial);
    of_trial
        .filter_map(|report| match &report.news {
            News::Steered(intervention) => Some(intervention.clone()),
            _ => None,
        })
        .collect()
}

fn steered(reports: &[Report], trial: &str) -> usize {
    interventions(reports, trial).len()
}

/// Long enough to be steered.
fn slow(trial: &str, attempt: u64) -> Lease {
    Lease {
        config: config("cosine", &[("width", Scalar::Int(256))]),
        ..lease(trial, attempt, "cosine", EPOCHS)
    }
}

#[test]
fn who_takes_the_wheel_is_told_when_and_can_do_it_again() {
    let mut toy = Toy::with_study();
    // Something was made after what was done last.
    let has_gone_on = |reports: &[Report]| {
        let last = interventions(reports, "s1.0").pop();
        last.is_some_and(|last| steps(reports, "s1.0") > last.step)
    };
    toy.lease(slow("s1.0", 1));
    toy.when(
        |reports| steps(reports, "s1.0") > 0,
        order("s1.0", 1, set_rate(0.02)),
    );
    toy.when(
        move |reports| steered(reports, "s1.0") == 1 && has_gone_on(reports),
        order("s1.0", 1, swap("greedy", &[("patience", Scalar::Int(3))])),
    );
    // And laid down in the same breath, before a step was made.
    toy.when(
        move |reports| steered(reports, "s1.0") == 2 && has_gone_on(reports),
        Answer {
            orders: [set_rate(0.015), Do::LayDown]
                .map(|what| Order {
                    lease: id("s1.0", 1),
                    what,
                })
                .into(),
            ..Answer::default()
        },
    );
    assert!(matches!(toy.end("s1.0", 1), End::LaidDown { .. }));
    let reports = toy.reports();
    let done = interventions(&reports, "s1.0");
    assert_eq!(done.len(), 3);
    // Each is told before any piece that holds its step, and after all of before.
    let mut made = 0;
    let mut told = 0;
    for news in of(&reports, "s1.0", 1) {
        match news {
            News::Piece(piece) => {
                made = piece.first_step + piece.losses.len() as u64;
                let due = done.iter().filter(|one| one.step < made).count();
                assert_eq!(due, told, "steps up to {made}");
            }
            News::Steered(intervention) => {
                told += 1;
                assert_eq!(intervention.step, made);
            }
            _ => {}
        }
    }
    let history_so_far = history(&reports, "s1.0");
    let rate = |step: u64| f64::from_bits(history_so_far.rates[&step][0]);
    assert!(
        (rate(done[0].step) - 0.02).abs() < 1e-3,
        "{}",
        rate(done[0].step)
    );
    assert_eq!(rate(done[2].step), 0.015);

    // Another worker goes on from the checkpoint, which knows of all three.
    let checkpoint = last_checkpoint(&reports, "s1.0").unwrap();
    assert!(checkpoint.step > done[2].step);
    toy.employ(&[]);
    let path = toy
        .folder("s1")
        .join(format!("0/step-{}.ckpt", checkpoint.step));
    toy.lease(Lease {
        from: Some(Start {
            path: path.display().to_string(),
            step: checkpoint.step,
            fork: false,
        }),
        interventions: done.clone(),
        ..slow("s1.0", 2)
    });
    assert!(matches!(toy.end("s1.0", 2), End::Reached { .. }));
    // And from the very beginning the same is done at the same steps.
    toy.lease(Lease {
        interventions: done.clone(),
        ..slow("s1.1", 1)
    });
    assert!(matches!(toy.end("s1.1", 1), End::Reached { .. }));
    let reports = toy.reports();
    assert!(history(&reports, "s1.0") == history(&reports, "s1.1"));
    assert_eq!(
        steered(&reports, "s1.1"),
        0,
        "doing again is not told again"
    );
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let toy = Toy::with_study();
    toy.lease(slow("s1.0", 1));
    let wrong = [
        (set_rate(1e9), "max_lr"),
        (set_rate(f64::NAN), "cannot be set"),
        (swap("gredy", &[]), "no plugin holds a scheduler `gredy`"),
        (swap("greedy", &[("patience", Scalar::Int(-1))]), "patience"),
    ];
    let orders = wrong.iter().map(|(what, _)| Order {
        lease: id("s1.0", 1),
        what: what.clone(),
    });
    toy.when(
        |reports| steps(reports, "s1.0") > 0,
        Answer {
            orders: orders.collect(),
            ..Answer::default()
        },
    );
    assert!(matches!(toy.end("s1.0", 1), End::Reached { .. }));
    toy.lease(slow("s1.1", 1));
    toy.end("s1.1", 1);
    let reports = toy.reports();
    let refused: Vec<&String> = of(&reports, "s1.0", 1)
        .filter_map(|news| match news {
            News::NotSteered(reason) => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(refused.len(), wrong.len(), "{refused:?}");
    for (reason, (_, expected)) in refused.into_iter().zip(&wrong) {
        assert!(reason.contains(expected), "{reason} lacks {expected}");
    }
    assert!(history(&reports, "s1.0") == history(&reports, "s1.1"));
}

#[test]
fn a_waiting_lease_is_steered_before_its_first_step_and_laid_down_at_once() {
    let toy = Toy::with_study();
    toy.give(Answer {
        leases: vec![slow("s1.0", 1), slow("s1.1", 1), slow("s1.2", 1)],
        ..Answer::default()
    });
    toy.when(
        |reports| steps(reports, "s1.0") > 0,
        Answer {
            orders: vec![
                Order {
                    lease: id("s1.1", 1),
                    what: set_rate(0.01),
                },
                Order {
                    lease: id("s1.2", 1),
                    what: Do::LayDown,
                },
                Order {
                    lease: id("s1.0", 1),
                    what: Do::Drop,
                },
            ],
            ..Answer::default()
        },
    );
    assert!(matches!(toy.end("s1.2", 1), End::LaidDown { .. }));
    toy.end("s1.1", 1);
    let reports = toy.reports();
    assert!(of(&reports, "s1.2", 1).all(|news| matches!(news, News::Ended(_))));
    let first = interventions(&reports, "s1.1");
    assert_eq!(
        first,
        [Intervention {
            step: 0,
            steer: Steer::SetRate(Number(0.01)),
        }]
    );
    assert!(!of(&reports, "s1.0", 1).any(|news| matches!(news, News::Ended(_))));
}
