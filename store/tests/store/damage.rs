//! Files cut, flipped and gone: everything acknowledged comes back, or the report says what did not.

use std::fs;
use std::path::Path;

use crate::scenario::*;
use attune_store::*;

/// A fixed stream of numbers (SplitMix64), so that every run damages the same places.
struct Places(u64);

impl Places {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn reopen(dir: &Path) -> (String, OpenReport) {
    let (store, report) = Store::open(dir, "reopen").unwrap();
    (everything(&store), report)
}

fn flip(path: &Path, bit: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path, to: u64) {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(to)
        .unwrap();
}

/// Every line of `less` is one of `all`, in order.
fn is_part_of(less: &str, all: &str) -> bool {
    let mut all = all.lines();
    less.lines().all(|line| all.any(|other| other == line))
}

#[test]
fn a_journal_cut_at_any_byte_keeps_every_write_before_the_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), "test").unwrap();
    fill(&store);
    let segment = segments(dir.path()).pop().unwrap();
    let length = || fs::metadata(&segment).unwrap().len();
    let mut states = vec![(length(), everything(&store))];
    let last = StudyId(2).trial(1);
    store.put_epoch(last, 1, &epoch(0.5)).unwrap();
    states.push((length(), everything(&store)));
    store.append_steps(last, &rows(60..70)).unwrap();
    states.push((length(), everything(&store)));
    let batch = Batch::new()
        .put_epoch(last, 2, &epoch(0.4))
        .append_steps(last, rows(70..80));
    store.apply(batch).unwrap();
    states.push((length(), everything(&store)));
    drop(store);

    for to in states[0].0..=length() {
        let damaged = copy(dir.path());
        remove_index(damaged.path());
        cut(&segments(damaged.path())[0], to);
        let (all, report) = reopen(damaged.path());
        let (whole, expected) = states.iter().rev().find(|(end, _)| *end <= to).unwrap();
        assert_eq!(all, *expected, "cut at {to}");
        assert_eq!(
            report.torn.map(|torn| torn.bytes),
            (*whole < to).then(|| to - whole)
        );
        assert!(report.losses.is_empty());
    }
}

#[test]
fn what_the_cut_took_comes_back_from_the_index() {
    let (dir, all) = filled();
    let segment = segments(dir.path()).pop().unwrap();
    let length = fs::metadata(&segment).unwrap().len();
    for lost in [1, 100, 400, length / 2, length - 40, length] {
        let damaged = copy(dir.path());
        cut(&segments(damaged.path())[0], length - lost);
        let (found, report) = reopen(damaged.path());
        assert_eq!(found, all, "without the last {lost} bytes");
        assert!(report.restored > 0 && report.losses.is_empty(), "{report}");
        let (found, report) = reopen(damaged.path());
        assert_eq!(found, all);
        assert!(report.is_clean(), "{report}");
    }
}

#[test]
fn a_cut_names_what_the_journal_alone_had() {
    let (dir, _) = filled();
    let (store, _) = Store::open(dir.path(), "test").unwrap();
    let id = StudyId(2).trial(1);
    store.append_steps(id, &rows(100..5000)).unwrap();
    let all = everything(&store);
    drop(store);
    let segment = segments(dir.path()).pop().unwrap();
    cut(&segment, fs::metadata(&segment).unwrap().len() - 10);
    let (found, report) = reopen(dir.path());
    assert_ne!(found, all);
    let names = report.losses.iter().filter_map(|loss| loss.record.as_ref());
    let named = names.filter(|name| name.contains(&id.to_string()));
    assert!(named.count() > 0, "{report}");
    let (again, report) = reopen(dir.path());
    assert_eq!(again, found);
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_flipped_bit_in_the_journal_costs_nothing_while_the_index_is_there() {
    let (dir, all) = filled();
    let bits = fs::metadata(&segments(dir.path())[0]).unwrap().len() * 8;
    let mut places = Places(1);
    for _ in 0..60 {
        let damaged = copy(dir.path());
        let bit = places.below(bits);
        flip(&segments(damaged.path())[0], bit);
        let (found, report) = reopen(damaged.path());
        assert_eq!(found, all, "bit {bit}: {report}");
        // The second write is overwritten later, so the index has it no more. Without its head
        // nobody knows that it was not the only one of its record.
        let lost = report
            .losses
            .iter()
            .filter(|loss| (loss.first_seq, loss.last_seq) != (2, 2));
        assert_eq!(lost.count(), 0, "bit {bit}: {report}");
        let (found, report) = reopen(damaged.path());
        assert_eq!(found, all, "bit {bit}, opened again");
        assert!(report.is_clean(), "bit {bit}, opened again: {report}");
    }
}

#[test]
fn a_flipped_bit_in_the_journal_alone_costs_at_most_one_batch_and_is_named() {
    let (dir, all) = filled();
    remove_index(dir.path());
    let bits = fs::metadata(&segments(dir.path())[0]).unwrap().len() * 8;
    let mut places = Places(2);
    let mut named = 0;
    for _ in 0..150 {
        let damaged = copy(dir.path());
        let bit = places.below(bits);
        flip(&segments(damaged.path())[0], bit);
        let (found, report) = reopen(damaged.path());
        let lost = report
            .losses
            .iter()
            .map(|loss| loss.last_seq - loss.first_seq + 1)
            .sum::<u64>();
        if found != all {
            assert!(lost == 1 || report.torn.is_some(), "bit {bit}: {report}");
            named += usize::from(report.losses.iter().any(|loss| loss.record.is_some()));
        }
        if report.torn.is_none() {
            // One trial was written twice, and without the second write the first one shows.
            let found = found
                .lines()
                .filter(|line| !line.starts_with("s1.0 TrialRecord"));
            let found: Vec<_> = found.collect();
            assert!(is_part_of(&found.join("\n"), &all), "bit {bit}: {report}");
        }
        let (again, report) = reopen(damaged.path());
        assert_eq!(again, found, "bit {bit}, opened again");
        assert!(report.is_clean(), "bit {bit}, opened again: {report}");
    }
    assert!(named > 50, "only {named} losses had the record's name");
}

#[test]
fn a_flipped_bit_in_any_file_of_the_index_costs_nothing() {
    let (dir, all) = filled();
    let count = files(&index_dir(dir.path()), "").len();
    assert!(count >= 2);
    let mut places = Places(3);
    let mut noticed = 0;
    for file in 0..count {
        for _ in 0..25 {
            let damaged = copy(dir.path());
            let path = files(&index_dir(damaged.path()), "").swap_remove(file);
            // sled's file is mostly empty; what matters is in its first part.
            let bits = fs::metadata(&path).unwrap().len().clamp(1, 16 << 10) * 8;
            if fs::metadata(&path).unwrap().len() == 0 {
                continue;
            }
            flip(&path, places.below(bits));
            let (found, report) = reopen(damaged.path());
            assert_eq!(found, all, "{}", path.display());
            assert!(report.losses.is_empty());
            noticed += usize::from(report.index != IndexState::Intact);
        }
    }
    assert!(noticed > 0, "no bit hit anything that matters");
}

#[test]
fn index_files_cut_short_cost_nothing() {
    let (dir, all) = filled();
    let count = files(&index_dir(dir.path()), "").len();
    for file in 0..count {
        for part in 0..8 {
            let damaged = copy(dir.path());
            let path = files(&index_dir(damaged.path()), "").swap_remove(file);
            cut(
                &path,
                fs::metadata(&path).unwrap().len().min(16 << 10) * part / 8,
            );
            let (found, report) = reopen(damaged.path());
            assert_eq!(found, all, "{} at {part}/8", path.display());
            assert!(report.losses.is_empty());
        }
    }
}

#[test]
fn an_index_that_is_gone_is_made_again() {
    let (dir, all) = filled();
    remove_index(dir.path());
    let (found, report) = reopen(dir.path());
    assert_eq!(found, all);
    assert_eq!(report.index, IndexState::Created);
}

#[test]
fn an_index_from_yesterday_is_brought_up_to_date() {
    let (dir, _) = filled();
    let old = copy(dir.path());
    let (store, _) = Store::open(dir.path(), "today").unwrap();
    let id = StudyId(1).trial(1);
    store.put_trial(id, &trial(TrialState::Failed)).unwrap();
    // Replaces what was there from step 20 on, which the old index still has.
    store.append_steps(id, &rows(20..25)).unwrap();
    let all = everything(&store);
    drop(store);
    remove_index(dir.path());
    fs::rename(index_dir(old.path()), dir.path().join("index.1")).unwrap();
    let (found, report) = reopen(dir.path());
    assert_eq!(found, all);
    assert!(
        matches!(report.index, IndexState::Repaired(_)) && report.is_clean(),
        "{report}"
    );
}

#[test]
fn a_journal_that_is_gone_comes_back_from_the_index() {
    let (dir, all) = filled();
    fs::remove_dir_all(dir.path().join("journal")).unwrap();
    let (found, report) = reopen(dir.path());
    assert_eq!(found, all);
    assert!(report.restored > 0 && report.losses.is_empty(), "{report}");
    remove_index(dir.path());
    assert_eq!(reopen(dir.path()).0, all);
}

#[test]
fn a_missing_segment_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 500,
        ..Options::default()
    };
    let (store, _) = Store::open_with(dir.path(), "test", options).unwrap();
    fill(&store);
    drop(store);
    remove_index(dir.path());
    fs::remove_file(&segments(dir.path())[2]).unwrap();
    let (found, report) = reopen(dir.path());
    assert_eq!(report.losses.len(), 1, "{report}");
    let loss = &report.losses[0];
    assert_eq!(loss.missing, loss.last_seq - loss.first_seq + 1);
    assert_eq!(reopen(dir.path()).0, found);
}

#[test]
fn a_damaged_snapshot_gives_up_only_what_was_hit() {
    let (dir, all) = filled();
    let (store, _) = Store::open(dir.path(), "test").unwrap();
    store.compact().unwrap();
    drop(store);
    assert_eq!(reopen(dir.path()).0, all);
    let snapshot = || files(&dir.path().join("journal"), "snapshot-").swap_remove(0);
    let bits = fs::metadata(snapshot()).unwrap().len() * 8;
    let mut places = Places(4);
    for _ in 0..40 {
        let bit = places.below(bits);
        let damaged = copy(dir.path());
        let path = files(&damaged.path().join("journal"), "snapshot-").swap_remove(0);
        flip(&path, bit);
        let without_index = copy(damaged.path());
        let (found, report) = reopen(damaged.path());
        assert_eq!(found, all, "bit {bit}: {report}");
        assert!(report.losses.is_empty(), "bit {bit}: {report}");
        remove_index(without_index.path());
        let (found, report) = reopen(without_index.path());
        assert!(
            found == all || report.losses.len() == 1,
            "bit {bit}: {report}"
        );
        assert!(is_part_of(&found, &all), "bit {bit}: {report}");
        let (again, report) = reopen(without_index.path());
        assert!(again == found && report.is_clean(), "bit {bit}: {report}");
    }
    for part in 0..8 {
        let damaged = copy(dir.path());
        remove_index(damaged.path());
        let path = files(&damaged.path().join("journal"), "snapshot-").swap_remove(0);
        cut(&path, bits / 8 * part / 8);
        let (found, report) = reopen(damaged.path());
        assert!(
            !report.losses.is_empty() && is_part_of(&found, &all),
            "{part}/8: {report}"
        );
    }
}

#[test]
fn a_checkpoint_never_makes_damage_final() {
    let (dir, all) = filled();
    let (store, _) = Store::open(dir.path(), "test").unwrap();
    let segment = segments(dir.path()).swap_remove(0);
    flip(&segment, fs::metadata(&segment).unwrap().len() * 4);
    let error = store.compact().unwrap_err().to_string();
    assert!(error.contains(segment.to_str().unwrap()), "{error}");
    drop(store);
    let (found, report) = reopen(dir.path());
    assert_eq!(found, all);
    assert!(report.restored == 1 && report.losses.is_empty(), "{report}");
}
