//! The conductor: decides what runs next, and makes a study's outcome independent of who runs it.
//!
//! # Virtual order
//!
//! A study has a *width*, the number of its virtual workers, which is a setting and not the number
//! of real ones. Virtual time is counted in epochs. A virtual worker that becomes free at virtual
//! time v takes the next suggestion then and there, and the trial's epoch e ends at v + e. A trial
//! runs in *segments*, each up to its next rung or its end. What ends a segment is decided, and what
//! the freed virtual worker takes next is suggested, strictly in the order of (virtual time, trial
//! number). So every decision sees the same past, whatever ran where and however fast.
//!
//! Real workers, any number of them, ask for segments by [`Conductor::next_segment`] and hand in what
//! came of them by [`Conductor::report`]. A report whose turn has not come is kept until it has. Of
//! the segments that may run, the one whose turn comes first is given out first. With more real
//! workers than the width some are idle; with fewer, begun trials wait, and the caller keeps them.
//!
//! A trial that ends early, by itself, by divergence or by failure, keeps its virtual worker until
//! the virtual time at which its segment would have ended. So the turn of a segment is known when it
//! begins, and segments before it need not wait for its outcome.
//!
//! # What the waiting costs
//!
//! A slow trial holds back everything whose turn comes after it, and the wider the study, the more
//! there is to do meanwhile. `cargo bench --bench waiting` simulates trials whose speeds differ
//! tenfold and more. A study then takes, against order of arrival, with ASHA (without early
//! stopping):
//!
//! | workers | width 8     | width 16    | width 32    |
//! |---------|-------------|-------------|-------------|
//! | 1       | 1.00 (1.00) | 1.00 (1.00) | 1.00 (1.00) |
//! | 2       | 1.06 (1.03) | 1.03 (1.00) | 1.03 (1.00) |
//! | 4       | 1.39 (1.35) | 1.15 (1.11) | 1.12 (1.02) |
//! | 8       | 2.12 (2.22) | 1.52 (1.54) | 1.30 (1.19) |
//!
//! So a width of four times the workers keeps them busy. A wider study holds more begun trials at
//! once, and its searcher and policy decide on less.
//!
//! # Order of arrival
//!
//! [`Order::Arrival`] decides each report as it comes in; nothing ever waits. The outcome then
//! depends on timing, and the width is best the number of real workers.
//!
//! # Resuming
//!
//! A conductor's state is a function of its settings, its searcher's and policy's settings, and its
//! reports: a new one to which they are given again by [`Conductor::replay`] goes on as the old one
//! would have. In virtual order any order of reports that the old one could have received will do,
//! in the order of arrival only that order.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU64};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fidelity::{Decision, FidelityPolicy};
use crate::searcher::{Exhausted, Searcher};
use crate::space::Config;
use crate::trial::TrialNumber;

/// A study's outer shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The budget: how many trials are started at most.
    pub trials: NonZeroU64,
    /// How many epochs a trial runs that nothing stops.
    pub max_epochs: NonZeroU64,
    /// How many trials are under way at once; part of the outcome, unlike the number of workers,
    /// and best several times that number.
    pub width: NonZeroU16,
    /// In which order decisions are taken.
    pub order: Order,
}

/// In which order decisions are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// By virtual time: the outcome is reproducible.
    Virtual,
    /// As reports come in: nothing waits.
    Arrival,
}

/// What a worker that asks for work is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Run this segment, and report what came of it.
    Run(Segment),
    /// Nothing may run until a segment that is out has been reported.
    Wait,
    /// The study is over: every trial has ended.
    Finished,
}

/// A piece of a trial that is run without a decision in between.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The trial.
    pub trial: TrialNumber,
    /// What it runs with.
    pub config: Config,
    /// The last epoch of its previous segment; 0 for a trial that begins.
    pub from_epoch: u64,
    /// The epoch at whose end the segment ends. Epochs are counted from 1.
    pub until_epoch: u64,
}

/// What came of a segment. Values may be NaN, which is worse than any number; JSON cannot hold it,
/// so reports are to be stored in a binary form.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The trial ran to the segment's last epoch.
    Reached {
        /// That epoch.
        epoch: u64,
        /// The metric after it.
        value: f64,
    },
    /// The trial ended by itself, satisfied. Its value counts at a rung only if this is the rung.
    Ended {
        /// Its last epoch.
        epoch: u64,
        /// The metric after it.
        value: f64,
    },
    /// The trial's loss or weights stopped being finite. Counts as the worst value at the rung it
    /// was heading for.
    Diverged {
        /// The last epoch it finished.
        epoch: u64,
    },
    /// The trial was lost for a reason that is not its configuration's; counts nowhere.
    Failed,
}

/// A decision, in the order in which the study takes them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The trial decided on.
    pub trial: TrialNumber,
    /// What was reported of it.
    pub outcome: Outcome,
    /// What follows.
    pub ruling: Ruling,
}

/// What follows for a trial from a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ruling {
    /// It will be resumed.
    Continue,
    /// It was not good enough at a rung and is over.
    Stop,
    /// It is over, having run all epochs or ended by itself.
    Completed,
    /// It is over, having diverged.
    Diverged,
    /// It is over, having failed.
    Failed,
}

/// Why a report cannot be taken. The conductor is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReportError {
    /// No such trial has been suggested.
    #[error("trial {trial} does not exist in this study; report trials that were started")]
    Unknown {
        /// The number reported.
        trial: TrialNumber,
    },
    /// The trial is over.
    #[error("trial {trial} has already ended; drop the report")]
    Over {
        /// The trial.
        trial: TrialNumber,
    },
    /// No segment of the trial is out: none was given out, or it has been reported already.
    #[error(
        "trial {trial} has no segment running; report each segment once, after it was given out"
    )]
    NotRunning {
        /// The trial.
        trial: TrialNumber,
    },
    /// The epoch is not one that the segment can have ended at.
    #[error(
        "trial {trial} was to run from epoch {from} to {until} but reports epoch {epoch}; report the segment it was given"
    )]
    WrongEpoch {
        /// The trial.
        trial: TrialNumber,
        /// The epoch reported.
        epoch: u64,
        /// The epochs it had finished when the segment began.
        from: u64,
        /// The segment's last epoch.
        until: u64,
    },
}

/// The state of a running study. See the [module](self) for what it promises.
#[derive(Debug)]
pub struct Conductor {
    settings: Settings,
    searcher: Box<dyn Searcher>,
    policy: Box<dyn FidelityPolicy>,
    /// The trials under way, never more than the width.
    live: BTreeMap<TrialNumber, Live>,
    /// How many trials have been suggested, and so the number of the next one.
    suggested: u64,
    /// One more than the highest number of a trial of which a segment was ever given out.
    begun: u64,
    /// How many trials may be suggested.
    limit: u64,
    exhausted: Option<Exhausted>,
    /// The virtual time of the last decision.
    now: u128,
}

#[derive(Debug)]
struct Live {
    config: Config,
    /// The virtual time at which it began. Sums of epochs over all trials of a study, so wider than
    /// either.
    began: u128,
    /// The last epoch decided on.
    epoch: u64,
    /// The last epoch of the current segment.
    until: u64,
    progress: Progress,
}

/// Where a trial's current segment is.
#[derive(Debug, Clone, Copy)]
enum Progress {
    Ready,
    Out,
    Reported(Outcome),
}

impl Conductor {
    /// A study at its beginning.
    pub fn new(
        settings: Settings,
        searcher: Box<dyn Searcher>,
        policy: Box<dyn FidelityPolicy>,
    ) -> Conductor {
        let mut conductor = Conductor {
            settings,
            searcher,
            policy,
            live: BTreeMap::new(),
            suggested: 0,
            begun: 0,
            limit: settings.trials.get(),
            exhausted: None,
            now: 0,
        };
        for _ in 0..settings.width.get() {
            conductor.fill_slot(0);
        }
        conductor
    }

    /// Gives out the next segment to run. After [`Next::Wait`] there is always one out, so that
    /// there is something to wait for.
    pub fn next_segment(&mut self) -> Next {
        if self.live.is_empty() {
            return Next::Finished;
        }
        let ready = self
            .live
            .iter_mut()
            .filter(|(_, live)| matches!(live.progress, Progress::Ready))
            .min_by_key(|(trial, live)| (live.turn(), **trial));
        let Some((&trial, live)) = ready else {
            return Next::Wait;
        };
        live.progress = Progress::Out;
        self.begun = self.begun.max(trial.0 + 1);
        Next::Run(Segment {
            trial,
            config: live.config.clone(),
            from_epoch: live.epoch,
            until_epoch: live.until,
        })
    }

    /// Takes what came of a segment that was given out, and gives all decisions whose turn has come
    /// by it, in the order in which they are to be stored and published: none, or several, and not
    /// always one about this trial.
    pub fn report(
        &mut self,
        trial: TrialNumber,
        outcome: Outcome,
    ) -> Result<Vec<Verdict>, ReportError> {
        let live = self.find(trial)?;
        if !matches!(live.progress, Progress::Out) {
            return Err(ReportError::NotRunning { trial });
        }
        live.accept(trial, outcome)?;
        Ok(self.settle())
    }

    /// Takes a stored report again, whether or not the segment has been given out since the start;
    /// otherwise as [`Conductor::report`].
    pub fn replay(
        &mut self,
        trial: TrialNumber,
        outcome: Outcome,
    ) -> Result<Vec<Verdict>, ReportError> {
        let live = self.find(trial)?;
        if matches!(live.progress, Progress::Reported(_)) {
            return Err(ReportError::NotRunning { trial });
        }
        live.accept(trial, outcome)?;
        self.begun = self.begun.max(trial.0 + 1);
        Ok(self.settle())
    }

    /// Starts no further trial; those begun run on under the same rules, and the decisions whose
    /// turn comes by this are given.
    ///
    /// The study then is, decision for decision, the one whose budget was [`Conductor::trials`]
    /// trials from the beginning: what it comes to depends on the clock through that number alone.
    pub fn stop_suggesting(&mut self) -> Vec<Verdict> {
        self.limit = self.begun;
        self.suggested = self.suggested.min(self.begun);
        // A trial suggested but never given out has influenced nothing yet, except by making later
        // turns wait for its own.
        self.live.retain(|trial, _| trial.0 < self.begun);
        self.settle()
    }

    /// Raises the budget to this many trials in all; with a `searcher`, later trials are its
    /// suggestions. Virtual workers that were free for want of budget begin now, so a study that is
    /// extended is a function of when: between which reports.
    pub fn extend(&mut self, trials: NonZeroU64, searcher: Option<Box<dyn Searcher>>) {
        self.limit = self.limit.max(trials.get());
        if let Some(searcher) = searcher {
            self.searcher = searcher;
            self.exhausted = None;
        }
        for _ in self.live.len()..usize::from(self.settings.width.get()) {
            self.fill_slot(self.now);
        }
    }

    /// Whether the trial was suggested and has not ended.
    pub fn is_live(&self, trial: TrialNumber) -> bool {
        self.live.contains_key(&trial)
    }

    /// The virtual time at which this trial's segment ends: those that end first should run first.
    /// None for a trial that has ended.
    pub fn turn(&self, trial: TrialNumber) -> Option<u128> {
        self.live.get(&trial).map(Live::turn)
    }

    /// How many trials the study consists of so far, ended ones included. Their numbers are all
    /// below this.
    pub fn trials(&self) -> u64 {
        self.suggested
    }

    /// Set when the study had to end before its budget, because the space holds no further
    /// configuration.
    pub fn exhausted(&self) -> Option<Exhausted> {
        self.exhausted
    }

    fn find(&mut self, trial: TrialNumber) -> Result<&mut Live, ReportError> {
        let suggested = self.suggested;
        self.live.get_mut(&trial).ok_or(if trial.0 < suggested {
            ReportError::Over { trial }
        } else {
            ReportError::Unknown { trial }
        })
    }

    /// Decides everything whose turn has come.
    fn settle(&mut self) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        while let Some((trial, outcome)) = self.due() {
            verdicts.extend(self.decide(trial, outcome));
        }
        verdicts
    }

    /// The report whose turn it is, if it is there.
    fn due(&self) -> Option<(TrialNumber, Outcome)> {
        let reported = |(trial, live): (&TrialNumber, &Live)| match live.progress {
            Progress::Reported(outcome) => Some((*trial, outcome)),
            Progress::Ready | Progress::Out => None,
        };
        match self.settings.order {
            Order::Virtual => self
                .live
                .iter()
                .min_by_key(|(trial, live)| (live.turn(), **trial))
                .and_then(reported),
            Order::Arrival => self.live.iter().find_map(reported),
        }
    }

    fn decide(&mut self, trial: TrialNumber, outcome: Outcome) -> Option<Verdict> {
        let mut live = self.live.remove(&trial)?;
        let turn = live.turn();
        self.now = self.now.max(turn);
        let ruling = self.rule(trial, &live, outcome);
        if ruling == Ruling::Continue {
            live.epoch = live.until;
            live.until = self.segment_end(live.epoch);
            live.progress = Progress::Ready;
            self.live.insert(trial, live);
        } else {
            self.fill_slot(turn);
        }
        Some(Verdict {
            trial,
            outcome,
            ruling,
        })
    }

    fn rule(&mut self, trial: TrialNumber, live: &Live, outcome: Outcome) -> Ruling {
        let last = live.until == self.settings.max_epochs.get();
        match outcome {
            Outcome::Reached { epoch, value } => {
                self.searcher.observe(trial, &live.config, epoch, value);
                if last {
                    return Ruling::Completed;
                }
                match self.policy.decide(trial, epoch, value) {
                    Decision::Continue => Ruling::Continue,
                    Decision::Stop => Ruling::Stop,
                }
            }
            Outcome::Ended { epoch, value } => {
                self.searcher.observe(trial, &live.config, epoch, value);
                if epoch == live.until && !last {
                    // The trial is over either way, but others are measured against its value.
                    self.policy.decide(trial, epoch, value);
                }
                Ruling::Completed
            }
            Outcome::Diverged { epoch } => {
                self.searcher.observe(trial, &live.config, epoch, f64::NAN);
                if !last {
                    self.policy.decide(trial, live.until, f64::NAN);
                }
                Ruling::Diverged
            }
            Outcome::Failed => Ruling::Failed,
        }
    }

    /// Lets a virtual worker that is free at virtual time `now` take the next suggestion.
    fn fill_slot(&mut self, now: u128) {
        if self.suggested >= self.limit || self.exhausted.is_some() {
            return;
        }
        let trial = TrialNumber(self.suggested);
        match self.searcher.suggest(trial) {
            Ok(config) => {
                self.suggested += 1;
                let live = Live {
                    config,
                    began: now,
                    epoch: 0,
                    until: self.segment_end(0),
                    progress: Progress::Ready,
                };
                self.live.insert(trial, live);
            }
            Err(exhausted) => self.exhausted = Some(exhausted),
        }
    }

    fn segment_end(&self, epoch: u64) -> u64 {
        let end = self.settings.max_epochs.get();
        self.policy
            .next_rung(epoch)
            .filter(|&rung| rung > epoch)
            .map_or(end, |rung| rung.min(end))
    }
}

impl Live {
    /// The virtual time at which the current segment ends.
    fn turn(&self) -> u128 {
        self.began + u128::from(self.until)
    }

    fn accept(&mut self, trial: TrialNumber, outcome: Outcome) -> Result<(), ReportError> {
        let (from, until) = (self.epoch, self.until);
        let (epoch, fits) = match outcome {
            Outcome::Reached { epoch, .. } => (epoch, epoch == until),
            Outcome::Ended { epoch, .. } | Outcome::Diverged { epoch } => {
                (epoch, (from..=until).contains(&epoch))
            }
            Outcome::Failed => (from, true),
        };
        if !fits {
            return Err(ReportError::WrongEpoch {
                trial,
                epoch,
                from,
                until,
            });
        }
        self.progress = Progress::Reported(outcome);
        Ok(())
    }
}
