//! One connection: its requests are checked before the router sees them, and have a deadline.

use super::credentials::Token;
use super::door::Stream;
use super::watched::{Busy, Patience, Pulse, Watched};
use super::{Limits, problem, stopped};
use attune_protocol::ProblemCode;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{AUTHORIZATION, CONNECTION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Limited;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// The most that a request's head may take, in bytes and in headers.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;

/// How long, and for how many bytes, somebody who was refused is listened to: closing at once could
/// take the answer away from them.
const LAST_WORDS: Duration = Duration::from_secs(1);
const LAST_BYTES: u64 = 64 * 1024;

/// What all connections of a door share.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) token: Option<Token>,
    pub(super) tls: Option<TlsAcceptor>,
}

/// Answers the requests of a connection until either side has had enough, or `shutdown` holds true
/// and the request at hand is answered.
pub(super) async fn serve(stream: Box<dyn Stream>, terms: Terms, shutdown: watch::Receiver<bool>) {
    let limits = terms.limits;
    match &terms.tls {
        None => serve_plain(stream, &terms, shutdown).await,
        Some(tls) => match timeout(limits.head, tls.accept(stream)).await {
            Ok(Ok(stream)) => serve_plain(stream, &terms, shutdown).await,
            Ok(Err(error)) => tracing::debug!(%error, "a connection was not encrypted"),
            Err(_) => tracing::debug!("a connection took too long to be encrypted"),
        },
    }
}

async fn serve_plain<S: Stream>(stream: S, terms: &Terms, mut shutdown: watch::Receiver<bool>) {
    let Limits {
        head, idle, write, ..
    } = terms.limits;
    let pulse = Arc::new(Pulse::default());
    let stream = Watched::new(stream, Patience { head, idle, write }, pulse.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let busy = pulse.request();
        let answer = answer(terms, request);
        async move {
            let response = answer
                .await
                .map(|body| Body::new(Answer { body, _busy: busy }));
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The stream has its own limits, for a head and for the wait between requests.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

async fn answer(terms: &Terms, request: Request<Incoming>) -> Response<Body> {
    if let Some(token) = &terms.token
        && !carries(request.headers(), token)
    {
        let message = "the token is missing or wrong; send `Authorization: Bearer TOKEN` with the \
                       token of the daemon's `listen.token_file`";
        let mut response = last(problem(ProblemCode::Unauthorized, message));
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        return response;
    }
    let limits = terms.limits;
    if request.body().size_hint().lower() > limits.body as u64 {
        let message = format!("a request may have at most {} bytes", limits.body);
        return last(problem(ProblemCode::TooLarge, message));
    }
    let deadline = (limits.deadline)(request.uri().path());
    let place = format!("{} {}", request.method(), request.uri().path());
    let request = request.map(|body| Body::new(Limited::new(body, limits.body)));
    let router = TowerToHyperService::new(terms.router.clone());
    match timeout(deadline, router.call(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            let message = format!(
                "{place} took longer than {} s; send the request faster, or try again",
                deadline.as_secs_f64()
            );
            last(problem(ProblemCode::Timeout, message))
        }
    }
}

/// Tells somebody for whom there is no place so, in plain HTTP.
pub(super) async fn refuse(mut stream: Box<dyn Stream>, message: &str) {
    let problem = attune_protocol::Problem::new(ProblemCode::TooMany, message);
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let response = format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nretry-after: 1\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let said = async {
        stream.write_all(response.as_bytes()).await?;
        stream.shutdown().await?;
        let mut heard = stream.take(LAST_BYTES);
        tokio::io::copy(&mut heard, &mut tokio::io::sink()).await
    };
    // Whoever does not even take the answer has no claim to it.
    let _ = timeout(LAST_WORDS, said).await;
}

fn carries(headers: &HeaderMap, token: &Token) -> bool {
    let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    given
        .and_then(|value| value.split_at_checked("Bearer ".len()))
        .is_some_and(|(scheme, given)| {
            scheme.eq_ignore_ascii_case(b"bearer ") && token.is(given.trim_ascii())
        })
}

/// The last answer of its connection: what else comes on it is not worth reading.
fn last(mut response: Response<Body>) -> Response<Body> {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// A response's body, whose connection is busy as long as it is sent.
struct Answer {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
