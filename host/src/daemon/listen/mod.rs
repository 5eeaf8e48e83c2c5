//! Where clients come in: the Unix socket, and the network where asked for.
//!
//! A [`Door`] is opened by the rules ([`door`]), then served until the daemon stops. Every
//! connection has limits of number, size and time, so that no client can slow the others, whether
//! it is greedy, slow or gone.

mod connection;
mod credentials;
mod door;
#[cfg(test)]
mod tests;
mod watched;

pub(crate) use credentials::make_credentials;
pub(crate) use door::Door;

use attune_protocol::{Problem, ProblemCode};
use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use connection::Terms;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// How long is waited when the system has no more files for connections.
const WHEN_FULL: Duration = Duration::from_millis(100);

/// The most who are told at the same time that there is no place; others are turned away in silence.
const REFUSALS: usize = 64;

/// What a door's connections may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// At the same time.
    pub(crate) connections: usize,
    /// New ones in a second, from the network.
    pub(crate) new_per_second: u32,
    /// Until a request's head has come, and until a connection is encrypted.
    pub(crate) head: Duration,
    /// Between requests.
    pub(crate) idle: Duration,
    /// Until a client takes what is sent to it.
    pub(crate) write: Duration,
    /// Of a request's body, in bytes.
    pub(crate) body: usize,
    /// Until a path's answer begins, the request's body included. How long the answer itself takes
    /// is not limited, so event streams may last; a long poll needs a deadline of its own.
    pub(crate) deadline: fn(&str) -> Duration,
    /// Until connections end when the daemon stops.
    pub(crate) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 1024,
            new_per_second: 100,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            body: 64 << 20,
            deadline: |_| Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error(
        "listening on {0} would let other machines in; set `token_file`, `certificate` and `key` \
         under [listen], or an address of this machine such as 127.0.0.1:7878"
    )]
    Unprotected(SocketAddr),
    #[error(
        "listening on {0} would let every user of this machine in; set `token_file` under [listen]"
    )]
    NoToken(SocketAddr),
    #[error("[listen] has a `certificate` or a `key` alone; set both, or neither")]
    HalfTls,
    #[error("cannot {doing} {}: {why}", path.display())]
    Credentials {
        doing: &'static str,
        path: PathBuf,
        why: String,
    },
    #[error("cannot listen on {address}: {why}; end what listens there or set another address")]
    Address { address: SocketAddr, why: io::Error },
    #[error("cannot listen on the socket {}: {why}; set ATTUNE_HOME to another folder", path.display())]
    Socket { path: PathBuf, why: io::Error },
    #[error("{} is in the way of the daemon's socket; move it away", .0.display())]
    NoSocket(PathBuf),
    #[error(
        "a daemon of another state folder answers at {}; end it, or set ATTUNE_HOME so that each \
         has its own socket", .0.display()
    )]
    Answered(PathBuf),
}

/// Answers whoever comes through `door` with `router`, until `shutdown` holds true or its sender is
/// gone. Then nobody new is let in, requests at hand are answered, and what is still open after
/// [`Limits::drain`] is cut. Returns how many connections were cut.
pub(crate) async fn serve(
    door: Door,
    router: Router,
    limits: Limits,
    mut shutdown: watch::Receiver<bool>,
) -> usize {
    let places = Arc::new(Semaphore::new(limits.connections));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let mut rate = Rate::new(limits.new_per_second);
    let mut connections = JoinSet::new();
    let from_network = door.address().is_some();
    let terms = Terms {
        router,
        limits,
        token: door.token.clone(),
        tls: door.tls.clone(),
    };
    loop {
        let stream = tokio::select! {
            biased;
            () = stopped(&mut shutdown) => break,
            Some(_) = connections.join_next() => continue,
            accepted = door.accept() => match accepted {
                Ok(stream) => stream,
                // Gone before it was in.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    tracing::warn!(%error, "cannot let a client in");
                    sleep(WHEN_FULL).await;
                    continue;
                }
            },
        };
        let place = places.clone().try_acquire_owned();
        let in_time = !from_network || rate.admits(Instant::now());
        if let Ok(place) = place
            && in_time
        {
            let serving = connection::serve(stream, terms.clone(), shutdown.clone());
            connections.spawn(async move {
                serving.await;
                drop(place);
            });
        } else if let Ok(refusal) = refusals.clone().try_acquire_owned()
            && terms.tls.is_none()
        {
            let message = if in_time {
                format!(
                    "there are {} connections already; close some, or try again",
                    limits.connections
                )
            } else {
                format!(
                    "there were {} new connections in a second; keep them open, or try again",
                    limits.new_per_second
                )
            };
            connections.spawn(async move {
                connection::refuse(stream, &message).await;
                drop(refusal);
            });
        }
    }
    drop(door);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(limits.drain, drained).await;
    let cut = connections.len();
    connections.shutdown().await;
    cut
}

/// Until it is told to stop, or nobody is left to tell.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// An error as every error is answered: with its status, and a [`Problem`] in JSON.
pub(crate) fn problem(code: ProblemCode, message: impl std::fmt::Display) -> Response<Body> {
    let problem = Problem::new(code, message);
    let mut response = Response::new(Body::from(
        serde_json::to_string(&problem).unwrap_or_default(),
    ));
    *response.status_mut() =
        StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Lets this process open as many files as it may: every connection is one, and the usual limit is
/// the number of connections. Returns the limit; none where there is none.
pub(crate) fn raise_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// How many more connections the network may make now.
struct Rate {
    per_second: f64,
    left: f64,
    since: Option<Instant>,
}

impl Rate {
    fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Rate {
            per_second,
            left: per_second,
            since: None,
        }
    }

    fn admits(&mut self, now: Instant) -> bool {
        if let Some(since) = self.since {
            let earned = now.duration_since(since).as_secs_f64() * self.per_second;
            self.left = (self.left + earned).min(self.per_second);
        }
        self.since = Some(now);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}
