//! Processes that are asked in turns.

use crate::case::Case;
use crate::common::Failure;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The rival's version.
const TORCH: &str = "torch==2.15.0";

/// A process that trains where it is told to.
pub(crate) struct Side {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Side {
    pub(crate) fn ours(threads: usize) -> Result<Side, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["ours", &threads.to_string()]);
        Side::start(command)
    }

    pub(crate) fn theirs(python: &Path, threads: usize) -> Result<Side, Failure> {
        let mut command = Command::new(python);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/pytorch/theirs.py");
        command.arg(script).arg(threads.to_string());
        command.env("OMP_NUM_THREADS", threads.to_string());
        Side::start(command)
    }

    fn start(mut command: Command) -> Result<Side, Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = child.stdin.take();
        let answers = child.stdout.take().ok_or("no pipe")?;
        let mut side = Side {
            child,
            questions,
            answers: BufReader::new(answers),
        };
        // It says hello once it is ready.
        side.line()?;
        Ok(side)
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err(format!("a side died: {}", self.child.wait()?).into()),
            _ => Ok(line),
        }
    }

    /// The milliseconds of so many training steps.
    pub(crate) fn ask(&mut self, case: &Case, steps: usize) -> Result<Vec<f64>, Failure> {
        let question = serde_json::json!({"name": case.name, "case": case.json(), "steps": steps});
        let questions = self.questions.as_mut().ok_or("no pipe")?;
        writeln!(questions, "{question}")?;
        questions.flush()?;
        Ok(serde_json::from_str(&self.line()?)?)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // It ends when there is nothing more to read.
        self.questions = None;
        let _ = self.child.wait();
    }
}

/// A Python that has PyTorch; installs it the first time.
pub(crate) fn python() -> Result<PathBuf, Failure> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pytorch");
    let python = folder.join("bin/python");
    let has = |python: &Path| {
        let mut command = Command::new(python);
        let out = command
            .args(["-c", "import torch"])
            .stderr(Stdio::null())
            .status();
        out.is_ok_and(|status| status.success())
    };
    if !has(&python) {
        eprintln!("installing {TORCH} into {}", folder.display());
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(&python).args(["-m", "pip", "install", "-q", TORCH, "numpy"]))?;
    }
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.stdout(Stdio::null()).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {status}").into()),
    }
}
