//! What a worker leaves when a plugin takes it down.

use crate::flight::{Call, Doing};
use crate::toy::*;
use attune_protocol::Scalar;
use attune_protocol::work::*;
use std::os::unix::process::ExitStatusExt;

const SIGSEGV: i32 = 11;
const SIGABRT: i32 = 6;

fn badly(action: &str, call: &str, at_step: i64) -> Lease {
    let changes = [
        ("misbehave.action", Scalar::Text(action.into())),
        ("misbehave.call", Scalar::Text(call.into())),
        ("misbehave.at_step", Scalar::Int(at_step)),
    ];
    Lease {
        config: config("misbehave", &changes),
        ..lease("s1.3", 2, "misbehave", EPOCHS)
    }
}

fn employed(args: &[&str], environment: &[(&str, &str)]) -> Toy {
    let mut toy = Toy::new();
    toy.study("s1", misbehave);
    toy.employ_with(args, environment);
    toy
}

#[test]
fn the_flight_recorder_names_call_scheduler_step_and_trial() {
    let table: [(&str, &str, i64, Option<i32>, Call); 5] = [
        ("segfault", "step", 17, Some(SIGSEGV), Call::Step),
        ("abort", "metric", 0, Some(SIGABRT), Call::Metric),
        ("exit", "step", 3, None, Call::Step),
        ("segfault", "configure", 0, Some(SIGSEGV), Call::Configure),
        ("abort", "save", 5, Some(SIGABRT), Call::Save),
    ];
    for (action, call, at_step, signal, expected) in table {
        let mut toy = employed(&[], &[]);
        toy.lease(badly(action, call, at_step));
        toy.when(
            |reports| steps(reports, "s1.3") > 0,
            order("s1.3", 2, Do::LayDown),
        );
        let (status, flight) = toy.post_mortem();
        assert_eq!(status.signal(), signal, "{action}@{call}");
        if signal.is_none() {
            assert_eq!(status.code(), Some(7));
        }
        assert_eq!(flight.doing, Doing::Plugin(expected), "{flight}");
        assert_eq!(flight.subject.trial, "s1.3");
        assert_eq!(flight.subject.attempt, 2);
        assert_eq!(flight.subject.scheduler, "misbehave");
        assert!(flight.subject.library.contains("misbehave"));
        assert!(!flight.hung);
        if call == "step" {
            let step = at_step as u64;
            assert_eq!(flight.step, step);
            let told = format!("inside `step` of scheduler `misbehave` at step {step} of s1.3");
            assert_eq!(flight.to_string(), told);
        }
    }
}

#[test]
fn a_library_that_dies_while_it_is_mapped_is_named() {
    let mut toy = employed(&[], &[("ATTUNE_MISBEHAVE", "segfault@open")]);
    toy.lease(badly("", "", 0));
    let (status, flight) = toy.post_mortem();
    assert_eq!(status.signal(), Some(SIGSEGV));
    assert_eq!(flight.doing, Doing::Plugin(Call::Open));
    assert!(flight.subject.library.contains("misbehave"), "{flight}");
}

#[test]
fn a_plugin_that_hangs_ends_its_worker() {
    let limits = ["--step-seconds", "0.3", "--load-seconds", "0.3"];
    for (call, expected) in [("step", Call::Step), ("configure", Call::Configure)] {
        let mut toy = employed(&limits, &[]);
        toy.lease(badly("hang", call, 4));
        let (status, flight) = toy.post_mortem();
        assert_eq!(status.code(), Some(86), "{call}");
        assert!(
            flight.hung && flight.doing == Doing::Plugin(expected),
            "{flight}"
        );
    }
}

#[test]
fn a_plugin_that_takes_all_memory_meets_the_limit() {
    let mut toy = employed(&["--memory", "300000000"], &[]);
    toy.lease(badly("allocate", "step", 2));
    let (status, flight) = toy.post_mortem();
    assert_eq!(status.signal(), Some(SIGABRT));
    assert_eq!(flight.doing, Doing::Plugin(Call::Step), "{flight}");
}

#[test]
fn a_panic_in_a_plugin_costs_its_trial_alone() {
    let mut toy = employed(&[], &[]);
    for (attempt, call) in [(1, "step"), (2, "configure"), (3, "metric")] {
        toy.lease(Lease {
            id: id("s1.3", attempt),
            ..badly("panic", call, 4)
        });
        match toy.end("s1.3", attempt) {
            End::Failed { reason } => {
                assert!(reason.contains("asked to panic"), "{call}: {reason}");
            }
            other => panic!("{call}: {other:?}"),
        }
    }
    toy.lease(lease("s1.4", 1, "greedy", 1));
    assert!(matches!(toy.end("s1.4", 1), End::Reached { .. }));
    assert!(toy.is_alive());
}
