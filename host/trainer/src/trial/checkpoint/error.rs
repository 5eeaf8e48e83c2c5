//! Why a trial cannot go on from a checkpoint.

use crate::trial::TrialError;
use attune_plugin_api::CallError;

/// Why a checkpoint cannot be read, written or gone on from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error("cannot read the checkpoint {path}: {reason}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file cannot be written; the path holds what it held before.
    #[error(
        "cannot write the checkpoint {path}: {reason}; check the folder, its permissions and the free space"
    )]
    Unwritable {
        /// The file.
        path: String,
        /// What kind of failure it is, to tell a full disk from a mistake.
        kind: std::io::ErrorKind,
        /// What the system said.
        reason: String,
    },
    /// The bytes are something else, cut short or changed.
    #[error(
        "this is not a checkpoint that Attune wrote, or it is damaged: {reason}; go on from an earlier one, or start the trial again"
    )]
    Damaged {
        /// What is wrong with them.
        reason: String,
    },
    /// The bytes come from a later version.
    #[error(
        "the checkpoint has format {found}, but this version of Attune knows formats up to {known}; use a newer one"
    )]
    Newer {
        /// Its format.
        found: u32,
        /// The latest known.
        known: u32,
    },
    /// A setting of a trial that is to be continued is another.
    #[error(
        "the checkpoint was made with `{setting}` = {saved}, but the trial has {given}; restore it with the same settings, or fork it"
    )]
    Setting {
        /// The setting.
        setting: String,
        /// What it was, as JSON.
        saved: String,
        /// What it is now, as JSON.
        given: String,
    },
    /// The data are others.
    #[error(
        "the checkpoint belongs to other data: {what} was {saved} and is now {given}; use the data that the trial began with"
    )]
    Data {
        /// What differs.
        what: &'static str,
        /// What it was.
        saved: String,
        /// What it is now.
        given: String,
    },
    /// Another scheduler was at the wheel.
    #[error(
        "the checkpoint was made with the scheduler `{saved}`, but `{given}` was to continue it; restore it with the same scheduler, or fork it"
    )]
    Scheduler {
        /// The scheduler that was at the wheel.
        saved: String,
        /// The one that was given.
        given: String,
    },
    /// The scheduler reads other signals than when the checkpoint was made.
    #[error(
        "the scheduler `{scheduler}` reads other signals than the one that the checkpoint was made with; restore it with the same build of the plugin, or fork it"
    )]
    Signals {
        /// The scheduler.
        scheduler: String,
    },
    /// The scheduler does not take its own state back.
    #[error("the scheduler `{scheduler}` cannot go on from its saved state: {source}")]
    State {
        /// The scheduler.
        scheduler: String,
        /// What it said.
        source: CallError,
    },
    /// A fork wants to change what must stay.
    #[error(
        "a fork cannot change `{setting}` from {saved} to {given}: {reason}; leave it as it was, or start a new trial"
    )]
    Fixed {
        /// The setting.
        setting: &'static str,
        /// What it was.
        saved: String,
        /// What it was to become.
        given: String,
        /// Why it must stay.
        reason: &'static str,
    },
    /// A fork has nothing left to train.
    #[error(
        "the checkpoint has made {epochs} epochs, so a fork with `max_epochs` = {max_epochs} has nothing left to train; raise `max_epochs`, or fork an earlier checkpoint"
    )]
    NothingLeft {
        /// Whole epochs made.
        epochs: u32,
        /// How many there were to be.
        max_epochs: u32,
    },
    /// The trial itself cannot be made.
    #[error(transparent)]
    Trial(#[from] TrialError),
}
