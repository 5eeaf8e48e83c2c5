//! What can go wrong between a client and a daemon.

use super::address::Address;
use crate::problem::Problem;
use std::error::Error as _;
use std::io;
use std::time::Duration;
use thiserror::Error;

/// Why a client has no answer. Each message ends in what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no daemon answers at {address}: start it with `attune daemon start`")]
    NotRunning {
        /// Where.
        address: String,
    },
    /// The daemon said no. Its message is all there is to say.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The connection could not be made, or broke.
    #[error("{request} to the daemon at {address} failed: {source}; {hint}")]
    Io {
        /// Where.
        address: String,
        /// What was asked, such as `GET /v1/status`.
        request: String,
        /// What happened.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// It took too long.
    #[error(
        "the daemon at {address} did not answer {request} within {} s: try again, and if it stays \
         silent see `attune daemon logs`",
        .after.as_secs_f64()
    )]
    Timeout {
        /// Where.
        address: String,
        /// What was asked.
        request: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer is not what such a daemon answers.
    #[error(
        "the answer of {address} to {request} cannot be read: {why}; check with `attune daemon \
         status` that it is an Attune daemon of this version, and restart it where it is not"
    )]
    BadAnswer {
        /// Where.
        address: String,
        /// What was asked.
        request: String,
        /// What is wrong with it.
        why: String,
    },
}

/// What to do about most broken connections.
const TRY_AGAIN: &str =
    "try again, and if it happens again see `attune daemon status` and `attune daemon logs`";

/// One question to one daemon: errors name both.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) address: String,
    pub(super) request: String,
}

impl Asked {
    pub(super) fn new(address: &Address, request: impl Into<String>) -> Self {
        Asked {
            address: address.to_string(),
            request: request.into(),
        }
    }

    pub(super) fn not_running(&self) -> ClientError {
        ClientError::NotRunning {
            address: self.address.clone(),
        }
    }

    pub(super) fn io(&self, source: io::Error) -> ClientError {
        self.io_with(source, TRY_AGAIN)
    }

    pub(super) fn io_with(&self, source: io::Error, hint: &'static str) -> ClientError {
        ClientError::Io {
            address: self.address.clone(),
            request: self.request.clone(),
            source,
            hint,
        }
    }

    pub(super) fn timeout(&self, after: Duration) -> ClientError {
        ClientError::Timeout {
            address: self.address.clone(),
            request: self.request.clone(),
            after,
        }
    }

    pub(super) fn bad(&self, why: impl Into<String>) -> ClientError {
        ClientError::BadAnswer {
            address: self.address.clone(),
            request: self.request.clone(),
            why: why.into(),
        }
    }

    /// Something that does not speak HTTP is a bad answer; all else is the connection's fault.
    pub(super) fn http(&self, error: hyper::Error) -> ClientError {
        if error.is_parse() {
            return self.bad(format!("it is not HTTP ({error})"));
        }
        let cause = error.source().and_then(|e| e.downcast_ref::<io::Error>());
        let kind = match cause {
            Some(cause) => cause.kind(),
            None if error.is_incomplete_message() => io::ErrorKind::UnexpectedEof,
            None => io::ErrorKind::Other,
        };
        let text = match error.source() {
            Some(cause) => format!("{error} ({cause})"),
            None => error.to_string(),
        };
        self.io(io::Error::new(kind, text))
    }
}
