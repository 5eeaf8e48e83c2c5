//! The daemon's worker processes: what they are started with, and how their ends are understood.
//!
//! A worker writes down what it does in a flight file, which outlives it: so a death is told with
//! the plugin, the call and the step that it happened in.

use super::engine::{Ask, Engine};
use super::supervisor::{Exit, Exited, Launch, Supervisor, gist};
use crate::worker::LEFT;
use crate::worker::bench::TOO_MANY_LIBRARIES;
use crate::worker::flight::{self, Call, Doing, Flight};
use crate::worker::watchdog::HUNG;
use anyhow::Context;
use attune_protocol::work::LeaseId;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// How long a worker has to end once it was told to.
const END_WITHIN: Duration = Duration::from_secs(5);

/// What a process says whose memory is at its limit, before it gives up.
const OUT_OF_MEMORY: &str = "memory allocation of ";

/// Ends of workers that wait to be understood.
const ENDS: usize = 64;

/// A flight file's name, around its worker's number.
const FLIGHT_PREFIX: &str = "worker-";
const FLIGHT_SUFFIX: &str = ".flight";

/// How a worker ended.
pub(super) struct Gone {
    pub(super) id: u64,
    /// In a sentence.
    pub(super) how: String,
    /// The lease that it was working on.
    pub(super) culprit: Option<LeaseId>,
    /// The library whose code it was in.
    pub(super) library: Option<Culprit>,
}

/// A library that a worker died in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Culprit {
    pub(super) hash: String,
    pub(super) path: String,
}

/// Everything that a worker is started with.
#[derive(Debug, Clone)]
pub(super) struct Outfit {
    pub(super) program: PathBuf,
    pub(super) socket: PathBuf,
    /// Where flight files lie.
    pub(super) folder: PathBuf,
    /// Where workers share datasets.
    pub(super) datasets: PathBuf,
    pub(super) memory: u64,
    pub(super) step_timeout: Duration,
    pub(super) load_timeout: Duration,
}

/// The workers that this daemon has started.
#[derive(Clone)]
pub(super) struct Staff {
    outfit: Arc<Outfit>,
    runtime: Handle,
    engine: Arc<OnceLock<Engine>>,
    hands: Arc<Mutex<Hands>>,
}

struct Hands {
    supervisor: Supervisor,
    /// The supervisor's number of each worker, by ours.
    children: BTreeMap<u64, u64>,
}

impl Staff {
    /// Nobody yet. Must be called inside the runtime that is to watch them.
    pub(super) fn new(outfit: Outfit) -> Self {
        let (sender, mut ends) = mpsc::channel(ENDS);
        let staff = Staff {
            outfit: Arc::new(outfit),
            runtime: Handle::current(),
            engine: Arc::default(),
            hands: Arc::new(Mutex::new(Hands {
                supervisor: Supervisor::new(sender),
                children: BTreeMap::new(),
            })),
        };
        let watching = staff.clone();
        staff.runtime.spawn(async move {
            while let Some(exited) = ends.recv().await {
                watching.ended(exited).await;
            }
        });
        staff
    }

    /// Removes the flight files that the workers of an earlier daemon left, which did not live to.
    pub(super) fn clear_up(&self) {
        let entries = std::fs::read_dir(&self.outfit.folder);
        for entry in entries.into_iter().flatten().flatten() {
            if is_flight_file(&entry.file_name()) {
                // What cannot be removed costs some hundred bytes.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Whom to tell how workers end.
    pub(super) fn report_to(&self, engine: Engine) {
        // Set once, right after the engine is made.
        let _ = self.engine.set(engine);
    }

    /// Starts a worker.
    pub(super) fn start(&self, id: u64) -> anyhow::Result<()> {
        let outfit = &self.outfit;
        let seconds = |duration: Duration| duration.as_secs_f64().to_string();
        let args: [OsString; 15] = [
            "worker".into(),
            "--socket".into(),
            outfit.socket.clone().into(),
            "--id".into(),
            id.to_string().into(),
            "--box".into(),
            self.recorder(id).into(),
            "--datasets".into(),
            outfit.datasets.clone().into(),
            "--memory".into(),
            outfit.memory.to_string().into(),
            "--step-seconds".into(),
            seconds(outfit.step_timeout).into(),
            "--load-seconds".into(),
            seconds(outfit.load_timeout).into(),
        ];
        let launch = Launch {
            program: outfit.program.clone(),
            args: args.into(),
            variables: one_arena(),
        };
        // The engine is a thread of its own, and watching a process needs the runtime.
        let _entered = self.runtime.enter();
        let mut hands = self.hands();
        let started = hands
            .supervisor
            .start(&launch)
            .with_context(|| format!("cannot start {}", outfit.program.display()))?;
        hands.children.insert(id, started.id);
        Ok(())
    }

    /// Ends a worker at once.
    pub(super) fn kill(&self, id: u64) {
        let hands = self.hands();
        if let Some(child) = hands.children.get(&id) {
            hands.supervisor.kill(*child);
        }
    }

    /// Lets a worker end that has nothing to do.
    pub(super) fn close(&self, id: u64) {
        let hands = self.hands();
        if let Some(child) = hands.children.get(&id) {
            hands.supervisor.close(*child, END_WITHIN);
        }
    }

    /// The memory that a worker takes, in bytes.
    pub(super) fn memory(&self, id: u64) -> Option<u64> {
        let hands = self.hands();
        hands.supervisor.memory(*hands.children.get(&id)?)
    }

    /// What a worker does now, in words.
    pub(super) fn doing(&self, id: u64) -> String {
        match flight::read(&self.recorder(id)) {
            Some(flight) => flight.to_string(),
            None => "unknown".into(),
        }
    }

    /// Understands how a worker ended, and tells the engine.
    async fn ended(&self, exited: Exited) {
        let id = {
            let mut hands = self.hands();
            let found = hands
                .children
                .iter()
                .find(|(_, child)| **child == exited.id);
            let Some(id) = found.map(|(id, _)| *id) else {
                return;
            };
            hands.children.remove(&id);
            id
        };
        let recorder = self.recorder(id);
        let gone = explain(id, &exited, flight::read(&recorder), &self.outfit);
        // It is of no use to anybody else.
        let _ = std::fs::remove_file(&recorder);
        if let Some(engine) = self.engine.get().cloned() {
            // The queue may be full for a moment; nobody else tells of this.
            let told = tokio::task::spawn_blocking(move || engine.tell_surely(Ask::Gone(gone)));
            if let Err(error) = told.await {
                tracing::error!(%error, "the end of a worker could not be told");
            }
        }
    }

    fn recorder(&self, id: u64) -> PathBuf {
        let name = format!("{FLIGHT_PREFIX}{id}{FLIGHT_SUFFIX}");
        self.outfit.folder.join(name)
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        // Nothing that can panic is done while it is held.
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has glibc keep one heap for all threads of a worker, where nobody says otherwise: a trial asks for
/// memory where it begins and no more, and with a heap for each thread what one has freed is lost to the
/// others.
fn one_arena() -> Vec<(OsString, OsString)> {
    const NAME: &str = "MALLOC_ARENA_MAX";
    match std::env::var_os(NAME) {
        Some(_) => Vec::new(),
        None => vec![(NAME.into(), "1".into())],
    }
}

fn is_flight_file(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let rest = name.strip_prefix(FLIGHT_PREFIX);
    let id = rest.and_then(|rest| rest.strip_suffix(FLIGHT_SUFFIX));
    id.is_some_and(|id| id.parse::<u64>().is_ok())
}

fn explain(id: u64, exited: &Exited, flight: Option<Flight>, outfit: &Outfit) -> Gone {
    let said = gist(&exited.last_words);
    let is_out_of_memory = said.is_some_and(|said| said.starts_with(OUT_OF_MEMORY));
    let mut how = match exited.how {
        Exit::Code(HUNG) => match flight.as_ref().map(|flight| flight.doing) {
            Some(Doing::Plugin(Call::Open | Call::Configure)) => format!(
                "it hung for longer than the {} s of `load_timeout`",
                outfit.load_timeout.as_secs_f64()
            ),
            _ => format!(
                "it hung for longer than the {} s of `step_timeout`",
                outfit.step_timeout.as_secs_f64()
            ),
        },
        Exit::Code(LEFT) => "it left, since it could not reach the daemon".to_owned(),
        Exit::Signal(_) if is_out_of_memory => format!(
            "it needed more memory than the {} MiB of `worker_memory`",
            outfit.memory >> 20
        ),
        exit => format!("it ended with {exit}"),
    };
    let is_explained = exited.how == Exit::Code(HUNG) || is_out_of_memory;
    let mut gone = Gone {
        id,
        how: String::new(),
        culprit: None,
        library: None,
    };
    // Who leaves by itself does not die of what it trains.
    let left = matches!(exited.how, Exit::Code(LEFT | TOO_MANY_LIBRARIES));
    if let Some(mut flight) = flight.filter(|_| !left) {
        // How long it hung was said.
        flight.hung = false;
        how.push_str(&format!(", {flight}"));
        if let Doing::Plugin(call) = flight.doing {
            // What maps a library is told with its path.
            if call != Call::Open {
                how.push_str(&format!(", of the plugin {}", flight.subject.library));
            }
            gone.library = Some(Culprit {
                hash: flight.subject.hash.clone(),
                path: flight.subject.library.clone(),
            });
        }
        gone.culprit = Some(LeaseId {
            trial: flight.subject.trial.clone(),
            attempt: flight.subject.attempt,
        });
    }
    if let Some(said) = said.filter(|_| !is_explained) {
        how.push_str(&format!("; the last that it said: {said}"));
    }
    gone.how = how;
    gone
}
