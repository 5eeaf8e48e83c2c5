//! A store that a newer Attune wrote is left alone.

use std::fs;

use attune_store::*;

use crate::scenario::*;

#[test]
fn a_journal_of_a_newer_schema_is_refused_and_not_touched() {
    let (dir, _) = filled();
    let path = segments(dir.path()).swap_remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] += 1;
    let crc = crc32fast::hash(&bytes[..24]);
    bytes[24..28].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = Store::open(dir.path(), "old").err().unwrap();
    assert!(
        matches!(
            error,
            Error::NewerSchema {
                found: 3,
                known: 2,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
