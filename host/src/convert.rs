//! Turns what is stored into what is told: disk types into wire types.

use attune_plugin_api::param::Value;
use attune_protocol as wire;
use attune_protocol::Number;
use attune_store as disk;
use attune_store::{StudyId, TrialId};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// The most points of a curve that are told; more than any screen or plot has columns for.
pub(crate) const MAX_POINTS: usize = 2_000;

/// The name under which a metric on the validation rows is recorded; the objective always is one.
pub(crate) fn on_valid(metric: &str) -> String {
    format!("valid_{metric}")
}

/// The column of a trial's steps that holds what its scheduler was shown.
pub(crate) fn signal_column(signal: &str) -> String {
    format!("{SIGNAL}{signal}")
}

/// Whether a column of a trial's steps holds what its scheduler was shown.
pub(crate) fn is_signal(column: &str) -> bool {
    column.starts_with(SIGNAL)
}

/// How the names of such columns begin.
const SIGNAL: &str = "signal.";

/// A study at a glance, from what is known of its trials, without what people wrote about it.
pub(crate) fn study_summary(
    id: StudyId,
    record: &disk::StudyRecord,
    trials: wire::TrialCounts,
    best: Option<(TrialId, f64)>,
) -> wire::StudySummary {
    wire::StudySummary {
        id: id.to_string(),
        name: record.name.clone(),
        state: study_state(record.state),
        metric: record.metric.clone(),
        direction: direction(record.direction),
        seed: record.seed,
        trials,
        best_trial: best.map(|(id, _)| id.to_string()),
        best_value: best.map(|(_, value)| Number(value)),
        created_unix_ms: record.created_unix_ms,
        ended_unix_ms: record.ended_unix_ms,
        seconds: Number(record.seconds),
        reason: record.reason.clone(),
        origin: record.origin.as_ref().map(|origin| wire::Origin {
            trial: origin.trial.to_string(),
            step: origin.step,
        }),
        note: wire::Note::default(),
        trend: Vec::new(),
    }
}

/// Counts a study's trials, one after another in the order of their numbers, to what can be said of
/// it at a glance.
pub(crate) struct Census<'s> {
    id: StudyId,
    record: &'s disk::StudyRecord,
    objective: String,
    counts: wire::TrialCounts,
    /// Whether any has a model. If so, one that ended without, because it failed or was cut off, is
    /// not the best: nothing of it could be saved.
    is_any_kept: bool,
    best_kept: Option<(TrialId, f64)>,
    best_of_all: Option<(TrialId, f64)>,
    best_with_model: Option<(TrialId, f64)>,
    trend: Trend,
}

/// The best value after some of the trials.
#[derive(Default)]
struct Trend {
    values: Vec<f64>,
    /// Every so many-th trial is kept, and so many were seen since the last that was.
    stride: usize,
    since: usize,
}

/// As many values of a trend as are told.
const TREND: usize = 48;

impl Trend {
    fn add(&mut self, best: f64) {
        self.since += 1;
        if self.since < self.stride {
            return;
        }
        self.since = 0;
        self.values.push(best);
        if self.values.len() == TREND {
            // Of twice as many trials half as many are kept.
            let mut is_odd = false;
            self.values.retain(|_| {
                is_odd = !is_odd;
                !is_odd
            });
            self.stride = 2 * self.stride.max(1);
        }
    }

    fn with_last(&self, last: Option<f64>) -> Vec<Number> {
        let mut values: Vec<Number> = self.values.iter().copied().map(Number).collect();
        values.extend(last.filter(|_| self.since > 0).map(Number));
        values
    }
}

impl<'s> Census<'s> {
    pub(crate) fn of(id: StudyId, record: &'s disk::StudyRecord) -> Self {
        Census {
            id,
            record,
            objective: on_valid(&record.metric),
            counts: wire::TrialCounts {
                planned: record.planned_trials,
                ..wire::TrialCounts::default()
            },
            is_any_kept: false,
            best_kept: None,
            best_of_all: None,
            best_with_model: None,
            trend: Trend::default(),
        }
    }

    pub(crate) fn count(&mut self, id: TrialId, trial: &disk::TrialRecord) {
        use disk::TrialState::*;
        match trial.state {
            // Nobody here goes on with it.
            Lost if self.record.imported.is_some() => self.counts.failed += 1,
            Queued | Running | Paused | Lost => self.counts.running += 1,
            Done => self.counts.done += 1,
            Stopped => self.counts.stopped += 1,
            Diverged => self.counts.diverged += 1,
            Failed => self.counts.failed += 1,
        }
        self.is_any_kept |= trial.model.is_some();
        let value = trial.best_metrics.get(&self.objective);
        let Some(value) = value.map(|best| best.value).filter(|value| !value.is_nan()) else {
            return;
        };
        let direction = direction(self.record.direction);
        let consider = |best: &mut Option<(TrialId, f64)>| {
            if best.is_none_or(|(_, best)| direction.better(value, best)) {
                *best = Some((id, value));
            }
        };
        if trial.model.is_some() || trial.ended_unix_ms.is_none() {
            consider(&mut self.best_kept);
        }
        if trial.state != Failed {
            consider(&mut self.best_of_all);
        }
        if trial.model.is_some() {
            consider(&mut self.best_with_model);
        }
        if let Some((_, best)) = self.best() {
            self.trend.add(best);
        }
    }

    /// The best trial so far and its value; the lower number where two are equal.
    pub(crate) fn best(&self) -> Option<(TrialId, f64)> {
        match self.is_any_kept {
            true => self.best_kept,
            false => self.best_of_all,
        }
    }

    /// The best of those trials that have a model.
    pub(crate) fn best_with_model(&self) -> Option<TrialId> {
        self.best_with_model.map(|(id, _)| id)
    }

    pub(crate) fn summary(&self) -> wire::StudySummary {
        let best = self.best();
        wire::StudySummary {
            trend: self.trend.with_last(best.map(|(_, best)| best)),
            ..study_summary(self.id, self.record, self.counts, best)
        }
    }
}

/// A study's trials in the order of a leaderboard: best first, and those without a value last.
/// Each is kept as the JSON that is told of it, a tenth of what it takes in memory otherwise.
pub(crate) struct Board {
    direction: wire::Direction,
    metric: String,
    trials: Vec<(f64, serde_json::Result<Box<RawValue>>)>,
}

impl Board {
    pub(crate) fn of(record: &disk::StudyRecord) -> Self {
        Board {
            direction: direction(record.direction),
            metric: record.metric.clone(),
            trials: Vec::new(),
        }
    }

    pub(crate) fn add(
        &mut self,
        id: TrialId,
        record: &disk::TrialRecord,
        written: Option<&disk::Note>,
    ) {
        let told = wire::TrialSummary {
            note: note(written),
            ..trial(id, record, &self.metric)
        };
        let value = told.value.map_or(f64::NAN, |value| value.0);
        self.trials.push((value, to_raw_value(&told)));
    }

    /// A [`wire::StudyDetail`] with these trials.
    ///
    /// # Errors
    /// Never, as far as we know: a trial that cannot be written as JSON.
    pub(crate) fn detail(
        mut self,
        study: wire::StudySummary,
        record: disk::StudyRecord,
    ) -> serde_json::Result<ToldStudy> {
        let direction = self.direction;
        self.trials.sort_by(|(a, _), (b, _)| {
            if direction.better(*a, *b) {
                std::cmp::Ordering::Less
            } else if direction.better(*b, *a) {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        });
        let trials = self.trials.into_iter().map(|(_, told)| told);
        Ok(ToldStudy {
            study,
            trials: trials.collect::<Result<_, _>>()?,
            changes: record.changes.into_iter().flat_map(|c| c.summary).collect(),
            spec: record.spec,
            file: record.file,
            notes: record.notes,
        })
    }
}

/// A [`wire::StudyDetail`] on its way out.
#[derive(Serialize)]
pub(crate) struct ToldStudy {
    study: wire::StudySummary,
    spec: String,
    file: String,
    trials: Vec<Box<RawValue>>,
    notes: Vec<String>,
    changes: Vec<String>,
}

/// A trial at a glance, without what people wrote about it. `metric` is the study's objective.
pub(crate) fn trial(id: TrialId, record: &disk::TrialRecord, metric: &str) -> wire::TrialSummary {
    let best = record.best_metrics.get(&on_valid(metric));
    let scheduler = match record.config.get(crate::study::settings::name::SCHEDULER) {
        Some(disk::Scalar::Text(name)) => name.clone(),
        _ => String::new(),
    };
    let plugin = record.plugin.as_ref().map_or_else(String::new, |plugin| {
        let hash = plugin.build_hash.get(..16).unwrap_or(&plugin.build_hash);
        format!("{} {} ({hash})", plugin.name, plugin.version)
    });
    wire::TrialSummary {
        id: id.to_string(),
        state: trial_state(record.state),
        scheduler,
        config: record
            .config
            .iter()
            .map(|(name, value)| (name.clone(), scalar(value)))
            .collect(),
        seed: record.seed,
        epochs: record.epochs,
        max_epochs: record.max_epochs,
        steps: record.steps,
        value: best.map(|best| Number(best.value)),
        best_epoch: best.map(|best| best.epoch),
        metrics: metrics(&record.final_metrics),
        seconds: Number(record.seconds),
        reason: record.reason.clone(),
        warnings: record.warnings.clone(),
        plugin,
        interventions: record.interventions.iter().map(intervention).collect(),
        deaths: record
            .deaths
            .iter()
            .map(|death| death.reason.clone())
            .collect(),
        checkpoints: record.checkpoints.iter().map(checkpoint).collect(),
        rungs: rungs(record),
        started_unix_ms: record.started_unix_ms,
        ended_unix_ms: record.ended_unix_ms,
        note: wire::Note::default(),
    }
}

/// Epochs of the rungs that a trial came to.
fn rungs(record: &disk::TrialRecord) -> Vec<u32> {
    let reached = record
        .outcomes
        .iter()
        .filter(|outcome| outcome.kind == disk::OutcomeKind::Reached);
    reached
        .filter_map(|outcome| u32::try_from(outcome.epoch).ok())
        .collect()
}

/// What people wrote, as it is told.
pub(crate) fn note(stored: Option<&disk::Note>) -> wire::Note {
    stored.map_or_else(wire::Note::default, |stored| wire::Note {
        text: stored.text.clone(),
        tags: stored.tags.clone(),
    })
}

/// A plugin's build as [`trial`] tells it, back in its parts.
pub(crate) fn plugin_build(told: &str) -> Option<disk::PluginBuild> {
    let (name, rest) = told.split_once(' ')?;
    let (version, hash) = rest.rsplit_once(" (")?;
    Some(disk::PluginBuild {
        name: name.to_owned(),
        version: version.to_owned(),
        build_hash: hash.strip_suffix(')')?.to_owned(),
    })
}

/// Metrics by epoch, by their names.
pub(crate) type EpochCurves = BTreeMap<String, Vec<(u32, f64)>>;

/// A trial with its curves.
pub(crate) fn trial_detail(
    summary: wire::TrialSummary,
    epochs: EpochCurves,
    steps: &[(String, disk::Curve)],
) -> wire::TrialDetail {
    let epoch_curves = epochs.into_iter().map(|(name, points)| wire::Curve {
        name,
        points: points
            .into_iter()
            .map(|(epoch, value)| (Number(epoch.into()), Number(value)))
            .collect(),
    });
    let step_curves = steps.iter().map(|(name, curve)| wire::Curve {
        name: name.clone(),
        points: curve.buckets.iter().map(point).collect(),
    });
    wire::TrialDetail {
        trial: summary,
        epoch_curves: epoch_curves.collect(),
        step_curves: step_curves.collect(),
    }
}

/// A stretch of steps as a point; from near, each is one step.
fn point(bucket: &disk::Bucket) -> (Number, Number) {
    (Number(bucket.to_step as f64), Number(bucket.mean))
}

/// A stretch of steps as it is told.
pub(crate) fn bucket(bucket: &disk::Bucket) -> wire::Bucket {
    wire::Bucket {
        from: bucket.from_step,
        to: bucket.to_step,
        min: Number(bucket.min),
        mean: Number(bucket.mean),
        max: Number(bucket.max),
        last: Number(bucket.last),
    }
}

pub(crate) fn metrics(metrics: &BTreeMap<String, f64>) -> wire::Metrics {
    metrics
        .iter()
        .map(|(name, value)| (name.clone(), Number(*value)))
        .collect()
}

/// A configuration as it is told.
pub(crate) fn scalars(config: &BTreeMap<String, disk::Scalar>) -> BTreeMap<String, wire::Scalar> {
    config
        .iter()
        .map(|(name, value)| (name.clone(), scalar(value)))
        .collect()
}

/// A told value as a plugin takes it.
pub(crate) fn value(scalar: &wire::Scalar) -> Value {
    match scalar {
        wire::Scalar::Bool(value) => Value::Bool(*value),
        wire::Scalar::Int(value) => Value::Int(*value),
        wire::Scalar::Float(value) => Value::Float(value.0),
        wire::Scalar::Text(value) => Value::Text(value.clone()),
        wire::Scalar::List(values) => Value::List(values.iter().map(|value| value.0).collect()),
    }
}

/// What a person did, as it is told.
pub(crate) fn intervention(stored: &disk::Intervention) -> wire::work::Intervention {
    wire::work::Intervention {
        step: stored.step,
        steer: match &stored.action {
            disk::Action::SetRate(rate) => wire::Steer::SetRate(Number(*rate)),
            disk::Action::Swap { scheduler, params } => wire::Steer::Swap {
                scheduler: scheduler.clone(),
                params: scalars(params),
            },
        },
    }
}

/// What a person did, as it is stored.
pub(crate) fn stored_intervention(told: &wire::work::Intervention) -> disk::Intervention {
    disk::Intervention {
        step: told.step,
        unix_ms: crate::clock::unix_ms(),
        action: match &told.steer {
            wire::Steer::SetRate(rate) => disk::Action::SetRate(rate.0),
            wire::Steer::Swap { scheduler, params } => disk::Action::Swap {
                scheduler: scheduler.clone(),
                params: params
                    .iter()
                    .map(|(name, told)| (name.clone(), stored(&value(told))))
                    .collect(),
            },
        },
    }
}

fn checkpoint(stored: &disk::Checkpoint) -> wire::work::Checkpoint {
    wire::work::Checkpoint {
        step: stored.step,
        epoch: stored.epoch,
        bytes: stored.bytes,
        kept_as: match stored.kept_as {
            disk::KeptAs::Last => wire::KeptAs::Last,
            disk::KeptAs::Best => wire::KeptAs::Best,
            disk::KeptAs::Rung => wire::KeptAs::Rung,
        },
    }
}

pub(crate) fn kept_as(told: wire::KeptAs) -> disk::KeptAs {
    match told {
        wire::KeptAs::Last => disk::KeptAs::Last,
        wire::KeptAs::Best => disk::KeptAs::Best,
        wire::KeptAs::Rung => disk::KeptAs::Rung,
    }
}

/// A configuration's value as it is stored.
pub(crate) fn stored(value: &Value) -> disk::Scalar {
    match value {
        Value::Bool(value) => disk::Scalar::Bool(*value),
        Value::Int(value) => disk::Scalar::Int(*value),
        Value::Float(value) => disk::Scalar::Float(*value),
        Value::Text(value) => disk::Scalar::Text(value.clone()),
        Value::List(values) => {
            disk::Scalar::List(values.iter().copied().map(disk::Scalar::Float).collect())
        }
    }
}

fn scalar(value: &disk::Scalar) -> wire::Scalar {
    match value {
        disk::Scalar::Bool(value) => wire::Scalar::Bool(*value),
        disk::Scalar::Int(value) => wire::Scalar::Int(*value),
        disk::Scalar::Float(value) => wire::Scalar::Float(Number(*value)),
        disk::Scalar::Text(value) => wire::Scalar::Text(value.clone()),
        disk::Scalar::List(values) => wire::Scalar::List(
            values
                .iter()
                .map(|value| match value {
                    disk::Scalar::Float(value) => Number(*value),
                    disk::Scalar::Int(value) => Number(*value as f64),
                    // Lists are of numbers wherever they come from a plugin's description.
                    _ => Number(f64::NAN),
                })
                .collect(),
        ),
    }
}

pub(crate) fn direction(direction: disk::Direction) -> wire::Direction {
    match direction {
        disk::Direction::Minimize => wire::Direction::Minimize,
        disk::Direction::Maximize => wire::Direction::Maximize,
    }
}

pub(crate) fn study_state(state: disk::StudyState) -> wire::StudyState {
    match state {
        disk::StudyState::Queued => wire::StudyState::Queued,
        disk::StudyState::Running => wire::StudyState::Running,
        disk::StudyState::Paused => wire::StudyState::Paused,
        disk::StudyState::Stopped => wire::StudyState::Stopped,
        disk::StudyState::Done => wire::StudyState::Done,
        disk::StudyState::Failed => wire::StudyState::Failed,
        disk::StudyState::Interrupted => wire::StudyState::Interrupted,
    }
}

pub(crate) fn trial_state(state: disk::TrialState) -> wire::TrialState {
    match state {
        disk::TrialState::Queued => wire::TrialState::Queued,
        disk::TrialState::Running => wire::TrialState::Running,
        disk::TrialState::Paused => wire::TrialState::Paused,
        disk::TrialState::Stopped => wire::TrialState::Stopped,
        disk::TrialState::Done => wire::TrialState::Done,
        disk::TrialState::Diverged => wire::TrialState::Diverged,
        disk::TrialState::Failed => wire::TrialState::Failed,
        disk::TrialState::Lost => wire::TrialState::Lost,
    }
}
