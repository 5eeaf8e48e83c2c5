//! One question that only a process that may die can answer, and its answer.
//!
//! The daemon maps no library and reads no data. It starts `attune probe`, writes one [`Question`]
//! as JSON to its stdin, and reads one answer from its stdout. What kills the probe is the
//! daemon's to explain.

use super::process;
use crate::study::matter::{Found, Inputs, Unfit};
use crate::study::spec::StudySpec;
use anyhow::{Context, ensure};
use attune_loader::{Candidate, LoadedLibrary};
use attune_plugin_api::describe::Library;
use attune_protocol::work::LibraryFile;
use attune_protocol::{DataColumn, DataTable, Preview, Previewed};
use attune_trainer::data::{ColumnKind, Source};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The longest question: a study file and a little more.
const MAX_QUESTION: u64 = 4 << 20;

/// What a probe is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Question {
    /// What does this library hold?
    Describe {
        /// The library as it was found.
        path: PathBuf,
        /// Its private copy.
        copy: PathBuf,
        /// The hash of its content.
        hash: String,
    },
    /// What is this study's data like?
    Inspect {
        /// The study file's text.
        spec: String,
        /// Where it lies, or would lie.
        file: PathBuf,
    },
    /// What would this scheduler do?
    Preview(PreviewQuestion),
    /// What does this table hold?
    Table {
        /// Where it lies.
        path: PathBuf,
    },
}

/// A scheduler to be tried without training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PreviewQuestion {
    /// Its library.
    pub(crate) library: LibraryFile,
    /// What is to be tried.
    pub(crate) preview: Preview,
}

/// What there is to answer, or why there is nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Reply<T> {
    /// The answer.
    Known(T),
    /// What is wrong, and what to do.
    Unknown(Complaint),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Complaint {
    /// What is wrong, and what to do.
    pub(crate) error: String,
    /// Where in the study file that stands, such as `data.target`; empty where it stands nowhere.
    #[serde(default)]
    pub(crate) key: String,
    /// The columns of the data, where those could be read.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
}

impl From<anyhow::Error> for Complaint {
    fn from(error: anyhow::Error) -> Self {
        Complaint {
            error: format!("{error:#}"),
            ..Complaint::default()
        }
    }
}

impl From<Unfit> for Complaint {
    fn from(unfit: Unfit) -> Self {
        Complaint {
            error: unfit.reason,
            key: unfit.key,
            columns: unfit.columns,
        }
    }
}

/// What a library holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Described {
    /// Its schedulers.
    pub(crate) library: Library,
    /// What built it.
    pub(crate) fingerprint: String,
}

/// What a study's data are like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inspected {
    /// The objective.
    pub(crate) metric: String,
    /// Whether less of it is better.
    pub(crate) minimize: bool,
    /// What was done to the data, a sentence each.
    pub(crate) notes: Vec<String>,
    /// The hash of the data file.
    pub(crate) data_hash: String,
    /// Its rows.
    pub(crate) rows: usize,
    /// How many of them are trained on.
    pub(crate) train_rows: usize,
    /// What has to fit the models.
    pub(crate) inputs: Inputs,
    /// Its columns.
    pub(crate) columns: Vec<String>,
}

/// Answers the question on stdin. Exit code 0 says that there is an answer, be it an error.
pub(crate) fn run(memory: Option<u64>) -> anyhow::Result<ExitCode> {
    process::offer_to_the_oom_killer();
    process::limit_memory(memory)?;
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_QUESTION + 1)
        .read_to_string(&mut text)
        .context("cannot read the question")?;
    ensure!(
        text.len() as u64 <= MAX_QUESTION,
        "the question is longer than {MAX_QUESTION} bytes"
    );
    let question = serde_json::from_str(&text).context("the question is none")?;
    let answer = match &question {
        Question::Describe { path, copy, hash } => to_json(describe(path, copy, hash)),
        Question::Inspect { spec, file } => to_json(inspect(spec, file)),
        Question::Preview(question) => to_json(preview(question)),
        Question::Table { path } => to_json(table(path)),
    };
    let answer = answer.context("the answer cannot be written as JSON")?;
    std::io::stdout().write_all(&answer)?;
    std::io::stdout().flush()?;
    // Not by returning: nothing that a library left behind is to run once there is an answer.
    std::process::exit(0)
}

fn to_json<T: Serialize>(answer: Result<T, impl Into<Complaint>>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&match answer {
        Ok(known) => Reply::Known(known),
        Err(error) => Reply::Unknown(error.into()),
    })
}

fn open(path: &Path, copy: &Path, hash: &str) -> anyhow::Result<LoadedLibrary> {
    LoadedLibrary::open(&Candidate {
        path: path.to_owned(),
        copy: copy.to_owned(),
        hash: hash.to_owned(),
        named: false,
    })
    .with_context(|| format!("cannot load the plugin {}", path.display()))
}

fn preview(question: &PreviewQuestion) -> anyhow::Result<Previewed> {
    let LibraryFile { path, copy, hash } = &question.library;
    let library = open(Path::new(path), Path::new(copy), hash)?;
    super::preview::preview(&library, &question.preview)
}

fn describe(path: &Path, copy: &Path, hash: &str) -> anyhow::Result<Described> {
    let library = open(path, copy, hash)?;
    Ok(Described {
        library: library.description().clone(),
        fingerprint: library.fingerprint().to_owned(),
    })
}

fn inspect(spec: &str, file: &Path) -> Result<Inspected, Complaint> {
    let spec = StudySpec::parse(file, spec).map_err(|error| Complaint {
        error: error.to_string(),
        key: error.key,
        ..Complaint::default()
    })?;
    let found = Found::of(&spec)?;
    let objective = found.matter.objective(&spec);
    let objective = objective.map_err(|error| Complaint {
        error,
        key: "objective.metric".into(),
        columns: found.columns.clone(),
    })?;
    Ok(Inspected {
        metric: objective.name().into(),
        minimize: objective.minimized(),
        notes: found.notes,
        data_hash: found.hash,
        rows: found.rows,
        train_rows: found.train_rows,
        inputs: found.inputs,
        columns: found.columns,
    })
}

fn table(path: &Path) -> Result<DataTable, anyhow::Error> {
    let (source, _) = Source::read(path)?;
    let columns = source.look().into_iter().map(|column| DataColumn {
        name: column.name,
        kind: told_kind(column.kind).into(),
        missing: column.missing as u64,
        distinct: column.distinct as u64,
        examples: column.examples,
    });
    Ok(DataTable {
        rows: source.rows() as u64,
        columns: columns.collect(),
        pictures: match &source {
            Source::Pictures(pictures) => {
                let size = pictures.fitting_size()?;
                Some((size.height, size.width))
            }
            Source::Table(_) | Source::Text(_) => None,
        },
    })
}

fn told_kind(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Numeric => "numbers",
        ColumnKind::Boolean | ColumnKind::Categorical => "categories",
        ColumnKind::Date => "dates",
        ColumnKind::Constant | ColumnKind::Empty => "constant",
        ColumnKind::Identifier | ColumnKind::Text | ColumnKind::Target => "text",
    }
}
