//! The training thread: takes leases off the desk, trains them, and reports.

use super::bench::{Bench, Maker, in_order};
use super::desk::{Desk, Job, Next, Wish};
use super::flight::{Doing, Recorder, Subject};
use super::log::Log;
use super::material::Material;
use super::report::{self, Reporter};
use super::warm::Warm;
use super::writer::{Paper, Snapshot, Writer};
use attune_loader::{LibraryError, LoadReason};
use attune_protocol::work::{End, Intervention, News, Report};
use attune_protocol::{KeptAs, Steer};
use attune_trainer::artifact::Artifact;
use attune_trainer::trial::{Goal, Progress, TrialError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Studies whose data are kept in memory.
const STUDIES: usize = 8;

/// Trials that are kept for their next segment, and how many bytes they may have together.
const TRIALS: usize = 32;
const TRIAL_BYTES: u64 = 256 << 20;

/// A trial that trained less since its last checkpoint is trained again sooner than written down.
const WORTH_A_CHECKPOINT: Duration = Duration::from_millis(100);

/// The training thread and all that it owns.
pub(crate) struct Workshop {
    desk: Arc<Desk>,
    recorder: Arc<Recorder>,
    reports: mpsc::Sender<Report>,
    writer: Writer,
    maker: Maker,
    /// Where datasets lie that workers share.
    datasets: Option<PathBuf>,
    materials: Warm<String, Material>,
    benches: Warm<String, Bench>,
}

/// A lease while it is worked on.
struct Segment<'w> {
    job: &'w Job,
    reporter: &'w Reporter,
    /// What people did to the trial, in order: what the lease knows of, and what was done since.
    interventions: Vec<Intervention>,
    checkpoint_every: Option<Duration>,
}

/// How training ended, before anything of it is written.
enum Outcome {
    End(End),
    /// Nobody wants to know.
    Dropped,
}

impl Workshop {
    pub(crate) fn new(
        desk: Arc<Desk>,
        recorder: Arc<Recorder>,
        reports: mpsc::Sender<Report>,
        datasets: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        Ok(Workshop {
            writer: Writer::start(Arc::clone(&desk))?,
            maker: Maker::new(Arc::clone(&recorder)),
            desk,
            recorder,
            reports,
            datasets,
            materials: Warm::new(STUDIES, u64::MAX),
            benches: Warm::new(TRIALS, TRIAL_BYTES),
        })
    }

    /// Works for ever: it ends with the process.
    pub(crate) fn work(&mut self) {
        loop {
            match self.desk.next() {
                Next::Train(job) => {
                    let began = Instant::now();
                    self.train(&job);
                    self.desk.done(began.elapsed());
                }
                Next::Forget(trial) => drop(self.benches.take(&trial)),
            }
            self.recorder.begin(Doing::Idle, &Subject::default(), 0);
        }
    }

    fn train(&mut self, job: &Job) {
        let reporter = Reporter {
            lease: job.lease.id.clone(),
            reports: self.reports.clone(),
        };
        // A mistake of ours must not cost the other trials.
        let trained = catch_unwind(AssertUnwindSafe(|| self.segment(job, &reporter)));
        let paper = trained.unwrap_or_else(|_| {
            let reason = "the worker panicked; please report this with the study file".into();
            Some(self.paper(job, &reporter, End::Failed { reason }))
        });
        if let Some(paper) = paper {
            self.writer.hand_in(paper);
        }
    }

    /// Trains a segment. What is to be written and reported at its end is returned; nothing where
    /// nobody wants to know.
    fn segment(&mut self, job: &Job, reporter: &Reporter) -> Option<Paper> {
        let trial = &job.lease.id.trial;
        let scheduler = match job
            .lease
            .config
            .get(crate::study::settings::name::SCHEDULER)
        {
            Some(name) => name.to_string(),
            None => String::new(),
        };
        let subject = Maker::subject(job, &job.brief, &scheduler);
        self.recorder.begin(Doing::Building, &subject, 0);

        let study = study_of(trial);
        let known = self.materials.take(&study);
        let material = match known.filter(|known| known.fits(&job.brief)) {
            Some(material) => Ok(material),
            None => Material::prepare(&job.brief, self.datasets.as_deref()),
        };
        let mut material = match material {
            Ok(material) => material,
            Err(error) => {
                let reason = report::sentence(format!("{error:#}"));
                return Some(self.paper(job, reporter, End::Unusable { reason }));
            }
        };
        let paper = self.with_material(job, reporter, &mut material);
        self.materials.put(study, 1, material);
        paper
    }

    fn with_material(
        &mut self,
        job: &Job,
        reporter: &Reporter,
        material: &mut Material,
    ) -> Option<Paper> {
        let trial = &job.lease.id.trial;
        let interventions = in_order(&job.lease.interventions);
        let warm = self.benches.take(trial);
        let made = match warm.filter(|bench| bench.fits(job, &interventions)) {
            Some(bench) => Ok(bench),
            None => self.maker.make(job, &interventions, material),
        };
        let mut bench = match made {
            Ok(bench) => bench,
            Err(error) if lacks_copy(&error) => {
                // No fault of the trial's: every other one would end like it.
                let reason = report::sentence(format!("{error:#}"));
                return Some(self.paper(job, reporter, End::Unusable { reason }));
            }
            Err(error) => return Some(self.failed(job, reporter, &error)),
        };
        if let Some(warnings) = bench.new_warnings() {
            reporter.tell(News::Warnings(warnings));
        }
        let mut segment = Segment {
            job,
            reporter,
            interventions,
            checkpoint_every: Duration::try_from_secs_f64(job.brief.checkpoint_seconds.0).ok(),
        };
        let outcome = self.advance(&mut segment, &mut bench);
        let Outcome::End(end) = outcome else {
            return None;
        };
        if let Some(warnings) = bench.new_warnings() {
            reporter.tell(News::Warnings(warnings));
        }
        let mut paper = self.paper(job, reporter, end);
        if let Err(error) = self.conclude(&segment, &mut bench, material, &mut paper) {
            return Some(self.failed(job, reporter, &error));
        }
        if matches!(paper.end, Some(End::Reached { .. })) {
            self.last_steers(&mut segment, &mut bench);
        }
        if matches!(paper.end, Some(End::Reached { .. } | End::LaidDown { .. })) {
            bench.trial.rest();
            let weight = bench.trial.weight();
            self.benches.put(trial.clone(), weight, bench);
        }
        Some(paper)
    }

    /// Trains to the lease's end, doing on the way what people did and want to be done.
    fn advance(&mut self, segment: &mut Segment<'_>, bench: &mut Bench) -> Outcome {
        let until = segment.job.lease.until_epoch;
        let until = until.min(bench.trial.settings().max_epochs);
        let (desk, recorder) = (Arc::clone(&self.desk), Arc::clone(&self.recorder));
        let mut log = Log::new(segment.reporter, &recorder, desk.interrupt());
        loop {
            for wish in desk.wishes() {
                // What was made before this step is reported before what is done now.
                log.flush();
                match wish {
                    Wish::Drop => return Outcome::Dropped,
                    Wish::LayDown => return self.lay_down(segment, bench, &mut log, until),
                    Wish::Steer(steer, brief) => self.steer(segment, bench, &steer, &brief),
                }
            }
            let next = bench.next_intervention(&segment.interventions).cloned();
            if let Some(Intervention { step, steer }) = &next
                && *step <= bench.trial.steps()
                && bench.trial.epochs() < until
            {
                let brief = Arc::clone(&segment.job.brief);
                match self.maker.steer(bench, steer, segment.job, &brief) {
                    Ok(_) => continue,
                    Err(error) => {
                        let reason = report::sentence(format!(
                            "what was done to it at step {step} cannot be done again: {error:#}"
                        ));
                        return Outcome::End(match lacks_copy(&error) {
                            true => End::Unusable { reason },
                            false => End::Failed { reason },
                        });
                    }
                }
            }

            let goal = Goal {
                epoch: until,
                step: next.map(|next| next.step),
            };
            log.interrupt_at(segment.checkpoint_every.map(|every| {
                let rest = every.saturating_sub(bench.unsaved);
                // Never is as good as what lies beyond the clock.
                let now = Instant::now();
                now.checked_add(rest)
                    .unwrap_or(now + Duration::from_secs(1 << 30))
            }));
            let progress = self.run(segment, bench, goal, &mut log, desk.interrupt());
            match progress {
                Ok(Progress::Reached) if bench.trial.epochs() >= until => {
                    log.flush();
                    return Outcome::End(End::Reached { model: None });
                }
                Ok(_) => {}
                Err(error) => {
                    log.flush();
                    return Outcome::End(end_of(&error));
                }
            }
            let is_due = segment
                .checkpoint_every
                .is_some_and(|every| bench.unsaved >= every);
            if is_due && bench.between_steers() {
                log.flush();
                match snapshot(bench, KeptAs::Last) {
                    Ok(checkpoint) => {
                        let paper = self.mid_segment(segment, checkpoint);
                        self.writer.hand_in(paper);
                    }
                    Err(error) => return Outcome::End(end_of(&error)),
                }
            }
        }
    }

    fn run(
        &self,
        segment: &Segment<'_>,
        bench: &mut Bench,
        goal: Goal,
        log: &mut Log<'_>,
        interrupt: &AtomicBool,
    ) -> Result<Progress, TrialError> {
        let job = segment.job;
        let subject = Maker::subject(job, &job.brief, bench.trial.scheduler());
        self.recorder
            .begin(Doing::Training, &subject, bench.trial.steps());
        let began = Instant::now();
        let progress = bench.trial.run_until(goal, log, interrupt);
        bench.unsaved += began.elapsed();
        progress
    }

    /// Makes a step more where a checkpoint could be mistaken for one of before somebody took the
    /// wheel.
    fn lay_down(
        &mut self,
        segment: &Segment<'_>,
        bench: &mut Bench,
        log: &mut Log<'_>,
        until: u32,
    ) -> Outcome {
        if bench.between_steers() {
            return Outcome::End(End::LaidDown { model: None });
        }
        let goal = Goal {
            epoch: until,
            step: Some(bench.trial.steps() + 1),
        };
        let progress = self.run(segment, bench, goal, log, &AtomicBool::new(false));
        log.flush();
        Outcome::End(match progress {
            Ok(_) => End::LaidDown { model: None },
            Err(error) => end_of(&error),
        })
    }

    fn steer(
        &mut self,
        segment: &mut Segment<'_>,
        bench: &mut Bench,
        steer: &Steer,
        brief: &Arc<attune_protocol::work::Brief>,
    ) {
        let done = self.maker.steer(bench, steer, segment.job, brief);
        segment.reporter.tell(match done {
            Ok(intervention) => {
                let all = &mut segment.interventions;
                let at = all.partition_point(|one| one.step <= intervention.step);
                all.insert(at, intervention.clone());
                News::Steered(intervention)
            }
            Err(error) => News::NotSteered(report::sentence(format!("{error:#}"))),
        });
    }

    /// What somebody wanted to be done at the very end of a segment belongs to the first step of the
    /// next one.
    fn last_steers(&mut self, segment: &mut Segment<'_>, bench: &mut Bench) {
        let is_over = bench.trial.epochs() >= bench.trial.settings().max_epochs;
        for wish in self.desk.wishes() {
            match wish {
                Wish::Steer(..) if is_over => {
                    let reason = "it has made its last step".into();
                    segment.reporter.tell(News::NotSteered(reason));
                }
                Wish::Steer(steer, brief) => self.steer(segment, bench, &steer, &brief),
                Wish::Drop => self.desk.drop_lease(&segment.job.lease.id),
                Wish::LayDown => {}
            }
        }
    }

    /// Adds the checkpoint and the model that the end of a segment wants.
    fn conclude(
        &mut self,
        segment: &Segment<'_>,
        bench: &mut Bench,
        material: &mut Material,
        paper: &mut Paper,
    ) -> anyhow::Result<()> {
        let lease = &segment.job.lease;
        let is_new = bench.saved_at != Some(bench.trial.steps()) && bench.between_steers();
        let is_last = bench.trial.epochs() >= bench.trial.settings().max_epochs;
        paper.checkpoint = match paper.end {
            Some(End::LaidDown { .. }) if is_new => Some(snapshot(bench, KeptAs::Last)?),
            Some(End::Reached { .. })
                if is_new && !is_last && bench.unsaved >= WORTH_A_CHECKPOINT =>
            {
                Some(snapshot(bench, KeptAs::Rung)?)
            }
            _ => None,
        };
        // One that is laid down may be so for good: then its best epoch is all that there is.
        let has_place = matches!(
            paper.end,
            Some(End::Reached { .. } | End::LaidDown { .. } | End::Diverged { .. })
        );
        if let Some(best) = bench.trial.snapshot()
            && has_place
            && material.wants_model(best.objective, lease.beat.map(f64::from))
        {
            let objective = best.objective;
            paper.model = Some(model(segment.job, bench)?);
            material.best_written = Some(objective);
        }
        Ok(())
    }

    fn mid_segment(&self, segment: &Segment<'_>, checkpoint: Snapshot) -> Paper {
        Paper {
            checkpoint: Some(checkpoint),
            end: None,
            ..self.paper(segment.job, segment.reporter, End::LaidDown { model: None })
        }
    }

    fn failed(&self, job: &Job, reporter: &Reporter, error: &anyhow::Error) -> Paper {
        let reason = report::sentence(format!("{error:#}"));
        self.paper(job, reporter, End::Failed { reason })
    }

    fn paper(&self, job: &Job, reporter: &Reporter, end: End) -> Paper {
        Paper {
            reporter: reporter.clone(),
            folder: trial_folder(&job.brief.folder, &job.lease.id.trial),
            checkpoint: None,
            model: None,
            end: Some(end),
        }
    }
}

/// The study of a trial, by their ids.
pub(crate) fn study_of(trial: &str) -> String {
    let study = trial.split_once('.').map_or(trial, |(study, _)| study);
    study.to_owned()
}

fn trial_folder(folder: &str, trial: &str) -> PathBuf {
    let number = trial.split_once('.').map_or(trial, |(_, number)| number);
    Path::new(folder).join(number)
}

fn snapshot(bench: &mut Bench, kept_as: KeptAs) -> Result<Snapshot, TrialError> {
    let bytes = bench.trial.checkpoint()?;
    let step = bench.trial.steps();
    bench.unsaved = Duration::ZERO;
    bench.saved_at = Some(step);
    Ok(Snapshot {
        bytes,
        step,
        epoch: bench.trial.epochs(),
        kept_as,
    })
}

fn model(job: &Job, bench: &Bench) -> Result<Artifact, TrialError> {
    let lease = &job.lease;
    let library = job.brief.libraries.get(bench.trial.scheduler());
    bench.trial.artifact(serde_json::json!({
        "trial": lease.id.trial,
        "config": lease.config,
        "plugin": library.map(|library| &library.hash),
        "attune": env!("CARGO_PKG_VERSION"),
    }))
}

/// Whether the private copy of a plugin is damaged or gone.
fn lacks_copy(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let reason = cause.downcast_ref();
        matches!(reason, Some(LoadReason::Library(LibraryError::Copy { .. })))
    })
}

fn end_of(error: &TrialError) -> End {
    let reason = report::sentence(error.to_string());
    match error {
        TrialError::Diverged { .. } => End::Diverged {
            reason,
            model: None,
        },
        _ => End::Failed { reason },
    }
}
