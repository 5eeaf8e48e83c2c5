//! A folder that has a folder of pictures for each class.

use super::{Form, Pictures};
use crate::data::error::DataError;
use crate::data::table::{MAX_BYTES, cap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most files.
const MAX_FILES: u64 = 1_000_000;

/// Whether a file's name ends as a picture's.
pub(crate) fn is_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| {
        ["png", "jpg", "jpeg"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// The pictures of a folder, class by class.
struct Found {
    classes: Vec<(PathBuf, Vec<PathBuf>)>,
    /// Entries that are no pictures, or stand where none belong.
    others: usize,
}

fn find(path: &Path) -> Result<Found, DataError> {
    let mut found = Found {
        classes: Vec::new(),
        others: 0,
    };
    let mut entries = 0;
    for folder in sorted(path, &mut entries)? {
        if !folder.is_dir() {
            found.others += 1;
            continue;
        }
        let mut pictures = sorted(&folder, &mut entries)?;
        let all = pictures.len();
        pictures.retain(|file| is_picture(file) && file.is_file());
        found.others += all - pictures.len();
        if !pictures.is_empty() {
            found.classes.push((folder, pictures));
        }
    }
    match found.classes.is_empty() {
        false => Ok(found),
        true => Err(DataError::Unfit {
            file: path.display().to_string(),
            fault: "this folder has no folders with PNG or JPEG files in them".into(),
            remedy: "put the pictures of each class into a folder of its name".into(),
        }),
    }
}

/// Every picture that [`read`] reads.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let classes = find(path)?.classes.into_iter();
    Ok(classes.flat_map(|(_, pictures)| pictures).collect())
}

pub(super) fn read(path: &Path, seen: &mut dyn FnMut(&[u8])) -> Result<Pictures, DataError> {
    let name = path.display().to_string();
    let found = find(path)?;
    let mut files = Vec::new();
    let (mut classes, mut labels) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for (folder, pictures) in found.classes {
        for file in pictures {
            let content = content(&file, MAX_BYTES - bytes)?;
            bytes += content.len() as u64;
            cap(&name, bytes, "bytes of pictures", MAX_BYTES)?;
            let inside = file.strip_prefix(path).unwrap_or(&file);
            // Names and lengths, so that no two folders look the same.
            seen(inside.as_os_str().as_encoded_bytes());
            seen(&(content.len() as u64).to_le_bytes());
            seen(&content);
            labels.push(classes.len() as u32);
            files.push((file.display().to_string(), content));
        }
        let class = folder.file_name().unwrap_or_default();
        classes.push(class.to_string_lossy().into_owned());
    }
    let notes = match found.others {
        0 => Vec::new(),
        1 => vec![format!("{name}: 1 entry that is no picture is left out")],
        n => vec![format!(
            "{name}: {n} entries that are no pictures are left out"
        )],
    };
    Pictures::new(name, Form::Files(files), classes, labels, notes)
}

/// What is in a folder, by name, without what is hidden.
fn sorted(folder: &Path, entries: &mut u64) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |error| DataError::unreadable(folder, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        *entries += 1;
        cap(&folder.display().to_string(), *entries, "files", MAX_FILES)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// A file's bytes, one more than there may be at most.
fn content(path: &Path, most: u64) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| DataError::unreadable(path, &error))?;
    Ok(bytes)
}
