//! What opening a store found, for the host to log and the user to read.

use std::fmt;
use std::path::PathBuf;

/// What opening found and did. [`OpenReport::is_clean`] tells whether anybody needs to hear of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OpenReport {
    /// The records the store holds.
    pub records: u64,
    /// A last write that its process or machine did not live to finish. It was never acknowledged,
    /// so this is the normal trace of a crash.
    pub torn: Option<TornTail>,
    /// Acknowledged writes that damage took and nothing could bring back.
    pub losses: Vec<Loss>,
    /// Records that the journal had lost and the index still had.
    pub restored: u64,
    /// How the index was found.
    pub index: IndexState,
    /// Damaged journal files, kept under these names for whoever wants to look into them. All that
    /// could be read from them is in the store.
    pub set_aside: Vec<PathBuf>,
}

/// A write cut off at the journal's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The journal file.
    pub file: PathBuf,
    /// Where the cut was made.
    pub offset: u64,
    /// How much was cut away.
    pub bytes: u64,
    /// The records the write was about, as far as it tells.
    pub records: Vec<String>,
}

/// A damaged or missing stretch of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The file it was found in, or after which a file is missing.
    pub file: PathBuf,
    /// Where the stretch begins.
    pub offset: u64,
    /// The first of the writes it may have held, by sequence number.
    pub first_seq: u64,
    /// The last of them; `u64::MAX` where the journal's end is lost, and nobody knows.
    pub last_seq: u64,
    /// The record the write was about, where its head could be read.
    pub record: Option<String>,
    /// How many writes are missing; fewer than there are numbers where a snapshot, which leaves
    /// out what was overwritten, is damaged. `u64::MAX` where nobody knows.
    pub missing: u64,
    /// How many of them the index still had.
    pub restored: u64,
}

/// How the index was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IndexState {
    /// The same as the journal.
    #[default]
    Intact,
    /// It was not there and was made from the journal.
    Created,
    /// So many of its records differed from the journal and were set right.
    Repaired(u64),
    /// It could not be read and was made anew from the journal.
    Rebuilt {
        /// What it said.
        reason: String,
    },
}

impl OpenReport {
    /// Whether no damage was found. A torn tail and an index that lagged behind are no damage.
    pub fn is_clean(&self) -> bool {
        self.losses.is_empty()
            && self.restored == 0
            && self.set_aside.is_empty()
            && !matches!(self.index, IndexState::Rebuilt { .. })
    }
}

impl fmt::Display for OpenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records", self.records)?;
        match &self.index {
            IndexState::Intact => {}
            IndexState::Created => write!(f, "; the index was made from the journal")?,
            IndexState::Repaired(records) => {
                write!(
                    f,
                    "; {records} records of the index were set right from the journal"
                )?;
            }
            IndexState::Rebuilt { reason } => {
                write!(
                    f,
                    "; the index was damaged ({reason}) and rebuilt from the journal"
                )?;
            }
        }
        if let Some(torn) = &self.torn {
            write!(f, "; {torn}")?;
        }
        if self.restored > 0 {
            write!(
                f,
                "; {} records damaged in the journal came from the index",
                self.restored
            )?;
        }
        for loss in &self.losses {
            write!(f, "\nLOST: {loss}")?;
        }
        for file in &self.set_aside {
            write!(f, "\nthe damaged file was kept as {}", file.display())?;
        }
        Ok(())
    }
}

impl fmt::Display for TornTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an unfinished last write ({} bytes at {} of {}) was dropped",
            self.bytes,
            self.offset,
            self.file.display()
        )?;
        if self.records.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.records.join(", "))
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.record {
            Some(record) => write!(f, "{record}, write {}", self.first_seq)?,
            None if self.last_seq == u64::MAX => {
                write!(f, "all writes from number {} on", self.first_seq)?;
            }
            None => write!(
                f,
                "{} writes with numbers from {} to {}, whose records are unknown and may have been written again since",
                self.missing, self.first_seq, self.last_seq
            )?,
        }
        if self.restored > 0 {
            write!(f, ", of which the index still had {}", self.restored)?;
        }
        write!(f, ", at byte {} of {}", self.offset, self.file.display())
    }
}
