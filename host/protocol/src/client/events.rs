//! Events as they happen, over any number of connections.

use super::Client;
use super::call::{Door, is_of};
use super::connection::Connection;
use super::error::{Asked, ClientError};
use super::sse::{Frame, Parser};
use crate::endpoint::{self, EVENT_STREAM, HEARTBEAT};
use crate::event::{Event, EventsQuery};
use crate::problem::ProblemCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// A daemon that is silent for longer is away, whatever the connection says.
const SILENCE: Duration = HEARTBEAT.saturating_mul(3);
/// The first wait before connecting again; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait before connecting again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Of every study.
    All,
    /// Of one study, such as `s12`.
    Study(String),
}

/// What an [`EventStream`] tells.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are events")]
pub enum Notice {
    /// Something happened.
    Event {
        /// The number it has in the stream.
        id: u64,
        /// What happened.
        event: Event,
    },
    /// The daemon is away, and will be looked for until it is there again.
    Disconnected(ClientError),
    /// The daemon is there again. What happened meanwhile follows if it still knows it; to be
    /// sure, ask for the studies' summaries again.
    Reconnected,
}

/// Events, in order. It connects again by itself, from where it was.
pub struct EventStream {
    line: Line,
    state: State,
    last: Option<u64>,
    /// The wait before the next attempt to connect.
    wait: Duration,
}

/// What it takes to connect.
#[derive(Clone)]
struct Line {
    door: Arc<Door>,
    scope: Scope,
    how: EventsQuery,
    patience: Duration,
}

enum State {
    Live(Box<Live>),
    /// On its way back. The attempt is kept here so that it survives a caller who stops waiting.
    Away(Pin<Box<dyn Future<Output = Result<Live, ClientError>> + Send>>),
    Over,
}

struct Live {
    body: Incoming,
    _connection: Connection,
    parser: Parser,
    frames: VecDeque<Frame>,
    heard: Instant,
    asked: Asked,
}

impl EventStream {
    pub(super) async fn open(
        client: &Client,
        scope: Scope,
        how: EventsQuery,
        last: Option<u64>,
    ) -> Result<Self, ClientError> {
        let line = Line {
            door: Arc::clone(&client.door),
            scope,
            how,
            patience: client.patience(&endpoint::EVENTS.route),
        };
        let live = line.connect(last).await?;
        Ok(EventStream {
            line,
            state: State::Live(Box::new(live)),
            last,
            wait: FIRST_WAIT,
        })
    }

    /// The number of the last event that was told.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// What happens next. It waits for as long as nothing does, and may be dropped while it waits
    /// without a loss.
    ///
    /// Events of a kind that this version does not know are left out. An event that cannot be read
    /// is an error and the stream goes on; where the daemon refuses the stream, as when its study
    /// was deleted, the refusal is the last that is told.
    pub async fn next(&mut self) -> Option<Result<Notice, ClientError>> {
        loop {
            match &mut self.state {
                State::Over => return None,
                State::Live(live) => match live.next().await {
                    Ok(frame) => {
                        self.wait = FIRST_WAIT;
                        let id = frame.id.or(self.last);
                        self.last = id;
                        let Some(event) = event_of(&frame.data, &live.asked) else {
                            continue;
                        };
                        let id = id.unwrap_or_default();
                        return Some(event.map(|event| Notice::Event { id, event }));
                    }
                    Err(error) => {
                        self.go_away();
                        return Some(Ok(Notice::Disconnected(error)));
                    }
                },
                State::Away(attempt) => match attempt.await {
                    Ok(live) => {
                        self.state = State::Live(Box::new(live));
                        return Some(Ok(Notice::Reconnected));
                    }
                    Err(error) if is_final(&error) => {
                        self.state = State::Over;
                        return Some(Err(error));
                    }
                    Err(_) => self.go_away(),
                },
            }
        }
    }

    fn go_away(&mut self) {
        let (line, last, wait) = (self.line.clone(), self.last, self.wait);
        self.wait = (wait * 2).min(LONGEST_WAIT);
        self.state = State::Away(Box::pin(async move {
            sleep(wait).await;
            line.connect(last).await
        }));
    }
}

impl Line {
    async fn connect(&self, last: Option<u64>) -> Result<Live, ClientError> {
        let mut extra = HeaderMap::new();
        if let Some(last) = last {
            let name = HeaderName::from_static("last-event-id");
            extra.insert(name, HeaderValue::from(last));
        }
        let letter = match &self.scope {
            Scope::All => self.door.letter(&endpoint::EVENTS, &[], &self.how, extra)?,
            Scope::Study(study) => {
                self.door
                    .letter(&endpoint::STUDY_EVENTS, &[study], &self.how, extra)?
            }
        };
        let answer = timeout(self.patience, self.door.ask(&letter)).await;
        let (response, connection) =
            answer.unwrap_or_else(|_| Err(letter.asked.timeout(self.patience)))?;
        if !is_of(response.headers(), EVENT_STREAM) {
            return Err(letter.asked.bad("it is not a stream of events"));
        }
        Ok(Live {
            body: response.into_body(),
            _connection: connection,
            parser: Parser::default(),
            frames: VecDeque::new(),
            heard: Instant::now(),
            asked: letter.asked,
        })
    }
}

impl Live {
    async fn next(&mut self) -> Result<Frame, ClientError> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Ok(frame);
            }
            let piece = timeout_at(self.heard + SILENCE, self.body.frame()).await;
            let piece = piece.map_err(|_| self.asked.timeout(SILENCE))?;
            let closed = || std::io::Error::other("the daemon closed the stream");
            let piece = piece.ok_or_else(|| self.asked.io(closed()))?;
            let piece = piece.map_err(|e| self.asked.http(e))?;
            self.heard = Instant::now();
            if let Some(bytes) = piece.data_ref() {
                let frames = &mut self.frames;
                let fed = self.parser.feed(bytes, |frame| frames.push_back(frame));
                fed.map_err(|why| self.asked.bad(why))?;
            }
        }
    }
}

/// The event in a frame's data; nothing where a newer daemon tells of something new.
fn event_of(data: &str, asked: &Asked) -> Option<Result<Event, ClientError>> {
    #[derive(Deserialize)]
    struct Tag {
        event: String,
    }
    let error = match serde_json::from_str(data) {
        Ok(event) => return Some(Ok(event)),
        Err(error) => error,
    };
    match serde_json::from_str::<Tag>(data) {
        Ok(tag) if !Event::TAGS.contains(&tag.event.as_str()) => None,
        _ => Some(Err(asked.bad(format!("an event as JSON: {error}")))),
    }
}

/// Whether asking again can never help.
fn is_final(error: &ClientError) -> bool {
    use ProblemCode::*;
    let ClientError::Problem(problem) = error else {
        return false;
    };
    matches!(
        problem.code,
        Invalid | Unauthorized | NotFound | MethodNotAllowed
    )
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Live(_) => "live",
            State::Away(_) => "away",
            State::Over => "over",
        };
        f.debug_struct("EventStream")
            .field("scope", &self.line.scope)
            .field("state", &state)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
