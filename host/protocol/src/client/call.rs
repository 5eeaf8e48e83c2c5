//! From a typed request to a typed answer.

use super::address::Address;
use super::connection::Connection;
use super::error::{Asked, ClientError};
use super::path::filled;
use crate::endpoint::{
    Answers, EVENT_STREAM, Endpoint, JSON, OCTETS, POSTCARD, Route, TEXT, Takes,
};
use crate::problem::{Problem, ProblemCode};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::{Mutex, PoisonError};

/// The largest answer that is taken in.
pub(super) const LARGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// Connections that are kept for later.
const KEPT: usize = 4;

/// A daemon, and connections to it that nobody uses.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) address: Address,
    idle: Mutex<Vec<Connection>>,
}

/// A request that is ready to be sent, as often as need be.
pub(super) struct Letter {
    pub(super) asked: Asked,
    request: Request<Full<Bytes>>,
    /// Whether it may be sent again though the first one may have arrived.
    repeatable: bool,
}

impl Door {
    pub(super) fn new(address: Address) -> Self {
        Door {
            address,
            idle: Mutex::default(),
        }
    }

    /// A request to an endpoint.
    pub(super) fn letter<Q: Serialize, A>(
        &self,
        endpoint: &Endpoint<Q, A>,
        ids: &[&str],
        request: &Q,
        extra: HeaderMap,
    ) -> Result<Letter, ClientError> {
        let route = &endpoint.route;
        let mut path = filled(route.path, ids)?;
        let asked = Asked::new(&self.address, format!("{} {path}", route.method.as_str()));
        let (body, content_type) = match route.request {
            Takes::Nothing => (Bytes::new(), None),
            Takes::Query(_) => {
                let query = serde_urlencoded::to_string(request).map_err(|e| unfit(&asked, e))?;
                if !query.is_empty() {
                    path.push('?');
                    path.push_str(&query);
                }
                (Bytes::new(), None)
            }
            Takes::Json(_) => {
                let json = serde_json::to_vec(request).map_err(|e| unfit(&asked, e))?;
                (json.into(), Some(JSON))
            }
            Takes::Work(_) => {
                let bytes = postcard::to_allocvec(request).map_err(|e| unfit(&asked, e))?;
                (bytes.into(), Some(POSTCARD))
            }
        };
        let mut built = Request::builder()
            .method(route.method.as_str())
            .uri(path)
            .header(header::HOST, self.address.authority())
            .header(
                header::USER_AGENT,
                concat!("attune/", env!("CARGO_PKG_VERSION")),
            )
            .header(header::ACCEPT, accepted(route));
        if let Some(content_type) = content_type {
            built = built.header(header::CONTENT_TYPE, content_type);
        }
        if let Some(token) = self.address.token() {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.secret()))
                .map_err(|e| unfit(&asked, e))?;
            value.set_sensitive(true);
            built = built.header(header::AUTHORIZATION, value);
        }
        let mut request = built.body(Full::new(body)).map_err(|e| unfit(&asked, e))?;
        request.headers_mut().extend(extra);
        Ok(Letter {
            repeatable: request.method().is_safe(),
            asked,
            request,
        })
    }

    /// Sends a request, on a connection that is there or a new one, and waits for the head of a
    /// good answer. Nothing here waits for ever but the daemon's own thinking: the caller has the
    /// deadline.
    pub(super) async fn ask(
        &self,
        letter: &Letter,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        let (response, connection) = self.post(letter).await?;
        if response.status().is_success() {
            return Ok((response, connection));
        }
        let status = response.status();
        let (body, connection) = self.body(response, connection, &letter.asked).await?;
        self.keep(connection);
        Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => ClientError::Problem(problem),
            Err(_) => letter
                .asked
                .bad(format!("{status} without a reason{}", quoted(&body))),
        })
    }

    /// The whole body of an answer.
    pub(super) async fn body(
        &self,
        response: Response<Incoming>,
        connection: Connection,
        asked: &Asked,
    ) -> Result<(Bytes, Connection), ClientError> {
        let too_large = || asked.bad(format!("it is larger than {LARGEST_ANSWER} bytes"));
        let mut body = response.into_body();
        if body.size_hint().lower() > LARGEST_ANSWER {
            return Err(too_large());
        }
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| asked.http(e))?;
            let Ok(piece) = frame.into_data() else {
                continue;
            };
            if (whole.len() + piece.len()) as u64 > LARGEST_ANSWER {
                return Err(too_large());
            }
            whole.extend_from_slice(&piece);
        }
        Ok((whole.freeze(), connection))
    }

    /// Keeps a connection whose last answer was read to its end.
    pub(super) fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT && !connection.is_closed() {
            idle.push(connection);
        }
    }

    async fn post(&self, letter: &Letter) -> Result<(Response<Incoming>, Connection), ClientError> {
        let asked = &letter.asked;
        while let Some(mut connection) = self.kept() {
            match connection.send(letter.request.clone()).await {
                Ok(response) => return Ok((response, connection)),
                // The daemon closes what is idle for long, and perhaps in this very moment. One
                // that was not even ready costs nothing, and the next may be.
                Err(failed) if failed.unsent => continue,
                Err(_) if letter.repeatable => break,
                Err(failed) => return Err(asked.http(failed.error)),
            }
        }
        let mut connection = Connection::open(&self.address, asked).await?;
        match connection.send(letter.request.clone()).await {
            Ok(response) => Ok((response, connection)),
            Err(failed) => Err(asked.http(failed.error)),
        }
    }

    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The one used last is the likeliest to be open.
        while let Some(connection) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }
}

/// Reads an answer in the form that its header names.
pub(super) fn decoded<A: DeserializeOwned>(
    headers: &HeaderMap,
    body: &[u8],
    asked: &Asked,
) -> Result<A, ClientError> {
    if is_of(headers, POSTCARD) {
        return postcard::from_bytes(body).map_err(|e| asked.bad(format!("as postcard: {e}")));
    }
    serde_json::from_slice(body).map_err(|e| asked.bad(format!("as JSON: {e}{}", quoted(body))))
}

/// Whether a message has this media type, whatever its parameters.
pub(super) fn is_of(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let value = value.split(';').next().unwrap_or_default();
    value.trim().eq_ignore_ascii_case(media_type)
}

fn accepted(route: &Route) -> &'static str {
    match route.answer {
        Answers::Json(_) => JSON,
        Answers::Work(_) => POSTCARD,
        Answers::Events(_) => EVENT_STREAM,
        Answers::File => OCTETS,
        Answers::Text => TEXT,
    }
}

/// A request that cannot be written down, such as a number that JSON has no form for.
fn unfit(asked: &Asked, why: impl std::fmt::Display) -> ClientError {
    ClientError::Problem(Problem::new(
        ProblemCode::Invalid,
        format_args!(
            "{} cannot be sent: {why}; correct what is asked for",
            asked.request
        ),
    ))
}

/// The beginning of a body, for a message.
fn quoted(body: &[u8]) -> String {
    const SHOWN: usize = 200;
    if body.is_empty() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)]);
    let shown: String = text.chars().take(SHOWN).collect();
    format!(": {shown:?}")
}
