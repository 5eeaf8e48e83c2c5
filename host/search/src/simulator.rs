//! Drives a study by a virtual clock instead of by training: for tests, for measuring what a policy
//! costs, and for comparing policies in seconds that would take days.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::conductor::{Conductor, Next, Outcome, ReportError, Segment, Verdict};
use crate::space::Config;
use crate::trial::TrialNumber;

/// Workers that share a study.
#[derive(Debug, Clone, Copy)]
pub struct Simulator {
    /// How many segments run at once.
    pub workers: usize,
    /// A time budget: from this tick on no trial is started.
    pub stop_suggesting_at: Option<u64>,
}

/// What a segment comes to, and how long it takes.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// Its duration on the virtual clock.
    pub ticks: u64,
    /// What the worker reports.
    pub outcome: Outcome,
}

/// A study, run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The trials of which a segment was run, with their configurations.
    pub trials: BTreeMap<TrialNumber, Config>,
    /// The reports in the order in which they came in.
    pub reports: Vec<(TrialNumber, Outcome)>,
    /// The decisions in the order in which they were taken.
    pub verdicts: Vec<Verdict>,
    /// When the last segment ended.
    pub ticks: u64,
    /// The durations of all segments together.
    pub busy: u64,
}

/// Why a simulation did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SimulationError {
    /// The conductor refused a report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The conductor asked to wait although nothing was running.
    #[error("the study waits although no segment is running; give the simulator a worker")]
    Stalled,
}

impl Simulator {
    /// Runs the study to its end, taking each segment's duration and outcome from `work`.
    pub fn run(
        self,
        conductor: &mut Conductor,
        mut work: impl FnMut(&Segment) -> Job,
    ) -> Result<Run, SimulationError> {
        let mut run = Run {
            trials: BTreeMap::new(),
            reports: Vec::new(),
            verdicts: Vec::new(),
            ticks: 0,
            busy: 0,
        };
        // By (end, order of beginning), so that of two ends at once the earlier begun comes first.
        let mut running: BTreeMap<(u64, u64), (TrialNumber, Outcome)> = BTreeMap::new();
        let mut begun = 0;
        let mut stop_at = self.stop_suggesting_at;
        loop {
            if stop_at.is_some_and(|tick| run.ticks >= tick) {
                stop_at = None;
                run.verdicts.extend(conductor.stop_suggesting());
            }
            let mut finished = false;
            while running.len() < self.workers {
                let segment = match conductor.next_segment() {
                    Next::Run(segment) => segment,
                    Next::Wait => break,
                    Next::Finished => {
                        finished = true;
                        break;
                    }
                };
                let job = work(&segment);
                run.busy += job.ticks;
                running.insert((run.ticks + job.ticks, begun), (segment.trial, job.outcome));
                begun += 1;
                run.trials.insert(segment.trial, segment.config);
            }
            match running.pop_first() {
                Some(((end, _), (trial, outcome))) => {
                    run.ticks = end;
                    run.reports.push((trial, outcome));
                    run.verdicts.extend(conductor.report(trial, outcome)?);
                }
                None if finished => return Ok(run),
                None => return Err(SimulationError::Stalled),
            }
        }
    }
}
