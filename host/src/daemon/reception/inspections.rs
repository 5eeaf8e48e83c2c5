//! What was read of data, remembered for whoever asks again and again while a study file is being
//! written.
//!
//! Data are read in a probe, and again only when their file, or what the study makes of them, is
//! another.

use crate::daemon::probe::Prober;
use crate::study::dataset::{files, lacking_column};
use crate::study::spec::StudySpec;
use crate::worker::probe::{Complaint, Inspected};
use attune_protocol::DataTable;
use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
    /// None where all is made up.
    file: Option<FileState>,
    /// The model that is adapted, if one is.
    base: Option<FileState>,
    /// A study file of only that which concerns what is trained on.
    spec: String,
}

/// The files that data are read from, and a hash of all that changes when one of them is written or
/// replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileState {
    path: PathBuf,
    state: blake3::Hash,
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
        let state = async |path: Option<&Path>, is_one_file, key| {
            let Some(path) = path else {
                return Ok(None);
            };
            let state = FileState::of(path, is_one_file).await;
            state.map(Some).map_err(|error| Complaint {
                error,
                key: format!("{}.{key}", spec.task.section()),
                ..Complaint::default()
            })
        };
        let question = Question {
            file: state(spec.task.path(), spec.task.is_text(), "path").await?,
            base: state(spec.task.base(), true, "base").await?,
            spec: spec.of_task_alone(),
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
        let file = FileState::of(path, false).await?;
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
        let named = spec.task.named_columns();
        let path = spec.task.path()?;
        let lacking = lacking_column(path, named, columns.iter().map(String::as_str))?;
        Some(Err(Complaint {
            key: spec.task.key_of(&lacking).into(),
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
    /// How the files of some data are now.
    ///
    /// # Errors
    /// What is wrong with a path that has no data.
    async fn of(path: &Path, is_text: bool) -> Result<Self, String> {
        let path = path.to_owned();
        let looked = tokio::task::spawn_blocking(move || Self::look(path, is_text)).await;
        looked.map_err(|error| error.to_string())?
    }

    fn look(path: PathBuf, is_text: bool) -> Result<Self, String> {
        let unreadable = |path: &Path, error: &dyn std::fmt::Display| {
            format!(
                "cannot read {}: {error}; check the path and its permissions",
                path.display()
            )
        };
        let meta = std::fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
        // A pipe or a device would be waited for.
        if !meta.is_file() && !meta.is_dir() {
            return Err(format!(
                "{} is neither a file nor a folder; name a table, such as a CSV file",
                path.display()
            ));
        }
        let files = files(&path, is_text).map_err(|error| error.to_string())?;
        let mut state = blake3::Hasher::new();
        for file in &files {
            let meta = std::fs::metadata(file).map_err(|error| unreadable(file, &error))?;
            state.update(file.as_os_str().as_encoded_bytes());
            // No program can set back the time of the last change of any kind.
            let times = [
                meta.mtime(),
                meta.mtime_nsec(),
                meta.ctime(),
                meta.ctime_nsec(),
            ];
            let numbers = times.map(i64::cast_unsigned).into_iter();
            for number in numbers.chain([meta.len(), meta.dev(), meta.ino()]) {
                state.update(&number.to_le_bytes());
            }
        }
        Ok(FileState {
            path,
            state: state.finalize(),
        })
    }
}
