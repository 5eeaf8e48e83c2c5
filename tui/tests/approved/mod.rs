//! Pictures beside what they looked like when a person last approved.

use std::path::Path;

/// Compares a picture with its file in `tests/snapshots`. After a wanted change:
/// `UPDATE_SNAPSHOTS=1 cargo test -p attune-tui`, then read the difference.
#[track_caller]
#[allow(
    clippy::unwrap_used,
    reason = "the helpers of a test fail as its tests do"
)]
pub(crate) fn approved(name: &str, actual: &str) {
    let file = format!("tests/snapshots/{name}.txt");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "{file} says\n{expected}\nbut it is\n{actual}"
    );
}
