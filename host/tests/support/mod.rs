//! What the integration tests share: the built program, the built plugins, a folder of one's own.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::expect_used,
    clippy::panic
)] // Each test crate uses some of it.

mod followed;
mod guard;
mod home;
mod study;
mod words;

pub use followed::Followed;
pub use home::{
    DEADLINE, Home, daemon_of, processes_of, product_threads, signal, try_for, try_within,
    wait_for, wait_until,
};
pub use study::{RUNGS, SPACE, outcome, small_study, study_of, without_test_rows};
pub use words::{one_line, says, unwrapped};

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::OnceLock;

/// The plugins that come with Attune, by crate.
const PLUGINS: [&str; 3] = [
    "attune-plugin-cosine",
    "attune-plugin-greedy",
    "attune-plugin-hypergradient",
];

/// The folder of this build's program and libraries.
pub fn build_folder() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_attune"));
    program
        .parent()
        .expect("the program lies in a folder")
        .into()
}

/// The folder that holds the shipped plugins' libraries, built and fresh. Cargo does not build
/// another package's `cdylib` for a test, so the test asks for it.
pub fn plugins_dir() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            build(&PLUGINS);
            build_folder()
        })
        .clone()
}

/// What copies of the shipped plugins take, in bytes.
pub fn weight_of_plugins() -> u64 {
    let folder = plugins_dir();
    let weight = |plugin: &&str| {
        let library = folder.join(library_name(plugin));
        library.metadata().expect("a library").len()
    };
    PLUGINS.iter().map(weight).sum()
}

/// Libraries made for tests alone, built and fresh.
pub fn test_library(package: &str) -> PathBuf {
    build(&[package]);
    build_folder().join(library_name(package))
}

/// A library's file name from its crate's name.
pub fn library_name(package: &str) -> String {
    format!(
        "{}{}{}",
        std::env::consts::DLL_PREFIX,
        package.replace('-', "_"),
        std::env::consts::DLL_SUFFIX
    )
}

/// Builds packages of this workspace with the same profile and into the same folder as this test.
fn build(packages: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("build")
        .arg("--quiet");
    for package in packages {
        cargo.args(["-p", package]);
    }
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let target = build_folder();
    let target = target
        .parent()
        .expect("a profile's folder lies in the target folder");
    let status = cargo
        .env("CARGO_TARGET_DIR", target)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "building {packages:?} failed");
}

/// What a finished program left.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        Finished {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Finished {
    /// Waits for a program that was started.
    pub fn of(child: Child) -> Self {
        child.wait_with_output().expect("the program ends").into()
    }

    /// Its stdout, after it went well.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(
            self.code,
            Some(0),
            "stderr:\n{}\nstdout:\n{}",
            self.err,
            self.out
        );
        self.out
    }

    /// Its stderr, after it failed with this code and without a panic.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(
            self.code,
            Some(code),
            "stderr:\n{}\nstdout:\n{}",
            self.err,
            self.out
        );
        assert!(!self.err.contains("panicked at host"), "{}", self.err);
        self.err
    }
}
