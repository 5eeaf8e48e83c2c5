//! Group commit: writers that come at the same time share one sync.
//!
//! There is no thread of its own. The first writer to find nobody at work writes everything that
//! waits, its own batch among it, while later ones queue up for the next round.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::error::Error;
use crate::index::panic_text;
use crate::journal::Op;

/// Why a round of writing failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// Whether nothing can be written any more.
    pub(crate) fatal: bool,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { reason, fatal } = failure;
        if fatal {
            Self::Stopped { reason }
        } else {
            Self::NotWritten { reason }
        }
    }
}

type Outcome = Arc<OnceLock<Result<(), Failure>>>;

#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    round_ended: Condvar,
}

#[derive(Default)]
struct Waiting {
    batches: Vec<Vec<Op>>,
    outcomes: Vec<Outcome>,
    someone_writes: bool,
    stopped: Option<Failure>,
}

impl Queue {
    /// Returns once `batch` has been written by `write`, called from this thread or another one.
    /// Batches are written in the order of their calls. The queue's bound is its callers: each has
    /// one batch in it.
    pub(crate) fn commit(
        &self,
        batch: Vec<Op>,
        write: impl Fn(&[Vec<Op>]) -> Result<(), Failure>,
    ) -> Result<(), Error> {
        let outcome = Outcome::default();
        let mut waiting = hold(&self.waiting);
        waiting.batches.push(batch);
        waiting.outcomes.push(Arc::clone(&outcome));
        loop {
            if let Some(outcome) = outcome.get() {
                return outcome.clone().map_err(Error::from);
            }
            if waiting.someone_writes {
                waiting = self
                    .round_ended
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            waiting.someone_writes = true;
            let batches = std::mem::take(&mut waiting.batches);
            let outcomes = std::mem::take(&mut waiting.outcomes);
            let stopped = waiting.stopped.clone();
            drop(waiting);
            let written = match stopped {
                Some(failure) => Err(failure),
                None => {
                    catch_unwind(AssertUnwindSafe(|| write(&batches))).unwrap_or_else(|panic| {
                        Err(Failure {
                            reason: panic_text(panic.as_ref()),
                            fatal: true,
                        })
                    })
                }
            };
            waiting = hold(&self.waiting);
            if let Err(failure) = &written
                && failure.fatal
            {
                waiting.stopped = Some(failure.clone());
            }
            for outcome in outcomes {
                // Each is set once, by whoever took it out of the queue.
                let _ = outcome.set(written.clone());
            }
            waiting.someone_writes = false;
            self.round_ended.notify_all();
        }
    }
}

/// Locks, whether or not a thread that held the lock panicked: what the store's locks guard is
/// left in order at every point where it could.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn fail(fatal: bool) -> Result<(), Failure> {
        Err(Failure {
            reason: "the disk is full".to_owned(),
            fatal,
        })
    }

    #[test]
    fn writers_that_wait_share_a_round() {
        let (queue, rounds, written) = (Queue::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let write = |batches: &[Vec<Op>]| {
            // The first round does not end before all others are in the queue for the second.
            if rounds.fetch_add(1, Ordering::SeqCst) == 0 {
                while hold(&queue.waiting).batches.len() < 7 {
                    std::thread::yield_now();
                }
            }
            written.fetch_add(batches.len(), Ordering::SeqCst);
            Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| queue.commit(Vec::new(), write).unwrap());
            }
        });
        assert_eq!((rounds.into_inner(), written.into_inner()), (2, 8));
    }

    #[test]
    fn a_full_disk_fails_one_write_and_a_failed_sync_all_that_follow() {
        let queue = Queue::default();
        assert!(matches!(
            queue.commit(vec![], |_| fail(false)),
            Err(Error::NotWritten { .. })
        ));
        assert!(queue.commit(vec![], |_| Ok(())).is_ok());
        assert!(matches!(
            queue.commit(vec![], |_| fail(true)),
            Err(Error::Stopped { .. })
        ));
        assert!(matches!(
            queue.commit(vec![], |_| Ok(())),
            Err(Error::Stopped { .. })
        ));
    }

    #[test]
    fn a_panic_while_writing_stops_the_queue_and_nobody_waits_for_ever() {
        let queue = Queue::default();
        let error = queue
            .commit(vec![], |_| panic!("boom"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("boom"), "{error}");
        assert!(matches!(
            queue.commit(vec![], |_| Ok(())),
            Err(Error::Stopped { .. })
        ));
    }
}
