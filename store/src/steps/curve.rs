//! Reading a history from any distance: rows from near, groups of rows from further away, whole
//! chunks from afar, each only where there are so many that one could not tell.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds, RangeInclusive};

use super::summary::{Bucket, GROUP_ROWS, Summary};
use super::{CHUNK_ROWS, chunk};
use crate::error::Error;
use crate::id::TrialId;
use crate::index::Index;
use crate::key::Key;

/// The most buckets a curve is given in.
pub const MAX_POINTS: usize = 10_000;

/// One column of a trial's history, in at most as many buckets as were asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// The buckets in order, of about as many rows each. Together they have every row of the range.
    pub buckets: Vec<Bucket>,
    /// Whether each of these rows is still stored. Where some were thinned out, buckets are never
    /// smaller than 64 of them, and those at the range's ends may reach beyond it.
    pub exact: bool,
}

/// What there is of a trial's history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The columns' names in the order in which they first came.
    pub columns: Vec<String>,
    /// The rows that were recorded.
    pub rows: u64,
    /// How many of them were thinned out: curves have them still, and
    /// [`read_steps`](crate::Store::read_steps) does not.
    pub thinned: u64,
    /// The last row's step.
    pub last_step: Option<u64>,
}

/// What there is from one step on.
#[derive(Default, Clone, Copy)]
struct Piece {
    has_rows: bool,
    has_summary: bool,
}

enum Read {
    Rows(Vec<u64>, Vec<f64>),
    Buckets(Vec<Bucket>),
}

pub(crate) fn read(
    index: &Index,
    trial: TrialId,
    column: &str,
    range: &impl RangeBounds<u64>,
    points: usize,
) -> Result<Curve, Error> {
    let points = points.clamp(1, MAX_POINTS);
    let Some(range) = inclusive(range) else {
        return Ok(Curve {
            exact: true,
            ..Curve::default()
        });
    };
    let pieces = pieces(index, trial, &range)?;
    // About how many rows a bucket will have. Coarser pieces than a fraction of that would show.
    let many = pieces.values().filter(|piece| piece.has_summary).count() * CHUNK_ROWS / points;
    let mut curve = Curve {
        buckets: Vec::new(),
        exact: true,
    };
    let mut reads = Vec::with_capacity(pieces.len());
    let (mut last, mut has_column) = (None, false);
    for (first, piece) in pieces {
        // Only damage lets pieces overlap; what has been read is not read again.
        let fresh = |step: u64| last.is_none_or(|last| step > last);
        let mut read = None;
        if piece.has_summary && (many >= 2 * GROUP_ROWS || !piece.has_rows) {
            let key = Key::Summary(trial, first);
            if let Some(bytes) = index.get(&key)? {
                let summary = Summary::decode(&key, &bytes)?;
                let is_inside = fresh(first)
                    && range.contains(&summary.first_step())
                    && range.contains(&summary.last_step());
                if is_inside || !piece.has_rows {
                    curve.exact &= piece.has_rows;
                    let mut buckets = if is_inside && many >= 4 * CHUNK_ROWS {
                        vec![summary.whole(column)]
                    } else {
                        summary.groups(&key, column)?
                    };
                    buckets.retain(|bucket| {
                        let touches =
                            bucket.to_step >= *range.start() && bucket.from_step <= *range.end();
                        touches && fresh(bucket.from_step)
                    });
                    has_column |=
                        !buckets.is_empty() && summary.column_names().any(|name| name == column);
                    read = Some(Read::Buckets(buckets));
                }
            }
        }
        let read = match read {
            Some(read) => read,
            None => {
                let key = Key::Steps(trial, first);
                let Some(bytes) = index.get(&key)? else {
                    continue;
                };
                let (mut steps, values) = chunk::decode_column(&key, &bytes, column)?;
                let is_in_column = values.is_some();
                let mut values = values.unwrap_or_else(|| vec![f64::NAN; steps.len()]);
                let start = steps.partition_point(|step| !fresh(*step) || step < range.start());
                let end = steps.partition_point(|step| step <= range.end()).max(start);
                has_column |= is_in_column && start < end;
                steps.truncate(end);
                values.truncate(end);
                steps.drain(..start);
                values.drain(..start);
                Read::Rows(steps, values)
            }
        };
        last = last.max(read.last_step());
        reads.push(read);
    }
    if has_column {
        curve.buckets = reduce(&reads, points);
    }
    Ok(curve)
}

pub(crate) fn history(index: &Index, trial: TrialId) -> Result<History, Error> {
    let mut history = History::default();
    for (first, piece) in pieces(index, trial, &(0..=u64::MAX))? {
        let (rows, names, last_step) = if piece.has_summary {
            let key = Key::Summary(trial, first);
            let Some(bytes) = index.get(&key)? else {
                continue;
            };
            let summary = Summary::decode(&key, &bytes)?;
            let names: Vec<String> = summary.column_names().map(str::to_owned).collect();
            (summary.rows(), names, summary.last_step())
        } else {
            let key = Key::Steps(trial, first);
            let Some(bytes) = index.get(&key)? else {
                continue;
            };
            let rows = chunk::decode(&key, &bytes)?;
            let last_step = rows.steps.last().copied().unwrap_or(first);
            let names = rows.columns.into_iter().map(|column| column.name);
            (rows.steps.len() as u64, names.collect(), last_step)
        };
        history.rows += rows;
        history.thinned += if piece.has_rows { 0 } else { rows };
        history.last_step = history.last_step.max(Some(last_step));
        for name in names {
            if !history.columns.contains(&name) {
                history.columns.push(name);
            }
        }
    }
    Ok(history)
}

/// What there is of a range, by first step.
fn pieces(
    index: &Index,
    trial: TrialId,
    range: &RangeInclusive<u64>,
) -> Result<BTreeMap<u64, Piece>, Error> {
    let kinds = [Key::Steps as KeyAt, Key::Summary];
    // What begins last before the range may reach into it. Both kinds begin with the earlier of the
    // two, or a summary would look like one whose rows are gone.
    let mut from = *range.start();
    for at in kinds {
        let upto = at(trial, 0).encode()..after(at, trial, *range.start());
        let before = index.keys(upto)?.next_back().transpose()?;
        if let Some(first) = before.and_then(|key| first_step(&key)) {
            from = from.min(first);
        }
    }
    let mut pieces: BTreeMap<u64, Piece> = BTreeMap::new();
    for at in kinds {
        for key in index.keys(at(trial, from).encode()..after(at, trial, *range.end()))? {
            match Key::decode(&key?) {
                Some(Key::Steps(_, first)) => pieces.entry(first).or_default().has_rows = true,
                Some(Key::Summary(_, first)) => pieces.entry(first).or_default().has_summary = true,
                _ => {}
            }
        }
    }
    Ok(pieces)
}

type KeyAt = fn(TrialId, u64) -> Key;

/// The first key past that of `step`.
fn after(at: KeyAt, trial: TrialId, step: u64) -> Vec<u8> {
    let mut key = at(trial, step).encode();
    key.push(0);
    key
}

fn first_step(key: &[u8]) -> Option<u64> {
    match Key::decode(key)? {
        Key::Steps(_, first) | Key::Summary(_, first) => Some(first),
        _ => None,
    }
}

/// Buckets of about as many rows each, at most `points`.
fn reduce(reads: &[Read], points: usize) -> Vec<Bucket> {
    let rows: u64 = reads.iter().map(Read::rows).sum();
    let each = rows.div_ceil(points as u64).max(1);
    let mut buckets: Vec<Bucket> = Vec::with_capacity(points.min(rows as usize));
    let mut add = |next: &Bucket| match buckets.last_mut() {
        Some(bucket) if bucket.rows < each => bucket.extend(next),
        _ => buckets.push(*next),
    };
    for read in reads {
        match read {
            Read::Rows(steps, values) => {
                for (step, value) in steps.iter().zip(values) {
                    add(&Bucket::of_row(*step, *value));
                }
            }
            Read::Buckets(buckets) => buckets.iter().for_each(&mut add),
        }
    }
    buckets
}

impl Read {
    fn rows(&self) -> u64 {
        match self {
            Self::Rows(steps, _) => steps.len() as u64,
            Self::Buckets(buckets) => buckets.iter().map(|bucket| bucket.rows).sum(),
        }
    }

    fn last_step(&self) -> Option<u64> {
        match self {
            Self::Rows(steps, _) => steps.last().copied(),
            Self::Buckets(buckets) => buckets.last().map(|bucket| bucket.to_step),
        }
    }
}

/// The range with both its ends in it; nothing if there is nothing in it.
fn inclusive(range: &impl RangeBounds<u64>) -> Option<RangeInclusive<u64>> {
    let from = match range.start_bound() {
        Bound::Included(&from) => from,
        Bound::Excluded(&from) => from.checked_add(1)?,
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(&to) => to,
        Bound::Excluded(&to) => to.checked_sub(1)?,
        Bound::Unbounded => u64::MAX,
    };
    (from <= to).then_some(from..=to)
}
