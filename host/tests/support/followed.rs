//! A program that is followed while it runs.

use super::{DEADLINE, Finished};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

/// How long a program may take that a test waits for. One that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(300);

/// A program that tells what happens on its stderr. Both its streams are read from its start to its
/// end: whoever writes to a pipe must find a reader.
pub struct Followed {
    child: Child,
    lines: Receiver<String>,
    /// What it told so far.
    told: String,
    out: JoinHandle<String>,
}

impl Followed {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (tell, lines) = channel();
        spawn(move || {
            for line in BufReader::new(stderr).split(b'\n') {
                let line = line.expect("a line");
                // It is read on where nobody wants to know any more.
                let _ = tell.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        let out = spawn(move || {
            let mut out = Vec::new();
            stdout.read_to_end(&mut out).expect("its stdout");
            String::from_utf8_lossy(&out).into_owned()
        });
        Followed {
            child,
            lines,
            told: String::new(),
            out,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has told of so many more epochs.
    #[track_caller]
    pub fn wait_for_epochs(&mut self, epochs: usize) {
        let give_up_at = Instant::now() + DEADLINE;
        let mut found = 0;
        while found < epochs {
            match self.hear(give_up_at) {
                Ok(line) => found += usize::from(line.contains("\"event\":\"epoch\"")),
                Err(_) => panic!("it told of {found} epochs of {epochs}:\n{}", self.told),
            }
        }
    }

    /// Waits for its end. What hangs is killed with its home.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let give_up_at = Instant::now() + LONGEST;
        let end = loop {
            if let Err(end) = self.hear(give_up_at) {
                break end;
            }
        };
        assert_eq!(
            end,
            RecvTimeoutError::Disconnected,
            "it does not end within {LONGEST:?}; it told:\n{}",
            self.told
        );
        let status = self.child.wait().expect("the program ends");
        Finished {
            code: status.code(),
            out: self.out.join().expect("its stdout"),
            err: self.told,
        }
    }

    /// The next line of what it tells.
    fn hear(&mut self, give_up_at: Instant) -> Result<&str, RecvTimeoutError> {
        let left = give_up_at.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(left)?;
        let before = self.told.len();
        self.told.push_str(&line);
        self.told.push('\n');
        Ok(&self.told[before..])
    }
}
