//! Worker processes: how they are started, hired, and mourned.
//!
//! What is said with them while they work is in `exchange`.

use super::State;
use super::exchange::{Waiting, trial_of};
use crate::daemon::staff::Gone;
use crate::daemon::study::{Study, number};
use attune_protocol::work::{Hired, LeaseId, NewWorker};
use attune_store::TrialId;
use std::time::{Duration, Instant};

/// How long workers are kept that nobody needs.
const KEEP_WARM: Duration = Duration::from_secs(60);

/// No daemon starts more workers; if one did, some numbers would be those of the next one's.
pub(super) const WORKERS_A_BOOT: u64 = 10_000;

/// A worker process.
pub(super) struct Worker {
    pub(super) pid: u32,
    pub(super) heard: Instant,
    /// The leases it has, in the order in which it was given them.
    pub(super) leases: Vec<(TrialId, u64)>,
    pub(super) void: Vec<LeaseId>,
    /// An exchange that waits for something to say.
    pub(super) waiting: Option<Waiting>,
    pub(super) idle_since: Instant,
    /// It was told to end.
    pub(super) closing: bool,
}

impl State {
    pub(super) fn hire(&mut self, new: &NewWorker) -> Hired {
        let id = match new.id.filter(|id| self.starting.remove(id).is_some()) {
            Some(id) => id,
            None => {
                let id = self.next_worker;
                self.next_worker += 1;
                id
            }
        };
        self.failed_starts = 0;
        let now = Instant::now();
        self.workers.insert(
            id,
            Worker {
                pid: new.pid,
                heard: now,
                leases: Vec::new(),
                void: Vec::new(),
                waiting: None,
                idle_since: now,
                closing: false,
            },
        );
        Hired {
            id,
            heartbeat_ms: self.heartbeat().as_millis() as u64,
        }
    }

    /// Starts workers where there is work for them, and lets those go that nobody needs.
    pub(super) fn staff_up(&mut self) {
        let wanted = self.studies.values().filter(|study| study.halt.is_none());
        let wanted = wanted.map(Study::parallel).max().unwrap_or(0);
        let wanted = wanted.min(self.means.limits.workers.unwrap_or(usize::MAX));
        let now = Instant::now();
        let there = self.workers.len() + self.starting.len();
        if there < wanted && now >= self.hire_after && self.stopping_since.is_none() {
            for _ in there..wanted {
                let id = self.next_worker;
                self.next_worker += 1;
                match self.means.staff.start(id) {
                    Ok(()) => {
                        self.starting.insert(id, now);
                    }
                    Err(error) => {
                        self.hire_after = now + Duration::from_secs(5);
                        self.warnings = vec![format!("cannot start a worker: {error:#}")];
                        tracing::error!(error = format!("{error:#}"), "cannot start a worker");
                        break;
                    }
                }
            }
        }
        let is_stopping = self.stopping_since.is_some();
        for (id, worker) in &mut self.workers {
            let is_idle = worker.leases.is_empty()
                && now.duration_since(worker.idle_since) > KEEP_WARM
                && wanted == 0;
            if (is_idle || (is_stopping && worker.leases.is_empty())) && !worker.closing {
                worker.closing = true;
                self.means.staff.close(*id);
            }
        }
        if self.studies.is_empty() && self.means.hub.listeners() == 0 {
            // Somebody may still want something soon.
            if self
                .means
                .limits
                .idle_exit
                .is_some_and(|idle| now.duration_since(self.idle_since) > idle)
                && !is_stopping
            {
                tracing::info!("nothing to do for a while, so the daemon ends");
                self.stop();
            }
        } else {
            self.idle_since = now;
        }
    }

    /// A worker is gone: its trials go back to the queue, and the one it died in is blamed.
    pub(super) fn gone(&mut self, gone: &Gone) {
        if self.starting.remove(&gone.id).is_some() {
            self.failed_starts += 1;
            let pause = Duration::from_secs(1 << self.failed_starts.min(6));
            self.hire_after = Instant::now() + pause;
            let warning = format!("a worker ended before it was ready: {}", gone.how);
            tracing::error!(worker = gone.id, how = %gone.how, "{warning}");
            self.warnings = vec![warning];
            return;
        }
        let Some(worker) = self.workers.remove(&gone.id) else {
            return;
        };
        tracing::info!(worker = gone.id, pid = worker.pid, how = %gone.how, "a worker is gone");
        for study in self.studies.values_mut() {
            study.forget_worker(gone.id);
        }
        // One that was told to end is not blamed on anybody.
        let culprit = match worker.closing {
            true => None,
            false => gone.culprit.as_ref().and_then(trial_of),
        };
        // It may have died as it let go of a trial that it had no lease of any more.
        let mut is_strike = culprit.is_some_and(|id| worker.leases.iter().all(|(t, _)| *t != id));
        for (trial, _) in worker.leases {
            let blame = (culprit == Some(trial)).then_some(gone.how.as_str());
            is_strike |= self.lose(trial, blame);
        }
        if let (true, Some(trial), Some(library)) = (is_strike, culprit, &gone.library) {
            self.strike(&library.hash, &library.path, trial, &gone.how);
        }
    }

    /// A trial's worker is gone. Says whether the trial is given up.
    pub(super) fn lose(&mut self, id: TrialId, blame: Option<&str>) -> bool {
        let Some(study) = self.studies.get_mut(&id.study) else {
            return false;
        };
        study
            .lost(number(id), blame, &mut self.outbox)
            .unwrap_or_else(|error| {
                self.break_off(id.study, &error);
                false
            })
    }

    fn heartbeat(&self) -> Duration {
        (self.means.limits.lease_timeout / 10)
            .clamp(Duration::from_millis(100), Duration::from_secs(1))
    }
}
