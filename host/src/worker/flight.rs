//! The flight recorder: a small file that says what a worker's training thread is doing, so that
//! whoever finds the process dead can say what killed it.
//!
//! The file is overwritten in place and never synced: it must survive the process, not the machine.
//! A head says which trial and which scheduler, and is written when they change. In front of it
//! stands a line of a few bytes, written at each call into a plugin and after it.

use crate::clock;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The first bytes of a flight file; the last one is the version of its form.
const MAGIC: [u8; 8] = *b"ATFLIGH\x01";
/// Where the line begins, and how long it is: what, call, hung, unused, step, time.
const LINE_AT: usize = 8;
const LINE_BYTES: usize = 24;
/// Where the head begins: its length in four bytes, and JSON.
const HEAD_AT: usize = LINE_AT + LINE_BYTES;
const HEAD_BYTES: usize = 4;
/// No head is longer.
const MAX_HEAD: usize = 16 << 10;
/// Names and paths in a head are cut to so many characters, each of up to six bytes in JSON.
const MAX_CHARS: usize = 512;

/// What a worker was doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flight {
    /// What.
    pub(crate) doing: Doing,
    /// With what.
    pub(crate) subject: Subject,
    /// Steps that the trial had made.
    pub(crate) step: u64,
    /// Since when, in milliseconds since 1970.
    pub(crate) since_unix_ms: u64,
    /// Whether the worker ended itself because the call took longer than it may.
    pub(crate) hung: bool,
}

/// What a training thread can be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Nothing.
    Idle,
    /// Preparing data, making a trial or reading its checkpoint.
    Building,
    /// Training, outside of any plugin.
    Training,
    /// In a plugin's code.
    Plugin(Call),
}

/// A call into a plugin's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Its library is mapped and asked what it holds.
    Open,
    /// A scheduler is made.
    Configure,
    /// It fixes a step's rates.
    Step,
    /// It is told the metric.
    Metric,
    /// It writes down its state.
    Save,
    /// It takes its state back.
    Load,
    /// It is let go.
    Drop,
}

/// What is worked on. Empty where there is nothing of the kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// The trial, such as `s1.3`.
    pub(crate) trial: String,
    /// Its attempt.
    pub(crate) attempt: u64,
    /// The scheduler at its wheel.
    pub(crate) scheduler: String,
    /// The library of that scheduler, as it was found.
    pub(crate) library: String,
    /// The hash of that library.
    pub(crate) hash: String,
}

/// Writes a flight file, and holds its twin in memory.
#[derive(Debug)]
pub(crate) struct Recorder {
    file: File,
    /// The head that stands in the file.
    head: Mutex<Subject>,
    /// The call in progress: its number, counted from 1, and which one in the lowest byte; 0 where
    /// none is.
    call: AtomicU64,
    calls: AtomicU64,
    step: AtomicU64,
}

/// Reads a flight file; nothing where there is none or it is something else.
pub(crate) fn read(path: &Path) -> Option<Flight> {
    let mut bytes = Vec::new();
    let most = (HEAD_AT + HEAD_BYTES + MAX_HEAD) as u64;
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .ok()?;
    decode(&bytes)
}

impl Recorder {
    /// Makes the file anew, with nothing being done.
    pub(crate) fn create(path: &Path) -> std::io::Result<Self> {
        let recorder = Recorder {
            file: File::create(path)?,
            head: Mutex::default(),
            call: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            step: AtomicU64::new(0),
        };
        recorder.write_all(Doing::Idle, &Subject::default())?;
        Ok(recorder)
    }

    /// Something begins that is no call into a plugin, after so many steps.
    pub(crate) fn begin(&self, doing: Doing, subject: &Subject, step: u64) {
        self.step.store(step, Ordering::Relaxed);
        self.call.store(0, Ordering::Relaxed);
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if *head == *subject {
            self.write_line(doing);
        } else {
            head.clone_from(subject);
            // A worker whose last words cannot be written still works.
            let _ = self.write_all(doing, subject);
        }
    }

    /// So many steps were made. Nothing is written: the next call says it.
    pub(crate) fn at(&self, step: u64) {
        self.step.store(step, Ordering::Relaxed);
    }

    /// Steps made, as far as it was told.
    pub(crate) fn step(&self) -> u64 {
        self.step.load(Ordering::Relaxed)
    }

    /// The thread enters a plugin, and leaves it when the value is dropped, be it by a panic. It is
    /// then doing `after`, with the same subject.
    pub(crate) fn enter(&self, call: Call, after: Doing) -> Inside<'_> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        self.call
            .store((number << 8) | u64::from(call.code()), Ordering::Relaxed);
        self.write_line(Doing::Plugin(call));
        Inside {
            recorder: self,
            after,
        }
    }

    /// The call in progress: its number and which one it is.
    pub(crate) fn in_call(&self) -> Option<(u64, Call)> {
        let call = self.call.load(Ordering::Relaxed);
        Some((call >> 8, Call::of(call as u8)?))
    }

    /// Writes down that the call in progress takes longer than it may. The thread is in it, so that
    /// nobody else writes.
    pub(crate) fn hung(&self) {
        let _ = self.file.write_all_at(&[1], (LINE_AT + 2) as u64);
    }

    fn write_line(&self, doing: Doing) {
        let _ = self.file.write_all_at(&self.line(doing), LINE_AT as u64);
    }

    fn write_all(&self, doing: Doing, subject: &Subject) -> std::io::Result<()> {
        let json = subject.to_json();
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.line(doing));
        bytes.extend_from_slice(&(json.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&json);
        self.file.write_all_at(&bytes, 0)
    }

    fn line(&self, doing: Doing) -> [u8; LINE_BYTES] {
        let (what, call) = match doing {
            Doing::Idle => (0, 0),
            Doing::Building => (1, 0),
            Doing::Training => (2, 0),
            Doing::Plugin(call) => (3, call.code()),
        };
        let mut line = [0; LINE_BYTES];
        line[0] = what;
        line[1] = call;
        line[8..16].copy_from_slice(&self.step().to_le_bytes());
        line[16..24].copy_from_slice(&clock::unix_ms().to_le_bytes());
        line
    }
}

/// A thread inside a plugin.
#[derive(Debug)]
pub(crate) struct Inside<'r> {
    recorder: &'r Recorder,
    after: Doing,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.recorder.call.store(0, Ordering::Relaxed);
        self.recorder.write_line(self.after);
    }
}

impl Call {
    const ALL: [Call; 7] = [
        Call::Open,
        Call::Configure,
        Call::Step,
        Call::Metric,
        Call::Save,
        Call::Load,
        Call::Drop,
    ];

    /// As its authors know it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Call::Open => "open",
            Call::Configure => "configure",
            Call::Step => "step",
            Call::Metric => "metric",
            Call::Save => "save",
            Call::Load => "load",
            Call::Drop => "drop",
        }
    }

    fn code(self) -> u8 {
        match self {
            Call::Open => 1,
            Call::Configure => 2,
            Call::Step => 3,
            Call::Metric => 4,
            Call::Save => 5,
            Call::Load => 6,
            Call::Drop => 7,
        }
    }

    fn of(code: u8) -> Option<Self> {
        Call::ALL.into_iter().find(|call| call.code() == code)
    }
}

impl Subject {
    fn to_json(&self) -> Vec<u8> {
        let cut = |text: &str| text.chars().take(MAX_CHARS).collect::<String>();
        let cut = Subject {
            trial: cut(&self.trial),
            attempt: self.attempt,
            scheduler: cut(&self.scheduler),
            library: cut(&self.library),
            hash: cut(&self.hash),
        };
        serde_json::to_vec(&cut).unwrap_or_default()
    }
}

impl fmt::Display for Flight {
    /// Such as: inside `step` of scheduler `misbehave` at step 17 of s1.3.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Subject {
            trial,
            scheduler,
            library,
            ..
        } = &self.subject;
        match self.doing {
            Doing::Idle => f.write_str("idle"),
            Doing::Building => write!(f, "preparing {trial}"),
            Doing::Training => write!(f, "training {trial} at about step {}", self.step),
            Doing::Plugin(call) => {
                f.write_str(if self.hung { "hanging " } else { "" })?;
                write!(f, "inside `{}` of ", call.name())?;
                match call {
                    Call::Open => write!(f, "the library {library}, for {trial}"),
                    Call::Configure => write!(f, "scheduler `{scheduler}` for {trial}"),
                    _ => write!(
                        f,
                        "scheduler `{scheduler}` at step {} of {trial}",
                        self.step
                    ),
                }
            }
        }
    }
}

fn decode(bytes: &[u8]) -> Option<Flight> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    let (line, rest) = rest.split_at_checked(LINE_BYTES)?;
    let (length, rest) = rest.split_first_chunk::<HEAD_BYTES>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let subject = serde_json::from_slice(rest.get(..length)?).ok()?;
    let (what, call) = (line[0], line[1]);
    let doing = match what {
        0 => Doing::Idle,
        1 => Doing::Building,
        2 => Doing::Training,
        3 => Doing::Plugin(Call::of(call)?),
        _ => return None,
    };
    Some(Flight {
        doing,
        subject,
        step: u64::from_le_bytes(*line.get(8..)?.first_chunk()?),
        since_unix_ms: u64::from_le_bytes(*line.get(16..)?.first_chunk()?),
        hung: line[2] == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    fn subject() -> Subject {
        Subject {
            trial: "s1.3".into(),
            attempt: 2,
            scheduler: "misbehave".into(),
            library: "/plugins/libmisbehave.so".into(),
            hash: "abc".into(),
        }
    }

    fn recorder() -> (tempfile::TempDir, std::path::PathBuf, Recorder) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w1.box");
        let recorder = Recorder::create(&path).unwrap();
        (folder, path, recorder)
    }

    #[test]
    fn what_is_being_done_can_be_read_at_any_moment() {
        let (_folder, path, recorder) = recorder();
        let told = || read(&path).unwrap().to_string();
        assert_eq!(told(), "idle");
        let subject = subject();
        recorder.begin(Doing::Building, &subject, 0);
        assert_eq!(told(), "preparing s1.3");
        {
            let _inside = recorder.enter(Call::Open, Doing::Building);
            assert_eq!(
                told(),
                "inside `open` of the library /plugins/libmisbehave.so, for s1.3"
            );
        }
        assert_eq!(told(), "preparing s1.3");
        recorder.begin(Doing::Training, &subject, 16);
        recorder.at(17);
        let inside = recorder.enter(Call::Step, Doing::Training);
        assert_eq!(
            told(),
            "inside `step` of scheduler `misbehave` at step 17 of s1.3"
        );
        assert_eq!(recorder.in_call(), Some((2, Call::Step)));
        recorder.hung();
        assert_eq!(
            told(),
            "hanging inside `step` of scheduler `misbehave` at step 17 of s1.3"
        );
        drop(inside);
        assert_eq!(recorder.in_call(), None);
        assert_eq!(told(), "training s1.3 at about step 17");
        let flight = read(&path).unwrap();
        assert_eq!(
            (flight.subject, flight.step, flight.hung),
            (subject, 17, false)
        );
        assert!(flight.since_unix_ms > 0);
    }

    #[test]
    fn a_panic_in_a_plugin_leaves_it() {
        let (_folder, path, recorder) = recorder();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _inside = recorder.enter(Call::Metric, Doing::Training);
            std::panic::resume_unwind(Box::new("on purpose"));
        }));
        assert!(panicked.is_err());
        assert_eq!(read(&path).unwrap().doing, Doing::Training);
    }

    #[test]
    fn names_of_any_length_fit() {
        let (_folder, path, recorder) = recorder();
        let long = Subject {
            library: "\u{1F980}\"".repeat(5_000),
            scheduler: "s".repeat(5_000),
            trial: "\u{1}".repeat(5_000),
            ..subject()
        };
        recorder.begin(Doing::Training, &long, 0);
        assert!(read(&path).is_some());
        recorder.begin(Doing::Training, &subject(), 0);
        assert_eq!(read(&path).unwrap().subject, subject());
    }

    #[test]
    fn garbage_is_no_flight() {
        let (_folder, path, recorder) = recorder();
        recorder.begin(Doing::Training, &subject(), 5);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), None, "cut at {cut}");
        }
        let mut random = rand::rngs::ChaCha8Rng::seed_from_u64(1);
        for _ in 0..5_000 {
            let mut bytes = whole.clone();
            let at = random.next_u32() as usize % bytes.len();
            bytes[at] = random.next_u32() as u8;
            let _ = decode(&bytes);
        }
        assert_eq!(read(Path::new("/nowhere/at/all")), None);
    }
}
