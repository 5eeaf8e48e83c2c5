//! What is said with workers while they work: their reports, and the leases and orders that they
//! are given.
//!
//! How they come and go is in `workers`, and which trial of a study is next in `daemon/study`.

use super::State;
use super::ask::Reply;
use super::workers::Worker;
use crate::breakpoint;
use crate::daemon::not_found;
use crate::daemon::study::number;
use crate::daemon::trial::{WorkerId, check};
use attune_protocol::work::{Answer, Exchange, Lease, LeaseId, News};
use attune_store::{Id, StudyId, TrialId};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub(super) struct Waiting {
    pub(super) want: usize,
    pub(super) until: Instant,
    pub(super) reply: Reply<Answer>,
}

impl State {
    pub(super) fn exchange(&mut self, id: WorkerId, exchange: Exchange, reply: Reply<Answer>) {
        let Some(worker) = self.workers.get_mut(&id) else {
            drop(reply.send(Err(not_found(
                "no such worker is known, perhaps because it was silent for too long; ask to be \
                 hired again",
            ))));
            return;
        };
        worker.heard = Instant::now();
        if let Some(earlier) = worker.waiting.take() {
            drop(earlier.reply.send(Ok(Answer::default())));
        }
        let has_news = !exchange.reports.is_empty();
        let mut void = std::mem::take(&mut worker.void);
        for report in exchange.reports {
            let Some(trial) = trial_of(&report.lease) else {
                continue;
            };
            if let Err(why) = check(&report.news) {
                tracing::warn!(worker = id, %trial, "a report was refused: {why}");
                void.push(report.lease);
                continue;
            }
            let is_end = matches!(report.news, News::Ended(_));
            let lease = (id, report.lease.attempt);
            let taken = match self.studies.get_mut(&trial.study) {
                Some(study) => study.report(number(trial), lease, report.news, &mut self.outbox),
                None => Ok(false),
            };
            match taken {
                Ok(true) => {}
                Ok(false) => void.push(report.lease.clone()),
                Err(error) => self.break_off(trial.study, &error),
            }
            if is_end && let Some(worker) = self.workers.get_mut(&id) {
                worker.leases.retain(|held| *held != (trial, lease.1));
            }
        }
        let mut answer = Answer {
            void,
            ..Answer::default()
        };
        self.reconcile(id, &exchange.holds, &mut answer);
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let patience = match has_news || worker.closing {
            true => Duration::ZERO,
            false => {
                Duration::from_millis(exchange.patience_ms).min(self.means.limits.lease_timeout / 2)
            }
        };
        let waiting = Waiting {
            want: exchange.want.into(),
            until: Instant::now() + patience,
            reply,
        };
        self.serve(id, waiting, answer);
    }

    /// Answers a worker, now or once there is something to say.
    pub(super) fn serve(&mut self, id: WorkerId, waiting: Waiting, mut answer: Answer) {
        let mut want = waiting.want;
        while want > 0 {
            let Some(lease) = self.next_lease(id) else {
                break;
            };
            answer.leases.push(lease);
            want -= 1;
        }
        self.orders(id, &mut answer);
        let threads = self.threads_of_a_trial();
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if !worker.leases.is_empty() {
            answer.threads = threads;
            worker.idle_since = Instant::now();
        }
        let is_silent =
            answer.leases.is_empty() && answer.orders.is_empty() && answer.void.is_empty();
        if is_silent && Instant::now() < waiting.until {
            worker.waiting = Some(waiting);
        } else {
            let reply = waiting.reply;
            self.outbox.then(move || {
                if !answer.leases.is_empty() {
                    breakpoint::pass("daemon-leased");
                }
                drop(reply.send(Ok(answer)));
            });
        }
    }

    /// The cores are shared out to the workers that train.
    fn threads_of_a_trial(&self) -> u16 {
        let trains = |worker: &&Worker| !worker.leases.is_empty();
        let training = self.workers.values().filter(trains).count().max(1);
        let share = self.means.limits.cores / u16::try_from(training).unwrap_or(u16::MAX);
        share.clamp(1, self.means.limits.threads)
    }

    /// Brings what the worker says it holds and what is counted to it together.
    fn reconcile(&mut self, id: WorkerId, holds: &[LeaseId], answer: &mut Answer) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let held: BTreeSet<(TrialId, u64)> = holds
            .iter()
            .filter_map(|l| Some((trial_of(l)?, l.attempt)))
            .collect();
        for lease in holds {
            let known =
                trial_of(lease).is_some_and(|t| worker.leases.contains(&(t, lease.attempt)));
            if !known && !answer.void.contains(lease) {
                answer.void.push(lease.clone());
            }
        }
        for (trial, attempt) in &worker.leases {
            if held.contains(&(*trial, *attempt)) {
                continue;
            }
            // It never got the answer that gave it this lease.
            let again = self.studies.get(&trial.study);
            answer
                .leases
                .extend(again.and_then(|study| study.lease_again(number(*trial))));
        }
    }

    fn orders(&mut self, id: WorkerId, answer: &mut Answer) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        for (trial, attempt) in &worker.leases {
            let study = self.studies.get_mut(&trial.study);
            if let Some(trial_now) = study.and_then(|study| study.trials.get_mut(&number(*trial))) {
                trial_now.order(&lease_id((*trial, *attempt)), answer);
            }
        }
    }

    /// A lease for this worker, where there is one: of the study that has the fewest trials in
    /// training for the number it may have.
    fn next_lease(&mut self, id: WorkerId) -> Option<Lease> {
        if self.stopping_since.is_some() || self.workers.get(&id)?.closing {
            return None;
        }
        loop {
            let mut by_need: Vec<(usize, usize, StudyId)> = Vec::new();
            for (study_id, study) in &self.studies {
                let own = self.leases_of(id, *study_id);
                let others = self.workers.iter().filter(|(worker, _)| **worker != id);
                let busy = others
                    .filter(|(_, worker)| holds_of(worker, *study_id) > 0)
                    .count();
                if busy < study.parallel() && own < study.most_leases() {
                    by_need.push((busy * 1_000 / study.parallel(), own, *study_id));
                }
            }
            by_need.sort_unstable();
            let mut found = None;
            for (_, _, study_id) in by_need {
                let study = self.studies.get(&study_id)?;
                let is_busy = |other: WorkerId| {
                    self.workers
                        .get(&other)
                        .is_none_or(|worker| !worker.leases.is_empty())
                };
                if let Some(trial) = study.next_for(id, is_busy) {
                    found = Some((study_id, trial));
                    break;
                }
            }
            let (study_id, trial) = found?;
            if self.refuse_quarantined(study_id, trial) {
                continue;
            }
            let attempt = self.next_attempt;
            let study = self.studies.get_mut(&study_id)?;
            let lease = study.lease(trial, id, attempt, &mut self.outbox)?;
            self.next_attempt += 1;
            self.workers
                .get_mut(&id)?
                .leases
                .push((study.trial_id(trial), attempt));
            return Some(lease);
        }
    }

    fn leases_of(&self, id: WorkerId, study: StudyId) -> usize {
        self.workers
            .get(&id)
            .map_or(0, |worker| holds_of(worker, study))
    }
}

pub(super) fn lease_id((trial, attempt): (TrialId, u64)) -> LeaseId {
    LeaseId {
        trial: trial.to_string(),
        attempt,
    }
}

pub(super) fn trial_of(lease: &LeaseId) -> Option<TrialId> {
    match lease.trial.parse() {
        Ok(Id::Trial(id)) => Some(id),
        _ => None,
    }
}

fn holds_of(worker: &Worker, study: StudyId) -> usize {
    worker
        .leases
        .iter()
        .filter(|(trial, _)| trial.study == study)
        .count()
}
