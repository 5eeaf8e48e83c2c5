//! The machine that the daemon runs on, and what it has left.
//!
//! All of it is a look at small files of the system's, but for the accelerators: their driver's own
//! program is asked, which takes a moment, and so rarely, and only where there is such a driver.

use attune_protocol::{Gpu, Machine, Number};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// What the driver's program says holds for so long.
const FRESH: Duration = Duration::from_secs(5);

/// If it says nothing in time, or nothing of sense, it is asked again after so long.
const AGAIN: Duration = Duration::from_secs(60);

/// How long it may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// How many cores this process may use; one where that is not known.
pub(crate) fn cores() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores).unwrap_or(u16::MAX)
}

/// Looks at the machine.
pub(super) struct Lookout {
    /// Whose disk is looked at.
    folder: PathBuf,
    /// What is there where there is an accelerator's driver.
    device: PathBuf,
    /// Its program, and what that is to be told.
    program: PathBuf,
    arguments: Vec<OsString>,
    gpus: Mutex<Option<Seen>>,
}

struct Seen {
    gpus: Vec<Gpu>,
    until: Instant,
}

impl Lookout {
    pub(super) fn new(state_folder: &Path) -> Self {
        Lookout {
            folder: state_folder.to_owned(),
            device: "/dev/nvidia0".into(),
            program: "nvidia-smi".into(),
            arguments: vec![
                "--query-gpu=name,memory.total,memory.used,utilization.gpu".into(),
                "--format=csv,noheader,nounits".into(),
            ],
            gpus: Mutex::default(),
        }
    }

    /// How things stand. What cannot be told is 0.
    pub(super) async fn look(&self) -> Machine {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().and_then(|mean| mean.parse().ok());
        let disk = rustix::fs::statvfs(&self.folder).ok();
        Machine {
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            cores: cores().into(),
            load: Number(load.unwrap_or(0.0)),
            memory_bytes: memory(&meminfo, "MemTotal"),
            memory_free_bytes: memory(&meminfo, "MemAvailable"),
            disk_free_bytes: disk.map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            gpus: self.gpus().await,
        }
    }

    async fn gpus(&self) -> Vec<Gpu> {
        if !self.device.exists() {
            return Vec::new();
        }
        // Whoever comes meanwhile waits for the same answer.
        let mut seen = self.gpus.lock().await;
        if let Some(seen) = &*seen
            && Instant::now() < seen.until
        {
            return seen.gpus.clone();
        }
        let (gpus, holds) = match self.ask().await {
            Some(gpus) => (gpus, FRESH),
            None => (Vec::new(), AGAIN),
        };
        let until = Instant::now() + holds;
        seen.insert(Seen { gpus, until }).gpus.clone()
    }

    /// What the driver's program says; nothing where it does not.
    async fn ask(&self) -> Option<Vec<Gpu>> {
        let output = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(DEADLINE, output).await.ok()?.ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        match output.status.success() {
            true => text.lines().map(gpu).collect(),
            false => None,
        }
    }
}

/// A line such as `NVIDIA H100 80GB HBM3, 81559, 4, 0`: its name, memory and what is in use of it in
/// MiB, and how busy it is in percent. What the card does not tell is in brackets.
fn gpu(line: &str) -> Option<Gpu> {
    let mut fields = line.rsplitn(4, ',').map(str::trim);
    let mut number = || Some(fields.next()?.parse::<u64>().unwrap_or(0));
    let (busy, used, memory) = (number()?, number()?, number()?);
    Some(Gpu {
        name: fields.next()?.to_owned(),
        memory_bytes: memory.saturating_mul(1 << 20),
        used_bytes: used.saturating_mul(1 << 20),
        busy_percent: u32::try_from(busy).unwrap_or(u32::MAX),
    })
}

/// One figure of `/proc/meminfo`, in bytes.
fn memory(meminfo: &str, name: &str) -> u64 {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_read_as_their_driver_tells_of_them() {
        let gpu = |line| {
            gpu(line).map(|gpu| (gpu.name, gpu.memory_bytes, gpu.used_bytes, gpu.busy_percent))
        };
        let mib = |mib: u64| mib << 20;
        let table = [
            (
                "NVIDIA H100 80GB HBM3, 81559, 4, 97",
                Some(("NVIDIA H100 80GB HBM3".to_owned(), mib(81_559), mib(4), 97)),
            ),
            (
                "A, B, 1, 2, 3",
                Some(("A, B".to_owned(), mib(1), mib(2), 3)),
            ),
            (
                "Orin, [N/A], [N/A], [N/A]",
                Some(("Orin".to_owned(), 0, 0, 0)),
            ),
            ("No devices were found", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(gpu(line), expected, "{line}");
        }
    }

    /// With a driver's program that notes that it was asked, and then does this.
    fn lookout(folder: &Path, script: &str) -> Lookout {
        let notes = folder.join("asked");
        Lookout {
            device: folder.to_owned(),
            program: "/bin/sh".into(),
            arguments: vec![
                "-c".into(),
                format!("echo asked >> {}; {script}", notes.display()).into(),
            ],
            ..Lookout::new(folder)
        }
    }

    #[tokio::test]
    async fn the_machine_is_told_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let lookout = lookout(folder.path(), "echo 'One, 10, 5, 50'; echo 'Two, 20, 0, 0'");
        let machine = lookout.look().await;
        assert!(!machine.host.is_empty() && machine.cores > 0, "{machine:?}");
        assert!(
            machine.load.0 >= 0.0 && machine.disk_free_bytes > 0,
            "{machine:?}"
        );
        let (free, all) = (machine.memory_free_bytes, machine.memory_bytes);
        assert!(0 < free && free < all, "{machine:?}");
        let names: Vec<&str> = machine.gpus.iter().map(|gpu| gpu.name.as_str()).collect();
        assert_eq!(names, ["One", "Two"]);
        // Asked again at once it says the same, and asks nobody.
        assert_eq!(lookout.look().await.gpus, machine.gpus);
        let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
        assert_eq!(asked.lines().count(), 1);
    }

    #[tokio::test]
    async fn a_driver_that_says_nothing_holds_nobody_up() {
        for script in [
            "exec sleep 600",
            "exit 9",
            "echo 'One, 1, 2, 3'; exit 1",
            "echo nonsense",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let lookout = lookout(folder.path(), script);
            let began = Instant::now();
            assert_eq!(lookout.look().await.gpus, [], "{script}");
            assert!(began.elapsed() < DEADLINE * 3, "{script}");
        }
        let folder = tempfile::tempdir().unwrap();
        let without = Lookout {
            device: folder.path().join("none"),
            ..lookout(folder.path(), "echo 'One, 1, 2, 3'")
        };
        assert_eq!(without.look().await.gpus, []);
        assert!(!folder.path().join("asked").exists());
    }
}
