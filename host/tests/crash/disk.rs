//! A disk that fills up, at moments that hurt: everything waits and says why, and goes on once there
//! is room again. And what checkpoints may take of a disk that does not.

use crate::ground::{Acknowledged, Ground, ID, all_files, random, seed, undisturbed, wait};
use crate::stopped::stopped_process;
use crate::support::{Home, signal, weight_of_plugins};
use attune_protocol::{StudyDetail, StudyState};
use rand::RngExt;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::process::Signal;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Enough for copies of the plugins, as large as they are without optimisation, and for a study.
const SIZE: &str = "size=160m";

/// What the system says of a full disk, and what the store says before it comes to that.
const FULL: [&str; 2] = ["No space left", "MB left, of which the store keeps"];

/// The store stops so early that its index has room for what it has yet to write.
const ALMOST: std::ops::Range<u64> = 4 << 20..12 << 20;

/// A small disk. It is unmounted whatever becomes of the test.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// Nothing where none may be mounted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "tmpfs"])
            .arg(folder.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Disk { folder }),
            refused => {
                eprintln!("SKIPPED: no small disk can be mounted here: {refused:?}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Leaves no room but for so many bytes.
    fn fill(&self, left: u64) {
        let file = File::create(self.ballast()).unwrap();
        wait("the disk is full", || {
            let disk = statvfs(self.path()).unwrap();
            let free = disk.f_bavail * disk.f_frsize;
            let taken = file.metadata().unwrap().len();
            let more = free.saturating_sub(left);
            // Others write meanwhile.
            let is_full =
                more == 0 || fallocate(&file, FallocateFlags::empty(), taken, more).is_ok();
            is_full.then_some(())
        });
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let umount = |options: &[&str]| {
            let mut umount = Command::new("umount");
            let done = umount.args(options).arg(self.folder.path()).output();
            done.is_ok_and(|output| output.status.success())
        };
        // Who was killed may need a moment to let go.
        if !umount(&[]) {
            umount(&["--lazy"]);
        }
    }
}

fn is_full(text: &str) -> bool {
    FULL.iter().any(|words| text.contains(words))
}

/// Waits until the daemon does nothing and says that this is because of the disk.
#[track_caller]
fn waits_for_room(ground: &Ground) {
    wait("the status says that the disk is full", || {
        let status = ground.status()?;
        let is_told = is_full(&status.idle?) && is_full(&status.warnings.join("\n"));
        is_told.then_some(())
    });
    let told = ground.command(&["status"]).ok();
    assert!(is_full(&told), "{told}");
}

/// As [`waits_for_room`], where others took the last byte: the index may have failed, and the daemon
/// ended with it.
#[track_caller]
fn waits_or_ends(ground: &Ground) {
    wait("the daemon waits or ends", || {
        let waits = ground.status().and_then(|status| status.idle);
        let ended = ground.daemon().is_none();
        (ended || waits.as_deref().is_some_and(is_full)).then_some(())
    });
    if ground.daemon().is_none() {
        let refused = ground.command(&["ls"]);
        assert!(
            refused.code != Some(0) && is_full(&refused.err),
            "{}",
            refused.err
        );
    }
}

/// The study, which is resumed where the disk was the reason to pause it.
#[track_caller]
fn kept_going(ground: &Ground) -> Option<StudyDetail> {
    let study = ground.study()?;
    if study.study.state == StudyState::Paused {
        let why = study.study.reason.unwrap_or_default();
        assert!(is_full(&why), "{why}; seed {}", seed());
        ground.command(&["resume", ID]).ok();
        return None;
    }
    Some(study)
}

/// A command that waits for its answer.
fn asks(ground: &Ground, args: &[&str]) -> Child {
    let mut command = ground.attune(args);
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn is_answered(mut asked: Child) {
    let code = wait("the answer", || asked.try_wait().unwrap());
    let said = last_words(&mut asked);
    assert!(code.success(), "{said}; seed {}", seed());
}

fn last_words(asked: &mut Child) -> String {
    let mut said = String::new();
    std::io::Read::read_to_string(&mut asked.stderr.take().unwrap(), &mut said).unwrap();
    said
}

/// Stops a worker that passes a point, if one still does, for as long as something is done. It must
/// take less than the lease takes to expire.
#[track_caller]
fn while_stopped_at(ground: &Ground, point: &str, act: impl FnOnce()) {
    let file = ground.arm(point, "stop 1");
    let is_hit = wait(point, || {
        let study = kept_going(ground)?;
        let is_over = study.study.state != StudyState::Running;
        (is_over || !file.exists()).then(|| !file.exists())
    });
    if !is_hit {
        return;
    }
    let stopped = wait("its process", || stopped_process(ground));
    act();
    assert!(signal(stopped, Signal::CONT));
}

#[test]
fn a_full_disk_costs_nothing_but_time() {
    let Some(disk) = Disk::mount() else { return };
    let expected = undisturbed();
    let ground = Ground::in_home(Home::new(), disk.path().join("home"));
    let mut random = random(3);
    let mut seen = Acknowledged::default();

    // There is room to begin, but not for copies of all plugins.
    disk.fill(random.random_range(17 << 20..weight_of_plugins()));
    let mut refused = ground.begin();
    let code = wait("it is refused", || refused.child.try_wait().unwrap());
    let said = refused.said();
    assert!(!code.success() && is_full(&said), "{said}");
    assert!(said.contains("private copy"), "{said}");
    assert_eq!(ground.command(&["ls", "--json"]).ok().trim(), "[]");
    disk.make_room();

    // The disk fills up while steps are made.
    let watching = ground.run();
    let epochs = random.random_range(1..20);
    wait("some epochs", || {
        let study = ground.study()?;
        seen.look(&study);
        let made: u32 = study.trials.iter().map(|trial| trial.epochs).sum();
        (made >= epochs).then_some(())
    });
    disk.fill(random.random_range(ALMOST));
    waits_for_room(&ground);
    // What is asked now is answered once it is stored.
    let mut paused = asks(&ground, &["pause", ID]);
    for _ in 0..20 {
        seen.look(&wait("the study", || ground.study()));
        let answered = paused.try_wait().unwrap();
        assert!(
            answered.is_none(),
            "{answered:?} {}",
            last_words(&mut paused)
        );
    }
    assert_eq!(ground.study().unwrap().study.state, StudyState::Running);
    disk.make_room();
    is_answered(paused);
    wait("it is paused", || {
        (ground.study()?.study.state == StudyState::Paused).then_some(())
    });
    drop(watching);
    ground.command(&["resume", ID]).ok();

    // A daemon that waits can be killed and stopped.
    let trains = || {
        wait("a trial is trained", || {
            let status = ground.status()?;
            (status.studies.first()?.running > 0).then_some(())
        });
    };
    trains();
    disk.fill(random.random_range(ALMOST));
    waits_for_room(&ground);
    match random.random_bool(0.5) {
        true => assert!(signal(ground.daemon().unwrap(), Signal::KILL)),
        false => drop(ground.command(&["daemon", "stop"]).ok()),
    }
    wait("all end", || ground.processes().is_empty().then_some(()));

    // There is no room for a daemon to start in.
    let refused = ground.command(&["ls"]);
    let is_one_line = refused.err.trim().lines().count() == 1;
    assert!(
        refused.code == Some(1) && is_one_line && is_full(&refused.err),
        "{}",
        refused.err
    );
    disk.make_room();
    ground.command(&["ls"]).ok();
    seen.look(&wait("the study", || ground.study()));

    // There is none at all when a checkpoint, or a model, is about to be written.
    for point in ["worker-before-checkpoint", "worker-before-model"] {
        let left = random.random_range(0..64 << 10);
        while_stopped_at(&ground, point, || disk.fill(left));
        if !disk.ballast().exists() {
            continue;
        }
        waits_or_ends(&ground);
        disk.make_room();
        ground.command(&["ls"]).ok();
        seen.look(&wait("the study", || ground.study()));
    }
    let study = wait("the study ends", || {
        let study = kept_going(&ground)?;
        seen.look(&study);
        (study.study.state != StudyState::Running).then_some(study.study)
    });
    assert_eq!(study.state, StudyState::Done, "{:?}", study.reason);
    let model = ground.home.path().join("siege.safetensors");
    let to = model.display().to_string();
    ground
        .command(&["export", ID, "--format", "model", "--to", &to])
        .ok();
    ground.stop();
    ground.nobody_panicked();
    ground.nothing_half_written();
    ground.outcome().is(expected);
    assert!(ground.saved() == expected.model());
}

/// Checkpoints of studies that have ended go once all together take more than they may.
#[test]
fn checkpoints_stay_within_their_budget() {
    let expected = undisturbed();
    let mut ground = Ground::new();
    let budget = 1 << 20;
    ground.set("ATTUNE_CHECKPOINT_BUDGET", "1MiB");
    let mut watching = ground.run();
    ground.ends_well(&mut watching);
    let taken = || -> u64 {
        let files = all_files(&ground.state.join("state/checkpoints"));
        let sizes = files.iter().map(|file| file.metadata().unwrap().len());
        sizes.sum()
    };
    let status = wait("they are within it", || {
        let status = ground.status()?;
        (status.checkpoint_bytes <= budget).then_some(status)
    });
    assert_eq!(status.checkpoint_budget_bytes, budget);
    assert_eq!(status.checkpoint_bytes, taken());
    assert!(status.warnings.is_empty(), "{:?}", status.warnings);
    let told = ground.command(&["status"]).ok();
    assert!(told.contains("checkpoints and models"), "{told}");
    // What is left is whole, and forks go on from it.
    ground.command(&["store", "verify"]).ok();
    let study = ground.study().unwrap();
    let kept = study
        .trials
        .iter()
        .filter(|trial| !trial.checkpoints.is_empty());
    let kept: Vec<&String> = kept.map(|trial| &trial.id).collect();
    if let Some(trial) = kept.first() {
        ground
            .command(&["fork", trial, "--scheduler", "cosine"])
            .ok();
    }
    ground.stop();
    ground.nobody_panicked();
    ground.outcome().is(expected);
}
