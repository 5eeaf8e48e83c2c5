//! What is told of a study: what it does, how its trials fare, and how they are counted.

use super::Study;
use super::halt::Halt;
use super::method::searched_direction;
use super::verdicts::{best_value, better};
use crate::convert;
use crate::daemon::trial::Trial;
use attune_protocol::{StudySummary, TrialCounts, TrialSummary};
use attune_search::TrialNumber;
use attune_store::TrialState;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    done: u32,
    stopped: u32,
    diverged: u32,
    failed: u32,
}

impl Tally {
    pub(super) fn count(&mut self, state: TrialState) {
        match state {
            TrialState::Done => self.done += 1,
            TrialState::Stopped => self.stopped += 1,
            TrialState::Diverged => self.diverged += 1,
            TrialState::Failed => self.failed += 1,
            _ => {}
        }
    }
}

impl Study {
    /// What it does or waits for, in a sentence.
    pub(in crate::daemon) fn doing(&self) -> String {
        let count = |state: fn(&Trial) -> bool| self.trials.values().filter(|t| state(t)).count();
        let training = count(|trial| trial.lease.is_some());
        let paused = count(|trial| trial.paused && trial.lease.is_none());
        let ready = count(Trial::is_ready);
        let deciding = count(|trial| trial.until.is_none());
        if let Some(halt) = &self.halt {
            let why = match halt {
                Halt::Paused(why) | Halt::Stopped(why) => why.as_str(),
                Halt::Budget => "its time budget is spent",
                Halt::Shutdown => "the daemon stops",
            };
            let training = trials(training);
            return format!("comes to a halt ({why}): {training} still to be laid down");
        }
        if training > 0 {
            let mut doing = format!("trains {}", trials(training));
            if ready > 0 {
                doing.push_str(&format!(", {ready} more wait for a worker"));
            }
            if deciding > 0 {
                doing.push_str(&format!(
                    ", {deciding} wait at a rung for others to get there"
                ));
            }
            return doing;
        }
        match (ready, paused) {
            (0, 0) => "is about to end".into(),
            (0, _) => {
                let held: Vec<String> = self
                    .trials
                    .iter()
                    .filter(|(_, trial)| trial.paused)
                    .map(|(number, _)| self.trial_id(*number).to_string())
                    .collect();
                format!(
                    "waits for paused trials whose turn it is; `attune resume {}`",
                    held.first().map_or("", String::as_str)
                )
            }
            (ready, _) => format!("waits for workers to take {}", trials(ready)),
        }
    }

    pub(in crate::daemon) fn training(&self) -> u32 {
        self.trials
            .values()
            .filter(|trial| trial.lease.is_some())
            .count() as u32
    }

    /// Trials that wait for a worker.
    pub(in crate::daemon) fn queued(&self) -> u32 {
        self.trials
            .values()
            .filter(|trial| trial.is_ready())
            .count() as u32
    }

    pub(in crate::daemon) fn trial_summary(&self, number: TrialNumber) -> Option<TrialSummary> {
        let trial = self.trials.get(&number)?;
        let id = self.trial_id(number);
        Some(trial.told(id, &self.record.metric))
    }

    pub(in crate::daemon) fn summary(&self) -> StudySummary {
        let undecided = self.trials.values().filter(|trial| trial.is_stored);
        let (mut running, mut tally) = (0, self.tally);
        for trial in undecided {
            match trial.record.state {
                state @ (TrialState::Diverged | TrialState::Failed) => tally.count(state),
                _ => running += 1,
            }
        }
        let Tally {
            done,
            stopped,
            diverged,
            failed,
        } = tally;
        let counts = TrialCounts {
            planned: self.record.planned_trials,
            running,
            done,
            stopped,
            diverged,
            failed,
        };
        let best = self
            .best_so_far()
            .map(|(number, value)| (self.trial_id(number), value));
        let mut summary = convert::study_summary(self.id, &self.record, counts, best);
        summary.seconds.0 += self.counted.elapsed().as_secs_f64();
        summary.note = convert::note(self.note.as_ref());
        summary
    }

    /// The best trial of those that have ended and those that go on, as [`convert::Census`] counts
    /// them. While one that goes on is the best, others end without the model that makes them count.
    fn best_so_far(&self) -> Option<(TrialNumber, f64)> {
        let direction = searched_direction(self.record.direction);
        let open = self.trials.iter().filter_map(|(number, trial)| {
            let value = best_value(&trial.record, &self.record.metric)?;
            Some((*number, value)).filter(|_| !value.is_nan())
        });
        self.best.into_iter().chain(open).reduce(|best, other| {
            match better(direction, other, best) {
                true => other,
                false => best,
            }
        })
    }
}

fn trials(count: usize) -> String {
    match count {
        1 => "1 trial".into(),
        count => format!("{count} trials"),
    }
}
