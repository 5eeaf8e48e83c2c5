//! What can be done from the dashboard, and how it can be taken back.

use attune_protocol::{
    Fork, NewStudy, Note, Number, ResumeStudy, Scalar, Steer, StudySummary, TrialSummary,
};
use std::collections::BTreeMap;

/// Something to be done, by the daemon or by the program around the dashboard.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each is the call of its name")]
pub enum Deed {
    PauseStudy(String),
    ResumeStudy(String, ResumeStudy),
    StopStudy(String),
    DeleteStudy(String),
    NoteStudy(String, Note),
    PauseTrial(String),
    ResumeTrial(String),
    StopTrial(String),
    RetryTrial(String),
    Steer(String, Steer),
    Fork(String, Fork),
    NoteTrial(String, Note),
    Launch(NewStudy),
    /// Looks for plugins again.
    Reload,
    Release(String),
    /// Writes a study to a file, in one of the forms of `attune export`.
    Export {
        study: String,
        format: String,
        path: String,
    },
    /// Writes a text file.
    Save {
        path: String,
        text: String,
    },
}

/// What came of a deed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Done {
    /// What to tell, a sentence.
    pub message: String,
    /// The study as it is now, or a new one.
    pub study: Option<StudySummary>,
    /// The trial as it is now.
    pub trial: Option<TrialSummary>,
}

/// What deeds are about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Study(String),
    Trial(String),
}

impl Subject {
    pub(crate) fn id(&self) -> &str {
        match self {
            Subject::Study(id) | Subject::Trial(id) => id,
        }
    }
}

impl Deed {
    /// The study or trial that it changes.
    pub(crate) fn about(&self) -> Option<&str> {
        match self {
            Deed::PauseStudy(id)
            | Deed::ResumeStudy(id, _)
            | Deed::StopStudy(id)
            | Deed::DeleteStudy(id)
            | Deed::NoteStudy(id, _)
            | Deed::PauseTrial(id)
            | Deed::ResumeTrial(id)
            | Deed::StopTrial(id)
            | Deed::RetryTrial(id)
            | Deed::Steer(id, _)
            | Deed::Fork(id, _)
            | Deed::NoteTrial(id, _) => Some(id),
            Deed::Launch(_)
            | Deed::Reload
            | Deed::Release(_)
            | Deed::Export { .. }
            | Deed::Save { .. } => None,
        }
    }

    /// What a note is written about, where this writes one.
    pub(crate) fn noted(&self) -> Option<Subject> {
        match self {
            Deed::NoteStudy(id, _) => Some(Subject::Study(id.clone())),
            Deed::NoteTrial(id, _) => Some(Subject::Trial(id.clone())),
            _ => None,
        }
    }

    /// What takes it back, once it is done; `before` is the note that was there.
    pub(crate) fn undo(&self, before: Option<Note>) -> Option<Deed> {
        match self {
            Deed::PauseStudy(id) => Some(Deed::ResumeStudy(id.clone(), ResumeStudy::default())),
            Deed::ResumeStudy(id, more) if *more == ResumeStudy::default() => {
                Some(Deed::PauseStudy(id.clone()))
            }
            Deed::PauseTrial(id) => Some(Deed::ResumeTrial(id.clone())),
            Deed::ResumeTrial(id) => Some(Deed::PauseTrial(id.clone())),
            Deed::NoteStudy(id, _) => Some(Deed::NoteStudy(id.clone(), before?)),
            Deed::NoteTrial(id, _) => Some(Deed::NoteTrial(id.clone(), before?)),
            _ => None,
        }
    }
}

/// Settings as people write them, `lr=0.01 greedy.patience=5`.
///
/// # Errors
/// What is wrong with one of them.
pub(crate) fn settings(text: &str) -> Result<BTreeMap<String, String>, String> {
    text.split_whitespace()
        .map(|piece| match piece.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok((name.to_owned(), value.to_owned()))
            }
            _ => Err(format!("`{piece}` is not of the form name=value")),
        })
        .collect()
}

/// A value as people write it.
pub(crate) fn scalar(text: &str) -> Scalar {
    if let Ok(value) = text.parse::<i64>() {
        Scalar::Int(value)
    } else if let Ok(value) = text.parse::<f64>() {
        Scalar::Float(Number(value))
    } else {
        match text {
            "true" => Scalar::Bool(true),
            "false" => Scalar::Bool(false),
            text => Scalar::Text(text.to_owned()),
        }
    }
}
