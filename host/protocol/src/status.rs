//! How the daemon does.

use crate::number::Number;
use serde::{Deserialize, Serialize};

/// The daemon at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DaemonStatus {
    /// The program's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Whether it lives inside a command, which it ends with.
    pub embedded: bool,
    /// When it started, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// Where it keeps everything.
    pub state_dir: String,
    /// Where it can be reached, apart from its socket.
    pub listens: Vec<String>,
    /// Memory in use, in bytes.
    pub memory_bytes: u64,
    /// Its workers.
    pub workers: Vec<WorkerStatus>,
    /// Every study that is not over, and why it does or does not move.
    pub studies: Vec<StudyStatus>,
    /// Why nothing moves, where nothing does.
    pub idle: Option<String>,
    /// Bytes of the store's files.
    pub store_bytes: u64,
    /// Bytes of checkpoints and models.
    pub checkpoint_bytes: u64,
    /// The most that checkpoints and models may take.
    pub checkpoint_budget_bytes: u64,
    /// What the user should know, as a disk that fills up.
    pub warnings: Vec<String>,
    /// The machine it runs on.
    #[serde(default)]
    pub machine: Machine,
}

/// A machine and what it has left.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Machine {
    /// Its name.
    pub host: String,
    /// Its cores.
    pub cores: u32,
    /// Programs that ran or wanted to in the last minute, in the mean.
    pub load: Number,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
    /// Memory that is not in use.
    pub memory_free_bytes: u64,
    /// Room on the disk of the state folder.
    pub disk_free_bytes: u64,
    /// Its accelerators.
    pub gpus: Vec<Gpu>,
}

/// An accelerator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Its memory, in bytes; 0 where it cannot be told.
    pub memory_bytes: u64,
    /// Memory in use.
    pub used_bytes: u64,
    /// How busy it is, in percent.
    pub busy_percent: u32,
}

/// A study that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StudyStatus {
    /// Such as `s12`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it does, or waits for, in a sentence.
    pub doing: String,
    /// Trials in training now.
    pub running: u32,
    /// Trials that wait for a worker.
    #[serde(default)]
    pub queued: u32,
}

/// A worker process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkerStatus {
    /// Its number.
    pub id: u64,
    /// Its process.
    pub pid: u32,
    /// The trials it holds, such as `s12.3`: the first is in training.
    pub trials: Vec<String>,
    /// What it does, as `step 120 of s12.3, inside scheduler greedy`.
    pub doing: String,
    /// Milliseconds since it was heard of.
    pub silent_ms: u64,
    /// Memory in use, in bytes.
    pub memory_bytes: u64,
}
