//! Another trial that begins where a checkpoint was made.

use super::card::Card;
use super::restore::same_data;
use super::{Checkpoint, CheckpointError, decode};
use crate::optimizer::Memory;
use crate::trial::{CheckedSettings, Subject, Trial, TrialSettings, plan};
use attune_plugin_api::{Controller, Setup};

/// The rates that a fork's scheduler starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartRate {
    /// Those in force when the checkpoint was made, which may be 0 where a schedule had ended; the
    /// settings' `lr` is not looked at.
    InForce,
    /// The settings' `lr`, for every group.
    OfSettings,
}

impl Checkpoint {
    /// What the scheduler of a fork is told: the rates that it starts from, and as its run the
    /// steps that remain. Configure the controller for [`Trial::fork`] with it.
    ///
    /// # Errors
    /// As [`Trial::fork`], for settings and data.
    pub fn fork_setup(
        &self,
        settings: &CheckedSettings,
        subject: impl Into<Subject>,
        start: StartRate,
    ) -> Result<Setup, CheckpointError> {
        let card = &self.card;
        let subject = &subject.into();
        same_data(card, subject)?;
        may_fork(card, settings, subject)?;
        let cursor = card.cursor();
        let state = card.steering();
        let mut rates = match start {
            StartRate::InForce => state.rates_in_force(card.settings.max_lr),
            StartRate::OfSettings => vec![settings.lr; state.own.len()],
        };
        for rate in &mut rates {
            *rate = rate.min(settings.max_lr);
        }
        let momentum = settings.start_momentum();
        let momenta = if momentum == card.settings.start_momentum() {
            state.momenta
        } else {
            vec![momentum; state.momenta.len()]
        };
        let due = plan::due(settings, subject, cursor);
        Ok(plan::setup_at(
            settings, subject, cursor, due, &rates, &momenta,
        ))
    }
}

impl Trial {
    /// A new trial that begins where the checkpoint was made: parameters, the optimizer's memory,
    /// the cursor and the best epoch so far are the checkpoint's; settings, scheduler and counts
    /// ([`Trial::steering`]) are its own. The controller was configured with [`Checkpoint::fork_setup`] and begins its run here,
    /// at step 0 of its clock. The momentum is the one in force, unless the settings have another
    /// than the checkpoint's.
    ///
    /// A fork may change all settings but the model, the objective and the loss of a number; the
    /// seed and how many rows make a step only between two epochs; and the optimizer only to one
    /// with the same memory (`sgd` and `nesterov`, `adam` and `adam_w`). A moving average that the
    /// checkpoint has not starts from its parameters.
    ///
    /// # Errors
    /// Bytes that are no whole checkpoint; other data or another task; a setting that a fork cannot change; no
    /// epoch left to train.
    pub fn fork(
        settings: CheckedSettings,
        subject: impl Into<Subject>,
        controller: Box<dyn Controller>,
        bytes: &[u8],
        start: StartRate,
    ) -> Result<Trial, CheckpointError> {
        let (card, file) = decode(bytes)?;
        let subject = subject.into();
        let setup = Checkpoint { card: card.clone() }.fork_setup(&settings, &subject, start)?;
        let due = plan::due(&settings, &subject, card.cursor());
        let mut trial = Trial::new(settings, subject, controller)?;
        trial.refill(&card, &file)?;
        trial.look_back(&card, &file)?;
        let origin = trial.clock();
        trial.steering.begin(setup, origin, due);
        Ok(trial)
    }
}

fn may_fork(
    card: &Card,
    settings: &TrialSettings,
    subject: &Subject,
) -> Result<(), CheckpointError> {
    let saved = &card.settings;
    let objective = plan::objective(settings, subject).name();
    let shape = "the checkpoint's parameters are of another network";
    let midway =
        "that is only possible between two epochs, and the checkpoint is in the middle of one";
    let same_memory = Memory::of(saved.optimizer) == Memory::of(settings.optimizer);
    let begun = card.position > 0;
    let table = [
        (
            saved.model == settings.model,
            "model",
            format!("{:?}", saved.model),
            format!("{:?}", settings.model),
            shape,
        ),
        (
            same_memory,
            "optimizer",
            format!("{:?}", saved.optimizer),
            format!("{:?}", settings.optimizer),
            "they remember different things",
        ),
        (
            card.objective == objective,
            "objective",
            card.objective.clone(),
            objective.to_string(),
            "the best epoch so far was chosen by the old one",
        ),
        (
            saved.loss == settings.loss,
            "loss",
            format!("{:?}", saved.loss),
            format!("{:?}", settings.loss),
            "the best epoch so far was judged by the old one",
        ),
        (
            !begun || saved.batch_size == settings.batch_size,
            "batch_size",
            saved.batch_size.to_string(),
            settings.batch_size.to_string(),
            midway,
        ),
        (
            !begun || saved.accumulate == settings.accumulate,
            "accumulate",
            saved.accumulate.to_string(),
            settings.accumulate.to_string(),
            midway,
        ),
        (
            !begun || saved.seed == settings.seed,
            "seed",
            saved.seed.to_string(),
            settings.seed.to_string(),
            midway,
        ),
    ];
    for (holds, setting, saved, given, reason) in table {
        if !holds {
            return Err(CheckpointError::Fixed {
                setting,
                saved,
                given,
                reason,
            });
        }
    }
    if card.epochs >= settings.max_epochs {
        return Err(CheckpointError::NothingLeft {
            epochs: card.epochs,
            max_epochs: settings.max_epochs,
        });
    }
    Ok(())
}
