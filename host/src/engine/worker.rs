//! The worker's side: builds trials, trains their segments, and keeps the best one's model.

use super::log::Log;
use super::message::{Content, End, Job, Report};
use crate::study::trial::{Common, Steering};
use attune_loader::Plugins;
use attune_search::TrialNumber;
use attune_trainer::artifact::Model;
use attune_trainer::data::Dataset;
use attune_trainer::trial::{Progress, Trial, TrialError};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// The trials of one study, between and during their segments.
pub(crate) struct Workshop {
    plugins: Plugins,
    dataset: Arc<Dataset>,
    common: Common,
    stop: AtomicBool,
    benches: Mutex<Benches>,
}

#[derive(Default)]
struct Benches {
    /// Trials that wait for their next segment or for their end. One in training is not here.
    waiting: BTreeMap<TrialNumber, Bench>,
    best: Option<(TrialNumber, Bench)>,
}

/// A trial with what its scheduler warned of when it was made.
struct Bench {
    trial: Box<Trial>,
    warnings: Vec<String>,
}

impl Workshop {
    pub(crate) fn new(plugins: Plugins, dataset: Arc<Dataset>, common: Common) -> Self {
        Workshop {
            plugins,
            dataset,
            common,
            stop: AtomicBool::new(false),
            benches: Mutex::default(),
        }
    }

    /// Tells every trial to lay down its work before its next step.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Keeps a trial that has ended as the best one. Says whether it could: one that hangs, or whose
    /// worker panicked, is not there any more.
    pub(crate) fn keep(&self, trial: TrialNumber) -> bool {
        let mut benches = self.benches();
        let kept = benches.waiting.remove(&trial);
        let is_there = kept.is_some();
        if let Some(bench) = kept {
            benches.best = Some((trial, bench));
        }
        is_there
    }

    /// Lets go of a trial that has ended.
    pub(crate) fn discard(&self, trial: TrialNumber) {
        self.benches().waiting.remove(&trial);
    }

    /// The model of this trial, which is the one that was kept last; `training` is saved with it.
    pub(crate) fn model(
        &self,
        trial: TrialNumber,
        training: serde_json::Value,
    ) -> Option<Result<Model, TrialError>> {
        let benches = self.benches();
        let (_, bench) = benches.best.as_ref().filter(|(kept, _)| *kept == trial)?;
        Some(bench.trial.model(training))
    }

    /// Trains a segment on the calling thread, and reports.
    pub(crate) fn work(&self, job: &Job, reports: &mpsc::Sender<Report>) {
        let reporter = Reporter {
            trial: job.trial,
            reports,
        };
        // A mistake of ours must not leave the coordinator waiting for a report.
        let worked = catch_unwind(AssertUnwindSafe(|| self.segment(job, &reporter)));
        let end = worked.unwrap_or_else(|_| End::Failed {
            reason: "the worker panicked; please report this with the study file".into(),
        });
        reporter.send(Content::Ended(end));
    }

    fn segment(&self, job: &Job, reporter: &Reporter<'_>) -> End {
        let waiting = self.benches().waiting.remove(&job.trial);
        let mut bench = match waiting {
            Some(bench) => bench,
            None => match self.build(job) {
                Ok(bench) => {
                    reporter.send(Content::Warnings(bench.warnings.clone()));
                    bench
                }
                Err(error) => {
                    return End::Failed {
                        reason: format!("{error:#}"),
                    };
                }
            },
        };
        let mut log = Log::new(reporter);
        let progress = bench.trial.run_until(job.until_epoch, &mut log, &self.stop);
        log.flush();
        reporter.send(Content::Warnings(bench.all_warnings()));
        self.benches().waiting.insert(job.trial, bench);
        match progress {
            Ok(Progress::Reached) => End::Reached,
            Ok(Progress::Interrupted) => End::Interrupted,
            Err(error @ TrialError::Diverged { .. }) => End::Diverged {
                reason: error.to_string(),
            },
            Err(error) => End::Failed {
                reason: error.to_string(),
            },
        }
    }

    fn build(&self, job: &Job) -> anyhow::Result<Bench> {
        let settings = self.common.settings(&job.config, job.seed)?;
        let steering = Steering::of(&job.config)?;
        let setup = Trial::setup(&settings, &self.dataset);
        let controller = self
            .plugins
            .create(&steering.scheduler, &steering.params, &setup)?;
        let warnings = controller.warnings().to_vec();
        let trial = Trial::new(settings, Arc::clone(&self.dataset), controller)?;
        Ok(Bench {
            trial: Box::new(trial),
            warnings,
        })
    }

    fn benches(&self) -> MutexGuard<'_, Benches> {
        // Each change to it is one call that cannot panic half-way.
        self.benches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bench {
    fn all_warnings(&self) -> Vec<String> {
        let stats = self.trial.steering();
        let counted = [
            (
                stats.metrics_not_finite,
                "metrics were not finite; `nan` in [steering] says what the scheduler is told",
            ),
            (
                stats.clamped,
                "rates or momenta were outside their bounds and were held there; `max_lr` in \
                 [steering] is the upper one for rates",
            ),
        ];
        let counted = counted.into_iter().filter(|(count, _)| *count > 0);
        let counted = counted.map(|(count, what)| format!("{count} {what}"));
        self.warnings.iter().cloned().chain(counted).collect()
    }
}

/// Where one trial's reports go.
pub(crate) struct Reporter<'a> {
    trial: TrialNumber,
    reports: &'a mpsc::Sender<Report>,
}

impl Reporter<'_> {
    pub(crate) fn send(&self, content: Content) {
        let report = Report {
            trial: self.trial,
            content,
        };
        // The coordinator only goes away when the study is over, and then nobody wants to know.
        let _ = self.reports.blocking_send(report);
    }
}
