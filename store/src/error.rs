//! What can go wrong, said so that the reader knows what to do next.

use std::io;
use std::path::{Path, PathBuf};

use crate::id::{Id, StudyId, TrialId};

/// An error of the store. Each names the file, record or id it is about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the directory open.
    #[error(
        "the store at {} is in use by {}; wait for it to end, or end it, and try again",
        dir.display(), describe_holder(*pid, holder)
    )]
    InUse {
        /// The store's directory.
        dir: PathBuf,
        /// The holder's process id, where the lock file tells it.
        pid: Option<u32>,
        /// What the holder said it was, possibly empty.
        holder: String,
    },
    /// The operating system refused a file operation.
    #[error("could not {doing} {}: {why}; check the disk and the folder's permissions", path.display())]
    Io {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        why: io::Error,
    },
    /// A file was written by a newer version of Attune.
    #[error(
        "{} has schema {found}, and this version of Attune knows schemas up to {known}; use the newer version that wrote it",
        path.display()
    )]
    NewerSchema {
        /// The file that says so.
        path: PathBuf,
        /// The schema in the file.
        found: u32,
        /// The newest schema this build reads.
        known: u32,
    },
    /// A single record was written by a newer version of Attune.
    #[error(
        "the record of {record} has version {found}, and this version of Attune knows versions up to {known}; use the newer version that wrote it"
    )]
    NewerRecord {
        /// Which record.
        record: String,
        /// The version in the record.
        found: u8,
        /// The newest version this build reads.
        known: u8,
    },
    /// A record's checksum is right and yet its content makes no sense.
    #[error(
        "the record of {record} cannot be read ({reason}); reopen the store, and report a bug if it stays so"
    )]
    Unreadable {
        /// Which record.
        record: String,
        /// What the decoder said.
        reason: String,
    },
    /// The index (sled) failed. The journal still holds everything acknowledged.
    #[error(
        "the index of the store failed ({reason}); nothing acknowledged is lost: reopen the store to repair it"
    )]
    Index {
        /// What it said.
        reason: String,
    },
    /// A backup goes into an empty folder only.
    #[error("{} is not empty; name a folder that is, or that is not there yet", dir.display())]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
    },
    /// A record is damaged where it lies in the journal. All others can be read.
    #[error(
        "{record} is damaged on the disk, at byte {offset} of {}; `attune store verify` lists all that is, and a backup may still have it",
        path.display()
    )]
    Damaged {
        /// Which record.
        record: String,
        /// The journal file.
        path: PathBuf,
        /// Where its value begins.
        offset: u64,
    },
    /// A journal file was damaged while the store was open. It is left as it is.
    #[error(
        "the journal at {} has been damaged since the store was opened; check the disk, then reopen the store to mend it from the index",
        path.display()
    )]
    JournalDamaged {
        /// The file, or the folder where it could be several.
        path: PathBuf,
    },
    /// This write did not happen; the store goes on.
    #[error("nothing was written: {reason}; free some space or mend the disk, then try again")]
    NotWritten {
        /// What the system said.
        reason: String,
    },
    /// A failure after which no write can be trusted until the store is reopened.
    #[error("the store takes no more writes ({reason}); reopen it once the cause is mended")]
    Stopped {
        /// What happened.
        reason: String,
    },
    /// No study has this id.
    #[error("there is no study {id}; `attune ls` lists those there are")]
    NoSuchStudy {
        /// The id.
        id: StudyId,
    },
    /// No trial has this id.
    #[error("there is no trial {id}; `attune show {}` lists the study's trials", id.study)]
    NoSuchTrial {
        /// The id.
        id: TrialId,
    },
    /// A text that is no id.
    #[error("`{text}` is no id: write s12 or 12 for a study, s12.3 or 12.3 for a trial")]
    NotAnId {
        /// The text.
        text: String,
    },
    /// A record is larger than the store takes.
    #[error(
        "{record} would take {bytes} bytes, more than the {cap} allowed; store large things as files"
    )]
    TooLarge {
        /// Which record.
        record: String,
        /// Its size.
        bytes: usize,
        /// The largest size taken.
        cap: usize,
    },
    /// A knowledge slot's owner or name cannot be a key.
    #[error("`{name}` cannot name a knowledge slot: use 1 to 200 bytes of text")]
    BadSlotName {
        /// The offending name.
        name: String,
    },
    /// A library's content hash cannot be a key.
    #[error("`{hash}` cannot be a library's content hash: use 1 to 200 bytes of text")]
    BadLibraryHash {
        /// The offending text.
        hash: String,
    },
    /// A batch that deletes something and also writes to it.
    #[error("one batch both deletes {id} and writes {record}; use two batches")]
    Contradiction {
        /// What is deleted.
        id: Id,
        /// What is written.
        record: String,
    },
    /// Step columns that do not fit together.
    #[error("steps of trial {trial} refused: {problem}")]
    BadSteps {
        /// The trial.
        trial: TrialId,
        /// What is wrong and what to do.
        problem: String,
    },
}

impl Error {
    /// For `map_err`: an [`Error::Io`] about `path`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |why| Self::Io { doing, path, why }
    }
}

fn describe_holder(pid: Option<u32>, holder: &str) -> String {
    match (pid, holder) {
        (Some(pid), "") => format!("process {pid}"),
        (Some(pid), holder) => format!("process {pid} ({holder})"),
        (None, _) => "another process".to_owned(),
    }
}
