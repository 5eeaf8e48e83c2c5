//! What time alone brings: silent workers are given up, budgets are spent, checkpoints become too
//! many.

use super::State;
use super::exchange::lease_id;
use crate::daemon::checkpoints;
use crate::daemon::staff::Gone;
use crate::daemon::study::Halt;
use crate::daemon::trial::{WorkerId, file};
use std::time::{Duration, Instant};

/// How long workers have to lay down their work when the daemon stops.
const LAY_DOWN_WITHIN: Duration = Duration::from_secs(10);

impl State {
    pub(super) fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        let timeout = self.means.limits.lease_timeout;
        let silent: Vec<WorkerId> = self
            .workers
            .iter()
            .filter(|(_, worker)| {
                now.duration_since(worker.heard) > timeout && worker.waiting.is_none()
            })
            .map(|(id, _)| *id)
            .collect();
        for id in silent {
            // Its end is told by whoever watches its process, if it is one of ours; if not, now.
            self.means.staff.kill(id);
            let culprit = self
                .workers
                .get(&id)
                .and_then(|worker| worker.leases.first());
            self.gone(&Gone {
                id,
                how: format!(
                    "it was silent for {} seconds and was given up",
                    timeout.as_secs()
                ),
                culprit: culprit.copied().map(lease_id),
                library: None,
            });
        }
        for study in self.studies.values_mut() {
            study.count_time(&mut self.outbox);
            if study.halt.is_none() && study.time_left() == Some(Duration::ZERO) {
                study.come_to_a_halt(Halt::Budget);
            }
            study.give_up_steering(now, &mut self.outbox);
        }
        if self
            .stopping_since
            .is_some_and(|since| now.duration_since(since) > LAY_DOWN_WITHIN)
        {
            // Whoever has not laid down its work goes on from its last checkpoint.
            for (id, worker) in std::mem::take(&mut self.workers) {
                self.means.staff.kill(id);
                for (trial, _) in worker.leases {
                    self.lose(trial, None);
                }
            }
        }
        self.keep_checkpoints_within_budget(now);
    }

    fn keep_checkpoints_within_budget(&mut self, now: Instant) {
        let due = self
            .counted_at
            .is_none_or(|at| now.duration_since(at) > Duration::from_secs(10));
        if !due {
            return;
        }
        self.counted_at = Some(now);
        self.checkpoint_bytes = checkpoints::bytes(&self.means.checkpoints);
        if self.checkpoint_bytes <= self.means.limits.checkpoint_budget {
            return;
        }
        let too_much = self.checkpoint_bytes - self.means.limits.checkpoint_budget;
        let collected = checkpoints::collect(&self.means.store, too_much, |id| {
            self.studies.contains_key(&id)
        });
        match collected {
            Ok(collected) => {
                if !collected.is_empty() {
                    // What is left is counted once the files are gone.
                    self.counted_at = None;
                }
                for (id, record, steps) in collected {
                    let folder = self.means.checkpoints.join(id.study.to_string());
                    for step in steps {
                        self.outbox
                            .delete(file::checkpoint(&folder, id.number, step));
                    }
                    self.outbox.put_trial(id, &record);
                }
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "cannot collect checkpoints")
            }
        }
    }
}
