//! A file of a card and tensors, whatever the card says: written whole, and damage to it found.

use super::ModelError;
use crate::model::{NamedTensor, by_name};
use crate::tensor_file::{TensorFile, encode, entries, read_file, write_aside};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::path::Path;

/// The version of the card that this code writes, and the only one that it reads: kinds of models and
/// their settings came with the second.
pub(super) const FORMAT: u32 = 2;

/// The checksum of the card, at the card's end.
pub(super) const SEAL: &str = "card_crc32";

/// The part of a card that every version has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Format {
    /// Whether the card under a key is of the version that is known here.
    fn check(card: &str, key: &str, path: &Path) -> Result<(), ModelError> {
        let read = serde_json::from_str(card);
        let Format { format: found } = read.map_err(|error| unreadable_card(path, key, &error))?;
        let (path, known) = (path.display().to_string(), FORMAT);
        match found.cmp(&known) {
            Ordering::Less => Err(ModelError::Older { path, found, known }),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(ModelError::Newer { path, found, known }),
        }
    }
}

pub(super) fn not_a_model(path: &Path, reason: String) -> ModelError {
    ModelError::NotAModel {
        path: path.display().to_string(),
        reason,
    }
}

fn unreadable_card(path: &Path, key: &str, error: &serde_json::Error) -> ModelError {
    not_a_model(path, format!("its `{key}` entry is unreadable: {error}"))
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    read_file(path).map_err(|error| ModelError::Unreadable {
        path: path.display().to_string(),
        reason: error.to_string(),
    })
}

/// Writes what is made beside the path and renames it into place.
pub(super) fn write(
    path: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, String>,
) -> Result<(), ModelError> {
    let written = make().and_then(|bytes| {
        let written = write_aside(path, &bytes);
        written.map_err(|error| error.to_string())
    });
    written.map_err(|reason| ModelError::Unwritable {
        path: path.display().to_string(),
        reason,
    })
}

/// A whole file of a card and tensors.
pub(super) fn sealed<'t>(
    key: &str,
    card: &impl Serialize,
    tensors: impl Iterator<Item = (&'t [NamedTensor], &'t [f32])>,
) -> Result<Vec<u8>, String> {
    let card = serde_json::to_string(card).map_err(|error| error.to_string())?;
    let entries = tensors.flat_map(|(tensors, values)| entries("", tensors, values));
    encode(key, seal(&card), entries.collect())
}

/// Such a file taken apart. Whether its tensors are whole is still to be seen, by what the card says
/// of them.
pub(super) fn opened<'b, C: DeserializeOwned>(
    key: &str,
    bytes: &'b [u8],
    path: &Path,
) -> Result<(TensorFile<'b>, C), ModelError> {
    let file = TensorFile::decode(key, bytes).map_err(|reason| not_a_model(path, reason))?;
    Format::check(&file.card, key, path)?;
    if !is_sealed(&file.card) {
        return Err(not_a_model(path, "its card is damaged".into()));
    }
    let card = serde_json::from_str(&file.card);
    let card = card.map_err(|error| unreadable_card(path, key, &error))?;
    Ok((file, card))
}

/// A card with its checksum as the last entry. What is checked is the text: numbers that are read
/// and written again may end in other digits.
fn seal(card: &str) -> String {
    let entries = card.strip_suffix('}').unwrap_or(card);
    let crc32 = crc32fast::hash(entries.as_bytes());
    format!("{entries},\"{SEAL}\":{crc32}}}")
}

fn is_sealed(card: &str) -> bool {
    card.rsplit_once(&format!(",\"{SEAL}\":"))
        .is_some_and(|(entries, _)| seal(entries) == card)
}

/// The checksum of the tensors as they stand in a file, where they are ordered by name.
pub(super) fn tensors_crc32<'t>(
    stored: impl Iterator<Item = (&'t [NamedTensor], &'t [f32])>,
) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for value in by_name(stored).into_values().flatten() {
        hasher.update(&value.to_le_bytes());
    }
    hasher.finalize()
}
