//! The composite keys of the one tree: a kind byte, then big-endian ids, so that sorted keys list a
//! study's trials in order and a trial's chunks by step.

use std::fmt;
use std::ops::Range;

use crate::error::Error;
use crate::id::{Id, StudyId, TrialId};

/// The longest name of a knowledge slot or of its owner, in bytes.
pub(crate) const MAX_SLOT_NAME: usize = 200;

const STUDY: u8 = 1;
const TRIAL: u8 = 2;
const EPOCH: u8 = 3;
const STEPS: u8 = 4;
const KNOWLEDGE: u8 = 5;
const QUARANTINE: u8 = 6;
const COUNTER: u8 = 7;
const DOOMED: u8 = 8;
const SUMMARY: u8 = 9;
const NOTE: u8 = 10;

/// The kinds whose keys begin with a trial's id, or with that of the study alone.
const TRIAL_PARTS: [u8; 5] = [TRIAL, EPOCH, STEPS, SUMMARY, NOTE];

const BOOTS: u8 = 0;
const STUDY_IDS: u8 = 1;
const TRIAL_NUMBERS: u8 = 2;

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Study(StudyId),
    Trial(TrialId),
    Epoch(TrialId, u32),
    /// A chunk of step history, by its first step.
    Steps(TrialId, u64),
    /// What a chunk of step history looks like from afar, by its first step.
    Summary(TrialId, u64),
    /// What people wrote about a study or a trial.
    Note(Id),
    Knowledge {
        owner: String,
        slot: String,
    },
    /// A plugin library that may not be loaded, by its content hash.
    Quarantine(String),
    Counter(Counter),
    /// A deleted study of which parts may still be there.
    Doomed(StudyId),
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counter {
    /// How often the store's user has started.
    Boots,
    /// The first study id that no deleted study had, nor any before it.
    StudyIds,
    /// The same for the trial numbers of a study.
    TrialNumbers(StudyId),
}

impl Key {
    /// A quarantined library's key.
    ///
    /// # Errors
    /// [`Error::BadLibraryHash`] for an empty and for an overlong one.
    pub(crate) fn quarantine(hash: &str) -> Result<Self, Error> {
        if hash.is_empty() || hash.len() > MAX_SLOT_NAME {
            return Err(Error::BadLibraryHash {
                hash: hash.to_owned(),
            });
        }
        Ok(Self::Quarantine(hash.to_owned()))
    }

    /// A knowledge slot's key.
    ///
    /// # Errors
    /// [`Error::BadSlotName`] for empty and for overlong names.
    pub(crate) fn knowledge(owner: &str, slot: &str) -> Result<Self, Error> {
        for name in [owner, slot] {
            if name.is_empty() || name.len() > MAX_SLOT_NAME {
                return Err(Error::BadSlotName {
                    name: name.to_owned(),
                });
            }
        }
        Ok(Self::Knowledge {
            owner: owner.to_owned(),
            slot: slot.to_owned(),
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Study(id) => join(STUDY, &[&id.0.to_be_bytes()]),
            Self::Trial(id) => in_trial(TRIAL, *id, &[]),
            Self::Epoch(id, epoch) => in_trial(EPOCH, *id, &epoch.to_be_bytes()),
            Self::Steps(id, first) => in_trial(STEPS, *id, &first.to_be_bytes()),
            Self::Summary(id, first) => in_trial(SUMMARY, *id, &first.to_be_bytes()),
            Self::Note(Id::Study(id)) => join(NOTE, &[&id.0.to_be_bytes()]),
            Self::Note(Id::Trial(id)) => in_trial(NOTE, *id, &[]),
            // The owner's length goes first: no owner's name can then run into a slot's.
            Self::Knowledge { owner, slot } => {
                let length = u8::try_from(owner.len()).unwrap_or(u8::MAX);
                join(KNOWLEDGE, &[&[length], owner.as_bytes(), slot.as_bytes()])
            }
            Self::Quarantine(hash) => join(QUARANTINE, &[hash.as_bytes()]),
            Self::Counter(Counter::Boots) => join(COUNTER, &[&[BOOTS]]),
            Self::Counter(Counter::StudyIds) => join(COUNTER, &[&[STUDY_IDS]]),
            Self::Counter(Counter::TrialNumbers(study)) => {
                join(COUNTER, &[&[TRIAL_NUMBERS], &study.0.to_be_bytes()])
            }
            Self::Doomed(study) => join(DOOMED, &[&study.0.to_be_bytes()]),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        match kind {
            STUDY => Some(Self::Study(StudyId(u64::from_be_bytes(
                rest.try_into().ok()?,
            )))),
            TRIAL => match split_trial(rest)? {
                (id, []) => Some(Self::Trial(id)),
                _ => None,
            },
            EPOCH => {
                let (id, epoch) = split_trial(rest)?;
                Some(Self::Epoch(id, u32::from_be_bytes(epoch.try_into().ok()?)))
            }
            STEPS => {
                let (id, first) = split_trial(rest)?;
                Some(Self::Steps(id, u64::from_be_bytes(first.try_into().ok()?)))
            }
            SUMMARY => {
                let (id, first) = split_trial(rest)?;
                Some(Self::Summary(
                    id,
                    u64::from_be_bytes(first.try_into().ok()?),
                ))
            }
            NOTE => match <[u8; 8]>::try_from(rest) {
                Ok(study) => Some(Self::Note(Id::Study(StudyId(u64::from_be_bytes(study))))),
                Err(_) => match split_trial(rest)? {
                    (id, []) => Some(Self::Note(Id::Trial(id))),
                    _ => None,
                },
            },
            KNOWLEDGE => {
                let (&length, names) = rest.split_first()?;
                let (owner, slot) = names.split_at_checked(usize::from(length))?;
                Some(Self::Knowledge {
                    owner: String::from_utf8(owner.to_vec()).ok()?,
                    slot: String::from_utf8(slot.to_vec()).ok()?,
                })
            }
            QUARANTINE => Some(Self::Quarantine(String::from_utf8(rest.to_vec()).ok()?)),
            COUNTER => match rest.split_first()? {
                (&BOOTS, []) => Some(Self::Counter(Counter::Boots)),
                (&STUDY_IDS, []) => Some(Self::Counter(Counter::StudyIds)),
                (&TRIAL_NUMBERS, study) => {
                    let study = StudyId(u64::from_be_bytes(study.try_into().ok()?));
                    Some(Self::Counter(Counter::TrialNumbers(study)))
                }
                _ => None,
            },
            DOOMED => Some(Self::Doomed(StudyId(u64::from_be_bytes(
                rest.try_into().ok()?,
            )))),
            _ => None,
        }
    }

    /// What a key in bytes is about, in words, even where the key is not one of ours.
    pub(crate) fn describe(bytes: &[u8]) -> String {
        match Self::decode(bytes) {
            Some(key) => key.to_string(),
            None => format!("an unknown kind of record ({bytes:02x?})"),
        }
    }

    /// The range of all studies' keys.
    pub(crate) fn studies() -> Range<Vec<u8>> {
        vec![STUDY]..vec![TRIAL]
    }

    /// The range of all quarantined libraries.
    pub(crate) fn quarantines() -> Range<Vec<u8>> {
        vec![QUARANTINE]..vec![COUNTER]
    }

    /// The range of all studies that are being deleted.
    pub(crate) fn doomed() -> Range<Vec<u8>> {
        vec![DOOMED]..vec![DOOMED + 1]
    }

    /// The range of the summaries of one trial's step chunks.
    pub(crate) fn summaries(trial: TrialId) -> Range<Vec<u8>> {
        within(in_trial(SUMMARY, trial, &[]))
    }

    /// The range of all that people wrote about one study and its trials.
    pub(crate) fn notes(study: StudyId) -> Range<Vec<u8>> {
        within(join(NOTE, &[&study.0.to_be_bytes()]))
    }

    /// The ranges of one study's trials and all that belongs to them and to it.
    pub(crate) fn parts_of_study(study: StudyId) -> [Range<Vec<u8>>; 5] {
        TRIAL_PARTS.map(|kind| within(join(kind, &[&study.0.to_be_bytes()])))
    }

    /// The ranges of one trial and all that belongs to it.
    pub(crate) fn parts_of_trial(trial: TrialId) -> [Range<Vec<u8>>; 5] {
        TRIAL_PARTS.map(|kind| within(in_trial(kind, trial, &[])))
    }

    /// Whether the record is one of the many large ones.
    pub(crate) fn is_bulk(bytes: &[u8]) -> bool {
        matches!(bytes.first(), Some(&(STEPS | SUMMARY)))
    }

    /// The study that this is a part of.
    pub(crate) fn study(&self) -> Option<StudyId> {
        match self {
            Self::Study(study) | Self::Doomed(study) | Self::Note(Id::Study(study)) => Some(*study),
            Self::Trial(_)
            | Self::Epoch(..)
            | Self::Steps(..)
            | Self::Summary(..)
            | Self::Note(Id::Trial(_)) => self.trial().map(|trial| trial.study),
            Self::Counter(Counter::TrialNumbers(study)) => Some(*study),
            Self::Knowledge { .. } | Self::Quarantine(_) | Self::Counter(_) => None,
        }
    }

    /// The trial that this is a part of.
    pub(crate) fn trial(&self) -> Option<TrialId> {
        match self {
            Self::Trial(trial)
            | Self::Epoch(trial, _)
            | Self::Steps(trial, _)
            | Self::Summary(trial, _)
            | Self::Note(Id::Trial(trial)) => Some(*trial),
            _ => None,
        }
    }

    /// The range of one study's trials.
    pub(crate) fn trials(study: StudyId) -> Range<Vec<u8>> {
        within(join(TRIAL, &[&study.0.to_be_bytes()]))
    }

    /// The range of one study's trials from one of them on.
    pub(crate) fn trials_from(first: TrialId) -> Range<Vec<u8>> {
        Self::Trial(first).encode()..Self::trials(first.study).end
    }

    /// The range of one trial's epochs.
    pub(crate) fn epochs(trial: TrialId) -> Range<Vec<u8>> {
        within(in_trial(EPOCH, trial, &[]))
    }

    /// The range of one trial's epochs from one of them on.
    pub(crate) fn epochs_from(trial: TrialId, first: u32) -> Range<Vec<u8>> {
        Self::Epoch(trial, first).encode()..Self::epochs(trial).end
    }

    /// The range of one trial's step chunks.
    pub(crate) fn steps(trial: TrialId) -> Range<Vec<u8>> {
        within(in_trial(STEPS, trial, &[]))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Study(id) => write!(f, "study {id}"),
            Self::Trial(id) => write!(f, "trial {id}"),
            Self::Epoch(id, epoch) => write!(f, "epoch {epoch} of trial {id}"),
            Self::Steps(id, first) => write!(f, "the steps of trial {id} from step {first}"),
            Self::Summary(id, first) => {
                write!(
                    f,
                    "the summary of the steps of trial {id} from step {first}"
                )
            }
            Self::Note(id) => write!(f, "the note on {id}"),
            Self::Knowledge { owner, slot } => write!(f, "knowledge slot `{slot}` of `{owner}`"),
            Self::Quarantine(hash) => write!(f, "the quarantine of library {hash}"),
            Self::Counter(Counter::Boots) => write!(f, "the count of starts"),
            Self::Counter(Counter::StudyIds) => write!(f, "the count of study ids"),
            Self::Counter(Counter::TrialNumbers(study)) => {
                write!(f, "the count of trial numbers of study {study}")
            }
            Self::Doomed(study) => write!(f, "the deletion of study {study}"),
        }
    }
}

fn join(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![kind];
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

fn in_trial(kind: u8, id: TrialId, rest: &[u8]) -> Vec<u8> {
    join(
        kind,
        &[&id.study.0.to_be_bytes(), &id.number.to_be_bytes(), rest],
    )
}

fn split_trial(bytes: &[u8]) -> Option<(TrialId, &[u8])> {
    let (study, rest) = bytes.split_first_chunk::<8>()?;
    let (number, rest) = rest.split_first_chunk::<4>()?;
    Some((
        StudyId(u64::from_be_bytes(*study)).trial(u32::from_be_bytes(*number)),
        rest,
    ))
}

/// The range of the keys that start with `prefix`.
fn within(prefix: Vec<u8>) -> Range<Vec<u8>> {
    let end = after(&prefix);
    prefix..end
}

/// The first key past every key that starts with `prefix`. Prefixes start with a kind byte far
/// below 255, so there always is one.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trial() -> impl Strategy<Value = TrialId> {
        (any::<u64>(), any::<u32>()).prop_map(|(study, number)| StudyId(study).trial(number))
    }

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            any::<u64>().prop_map(|id| Key::Study(StudyId(id))),
            trial().prop_map(Key::Trial),
            (trial(), any::<u32>()).prop_map(|(id, epoch)| Key::Epoch(id, epoch)),
            (trial(), any::<u64>()).prop_map(|(id, first)| Key::Steps(id, first)),
            (trial(), any::<u64>()).prop_map(|(id, first)| Key::Summary(id, first)),
            any::<u64>().prop_map(|id| Key::Note(Id::Study(StudyId(id)))),
            trial().prop_map(|id| Key::Note(Id::Trial(id))),
            ("\\PC{1,20}", "\\PC{1,20}")
                .prop_map(|(owner, slot)| Key::knowledge(&owner, &slot).unwrap()),
            "\\PC{1,20}".prop_map(|hash| Key::quarantine(&hash).unwrap()),
            Just(Key::Counter(Counter::Boots)),
            Just(Key::Counter(Counter::StudyIds)),
            any::<u64>().prop_map(|id| Key::Counter(Counter::TrialNumbers(StudyId(id)))),
            any::<u64>().prop_map(|id| Key::Doomed(StudyId(id))),
        ]
    }

    proptest! {
        #[test]
        fn a_key_is_read_back_as_it_was(key in key()) {
            prop_assert_eq!(Key::decode(&key.encode()), Some(key));
        }

        #[test]
        fn ranges_hold_their_own_and_nothing_else(a in trial(), b in trial(), at in any::<u64>()) {
            let inside = Key::Steps(a, at).encode();
            prop_assert!(Key::steps(a).contains(&inside));
            prop_assert_eq!(Key::steps(b).contains(&inside), a == b);
            prop_assert_eq!(Key::trials(b.study).contains(&Key::Trial(a).encode()), a.study == b.study);
            prop_assert!(!Key::epochs(a).contains(&inside));
            let note = Key::Note(Id::Trial(a)).encode();
            prop_assert_eq!(Key::notes(b.study).contains(&note), a.study == b.study);
            let of_study = Key::Note(Id::Study(a.study)).encode();
            prop_assert_eq!(Key::notes(b.study).contains(&of_study), a.study == b.study);
            let parts = |of: &[Range<Vec<u8>>], key: &Vec<u8>| of.iter().any(|part| part.contains(key));
            prop_assert!(!parts(&Key::parts_of_trial(a), &of_study));
            prop_assert!(parts(&Key::parts_of_study(a.study), &of_study));
            prop_assert_eq!(parts(&Key::parts_of_trial(b), &note), a == b);
        }
    }

    #[test]
    fn slot_names_are_bounded() {
        let long = "x".repeat(MAX_SLOT_NAME + 1);
        for (owner, slot) in [("", "a"), ("a", ""), (&*long, "a"), ("a", &*long)] {
            assert!(matches!(
                Key::knowledge(owner, slot),
                Err(Error::BadSlotName { .. })
            ));
        }
    }
}
