//! A worker: a process that trains what the daemon leases it, and that may die of it.
//!
//! It has two sides. `comms` speaks with the daemon on the main thread and trains nothing; the
//! training thread (`workshop`) trains and waits for nobody but, where its queue is full, `comms`.
//! Between them lie the `desk` with leases and orders, and a bounded queue of reports. Everything
//! that may be slow or fall over happens on the training thread or on that of the `writer`:
//! `material` reads data, `bench` makes trials, `watched` calls plugins. `flight` writes down what
//! the thread is at, so that the daemon can say what a dead worker died of, and `watchdog` ends a
//! worker that a plugin never gives back. `probe` is a process of its own, for one question.
//!
//! What must not live here: the store, any decision about which trial to train, and any memory of
//! what a worker has done that the daemon does not have too. A worker may be killed at any moment.

pub(crate) mod bench;
mod comms;
mod desk;
pub(crate) mod flight;
mod log;
mod material;
mod pace;
mod preview;
pub(crate) mod probe;
mod process;
mod report;
mod signals;
mod warm;
pub(crate) mod watchdog;
mod watched;
mod workshop;
mod writer;

use crate::cli::WorkerArgs;
use anyhow::Context;
use attune_protocol::work::NewWorker;
use attune_protocol::{Address, Client};
use comms::{Comms, Farewell};
use desk::Desk;
use flight::Recorder;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use watchdog::Limits;
use workshop::Workshop;

/// The exit code of a worker that left because the daemon did not answer or did not know it: that is
/// no fault of what it trained.
pub(crate) const LEFT: i32 = 88;

/// How long a worker that was told to end may take to lay everything down.
const FAREWELL: Duration = Duration::from_secs(5);

/// Works for the daemon until told to end.
pub(crate) fn run(args: &WorkerArgs) -> anyhow::Result<ExitCode> {
    process::end_with_stdin()?;
    process::offer_to_the_oom_killer();
    process::limit_memory(args.memory)?;
    attune_trainer::use_one_thread()?;
    let recorder = Recorder::create(&args.flight).with_context(|| {
        let path = args.flight.display();
        format!("cannot write the flight file {path}; check its folder")
    })?;
    let recorder = Arc::new(recorder);
    let desk = Arc::new(Desk::default());
    let (reporter, reports) = mpsc::channel(report::REPORTS);
    let mut workshop = Workshop::new(
        Arc::clone(&desk),
        Arc::clone(&recorder),
        reporter,
        args.datasets.clone(),
    )?;
    process::vital_thread("attune-training", move || {
        process::step_back();
        workshop.work();
    })?;

    let limits = Limits {
        load: Duration::from_secs_f64(args.load_seconds),
        step: Duration::from_secs_f64(args.step_seconds),
    };
    let client = Client::new(Address::Unix(args.socket.clone()));
    let worker = NewWorker {
        pid: std::process::id(),
        id: Some(args.id),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the worker's connection")?;
    let farewell = runtime.block_on(async {
        let closing = listen_for_signals()?;
        tokio::spawn(watchdog::watch(recorder, limits));
        let hired = Comms::hire(client, worker, desk, reports, closing).await;
        anyhow::Ok(match hired {
            Ok(comms) => comms.run().await,
            Err(farewell) => farewell,
        })
    })?;
    match farewell {
        // Trials are not let go of one by one: that would be the plugins' business.
        Farewell::Told => std::process::exit(0),
        other => {
            say!("worker: {other}");
            std::process::exit(LEFT)
        }
    }
}

/// SIGTERM asks for everything to be laid down. SIGINT is ignored: Ctrl-C in the daemon's terminal
/// reaches its workers too, and is the daemon's business.
fn listen_for_signals() -> anyhow::Result<watch::Receiver<bool>> {
    let (close, closing) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot ignore SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::spawn(async move { while interrupt.recv().await.is_some() {} });
    tokio::spawn(async move {
        terminate.recv().await;
        // Whoever listens is gone only with the process.
        let _ = close.send(true);
        tokio::time::sleep(FAREWELL).await;
        std::process::exit(1);
    });
    Ok(closing)
}
