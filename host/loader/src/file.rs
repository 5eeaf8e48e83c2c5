//! What is checked of a library before it is mapped, and the private copy that is loaded instead.

use object::read::elf::{ElfFile64, FileHeader, ProgramHeader, SectionHeader};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// No plugin comes near this; a larger file is a mistake, and reading it would be one too.
const MAX_BYTES: u64 = 256 << 20;

/// Private copies are kept this long: every build of a plugin makes another.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A private copy of a library, named after its content.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) path: PathBuf,
    pub(crate) hash: String,
}

/// Why a file cannot be a plugin.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{0}; check the path and its permissions")]
    Unreadable(#[source] io::Error),
    /// It is empty or too large.
    #[error("it is {0} bytes long; a plugin is a shared library of at most {MAX_BYTES} bytes")]
    Size(u64),
    /// It is no shared library of this platform.
    #[error(
        "it is not a shared library for this platform ({0}); give the path of a library that was \
         built with `crate-type = [\"cdylib\"]`"
    )]
    NotALibrary(String),
    /// Its end is missing.
    #[error(
        "it is cut off: its headers speak of {needed} bytes, it has {found}; build or copy it \
         again"
    )]
    Truncated {
        /// Where the last part that the headers name ends.
        needed: u64,
        /// How long the file is.
        found: u64,
    },
    /// The private copy could not be made.
    #[error("no private copy could be written to {}: {source}", path.display())]
    Copy {
        /// Where it should have gone.
        path: PathBuf,
        /// Why it did not.
        source: io::Error,
    },
}

/// Checks a library's file and copies it to `cache`, under the hash of its content.
pub(crate) fn check_and_copy(path: &Path, cache: &Path) -> Result<Copy, FileError> {
    let size = fs::metadata(path).map_err(FileError::Unreadable)?.len();
    if size == 0 || size > MAX_BYTES {
        return Err(FileError::Size(size));
    }
    let bytes = fs::read(path).map_err(FileError::Unreadable)?;
    check_complete(&bytes)?;
    let hash = blake3::hash(&bytes).to_hex().to_string();
    let copy = cache.join(format!("{hash}{}", std::env::consts::DLL_SUFFIX));
    if !holds(&copy, &bytes) {
        write_aside(&copy, &bytes).map_err(|source| FileError::Copy {
            path: copy.clone(),
            source,
        })?;
    }
    Ok(Copy { path: copy, hash })
}

/// Every part that the headers name must lie inside the file: the dynamic linker maps them without
/// looking, and a missing page is a SIGBUS.
#[cfg(target_os = "linux")]
fn check_complete(bytes: &[u8]) -> Result<(), FileError> {
    let not_a_library = |e: object::Error| FileError::NotALibrary(e.to_string());
    // A cut file can fail to parse at all, so its own word on where the section table ends (the
    // last thing in a linked library) comes first.
    let header =
        object::elf::FileHeader64::<object::NativeEndian>::parse(bytes).map_err(not_a_library)?;
    let endian = header.endian().map_err(not_a_library)?;
    let found = bytes.len() as u64;
    let complete = |needed: u64| {
        if needed > found {
            return Err(FileError::Truncated { needed, found });
        }
        Ok(())
    };
    let table = u64::from(header.e_shentsize(endian)) * u64::from(header.e_shnum(endian));
    complete(header.e_shoff(endian).saturating_add(table))?;

    let file = ElfFile64::<object::NativeEndian>::parse(bytes).map_err(not_a_library)?;
    if file.elf_header().e_type(endian) != object::elf::ET_DYN {
        return Err(FileError::NotALibrary("an ELF file of another type".into()));
    }
    for segment in file.elf_program_headers() {
        let (offset, size) = (segment.p_offset(endian), segment.p_filesz(endian));
        complete(offset.saturating_add(size))?;
    }
    for section in file.elf_section_table().iter() {
        if let Some((offset, size)) = section.file_range(endian) {
            complete(offset.saturating_add(size))?;
        }
    }
    Ok(())
}

/// Elsewhere the system's loader checks the file itself.
#[cfg(not(target_os = "linux"))]
fn check_complete(_bytes: &[u8]) -> Result<(), FileError> {
    Ok(())
}

/// Removes private copies that were made long ago. One that somebody still uses stays mapped, and is
/// made again when it is next asked for.
pub(crate) fn remove_old_copies(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else {
        return;
    };
    let old = |entry: &fs::DirEntry| {
        let made = entry.metadata().and_then(|metadata| metadata.modified());
        made.is_ok_and(|made| {
            let age = SystemTime::now().duration_since(made);
            age.is_ok_and(|age| age > KEPT)
        })
    };
    for entry in entries.filter_map(Result::ok).filter(old) {
        // What cannot be removed costs space and nothing else.
        let _ = fs::remove_file(entry.path());
    }
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    fs::read(path).is_ok_and(|there| there == bytes)
}

/// Written under another name and renamed, so that no other process ever maps half a copy.
fn write_aside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    static COPIES: AtomicU64 = AtomicU64::new(0);
    let copy = COPIES.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_extension(format!("{}-{copy}.part", std::process::id()));
    let mut file = fs::File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn this_program() -> Vec<u8> {
        fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn what_is_no_library_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let cases: &[(&str, &[u8], &str)] = &[
            ("empty.so", b"", "it is 0 bytes long"),
            (
                "text.so",
                b"#!/bin/sh\necho hello\n",
                "not a shared library",
            ),
            ("short.so", b"\x7fELF\x02\x01\x01", "not a shared library"),
        ];
        for (name, bytes, message) in cases {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            let error = check_and_copy(&path, folder.path())
                .unwrap_err()
                .to_string();
            assert!(error.contains(message), "{name}: {error}");
        }
        let missing = check_and_copy(&folder.path().join("gone.so"), folder.path());
        assert!(missing.unwrap_err().to_string().contains("check the path"));
    }

    #[test]
    fn a_library_cut_anywhere_is_refused() {
        let whole = this_program();
        check_complete(&whole).unwrap();
        // The test program itself is a position-independent ELF, so it stands in for a library.
        for tenths in 0..10 {
            let cut = &whole[..whole.len() * tenths / 10];
            assert!(check_complete(cut).is_err(), "{tenths}/10 was accepted");
        }
        let error = check_complete(&whole[..whole.len() - 1]).unwrap_err();
        assert!(error.to_string().contains("cut off"), "{error}");
    }

    #[test]
    fn a_damaged_copy_is_written_again() {
        let cache = tempfile::tempdir().unwrap();
        let program = std::env::current_exe().unwrap();
        let copy = check_and_copy(&program, cache.path()).unwrap();
        fs::write(&copy.path, b"overwritten").unwrap();
        let again = check_and_copy(&program, cache.path()).unwrap();
        assert_eq!(again.hash, copy.hash);
        assert_eq!(fs::read(again.path).unwrap(), this_program());
    }
}
