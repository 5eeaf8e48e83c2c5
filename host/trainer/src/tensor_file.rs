//! Numbers with names, and a card that says what they are, in one `.safetensors` file.
//!
//! Models and checkpoints are such files: the card is JSON under one key of the file's metadata.
//! A file is read whole or not at all, and is never seen half-written.

use crate::model::NamedTensor;
use safetensors::tensor::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// The largest file that is read or written, in bytes.
pub(crate) const MAX_BYTES: usize = 2 << 30;
/// The bytes before a file's header, which say how long it is.
const LENGTH_BYTES: usize = size_of::<u64>();

/// One tensor to be written.
pub(crate) struct Entry<'a> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) numbers: Numbers<'a>,
}

/// What a tensor holds.
#[derive(Clone, Copy)]
pub(crate) enum Numbers<'a> {
    Reals(&'a [f32]),
    Bytes(&'a [u8]),
}

/// Bytes are made when they are asked for, so that a file costs its own size and one tensor's.
impl View for Entry<'_> {
    fn dtype(&self) -> Dtype {
        match self.numbers {
            Numbers::Reals(_) => Dtype::F32,
            Numbers::Bytes(_) => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.numbers {
            Numbers::Reals(reals) => {
                let mut bytes = vec![0; size_of_val(reals)];
                for (place, real) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(reals) {
                    *place = real.to_le_bytes();
                }
                Cow::Owned(bytes)
            }
            Numbers::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    fn data_len(&self) -> usize {
        match self.numbers {
            Numbers::Reals(reals) => size_of_val(reals),
            Numbers::Bytes(bytes) => bytes.len(),
        }
    }
}

/// Tensors of these values.
pub(crate) fn entries<'a>(
    prefix: &str,
    tensors: &[NamedTensor],
    values: &'a [f32],
) -> Vec<Entry<'a>> {
    let entry = |tensor: &NamedTensor| Entry {
        name: format!("{prefix}{}", tensor.name),
        shape: tensor.shape.clone(),
        numbers: Numbers::Reals(&values[tensor.range.clone()]),
    };
    tensors.iter().map(entry).collect()
}

/// The whole file. Reals come first and bytes last, each ordered by name.
pub(crate) fn encode(key: &str, card: String, entries: Vec<Entry<'_>>) -> Result<Vec<u8>, String> {
    let size = entries.iter().map(Entry::data_len).sum::<usize>() + card.len();
    if size > MAX_BYTES {
        return Err(format!("it would be larger than {MAX_BYTES} bytes"));
    }
    let named = entries.into_iter().map(|entry| (entry.name.clone(), entry));
    safetensors::serialize(named, Some(HashMap::from([(key.to_owned(), card)])))
        .map_err(|error| error.to_string())
}

/// A file that was read.
pub(crate) struct TensorFile<'a> {
    pub(crate) card: String,
    /// All that follows the header: the tensors, one after another.
    pub(crate) data: &'a [u8],
    tensors: SafeTensors<'a>,
}

impl<'a> TensorFile<'a> {
    /// Takes a file apart; the error is a reason why it is none.
    pub(crate) fn decode(key: &str, bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.len() > MAX_BYTES {
            return Err(format!("it is larger than {MAX_BYTES} bytes"));
        }
        let (header, metadata) =
            SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let entries = metadata.metadata().as_ref();
        let card = entries
            .and_then(|entries| entries.get(key))
            .ok_or_else(|| format!("it has no `{key}` entry"))?;
        Ok(TensorFile {
            card: card.clone(),
            data: bytes.get(LENGTH_BYTES + header..).unwrap_or_default(),
            tensors: SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?,
        })
    }

    /// These tensors' numbers, each at its place.
    pub(crate) fn read(&self, prefix: &str, tensors: &[NamedTensor]) -> Result<Vec<f32>, String> {
        let size = tensors.iter().map(|tensor| tensor.range.end).max();
        let mut values = vec![0.0; size.unwrap_or(0)];
        for tensor in tensors {
            let name = format!("{prefix}{}", tensor.name);
            let view = self.tensors.tensor(&name).map_err(|e| e.to_string())?;
            if view.dtype() != Dtype::F32 || view.shape() != tensor.shape {
                return Err(format!(
                    "tensor `{name}` is {:?} of shape {:?}, but the card says f32 of shape {:?}",
                    view.dtype(),
                    view.shape(),
                    tensor.shape
                ));
            }
            let places = &mut values[tensor.range.clone()];
            for (place, bytes) in places.iter_mut().zip(view.data().as_chunks::<4>().0) {
                *place = f32::from_le_bytes(*bytes);
            }
        }
        Ok(values)
    }

    /// A tensor of bytes.
    pub(crate) fn bytes(&self, name: &str) -> Result<&'a [u8], String> {
        let view = self.tensors.tensor(name).map_err(|e| e.to_string())?;
        if view.dtype() != Dtype::U8 {
            return Err(format!("tensor `{name}` is {:?}, not bytes", view.dtype()));
        }
        Ok(view.data())
    }
}

/// Reads a file, and of one that is too large no more than shows that it is.
pub(crate) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file beside the path, syncs it and renames it into place.
pub(crate) fn write_aside(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.part", std::process::id()));
    let aside = Path::new(&aside);
    let written = File::create(aside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| std::fs::rename(aside, path)) {
        // Nothing more can be done about a leftover than to try.
        let _ = std::fs::remove_file(aside);
        return Err(error);
    }
    // The new name is durable once its folder is synced.
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
