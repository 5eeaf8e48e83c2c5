//! The built test libraries, for the tests of this room.
#![allow(dead_code, unreachable_pub, clippy::expect_used)] // Each test crate uses some of it.

use std::path::PathBuf;
use std::process::Command;

/// The file of a package's library, built and fresh. Cargo does not build another package's `cdylib`
/// for a test, so the test asks for it.
pub fn library(package: &str) -> PathBuf {
    // Tests lie in `deps` below the profile's folder.
    let test = std::env::current_exe().expect("this program");
    let profile = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("a folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "-p", package])
        .env(
            "CARGO_TARGET_DIR",
            profile.parent().expect("the target folder"),
        );
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "building {package} failed");
    profile.join(format!(
        "{}{}{}",
        std::env::consts::DLL_PREFIX,
        package.replace('-', "_"),
        std::env::consts::DLL_SUFFIX
    ))
}
