//! A card in a file of its own beside its model or solution: for people, and for programs that do not
//! care for weights. Nothing here reads it back to predict: where the two differ, the card inside
//! counts.

use super::file::{SEAL, not_a_model, write};
use super::{Artifact, KEY, ModelError, solution};
use crate::tensor_file::{TensorFile, read_file};
use serde_json::Value;
use std::path::{Path, PathBuf};

impl Artifact {
    /// Where the card of what is saved at `file` lies: `best.json` beside `best.safetensors`, and
    /// otherwise the whole name with `.json` after it.
    pub fn card_path(file: &Path) -> PathBuf {
        match file.extension() {
            Some(extension) if extension == "safetensors" => file.with_extension("json"),
            _ => {
                let mut name = file.as_os_str().to_owned();
                name.push(".json");
                name.into()
            }
        }
    }

    /// Writes the card of a whole model or solution as plain JSON, which is never seen half.
    ///
    /// # Errors
    /// As [`Artifact::read`]; the card cannot be written.
    pub fn save_card(file: &Path, card: &Path) -> Result<(), ModelError> {
        let bytes = Artifact::read(file)?;
        let inside = [KEY, solution::KEY].map(|key| TensorFile::decode(key, &bytes));
        let inside = inside.into_iter().find_map(Result::ok);
        let inside = inside.and_then(|inside| serde_json::from_str(&inside.card).ok());
        let Some(Value::Object(mut told)) = inside else {
            return Err(not_a_model(file, "it has no card".into()));
        };
        // Of the text inside, which is another.
        told.remove(SEAL);
        write(card, || {
            serde_json::to_vec_pretty(&told).map_err(|error| error.to_string())
        })
    }

    /// Whether a file has such a card.
    pub fn is_card(path: &Path) -> bool {
        let bytes = read_file(path).unwrap_or_default();
        let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let crc32 = ["weights_crc32", "tensors_crc32"];
        told["format"].is_u64()
            && told["settings"].is_object()
            && crc32.iter().any(|key| told[key].is_u64())
    }
}
