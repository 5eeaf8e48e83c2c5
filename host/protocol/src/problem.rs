//! What a request that fails is answered with.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// What kind of failure it is, for programs.
    pub code: ProblemCode,
    /// What is wrong and what to do, for people: it names the file, line, key or trial.
    pub message: String,
}

/// The kinds of failures. Each has its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The request itself is wrong, as a study file with a mistake. 400.
    Invalid,
    /// The token is missing or wrong. 401.
    Unauthorized,
    /// There is no such study, trial, plugin or path. 404.
    NotFound,
    /// The path knows other methods. 405.
    MethodNotAllowed,
    /// It took too long to arrive. 408.
    Timeout,
    /// What it asks for does not fit the state of things, as to resume what runs. 409.
    Conflict,
    /// The body is larger than is ever needed. 413.
    TooLarge,
    /// The body is in a form that is not read. 415.
    UnsupportedMedia,
    /// There are too many connections; try again. 429.
    TooMany,
    /// A mistake of the daemon's. 500.
    Internal,
    /// It cannot be done now, as on a full disk or while the daemon stops. 503.
    Unavailable,
}

impl ProblemCode {
    /// The HTTP status it is sent with.
    pub fn status(self) -> u16 {
        match self {
            ProblemCode::Invalid => 400,
            ProblemCode::Unauthorized => 401,
            ProblemCode::NotFound => 404,
            ProblemCode::MethodNotAllowed => 405,
            ProblemCode::Timeout => 408,
            ProblemCode::Conflict => 409,
            ProblemCode::TooLarge => 413,
            ProblemCode::UnsupportedMedia => 415,
            ProblemCode::TooMany => 429,
            ProblemCode::Internal => 500,
            ProblemCode::Unavailable => 503,
        }
    }
}

impl Problem {
    /// A failure with its message.
    pub fn new(code: ProblemCode, message: impl fmt::Display) -> Self {
        Problem {
            code,
            message: message.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
