//! IDX files, as MNIST comes in: a magic number, the lengths, and bytes.

use super::{Form, Pictures, Size};
use crate::data::error::DataError;
use std::collections::BTreeSet;

/// An IDX file of unsigned bytes: the last two bytes of its magic number, then its lengths.
fn split<'b, const N: usize>(
    name: &str,
    bytes: &'b [u8],
    holds: &str,
) -> Result<([u32; N], &'b [u8]), DataError> {
    let unfit = |fault: String| DataError::Unfit {
        file: name.into(),
        fault,
        remedy: "copy it anew".into(),
    };
    let word = |at: usize| -> Option<u32> {
        let bytes = bytes.get(at * 4..at * 4 + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let magic = 0x0800 + N as u32;
    if word(0) != Some(magic) {
        return Err(unfit(format!(
            "it does not begin with {magic:#010x}, as IDX files of {holds} do"
        )));
    }
    let mut lengths = [0; N];
    for (at, length) in lengths.iter_mut().enumerate() {
        *length = word(at + 1).ok_or_else(|| {
            unfit(format!(
                "it ends after {} bytes, in its header",
                bytes.len()
            ))
        })?;
    }
    let content = &bytes[4 * (N + 1)..];
    let expected = lengths.iter().map(|&length| u128::from(length)).product();
    if content.len() as u128 != expected {
        return Err(unfit(format!(
            "its header tells of {expected} bytes, but {} follow",
            content.len()
        )));
    }
    Ok((lengths, content))
}

pub(super) fn parse(
    (images_name, images): (&str, &[u8]),
    (labels_name, labels): (&str, &[u8]),
) -> Result<Pictures, DataError> {
    let ([count, height, width], points) = split(images_name, images, "pictures")?;
    let ([labelled], labels) = split(labels_name, labels, "labels")?;
    if count != labelled {
        return Err(DataError::Unfit {
            file: labels_name.into(),
            fault: format!("it has {labelled} labels, but {images_name} has {count} pictures"),
            remedy: "put the two files that belong together beside each other".into(),
        });
    }
    if points.is_empty() {
        return Err(DataError::Unfit {
            file: images_name.into(),
            fault: "it has no pictures".into(),
            remedy: "choose another file".into(),
        });
    }
    let classes: BTreeSet<u8> = labels.iter().copied().collect();
    let mut ids = [0_u32; 256];
    for (id, &class) in (0..).zip(&classes) {
        ids[usize::from(class)] = id;
    }
    Pictures::new(
        images_name.into(),
        Form::Raw {
            size: Size { height, width },
            points: points.to_vec(),
        },
        classes.iter().map(u8::to_string).collect(),
        labels
            .iter()
            .map(|&label| ids[usize::from(label)])
            .collect(),
        Vec::new(),
    )
}
