//! Attune: a tuning daemon whose trials are steered by learning-rate scheduler plugins.
//!
//! This crate is where the rooms meet. `cli` says what can be asked, `commands` answers, `study`
//! reads what a study is to do, `engine` runs it, `places` knows the folders, and `convert` turns
//! one room's types into another's. Everything that decides, trains, stores or draws lives in a
//! room of its own.

mod cli;
mod clock;
mod commands;
mod convert;
mod engine;
mod places;
mod study;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whoever reads our output may stop early, as `head` does; that is no failure of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
