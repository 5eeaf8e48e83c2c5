//! The record types as they lie on disk, and how they become bytes.
//!
//! These types belong to the disk alone: wire and plugin types are other sets, and the host
//! converts. Each record is a version byte followed by its fields in postcard, which writes floats
//! as their bits, so NaN and the infinities come back exactly. Postcard is not self-describing: any
//! change to a record's fields needs a new version, and its old form in [`old`].

mod old;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::id::TrialId;
use crate::key::Key;

/// A search over trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyRecord {
    /// What the user calls it.
    pub name: String,
    /// Where it stands.
    pub state: StudyState,
    /// The study file's text, or the text of the file it amounts to.
    pub spec: String,
    /// The seed all its random streams come from.
    pub seed: u64,
    /// The metric that ranks its trials.
    pub metric: String,
    /// Which way that metric is better.
    pub direction: Direction,
    /// The most trials it may have.
    pub planned_trials: u32,
    /// What was done to its data, and what else the user should know, a sentence each.
    pub notes: Vec<String>,
    /// When it was created, in milliseconds since 1970 UTC.
    pub created_unix_ms: u64,
    /// When it ended, in milliseconds since 1970 UTC.
    pub ended_unix_ms: Option<u64>,
    /// The version of Attune that created it.
    pub attune_version: String,
    /// Why it is paused or failed.
    pub reason: Option<String>,
    /// The study file: relative paths in its spec begin at its folder. Empty where there is none.
    pub file: String,
    /// The blake3 hash of its data file in hex; empty in records from before it was kept.
    pub data_hash: String,
    /// How many trials ran at once when it was created; 0 where nobody knows.
    pub parallel: u32,
    /// The builds of the schedulers it uses, by scheduler.
    pub plugins: BTreeMap<String, PluginBuild>,
    /// Seconds it was active, waiting and pauses not counted.
    pub seconds: f64,
    /// Its specs after the first, in the order in which they came into force.
    pub changes: Vec<Change>,
    /// The trial and step it was forked from.
    pub origin: Option<Origin>,
    /// Where it was imported from.
    pub imported: Option<String>,
    /// Schedulers that were put at a trial's wheel by hand: not part of its space.
    pub swapped: BTreeMap<String, PluginBuild>,
}

/// A study's new spec, in force from one of its events on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When it was made, in milliseconds since 1970 UTC.
    pub unix_ms: u64,
    /// The first of the conductor's events that it holds for.
    pub seq: u64,
    /// The new spec's text.
    pub spec: String,
    /// What changed, a sentence each.
    pub summary: Vec<String>,
}

/// Where a fork left the trial it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The trial.
    pub trial: TrialId,
    /// The last step the two have in common.
    pub step: u64,
}

/// Where a study stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StudyState {
    /// Waiting for its turn.
    Queued,
    /// Trials are being proposed and trained.
    Running,
    /// Held by the user, to go on later.
    Paused,
    /// Ended by the user before its budget was spent.
    Stopped,
    /// Its budget is spent or its space exhausted.
    Done,
    /// Ended by an error.
    Failed,
    /// Its process ended without a word; it can be resumed.
    Interrupted,
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Less is better, as for a loss.
    Minimize,
    /// More is better, as for an accuracy.
    Maximize,
}

/// One training run with one configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Where it stands.
    pub state: TrialState,
    /// Its configuration: choice by name.
    pub config: BTreeMap<String, Scalar>,
    /// The seed of its data order, initial values and dropout.
    pub seed: u64,
    /// The scheduler that steers it, where one does.
    pub plugin: Option<PluginBuild>,
    /// When it started, in milliseconds since 1970 UTC.
    pub started_unix_ms: Option<u64>,
    /// When it ended, in milliseconds since 1970 UTC.
    pub ended_unix_ms: Option<u64>,
    /// Epochs finished.
    pub epochs: u32,
    /// Epochs it trains if nothing ends it before.
    pub max_epochs: u32,
    /// Steps finished.
    pub steps: u64,
    /// Seconds spent training, waiting not counted.
    pub seconds: f64,
    /// Why it stopped, diverged, failed or was lost.
    pub reason: Option<String>,
    /// Each metric's last value.
    pub final_metrics: BTreeMap<String, f64>,
    /// Each metric's best value and when it came.
    pub best_metrics: BTreeMap<String, Best>,
    /// What the user should know about it.
    pub warnings: Vec<String>,
    /// The epoch of its last lease; 0 before the first one.
    pub attempt: u64,
    /// The workers that died training it, the oldest first.
    pub deaths: Vec<Death>,
    /// What was reported of it to the conductor, in that order.
    pub outcomes: Vec<Outcome>,
    /// Its checkpoint files, by step.
    pub checkpoints: Vec<Checkpoint>,
    /// Its finished model's file, where there is one.
    pub model: Option<ModelFile>,
    /// What users did to it while it ran, by step.
    pub interventions: Vec<Intervention>,
}

/// A worker's death while it trained a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// When it was noticed, in milliseconds since 1970 UTC.
    pub unix_ms: u64,
    /// How it died.
    pub reason: String,
}

/// Something reported to the conductor about a trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its number among all that was reported in the study.
    pub seq: u64,
    /// What happened.
    pub kind: OutcomeKind,
    /// The epoch it happened in.
    pub epoch: u64,
    /// The ranking metric's value then.
    pub value: f64,
}

/// What can be reported to the conductor about a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutcomeKind {
    /// It reached a rung.
    Reached,
    /// It trained to its end.
    Ended,
    /// Its loss was not finite.
    Diverged,
    /// It ended by an error.
    Failed,
}

/// A checkpoint file of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Steps finished when it was taken.
    pub step: u64,
    /// Epochs finished when it was taken.
    pub epoch: u32,
    /// The file's size.
    pub bytes: u64,
    /// Why it is kept.
    pub kept_as: KeptAs,
}

/// Why a checkpoint is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeptAs {
    /// It is the newest.
    Last,
    /// It has the best value of the ranking metric.
    Best,
    /// It is where the trial waits, or waited, at a rung.
    Rung,
}

/// A trial's finished model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFile {
    /// The file's size.
    pub bytes: u64,
    /// What it scores on the test rows, value by metric.
    pub test: BTreeMap<String, f64>,
}

/// What a user did to a trial while it ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervention {
    /// The first step it took effect in.
    pub step: u64,
    /// When, in milliseconds since 1970 UTC.
    pub unix_ms: u64,
    /// What was done.
    pub action: Action,
}

/// What a user can do to a running trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Sets the learning rate.
    SetRate(f64),
    /// Hands the trial to another scheduler.
    Swap {
        /// The new scheduler's name.
        scheduler: String,
        /// Its parameters, value by name.
        params: BTreeMap<String, Scalar>,
    },
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrialState {
    /// Proposed, not started.
    Queued,
    /// Being trained.
    Running,
    /// Held at a rung or by the user, with a checkpoint.
    Paused,
    /// Ended early by a fidelity policy or the user.
    Stopped,
    /// Trained to its end.
    Done,
    /// Ended by a loss that was not finite.
    Diverged,
    /// Ended by an error.
    Failed,
    /// Its process ended without a word.
    Lost,
}

/// One choice of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Scalar {
    /// A real number.
    Float(f64),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// A category.
    Text(String),
    /// Several of them in order.
    List(Vec<Scalar>),
}

/// Which build of a scheduler steered a trial. A trial is a function of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginBuild {
    /// The scheduler's name.
    pub name: String,
    /// Its library's version.
    pub version: String,
    /// Its library's content hash.
    pub build_hash: String,
}

/// A metric's best value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The value.
    pub value: f64,
    /// The epoch it came in.
    pub epoch: u32,
}

/// The metrics of one epoch, value by name.
pub type EpochMetrics = BTreeMap<String, f64>;

/// What a scheduler or searcher has learnt, as it wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knowledge {
    /// The version of the bytes' form, the owner's own count.
    pub version: u32,
    /// The content.
    #[serde(with = "blob")]
    pub bytes: Vec<u8>,
}

/// What people wrote about a study or a trial.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Note {
    /// Any text.
    pub text: String,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// What people wrote about a study and its trials.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// About the study itself.
    pub study: Option<Note>,
    /// About its trials, by their numbers.
    pub trials: BTreeMap<u32, Note>,
}

/// A plugin library that may not be loaded any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Since when, in milliseconds since 1970 UTC.
    pub unix_ms: u64,
    /// The library's name.
    pub name: String,
    /// Where it was loaded from.
    pub path: String,
    /// Why.
    pub reason: String,
    /// How each worker died that it is blamed for.
    pub deaths: Vec<String>,
}

/// A record's kind: its version now, and how older ones are read.
pub(crate) trait Record: Serialize + DeserializeOwned {
    const VERSION: u8;

    /// The record of an older version, whose version byte has been taken off, and what follows it.
    /// There are no older versions unless a kind says otherwise.
    fn from_older(_version: u8, fields: &[u8]) -> postcard::Result<(Self, &[u8])> {
        postcard::take_from_bytes(fields)
    }
}

impl Record for StudyRecord {
    const VERSION: u8 = 2;

    fn from_older(_version: u8, fields: &[u8]) -> postcard::Result<(Self, &[u8])> {
        let (record, rest) = postcard::take_from_bytes::<old::StudyV1>(fields)?;
        Ok((record.into(), rest))
    }
}
impl Record for TrialRecord {
    const VERSION: u8 = 2;

    fn from_older(_version: u8, fields: &[u8]) -> postcard::Result<(Self, &[u8])> {
        let (record, rest) = postcard::take_from_bytes::<old::TrialV1>(fields)?;
        Ok((record.into(), rest))
    }
}
impl Record for Note {
    const VERSION: u8 = 1;
}
impl Record for Quarantine {
    const VERSION: u8 = 1;
}
/// A counter.
impl Record for u64 {
    const VERSION: u8 = 1;
}
impl Record for EpochMetrics {
    const VERSION: u8 = 1;
}
impl Record for Knowledge {
    const VERSION: u8 = 1;
}

/// A record's bytes.
///
/// # Errors
/// [`Error::Unreadable`] where the encoder refuses, which none of these types gives it cause to.
pub(crate) fn encode<R: Record>(key: &Key, record: &R) -> Result<Vec<u8>, Error> {
    postcard::to_extend(record, vec![R::VERSION]).map_err(|error| unreadable(key, &error))
}

/// A record from its bytes.
///
/// # Errors
/// [`Error::NewerRecord`] for a version from the future, [`Error::Unreadable`] for anything else
/// that is not a whole record.
pub(crate) fn decode<R: Record>(key: &Key, bytes: &[u8]) -> Result<R, Error> {
    let Some((&version, fields)) = bytes.split_first() else {
        return Err(unreadable(key, &"it is empty"));
    };
    if version > R::VERSION {
        return Err(Error::NewerRecord {
            record: key.to_string(),
            found: version,
            known: R::VERSION,
        });
    }
    let decoded = if version < R::VERSION {
        R::from_older(version, fields)
    } else {
        postcard::take_from_bytes(fields)
    };
    match decoded {
        Ok((record, [])) => Ok(record),
        Ok((_, rest)) => Err(unreadable(key, &format!("{} bytes too many", rest.len()))),
        Err(error) => Err(unreadable(key, &error)),
    }
}

pub(crate) fn unreadable(key: &Key, reason: &dyn std::fmt::Display) -> Error {
    Error::Unreadable {
        record: key.to_string(),
        reason: reason.to_string(),
    }
}

/// Byte strings as one piece; serde's own way goes byte by byte.
pub(crate) mod blob {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_byte_buf(Bytes)
    }

    struct Bytes;

    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_from_the_future_is_refused_by_name() {
        let key = Key::Epoch(crate::StudyId(4).trial(2), 7);
        let mut bytes = encode(&key, &EpochMetrics::new()).unwrap();
        bytes[0] = 2;
        let error = decode::<EpochMetrics>(&key, &bytes)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("epoch 7 of trial s4.2 has version 2"),
            "{error}"
        );
    }

    #[test]
    fn a_record_must_be_whole() {
        let key = Key::knowledge("greedy", "policy").unwrap();
        let bytes = encode(
            &key,
            &Knowledge {
                version: 3,
                bytes: vec![1, 2, 3],
            },
        )
        .unwrap();
        for cut in 0..bytes.len() {
            assert!(
                decode::<Knowledge>(&key, &bytes[..cut]).is_err(),
                "cut at {cut}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(decode::<Knowledge>(&key, &longer).is_err());
    }
}
