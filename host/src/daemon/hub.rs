//! Tells whoever listens what happens.
//!
//! The engine publishes after a commit, and never waits: a listener that is too slow misses events
//! and is told so, and begins anew from what is stored.

use crate::clock;
use attune_protocol::Event;
use attune_store::StudyId;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::broadcast;

/// The latest events that a listener who was away can catch up on.
const KEPT: usize = 4_096;

/// An event as it was published.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    /// Rising by one with each event, from the microsecond of the daemon's start: a later daemon's
    /// are higher.
    pub(crate) number: u64,
    /// The study it is about; none for what concerns all.
    pub(crate) study: Option<StudyId>,
    told: Arc<Told>,
}

#[derive(Debug)]
struct Told {
    event: Event,
    /// The text that all listeners share, written when the first one wants it.
    frame: OnceLock<Arc<[u8]>>,
}

impl Published {
    pub(crate) fn event(&self) -> &Event {
        &self.told.event
    }

    /// The event as it stands in a stream.
    pub(crate) fn frame(&self) -> Arc<[u8]> {
        let write = || frame(Some(self.number), self.event()).into();
        Arc::clone(self.told.frame.get_or_init(write))
    }
}

/// An event as it stands in a stream, with this number if it has one.
pub(crate) fn frame(number: Option<u64>, event: &Event) -> Vec<u8> {
    // Nothing in an event cannot be JSON, and JSON of one line needs no care in a stream.
    let json = serde_json::to_string(event).unwrap_or_default();
    let id = number.map_or_else(String::new, |number| format!("id: {number}\n"));
    format!("{id}event: {}\ndata: {json}\n\n", event.tag()).into_bytes()
}

/// Where events are published.
#[derive(Debug)]
pub(crate) struct Hub {
    sender: broadcast::Sender<Published>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Published>,
    next: u64,
}

/// What a new listener gets.
pub(crate) struct Listener {
    /// What it missed, where that is still known; otherwise it should begin with a look at
    /// everything.
    pub(crate) missed: Option<Vec<Published>>,
    /// The number of the last event before those that will be received.
    pub(crate) last: u64,
    pub(crate) events: broadcast::Receiver<Published>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Hub {
            sender: broadcast::channel(KEPT).0,
            kept: Mutex::new(Kept {
                events: VecDeque::with_capacity(KEPT),
                next: clock::unix_ms() * 1_000,
            }),
        }
    }

    pub(crate) fn publish(&self, study: Option<StudyId>, event: Event) {
        let mut kept = self.kept();
        let published = Published {
            number: kept.next,
            study,
            told: Arc::new(Told {
                event,
                frame: OnceLock::new(),
            }),
        };
        kept.next += 1;
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(published.clone());
        // Sent while the lock is held, so that nobody who begins to listen sees an event twice or
        // not at all. Without listeners there is nobody to miss it.
        let _ = self.sender.send(published);
    }

    /// Listens from now on; `after` is the last event that the listener has seen.
    pub(crate) fn listen(&self, after: Option<u64>) -> Listener {
        let kept = self.kept();
        let last = kept.next - 1;
        let missed = after.and_then(|after| {
            let first = kept.events.front().map_or(kept.next, |event| event.number);
            // A number from the future is one of an earlier daemon.
            (first - 1..=last).contains(&after).then(|| {
                let missed = kept.events.iter().filter(|event| event.number > after);
                missed.cloned().collect()
            })
        });
        Listener {
            missed,
            last,
            events: self.sender.subscribe(),
        }
    }

    /// The number of the last event.
    pub(crate) fn last(&self) -> u64 {
        self.kept().next - 1
    }

    pub(crate) fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing that can panic is done while it is held.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(text: String) -> Event {
        Event::Warning { message: text }
    }

    #[test]
    fn who_was_away_for_a_while_catches_up_and_who_was_away_too_long_is_told() {
        let hub = Hub::new();
        let start = hub.last();
        for number in 0..10 {
            hub.publish(None, warning(number.to_string()));
        }
        let listener = hub.listen(Some(start + 7));
        let missed = listener.missed.unwrap();
        let missed: Vec<u64> = missed.iter().map(|e| e.number - start).collect();
        assert_eq!((missed, listener.last - start), (vec![8, 9, 10], 10));
        assert!(hub.listen(None).missed.is_none());
        let of_another_daemon = start.saturating_sub(5_000);
        assert!(hub.listen(Some(of_another_daemon)).missed.is_none());
        assert!(
            hub.listen(Some(start + 11)).missed.is_none(),
            "from the future"
        );
        assert!(hub.listen(Some(u64::MAX)).missed.is_none());
        for number in 0..KEPT {
            hub.publish(None, warning(number.to_string()));
        }
        assert!(hub.listen(Some(start + 7)).missed.is_none());
        assert!(hub.listen(Some(start + 10)).missed.is_some());
    }
}
