//! A test that is killed, of which nothing may stay.

use crate::support::{Home, processes_of, wait_until};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Says that the test of this name is to be killed.
const IS_PROGRAM: &str = "KILLED_IS_PROGRAM";

#[test]
#[ignore = "it is the program of the next test"]
fn a_test_with_a_daemon() {
    if std::env::var_os(IS_PROGRAM).is_none() {
        return;
    }
    let home = Home::new();
    home.run(&["daemon", "start"]).ok();
    eprintln!("\n{}", home.attune_home().display());
    wait_until(|| false, "it is killed");
}

#[test]
fn a_test_that_is_killed_leaves_nothing() {
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "--test-threads=1"])
        .arg("killed::a_test_with_a_daemon")
        .env(IS_PROGRAM, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(program.stderr.take().unwrap()).lines();
    let mut told = told.map(|line| line.expect("a line"));
    let attune_home = told.find(|line| line.starts_with('/')).expect("its home");
    let attune_home = Path::new(&attune_home);
    assert_ne!(processes_of(attune_home), [0; 0], "a daemon runs");
    program.kill().unwrap();
    program.wait().unwrap();
    wait_until(
        || processes_of(attune_home).is_empty() && !attune_home.parent().unwrap().exists(),
        "its daemon and its folder are gone",
    );
}
