//! Attune: a tuning daemon whose trials are steered by learning-rate scheduler plugins.
//!
//! This crate is where the rooms meet. `cli` says what can be asked, `commands` asks, and the
//! `daemon` answers; a `worker` is the process that trains. `study` reads what a study is to do,
//! `places` knows the folders, and `convert` turns one room's types into another's. Everything that
//! decides, trains, stores or draws lives in a room of its own.

// `say!` and `answer!` print, since these panic where nobody reads any more.
#![warn(clippy::print_stderr, clippy::print_stdout)]

/// Prints a line to stderr, for people. Whoever reads there may be gone, as a shell that started a
/// daemon; that is no reason to panic, as `eprintln!` would.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}

/// Prints a line to stdout, for programs. Whoever reads there may stop early, as `head` does.
macro_rules! answer {
    ($($line:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($line)*);
    }};
}

mod breakpoint;
mod cli;
mod clock;
mod commands;
mod convert;
mod daemon;
mod export;
mod import;
mod places;
mod solo;
mod study;
mod worker;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say!("error: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, those left out that the message before already tells.
fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |told, cause| {
        let cause = cause.to_string();
        match told.as_str() {
            "" => cause,
            before if before.contains(&cause) => told,
            before => format!("{before}: {cause}"),
        }
    })
}

/// Whoever reads our output may stop early, as `head` does; that is no failure of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
