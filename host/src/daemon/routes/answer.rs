//! How requests are answered: in JSON, or in postcard for workers, or with what is wrong.

use super::House;
use crate::daemon::{conflict, internal, invalid, not_found, unavailable};
use attune_protocol::Problem;
use attune_protocol::endpoint::POSTCARD;
use attune_store::Store;
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;

pub(super) type Answered<T> = Result<Json<T>, Refusal>;

/// A [`Problem`] on its way out.
pub(in crate::daemon) struct Refusal(pub(super) Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status());
        (
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Json(self.0),
        )
            .into_response()
    }
}

/// Reads from the store on a thread that may wait for the disk.
pub(super) async fn read<T: Send + 'static>(
    house: &Arc<House>,
    work: impl FnOnce(&Store) -> Result<T, attune_store::Error> + Send + 'static,
) -> Result<T, Refusal> {
    let store = Arc::clone(&house.store);
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => Err(Refusal(not_read(error))),
        Err(error) => Err(Refusal(internal(&error.into()))),
    }
}

pub(super) fn not_read(error: attune_store::Error) -> Problem {
    use attune_store::Error;
    match error {
        Error::NoSuchStudy { .. } | Error::NoSuchTrial { .. } => not_found(error),
        Error::NotAnId { .. } => invalid(error),
        Error::NotEmpty { .. } => conflict(error),
        Error::NotWritten { .. } => unavailable(error),
        error => internal(&error.into()),
    }
}

pub(super) fn either<T: Serialize>(answer: &T, compact: bool) -> Result<Response, Refusal> {
    if !compact {
        return Ok(Json(answer).into_response());
    }
    let bytes = postcard::to_allocvec(answer).map_err(|error| internal(&error.into()))?;
    Ok(([(header::CONTENT_TYPE, POSTCARD)], bytes).into_response())
}
