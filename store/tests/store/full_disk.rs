//! A disk that fills up: writes are refused, nothing is lost, and they go on once there is room.

use std::fs;
use std::path::Path;
use std::process::Command;

use attune_store::*;

use crate::scenario::*;

/// Where the child's small disk is.
const DISK: &str = "ATTUNE_STORE_TEST_DISK";

/// A disk of its own for the child, in a namespace of its own: no rights are needed on most systems.
#[test]
fn a_full_disk_stops_writes_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let test = std::env::current_exe().unwrap();
    let script = r#"mount -t tmpfs -o size=40m tmpfs "$1" || exit 77
        exec "$2" --ignored --exact full_disk::child --nocapture"#;
    let ran = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .args([dir.path(), &test])
        .env(DISK, dir.path())
        .output();
    match ran {
        Ok(output) if output.status.success() => {}
        Ok(output) if output.status.code() == Some(101) => {
            panic!("{}", String::from_utf8_lossy(&output.stderr))
        }
        // Namespaces can be forbidden, and other systems have none.
        skipped => eprintln!("SKIPPED: no small disk can be mounted here: {skipped:?}"),
    }
}

#[test]
#[ignore = "the process that the other test starts on a small disk"]
fn child() {
    let disk = std::env::var(DISK).expect("started by the other test");
    let disk = Path::new(&disk);
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![0; 10 << 20]).unwrap();
    let dir = disk.join("store");
    let (store, _) = Store::open(&dir, "test").unwrap();
    fill(&store);
    let id = StudyId(1).trial(0);
    let knowledge = |version| Knowledge {
        version,
        bytes: (0..40_000_u32)
            .map(|at| (at.wrapping_mul(version) >> 3) as u8)
            .collect(),
    };
    let mut written = 0;
    let error = loop {
        let batch = Batch::new()
            .put_epoch(id, written, &epoch(0.5))
            .put_knowledge("greedy", &written.to_string(), &knowledge(written));
        match store.apply(batch) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10_000, "the disk does not fill up");
    };
    assert!(matches!(error, Error::NotWritten { .. }), "{error}");
    // Again and again, and compacting is no way out; reading goes on.
    for _ in 0..20 {
        let error = store.append_steps(id, &rows(100..5000)).unwrap_err();
        assert!(matches!(error, Error::NotWritten { .. }), "{error}");
    }
    assert!(store.compact().is_err());
    let check = |store: &Store| {
        assert_eq!(store.epochs(id).unwrap().len() as u32, written.max(2));
        for number in 0..written {
            let known = store.knowledge("greedy", &number.to_string()).unwrap();
            assert_eq!(known, Some(knowledge(number)));
        }
    };
    check(&store);
    assert!(store.verify().unwrap().is_clean());

    // It can be closed and opened while the disk is full, too.
    drop(store);
    let (store, report) = Store::open(&dir, "test").unwrap();
    assert!(report.is_clean(), "{report}");
    check(&store);
    assert!(store.append_steps(id, &rows(100..5000)).is_err());

    fs::remove_file(&ballast).unwrap();
    store.append_steps(id, &rows(100..5000)).unwrap();
    drop(store);
    let (store, report) = Store::open(&dir, "test").unwrap();
    assert!(report.is_clean(), "{report}");
    check(&store);
    assert_eq!(store.read_steps(id, 100..).unwrap(), rows(100..5000));
}
