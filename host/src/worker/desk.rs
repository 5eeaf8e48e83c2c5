//! What lies between the two sides of a worker: leases that wait, and what is ordered of the one in
//! training.

use super::pace::Pace;
use attune_protocol::Steer;
use attune_protocol::work::{Brief, Lease, LeaseId};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most orders that wait for one lease: a person gives them, one at a time.
const MOST_ORDERS: usize = 64;

/// A lease with what must be known of its study.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) lease: Lease,
    pub(crate) brief: Arc<Brief>,
}

/// What is to be done with the lease in training.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    /// Lay it down.
    LayDown,
    /// Let go of it, silently.
    Drop,
    /// Take the wheel. The brief knows the scheduler that is to be put there.
    Steer(Steer, Arc<Brief>),
}

/// What the training thread does next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Train this.
    Train(Job),
    /// Let go of this trial, of which nothing more will be asked.
    Forget(String),
}

/// Where a lease was when it was to be laid down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Was {
    /// Waiting; it is not here any more.
    Waiting,
    /// In training: its end comes.
    InTraining,
    /// Elsewhere.
    Gone,
}

/// The desk.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    papers: Mutex<Papers>,
    arrived: Condvar,
    interrupt: AtomicBool,
}

#[derive(Debug, Default)]
struct Papers {
    waiting: VecDeque<(Job, Vec<Wish>)>,
    in_training: Option<LeaseId>,
    wishes: Vec<Wish>,
    forget: VecDeque<String>,
    pace: Pace,
}

// The side that speaks with the daemon.
impl Desk {
    /// A lease, to be trained after all others.
    pub(crate) fn push(&self, job: Job) {
        self.papers().waiting.push_back((job, Vec::new()));
        self.arrived.notify_one();
    }

    /// Lays a lease down. One that waits is simply taken away.
    pub(crate) fn lay_down(&self, lease: &LeaseId) -> Was {
        let mut papers = self.papers();
        if papers.take_waiting(lease) {
            Was::Waiting
        } else if papers.in_training.as_ref() == Some(lease) {
            self.wish(&mut papers, Wish::LayDown);
            Was::InTraining
        } else {
            Was::Gone
        }
    }

    /// Lets go of a lease and of its trial.
    pub(crate) fn drop_lease(&self, lease: &LeaseId) {
        let mut papers = self.papers();
        if papers.in_training.as_ref() == Some(lease) {
            // Whatever else was wanted, it is somebody else's trial now, or nobody's.
            papers.wishes.clear();
            self.wish(&mut papers, Wish::Drop);
        } else {
            papers.take_waiting(lease);
            papers.forget.push_back(lease.trial.clone());
            self.arrived.notify_one();
        }
    }

    /// Takes the wheel of a lease at its next step; false where it is not here or too much is
    /// ordered of it already.
    pub(crate) fn steer(&self, lease: &LeaseId, steer: Steer, brief: Arc<Brief>) -> bool {
        let mut papers = self.papers();
        let wish = Wish::Steer(steer, brief);
        if papers.in_training.as_ref() == Some(lease) {
            let taken = papers.wishes.len() < MOST_ORDERS;
            if taken {
                self.wish(&mut papers, wish);
            }
            return taken;
        }
        let mut waiting = papers.waiting.iter_mut();
        match waiting.find(|(job, _)| job.lease.id == *lease) {
            Some((_, wishes)) if wishes.len() < MOST_ORDERS => {
                wishes.push(wish);
                true
            }
            _ => false,
        }
    }

    /// How many more leases to ask for.
    pub(crate) fn want(&self) -> u16 {
        let papers = self.papers();
        let in_training = papers.in_training.is_some();
        papers.pace.want(papers.waiting.len(), in_training)
    }

    fn wish(&self, papers: &mut Papers, wish: Wish) {
        papers.wishes.push(wish);
        self.interrupt.store(true, Ordering::Relaxed);
    }
}

// The side that trains.
impl Desk {
    /// Waits for something to do.
    pub(crate) fn next(&self) -> Next {
        let mut papers = self.papers();
        loop {
            // First what is not needed, since it takes memory.
            if let Some(trial) = papers.forget.pop_front() {
                return Next::Forget(trial);
            }
            if let Some((job, wishes)) = papers.waiting.pop_front() {
                papers.in_training = Some(job.lease.id.clone());
                self.interrupt.store(!wishes.is_empty(), Ordering::Relaxed);
                papers.wishes = wishes;
                return Next::Train(job);
            }
            papers = self
                .arrived
                .wait(papers)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The flag that ends training before its next step: where somebody wants something, or the
    /// training thread itself does.
    pub(crate) fn interrupt(&self) -> &AtomicBool {
        &self.interrupt
    }

    /// What was ordered since this was last asked; the flag is down again.
    pub(crate) fn wishes(&self) -> Vec<Wish> {
        let mut papers = self.papers();
        self.interrupt.store(false, Ordering::Relaxed);
        std::mem::take(&mut papers.wishes)
    }

    /// The lease in training is not any more, after so long.
    pub(crate) fn done(&self, took: Duration) {
        let mut papers = self.papers();
        let lease = papers.in_training.take();
        papers.pace.took(took);
        let wishes = std::mem::take(&mut papers.wishes);
        // Too late to let go of the lease, but not of its trial.
        if let Some(lease) = lease
            && wishes.iter().any(|wish| matches!(wish, Wish::Drop))
        {
            papers.forget.push_back(lease.trial);
        }
    }

    fn papers(&self) -> MutexGuard<'_, Papers> {
        // Each change is made of calls that cannot panic half-way.
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Papers {
    fn take_waiting(&mut self, lease: &LeaseId) -> bool {
        let at = self
            .waiting
            .iter()
            .position(|(job, _)| job.lease.id == *lease);
        at.and_then(|at| self.waiting.remove(at)).is_some()
    }
}
