//! The daemon: owns the store, the queue and the leases, and runs neither plugins nor training.
//!
//! [`boot`] is the start-up story. A request comes in through `routes`; what needs a look at files
//! or plugins is checked at the `reception`; whatever changes something is asked of the `engine`,
//! the one loop that owns every `study` and its trials, writes through the `outbox`, and tells the
//! `hub`. The `staff` are the worker processes, the `catalogue` knows the plugins by asking probes.
//!
//! The same code runs as a process of its own and, with `--embedded`, inside a command.

mod catalogue;
mod checkpoints;
pub(crate) mod config;
mod engine;
mod hub;
mod import;
mod listen;
pub(crate) mod lock;
pub(crate) mod log;
pub(crate) mod machine;
mod metrics;
mod outbox;
mod probe;
mod reception;
mod retention;
mod routes;
mod staff;
mod study;
mod supervisor;
pub(crate) mod trial;

use crate::clock;
use crate::places::Places;
use anyhow::Context;
use attune_protocol::{DaemonStatus, Problem, ProblemCode};
use attune_store::{Batch, OpenReport, Store, StudyState};
use config::Config;
use engine::{Ask, Engine, Limits, Means};
use listen::Door;
use lock::{Info, Lock};
use reception::{Inspections, Paces, Reception};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep};

/// The version of the API.
pub(crate) const PROTOCOL: u32 = 1;

/// How often the daemon looks whether its lock is still its own.
const LOOK: Duration = Duration::from_secs(2);

/// How long the daemon before may take to let go of the store, and how often is looked whether it
/// has.
const LET_GO: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(10);

/// A daemon that answers requests.
pub(crate) struct Daemon {
    lock: Lock,
    is_embedded: bool,
    engine: Engine,
    ended: oneshot::Receiver<anyhow::Result<()>>,
    servers: Vec<tokio::task::JoinHandle<usize>>,
    /// Says to all doors that they close.
    close: watch::Sender<bool>,
}

/// How a daemon is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// On purpose, until it is stopped.
    Service,
    /// By a client that needed one: it ends when it has had nothing to do for a while.
    OnDemand,
    /// Inside a command.
    Embedded,
}

/// Starts the daemon of these places: when this returns, it answers.
///
/// # Errors
/// Another one holds the lock; the store cannot be opened; the socket cannot be made.
pub(crate) async fn boot(places: &Places, config: &Config, life: Life) -> anyhow::Result<Daemon> {
    places.make_for_daemon()?;
    let socket = places.socket();
    let info = Info {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").into(),
        protocol: PROTOCOL,
        socket: socket.clone(),
        embedded: life == Life::Embedded,
        started_unix_ms: clock::unix_ms(),
    };
    let lock = Lock::take(&places.lock(), &info)?;

    let (store, report) = open_store(places).await?;
    if !report.is_clean() {
        tracing::warn!("{report}");
    } else if let Some(torn) = &report.torn {
        tracing::warn!("{torn}");
    }
    let store = Arc::new(store);
    let boot = store.next_boot()?;

    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let folder = socket.parent().map(PathBuf::from).unwrap_or_default();
    let staff = staff::Staff::new(staff::Outfit {
        program: program.clone(),
        socket: socket.clone(),
        folder,
        datasets: places.datasets()?,
        memory: config.worker_memory,
        step_timeout: config.step_timeout,
        load_timeout: config.load_timeout,
    });
    let prober = probe::Prober {
        program,
        memory: config.worker_memory,
        load_within: config.load_timeout,
    };
    let mut catalogue = catalogue::Catalogue::new(
        places.plugin_copies(),
        places.plugin_places(&config.plugins),
        prober,
    );

    let mut restored = Vec::new();
    for (id, record) in store.list_studies()? {
        let goes_on = matches!(
            record.state,
            StudyState::Running | StudyState::Queued | StudyState::Interrupted
        );
        if goes_on && record.plugins.is_empty() {
            // It ran under a version without a daemon, which kept too little to go on from.
            abandon(&store, id, record)?;
        } else if record.state == StudyState::Queued {
            // It begins in the write that lets its creation be acknowledged, which never happened:
            // of a fork not even the trial is there.
            tracing::warn!(study = %id, "a study that was not acknowledged is removed");
            store.apply(Batch::new().delete_study(id))?;
            // What cannot be deleted is cleared away with the folder's next study.
            let _ = std::fs::remove_dir_all(places.checkpoints().join(id.to_string()));
        } else if goes_on {
            restored.push((id, catalogue.builds(&record).await));
        }
    }

    let mut doors = vec![Door::unix(&socket, &lock).await?];
    if let Some(listen) = &config.listen {
        doors.push(Door::tcp(listen).await?);
    }
    // The socket is ours, so whoever wrote these is gone.
    staff.clear_up();
    let listens = doors.iter().skip(1).map(Door::place).collect();
    listen::raise_file_limit();
    let (close, closing) = watch::channel(false);

    let hub = Arc::new(hub::Hub::new());
    let means = Means {
        store: Arc::clone(&store),
        hub: Arc::clone(&hub),
        staff: staff.clone(),
        checkpoints: places.checkpoints(),
        limits: Limits {
            workers: config.workers.map(usize::from),
            cores: machine::cores(),
            threads: config.threads,
            checkpoint_every: config.checkpoint_every,
            checkpoint_budget: config.checkpoint_budget,
            lease_timeout: config.lease_timeout,
            idle_exit: config.idle_exit.filter(|_| life == Life::OnDemand),
        },
        about: about(&info, places, config, listens, &report),
    };
    let copies = places.plugin_copies();
    tokio::spawn(retention::keep_builds(Arc::clone(&store), copies));
    if let Some(keep) = config.retention {
        tokio::spawn(retention::retain(Arc::clone(&store), keep));
    }
    let (sender, ended) = oneshot::channel();
    let engine = Engine::start(means, restored, boot, move |outcome| {
        // The daemon may have given up waiting.
        let _ = sender.send(outcome);
    })?;
    staff.report_to(engine.clone());

    let house = Arc::new(routes::House {
        reception: Reception {
            engine: engine.clone(),
            store: Arc::clone(&store),
            hub: Arc::clone(&hub),
            places: places.clone(),
            catalogue: tokio::sync::Mutex::new(catalogue),
            inspections: Inspections::default(),
            paces: Paces::default(),
        },
        engine: engine.clone(),
        store,
        hub,
        lookout: machine::Lookout::new(&places.state),
        places: places.clone(),
        closing: closing.clone(),
    });
    let router = routes::router(house);
    let servers = doors
        .into_iter()
        .map(|door| {
            let (router, closing) = (router.clone(), closing.clone());
            tokio::spawn(listen::serve(door, router, limits(), closing))
        })
        .collect();
    tracing::info!(pid = info.pid, socket = %socket.display(), "the daemon is ready");
    Ok(Daemon {
        lock,
        is_embedded: info.embedded,
        engine,
        ended,
        servers,
        close,
    })
}

/// Opens the store. As the lock is ours, whoever still has it is the daemon before, on its way out.
async fn open_store(places: &Places) -> anyhow::Result<(Store, OpenReport)> {
    let give_up_at = Instant::now() + LET_GO;
    loop {
        let folder = places.store();
        let opened = tokio::task::spawn_blocking(move || Store::open(folder, "the attune daemon"));
        match opened.await? {
            Err(attune_store::Error::InUse { .. }) if Instant::now() < give_up_at => {
                sleep(AGAIN).await;
            }
            opened => return Ok(opened?),
        }
    }
}

impl Daemon {
    /// Waits until it has ended: because it was told to, or `stop` is ready, or its folder is gone.
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        tokio::pin!(stop);
        let mut look = tokio::time::interval(LOOK);
        let mut is_asked = false;
        let outcome = loop {
            tokio::select! {
                ended = &mut self.ended => {
                    break ended.unwrap_or_else(|_| Err(anyhow::anyhow!("the engine panicked")));
                }
                () = &mut stop, if !is_asked => {
                    is_asked = true;
                    tracing::info!("the daemon was told to stop");
                    let _ = self.engine.tell(Ask::Stop);
                }
                _ = look.tick() => {
                    if !self.lock.is_still_ours() && !is_asked {
                        is_asked = true;
                        tracing::warn!("the lock file is gone, so the daemon ends");
                        let _ = self.engine.tell(Ask::Stop);
                    }
                }
            }
        };
        // Nobody is left to be told.
        let _ = self.close.send(true);
        for server in self.servers {
            let _ = server.await;
        }
        tracing::info!("the daemon has ended");
        // `attune daemon stop` waits for the lock, and who runs it may delete the folder next. The
        // process of an embedded one is its client's.
        if !self.is_embedded {
            self.lock.keep_until_exit();
        }
        outcome
    }
}

/// Looking at plugins and data takes longer than anything else.
fn limits() -> listen::Limits {
    listen::Limits {
        deadline: |path| {
            let is_slow = [
                "/v1/studies",
                "/v1/plugins",
                "/v1/import",
                "/v1/store",
                "/fork",
                "/resume",
            ]
            .iter()
            .any(|slow| path.starts_with(slow) || path.ends_with(slow));
            Duration::from_secs(if is_slow { 900 } else { 60 })
        },
        body: routes::MAX_IMPORT,
        drain: Duration::from_secs(2),
        ..listen::Limits::default()
    }
}

fn abandon(
    store: &Store,
    id: attune_store::StudyId,
    mut record: attune_store::StudyRecord,
) -> anyhow::Result<()> {
    record.state = StudyState::Interrupted;
    store.put_study(id, &record)?;
    for (id, mut trial) in store.list_trials(id)? {
        if trial.state == attune_store::TrialState::Running {
            trial.state = attune_store::TrialState::Lost;
            trial.reason = Some("the process that ran it ended without a word".into());
            store.put_trial(id, &trial)?;
        }
    }
    Ok(())
}

fn about(
    info: &Info,
    places: &Places,
    config: &Config,
    listens: Vec<String>,
    report: &OpenReport,
) -> DaemonStatus {
    DaemonStatus {
        version: info.version.clone(),
        pid: info.pid,
        embedded: info.embedded,
        started_unix_ms: info.started_unix_ms,
        state_dir: places.state.to_string_lossy().into_owned(),
        listens,
        memory_bytes: 0,
        workers: Vec::new(),
        studies: Vec::new(),
        idle: None,
        store_bytes: 0,
        checkpoint_bytes: 0,
        checkpoint_budget_bytes: config.checkpoint_budget,
        warnings: match report.is_clean() {
            true => Vec::new(),
            false => vec![report.to_string()],
        },
        machine: attune_protocol::Machine::default(),
    }
}

pub(crate) use listen::make_credentials;

fn invalid(error: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemCode::Invalid, format!("{error:#}"))
}

fn not_found(error: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemCode::NotFound, error)
}

fn conflict(error: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemCode::Conflict, error)
}

fn unavailable(error: impl std::fmt::Display) -> Problem {
    Problem::new(ProblemCode::Unavailable, error)
}

fn internal(error: &anyhow::Error) -> Problem {
    tracing::error!(error = format!("{error:#}"), "a request failed");
    Problem::new(ProblemCode::Internal, format!("{error:#}"))
}
