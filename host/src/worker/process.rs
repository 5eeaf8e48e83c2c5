//! What a worker asks of the system for itself.

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// How far training steps back, as `nice` counts it.
const NICENESS: i32 = 10;

/// Where memory runs out, a worker is to be killed sooner than the daemon: what it does can be done
/// again.
const OOM_SCORE: &str = "500";

/// Starts a thread without which a worker is no worker: when it ends, which only a mistake of ours
/// makes it do, the process ends too, and the daemon starts another one.
pub(crate) fn vital_thread(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(|| {
            // The panic was told where it happened.
            let _ = catch_unwind(AssertUnwindSafe(work));
            std::process::exit(1);
        })
        .with_context(|| format!("cannot start the thread {name}"))?;
    Ok(())
}

/// Lets everybody else go first from here on, on this thread: where all cores train, the daemon and
/// the screens that people look at need little, but soon.
pub(crate) fn step_back() {
    // Where that is not allowed they wait a little longer.
    let _ = rustix::process::nice(NICENESS);
}

/// Ends the process when its stdin ends: the daemon holds the other end of it and so need not live
/// to end its workers.
pub(crate) fn end_with_stdin() -> anyhow::Result<()> {
    vital_thread("attune-leash", || {
        let mut ignored = [0; 64];
        loop {
            match std::io::stdin().read(&mut ignored) {
                Ok(0) => std::process::exit(0),
                Err(error) if error.kind() != ErrorKind::Interrupted => std::process::exit(0),
                _ => {}
            }
        }
    })
}

/// Raises the chance to be the one that is killed. Where the system does not allow that, or knows no
/// such thing, all processes are alike.
pub(crate) fn offer_to_the_oom_killer() {
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
}

/// The most memory that can be written to, in bytes, where that is limited.
pub(crate) fn most_memory() -> Option<u64> {
    getrlimit(Resource::Data).current
}

/// Limits the memory that can be written to, in bytes.
pub(crate) fn limit_memory(bytes: Option<u64>) -> anyhow::Result<()> {
    let Some(bytes) = bytes else {
        return Ok(());
    };
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    setrlimit(Resource::Data, limit)
        .with_context(|| format!("cannot limit the memory to {bytes} bytes; check `--memory`"))
}
