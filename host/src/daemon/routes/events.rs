//! The stream of events that whoever watches reads: what it missed, or how things stand, and then all
//! that happens.
//!
//! An event is written as text once, however many listen. What comes together while a listener rests
//! is sent to it in one piece, and the more listen the longer each rests: a crowd costs about as much
//! as a few, and what it costs is not taken from the trials.
//!
//! Who asks for a pace, or for studies only, is told less: what a [`Digest`] comes to.

use super::House;
use super::answer::Refusal;
use super::digest::Digest;
use super::extract::within;
use crate::convert::{self, Census};
use crate::daemon::hub::{Hub, Published, frame};
use attune_protocol::endpoint::{EVENT_STREAM, HEARTBEAT};
use attune_protocol::{Event, EventsQuery, StudySummary, TrialSummary};
use attune_store::{Store, StudyId};
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long a listener rests after it was sent something, for each that listens; and at the most.
const REST_EACH: Duration = Duration::from_micros(500);
const LONGEST_REST: Duration = Duration::from_millis(500);

/// No piece is longer than this and one more event, in bytes.
const PIECE: usize = 64 << 10;

/// A comment, which says that nothing has happened.
const SILENCE: &[u8] = b":\n\n";

/// The longest time between two events of a stream that is told at a pace, in milliseconds.
const LONGEST_PACE: u32 = 60_000;

/// How often such a stream takes in what has come meanwhile: often enough that it hardly ever is more
/// than what is kept for a listener.
const GLANCE: Duration = Duration::from_millis(100);

/// Events of one study or of all, after the one with this number, for as long as the daemon runs.
pub(super) fn stream(
    house: &House,
    of: Option<StudyId>,
    how: EventsQuery,
    after: Option<u64>,
) -> Result<Response, Refusal> {
    let pace = how
        .pace_ms
        .map(|pace| within("pace_ms", pace, 1..=LONGEST_PACE));
    let pace = pace.transpose()?.map(u64::from).map(Duration::from_millis);
    let stream = Stream {
        hub: Arc::clone(&house.hub),
        store: Arc::clone(&house.store),
        closing: house.closing.clone(),
        of,
        after,
        pace,
        digest: (how != EventsQuery::default()).then(|| Digest::new(how)),
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
    Ok((head, Body::from_stream(pieces)).into_response())
}

struct Stream {
    hub: Arc<Hub>,
    store: Arc<Store>,
    closing: watch::Receiver<bool>,
    of: Option<StudyId>,
    /// The last event that it knows.
    after: Option<u64>,
    pace: Option<Duration>,
    /// What is not told as it happens; none where everything is.
    digest: Option<Digest>,
    /// None where it has to begin, or begin anew.
    events: Option<Receiver<Published>>,
    rests_until: Instant,
}

/// What a listener is told first.
enum Beginning {
    Missed(Vec<Published>),
    /// How things stand after the event with this number.
    Standing(u64, Vec<Event>),
}

impl Stream {
    /// The next piece of text; nothing once the daemon stops.
    async fn next(&mut self) -> Option<Bytes> {
        let mut closing = self.closing.clone();
        let piece = tokio::select! {
            piece = self.piece() => piece?,
            _ = closing.wait_for(|closing| *closing) => return None,
        };
        if piece != SILENCE {
            let listeners = u32::try_from(self.hub.listeners()).unwrap_or(u32::MAX);
            let rest = REST_EACH.saturating_mul(listeners).min(LONGEST_REST);
            self.rests_until = Instant::now() + self.pace.unwrap_or_default().max(rest);
        }
        Some(piece)
    }

    async fn piece(&mut self) -> Option<Bytes> {
        match self.digest.take() {
            None => self.everything().await,
            Some(mut digest) => {
                let piece = self.digested(&mut digest).await;
                self.digest = Some(digest);
                piece
            }
        }
    }

    /// What has happened, in the texts that all listeners share.
    async fn everything(&mut self) -> Option<Bytes> {
        let silent_until = Instant::now() + HEARTBEAT;
        sleep_until(self.rests_until).await;
        let mut piece = Vec::new();
        loop {
            let Some(events) = &mut self.events else {
                match self.begin().await {
                    Beginning::Missed(missed) => {
                        let frames = missed.iter().map(Published::frame);
                        frames.for_each(|frame| piece.extend_from_slice(&frame));
                    }
                    Beginning::Standing(number, events) => {
                        let frames = events.iter().map(|event| frame(Some(number), event));
                        frames.for_each(|frame| piece.extend_from_slice(&frame));
                    }
                }
                if !piece.is_empty() {
                    return Some(piece.into());
                }
                continue;
            };
            let received = match piece.is_empty() {
                true => match timeout_at(silent_until, events.recv()).await {
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
                Err(RecvError::Lagged(_)) => self.begin_anew(),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// What a digest comes to when it is time to tell it.
    async fn digested(&mut self, digest: &mut Digest) -> Option<Bytes> {
        let silent_until = Instant::now() + HEARTBEAT;
        loop {
            let Some(events) = &mut self.events else {
                match self.begin().await {
                    Beginning::Missed(missed) => {
                        let missed = missed.iter();
                        missed.for_each(|missed| digest.add(missed.number, missed.event()));
                    }
                    Beginning::Standing(number, events) => {
                        events.iter().for_each(|event| digest.add(number, event));
                    }
                }
                continue;
            };
            let received = match digest.is_empty() {
                true => match timeout_at(silent_until, events.recv()).await {
                    Ok(received) => received,
                    Err(_) => return Some(Bytes::from_static(SILENCE)),
                },
                false => match events.try_recv() {
                    Ok(published) => Ok(published),
                    Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
                    Err(TryRecvError::Closed) => return None,
                    Err(TryRecvError::Empty) => {
                        let now = Instant::now();
                        if now >= self.rests_until {
                            return Some(digest.text().into());
                        }
                        if now >= silent_until {
                            return Some(Bytes::from_static(SILENCE));
                        }
                        let until = self.rests_until.min(silent_until);
                        sleep_until(until.min(now + GLANCE)).await;
                        continue;
                    }
                },
            };
            match received {
                Ok(published) if is_of(&published, self.of) => {
                    digest.add(published.number, published.event());
                    if digest.is_full() {
                        return Some(digest.text().into());
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.begin_anew(),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Too slow: it is told how things stand.
    fn begin_anew(&mut self) {
        self.after = None;
        self.events = None;
    }

    async fn begin(&mut self) -> Beginning {
        let listener = self.hub.listen(self.after);
        self.events = Some(listener.events);
        match listener.missed {
            Some(mut missed) => {
                missed.retain(|missed| is_of(missed, self.of));
                Beginning::Missed(missed)
            }
            None => {
                let (store, of) = (Arc::clone(&self.store), self.of);
                let standing = tokio::task::spawn_blocking(move || standing(&store, of)).await;
                // What cannot be read now is told as it changes.
                let standing = standing.ok().and_then(Result::ok).unwrap_or_default();
                Beginning::Standing(listener.last, standing)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::{study, trial};

    struct Ground {
        _folder: tempfile::TempDir,
        hub: Arc<Hub>,
        stream: Stream,
        _close: watch::Sender<bool>,
    }

    /// A listener to one study, or to all, in a daemon that has none stored.
    fn listener(of: Option<StudyId>, pace_ms: Option<u32>) -> Ground {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), "a test").unwrap();
        let hub = Arc::new(Hub::new());
        let (close, closing) = watch::channel(false);
        let how = EventsQuery {
            pace_ms,
            studies_only: false,
        };
        Ground {
            stream: Stream {
                hub: Arc::clone(&hub),
                store: Arc::new(store),
                closing,
                of,
                after: Some(hub.last()),
                pace: pace_ms.map(|pace| Duration::from_millis(pace.into())),
                digest: pace_ms.map(|_| Digest::new(how)),
                events: None,
                rests_until: Instant::now(),
            },
            hub,
            _folder: folder,
            _close: close,
        }
    }

    fn warn(hub: &Hub, message: &str) {
        hub.publish(
            None,
            Event::Warning {
                message: message.to_owned(),
            },
        );
    }

    async fn text(stream: &mut Stream) -> String {
        String::from_utf8(stream.next().await.unwrap().to_vec()).unwrap()
    }

    /// A client takes a stream that is silent for dead.
    #[tokio::test(start_paused = true)]
    async fn a_listener_is_told_that_nothing_happens_though_something_does_elsewhere() {
        for pace in [None, Some(500)] {
            let Ground {
                hub,
                mut stream,
                _folder,
                _close,
            } = listener(Some(StudyId(1)), pace);
            let busy = tokio::spawn(async move {
                loop {
                    hub.publish(
                        Some(StudyId(2)),
                        Event::Warning {
                            message: String::new(),
                        },
                    );
                    tokio::time::sleep(Duration::from_millis(900)).await;
                }
            });
            let began = Instant::now();
            assert_eq!(text(&mut stream).await.as_bytes(), SILENCE);
            assert_eq!(began.elapsed().as_secs(), HEARTBEAT.as_secs());
            busy.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_together_is_told_once_in_a_pace() {
        let Ground {
            hub,
            mut stream,
            _folder,
            _close,
        } = listener(None, Some(40_000));
        let first = hub.last() + 1;
        warn(&hub, "a");
        let piece = text(&mut stream).await;
        assert!(piece.starts_with(&format!("id: {first}\n")), "{piece}");
        let began = Instant::now();
        let (summary, one) = (study(&[]).study, trial("s1.1"));
        for _ in 0..3 {
            let (study, trial) = (summary.clone(), one.clone());
            hub.publish(Some(StudyId(1)), Event::TrialEnded { trial, study });
        }
        // Twice within the pace it says that it lives.
        for _ in 0..2 {
            assert_eq!(text(&mut stream).await.as_bytes(), SILENCE);
        }
        warn(&hub, "b");
        let piece = text(&mut stream).await;
        assert_eq!(began.elapsed().as_secs(), 40);
        let kinds: Vec<&str> = piece
            .lines()
            .filter_map(|l| l.strip_prefix("event: "))
            .collect();
        assert_eq!(kinds, ["trial_changed", "study_changed", "warning"]);
        let ids: Vec<&str> = piece
            .lines()
            .filter_map(|l| l.strip_prefix("id: "))
            .collect();
        assert_eq!(ids, [(first + 4).to_string()]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_fell_behind_at_a_pace_loses_nothing_that_it_had_not_been_told() {
        let Ground {
            hub,
            mut stream,
            _folder,
            _close,
        } = listener(None, Some(500));
        warn(&hub, "first");
        text(&mut stream).await;
        warn(&hub, "before");
        let told = tokio::join!(text(&mut stream), async {
            // It has taken the one in, and then there is too much for it.
            tokio::time::sleep(Duration::from_millis(50)).await;
            for _ in 0..10_000 {
                hub.publish(
                    Some(StudyId(1)),
                    Event::TrialChanged {
                        trial: trial("s1.1"),
                    },
                );
            }
        });
        let last = hub.last();
        assert!(told.0.contains("before"), "{}", told.0);
        // How things stand is told from the last event on: nothing is stored here.
        warn(&hub, "after");
        let piece = text(&mut stream).await;
        assert!(piece.starts_with(&format!("id: {}\n", last + 1)), "{piece}");
    }
}
