//! A study that is under way: what its conductor decides, and what its trials come to.
//!
//! Nothing here waits, and nothing is written: every change goes to the [`Outbox`]. A study in
//! memory is a function of what is stored, so that the daemon can be killed at any moment:
//! [`Study::restore`] gives the reports that are stored with the trials to a new conductor.
//!
//! Here is what a study is, how it begins, and what others must know of it. How it comes back from
//! the store is in `restore`, what it searches with in `method`; `segments` are given to workers
//! and reported, `verdicts` say what becomes of their trials; what people do to trials is in
//! `by_hand`; how the study comes to rest in `halt`; `status` tells of it.

mod by_hand;
mod halt;
mod method;
mod restore;
mod segments;
mod status;
mod verdicts;

pub(super) use halt::Halt;
pub(super) use method::{resolve, searched_direction};

use super::outbox::Outbox;
use super::trial::{Trial, WorkerId, file};
use crate::clock;
use crate::study::settings::name;
use crate::study::space::{FullConfig, StudySpace};
use crate::study::spec::StudySpec;
use attune_plugin_api::Description;
use attune_protocol::work::{Brief, LibraryFile};
use attune_protocol::{Event, Number};
use attune_search::TrialNumber;
use attune_search::conductor::Conductor;
use attune_store as disk;
use attune_store::{Best, Note, PluginBuild, StudyId, StudyRecord, StudyState, TrialId};
use status::Tally;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The library of each scheduler, with what it says of itself.
pub(super) type Schedulers = BTreeMap<String, (Description, LibraryFile)>;

/// A scheduler that was not part of a study.
pub(super) type NewScheduler = (PluginBuild, (Description, LibraryFile));

/// A study that is under way.
pub(super) struct Study {
    pub(super) id: StudyId,
    pub(super) record: StudyRecord,
    spec: StudySpec,
    space: StudySpace,
    schedulers: Schedulers,
    conductor: Conductor,
    /// Trials that have not ended.
    pub(super) trials: BTreeMap<TrialNumber, Trial>,
    /// The number of the next report to the conductor.
    seq: u64,
    tally: Tally,
    best: Option<(TrialNumber, f64)>,
    /// The folder of its checkpoints and models.
    folder: PathBuf,
    /// Since when the time in its record does not count.
    counted: Instant,
    /// Why it is coming to a halt, while its workers lay down their work.
    pub(super) halt: Option<Halt>,
    /// What people wrote about it.
    pub(super) note: Option<Note>,
}

/// What the one trial of a fork, or of a retry, begins from.
pub(super) struct ForkStart {
    /// The other trial's checkpoint; its beginning where there is none.
    pub(super) checkpoint: Option<PathBuf>,
    pub(super) config: FullConfig,
    pub(super) seed: u64,
    pub(super) max_epochs: u32,
    pub(super) plugin: Option<PluginBuild>,
    /// The best of each metric so far, which goes on to count.
    pub(super) best: BTreeMap<String, Best>,
}

/// More for a study that is resumed.
#[derive(Debug, Default)]
pub(super) struct More {
    /// The study file from now on, checked, where it changes.
    pub(super) spec: Option<StudySpec>,
    /// What is different, a sentence each.
    pub(super) summary: Vec<String>,
}

impl Study {
    /// Begins, or goes on, with what is new.
    ///
    /// # Errors
    /// The new study file does not fit.
    pub(super) fn begin(&mut self, more: More, outbox: &mut Outbox) -> anyhow::Result<()> {
        if let Some(spec) = more.spec {
            let text = spec.text.clone();
            self.go_on_by(spec, self.seq)?;
            self.record.changes.push(disk::Change {
                unix_ms: clock::unix_ms(),
                seq: self.seq,
                spec: text,
                summary: more.summary,
            });
        }
        let begins = self.record.state == StudyState::Queued;
        match self.record.state {
            // One that runs and is given more keeps its time.
            StudyState::Running => self.add_time(),
            _ => self.counted = Instant::now(),
        }
        self.record.state = StudyState::Running;
        self.record.reason = None;
        self.record.ended_unix_ms = None;
        outbox.put_study(self.id, &self.record);
        let study = self.summary();
        if begins {
            outbox.tell(self.id, Event::StudyStarted { study });
            self.warn_of_waiting(outbox);
        } else {
            outbox.tell(self.id, Event::StudyChanged { study });
        }
        Ok(())
    }

    /// Makes the one trial of a fork, which has the seed of the trial that it was forked from.
    pub(super) fn begin_with(&mut self, fork: ForkStart, outbox: &mut Outbox) {
        let ForkStart { config, seed, .. } = fork;
        let mut trial = Trial::suggested(&config, seed, fork.max_epochs, fork.plugin);
        trial.record.best_metrics = fork.best;
        outbox.put_trial(self.id.trial(0), &trial.record);
        self.trials.insert(TrialNumber(0), trial);
    }

    /// Keeps a scheduler that a person puts at a trial's wheel.
    pub(super) fn take_in(&mut self, (build, scheduler): NewScheduler, outbox: &mut Outbox) {
        let name = scheduler.0.name.clone();
        self.record.swapped.insert(name.clone(), build);
        self.schedulers.insert(name, scheduler);
        outbox.put_study(self.id, &self.record);
    }

    /// The checkpoint of another trial that a fork begins from, as a file of its own.
    pub(super) fn fork_file(&self) -> PathBuf {
        file::folder(&self.folder, 0).join("origin.ckpt")
    }

    /// What a worker must know of it.
    pub(super) fn brief(&self, checkpoint_every: Duration) -> Brief {
        let library = |(name, (_, file)): (&String, &(Description, LibraryFile))| {
            (name.clone(), file.clone())
        };
        Brief {
            spec: self.spec.text.clone(),
            file: self.record.file.clone(),
            data_hash: self.record.data_hash.clone(),
            metric: self.record.metric.clone(),
            libraries: self.schedulers.iter().map(library).collect(),
            folder: self.folder.to_string_lossy().into_owned(),
            checkpoint_seconds: Number(checkpoint_every.as_secs_f64()),
        }
    }

    /// How many workers may train for it at a time.
    pub(super) fn parallel(&self) -> usize {
        self.record.parallel.max(1) as usize
    }

    /// How many leases one worker may hold in advance: so many that the others find some too.
    pub(super) fn most_leases(&self) -> usize {
        match self.spec.reproducible {
            true => (self.width() as usize / (2 * self.parallel())).max(1),
            false => 1,
        }
    }

    fn width(&self) -> u32 {
        method::width(&self.spec, self.record.parallel)
    }

    /// Time that is left of its budget.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let budget = self.spec.budget?;
        let spent = Duration::try_from_secs_f64(self.record.seconds).unwrap_or_default();
        Some(budget.saturating_sub(spent + self.counted.elapsed()))
    }

    /// Writes down how much time it took, now and then, so that a crash forgets little of it.
    pub(super) fn count_time(&mut self, outbox: &mut Outbox) {
        if self.counted.elapsed() >= Duration::from_secs(1) {
            self.add_time();
            outbox.put_study(self.id, &self.record);
        }
    }

    pub(super) fn trial_id(&self, number: TrialNumber) -> TrialId {
        self.id.trial(u32::try_from(number.0).unwrap_or(u32::MAX))
    }

    /// The library of the trial's scheduler.
    pub(super) fn library(&self, number: TrialNumber) -> Option<&LibraryFile> {
        let scheduler = self
            .trials
            .get(&number)?
            .record
            .config
            .get(name::SCHEDULER)?;
        let disk::Scalar::Text(scheduler) = scheduler else {
            return None;
        };
        self.library_of(scheduler)
    }

    /// The library of a scheduler that the study may use.
    pub(super) fn library_of(&self, scheduler: &str) -> Option<&LibraryFile> {
        self.schedulers.get(scheduler).map(|(_, library)| library)
    }

    /// The schedulers that the study may use.
    pub(super) fn schedulers(&self) -> Vec<&str> {
        self.schedulers.keys().map(String::as_str).collect()
    }

    /// The plugin that a library of this hash holds, where the study uses it.
    pub(super) fn build(&self, hash: &str) -> Option<&PluginBuild> {
        let mut builds = self
            .record
            .plugins
            .values()
            .chain(self.record.swapped.values());
        builds.find(|build| build.build_hash == hash)
    }

    /// A worker is gone, and what it held in memory with it.
    pub(super) fn forget_worker(&mut self, worker: WorkerId) {
        for trial in self.trials.values_mut() {
            trial.warm_on = trial.warm_on.filter(|on| *on != worker);
        }
    }

    fn add_time(&mut self) {
        self.record.seconds += self.counted.elapsed().as_secs_f64();
        self.counted = Instant::now();
    }

    fn warn_of_waiting(&self, outbox: &mut Outbox) {
        let (parallel, width) = (self.record.parallel, self.width());
        if self.spec.reproducible && parallel > 2 && parallel * 4 > width {
            let message = format!(
                "{parallel} trials at a time share {width} virtual workers, so some will wait; set \
                 `virtual_width = {}` (another study), or `reproducible = false`",
                parallel * 4
            );
            outbox.tell(self.id, Event::Warning { message });
        }
    }
}

pub(super) fn number(id: TrialId) -> TrialNumber {
    TrialNumber(id.number.into())
}
