//! What ends the processes of a home when the test that made it was killed.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for a word on its input. Where there comes none, and it only ends, the one who would have
/// given it was killed. Looks more than once: what is killed may just have started another.
const WATCH: &str = r#"
read -r word && exit
for look in 1 2 3 4 5; do
    for found in $(grep -lszxF "ATTUNE_HOME=$0" /proc/[0-9]*/environ); do
        found=${found#/proc/}
        kill -KILL "${found%/environ}"
    done
    sleep 0.1
done
rm -rf "$1"
"#;

/// Watches over a home from a process of its own. The daemon of a home lives in a session of its
/// own, and nobody would stop it if the test were killed, or interrupted: no destructor runs then.
pub struct Guard {
    shell: Child,
}

impl Guard {
    pub fn over(folder: &Path, attune_home: &Path) -> Self {
        let shell = Command::new("sh")
            .args(["-c", WATCH])
            .args([attune_home, folder])
            // It is none of the processes that it watches over.
            .env_remove("ATTUNE_HOME")
            // What ends the tests, such as a key in their terminal, does not reach it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Guard {
            shell: shell.expect("a shell"),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Whoever comes here has ended everything already.
        if let Some(mut input) = self.shell.stdin.take() {
            let _ = input.write_all(b"done\n");
        }
        let _ = self.shell.wait();
    }
}
