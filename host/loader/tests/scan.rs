//! What is found without mapping anything.
#![allow(clippy::unwrap_used)]

mod support;

use attune_loader::{
    Candidate, LibraryError, LoadReason, LoadedLibrary, Opened, Place, Plugins, Scanner, scan,
};
use attune_plugin_api::Setup;
use attune_plugin_api::handshake::{self, Handshake};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use support::library;
use tempfile::TempDir;

/// A folder of plugins and one for their copies.
struct Folders {
    all: TempDir,
}

impl Folders {
    fn new() -> Self {
        let all = tempfile::tempdir().unwrap();
        fs::create_dir(all.path().join("plugins")).unwrap();
        Folders { all }
    }

    fn plugins(&self) -> PathBuf {
        self.all.path().join("plugins")
    }

    fn cache(&self) -> PathBuf {
        self.all.path().join("cache")
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.plugins().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn one(&self, path: &Path) -> Candidate {
        let (mut found, errors) = scan(&[Place::named(path)], &self.cache());
        assert!(errors.is_empty(), "{errors:?}");
        found.remove(0)
    }
}

fn greedy() -> Vec<u8> {
    fs::read(library("attune-plugin-greedy")).unwrap()
}

/// Where the handshake's bytes begin in a library's file.
fn handshake_at(library: &[u8]) -> usize {
    let ours = Handshake::of_this_build();
    assert_eq!(handshake::MAGIC.len(), 16);
    let mut found = library
        .windows(size_of::<Handshake>())
        .enumerate()
        .filter(|(_, bytes)| {
            bytes.starts_with(&handshake::MAGIC) && {
                let size = u32::from_ne_bytes(bytes[16..20].try_into().unwrap());
                let abi = u32::from_ne_bytes(bytes[20..24].try_into().unwrap());
                size as usize == size_of::<Handshake>() && abi == ours.abi()
            }
        });
    let (at, _) = found.next().unwrap();
    assert!(found.next().is_none(), "two handshakes");
    at
}

#[test]
fn each_content_is_found_once_and_what_is_named_stays_named() {
    let folders = Folders::new();
    folders.put("b.so", greedy());
    let misbehave = folders.put("a.so", fs::read(library("attune-misbehave")).unwrap());
    let places = [Place::own(folders.plugins()), Place::named(&misbehave)];
    let (found, errors) = scan(&places, &folders.cache());
    assert!(errors.is_empty(), "{errors:?}");
    let found: Vec<_> = found
        .iter()
        .map(|c| (c.path.strip_prefix(folders.plugins()).unwrap(), c.named))
        .collect();
    assert_eq!(
        found,
        [(Path::new("a.so"), true), (Path::new("b.so"), false)]
    );
}

#[test]
fn what_is_no_plugin_is_refused_by_its_file_alone() {
    let folders = Folders::new();
    let whole = greedy();
    let at = handshake_at(&whole);
    let changed = |offset: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at + offset] = byte;
        bytes
    };
    let other_abi = fs::read(library("attune-other-abi")).unwrap();
    let table: [(&str, Vec<u8>, &str); 8] = [
        ("empty", vec![], "0 bytes long"),
        (
            "text",
            b"#!/bin/sh\necho hello\n".to_vec(),
            "not a shared library",
        ),
        (
            "short",
            b"\x7fELF\x02\x01\x01".to_vec(),
            "not a shared library",
        ),
        ("cut", whole[..whole.len() / 2].to_vec(), "cut off"),
        (
            "foreign",
            fs::read(std::env::current_exe().unwrap()).unwrap(),
            "not an Attune plugin",
        ),
        ("magic", changed(0, b'A'), "magic bytes"),
        ("size", changed(16, 136), "136 bytes long instead of 128"),
        ("abi", other_abi, "speaks plugin ABI 999"),
    ];
    for (name, bytes, expected) in table {
        let path = folders.put(name, bytes);
        let (found, errors) = scan(&[Place::named(&path)], &folders.cache());
        assert_eq!((found.len(), errors.len()), (0, 1), "{name}");
        let error = errors[0].to_string();
        assert!(
            error.contains(expected) && error.contains(name),
            "{name}: {error}"
        );
        assert!(errors[0].named);
    }
    assert!(
        !folders.cache().exists(),
        "a copy was made of what is no plugin"
    );
    let (_, errors) = scan(
        &[Place::named(folders.plugins().join("gone"))],
        &folders.cache(),
    );
    assert!(errors[0].to_string().contains("check the path"));
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_mapped_by_a_scan() {
    let folders = Folders::new();
    let path = folders.put("x.so", greedy());
    let candidate = folders.one(&path);
    let mapped = || {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let lines = maps.lines();
        lines
            .filter(|line| line.contains(&*folders.all.path().to_string_lossy()))
            .count()
    };
    assert_eq!(mapped(), 0);
    LoadedLibrary::open(&candidate).unwrap();
    assert!(mapped() > 0, "this test does not see what is mapped");
}

#[test]
fn a_copy_that_was_changed_is_not_mapped_and_is_made_anew() {
    let folders = Folders::new();
    let path = folders.put("x.so", greedy());
    let candidate = folders.one(&path);
    let whole = greedy();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damage in [
        Some(&whole[..whole.len() / 2]),
        Some(&flipped),
        Some(b""),
        None,
    ] {
        // Another file in its place: this process has the old one mapped.
        fs::remove_file(&candidate.copy).unwrap();
        if let Some(bytes) = damage {
            fs::write(&candidate.copy, bytes).unwrap();
        }
        let error = LoadedLibrary::open(&candidate).unwrap_err();
        assert!(matches!(error, LibraryError::Copy { .. }), "{error}");
        assert!(error.to_string().contains(&candidate.hash), "{error}");
        assert!(error.to_string().contains("makes it anew"), "{error}");
        assert_eq!(folders.one(&path), candidate);
        LoadedLibrary::open(&candidate).unwrap();
    }
}

#[test]
fn a_scanner_sees_every_change() {
    let folders = Folders::new();
    let path = folders.put("x.so", greedy());
    let mut scanner = Scanner::new(folders.cache());
    let mut scan = || {
        let (found, errors) = scanner.scan(&[Place::own(folders.plugins())]);
        let hashes: Vec<String> = found.into_iter().map(|c| c.hash).collect();
        (hashes, errors.len())
    };
    let first = scan();
    assert_eq!((first.0.len(), first.1), (1, 0));
    assert_eq!(scan(), first);
    // In place, of the same length, and dated back as `cp --preserve` does.
    let dated = fs::metadata(&path).unwrap().modified().unwrap();
    let mut other = greedy();
    *other.last_mut().unwrap() ^= 1;
    fs::write(&path, &other).unwrap();
    let file = fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(dated).unwrap();
    let second = scan();
    assert_eq!((second.0.len(), second.1), (1, 0));
    assert_ne!(second, first);
    fs::write(&path, "no library").unwrap();
    assert_eq!(scan(), (vec![], 1));
    fs::remove_file(&path).unwrap();
    assert_eq!(scan(), (vec![], 0));
}

#[test]
fn a_worker_opens_each_content_once_and_two_builds_side_by_side() {
    let folders = Folders::new();
    let path = folders.put("x.so", greedy());
    let old = folders.one(&path);
    // Another build of the same plugin: same names, other content.
    let mut other = greedy();
    let fingerprint = handshake_at(&other) + 24;
    other[fingerprint] ^= 0x20;
    fs::write(&path, other).unwrap();
    let new = folders.one(&path);
    assert_ne!(old.hash, new.hash);

    let mut opened = Opened::default();
    let setup = Setup::of_rates(&[0.1]);
    for candidate in [&old, &new, &old] {
        let library = opened.open(candidate).unwrap();
        assert_eq!(library.hash(), candidate.hash);
        library.create("greedy", &[].into(), &setup).unwrap();
        let error = library.create("cosine", &[].into(), &setup).err().unwrap();
        assert!(error.to_string().contains("loaded are: greedy"), "{error}");
    }
    // Once open, the copy is not read again.
    fs::remove_file(&old.copy).unwrap();
    opened.open(&old).unwrap();

    let (plugins, errors) = Plugins::open(&[new.clone(), new.clone(), folders.one(&path)]);
    assert_eq!((plugins.libraries().len(), errors.len()), (1, 0));
    let again = Candidate {
        copy: new.copy.clone(),
        ..new
    };
    fs::write(&path, greedy()).unwrap();
    let (_, errors) = Plugins::open(&[again, folders.one(&path)]);
    assert!(matches!(errors[0].reason, LoadReason::DoubledName { .. }));
}

#[test]
fn a_scan_keeps_the_copies_that_it_returns_and_removes_old_ones() {
    let folders = Folders::new();
    let path = folders.put("x.so", greedy());
    let kept = folders.one(&path).copy;
    fs::write(folders.cache().join("unused.so"), "an old build").unwrap();
    let (mut scanner, place) = (Scanner::new(folders.cache()), Place::named(&path));
    // By one that knows nothing yet, then by one that may know the file.
    for _ in 0..2 {
        for copy in fs::read_dir(folders.cache()).unwrap() {
            let copy = fs::File::open(copy.unwrap().path()).unwrap();
            let old = SystemTime::now() - Duration::from_secs(31 * 24 * 3600);
            copy.set_modified(old).unwrap();
        }
        scanner.scan(std::slice::from_ref(&place));
        let left: Vec<_> = fs::read_dir(folders.cache()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(kept.exists());
    }
}
