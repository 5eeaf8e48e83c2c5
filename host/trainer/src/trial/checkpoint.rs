//! A trial's whole state as bytes, from which it goes on bit for bit, or from which another one
//! forks.
//!
//! A checkpoint is a `.safetensors` file: the parameters under the names of the layers and beside
//! them what else a layer remembers, what the optimizer and the scheduler's signals remember of each
//! parameter, the best epoch's weights, and the scheduler's state. The rest stands in a card. The last
//! tensor, and so the last four bytes, is a CRC-32 of everything before it. Random streams need no
//! place: each is named by seed and step.

mod card;
mod error;
mod fork;
mod restore;

pub use error::CheckpointError;
pub use fork::StartRate;

use super::{Trial, TrialError, TrialSettings, broken, guarded};
use crate::tensor_file::{Entry, Numbers, TensorFile, encode, entries, read_file, write_aside};
use attune_plugin_api::Setup;
use card::{Card, Format};
use std::path::Path;

/// The version of the card that this code writes.
const FORMAT: u32 = 1;
/// The metadata key of the card.
const KEY: &str = "attune_checkpoint";
const PARAMETERS: &str = "parameters.";
const OPTIMIZER: &str = "optimizer.";
/// What the declared signals look back to.
const KEPT: &str = "kept.";
const AVERAGE: &str = "average.";
const BEST: &str = "best.";
const SCHEDULER: &str = "scheduler";
/// The checksum's name comes last among the tensors of bytes, and these come after all others.
const CHECKSUM: &str = "trailer.crc32";
const CHECKSUM_BYTES: usize = 4;

/// What stands in a checkpoint, weights and the scheduler's state left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    card: Card,
}

impl Checkpoint {
    /// Looks into a checkpoint, and at its checksum.
    ///
    /// # Errors
    /// Bytes that are no whole checkpoint, or one of a later version.
    pub fn peek(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
        let (card, _) = decode(bytes)?;
        Ok(Checkpoint { card })
    }

    /// Writes a checkpoint's bytes beside the path, syncs them, renames them into place and syncs
    /// the folder: once this returns they outlive a crash, and the path never holds half of them.
    ///
    /// # Errors
    /// The file cannot be written; the path then holds what it held before.
    pub fn write(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
        write_aside(path, bytes).map_err(|error| CheckpointError::Unwritable {
            path: path.display().to_string(),
            kind: error.kind(),
            reason: error.to_string(),
        })
    }

    /// Reads what [`write`](Checkpoint::write) wrote, without judging it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(path: &Path) -> Result<Vec<u8>, CheckpointError> {
        read_file(path).map_err(|error| CheckpointError::Unreadable {
            path: path.display().to_string(),
            reason: error.to_string(),
        })
    }

    /// Steps made.
    pub fn step(&self) -> u64 {
        self.card.steps
    }

    /// Whole epochs made.
    pub fn epochs(&self) -> u32 {
        self.card.epochs
    }

    /// Whether it was made between two epochs.
    pub fn between_epochs(&self) -> bool {
        self.card.position == 0
    }

    /// The settings of the trial.
    pub fn settings(&self) -> &TrialSettings {
        &self.card.settings
    }

    /// The scheduler at the wheel.
    pub fn scheduler(&self) -> &str {
        &self.card.scheduler
    }

    /// What that scheduler was told when it took the wheel. Configure the controller for
    /// [`Trial::restore`] with it: after a swap or a fork it is not [`Trial::setup`].
    pub fn setup(&self) -> &Setup {
        &self.card.setup
    }
}

impl Trial {
    /// Its whole state, to go on from with [`Trial::restore`] or [`Trial::fork`]: the same bytes
    /// for the same state. The scheduler is asked for its own part.
    ///
    /// # Errors
    /// A trial that failed has no state to go on from and returns that error again. A scheduler
    /// that cannot save its state ends the trial.
    pub fn checkpoint(&mut self) -> Result<Vec<u8>, TrialError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let step = self.cursor.steps;
        let scheduler = guarded(step, || self.steering.save(step))
            .flatten()
            .inspect_err(|error| self.failed = Some(error.clone()))?;
        self.encode(&scheduler)
            .map_err(|reason| broken(step, format!("its checkpoint cannot be made: {reason}")))
    }

    fn encode(&self, scheduler: &[u8]) -> Result<Vec<u8>, String> {
        let card = serde_json::to_string(&Card::of(self)).map_err(|error| error.to_string())?;
        let mut tensors = Vec::new();
        for (index, group) in self.learner.groups().iter().enumerate() {
            tensors.extend(entries(PARAMETERS, &group.tensors, &group.values));
            for (name, values) in self.optimizer.memory(index) {
                let name = format!("{OPTIMIZER}{name}");
                tensors.extend(entries(&name, &group.tensors, values));
            }
            for (name, values) in self.signals.kept().memory(index) {
                let name = format!("{KEPT}{name}");
                tensors.extend(entries(&name, &group.tensors, values));
            }
            if let Some(averages) = &self.averages {
                tensors.extend(entries(AVERAGE, &group.tensors, &averages.values()[index]));
            }
            if let Some(weights) = self.best.as_ref().and_then(|best| best.weights.get(index)) {
                tensors.extend(entries(BEST, &group.tensors, weights));
            }
        }
        let buffers = self.learner.buffers();
        tensors.extend(entries(PARAMETERS, &buffers.tensors, &buffers.values));
        // They stand last among the weights.
        if let Some(weights) = self.best.as_ref().and_then(|best| best.weights.last()) {
            tensors.extend(entries(BEST, &buffers.tensors, weights));
        }
        let bytes = [(SCHEDULER, scheduler), (CHECKSUM, &[0; CHECKSUM_BYTES][..])];
        tensors.extend(bytes.map(|(name, bytes)| Entry {
            name: name.to_owned(),
            shape: vec![bytes.len()],
            numbers: Numbers::Bytes(bytes),
        }));
        let mut file = encode(KEY, card, tensors)?;
        if let Some((all_else, checksum)) = file.split_last_chunk_mut::<CHECKSUM_BYTES>() {
            *checksum = crc32fast::hash(all_else).to_le_bytes();
        }
        Ok(file)
    }
}

/// Takes a checkpoint apart. The checksum comes first, so that everything after it is as it was
/// written.
fn decode(bytes: &[u8]) -> Result<(Card, TensorFile<'_>), CheckpointError> {
    let damaged = |reason: String| CheckpointError::Damaged { reason };
    let (all_else, checksum) = bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or_else(|| damaged("it is too short".into()))?;
    if crc32fast::hash(all_else) != u32::from_le_bytes(*checksum) {
        return Err(damaged("its checksum does not fit its content".into()));
    }
    let file = TensorFile::decode(KEY, bytes).map_err(damaged)?;
    let unreadable = |error: serde_json::Error| damaged(format!("its card is unreadable: {error}"));
    let Format { format } = serde_json::from_str(&file.card).map_err(unreadable)?;
    if format > FORMAT {
        return Err(CheckpointError::Newer {
            found: format,
            known: FORMAT,
        });
    }
    let card: Card = serde_json::from_str(&file.card).map_err(unreadable)?;
    card.check().map_err(damaged)?;
    Ok((card, file))
}
