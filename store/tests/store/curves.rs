//! Curves: however far away one stands, every bucket says what its rows say.

use attune_store::*;
use proptest::prelude::*;

use crate::scenario::*;

/// One column of what the store holds, row by row, with NaN where a row has no such value.
fn rows_of(store: &Store, id: TrialId, column: &str, from: u64, to: u64) -> Vec<(u64, f64)> {
    let steps = store.read_steps(id, from..=to).unwrap();
    let Some(values) = steps.column(column) else {
        return Vec::new();
    };
    let rows = steps.steps.iter().enumerate();
    rows.map(|(row, step)| (*step, values.get(row).unwrap()))
        .collect()
}

/// Every bucket is held against the rows it stands for.
fn check(curve: &Curve, rows: &[(u64, f64)], points: usize) -> Result<(), TestCaseError> {
    prop_assert!(curve.buckets.len() <= points);
    let each = rows.len().div_ceil(points);
    let mut left = rows;
    for (at, bucket) in curve.buckets.iter().enumerate() {
        let (mine, rest) = left.split_at(bucket.rows as usize);
        left = rest;
        prop_assert_eq!(Some(bucket.from_step), mine.first().map(|row| row.0));
        prop_assert_eq!(Some(bucket.to_step), mine.last().map(|row| row.0));
        let numbers: Vec<f64> = mine
            .iter()
            .map(|row| row.1)
            .filter(|value| !value.is_nan())
            .collect();
        prop_assert_eq!(bucket.nan as usize, mine.len() - numbers.len());
        let last_bucket = at + 1 == curve.buckets.len();
        prop_assert!(
            mine.len() >= each || last_bucket,
            "{} of {each}",
            mine.len()
        );
        let grain = match each {
            each if each >= 2 * CHUNK_ROWS => CHUNK_ROWS,
            each if each >= 43 => 64,
            _ => 1,
        };
        prop_assert!(mine.len() < each + grain, "{} of {each}", mine.len());
        if numbers.is_empty() {
            prop_assert!(
                [bucket.min, bucket.mean, bucket.max, bucket.last]
                    .iter()
                    .all(|v| v.is_nan())
            );
            continue;
        }
        let min = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let max = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        prop_assert_eq!((bucket.min, bucket.max), (min, max));
        prop_assert_eq!(Some(bucket.last), numbers.last().copied());
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let close = (bucket.mean - mean).abs() <= 1e-6 * max.abs().max(min.abs());
        prop_assert!(close || !mean.is_finite(), "{} is not {mean}", bucket.mean);
    }
    prop_assert!(left.is_empty(), "{} rows are in no bucket", left.len());
    Ok(())
}

/// Appends in the order they come: where each begins, its rows, its gaps, and which columns it has.
fn appends() -> impl Strategy<Value = Vec<(u64, usize, u64, bool, u64)>> {
    let append = (
        0_u64..40_000,
        1_usize..9000,
        1_u64..4,
        prop::bool::weighted(0.8),
        any::<u64>(),
    );
    prop::collection::vec(append, 1..6)
}

fn table((first, rows, gap, has_both, seed): (u64, usize, u64, bool, u64)) -> Steps {
    let steps: Vec<u64> = (0..rows as u64).map(|row| first + row * gap).collect();
    let value = |step: &u64| match (step ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40 {
        bits if bits % 97 == 0 => f64::NAN,
        bits if bits % 89 == 0 => f64::INFINITY,
        bits => bits as f64 / 1000.0 - 300.0,
    };
    let loss = steps.iter().map(|step| value(step) as f32).collect();
    let rate = steps.iter().map(|step| 1.0 / (1.0 + value(step))).collect();
    let table = Steps::new(steps).with_f32("loss", loss);
    if has_both {
        table.with_f64("rate", rate)
    } else {
        table
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        rng_seed: proptest::test_runner::RngSeed::Fixed(3),
        ..ProptestConfig::default()
    })]

    #[test]
    fn curves_say_what_the_rows_say(
        appends in appends(),
        points in prop::sample::select(vec![1_usize, 2, 7, 60, 300, 2000]),
        from in 0_u64..50_000,
        length in 0_u64..50_000,
    ) {
        let (dir, store) = open();
        let id = StudyId(1).trial(0);
        // Appends that begin before the last one's end rewrite the history from there on.
        for append in appends {
            store.append_steps(id, &table(append)).unwrap();
        }
        let store = reopened(&dir, store);
        for column in ["loss", "rate"] {
            for (from, to) in [(0, u64::MAX), (from, from + length)] {
                let rows = rows_of(&store, id, column, from, to);
                let curve = store.curve(id, column, from..=to, points).unwrap();
                prop_assert!(curve.exact);
                check(&curve, &rows, points)?;
            }
        }
        let history = store.history(id).unwrap();
        let all = store.read_steps(id, ..).unwrap();
        prop_assert_eq!((history.rows, history.thinned), (all.len() as u64, 0));
        prop_assert_eq!(history.last_step, all.steps.last().copied());
        let names: Vec<_> = all.columns.iter().map(|column| column.name.clone()).collect();
        prop_assert_eq!(store.columns(id).unwrap(), names);
    }
}

#[test]
fn there_is_no_curve_of_nothing() {
    let (_dir, store) = open();
    let id = StudyId(1).trial(0);
    assert_eq!(store.history(id).unwrap(), History::default());
    store.append_steps(id, &rows(5..20)).unwrap();
    assert!(store.curve(id, "norm", .., 10).unwrap().buckets.is_empty());
    assert!(
        store
            .curve(id, "loss", 20.., 10)
            .unwrap()
            .buckets
            .is_empty()
    );
    assert!(
        store
            .curve(id, "loss", 7..7, 10)
            .unwrap()
            .buckets
            .is_empty()
    );
    // A column that only rows before the range have.
    store
        .append_steps(id, &Steps::new(vec![90]).with_f32("loss", vec![0.5]))
        .unwrap();
    assert!(
        store
            .curve(id, "rate", 20.., 10)
            .unwrap()
            .buckets
            .is_empty()
    );
    // As many points as rows, or more, are the rows; no points are one.
    assert_eq!(store.curve(id, "loss", .., 99).unwrap().buckets.len(), 16);
    assert_eq!(store.curve(id, "loss", .., 0).unwrap().buckets.len(), 1);
}

#[test]
fn a_thinned_history_keeps_its_curves_and_says_so() {
    let (dir, store) = open();
    let id = StudyId(1).trial(0);
    let rows = 3 * CHUNK_ROWS as u64 + 100;
    store
        .append_steps(id, &table((0, rows as usize, 1, true, 5)))
        .unwrap();
    let points = 50;
    let before = store.curve(id, "loss", .., points).unwrap();
    store.thin(id).unwrap();
    let store = reopened(&dir, store);
    assert!(store.read_steps(id, ..).unwrap().is_empty());
    let after = store.curve(id, "loss", .., points).unwrap();
    assert_eq!((before.exact, after.exact), (true, false));
    assert_eq!(before.buckets[..40], after.buckets[..40]);
    let total = |curve: &Curve| curve.buckets.iter().map(|bucket| bucket.rows).sum::<u64>();
    assert_eq!((total(&before), total(&after)), (rows, rows));
    // From near, too, no bucket is smaller than what is left.
    let near = store.curve(id, "rate", 1000..1100, 100).unwrap();
    assert!(!near.exact && near.buckets.iter().all(|bucket| bucket.rows == 64));
    let history = store.history(id).unwrap();
    assert_eq!(
        (history.rows, history.thinned, history.last_step),
        (rows, rows, Some(rows - 1))
    );
    assert_eq!(history.columns, ["loss", "rate"]);

    // It goes on after its end, and nowhere before.
    let error = store
        .append_steps(id, &table((7, 9, 1, true, 5)))
        .unwrap_err();
    assert!(error.to_string().contains("were thinned out"), "{error}");
    assert_eq!(store.history(id).unwrap(), history);
    store
        .append_steps(id, &table((rows, 200, 1, true, 5)))
        .unwrap();
    let store = reopened(&dir, store);
    let history = store.history(id).unwrap();
    assert_eq!((history.rows, history.thinned), (rows + 200, rows));
    assert_eq!(store.read_steps(id, ..).unwrap().len(), 200);
    let both = store.curve(id, "loss", .., points).unwrap();
    assert!(!both.exact && total(&both) == rows + 200);
    store.apply(Batch::new().delete_trial(id)).unwrap();
    assert_eq!(store.history(id).unwrap(), History::default());
}
