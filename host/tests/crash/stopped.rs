//! Workers that are stopped, and go on when nobody waits for them any more.

use crate::ground::{Acknowledged, Ground, Watching, is_over, undisturbed, wait};
use crate::support::signal;
use rustix::process::Signal;
use std::process::Stdio;

/// The daemon ends a worker of its own that is silent for too long.
#[test]
fn the_trial_of_a_stopped_worker_is_trained_elsewhere() {
    let expected = undisturbed();
    let ground = Ground::new();
    let (mut watching, stopped) = with_a_stopped_worker(&ground);
    wait("it is given up", || {
        (!ground.processes().contains(&stopped)).then_some(())
    });
    ground.ends_well(&mut watching);
    ground.stop();
    ground.nobody_panicked();
    ground.outcome().is(expected);
}

/// One that the daemon did not start it cannot end either; nobody listens to what it says later.
#[test]
fn late_reports_are_refused() {
    let expected = undisturbed();
    let mut ground = Ground::new();
    // The daemon has one worker of its own, so that there is work for another.
    ground.set("ATTUNE_WORKERS", "1");
    let mut watching = ground.run();
    let own = wait("the daemon's own worker", || {
        ground.status()?.workers.first().map(|worker| worker.pid)
    });
    let mut stranger = ground
        .attune(&["worker", "--id", "999"])
        .arg("--socket")
        .arg(ground.state.join("run/attune.sock"))
        .arg("--box")
        .arg(ground.home.path().join("stranger.flight"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let trial = wait("it trains", || {
        let status = ground.status()?;
        let worker = status
            .workers
            .iter()
            .find(|worker| worker.pid == stranger.id())?;
        worker.trials.first().cloned()
    });
    assert!(signal(stranger.id(), Signal::STOP));
    let mut seen = Acknowledged::default();
    wait("it is given up", || {
        let study = ground.study()?;
        seen.look(&study);
        let workers = ground.status()?.workers;
        workers.iter().all(|worker| worker.pid == own).then_some(())
    });
    wait("its trial goes on", || {
        let study = ground.study()?;
        seen.look(&study);
        let trial = study.trials.iter().find(|one| one.id == trial)?;
        (is_over(trial.state) || trial.state == attune_protocol::TrialState::Running).then_some(())
    });
    assert!(signal(stranger.id(), Signal::CONT));
    let code = wait("it ends", || stranger.try_wait().unwrap());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stranger.stderr.take().unwrap(), &mut said).unwrap();
    assert!(!code.success() && said.contains("refused"), "{said}");
    ground.ends_well(&mut watching);
    seen.look(&ground.study().unwrap());
    ground.stop();
    ground.nobody_panicked();
    ground.outcome().is(expected);
}

/// A worker that slept through its daemon's death is nothing to the next one.
#[test]
fn a_worker_of_a_daemon_that_is_gone_is_nobody() {
    let expected = undisturbed();
    let ground = Ground::new();
    let (mut watching, stopped) = with_a_stopped_worker(&ground);
    assert!(signal(ground.daemon().unwrap(), Signal::KILL));
    let mut seen = Acknowledged::default();
    wait("another daemon has workers", || {
        let workers = ground.status()?.workers;
        let hired = workers.iter().all(|worker| worker.pid != stopped);
        (hired && workers.iter().any(|worker| !worker.trials.is_empty())).then_some(())
    });
    seen.look(&wait("the study", || ground.study()));
    assert!(signal(stopped, Signal::CONT));
    wait("it ends", || {
        (!ground.processes().contains(&stopped)).then_some(())
    });
    ground.ends_well(&mut watching);
    seen.look(&ground.study().unwrap());
    ground.stop();
    ground.nobody_panicked();
    let outcome = ground.outcome();
    outcome.is(expected);
    assert_eq!(outcome.deaths, 0, "nobody's fault");
}

/// The study, begun, and one of its workers, which stands still.
fn with_a_stopped_worker(ground: &Ground) -> (Watching, u32) {
    let point = ground.arm("worker-before-exchange", "stop 9");
    let watching = ground.run();
    wait("a worker stops", || (!point.exists()).then_some(()));
    let stopped = wait("its process", || stopped_process(ground));
    (watching, stopped)
}

/// A process of this home that stands still.
pub fn stopped_process(ground: &Ground) -> Option<u32> {
    ground.processes().into_iter().find(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('T'))
    })
}
