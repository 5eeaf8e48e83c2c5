//! The kill test: a study whose daemon and workers are killed again and again.

use crate::ground::{
    Acknowledged, DEADLINE, Ground, Watching, is_over, random, seed, undisturbed, wait,
};
use crate::points::{AT_THE_END, DAEMON, WORKER};
use crate::support::{signal, try_within};
use attune_protocol::StudyDetail;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rustix::process::Signal;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// The most kills of one study: with more it would hardly move.
const KILLS_A_STUDY: usize = 25;

/// How long a point that was armed may stay so; the study may never pass it again.
const ARMED: Duration = Duration::from_secs(3);

/// After so many others a kill is tried again that found nothing to kill.
const SOON: usize = 3;

/// A trial whose workers die three times is given up, so that is as often as one may die in a test.
const DEATHS: usize = 2;

/// A way to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// The daemon, some time after it answers.
    Daemon,
    /// The daemon, while it starts.
    Starting,
    /// A worker.
    Worker,
    /// Whoever passes a point of the daemon's, or of a worker's.
    AtDaemon(&'static str),
    AtWorker(&'static str),
}

#[test]
fn kills_change_nothing() {
    let wanted = std::env::var("ATTUNE_KILLS").map_or(20, |told| told.parse().unwrap());
    let expected = undisturbed();
    let mut random = random(1);
    let mut tally = Tally::default();
    let began = Instant::now();
    while tally.kills() < wanted {
        let plan = plan(&mut random, (wanted - tally.kills()).min(KILLS_A_STUDY));
        let siege = Siege::lay(&mut random, &mut tally);
        siege.carry_out(&plan, expected);
    }
    eprintln!(
        "{} kills in {} studies and {:.1} s, seed {}: {tally:?}",
        tally.kills(),
        tally.studies,
        began.elapsed().as_secs_f64(),
        seed()
    );
    assert!(
        tally.polls > 10 * tally.studies,
        "hardly anything was looked at"
    );
}

/// Every kind at least once, where there is room, and the rest at random, in any order.
fn plan(random: &mut ChaCha8Rng, kills: usize) -> Vec<Kill> {
    let points = DAEMON.iter().map(|point| Kill::AtDaemon(point));
    let points = points.chain(WORKER.iter().map(|point| Kill::AtWorker(point)));
    let mut plan: Vec<Kill> = points
        .chain([Kill::Daemon, Kill::Starting, Kill::Worker])
        .collect();
    let kinds = plan.clone();
    while plan.len() < kills {
        plan.push(match random.random_range(0..10) {
            0..4 => Kill::Daemon,
            4..5 => Kill::Starting,
            5..7 => Kill::Worker,
            _ => kinds[random.random_range(0..kinds.len())],
        });
    }
    plan.shuffle(random);
    plan.truncate(kills);
    plan
}

#[derive(Debug, Default)]
struct Tally {
    studies: usize,
    polls: usize,
    by_kind: BTreeMap<&'static str, usize>,
    /// How many trials had ended when it happened: none, some, or all.
    landed: BTreeMap<&'static str, usize>,
    in_vain: usize,
    deaths: usize,
    most_leases: u64,
}

impl Tally {
    fn kills(&self) -> usize {
        self.by_kind.values().sum()
    }
}

/// A study under way that is being disturbed.
struct Siege<'a> {
    ground: Ground,
    watching: Watching,
    seen: Acknowledged,
    random: &'a mut ChaCha8Rng,
    tally: &'a mut Tally,
    /// How often a daemon was started at most.
    daemons: u64,
}

impl<'a> Siege<'a> {
    fn lay(random: &'a mut ChaCha8Rng, tally: &'a mut Tally) -> Self {
        let ground = Ground::new();
        let watching = ground.run();
        tally.studies += 1;
        Siege {
            ground,
            watching,
            seen: Acknowledged::default(),
            random,
            tally,
            daemons: 1,
        }
    }

    fn carry_out(mut self, plan: &[Kill], expected: &crate::outcome::Outcome) {
        let wanted = self.tally.kills() + plan.len();
        let at_the_end = self.random.random_bool(0.5).then(|| {
            let point = AT_THE_END[self.random.random_range(0..AT_THE_END.len())];
            (point, self.ground.arm(point, "kill 1"))
        });
        let mut plan: VecDeque<Kill> = plan.iter().copied().collect();
        let mut tries = 2 * plan.len();
        while let Some(kill) = plan.pop_front() {
            if self.tally.kills() >= wanted || !self.watching.is_there() {
                break;
            }
            // Where in the study it lands.
            let pause = Duration::from_millis(self.random.random_range(0..400));
            let _ = try_within::<()>(pause, || {
                self.look();
                None
            });
            match self.kill(kill) {
                Some(kind) => self.count(kind),
                None => {
                    self.tally.in_vain += 1;
                    tries -= 1;
                    // There may be something to kill in a moment.
                    plan.insert(plan.len().min(SOON), kill);
                }
            }
            if tries == 0 {
                break;
            }
        }
        let mut watching = self.watching;
        let ground = self.ground;
        let code = wait("the study ends", || {
            if let Some(study) = ground.study() {
                self.seen.look(&study);
            }
            watching.child.try_wait().unwrap()
        });
        assert!(
            code.success(),
            "{code}, seed {}: {}",
            seed(),
            watching.said()
        );
        if let Some((point, file)) = at_the_end
            && !file.exists()
        {
            *self.tally.by_kind.entry(point).or_default() += 1;
            *self.tally.landed.entry("at the end").or_default() += 1;
            self.daemons += 1;
        }
        // What was acknowledged stays so after one more start.
        ground.command(&["ls"]).ok();
        self.seen
            .look(&wait("the study is there", || ground.study()));
        self.tally.polls += self.seen.polls;
        ground.stop();
        ground.nothing_half_written();
        ground.nobody_panicked();
        let outcome = ground.outcome();
        outcome.is(expected);
        assert!(
            ground.saved() == expected.model(),
            "the saved model, seed {}",
            seed()
        );
        self.tally.deaths += outcome.deaths;
        for attempt in outcome.attempts {
            let (boot, lease) = (attempt >> 32, attempt & u64::from(u32::MAX));
            assert!(
                boot <= self.daemons + 2,
                "boot {boot}, but {} daemons",
                self.daemons
            );
            self.tally.most_leases = self.tally.most_leases.max(lease);
            // Twenty trials with four segments each, and one more for each lease that was lost.
            assert!(
                lease <= 20 * 4 + 3 * 40,
                "a daemon gave {lease} leases, seed {}",
                seed()
            );
        }
    }

    fn look(&mut self) -> Option<StudyDetail> {
        let study = self.ground.study()?;
        self.seen.look(&study);
        Some(study)
    }

    fn count(&mut self, kind: &'static str) {
        *self.tally.by_kind.entry(kind).or_default() += 1;
        let study = wait("the daemon is back", || {
            // The command may have seen the end of it all, and nobody starts a daemon any more.
            if !self.watching.is_there() && self.ground.daemon().is_none() {
                self.ground.command(&["ls"]).ok();
            }
            self.look()
        });
        let ended = study
            .trials
            .iter()
            .filter(|trial| is_over(trial.state))
            .count();
        let landed = match ended {
            0 => "before any trial ended",
            20 => "after all trials ended",
            _ => "in between",
        };
        *self.tally.landed.entry(landed).or_default() += 1;
    }

    /// Gives the kind of what was killed; nothing where there was nothing to kill.
    fn kill(&mut self, kill: Kill) -> Option<&'static str> {
        match kill {
            Kill::Daemon => self.kill_daemon().then_some("daemon"),
            Kill::Starting => self.kill_starting(),
            Kill::Worker => self.kill_worker().then_some("worker"),
            Kill::AtDaemon(point) => {
                let hit = self.kill_at(point);
                self.daemons += u64::from(hit);
                hit.then_some(point)
            }
            Kill::AtWorker(point) => {
                self.may_lose_workers()?;
                let hit = self.kill_at(point);
                if hit {
                    // Until the daemon has noticed, nobody knows in which trial that was.
                    self.settle();
                }
                hit.then_some(point)
            }
        }
    }

    fn kill_daemon(&mut self) -> bool {
        let Some(pid) = self.ground.daemon() else {
            return false;
        };
        let killed = signal(pid, Signal::KILL);
        self.daemons += u64::from(killed);
        killed
    }

    /// Kills one, and the next one before it answers.
    fn kill_starting(&mut self) -> Option<&'static str> {
        let before = self.ground.daemon()?;
        self.kill_daemon();
        try_within(DEADLINE, || {
            self.ground.daemon().filter(|now| *now != before)
        })?;
        let pause = Duration::from_millis(self.random.random_range(0..150));
        let _ = try_within::<()>(pause, || None);
        *self.tally.by_kind.entry("daemon").or_default() += 1;
        self.kill_daemon().then_some("daemon, starting")
    }

    fn kill_worker(&mut self) -> bool {
        let Some(study) = self.may_lose_workers() else {
            return false;
        };
        let Some(status) = self.ground.status() else {
            return false;
        };
        drop(study);
        if status.workers.is_empty() {
            return false;
        }
        let worker = &status.workers[self.random.random_range(0..status.workers.len())];
        let killed = signal(worker.pid, Signal::KILL);
        self.settle();
        killed
    }

    /// Waits until every worker that the daemon counts lives: then every death was noticed.
    fn settle(&mut self) {
        let give_up_at = Instant::now() + DEADLINE;
        while Instant::now() < give_up_at && self.watching.is_there() {
            let alive = self.ground.processes();
            let status = self.ground.status();
            if status.is_some_and(|s| s.workers.iter().all(|worker| alive.contains(&worker.pid))) {
                return;
            }
        }
    }

    /// The study, where no trial in it is about to be given up.
    fn may_lose_workers(&mut self) -> Option<StudyDetail> {
        let study = self.look()?;
        let mut live = study.trials.iter().filter(|trial| !is_over(trial.state));
        live.all(|trial| trial.deaths.len() < DEATHS)
            .then_some(study)
    }

    fn kill_at(&mut self, point: &'static str) -> bool {
        let passages = match self.random.next_u32() % 3 {
            0 => 1,
            1 => 2,
            _ => 1 + self.random.next_u32() % 8,
        };
        let file = self.ground.arm(point, &format!("kill {passages}"));
        let hit = try_within(ARMED, || {
            self.look();
            let gone = !self.watching.is_there();
            (!file.exists() || gone).then(|| !file.exists())
        });
        match hit {
            Some(hit) => hit,
            // Taken away by us, or in this very moment by the one that it hit.
            None => std::fs::remove_file(&file).is_err(),
        }
    }
}
