//! What was read of data, remembered for whoever asks again and again while a study file is being
//! written.
//!
//! Data are read in a probe, and again only when their file, or what the study makes of them, is
//! another.

use crate::daemon::probe::Prober;
use crate::study::dataset::{key_of, lacking_column, of_data_alone};
use crate::study::spec::StudySpec;
use crate::worker::probe::{Complaint, Inspected};
use attune_protocol::DataTable;
use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::Semaphore;

/// How many answers are remembered, and how many tables.
const REMEMBERED: usize = 32;
const TABLES: usize = 8;

/// How many data files are read at a time; a large one takes its memory.
const AT_A_TIME: usize = 2;

/// What is remembered.
pub(in crate::daemon) struct Inspections {
    known: Mutex<VecDeque<(Question, Answer)>>,
    tables: Mutex<VecDeque<(FileState, Arc<DataTable>)>>,
    turns: Semaphore,
}

type Answer = Result<Inspected, Complaint>;

/// All that an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    file: FileState,
    /// A study file of only that which concerns the data.
    spec: String,
}

/// A file, and what changes when it is written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileState {
    path: PathBuf,
    bytes: u64,
    modified: Option<SystemTime>,
    /// Device, inode, and the time of the last change of any kind, which no program can set back.
    identity: (u64, u64, i64, i64),
}

impl Default for Inspections {
    fn default() -> Self {
        Inspections {
            known: Mutex::default(),
            tables: Mutex::default(),
            turns: Semaphore::new(AT_A_TIME),
        }
    }
}

impl Inspections {
    /// What a study's data are: as it was read before, or read now.
    ///
    /// # Errors
    /// What is wrong with the data, or with what the study wants of them.
    pub(super) async fn of(&self, prober: &Prober, spec: &StudySpec) -> Answer {
        let file = FileState::of(&spec.data.path).await;
        let question = Question {
            file: file.map_err(|error| Complaint {
                error,
                key: "data.path".into(),
                ..Complaint::default()
            })?,
            spec: of_data_alone(spec),
        };
        if let Some(known) = self.recall(&question, spec) {
            return known;
        }
        // A semaphore that is never closed.
        let _turn = self.turns.acquire().await;
        // Somebody may have asked the same meanwhile.
        if let Some(known) = self.recall(&question, spec) {
            return known;
        }
        let answer = prober.inspect(&question.spec, &spec.path).await;
        // What says nothing of the study's data may be otherwise next time.
        if answer
            .as_ref()
            .err()
            .is_none_or(|error| !error.key.is_empty())
        {
            self.remember(question, answer.clone());
        }
        answer
    }

    /// What a table holds: as it was read before, or read now.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) async fn table(
        &self,
        prober: &Prober,
        path: &Path,
    ) -> Result<Arc<DataTable>, String> {
        let file = FileState::of(path).await?;
        if let Some(known) = self.recall_table(&file) {
            return Ok(known);
        }
        let _turn = self.turns.acquire().await;
        if let Some(known) = self.recall_table(&file) {
            return Ok(known);
        }
        let table = prober.table(path).await;
        let table = Arc::new(table.map_err(|complaint| complaint.error)?);
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.len() >= TABLES {
            tables.pop_front();
        }
        tables.push_back((file, Arc::clone(&table)));
        Ok(table)
    }

    fn recall_table(&self, file: &FileState) -> Option<Arc<DataTable>> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tables.iter().find(|(known, _)| known == file)?;
        Some(Arc::clone(&known.1))
    }

    fn recall(&self, question: &Question, spec: &StudySpec) -> Option<Answer> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.iter().find(|(asked, _)| asked == question);
        if let Some((_, answer)) = same {
            return Some(answer.clone());
        }
        // A table whose columns are known need not be read to see that it lacks one.
        let columns = known.iter().find_map(|(asked, answer)| {
            let columns = match answer {
                Ok(inspected) => &inspected.columns,
                Err(complaint) => &complaint.columns,
            };
            (asked.file == question.file && !columns.is_empty()).then_some(columns)
        })?;
        let named = std::iter::once(&spec.data.target).chain(&spec.data.ignore);
        let lacking = lacking_column(&spec.data.path, named, columns.iter().map(String::as_str))?;
        Some(Err(Complaint {
            key: key_of(spec, &lacking).into(),
            error: lacking.to_string(),
            columns: columns.clone(),
        }))
    }

    fn remember(&self, question: Question, answer: Answer) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.pop_front();
        }
        known.push_back((question, answer));
    }
}

impl FileState {
    /// How a file is now.
    ///
    /// # Errors
    /// What is wrong with a path that is no file's.
    async fn of(path: &Path) -> Result<Self, String> {
        let meta = tokio::fs::metadata(path).await.map_err(|error| {
            format!(
                "cannot read {}: {error}; check the path and its permissions",
                path.display()
            )
        })?;
        if !meta.is_file() {
            return Err(format!(
                "{} is not a file; name a table, such as a CSV file",
                path.display()
            ));
        }
        Ok(FileState {
            path: path.to_owned(),
            bytes: meta.len(),
            modified: meta.modified().ok(),
            identity: (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()),
        })
    }
}
