//! What a person asked for and was told is done stays done, though the daemon is killed in that very
//! moment; and what it does besides training can be cut off anywhere.

use crate::ground::{Ground, ID, is_over, random, seed, undisturbed, wait};
use crate::stopped::stopped_process;
use crate::support::{signal, try_within};
use attune_protocol::{StudyState, TrialState, TrialSummary};
use attune_store::Store;
use rand::RngExt;
use rustix::process::Signal;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Does what was asked, kills the daemon, and starts the next one.
#[track_caller]
fn done_and_killed(ground: &Ground, args: &[&str]) {
    ground.command(args).ok();
    kill(ground);
    ground.command(&["ls"]).ok();
}

fn kill(ground: &Ground) {
    // It may have ended by itself.
    if let Some(daemon) = ground.daemon() {
        signal(daemon, Signal::KILL);
        wait("it ends", || {
            (ground.daemon() != Some(daemon)).then_some(())
        });
    }
}

/// Another trial that somebody trains, or could.
fn open_trial(ground: &Ground, state: TrialState) -> TrialSummary {
    wait("a trial in that state", || {
        let mut trials = ground.study()?.trials.into_iter();
        trials.find(|trial| trial.state == state && trial.epochs + 2 < trial.max_epochs)
    })
}

fn trial(ground: &Ground, id: &str) -> TrialSummary {
    wait("the trial", || {
        let mut trials = ground.study()?.trials.into_iter();
        trials.find(|trial| trial.id == id)
    })
}

fn state(ground: &Ground, id: &str) -> StudyState {
    wait("the study", || ground.ask(ground.client.study(id)))
        .study
        .state
}

#[test]
fn what_was_done_by_hand_stays_done() {
    let ground = Ground::new();
    drop(ground.run());

    let held = open_trial(&ground, TrialState::Running).id;
    done_and_killed(&ground, &["pause", &held]);
    // Its record is as the daemon before left it until the next one has taken the study up.
    let rests = |now: &TrialSummary| now.state == TrialState::Paused || is_over(now.state);
    wait("it is paused", || {
        rests(&trial(&ground, &held)).then_some(())
    });
    for _ in 0..20 {
        let now = trial(&ground, &held);
        assert!(
            rests(&now),
            "{held} is {:?}, {:?}; seed {}",
            now.state,
            now.reason,
            seed()
        );
    }
    done_and_killed(&ground, &["resume", &held]);
    assert_ne!(trial(&ground, &held).state, TrialState::Paused);

    done_and_killed(&ground, &["pause", ID]);
    assert_eq!(state(&ground, ID), StudyState::Paused);
    assert!(ground.status().unwrap().studies.is_empty(), "nobody trains");
    done_and_killed(&ground, &["resume", ID, "--trials", "200"]);
    let study = ground.study().unwrap();
    assert_eq!(study.study.state, StudyState::Running);
    assert_eq!(study.study.trials.planned, 200);

    // Whoever steers may come too late for one trial.
    let steered = wait("a trial is steered", || {
        let steered = open_trial(&ground, TrialState::Running).id;
        let command = ground.command(&["steer", &steered, "--lr", "0.0123"]);
        kill(&ground);
        ground.command(&["ls"]).ok();
        (command.code == Some(0)).then_some(steered)
    });
    assert_eq!(trial(&ground, &steered).interventions.len(), 1);

    let with_checkpoint = wait("a checkpoint", || {
        let mut trials = ground.study()?.trials.into_iter();
        trials.find(|trial| !trial.checkpoints.is_empty())
    });
    done_and_killed(&ground, &["fork", &with_checkpoint.id, "--set", "lr=0.02"]);
    wait("the fork ends", || {
        (state(&ground, "s2") == StudyState::Done).then_some(())
    });
    done_and_killed(&ground, &["stop", ID]);
    let study = ground.study().unwrap();
    assert_eq!(study.study.state, StudyState::Stopped, "{:#?}", study.study);
    assert!(study.trials.iter().all(|trial| is_over(trial.state)));

    let file = ground.home.path().join("told.jsonl");
    let told = file.display().to_string();
    ground
        .command(&["export", ID, "--format", "jsonl", "--to", &told])
        .ok();
    done_and_killed(&ground, &["import", &told]);
    assert_eq!(state(&ground, "s3"), StudyState::Done);
    let before = study.trials.len();
    let taken = wait("the import", || ground.ask(ground.client.study("s3")));
    assert_eq!(taken.trials.len(), before);

    done_and_killed(&ground, &["rm", "s2", "s3"]);
    let left = ground.command(&["ls", "--json"]).ok();
    let left: serde_json::Value = serde_json::from_str(&left).unwrap();
    assert_eq!(left.as_array().unwrap().len(), 1, "{left}");
    assert!(!ground.state.join("state/checkpoints/s2").exists());
    ground.stop();
    ground.nobody_panicked();
    ground.nothing_half_written();
}

/// A study that a person pauses or stops while its workers cannot lay down their work: the next daemon
/// knows of it.
#[test]
fn a_halt_that_was_asked_for_outlives_the_daemon() {
    for (asked, rests) in [("pause", StudyState::Paused), ("stop", StudyState::Stopped)] {
        let mut ground = Ground::new();
        ground.set("ATTUNE_LEASE_TIMEOUT", "60s");
        drop(ground.run());
        let point = ground.arm("worker-before-exchange", "stop 9");
        wait("a worker stops", || (!point.exists()).then_some(()));
        let stopped = wait("its process", || stopped_process(&ground));
        let mut command = ground.attune(&[asked, ID]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut command = command.spawn().unwrap();
        wait("it comes to a halt", || {
            let reason = ground.study()?.study.reason?;
            reason.contains("by hand").then_some(())
        });
        kill(&ground);
        signal(stopped, Signal::CONT);
        command.wait().unwrap();
        ground.command(&["ls"]).ok();
        wait("it rests", || (state(&ground, ID) == rests).then_some(()));
        if rests == StudyState::Paused {
            let reason = ground.study().unwrap().study.reason;
            assert_eq!(reason.as_deref(), Some("paused by hand"));
            ground.command(&["resume", ID, "--wait"]).ok();
            ground.stop();
            ground.outcome().is(undisturbed());
        } else {
            ground.stop();
        }
        ground.nobody_panicked();
    }
}

/// Compacting, verifying and backing up change nothing, however far they came.
#[test]
fn care_of_the_store_can_be_cut_off_anywhere() {
    let ground = Ground::new();
    let mut watching = ground.run();
    let mut random = random(4);
    let backups = ground.home.path().join("backups");
    std::fs::create_dir_all(&backups).unwrap();
    for round in 0..9 {
        wait("a trial is trained", || {
            let is_over = ground.study()?.study.state == StudyState::Done;
            let status = ground.status()?;
            let trains = status.studies.iter().any(|study| study.running > 0);
            (is_over || trains).then_some(())
        });
        let to = backups.join(round.to_string());
        let to = to.display().to_string();
        let args: [&[&str]; 3] = [
            &["store", "compact"],
            &["store", "backup", &to],
            &["store", "verify"],
        ];
        let mut command = ground.attune(args[round % 3]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut command = command.spawn().unwrap();
        let pause = Duration::from_millis(random.random_range(0..60));
        let _ = try_within(pause, || command.try_wait().unwrap());
        kill(&ground);
        command.wait().unwrap();
        ground.command(&["ls"]).ok();
    }
    ground.ends_well(&mut watching);
    ground.command(&["store", "verify"]).ok();
    ground.stop();
    ground.nobody_panicked();
    ground.nothing_half_written();
    ground.outcome().is(undisturbed());
    for entry in std::fs::read_dir(&backups).unwrap() {
        let backup = entry.unwrap().path();
        // One that was cut off does not look like one.
        if backup.join("journal").is_dir() {
            let (store, report) = Store::open(&backup, "a test").unwrap();
            assert!(report.is_clean(), "{report}");
            assert_eq!(store.list_studies().unwrap().len(), 1);
        }
    }
}

/// A store of an earlier version, in which daemons are killed while they take it up.
#[test]
fn an_old_store_can_be_taken_up_in_pieces() {
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/tests/old/v1");
    let ground = Ground::new();
    let store = ground.state.join("state/store");
    let mut random = random(5);
    for file in crate::ground::all_files(&old) {
        let other = store.join(file.strip_prefix(&old).unwrap());
        std::fs::create_dir_all(other.parent().unwrap()).unwrap();
        std::fs::copy(&file, &other).unwrap();
    }
    for _ in 0..6 {
        let mut command = ground.attune(&["ls"]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut command = command.spawn().unwrap();
        wait("a daemon", || {
            let ended = command.try_wait().unwrap().is_some();
            (ended || ground.daemon().is_some()).then_some(())
        });
        let pause = Duration::from_millis(random.random_range(0..120));
        let _ = try_within::<()>(pause, || None);
        kill(&ground);
        // It starts another one.
        command.wait().unwrap();
        kill(&ground);
    }
    let listed = ground.command(&["ls", "--json"]).ok();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    ground.command(&["store", "verify"]).ok();
    ground.stop();
    ground.nobody_panicked();
}
