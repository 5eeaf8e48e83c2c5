//! A home with a study in it, and hands to do harm there.

use crate::outcome::Outcome;
use crate::support::{Finished, Home, daemon_of, processes_of, signal, try_within};
use attune_protocol::client::{Address, Client, ClientError};
use attune_protocol::{DaemonStatus, StudyDetail, TrialState};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Nothing in these tests takes longer, however busy the machine is.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// Digits, four schedulers and rungs: some seconds of work.
const STUDY: &str = r#"
name = "siege"
seed = 11
trials = 20

[data]
path = "digits.csv"
target = "digit"

[fidelity]
min_epochs = 2
max_epochs = 18

[space]
scheduler = ["greedy", "cosine", "hypergradient", "one-cycle"]
lr = { low = 0.01, high = 0.2, log = true }
width = [96, 160]
dropout = { low = 0.0, high = 0.3 }
batch_size = 16
"#;

/// The id of the study.
pub const ID: &str = "s1";

/// The seed of everything random in these tests.
pub fn seed() -> u64 {
    let told = std::env::var("ATTUNE_CRASH_SEED").ok();
    told.map_or(1, |told| {
        told.parse().expect("ATTUNE_CRASH_SEED is a number")
    })
}

/// A random stream of its own for each purpose.
pub fn random(purpose: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(
        seed()
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(purpose),
    )
}

/// What the study comes to when nobody disturbs it.
pub fn undisturbed() -> &'static Outcome {
    static OUTCOME: OnceLock<Outcome> = OnceLock::new();
    OUTCOME.get_or_init(|| {
        let ground = Ground::new();
        let began = Instant::now();
        let mut client = ground.run();
        ground.ends_well(&mut client);
        eprintln!("undisturbed: {:.1} s", began.elapsed().as_secs_f64());
        ground.stop();
        let outcome = ground.outcome();
        outcome.is_worth_it();
        outcome
    })
}

/// A home with the study's file in it.
pub struct Ground {
    pub home: Home,
    /// Where the program keeps everything.
    pub state: PathBuf,
    variables: BTreeMap<&'static str, String>,
    runtime: tokio::runtime::Runtime,
    pub client: Client,
}

impl Ground {
    pub fn new() -> Self {
        let home = Home::new();
        let state = home.path().join("home");
        Ground::in_home(home, state)
    }

    /// With everything that the program writes in this folder.
    pub fn in_home(home: Home, state: PathBuf) -> Self {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/digits.csv");
        std::fs::copy(data, home.path().join("digits.csv")).unwrap();
        home.file("siege.toml", STUDY);
        std::fs::create_dir_all(home.path().join("points")).unwrap();
        std::fs::create_dir_all(&state).unwrap();
        let points = home.path().join("points").display().to_string();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let socket = state.join("run/attune.sock");
        Ground {
            variables: BTreeMap::from([
                ("ATTUNE_HOME", state.display().to_string()),
                ("ATTUNE_BREAKPOINTS", points),
                ("ATTUNE_CHECKPOINT_EVERY", "1s".to_owned()),
                ("ATTUNE_LEASE_TIMEOUT", "2s".to_owned()),
                ("ATTUNE_IDLE_EXIT", "never".to_owned()),
            ]),
            home,
            state,
            runtime,
            client: Client::new(Address::Unix(socket)).within(Duration::from_secs(10)),
        }
    }

    /// Sets a variable of all programs that are started from now on.
    pub fn set(&mut self, variable: &'static str, value: &str) {
        self.variables.insert(variable, value.to_owned());
    }

    pub fn attune(&self, args: &[&str]) -> Command {
        let mut command = self.home.attune();
        command.args(args).envs(&self.variables);
        command
    }

    pub fn command(&self, args: &[&str]) -> Finished {
        Finished::from(self.attune(args).output().unwrap())
    }

    /// Starts the study, and returns once it is acknowledged.
    pub fn run(&self) -> Watching {
        let mut watching = self.begin();
        wait("the study is there", || {
            let is_there = watching.is_there();
            let study = self.study();
            assert!(is_there || study.is_some(), "{}", watching.said());
            study
        });
        watching
    }

    /// Starts the study.
    pub fn begin(&self) -> Watching {
        let err = self.home.path().join("client.err");
        let out = self.home.path().join("client.out");
        let file = |path: &Path| std::fs::File::create(path).unwrap();
        let child = self
            .attune(&["run", "siege.toml", "--json", "--parallel", "3"])
            .stdin(Stdio::null())
            .stdout(file(&out))
            .stderr(file(&err))
            .spawn()
            .unwrap();
        Watching { child, err }
    }

    /// Waits until the command that watches the study says that all went well.
    #[track_caller]
    pub fn ends_well(&self, watching: &mut Watching) {
        let code = wait("the study ends", || watching.child.try_wait().unwrap());
        assert!(code.success(), "{code}: {}", watching.said());
    }

    pub fn study(&self) -> Option<StudyDetail> {
        self.ask(self.client.study(ID))
    }

    pub fn status(&self) -> Option<DaemonStatus> {
        self.ask(self.client.status())
    }

    /// Asks; nothing where the daemon is away just now.
    pub fn ask<T>(&self, asked: impl Future<Output = Result<T, ClientError>>) -> Option<T> {
        self.runtime.block_on(asked).ok()
    }

    /// The process that holds the daemon's lock, as the lock says.
    pub fn daemon(&self) -> Option<u32> {
        daemon_of(&self.state)
    }

    /// Every process of this home, commands among them.
    pub fn processes(&self) -> Vec<u32> {
        processes_of(&self.state)
    }

    /// Writes what is to happen at a named point.
    pub fn arm(&self, point: &str, what: &str) -> PathBuf {
        let file = self.home.path().join("points").join(point);
        let aside = self.home.path().join("points").join(format!("{point}.new"));
        std::fs::write(&aside, what).unwrap();
        std::fs::rename(aside, &file).unwrap();
        file
    }

    /// Stops the daemon, in good order; nothing of it or of anybody else is left.
    #[track_caller]
    pub fn stop(&self) {
        self.command(&["daemon", "stop"]).ok();
        wait("all processes end", || {
            self.processes().is_empty().then_some(())
        });
    }

    /// The model that the command saved.
    pub fn saved(&self) -> Vec<u8> {
        std::fs::read(self.home.path().join("siege.safetensors")).unwrap_or_default()
    }

    /// What the study came to. The daemon must have stopped.
    pub fn outcome(&self) -> Outcome {
        Outcome::read(&self.state)
    }

    /// Nothing in the log or in what commands said is a panic.
    #[track_caller]
    pub fn nobody_panicked(&self) {
        let mut files = all_files(&self.state.join("state/logs"));
        files.push(self.home.path().join("client.err"));
        for file in files {
            let text = std::fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let panic = text.lines().find(|line| line.contains("panicked"));
            assert_eq!(panic, None, "in {}", file.display());
        }
    }

    /// No half-written file is left.
    #[track_caller]
    pub fn nothing_half_written(&self) {
        let mut files = all_files(&self.state);
        files.retain(|file| file.extension().is_some_and(|end| end == "part"));
        assert_eq!(files, Vec::<PathBuf>::new());
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for pid in self.processes() {
            signal(pid, Signal::KILL);
        }
    }
}

/// A command that watches the study.
pub struct Watching {
    pub child: Child,
    err: PathBuf,
}

impl Watching {
    /// What it said that is no event.
    pub fn said(&self) -> String {
        let text = std::fs::read_to_string(&self.err).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.starts_with('{'));
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn is_there(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every file in and below a folder.
pub fn all_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => all_files(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        })
        .collect();
    files.sort();
    files
}

/// Waits until there is something.
#[track_caller]
pub fn wait<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    match try_within(DEADLINE, look) {
        Some(found) => found,
        None => panic!("waited in vain: {what}; seed {}", seed()),
    }
}

/// What was acknowledged of each trial, and must never be taken back.
#[derive(Default)]
pub struct Acknowledged {
    trials: BTreeMap<String, (u64, u32, Option<TrialState>, usize)>,
    pub polls: usize,
}

impl Acknowledged {
    /// Takes a look at the study.
    #[track_caller]
    pub fn look(&mut self, study: &StudyDetail) {
        if let Some(taken_back) = self.taken_back(study) {
            panic!("{taken_back}; seed {}", seed());
        }
    }

    /// Takes a look at the study, and says what is gone that was there.
    pub fn taken_back(&mut self, study: &StudyDetail) -> Option<String> {
        self.polls += 1;
        if study.trials.len() < self.trials.len() {
            return Some("a trial vanished".into());
        }
        let mut taken_back = None;
        for trial in &study.trials {
            let ended = is_over(trial.state).then_some(trial.state);
            let now = (trial.steps, trial.epochs, ended, trial.deaths.len());
            let before = self.trials.insert(trial.id.clone(), now);
            let Some(before) = before else { continue };
            let kept = now.0 >= before.0
                && now.1 >= before.1
                && now.3 >= before.3
                && (before.2.is_none() || now == before);
            if !kept {
                taken_back = Some(format!("{}: {before:?} became {now:?}", trial.id));
            }
        }
        taken_back
    }
}

pub fn is_over(state: TrialState) -> bool {
    matches!(
        state,
        TrialState::Done | TrialState::Stopped | TrialState::Diverged | TrialState::Failed
    )
}
