//! Replays traces of reference implementations through the real plugin libraries.
//!
//! `cargo run --release -p attune --example golden -- FILE...`
//!
//! A file holds one JSON object a line, of either kind:
//! - GreedyLR: `params` (constructor arguments), `init_lr`, `metrics` (what each `step` was given;
//!   `null` is NaN) and `lr` (after each call);
//! - a schedule: `schedule` (`torch.X` or `hf.x`), `params`, `init_lr`, `steps`, `lr` (`steps` + 1
//!   values: before the first step, then after each), and `metrics` where the schedule reads one.
//!
//! Rates are one number, or a list with one a parameter group. A schedule may also carry
//! `momentum`, as many values as `lr`. Every value must agree to a relative 1e-9 (GreedyLR) or 1e-6
//! (schedules). The exit code is 0 only where every line of every file was replayed and agreed.

mod compare;
mod mapping;
mod replay;
mod trace;

use anyhow::{Context, bail};
use attune_loader::{Place, Plugins};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A line on stdout. Whoever reads it may stop early, as `head` does; the exit code still tells.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

fn main() -> ExitCode {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match run(&files) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything agreed.
fn run(files: &[PathBuf]) -> anyhow::Result<bool> {
    if files.is_empty() {
        bail!("no file given; usage: golden FILE...");
    }
    let cache = tempfile::tempdir().context("no folder for private copies of the plugins")?;
    let plugins = load_plugins(cache.path())?;
    let mut all_agree = true;
    for file in files {
        all_agree &= replay_file(file, &plugins);
    }
    Ok(all_agree)
}

/// The plugins of this build: their libraries lie one folder above the examples' own.
fn load_plugins(cache: &Path) -> anyhow::Result<Plugins> {
    let program = std::env::current_exe().context("this program does not know its own path")?;
    let folder = program
        .parent()
        .and_then(Path::parent)
        .context("this program lies in no build folder")?;
    let (plugins, errors) = Plugins::load(&[Place::shared(folder)], cache);
    for error in &errors {
        eprintln!("warning: {error}");
    }
    for needed in mapping::SCHEDULERS {
        if plugins.find(needed).is_err() {
            let release = if cfg!(debug_assertions) {
                ""
            } else {
                " --release"
            };
            bail!(
                "no plugin in {} holds the scheduler `{needed}`; build them with `cargo build{release} \
                 -p attune-plugin-greedy -p attune-plugin-cosine`",
                folder.display()
            );
        }
    }
    Ok(plugins)
}

/// Replays one file, prints what does not agree and a summary.
fn replay_file(file: &Path, plugins: &Plugins) -> bool {
    let shown = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            say!("{shown}: cannot be read: {error}");
            return false;
        }
    };
    let (mut traces, mut values, mut mismatches, mut failures) = (0, 0, 0, 0);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.trim().is_empty() {
            continue;
        }
        let outcome = trace::parse(line, number).and_then(|trace| {
            let replayed = replay::replay(&trace, plugins)?;
            Ok((compare::compare(&trace, &replayed), trace))
        });
        match outcome {
            Ok((comparison, trace)) => {
                traces += 1;
                values += comparison.values;
                mismatches += comparison.mismatches.len();
                for mismatch in &comparison.mismatches {
                    say!("{shown}:{number}: {}: {mismatch}", trace.name);
                }
            }
            Err(error) => {
                failures += 1;
                say!("{shown}:{number}: {error:#}");
            }
        }
    }
    if traces + failures == 0 {
        say!("{shown}: holds no trace");
        return false;
    }
    say!(
        "{shown}: {traces} traces, {values} values, {mismatches} mismatches, {failures} lines \
         that could not be replayed"
    );
    mismatches + failures == 0
}
