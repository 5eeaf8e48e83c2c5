//! A program that is followed while it runs.

use super::{DEADLINE, Finished};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Instant;

/// A program that tells events on its stderr. Both its streams are read from its start to its end:
/// whoever writes to a pipe must find a reader.
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
            for line in BufReader::new(stderr).lines() {
                // It is read on where nobody wants to know any more.
                let _ = tell.send(line.expect("a line"));
            }
        });
        let out = spawn(move || {
            let mut out = String::new();
            stdout.read_to_string(&mut out).expect("text");
            out
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
            let left = give_up_at.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("it told of {found} epochs of {epochs}:\n{}", self.told);
            };
            found += usize::from(line.contains("\"event\":\"epoch\""));
            self.add(&line);
        }
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Finished {
        while let Ok(line) = self.lines.recv() {
            self.add(&line);
        }
        let status = self.child.wait().expect("the program ends");
        Finished {
            code: status.code(),
            out: self.out.join().expect("its stdout"),
            err: self.told,
        }
    }

    fn add(&mut self, line: &str) {
        self.told.push_str(line);
        self.told.push('\n');
    }
}
