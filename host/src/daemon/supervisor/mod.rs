//! Starts worker processes, watches them and says how they ended.
//!
//! A child holds the other end of a pipe as its standard input: when the daemon ends, however it
//! ends, the pipe does, and the child is expected to. Each child has a process group of its own, so
//! that Ctrl-C at a terminal reaches the daemon alone, which then ends its workers in good order.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// How much of what a child said last is kept, in bytes.
const TAIL: usize = 16 << 10;

/// The longest line of a child that the log takes, in bytes, and how many of them in a second.
const MAX_LINE: usize = 2048;
const LINES_PER_SECOND: u32 = 100;

/// How long the last words of a child are waited for: a child of its own may hold its output open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What to start.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    /// Added to this process's own.
    pub(crate) variables: Vec<(OsString, OsString)>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    /// The number of the signal that ended it.
    Signal(i32),
}

/// A child is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exited {
    pub(crate) id: u64,
    pub(crate) pid: u32,
    pub(crate) how: Exit,
    /// Whether it was told to end, by [`Supervisor::kill`] or [`Supervisor::close`].
    pub(crate) was_told: bool,
    /// The last it wrote to its output and error output, at most sixteen kilobytes.
    pub(crate) last_words: String,
}

/// A child that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Started {
    /// Its number with this supervisor, never used twice.
    pub(crate) id: u64,
    pub(crate) pid: u32,
}

/// Starts children and watches them; its children end with it.
#[derive(Debug)]
pub(crate) struct Supervisor {
    exits: mpsc::Sender<Exited>,
    last_id: u64,
    children: Children,
}

type Children = Arc<Mutex<BTreeMap<u64, Running>>>;

#[derive(Debug)]
struct Running {
    pid: u32,
    order: watch::Sender<Order>,
}

/// What a child is to do. It only becomes harder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Run,
    Close { grace: Duration },
    Kill,
}

/// Why [`run_once`] has nothing to give.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OnceError {
    #[error("cannot start {}: {why}; check that it is there and may be run", program.display())]
    Start { program: PathBuf, why: io::Error },
    #[error("it ended with {how}{}", after(last_words))]
    Ended { how: Exit, last_words: String },
    #[error("it took longer than {} s{}", deadline.as_secs_f64(), after(last_words))]
    TimedOut {
        deadline: Duration,
        last_words: String,
    },
    #[error("it wrote more than {cap} bytes")]
    TooLong { cap: usize },
    #[error("cannot speak with it: {0}")]
    Pipe(io::Error),
}

impl Supervisor {
    /// Tells of every child's end through `exits`. A receiver that does not keep up delays that, and
    /// nothing else.
    pub(crate) fn new(exits: mpsc::Sender<Exited>) -> Self {
        Supervisor {
            exits,
            last_id: 0,
            children: Children::default(),
        }
    }

    /// Starts a child. Must be called inside the runtime that is to watch it.
    ///
    /// # Errors
    /// Where the system cannot start it.
    pub(crate) fn start(&mut self, launch: &Launch) -> io::Result<Started> {
        let mut child = command(launch).spawn()?;
        let pid = child.id().ok_or(io::ErrorKind::NotFound)?;
        self.last_id += 1;
        let id = self.last_id;
        let (order, orders) = watch::channel(Order::Run);
        let tail = Arc::new(Mutex::new(Tail::default()));
        let readers = [
            listen(child.stdout.take(), id, tail.clone()),
            listen(child.stderr.take(), id, tail.clone()),
        ];
        lock(&self.children).insert(id, Running { pid, order });
        let (children, exits) = (self.children.clone(), self.exits.clone());
        tokio::spawn(async move {
            let (status, was_told) = attend(child, orders).await;
            lock(&children).remove(&id);
            hear_out(readers).await;
            let last_words = lock(&tail).text();
            let how = Exit::of(status);
            tracing::info!(worker = id, pid, %how, was_told, "a worker ended");
            let exited = Exited {
                id,
                pid,
                how,
                was_told,
                last_words,
            };
            // With nobody left to tell, the daemon is on its way out.
            let _ = exits.send(exited).await;
        });
        Ok(Started { id, pid })
    }

    /// Kills a child, its own children among it. False where it has ended already.
    pub(crate) fn kill(&self, id: u64) -> bool {
        self.order(id, Order::Kill)
    }

    /// Asks a child to end: first by the end of its input, after half of `grace` by SIGTERM, after
    /// all of it by SIGKILL. False where it has ended already.
    pub(crate) fn close(&self, id: u64, grace: Duration) -> bool {
        self.order(id, Order::Close { grace })
    }

    /// The children that run.
    #[cfg(test)]
    pub(crate) fn running(&self) -> Vec<Started> {
        let children = lock(&self.children);
        let started = children.iter().map(|(id, child)| Started {
            id: *id,
            pid: child.pid,
        });
        started.collect()
    }

    /// The memory that a running child takes, in bytes.
    pub(crate) fn memory(&self, id: u64) -> Option<u64> {
        // Held while it is looked up: the number of a process that ended can become another's.
        let children = lock(&self.children);
        memory(children.get(&id)?.pid)
    }

    fn order(&self, id: u64, order: Order) -> bool {
        let children = lock(&self.children);
        let Some(child) = children.get(&id) else {
            return false;
        };
        child.order.send_if_modified(|standing| {
            let harder = *standing == Order::Run || order == Order::Kill;
            if harder {
                *standing = order;
            }
            harder
        });
        true
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // With nobody left to give orders, every child is killed.
        lock(&self.children).clear();
    }
}

/// Runs a program to its end: writes `input` to it, and returns what it writes to its output.
/// Whatever goes wrong, it is no more when this returns.
///
/// # Errors
/// Where it cannot be started, ends with anything but code 0, takes longer than `deadline`, or writes
/// more than `cap` bytes.
pub(crate) async fn run_once(
    launch: &Launch,
    input: &[u8],
    deadline: Duration,
    cap: usize,
) -> Result<Vec<u8>, OnceError> {
    let end = Instant::now() + deadline;
    let mut child = command(launch).spawn().map_err(|why| OnceError::Start {
        program: launch.program.clone(),
        why,
    })?;
    let group = pid(&child);
    let tail = Arc::new(Mutex::new(Tail::default()));
    let listener = listen(child.stderr.take(), 0, tail.clone());
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let write = async {
        match stdin {
            // A program need not read all that it is given.
            Some(mut stdin) => match stdin.write_all(input).await {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
                _ => Ok(()),
            },
            None => Ok(()),
        }
    };
    let read = async {
        let mut output = Vec::new();
        if let Some(stdout) = stdout {
            let limit = (cap as u64).saturating_add(1);
            stdout.take(limit).read_to_end(&mut output).await?;
        }
        Ok(output)
    };
    let talk = async {
        let ((), output) = tokio::try_join!(write, read).map_err(OnceError::Pipe)?;
        if output.len() > cap {
            return Err(OnceError::TooLong { cap });
        }
        let status = child.wait().await.map_err(OnceError::Pipe)?;
        Ok((output, Exit::of(status)))
    };
    let talked = timeout_at(end, talk).await;
    kill_all(group);
    // At once where it has ended already.
    let _ = child.wait().await;
    hear_out([listener]).await;
    let last_words = || lock(&tail).text();
    match talked {
        Ok(Ok((output, Exit::Code(0)))) => Ok(output),
        Ok(Ok((_, how))) => Err(OnceError::Ended {
            how,
            last_words: last_words(),
        }),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(OnceError::TimedOut {
            deadline,
            last_words: last_words(),
        }),
    }
}

/// The memory that a process takes, in bytes; none where there is no such process.
pub(crate) fn memory(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

impl Exit {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            // Only a process that has ended is waited for, and it has one or the other.
            (None, None) => Exit::Code(-1),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(number) => match signal(number) {
                Some((name, meaning)) => write!(f, "{name} ({meaning})"),
                None => write!(f, "signal {number}"),
            },
        }
    }
}

/// A signal's name, and what it says of the process that it ended.
fn signal(number: i32) -> Option<(&'static str, &'static str)> {
    const KNOWN: &[(Signal, &str, &str)] = &[
        (
            Signal::ABORT,
            "SIGABRT",
            "it gave up, as C code does after a failed check",
        ),
        (Signal::ALARM, "SIGALRM", "a timer of its own"),
        (
            Signal::BUS,
            "SIGBUS",
            "memory that is not there, as of a file cut short",
        ),
        (
            Signal::FPE,
            "SIGFPE",
            "an impossible calculation, as a division by zero",
        ),
        (Signal::HUP, "SIGHUP", "its terminal is gone"),
        (
            Signal::ILL,
            "SIGILL",
            "an instruction that this processor does not know",
        ),
        (Signal::INT, "SIGINT", "interrupted"),
        (Signal::KILL, "SIGKILL", "killed, perhaps out of memory"),
        (Signal::PIPE, "SIGPIPE", "nobody read what it wrote"),
        (Signal::QUIT, "SIGQUIT", "told to quit"),
        (Signal::SEGV, "SIGSEGV", "memory that is not its own"),
        (Signal::SYS, "SIGSYS", "a call that the system forbids"),
        (Signal::TERM, "SIGTERM", "told to end"),
        (Signal::TRAP, "SIGTRAP", "a trap"),
        (
            Signal::XCPU,
            "SIGXCPU",
            "more processor time than it may have",
        ),
        (Signal::XFSZ, "SIGXFSZ", "a file larger than it may write"),
    ];
    let known = KNOWN.iter().find(|(signal, ..)| signal.as_raw() == number);
    known.map(|(_, name, meaning)| (*name, *meaning))
}

fn after(last_words: &str) -> String {
    match gist(last_words) {
        None => String::new(),
        Some(said) => format!("; its last words: {said}"),
    }
}

/// The last line that a process wrote for people: what looks like a backtrace, which it adds where
/// its environment asks for one, is left out.
pub(crate) fn gist(last_words: &str) -> Option<&str> {
    last_words.lines().map(str::trim_end).rfind(|line| {
        !line.is_empty()
            && !line.starts_with(char::is_whitespace)
            && !line.starts_with("stack backtrace:")
            && !line.starts_with("note: ")
            && !line.starts_with("skipping backtrace printing")
    })
}

fn command(launch: &Launch) -> Command {
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.args)
        .envs(launch.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Waits for a child's end, and carries out what is ordered meanwhile. Tells whether it was told to
/// end.
async fn attend(mut child: Child, mut orders: watch::Receiver<Order>) -> (ExitStatus, bool) {
    // Waiting for a child would close it.
    let mut stdin = child.stdin.take();
    let group = pid(&child);
    let mut told = false;
    let mut steps = VecDeque::new();
    let ended = loop {
        let step = steps.front().copied();
        let due = async {
            match step {
                Some((at, signal)) => {
                    sleep_until(at).await;
                    signal
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = child.wait() => break ended,
            changed = orders.changed(), if !told || !steps.is_empty() => {
                told = true;
                let now = Instant::now();
                match *orders.borrow_and_update() {
                    Order::Close { grace } if changed.is_ok() => {
                        drop(stdin.take());
                        steps = VecDeque::from([
                            (now + grace / 2, Signal::TERM),
                            (now + grace, Signal::KILL),
                        ]);
                    }
                    _ => {
                        kill_all(group);
                        steps.clear();
                    }
                }
            }
            signal = due => {
                steps.pop_front();
                match group {
                    Some(pid) if signal == Signal::TERM => {
                        // One that ends at this moment needs no signal.
                        let _ = kill_process(pid, signal);
                    }
                    group => kill_all(group),
                }
            }
        }
    };
    // What it leaves behind in its group must not stay. The system gives numbers out in turn, so
    // that of a process which ended just now is nobody else's.
    kill_all(group);
    let status = ended.unwrap_or_else(|error| {
        tracing::error!(%error, "a worker was lost sight of");
        ExitStatus::default()
    });
    (status, told)
}

/// A child's number, which is that of its group too; none once it was waited for.
fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?))
}

/// Kills a process with all that it has started in its group.
fn kill_all(group: Option<Pid>) {
    if let Some(group) = group {
        // Where nothing is left of it, there is nothing to do.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Reads what a child writes, to its end: into the log, and the last of it into `tail`.
fn listen(
    output: Option<impl AsyncRead + Send + Unpin + 'static>,
    worker: u64,
    tail: Arc<Mutex<Tail>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let Some(mut output) = output else { return };
        let mut block = [0; 4096];
        let mut lines = Lines::default();
        while let Ok(length @ 1..) = output.read(&mut block).await {
            lock(&tail).push(&block[..length]);
            lines.push(&block[..length], Instant::now(), |line| {
                tracing::info!(worker, "{line:?}");
            });
        }
        lines.end(|line| tracing::info!(worker, "{line:?}"));
    })
}

async fn hear_out<const N: usize>(listeners: [JoinHandle<()>; N]) {
    let deadline = Instant::now() + LAST_WORDS;
    for mut listener in listeners {
        let heard = timeout(deadline - Instant::now(), &mut listener).await;
        if heard.is_err() {
            listener.abort();
        }
    }
}

/// The last that somebody said.
#[derive(Debug, Default)]
struct Tail(VecDeque<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL)..];
        let over = (self.0.len() + bytes.len()).saturating_sub(TAIL);
        self.0.drain(..over);
        self.0.extend(bytes);
    }

    fn text(&mut self) -> String {
        let bytes: &[u8] = self.0.make_contiguous();
        // Cut in the middle of a character, it starts with the next one.
        let start = bytes.iter().take(3).take_while(|b| **b & 0xc0 == 0x80);
        let start = if bytes.len() == TAIL {
            start.count()
        } else {
            0
        };
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }
}

/// Bytes cut into lines for the log, which must not be flooded.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
    /// The rest of a line that is too long is left out.
    full: bool,
    second: Option<Instant>,
    told: u32,
}

impl Lines {
    fn push(&mut self, bytes: &[u8], now: Instant, mut tell: impl FnMut(&str)) {
        for byte in bytes {
            match byte {
                b'\n' => self.tell(now, &mut tell),
                _ if self.line.len() < MAX_LINE => self.line.push(*byte),
                _ => self.full = true,
            }
        }
    }

    fn end(mut self, tell: impl FnMut(&str)) {
        if !self.line.is_empty() {
            self.tell(Instant::now(), tell);
        }
    }

    fn tell(&mut self, now: Instant, mut tell: impl FnMut(&str)) {
        let same = |start: Instant| now.duration_since(start) < Duration::from_secs(1);
        if !self.second.is_some_and(same) {
            self.second = Some(now);
            self.told = 0;
        }
        self.told = self.told.saturating_add(1);
        if self.told <= LINES_PER_SECOND {
            let line = String::from_utf8_lossy(&self.line);
            let more = if self.full { " …" } else { "" };
            tell(&format!("{line}{more}"));
        } else if self.told == LINES_PER_SECOND + 1 {
            tell("more lines in this second are left out");
        }
        self.line.clear();
        self.full = false;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
