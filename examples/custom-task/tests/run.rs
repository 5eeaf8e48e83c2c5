//! The example does what its page says.

#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_custom-task");

/// The library of the scheduler, built into the folder that this test was built in.
fn library() -> PathBuf {
    let built = Path::new(PROGRAM).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "-p", "attune-plugin-greedy"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo.env("CARGO_TARGET_DIR", built.parent().unwrap());
    assert!(cargo.status().unwrap().success(), "the plugin is not built");
    built.join(file_name("attune_plugin_greedy"))
}

fn file_name(name: &str) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}{name}{DLL_SUFFIX}")
}

fn run(library: &Path, folder: &Path, until: &str) -> Vec<String> {
    let mut program = Command::new(PROGRAM);
    let output = program
        .arg(library)
        .arg("greedy")
        .arg(folder)
        .arg(until)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let told = String::from_utf8(output.stdout).unwrap();
    told.lines().map(str::to_owned).collect()
}

fn rmse(line: &str) -> f64 {
    let (_, after) = line.split_once("RMSE ").unwrap();
    after.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn it_learns_and_goes_on_where_it_was_left_off() {
    let library = library();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = run(&library, one.path(), "30");
    let first = run(&library, two.path(), "7");
    let second = run(&library, two.path(), "30");
    assert_eq!(whole.len(), 30 + 1 + 4);
    let pieces = [&first[..7], &second[..]].concat();
    assert_eq!(pieces, whole);
    // The noise on the stars is 0.2, which nobody can predict.
    let (first, best) = (rmse(&whole[0]), rmse(&whole[30]));
    assert!(first > 2.0 * best && best < 0.26, "{whole:#?}");
}
