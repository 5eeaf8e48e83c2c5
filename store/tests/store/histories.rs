//! Step histories: every row and every bit, however the rows came in.

use std::collections::BTreeMap;

use attune_store::*;
use proptest::prelude::*;

use crate::scenario::*;

/// Tables to append one after the other: lengths and gaps as they come.
fn tables() -> impl Strategy<Value = Vec<Steps>> {
    let row = || (1_u64..50, any::<u32>(), float());
    let table = prop_oneof![
        prop::collection::vec(row(), 1..40),
        prop::collection::vec(row(), 3000..5000),
    ];
    prop::collection::vec(table, 1..8).prop_map(|tables| {
        let mut step = 0;
        let tables = tables.into_iter().map(|rows| {
            let steps = rows.iter().map(|(gap, _, _)| {
                step += gap;
                step
            });
            Steps::new(steps.collect())
                .with_f32(
                    "loss",
                    rows.iter()
                        .map(|(_, bits, _)| f32::from_bits(*bits))
                        .collect(),
                )
                .with_f64("rate", rows.iter().map(|(_, _, rate)| *rate).collect())
        });
        tables.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn histories_come_back_bit_for_bit(tables in tables(), from in 0_u64..3000, length in 0_u64..9000) {
        let (dir, store) = open();
        let id = StudyId(1).trial(0);
        let mut all: Option<Steps> = None;
        for table in &tables {
            store.append_steps(id, table).unwrap();
            match &mut all {
                None => all = Some(table.clone()),
                Some(all) => append(all, table),
            }
        }
        let all = all.unwrap();
        let store = reopened(&dir, store);
        prop_assert_eq!(bits(&store.read_steps(id, ..).unwrap()), bits(&all));
        let part = store.read_steps(id, from..from + length).unwrap();
        let rows = all.steps.partition_point(|s| *s < from)..all.steps.partition_point(|s| *s < from + length);
        prop_assert_eq!(&part.steps[..], &all.steps[rows.clone()]);
        if !rows.is_empty() {
            prop_assert_eq!(bits(&part), bits(&cut(&all, rows)));
        }
    }

    #[test]
    fn steps_reported_again_replace_what_was_there(at in prop::collection::vec((0_u64..9000, 1_u64..5000), 1..8)) {
        let (dir, store) = open();
        let id = StudyId(1).trial(0);
        let mut expected: BTreeMap<u64, f32> = BTreeMap::new();
        for (turn, (first, count)) in at.into_iter().enumerate() {
            let steps: Vec<u64> = (first..first + count).collect();
            expected.split_off(&first);
            expected.extend(steps.iter().map(|step| (*step, turn as f32)));
            let table = Steps::new(steps).with_f32("turn", vec![turn as f32; count as usize]);
            store.append_steps(id, &table).unwrap();
        }
        let store = reopened(&dir, store);
        let found = store.read_steps(id, ..).unwrap();
        prop_assert_eq!(&found.steps, &expected.keys().copied().collect::<Vec<_>>());
        prop_assert_eq!(found.column("turn").unwrap(), &Values::F32(expected.into_values().collect()));
    }
}

fn append(all: &mut Steps, more: &Steps) {
    all.steps.extend(&more.steps);
    for (column, more) in all.columns.iter_mut().zip(&more.columns) {
        match (&mut column.values, &more.values) {
            (Values::F32(all), Values::F32(more)) => all.extend(more),
            (Values::F64(all), Values::F64(more)) => all.extend(more),
            _ => panic!("columns of different widths"),
        }
    }
}

fn cut(all: &Steps, rows: std::ops::Range<usize>) -> Steps {
    let mut part = Steps::new(all.steps[rows.clone()].to_vec());
    for column in &all.columns {
        part = match &column.values {
            Values::F32(values) => part.with_f32(&column.name, values[rows.clone()].to_vec()),
            Values::F64(values) => part.with_f64(&column.name, values[rows.clone()].to_vec()),
        };
    }
    part
}

#[test]
fn steps_that_come_one_by_one_are_all_there() {
    let (dir, store) = open();
    let id = StudyId(1).trial(0);
    let half = CHUNK_ROWS as u64 / 2;
    // The tail is kept for the first half, and read from the disk for each of the last ones.
    for step in 0..half {
        store.append_steps(id, &rows(step..step + 1)).unwrap();
    }
    let mut store = reopened(&dir, store);
    store.append_steps(id, &rows(half..2 * half - 3)).unwrap();
    for step in 2 * half - 3..2 * half + 3 {
        store = reopened(&dir, store);
        store.append_steps(id, &rows(step..step + 1)).unwrap();
    }
    assert_eq!(store.read_steps(id, ..).unwrap(), rows(0..2 * half + 3));
    assert_eq!(store.read_steps(id, 5..=7).unwrap(), rows(5..8));
    assert_eq!(
        store.read_steps(id, 2 * half + 1..).unwrap(),
        rows(2 * half + 1..2 * half + 3)
    );
    assert!(store.read_steps(id, 9000..).unwrap().is_empty());
    assert!(
        store
            .read_steps(StudyId(1).trial(1), ..)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn columns_that_come_and_go_leave_gaps_of_nan() {
    let (_dir, store) = open();
    let id = StudyId(1).trial(0);
    store
        .append_steps(id, &Steps::new(vec![1]).with_f32("loss", vec![0.5]))
        .unwrap();
    let both = Steps::new(vec![2])
        .with_f32("loss", vec![0.4])
        .with_f32("norm", vec![2.0]);
    store.append_steps(id, &both).unwrap();
    store
        .append_steps(id, &Steps::new(vec![3]).with_f64("norm", vec![0.1]))
        .unwrap();
    let found = store.read_steps(id, ..).unwrap();
    assert_eq!(found.steps, [1, 2, 3]);
    assert_eq!(
        format!("{:?}", found.column("loss").unwrap()),
        "F32([0.5, 0.4, NaN])"
    );
    assert_eq!(
        format!("{:?}", found.column("norm").unwrap()),
        "F64([NaN, 2.0, 0.1])"
    );
}

#[test]
fn tables_that_make_no_sense_are_refused() {
    let (_dir, store) = open();
    let id = StudyId(1).trial(0);
    let many = (0..=MAX_COLUMNS).fold(Steps::new(vec![1]), |table, column| {
        table.with_f32(&column.to_string(), vec![0.0])
    });
    for (table, problem) in [
        (Steps::new(vec![2, 2]), "step 2 follows step 2"),
        (
            Steps::new(vec![1]).with_f32("loss", vec![]),
            "`loss` has 0 values for 1 steps",
        ),
        (
            Steps::new(vec![1]).with_f32("", vec![0.0]),
            "`` cannot name a column",
        ),
        (
            Steps::new(vec![1])
                .with_f32("a", vec![0.0])
                .with_f64("a", vec![0.0]),
            "called `a`",
        ),
        (many, "257 columns are more"),
    ] {
        let error = store.append_steps(id, &table).unwrap_err().to_string();
        assert!(error.contains("s1.0") && error.contains(problem), "{error}");
    }
    let twice = Batch::new()
        .append_steps(id, rows(0..1))
        .append_steps(id, rows(1..2));
    assert!(matches!(store.apply(twice), Err(Error::BadSteps { .. })));
    assert!(store.read_steps(id, ..).unwrap().is_empty());
}
