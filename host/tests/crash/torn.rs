//! Files whose ends are cut, flipped, zeroed or overgrown while no daemon runs: all of them that lie
//! in the home of a study that is half done.
//!
//! Every wound is followed by the rest of the study. Either it comes to what it comes to undisturbed,
//! or the daemon said what is damaged, and everything else is as it should be.

use crate::ground::{
    Acknowledged, Ground, ID, all_files, is_over, random, seed, undisturbed, wait,
};
use crate::support::signal;
use attune_protocol::{StudyDetail, StudyState};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// So many trials have ended when the study is interrupted, of twenty.
const ENDED: usize = 7;

/// What a worker says of a trial whose checkpoint it could not use.
const BEGAN_AGAIN: &str = "cannot be used";

/// What a daemon writes into its log of a journal that ends within a write.
const TORN: &str = "an unfinished last write";

/// What is done to the end of a file.
#[derive(Debug, Clone, Copy)]
enum Wound {
    /// So many bytes are gone.
    Cut(usize),
    /// One bit is another, so many bytes before the end.
    Flip(usize, u8),
    /// So many bytes are zero, as a file system may leave them after a power cut.
    Zero(usize),
    /// So many bytes follow that nobody wrote.
    Grow(usize),
}

impl Wound {
    /// Somewhere in a file of this length; the end of the end is hit more often.
    fn of(random: &mut ChaCha8Rng, length: usize) -> Self {
        let reach = match random.random_range(0..4) {
            0 => 16,
            1 => 512,
            2 => 8 << 10,
            _ => length,
        };
        let back = random.random_range(1..=reach.clamp(1, length.max(1)));
        match random.random_range(0..4) {
            0 => Wound::Cut(back),
            1 => Wound::Flip(back, random.random_range(0..8)),
            2 => Wound::Zero(back),
            _ => Wound::Grow(back),
        }
    }

    /// Put in place of the file as it was, which other names may belong to. Gives what was there, and
    /// what is now.
    fn inflict(self, file: &Path, random: &mut ChaCha8Rng) -> (Vec<u8>, Vec<u8>) {
        let before = fs::read(file).unwrap();
        let mut bytes = before.clone();
        let length = bytes.len();
        match self {
            Wound::Cut(back) => bytes.truncate(length.saturating_sub(back)),
            Wound::Flip(back, bit) => {
                if let Some(byte) = length.checked_sub(back).and_then(|at| bytes.get_mut(at)) {
                    *byte ^= 1 << bit;
                }
            }
            Wound::Zero(back) => bytes[length.saturating_sub(back)..].fill(0),
            Wound::Grow(more) => bytes.extend((0..more).map(|_| random.random::<u8>())),
        }
        let aside = file.with_extension("wounded");
        fs::write(&aside, &bytes).unwrap();
        fs::rename(aside, file).unwrap();
        (before, bytes)
    }
}

/// A kind of file, by where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Journal,
    Index,
    Checkpoint,
    Model,
    PluginCopy,
    /// Locks, logs, flight files: whatever says something of a process.
    OfAProcess,
}

impl Kind {
    fn of(file: &Path) -> Self {
        let all = file.to_string_lossy();
        let kinds = [
            ("state/store/journal/", Kind::Journal),
            ("state/store/index.", Kind::Index),
            ("step-", Kind::Checkpoint),
            ("model.safetensors", Kind::Model),
            ("cache/plugins/", Kind::PluginCopy),
            ("daemon.lock", Kind::OfAProcess),
            ("state/store/lock", Kind::OfAProcess),
            ("state/logs/", Kind::OfAProcess),
            (".flight", Kind::OfAProcess),
        ];
        let kind = kinds.iter().find(|(part, _)| all.contains(part));
        kind.unwrap_or_else(|| panic!("a file of no known kind: {all}"))
            .1
    }
}

/// A home whose study is half done, and what was acknowledged of it.
struct Half<'g> {
    ground: &'g Ground,
    kept: PathBuf,
    study: StudyDetail,
    /// Every file, relative to the home.
    files: Vec<PathBuf>,
    was_killed: bool,
}

impl<'g> Half<'g> {
    /// Interrupts a study, in good order or by killing the daemon.
    fn way(ground: &'g Ground, was_killed: bool) -> Self {
        let _ = fs::remove_dir_all(&ground.state);
        let watching = ground.run();
        wait("half of the study", || {
            let study = ground.study()?;
            let ended = study.trials.iter().filter(|trial| is_over(trial.state));
            (ended.count() >= ENDED).then_some(())
        });
        // Who watches would start another daemon.
        drop(watching);
        let study = match was_killed {
            true => {
                let study = wait("the study", || ground.study());
                assert!(signal(ground.daemon().unwrap(), Signal::KILL));
                wait("all end", || ground.processes().is_empty().then_some(()));
                study
            }
            false => {
                ground.command(&["daemon", "stop"]).ok();
                wait("all end", || ground.processes().is_empty().then_some(()));
                ground.command(&["daemon", "start"]).ok();
                let study = wait("the study", || ground.study());
                ground.stop();
                study
            }
        };
        let kept = ground.home.path().join(format!("kept-{was_killed}"));
        copy(&ground.state, &kept);
        let all = all_files(&kept);
        let files = all.iter().map(|file| file.strip_prefix(&kept).unwrap());
        Half {
            files: files.map(Path::to_owned).collect(),
            ground,
            kept,
            study,
            was_killed,
        }
    }

    fn of_kind(&self, kind: Kind) -> Vec<&PathBuf> {
        let of_kind = self.files.iter().filter(|file| Kind::of(file) == kind);
        of_kind.collect()
    }

    /// Wounds these files, and lets the study go on. Gives what there was to say.
    fn go_on(&self, wounds: &[(&PathBuf, Wound)], random: &mut ChaCha8Rng) -> String {
        let told = format!("{wounds:?}, killed: {}, seed {}", self.was_killed, seed());
        let ground = self.ground;
        fs::remove_dir_all(&ground.state).unwrap();
        copy(&self.kept, &ground.state);
        let wounded_bytes: Vec<(Vec<u8>, Vec<u8>)> = wounds
            .iter()
            .map(|(file, wound)| wound.inflict(&ground.state.join(file), random))
            .collect();
        let is_hurt = |kind| wounds.iter().any(|(file, _)| Kind::of(file) == kind);

        let started = ground.command(&["ls"]);
        assert_eq!(started.code, Some(0), "{told}: {}", started.err);
        let study = wait("the study is there", || ground.study());
        let said = wait("the status", || ground.status()).warnings.join("\n");
        let mut before = Acknowledged::default();
        before.look(&self.study);
        if let Some(lost) = before.taken_back(&study) {
            // What was cut off a journal looks like a write that nobody had heard of yet, where the
            // index did not live to have it either.
            let log = fs::read_to_string(ground.state.join("state/logs/daemon.log"));
            let log = String::from_utf8_lossy(log.unwrap_or_default().as_bytes()).into_owned();
            let is_told = said.contains("LOST") || (self.was_killed && log.contains(TORN));
            assert!(is_hurt(Kind::Journal) && is_told, "{told}: {lost}; {said}");
        }
        let study = wait("the study ends", || {
            let study = ground.study()?.study;
            (study.state != StudyState::Running).then_some(study)
        });
        let model = ground.home.path().join("fetched.safetensors");
        let to = model.display().to_string();
        let fetched = ground.command(&["export", ID, "--format", "model", "--to", &to, "--force"]);
        let verified = ground.command(&["store", "verify"]);
        let doctor = ground.command(&["doctor"]);
        ground.stop();
        ground.nobody_panicked();
        ground.nothing_half_written();
        let ends = ground.outcome();
        let expected = undisturbed();
        let all_said = format!("{said}\n{}\n{}", verified.err, doctor.out);

        if study.state != StudyState::Done {
            let why = study.reason.unwrap_or_default();
            assert!(said.contains("LOST"), "{told}: {:?}: {why}", study.state);
            return all_said;
        }
        if said.contains("LOST") {
            let rest = ends.differences(expected);
            let unnamed = rest.iter().filter(|part| {
                let trial = part.split(' ').next().unwrap_or_default();
                !said.contains(trial) && !said.contains("unknown")
            });
            assert_eq!(unnamed.count(), 0, "{told}: {rest:?} differ; {said}");
            return all_said;
        }
        let ends = match is_hurt(Kind::Checkpoint) || is_hurt(Kind::Journal) {
            true => ends.without_warnings_of(BEGAN_AGAIN),
            false => ends,
        };
        let best = expected.best_model();
        let wounded: Vec<String> = wounds
            .iter()
            .map(|(file, _)| format!("/{}", file.display()))
            .collect();
        if wounded.contains(&best.to_owned()) && fetched.code != Some(0) {
            // The best trial had ended, so nobody wrote its model again.
            let named = best.trim_start_matches('/');
            assert!(fetched.err.contains(named), "{told}: {}", fetched.err);
            assert!(all_said.contains(named), "{told}: {all_said}");
            ends.is_but_for_the_model(expected);
        } else {
            assert_eq!(fetched.code, Some(0), "{told}: {}", fetched.err);
            assert!(fs::read(&model).unwrap() == expected.model(), "{told}");
            let differ = ends.differences(expected);
            assert!(differ.is_empty(), "{told}: {differ:?}; {all_said}");
            ends.is(expected);
        }
        // What is still damaged, because nobody needed it any more, is named too.
        for ((file, _), (before, after)) in wounds.iter().zip(&wounded_bytes) {
            let is_kept = matches!(Kind::of(file), Kind::Checkpoint | Kind::Model);
            let is_there = fs::read(ground.state.join(file)).is_ok_and(|now| now == *after);
            if is_kept && is_there && before != after {
                let name = file.display().to_string();
                assert!(all_said.contains(&name), "{told}: {name}: {all_said}");
            }
        }
        all_said
    }
}

/// In its usual form every kind of file is hit in one half and the other; `ATTUNE_TORN=N` goes
/// through all files in any order until N rounds are made.
#[test]
fn wounded_files_are_mended_or_named() {
    let rounds = std::env::var("ATTUNE_TORN").map_or(0, |told| told.parse().unwrap());
    undisturbed();
    let ground = Ground::new();
    let halves = [Half::way(&ground, false), Half::way(&ground, true)];
    let mut random = random(2);
    let began = Instant::now();
    let mut tally: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut wound = |half: &Half<'_>, files: &[&PathBuf], random: &mut ChaCha8Rng| {
        let wounds: Vec<(&PathBuf, Wound)> = files
            .iter()
            .map(|file| {
                *tally.entry(Kind::of(file)).or_default() += 1;
                let length = fs::metadata(half.kept.join(file)).unwrap().len();
                (*file, Wound::of(random, length as usize))
            })
            .collect();
        half.go_on(&wounds, random);
    };
    if rounds == 0 {
        let kinds = [
            Kind::Journal,
            Kind::Index,
            Kind::Checkpoint,
            Kind::Model,
            Kind::PluginCopy,
        ];
        for (round, kind) in kinds.into_iter().enumerate() {
            let half = &halves[(round + seed() as usize) % 2];
            let one = half.of_kind(kind).choose(&mut random).copied().unwrap();
            // What is only read by people is hit beside the others.
            let of_process = half.of_kind(Kind::OfAProcess);
            let other = of_process.choose(&mut random).copied().unwrap();
            wound(half, &[one, other], &mut random);
        }
    }
    let mut left: Vec<(usize, &PathBuf)> = Vec::new();
    for _ in 0..rounds {
        if left.is_empty() {
            let all = halves.iter().enumerate();
            left = all
                .flat_map(|(half, of)| of.files.iter().map(move |file| (half, file)))
                .collect();
            left.shuffle(&mut random);
        }
        let Some((half, file)) = left.pop() else {
            break;
        };
        wound(&halves[half], &[file], &mut random);
    }
    eprintln!(
        "wounded {tally:?} in {:.1} s, seed {}",
        began.elapsed().as_secs_f64(),
        seed()
    );
}

/// A folder of copies that somebody clears away is no trial's fault.
#[test]
fn copies_of_plugins_can_go_away_at_any_time() {
    let expected = undisturbed();
    let ground = Ground::new();
    let mut watching = ground.run();
    wait("some epochs", || {
        let study = ground.study()?;
        let made: u32 = study.trials.iter().map(|trial| trial.epochs).sum();
        (made > 10).then_some(())
    });
    fs::remove_dir_all(ground.state.join("cache/plugins")).unwrap();
    // Those that come after them need the copies.
    for worker in wait("the workers", || ground.status()).workers {
        signal(worker.pid, Signal::KILL);
    }
    wait("the command ends", || watching.child.try_wait().unwrap());
    let study = wait("the study", || ground.study()).study;
    let why = study.reason.unwrap_or_default();
    assert_eq!(study.state, StudyState::Paused, "{why}");
    assert!(why.contains("private copy"), "{why}");
    ground.command(&["resume", ID, "--wait"]).ok();
    ground.stop();
    ground.nobody_panicked();
    ground.outcome().is(expected);
}

/// Copies a home. Libraries are large, and whoever changes one here puts another file in its place.
fn copy(from: &Path, to: &Path) {
    for file in all_files(from) {
        let other = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        match Kind::of(&file) {
            Kind::PluginCopy => fs::hard_link(&file, &other).unwrap(),
            _ => drop(fs::copy(&file, &other).unwrap()),
        }
    }
}
