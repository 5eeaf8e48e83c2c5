//! A home of one's own for the program, and for the daemon and the workers that it starts there.

use super::guard::Guard;
use super::{Finished, Followed, plugins_dir};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything that a test waits for may take, on a machine that has much else to do.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How long the processes of a home may take to end after their daemon has.
const END_WITHIN: Duration = Duration::from_secs(10);

/// How long to wait between two looks at a condition.
const LOOK: Duration = Duration::from_millis(5);

/// A home of one's own for the program. When it is dropped its daemon is stopped, whatever became of
/// the test; nothing that was started in it lives on, also where the test itself is killed.
pub struct Home {
    folder: tempfile::TempDir,
    _guard: Guard,
}

impl Home {
    pub fn new() -> Self {
        plugins_dir();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let guard = Guard::over(folder.path(), &attune_home(folder.path()));
        Home {
            folder,
            _guard: guard,
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the program knows as `ATTUNE_HOME`.
    pub fn attune_home(&self) -> PathBuf {
        attune_home(self.path())
    }

    /// The folder of everything that must not be lost.
    pub fn state(&self) -> PathBuf {
        self.attune_home().join("state")
    }

    /// The file whose lock makes a process the daemon of this home.
    pub fn lock_file(&self) -> PathBuf {
        lock_file(&self.attune_home())
    }

    /// Where its daemon listens.
    pub fn socket(&self) -> PathBuf {
        self.attune_home().join("run/attune.sock")
    }

    /// Writes a file into the home and gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("a file in the home");
        path
    }

    /// Writes the configuration of this home's daemons.
    pub fn configure(&self, content: &str) {
        fs::create_dir_all(self.attune_home()).expect("the home's folder");
        let path = self.attune_home().join("config.toml");
        fs::write(path, content).expect("a configuration");
    }

    /// The program with this home, its working folder there. Nothing that the tests were started
    /// with reaches it.
    pub fn attune(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attune"));
        let own = std::env::vars_os().filter(|(name, _)| is_ours(name));
        for (name, _) in own {
            command.env_remove(name);
        }
        command
            .env("ATTUNE_HOME", self.attune_home())
            .current_dir(self.path());
        command
    }

    /// Starts the program, to be waited for.
    pub fn begin<S: AsRef<OsStr>>(&self, args: &[S]) -> Child {
        self.attune()
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Starts the program, and reads what it tells while it runs.
    pub fn follow<S: AsRef<OsStr>>(&self, args: &[S]) -> Followed {
        Followed::start(self.attune().args(args))
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Finished {
        self.follow(args).finish()
    }

    /// What the program printed as JSON, after it went well.
    #[track_caller]
    pub fn json<S: AsRef<OsStr>>(&self, args: &[S]) -> serde_json::Value {
        let out = self.run(args).ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in\n{out}"))
    }

    /// Hands a study to the daemon, which is started if none runs, and gives the study's id.
    #[track_caller]
    pub fn start_detached(&self, study: &str) -> String {
        self.run(&["run", study, "--detach"]).ok().trim().to_owned()
    }

    /// A study as `attune ls` lists it.
    #[track_caller]
    pub fn study(&self, id: &str) -> serde_json::Value {
        self.json(&["ls", id, "--json"])["study"].take()
    }

    /// Waits until a study is in this state.
    #[track_caller]
    pub fn wait_for_state(&self, id: &str, state: &str) {
        let mut last = serde_json::Value::Null;
        let reached = try_for(|| {
            last = self.study(id);
            (last["state"] == state).then_some(())
        });
        assert!(reached.is_some(), "{id} never was {state}; it is\n{last:#}");
    }

    /// The process of the daemon that runs in this home; also of one that is just starting.
    pub fn daemon_pid(&self) -> Option<u32> {
        daemon_of(&self.attune_home())
    }

    /// The processes of the daemon's workers, as it tells them; none where no daemon runs.
    pub fn worker_pids(&self) -> Vec<u32> {
        let told = self.run(&["status", "--json"]);
        let status = serde_json::from_str::<serde_json::Value>(&told.out).unwrap_or_default();
        let workers = status["workers"].as_array().cloned().unwrap_or_default();
        let pids = workers.iter().filter_map(|worker| worker["pid"].as_u64());
        pids.filter_map(|pid| u32::try_from(pid).ok()).collect()
    }

    /// Every process that was started with this home: clients, daemon, workers and probes.
    pub fn processes(&self) -> Vec<u32> {
        processes_of(&self.attune_home())
    }

    /// Ends the daemon as a user would, then whatever still lives. Gives what lived on though it
    /// should not have.
    fn close(&self) -> Vec<u32> {
        if self.daemon_pid().is_some() && !std::thread::panicking() {
            // Where it fails there is something left, which is told.
            let _ = self.attune().args(["daemon", "stop"]).output();
            let end_at = Instant::now() + END_WITHIN;
            while !self.processes().is_empty() && Instant::now() < end_at {
                std::thread::sleep(LOOK);
            }
        }
        let left = self.processes();
        let mut living = left.clone();
        let end_at = Instant::now() + END_WITHIN;
        // Again and again: a daemon may have started a worker meanwhile.
        while !living.is_empty() && Instant::now() < end_at {
            for pid in &living {
                signal(*pid, Signal::KILL);
            }
            std::thread::sleep(LOOK);
            living = self.processes();
        }
        left
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let left = self.close();
        if !left.is_empty() && !std::thread::panicking() {
            panic!("processes {left:?} lived on after the daemon was stopped");
        }
    }
}

fn attune_home(folder: &Path) -> PathBuf {
    folder.join("home")
}

fn lock_file(attune_home: &Path) -> PathBuf {
    attune_home.join("state/daemon.lock")
}

/// The process of the daemon that runs with this folder as its `ATTUNE_HOME`.
pub fn daemon_of(attune_home: &Path) -> Option<u32> {
    let text = fs::read_to_string(lock_file(attune_home)).ok()?;
    let info: serde_json::Value = serde_json::from_str(text.lines().next()?).ok()?;
    let pid = u32::try_from(info["pid"].as_u64()?).ok()?;
    // The file outlives its writer, and its number may be somebody else's by now.
    is_of(pid, attune_home).then_some(pid)
}

/// How many threads a worker has that its trials share their work out to.
pub fn product_threads(worker: u32) -> usize {
    let threads = fs::read_dir(format!("/proc/{worker}/task")).expect("a process");
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("attune-product"))
        .count()
}

/// Every process that was started with this folder as its `ATTUNE_HOME`.
pub fn processes_of(attune_home: &Path) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| is_of(*pid, attune_home))
        .collect()
}

/// Whether a process was started with this folder as its `ATTUNE_HOME`, and lives.
fn is_of(pid: u32, attune_home: &Path) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
        return false;
    };
    let mut own = OsString::from("ATTUNE_HOME=");
    own.push(attune_home);
    let own = own.as_encoded_bytes();
    environment
        .split(|byte| *byte == 0)
        .any(|variable| variable == own)
}

/// Sends a signal to a process, and says whether it reached it: the process may be gone.
pub fn signal(pid: u32, signal: Signal) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process has a positive number"), signal).is_ok()
}

/// Waits until a condition holds; `what` says which, for the one who reads that it never did.
#[track_caller]
pub fn wait_until(mut condition: impl FnMut() -> bool, what: &str) {
    wait_for(|| condition().then_some(()), what);
}

/// Waits until there is something, and gives it.
#[track_caller]
pub fn wait_for<T>(look: impl FnMut() -> Option<T>, what: &str) -> T {
    match try_for(look) {
        Some(found) => found,
        None => panic!("waited {DEADLINE:?} in vain until {what}"),
    }
}

/// Waits until there is something, or nothing for as long as anything may take.
pub fn try_for<T>(look: impl FnMut() -> Option<T>) -> Option<T> {
    try_within(DEADLINE, look)
}

/// Waits until there is something, but no longer than this.
pub fn try_within<T>(deadline: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let give_up_at = Instant::now() + deadline;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > give_up_at {
            return None;
        }
        std::thread::sleep(LOOK);
    }
}

fn is_ours(variable: &OsStr) -> bool {
    variable.as_encoded_bytes().starts_with(b"ATTUNE_")
}
