//! Asks a process of its own what the daemon must not find out itself: what a plugin holds, and
//! what a data file does.

use super::supervisor::{Launch, OnceError, run_once};
use crate::worker::probe::{Complaint, Described, Inspected, PreviewQuestion, Question, Reply};
use attune_loader::{Candidate, MAX_DESCRIPTION_BYTES, read_description};
use attune_plugin_api::describe::Library;
use attune_protocol::{DataTable, Previewed};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most that an answer may weigh.
const MAX_ANSWER: usize = 16 << 20;

/// How long a look at data may take; large tables take long to read.
const INSPECT_WITHIN: Duration = Duration::from_secs(600);

/// How long a scheduler may take to be tried, where it may take even longer to be loaded: somebody
/// waits for it.
const PREVIEW_WITHIN: Duration = Duration::from_secs(20);

/// Starts probes.
#[derive(Debug, Clone)]
pub(super) struct Prober {
    pub(super) program: PathBuf,
    /// Bytes that a probe may use.
    pub(super) memory: u64,
    /// How long a plugin may take to describe itself.
    pub(super) load_within: Duration,
}

/// What came of a question.
pub(super) enum Verdict<T> {
    Answer(T),
    /// It was answered with an error.
    Refused(Complaint),
    /// The probe did not survive it.
    Died(String),
    /// It could not be asked.
    NotAsked(String),
}

impl Prober {
    /// What a library holds.
    pub(super) async fn describe(&self, candidate: &Candidate) -> Verdict<(Library, String)> {
        let question = Question::Describe {
            path: candidate.path.clone(),
            copy: candidate.copy.clone(),
            hash: candidate.hash.clone(),
        };
        let described: Verdict<Described> = self.ask(&question, self.load_within).await;
        match described {
            Verdict::Answer(described) => {
                let text = serde_json::to_string(&described.library).unwrap_or_default();
                if text.len() > MAX_DESCRIPTION_BYTES {
                    let error = "its description is larger than any plugin needs".into();
                    return Verdict::Refused(Complaint {
                        error,
                        ..Complaint::default()
                    });
                }
                match read_description(&text) {
                    Ok(library) => Verdict::Answer((library, described.fingerprint)),
                    Err(error) => Verdict::Refused(Complaint {
                        error: error.to_string(),
                        ..Complaint::default()
                    }),
                }
            }
            Verdict::Refused(why) => Verdict::Refused(why),
            Verdict::Died(how) => Verdict::Died(how),
            Verdict::NotAsked(why) => Verdict::NotAsked(why),
        }
    }

    /// What a study's data are.
    ///
    /// # Errors
    /// What is wrong with data or study file, and what to do.
    pub(super) async fn inspect(&self, spec: &str, file: &Path) -> Result<Inspected, Complaint> {
        let question = Question::Inspect {
            spec: spec.to_owned(),
            file: file.to_owned(),
        };
        self.of_data(&question).await
    }

    /// What a scheduler would do.
    pub(super) async fn preview(&self, question: PreviewQuestion) -> Verdict<Previewed> {
        let within = self.load_within.min(PREVIEW_WITHIN);
        self.ask(&Question::Preview(question), within).await
    }

    /// What a table holds.
    ///
    /// # Errors
    /// Why it cannot be read, and what to do.
    pub(super) async fn table(&self, path: &Path) -> Result<DataTable, Complaint> {
        let path = path.to_owned();
        self.of_data(&Question::Table { path }).await
    }

    /// The answer to a question about data, or why there is none.
    async fn of_data<T: DeserializeOwned>(&self, question: &Question) -> Result<T, Complaint> {
        let error = match self.ask(question, INSPECT_WITHIN).await {
            Verdict::Answer(answer) => return Ok(answer),
            Verdict::Refused(complaint) => return Err(complaint),
            Verdict::NotAsked(why) => why,
            Verdict::Died(how) => format!(
                "reading the data ended its process: {how}; if they need more memory, raise \
                 `worker_memory` in the configuration"
            ),
        };
        Err(Complaint {
            error,
            ..Complaint::default()
        })
    }

    async fn ask<T: DeserializeOwned>(&self, question: &Question, within: Duration) -> Verdict<T> {
        let question = match serde_json::to_vec(question) {
            Ok(question) => question,
            Err(error) => return Verdict::NotAsked(format!("cannot ask a probe: {error}")),
        };
        let launch = Launch {
            program: self.program.clone(),
            args: vec![
                "probe".into(),
                "--memory".into(),
                self.memory.to_string().into(),
            ],
            variables: Vec::new(),
        };
        match run_once(&launch, &question, within, MAX_ANSWER).await {
            Ok(answer) => match serde_json::from_slice(&answer) {
                Ok(Reply::Known(answer)) => Verdict::Answer(answer),
                Ok(Reply::Unknown(complaint)) => Verdict::Refused(complaint),
                Err(error) => Verdict::Died(format!("it wrote what is no answer: {error}")),
            },
            Err(error @ OnceError::Start { .. }) => Verdict::NotAsked(error.to_string()),
            Err(error) => Verdict::Died(error.to_string()),
        }
    }
}
