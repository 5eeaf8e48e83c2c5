//! Makes trials from leases: anew, from a checkpoint, or from another trial's.

use super::desk::Job;
use super::flight::{Call, Doing, Recorder, Subject};
use super::material::Material;
use super::process;
use super::report;
use super::watched::Watched;
use crate::study::space::FullConfig;
use crate::study::trial::Steering;
use anyhow::{Context, ensure};
use attune_loader::{Candidate, LoadReason, Opened};
use attune_plugin_api::param::Value;
use attune_plugin_api::{Controller, Setup, Signal};
use attune_protocol::work::{Brief, Intervention, Lease, LibraryFile, Start};
use attune_protocol::{Scalar, Steer};
use attune_trainer::trial::{
    self, CheckedSettings, Checkpoint, CheckpointError, StartRate, Trial, TrialError,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The exit code of a worker that has opened as many libraries as one process may.
pub(crate) const TOO_MANY_LIBRARIES: i32 = 87;

/// A trial in memory.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) trial: Box<Trial>,
    config: BTreeMap<String, Scalar>,
    seed: u64,
    /// The hashes of the libraries that took part.
    libraries: Vec<String>,
    /// What its schedulers warned of when they were made, and what else is to be known.
    warnings: Vec<String>,
    /// What was reported last of these and others.
    warned: Vec<String>,
    /// What people did to it, by step.
    applied: Vec<Intervention>,
    /// How long it trained since its last checkpoint, and the step of that.
    pub(crate) unsaved: Duration,
    pub(crate) saved_at: Option<u64>,
    /// The step before which somebody last took the wheel.
    steered_at: Option<u64>,
}

/// What a trial is made of, but for its scheduler.
#[derive(Debug, Clone)]
struct Ingredients {
    config: FullConfig,
    settings: CheckedSettings,
    subject: trial::Subject,
}

/// Makes trials and schedulers.
#[derive(Debug)]
pub(crate) struct Maker {
    libraries: Opened,
    recorder: Arc<Recorder>,
}

/// Interventions in the order of their steps; those of one step stay in theirs.
pub(crate) fn in_order(interventions: &[Intervention]) -> Vec<Intervention> {
    let mut sorted = interventions.to_vec();
    sorted.sort_by_key(|intervention| intervention.step);
    sorted
}

impl Bench {
    /// Whether it can go on as this lease asks, and is at least as far as the lease's checkpoint.
    pub(crate) fn fits(&self, job: &Job, interventions: &[Intervention]) -> bool {
        let lease = &job.lease;
        let step = self.trial.steps();
        let earliest = lease.from.as_ref().map_or(0, |from| from.step);
        let same_libraries = || {
            let of_brief = job.brief.libraries.values();
            let known: Vec<&str> = of_brief.map(|library| library.hash.as_str()).collect();
            self.libraries
                .iter()
                .all(|hash| known.contains(&hash.as_str()))
        };
        // Those of its next step may have been applied, or not yet.
        let past = |all: &[Intervention]| all.iter().filter(|one| one.step < step).count();
        step >= earliest
            && self.trial.epochs() <= lease.until_epoch
            && self.seed == lease.seed
            && self.config == lease.config
            && same_libraries()
            && interventions.starts_with(&self.applied)
            && past(interventions) == past(&self.applied)
    }

    /// What a person did next that was not done yet.
    pub(crate) fn next_intervention<'i>(
        &self,
        interventions: &'i [Intervention],
    ) -> Option<&'i Intervention> {
        interventions.get(self.applied.len())
    }

    /// Whether a checkpoint of this moment means the same to everybody: one of step N holds what
    /// was done before the steps before N, and not what was done before step N itself.
    pub(crate) fn between_steers(&self) -> bool {
        self.steered_at != Some(self.trial.steps())
    }

    /// Everything that is to be warned of, where that is not what was reported last.
    pub(crate) fn new_warnings(&mut self) -> Option<Vec<String>> {
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
        let all = report::warnings(self.warnings.iter().cloned().chain(counted));
        if all == self.warned {
            return None;
        }
        self.warned.clone_from(&all);
        Some(all)
    }
}

impl Maker {
    pub(crate) fn new(recorder: Arc<Recorder>) -> Self {
        Maker {
            libraries: Opened::default(),
            recorder,
        }
    }

    /// The trial of a lease, where the lease begins. `interventions` are the lease's, in order.
    pub(crate) fn make(
        &mut self,
        job: &Job,
        interventions: &[Intervention],
        material: &Material,
    ) -> anyhow::Result<Bench> {
        let lease = &job.lease;
        let config = config(lease);
        let of = Ingredients {
            settings: material.common.settings(&config, lease.seed)?,
            subject: material.subject(&config)?,
            config,
        };
        check_memory(&of.settings, &of.subject, &[])?;
        match &lease.from {
            None => self.anew(job, of),
            Some(start) if start.fork => {
                let bytes = Checkpoint::read(start.path.as_ref())?;
                self.fork(job, of, interventions, &bytes)
                    .with_context(|| format!("the checkpoint {}", start.path))
            }
            Some(start) => {
                let restored = whole(start).and_then(|(bytes, checkpoint)| {
                    let made_with = (&bytes[..], &checkpoint);
                    self.restore(job, of.clone(), interventions, made_with)
                });
                match restored {
                    // A trial is a function of its configuration: what is lost with a checkpoint is
                    // time alone.
                    Err(error) if is_unreadable(&error) => {
                        let mut bench = self.anew(job, of)?;
                        bench.warnings.push(format!(
                            "it began again, since its checkpoint {} cannot be used: {error:#}",
                            start.path
                        ));
                        Ok(bench)
                    }
                    other => other.with_context(|| format!("the checkpoint {}", start.path)),
                }
            }
        }
    }

    /// Takes the wheel of a trial before its next step.
    ///
    /// # Errors
    /// What cannot be done; the trial is as it was.
    pub(crate) fn steer(
        &mut self,
        bench: &mut Bench,
        steer: &Steer,
        job: &Job,
        brief: &Brief,
    ) -> anyhow::Result<Intervention> {
        let step = bench.trial.steps();
        match steer {
            Steer::SetRate(rate) => bench.trial.set_rate(rate.0)?,
            Steer::Swap { scheduler, params } => {
                let steering = Steering {
                    scheduler: scheduler.clone(),
                    params: values(params),
                };
                let setup = bench.trial.setup_now();
                let made = self.controller(job, brief, &steering, &setup, step)?;
                made.check_memory(bench.trial.settings(), bench.trial.subject())?;
                bench.trial.swap(made.controller)?;
                bench.libraries.push(made.hash);
                bench.warnings.extend(made.warnings);
            }
        }
        let intervention = Intervention {
            step,
            steer: steer.clone(),
        };
        let at = bench.applied.partition_point(|one| one.step <= step);
        bench.applied.insert(at, intervention.clone());
        bench.steered_at = Some(step);
        Ok(intervention)
    }

    /// What stands in the flight recorder while a trial is worked on.
    pub(crate) fn subject(job: &Job, brief: &Brief, scheduler: &str) -> Subject {
        let library = brief.libraries.get(scheduler);
        let of_library =
            |of: fn(&LibraryFile) -> &String| library.map(of).cloned().unwrap_or_default();
        Subject {
            trial: job.lease.id.trial.clone(),
            attempt: job.lease.id.attempt,
            scheduler: scheduler.to_owned(),
            library: of_library(|library| &library.path),
            hash: of_library(|library| &library.hash),
        }
    }

    fn anew(&mut self, job: &Job, of: Ingredients) -> anyhow::Result<Bench> {
        let Ingredients {
            config,
            settings,
            subject,
        } = of;
        let steering = Steering::of(&config)?;
        let setup = Trial::setup(&settings, &subject);
        let made = self.controller(job, &job.brief, &steering, &setup, 0)?;
        made.check_memory(&settings, &subject)?;
        let trial = Trial::new(settings, subject, made.controller)?;
        let mut bench = Bench::of(job, trial, made.hash, made.warnings);
        // Nothing was trained: that is as good as a checkpoint.
        bench.saved_at = Some(0);
        Ok(bench)
    }

    fn restore(
        &mut self,
        job: &Job,
        of: Ingredients,
        interventions: &[Intervention],
        (bytes, checkpoint): (&[u8], &Checkpoint),
    ) -> anyhow::Result<Bench> {
        let step = checkpoint.step();
        let applied = interventions.iter().take_while(|one| one.step < step);
        let swaps = applied.clone().filter_map(|one| match &one.steer {
            Steer::Swap { scheduler, params } => Some(Steering {
                scheduler: scheduler.clone(),
                params: values(params),
            }),
            Steer::SetRate(_) => None,
        });
        let steering = swaps.last().map_or_else(|| Steering::of(&of.config), Ok)?;
        let made = self.controller(job, &job.brief, &steering, checkpoint.setup(), step)?;
        made.check_memory(&of.settings, &of.subject)?;
        let trial = Trial::restore(of.settings, of.subject, made.controller, bytes)?;
        let mut bench = Bench::of(job, trial, made.hash, made.warnings);
        bench.applied = applied.cloned().collect();
        bench.saved_at = Some(step);
        Ok(bench)
    }

    fn fork(
        &mut self,
        job: &Job,
        of: Ingredients,
        interventions: &[Intervention],
        bytes: &[u8],
    ) -> anyhow::Result<Bench> {
        let Ingredients {
            config,
            settings,
            subject,
        } = of;
        let checkpoint = Checkpoint::peek(bytes)?;
        let steering = Steering::of(&config)?;
        // Who forks with another rate means that one; who does not goes on at the rate in force.
        let start = match checkpoint.settings().lr == settings.lr {
            true => StartRate::InForce,
            false => StartRate::OfSettings,
        };
        let setup = checkpoint.fork_setup(&settings, &subject, start)?;
        let step = checkpoint.step();
        let made = self.controller(job, &job.brief, &steering, &setup, step)?;
        made.check_memory(&settings, &subject)?;
        let trial = Trial::fork(settings, subject, made.controller, bytes, start)?;
        let mut bench = Bench::of(job, trial, made.hash, made.warnings);
        let applied = interventions.iter().take_while(|one| one.step < step);
        bench.applied = applied.cloned().collect();
        Ok(bench)
    }

    fn controller(
        &mut self,
        job: &Job,
        brief: &Brief,
        steering: &Steering,
        setup: &Setup,
        step: u64,
    ) -> anyhow::Result<Made> {
        let name = steering.scheduler.as_str();
        let file = brief.libraries.get(name).with_context(|| {
            format!("no plugin holds a scheduler `{name}`; see `attune plugin ls`")
        })?;
        let candidate = Candidate {
            path: file.path.clone().into(),
            copy: file.copy.clone().into(),
            hash: file.hash.clone(),
            named: false,
        };
        let subject = Self::subject(job, brief, name);
        self.recorder.begin(Doing::Building, &subject, step);
        let opened = {
            let _inside = self.recorder.enter(Call::Open, Doing::Building);
            self.libraries.open(&candidate)
        };
        let library = match opened {
            Err(error @ LoadReason::TooMany) => {
                // Nothing is unloaded, ever; the next worker begins with none.
                say!("worker: {error}");
                std::process::exit(TOO_MANY_LIBRARIES);
            }
            opened => opened.with_context(|| format!("cannot load the plugin {}", file.path))?,
        };
        let inner = {
            let _inside = self.recorder.enter(Call::Configure, Doing::Building);
            library.create(name, &steering.params, setup)?
        };
        let warnings = inner.warnings().to_vec();
        let watched = Watched::new(inner, Arc::clone(&self.recorder), subject);
        Ok(Made {
            controller: Box::new(watched),
            hash: file.hash.clone(),
            warnings,
        })
    }
}

/// A scheduler that was made.
struct Made {
    controller: Box<dyn Controller>,
    hash: String,
    warnings: Vec<String>,
}

impl Made {
    /// Refuses a trial that with its signals would take more memory than this process may.
    fn check_memory(
        &self,
        settings: &CheckedSettings,
        subject: &trial::Subject,
    ) -> Result<(), TrialError> {
        match self.controller.description().signals.as_slice() {
            // Without any it was looked at before the scheduler was made.
            [] => Ok(()),
            signals => check_memory(settings, subject, signals),
        }
    }
}

fn check_memory(
    settings: &CheckedSettings,
    subject: &trial::Subject,
    signals: &[Signal],
) -> Result<(), TrialError> {
    match process::most_memory() {
        Some(most) => Trial::check_memory(settings, subject, signals, most),
        None => Ok(()),
    }
}

impl Bench {
    fn of(job: &Job, trial: Trial, library: String, warnings: Vec<String>) -> Self {
        Bench {
            trial: Box::new(trial),
            config: job.lease.config.clone(),
            seed: job.lease.seed,
            libraries: vec![library],
            warnings,
            warned: Vec::new(),
            applied: Vec::new(),
            unsaved: Duration::ZERO,
            saved_at: None,
            steered_at: None,
        }
    }
}

/// A checkpoint that was read, where it is the one that was meant.
fn whole(start: &Start) -> anyhow::Result<(Vec<u8>, Checkpoint)> {
    let bytes = Checkpoint::read(start.path.as_ref())?;
    let checkpoint = Checkpoint::peek(&bytes)?;
    ensure!(
        checkpoint.step() == start.step,
        "it holds step {}, not {}; see `attune doctor`",
        checkpoint.step(),
        start.step
    );
    Ok((bytes, checkpoint))
}

/// Whether the file itself is at fault, and not what it is used for.
fn is_unreadable(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(
            CheckpointError::Unreadable { .. }
                | CheckpointError::Damaged { .. }
                | CheckpointError::Newer { .. }
        )
    )
}

fn config(lease: &Lease) -> FullConfig {
    values(&lease.config)
}

fn values(of: &BTreeMap<String, Scalar>) -> BTreeMap<String, Value> {
    of.iter()
        .map(|(name, scalar)| (name.clone(), value(scalar)))
        .collect()
}

fn value(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Bool(value) => Value::Bool(*value),
        Scalar::Int(value) => Value::Int(*value),
        Scalar::Float(value) => Value::Float(value.0),
        Scalar::Text(value) => Value::Text(value.clone()),
        Scalar::List(values) => Value::List(values.iter().map(|value| value.0).collect()),
    }
}
