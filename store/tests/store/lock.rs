//! One holder at a time, and the other one is told who it is.

use attune_store::*;

#[test]
fn a_second_opening_fails_at_once_and_names_the_holder() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), "attune run digits.toml").unwrap();
    let error = Store::open(dir.path(), "attune ls")
        .err()
        .unwrap()
        .to_string();
    let expected = format!(
        "the store at {} is in use by process {} (attune run digits.toml)",
        dir.path().display(),
        std::process::id()
    );
    assert!(error.starts_with(&expected), "{error}");
    drop(store);
    Store::open(dir.path(), "attune ls").unwrap();
}
