//! The stream of events that whoever watches reads: what it missed, or how things stand, and then all
//! that happens.
//!
//! An event is written as text once, however many listen. What comes together while a listener rests
//! is sent to it in one piece, and the more listen the longer each rests: a crowd costs about as much
//! as a few, and what it costs is not taken from the trials.

use super::House;
use crate::convert::{self, Census};
use crate::daemon::hub::{Published, frame};
use attune_protocol::endpoint::{EVENT_STREAM, HEARTBEAT};
use attune_protocol::{Event, StudySummary, TrialSummary};
use attune_store::{Store, StudyId};
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep_until, timeout};

/// How long a listener rests after it was sent something, for each that listens; and at the most.
const REST_EACH: Duration = Duration::from_micros(500);
const LONGEST_REST: Duration = Duration::from_millis(500);

/// No piece is longer than this and one more event, in bytes.
const PIECE: usize = 64 << 10;

/// A comment, which says that nothing has happened.
const SILENCE: &[u8] = b":\n\n";

/// Events of one study or of all, after the one with this number, for as long as the daemon runs.
pub(super) fn stream(house: Arc<House>, of: Option<StudyId>, after: Option<u64>) -> Response {
    let stream = Stream {
        house,
        of,
        after,
        events: None,
        rests_until: Instant::now(),
    };
    let pieces = futures_util::stream::unfold(stream, |mut stream| async move {
        let piece = stream.next().await?;
        Some((Ok::<_, Infallible>(piece), stream))
    });
    let head = [
        (header::CONTENT_TYPE, EVENT_STREAM),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (head, Body::from_stream(pieces)).into_response()
}

struct Stream {
    house: Arc<House>,
    of: Option<StudyId>,
    /// The last event that it knows.
    after: Option<u64>,
    /// None where it has to begin, or begin anew.
    events: Option<Receiver<Published>>,
    rests_until: Instant,
}

impl Stream {
    /// The next piece of text; nothing once the daemon stops.
    async fn next(&mut self) -> Option<Bytes> {
        let mut closing = self.house.closing.clone();
        let piece = tokio::select! {
            piece = self.piece() => piece?,
            _ = closing.wait_for(|closing| *closing) => return None,
        };
        let listeners = u32::try_from(self.house.hub.listeners()).unwrap_or(u32::MAX);
        let rest = REST_EACH.saturating_mul(listeners).min(LONGEST_REST);
        self.rests_until = Instant::now() + rest;
        Some(piece)
    }

    async fn piece(&mut self) -> Option<Bytes> {
        sleep_until(self.rests_until).await;
        let mut piece = Vec::new();
        loop {
            let Some(events) = &mut self.events else {
                self.begin(&mut piece).await;
                if !piece.is_empty() {
                    return Some(piece.into());
                }
                continue;
            };
            let received = match piece.is_empty() {
                true => match timeout(HEARTBEAT, events.recv()).await {
                    Ok(received) => received,
                    Err(_) => return Some(Bytes::from_static(SILENCE)),
                },
                false => match events.try_recv() {
                    Ok(published) => Ok(published),
                    Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
                    Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(piece.into()),
                },
            };
            match received {
                Ok(published) if is_of(&published, self.of) => {
                    if piece.is_empty() && events.is_empty() {
                        // As mostly: nothing has come together.
                        return Some(Bytes::from_owner(published.frame()));
                    }
                    piece.extend_from_slice(&published.frame());
                    if piece.len() > PIECE {
                        return Some(piece.into());
                    }
                }
                Ok(_) => {}
                // Too slow: it begins anew from how things stand.
                Err(RecvError::Lagged(_)) => {
                    self.after = None;
                    self.events = None;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    async fn begin(&mut self, piece: &mut Vec<u8>) {
        let listener = self.house.hub.listen(self.after);
        self.events = Some(listener.events);
        match listener.missed {
            Some(missed) => {
                let missed = missed.iter().filter(|missed| is_of(missed, self.of));
                missed.for_each(|missed| piece.extend_from_slice(&missed.frame()));
            }
            None => {
                let (store, of) = (Arc::clone(&self.house.store), self.of);
                let standing = tokio::task::spawn_blocking(move || standing(&store, of)).await;
                // What cannot be read now is told as it changes.
                for event in standing.ok().and_then(Result::ok).unwrap_or_default() {
                    piece.extend_from_slice(&frame(listener.last, &event));
                }
            }
        }
    }
}

fn is_of(published: &Published, of: Option<StudyId>) -> bool {
    of.is_none() || published.study.is_none() || published.study == of
}

/// How things stand, as events: for who begins to listen.
fn standing(store: &Store, of: Option<StudyId>) -> Result<Vec<Event>, attune_store::Error> {
    let mut events = Vec::new();
    for (id, record) in store.list_studies()? {
        if of.is_some_and(|of| of != id) {
            continue;
        }
        let is_over = record.ended_unix_ms.is_some();
        if is_over && of.is_none() {
            continue;
        }
        let notes = store.notes(id)?;
        let (mut census, mut open) = (Census::of(id, &record), Vec::new());
        store.each_trial(id, |id, trial| {
            census.count(id, &trial);
            if trial.ended_unix_ms.is_none() {
                open.push(TrialSummary {
                    note: convert::note(notes.trials.get(&id.number)),
                    ..convert::trial(id, &trial, &record.metric)
                });
            }
        })?;
        let study = StudySummary {
            note: convert::note(notes.study.as_ref()),
            ..census.summary()
        };
        events.push(Event::StudyStarted {
            study: study.clone(),
        });
        events.extend(open.into_iter().map(|trial| Event::TrialStarted { trial }));
        if is_over {
            events.push(Event::StudyEnded { study });
        }
    }
    Ok(events)
}
