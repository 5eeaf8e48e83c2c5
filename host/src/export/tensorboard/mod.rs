//! TensorBoard event files: curves and configurations.
//!
//! Each trial is a run, a folder by the trial's id with one event file. Metrics are `epoch/NAME`
//! over epochs, what was recorded at each step is `step/NAME` over steps, and `objective` is the
//! trial's value at its best epoch. The configuration and the outcome are the session that the
//! HPARAMS tab shows.
//!
//! Values are 32-bit floats: TensorBoard's usual server draws no others, and leaves out tensors of
//! 64-bit ones without a word.
//!
//! It is not recorded when each step was taken: a run begins when the study did, and its steps are
//! spread evenly over its seconds of training. So the relative axis shows seconds of training.

mod protobuf;
mod record;

use super::Trials;
use super::outputs::Outputs;
use crate::convert::is_signal;
use anyhow::{Context, ensure};
use attune_protocol::{ImportedTrial, Number, Scalar, StudyDetail, StudySummary, TrialState};
use protobuf::Message;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes a run folder for each trial into a folder.
pub(super) fn write(
    study: &StudyDetail,
    trials: &mut Trials<'_>,
    folder: &Path,
    outputs: &mut Outputs,
) -> anyhow::Result<()> {
    // Refused at once, not when all but one are written.
    for trial in &study.trials {
        outputs.check(&place(&study.study, &trial.id, folder)?)?;
    }
    for trial in trials {
        let trial = trial?;
        let place = place(&study.study, &trial.trial.id, folder)?;
        outputs.file_of_many(&place, |file| write_run(&study.study, &trial, file))?;
    }
    Ok(())
}

/// The event file of a trial. TensorBoard looks for `tfevents` in the name; the time is the same in
/// every export of a study, so that a later one takes the place of an earlier one.
fn place(study: &StudySummary, trial: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let plain = !trial.is_empty()
        && !trial.starts_with('.')
        && trial
            .chars()
            .all(|c| c.is_alphanumeric() || "._-".contains(c));
    ensure!(
        plain,
        "trial {trial:?} cannot be the name of a folder; export the study as JSON lines"
    );
    let seconds = study.created_unix_ms / 1000;
    let name = format!("events.out.tfevents.{seconds:010}.attune");
    Ok(folder.join(trial).join(name))
}

fn write_run(
    study: &StudySummary,
    trial: &ImportedTrial,
    file: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut run = Run::new(study, trial, file);
    run.event(0.0, |event| {
        event.text(event::FILE_VERSION, "brain.Event:2")
    })?;
    run.summary(0.0, 0, |values| values.session_start(trial))?;
    for (epoch, metrics) in &trial.epochs {
        let part = f64::from(*epoch) / f64::from(trial.trial.epochs);
        run.summary(part, (*epoch).into(), |values| {
            for (name, value) in metrics {
                values.scalar("epoch/", name, value.0);
            }
        })?;
    }
    let rows = &trial.steps;
    for (at, step) in rows.steps.iter().enumerate() {
        let part = *step as f64 / trial.trial.steps as f64;
        run.summary(part, *step, |values| {
            for (name, column) in &rows.columns {
                // At most steps a scheduler is shown no metric.
                let is_shown = |value: &&Number| !is_signal(name) || !value.0.is_nan();
                if let Some(value) = column.get(at).filter(is_shown) {
                    values.scalar("step/", name, value.0);
                }
            }
        })?;
    }
    if let Some(value) = trial.trial.value {
        let epoch = trial.trial.best_epoch.unwrap_or(trial.trial.epochs);
        run.summary(1.0, epoch.into(), |values| {
            values.scalar("", "objective", value.0);
        })?;
    }
    if let Some(status) = status(trial.trial.state) {
        run.summary(1.0, 0, |values| values.session_end(status))?;
    }
    Ok(())
}

/// How TensorBoard calls what came of a session; nothing of one that goes on.
fn status(state: TrialState) -> Option<u64> {
    const SUCCESS: u64 = 1;
    const FAILURE: u64 = 2;
    match state {
        TrialState::Done | TrialState::Stopped => Some(SUCCESS),
        TrialState::Diverged | TrialState::Failed | TrialState::Lost => Some(FAILURE),
        TrialState::Queued | TrialState::Running | TrialState::Paused => None,
    }
}

/// Field numbers of `tensorboard.Event`.
mod event {
    pub(super) const WALL_TIME: u32 = 1;
    pub(super) const STEP: u32 = 2;
    pub(super) const FILE_VERSION: u32 = 3;
    pub(super) const SUMMARY: u32 = 5;
}

/// Field numbers of `tensorboard.Summary` and what is in it.
mod summary {
    pub(super) const VALUE: u32 = 1;
    pub(super) const TAG: u32 = 1;
    pub(super) const SIMPLE_VALUE: u32 = 2;
    pub(super) const TENSOR: u32 = 8;
    pub(super) const METADATA: u32 = 9;
    pub(super) const PLUGIN_DATA: u32 = 1;
    pub(super) const PLUGIN_NAME: u32 = 1;
    pub(super) const PLUGIN_CONTENT: u32 = 2;
}

/// Field numbers of `tensorboard.TensorProto`, and its type.
mod tensor {
    pub(super) const TYPE: u32 = 1;
    pub(super) const SHAPE: u32 = 2;
    pub(super) const FLOAT: u64 = 1;
    pub(super) const DIMENSION: u32 = 2;
    pub(super) const SIZE: u32 = 1;
}

/// Field numbers of `tensorboard.hparams.HParamsPluginData` and what is in it.
mod session {
    pub(super) const START: u32 = 3;
    pub(super) const END: u32 = 4;
    pub(super) const SETTINGS: u32 = 1;
    pub(super) const GROUP: u32 = 4;
    pub(super) const STARTED: u32 = 5;
    pub(super) const STATUS: u32 = 1;
    pub(super) const ENDED: u32 = 2;
    pub(super) const KEY: u32 = 1;
    pub(super) const VALUE: u32 = 2;
    /// Of `google.protobuf.Value`.
    pub(super) const NUMBER: u32 = 2;
    pub(super) const TEXT: u32 = 3;
    pub(super) const BOOL: u32 = 4;
}

/// One event file in the making.
struct Run<'f> {
    file: &'f mut dyn Write,
    id: &'f str,
    begun: f64,
    seconds: f64,
}

impl<'f> Run<'f> {
    fn new(study: &StudySummary, trial: &'f ImportedTrial, file: &'f mut dyn Write) -> Self {
        let seconds = trial.trial.seconds.0;
        Run {
            file,
            id: &trial.trial.id,
            begun: study.created_unix_ms as f64 / 1000.0,
            seconds: if seconds.is_finite() { seconds } else { 0.0 },
        }
    }

    /// Writes an event at this part of the training's time.
    fn event(&mut self, part: f64, fill: impl FnOnce(&mut Message)) -> anyhow::Result<()> {
        let mut event = Message::default();
        event.double(event::WALL_TIME, self.time(part));
        fill(&mut event);
        record::write(self.file, event.bytes())
            .with_context(|| format!("cannot write trial {}; is the disk full?", self.id))
    }

    fn summary(
        &mut self,
        part: f64,
        step: u64,
        fill: impl FnOnce(&mut Values),
    ) -> anyhow::Result<()> {
        let mut values = Values {
            summary: Message::default(),
            times: (self.begun, self.begun + self.seconds),
        };
        fill(&mut values);
        let summary = values.summary;
        self.event(part, |event| {
            event.int(event::STEP, step);
            event.message(event::SUMMARY, &summary);
        })
    }

    fn time(&self, part: f64) -> f64 {
        let part = if part.is_finite() { part } else { 0.0 };
        self.begun + self.seconds * part.clamp(0.0, 1.0)
    }
}

/// The values of one summary.
struct Values {
    summary: Message,
    times: (f64, f64),
}

impl Values {
    fn scalar(&mut self, group: &str, name: &str, number: f64) {
        let mut value = Message::default();
        value.text(summary::TAG, &format!("{group}{name}"));
        value.float(summary::SIMPLE_VALUE, number as f32);
        self.summary.message(summary::VALUE, &value);
    }

    fn session_start(&mut self, trial: &ImportedTrial) {
        let trial = &trial.trial;
        let mut start = Message::default();
        for (name, value) in &trial.config {
            start.message(session::SETTINGS, &setting(name, value));
        }
        if !trial.config.contains_key("scheduler") {
            let scheduler = Scalar::Text(trial.scheduler.clone());
            start.message(session::SETTINGS, &setting("scheduler", &scheduler));
        }
        start.text(session::GROUP, &trial.id);
        start.double(session::STARTED, self.times.0);
        let mut data = Message::default();
        data.message(session::START, &start);
        self.hparams("_hparams_/session_start_info", &data);
    }

    fn session_end(&mut self, status: u64) {
        let mut end = Message::default();
        end.int(session::STATUS, status);
        end.double(session::ENDED, self.times.1);
        let mut data = Message::default();
        data.message(session::END, &end);
        self.hparams("_hparams_/session_end_info", &data);
    }

    /// All that the plugin reads is in the metadata; the tensor is empty, but has to be there.
    fn hparams(&mut self, tag: &str, data: &Message) {
        let mut dimension = Message::default();
        dimension.int(tensor::SIZE, 0);
        let mut shape = Message::default();
        shape.message(tensor::DIMENSION, &dimension);
        let mut tensor = Message::default();
        tensor.int(tensor::TYPE, tensor::FLOAT);
        tensor.message(tensor::SHAPE, &shape);

        let mut value = Message::default();
        value.text(summary::TAG, tag);
        value.message(summary::TENSOR, &tensor);
        value.message(summary::METADATA, &hparams_metadata(data));
        self.summary.message(summary::VALUE, &value);
    }
}

fn hparams_metadata(data: &Message) -> Message {
    let mut plugin = Message::default();
    plugin.text(summary::PLUGIN_NAME, "hparams");
    plugin.message(summary::PLUGIN_CONTENT, data);
    let mut metadata = Message::default();
    metadata.message(summary::PLUGIN_DATA, &plugin);
    metadata
}

/// One entry of the configuration, a `google.protobuf.Value` by its name.
fn setting(name: &str, scalar: &Scalar) -> Message {
    let mut value = Message::default();
    match scalar {
        Scalar::Bool(on) => value.int(session::BOOL, u64::from(*on)),
        Scalar::Int(whole) => value.double(session::NUMBER, *whole as f64),
        // The tab is shown as JSON, which has no other numbers.
        Scalar::Float(number) if number.0.is_finite() => value.double(session::NUMBER, number.0),
        other => value.text(session::TEXT, &other.to_string()),
    }
    let mut entry = Message::default();
    entry.text(session::KEY, name);
    entry.message(session::VALUE, &value);
    entry
}
