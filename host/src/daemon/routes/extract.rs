//! How requests are read: bodies, queries, and ids in paths. What is wrong with them is told as
//! everything else is.

use super::answer::Refusal;
use crate::daemon::invalid;
use crate::daemon::trial::WorkerId;
use attune_protocol::endpoint::{JSON, POSTCARD};
use attune_protocol::{Problem, ProblemCode};
use attune_store::{Id, StudyId, TrialId};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;

/// A JSON body; what is wrong with it is told as everything else is.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        form_of(request.headers(), &[JSON])?;
        let bytes = body(request, state).await?;
        let bytes = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
        from_json(bytes).map(Body)
    }
}

/// A body in JSON or postcard, and the form in which to answer.
pub(super) struct Either<T>(pub(super) T, pub(super) bool);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Either<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let compact = form_of(request.headers(), &[JSON, POSTCARD])? == POSTCARD;
        let answer_compact = accepts_compact(request.headers());
        let bytes = body(request, state).await?;
        let parsed = match compact {
            true => postcard::from_bytes(&bytes).map_err(not_taken)?,
            false => from_json(&bytes)?,
        };
        Ok(Either(parsed, answer_compact))
    }
}

/// What a path's query says.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let query = query.map_err(|error| Refusal(invalid(error.body_text())))?;
        Ok(Asked(query.0))
    }
}

/// What a path names where it leaves a place open: a study, a trial, a plugin, a worker.
pub(super) struct In<T>(pub(super) T);

/// What can be named in a path.
pub(super) trait Named: Sized {
    /// What it is read as.
    type Text: DeserializeOwned + Send;

    fn of(text: Self::Text) -> Result<Self, Problem>;
}

impl<T: Named, S: Send + Sync> FromRequestParts<S> for In<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let text = Path::<T::Text>::from_request_parts(parts, state).await;
        let Path(text) = text.map_err(|error| Refusal(invalid(error.body_text())))?;
        Ok(In(T::of(text)?))
    }
}

impl Named for StudyId {
    type Text = String;

    fn of(text: String) -> Result<Self, Problem> {
        match text.parse().map_err(invalid)? {
            Id::Study(id) => Ok(id),
            Id::Trial(id) => Err(invalid(format!(
                "{id} is a trial; this path is about studies, such as {}",
                id.study
            ))),
        }
    }
}

impl Named for TrialId {
    type Text = String;

    fn of(text: String) -> Result<Self, Problem> {
        match text.parse().map_err(invalid)? {
            Id::Trial(id) => Ok(id),
            Id::Study(id) => Err(invalid(format!(
                "{id} is a study; this path is about trials, such as {id}.0"
            ))),
        }
    }
}

/// A worker.
impl Named for WorkerId {
    type Text = WorkerId;

    fn of(id: WorkerId) -> Result<Self, Problem> {
        Ok(id)
    }
}

/// A plugin, by whatever names it.
impl Named for String {
    type Text = String;

    fn of(text: String) -> Result<Self, Problem> {
        Ok(text)
    }
}

/// A number that is asked for, if it is one that may be.
pub(super) fn within(name: &str, asked: u32, may: RangeInclusive<u32>) -> Result<u32, Refusal> {
    match may.contains(&asked) {
        true => Ok(asked),
        false => Err(Refusal(invalid(format!(
            "`{name}` is {asked}, but must be a whole number from {} to {}",
            may.start(),
            may.end()
        )))),
    }
}

pub(super) fn accepts_compact(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|value| value.as_bytes() == POSTCARD.as_bytes())
}

/// Which of the forms that can be read here a body says it has; the first one where it says nothing.
fn form_of(headers: &HeaderMap, read: &[&'static str]) -> Result<&'static str, Refusal> {
    let said = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let form = said(header::CONTENT_TYPE).map_or(read.first().copied(), |said| {
        let essence = said.split(';').next().unwrap_or("").trim();
        let is_it = |form: &&&str| form.eq_ignore_ascii_case(essence);
        read.iter().find(is_it).copied()
    });
    let is_plain = said(header::CONTENT_ENCODING).is_none_or(|said| said == "identity");
    form.filter(|_| is_plain).ok_or_else(|| {
        let message = format!(
            "a body in that form is not read; send it as it is, with `content-type: {}`",
            read.join("` or `")
        );
        Refusal(Problem::new(ProblemCode::UnsupportedMedia, message))
    })
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| {
            let code = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::TooLarge,
                _ => ProblemCode::Invalid,
            };
            Refusal(Problem::new(
                code,
                format!("the body cannot be read: {rejection}"),
            ))
        })
}

/// Reads a body; each is an object, though serde would take the values alone, in order, as well.
fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal(invalid("the body is not a JSON object")));
    }
    serde_json::from_slice(bytes).map_err(not_taken)
}

fn not_taken(error: impl std::fmt::Display) -> Refusal {
    Refusal(invalid(format!(
        "the body is not what this path takes: {error}"
    )))
}
