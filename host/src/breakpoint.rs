//! Named points at which a test can end or stop this process, as `kill -9` or SIGSTOP would there.
//!
//! Where `ATTUNE_BREAKPOINTS` names a folder, a process that passes the point `P` looks into the
//! file `P` in it: `kill 3` ends whichever process passes there third from now, `stop 1` stops the
//! next one. The file is taken away by the one that it hits, so a point hits once, however many
//! processes pass it and start again.
//!
//! The points are in every build, so that what is tested is what is shipped: without the variable a
//! passage is one look at memory that was read already. Whoever can set it can end the process
//! anyway.

use rustix::process::{Signal, getpid, kill_process};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder of the points' files.
const VARIABLE: &str = "ATTUNE_BREAKPOINTS";

/// Passes a point.
pub(crate) fn pass(point: &str) {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    if let Some(folder) = folder {
        look(&folder.join(point));
    }
}

/// A file that is missing, or not written by a test, means nothing.
#[cold]
fn look(file: &Path) {
    let Ok(text) = std::fs::read_to_string(file) else {
        return;
    };
    let mut words = text.split_whitespace();
    let signal = match words.next() {
        Some("kill") => Signal::KILL,
        Some("stop") => Signal::STOP,
        _ => return,
    };
    match words.next().and_then(|left| left.parse::<u32>().ok()) {
        // Taken away first: of several that pass together one is hit.
        Some(0 | 1) if std::fs::remove_file(file).is_ok() => {
            let _ = kill_process(getpid(), signal);
        }
        Some(left @ 2..) => {
            let word = if signal == Signal::KILL {
                "kill"
            } else {
                "stop"
            };
            // Renamed into place, so that nobody reads half of it.
            let aside = file.with_extension(std::process::id().to_string());
            let counted = std::fs::write(&aside, format!("{word} {}", left - 1));
            let _ = counted.and_then(|()| std::fs::rename(&aside, file));
        }
        _ => {}
    }
}
