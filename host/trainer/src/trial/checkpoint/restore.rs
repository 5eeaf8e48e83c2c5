//! A trial that goes on as if it had never stopped.

use super::card::{Card, DataMark};
use super::{AVERAGE, BEST, CheckpointError, KEPT, OPTIMIZER, PARAMETERS, SCHEDULER, decode};
use crate::optimizer::{Averages, moves_by_velocity};
use crate::tensor_file::TensorFile;
use crate::trial::{CheckedSettings, Snapshot, Subject, Trial, TrialSettings, guarded};
use attune_plugin_api::Controller;

impl Trial {
    /// The trial that a checkpoint was made of, which goes on bit for bit as that one would have:
    /// losses, rates, signals, metrics, the best epoch and the model. The controller is the same
    /// scheduler, freshly configured with [`Checkpoint::setup`](super::Checkpoint::setup); its
    /// state is loaded from the checkpoint.
    ///
    /// # Errors
    /// Bytes that are no whole checkpoint; settings, data or task, scheduler or signals that are not those
    /// it was made with; a scheduler that does not take its state back.
    pub fn restore(
        settings: CheckedSettings,
        subject: impl Into<Subject>,
        controller: Box<dyn Controller>,
        bytes: &[u8],
    ) -> Result<Trial, CheckpointError> {
        let (card, file) = decode(bytes)?;
        same_settings(&card.settings, &settings)?;
        let subject = subject.into();
        same_data(&card, &subject)?;
        let description = controller.description();
        let scheduler = description.name.clone();
        if scheduler != card.scheduler {
            return Err(CheckpointError::Scheduler {
                saved: card.scheduler,
                given: scheduler,
            });
        }
        if description.signals != card.signals {
            return Err(CheckpointError::Signals { scheduler });
        }
        let mut trial = Trial::new(settings, subject, controller)?;
        trial.refill(&card, &file)?;
        if !trial.signals.resume(&card.measured()) {
            return Err(CheckpointError::Signals { scheduler });
        }
        trial.look_back(&card, &file)?;
        let state = file.bytes(SCHEDULER).map_err(damaged)?;
        let steering = card.steering();
        guarded(card.steps, || trial.steering.resume(steering, state))?
            .map_err(|source| CheckpointError::State { scheduler, source })?;
        Ok(trial)
    }

    /// Puts everything in place that the scheduler has no part in.
    pub(super) fn refill(
        &mut self,
        card: &Card,
        file: &TensorFile<'_>,
    ) -> Result<(), CheckpointError> {
        if card.setup.groups.len() != self.learner.groups().len() {
            return Err(damaged("its parameter groups are others".into()));
        }
        for group in self.learner.groups_mut() {
            group.values = file.read(PARAMETERS, &group.tensors).map_err(damaged)?;
        }
        let buffers = self.learner.buffers_mut();
        buffers.values = file.read(PARAMETERS, &buffers.tensors).map_err(damaged)?;
        let groups = self.learner.groups();
        self.optimizer
            .resume(card.optimizer_steps, |name, group| {
                file.read(&format!("{OPTIMIZER}{name}"), &groups[group].tensors)
            })
            .map_err(damaged)?;
        if let Some(decay) = self.settings.ema {
            let mut averages = Averages::of(decay, groups);
            if card.averaged {
                let values = groups
                    .iter()
                    .map(|group| file.read(AVERAGE, &group.tensors));
                averages.resume(values.collect::<Result<_, _>>().map_err(damaged)?);
            }
            self.averages = Some(averages);
        }
        self.best = match &card.best {
            None => None,
            Some(best) => {
                let tensors = groups.iter().map(|group| &group.tensors);
                let tensors = tensors.chain([&self.learner.buffers().tensors]);
                let weights: Result<_, _> =
                    tensors.map(|tensors| file.read(BEST, tensors)).collect();
                Some(Snapshot {
                    epoch: best.epoch,
                    step: best.step,
                    objective: best.objective(),
                    valid: best.valid(&self.subject.metrics()),
                    weights: weights.map_err(damaged)?,
                })
            }
        };
        self.cursor = card.cursor();
        self.epoch_loss = card.epoch_loss();
        self.epoch_time = card.epoch_time();
        self.shuffle_rows();
        Ok(())
    }

    /// Puts in place what the scheduler's signals look back to.
    pub(super) fn look_back(
        &mut self,
        card: &Card,
        file: &TensorFile<'_>,
    ) -> Result<(), CheckpointError> {
        let groups = self.learner.groups();
        let recall = |place: &str, name: &str, group: usize| {
            file.read(&format!("{place}{name}"), &groups[group].tensors)
        };
        // A fork's velocity is not the direction that another rule moved in.
        let (before, now) = (card.settings.optimizer, self.settings.optimizer);
        if card.directed && (before == now || !moves_by_velocity(now)) {
            self.optimizer
                .resume_directions(|name, group| recall(OPTIMIZER, name, group))
                .map_err(damaged)?;
        }
        let kept = self.signals.kept_mut();
        let before = (&card.signals[..], card.has_gradients);
        kept.resume(groups, before, |name, group| recall(KEPT, name, group))
            .map_err(damaged)
    }
}

pub(super) fn damaged(reason: String) -> CheckpointError {
    CheckpointError::Damaged { reason }
}

fn same_settings(saved: &TrialSettings, given: &TrialSettings) -> Result<(), CheckpointError> {
    let unreadable = |error: serde_json::Error| damaged(error.to_string());
    let saved = serde_json::to_value(saved).map_err(unreadable)?;
    let given = serde_json::to_value(given).map_err(unreadable)?;
    let settings = given.as_object().into_iter().flatten();
    for (setting, given) in settings {
        if saved[setting] != *given {
            return Err(CheckpointError::Setting {
                setting: setting.clone(),
                saved: saved[setting].to_string(),
                given: given.to_string(),
            });
        }
    }
    Ok(())
}

pub(super) fn same_data(card: &Card, subject: &Subject) -> Result<(), CheckpointError> {
    let (saved, given) = (&card.data, &DataMark::of(subject));
    let words = [
        ("the task", &saved.task, &given.task),
        ("the base", &saved.base, &given.base),
    ];
    if let Some((what, saved, given)) = words.into_iter().find(|(_, saved, given)| saved != given) {
        let told = |word: &Option<String>| word.clone().unwrap_or_else(|| "none".into());
        return Err(CheckpointError::Data {
            what,
            saved: told(saved),
            given: told(given),
        });
    }
    let table = [
        ("the number of features", saved.inputs, given.inputs),
        ("the number of outputs", saved.outputs, given.outputs),
        (
            "the number of training rows",
            saved.train_rows,
            given.train_rows,
        ),
        (
            "the number of validation rows",
            saved.valid_rows,
            given.valid_rows,
        ),
        ("the number of test rows", saved.test_rows, given.test_rows),
        (
            "the checksum of all rows",
            saved.fingerprint as usize,
            given.fingerprint as usize,
        ),
    ];
    match table.into_iter().find(|(_, saved, given)| saved != given) {
        Some((what, saved, given)) => Err(CheckpointError::Data {
            what,
            saved: saved.to_string(),
            given: given.to_string(),
        }),
        None => Ok(()),
    }
}
