//! How a trial's history grows and is read.
//!
//! Records are keyed by their first step. Small appends are first written as fragments of their own;
//! when a chunk's worth is together, or too many fragments are, one record replaces them under the
//! first one's key. Any partition of the rows into records is valid, so nothing but the records
//! themselves says how the rows are split. With a chunk that has its full number of rows goes its
//! summary, and with every chunk that is thinned out.

use std::ops::{Bound, RangeBounds};

use super::summary::{self, Summary};
use super::{CHUNK_ROWS, Steps, chunk};
use crate::error::Error;
use crate::id::TrialId;
use crate::index::{Entry, Index};
use crate::journal::Op;
use crate::key::Key;

/// How many fragments may follow a chunk before they are merged into it. More would make reading
/// slow, fewer would rewrite a chunk's rows more often when steps come one by one.
const MAX_FRAGMENTS: usize = 64;

/// The end of a trial's history, where the next rows go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    last_step: Option<u64>,
    /// The rows of the last chunk and its fragments, fewer than [`CHUNK_ROWS`].
    open: Steps,
    /// The first steps of that chunk's fragments, the chunk itself left out.
    fragments: Vec<u64>,
}

impl Tail {
    /// The tail of what the index holds.
    pub(crate) fn load(index: &Index, trial: TrialId) -> Result<Self, Error> {
        let mut records: Vec<Steps> = Vec::new();
        let mut rows = 0;
        let mut before = None;
        for entry in index.backwards(Key::steps(trial))? {
            let (key, value) = entry?;
            let steps = decode(&key, &value)?;
            let fits = rows + steps.len() < CHUNK_ROWS
                && records.len() <= MAX_FRAGMENTS
                && records
                    .last()
                    .is_none_or(|later| later.same_columns(&steps));
            if !fits {
                before = steps.steps.last().copied();
                break;
            }
            rows += steps.len();
            records.push(steps);
        }
        if records.is_empty() {
            // All that there was may have been thinned out.
            before = before.max(last_summarized(index, trial)?);
        }
        records.reverse();
        let firsts: Vec<u64> = records
            .iter()
            .filter_map(|r| r.steps.first().copied())
            .collect();
        let mut open = Steps::default();
        records.into_iter().for_each(|steps| open.extend(steps));
        let last_step = open.steps.last().copied().max(before);
        // Records overlap only where damage brought a merged fragment back. Such an end is left as
        // it is, for the reader to skip, and a new chunk begun.
        let ordered = open.steps.windows(2).all(|pair| pair[0] < pair[1]);
        if !ordered || open.steps.first().copied() <= before {
            return Ok(Self {
                last_step,
                ..Self::default()
            });
        }
        Ok(Self {
            last_step,
            open,
            fragments: firsts.into_iter().skip(1).collect(),
        })
    }

    /// What to write so that `rows` follow, and the tail once that is written. Rows at or before
    /// the last step replace the history from there on.
    pub(crate) fn append(
        &self,
        index: &Index,
        trial: TrialId,
        rows: &Steps,
    ) -> Result<(Vec<Op>, Self), Error> {
        if let Some(problem) = rows.problem() {
            return Err(Error::BadSteps { trial, problem });
        }
        let Some(&first) = rows.steps.first() else {
            return Ok((Vec::new(), self.clone()));
        };
        let (mut ops, mut tail) = match self.last_step {
            Some(last) if first <= last => rewound(index, trial, first)?,
            _ => (Vec::new(), self.clone()),
        };
        if !tail.open.is_empty() && !tail.open.same_columns(rows) {
            tail.merge(trial, &mut ops)?;
            tail.open = Steps::default();
        }
        let mut done = 0;
        while done < rows.len() {
            let take = (CHUNK_ROWS - tail.open.len()).min(rows.len() - done);
            tail.add(trial, rows.slice(done..done + take), &mut ops)?;
            done += take;
        }
        tail.last_step = rows.steps.last().copied();
        Ok((ops, tail))
    }

    /// Adds rows that fit into the open chunk.
    fn add(&mut self, trial: TrialId, rows: Steps, ops: &mut Vec<Op>) -> Result<(), Error> {
        let starts_chunk = self.open.is_empty();
        let completes_chunk = self.open.len() + rows.len() == CHUNK_ROWS;
        if !starts_chunk && (completes_chunk || self.fragments.len() == MAX_FRAGMENTS) {
            self.open.extend(rows);
            // The merged record must be written even where the chunk has no fragments yet.
            self.write_open(trial, ops)?;
        } else {
            put(trial, &rows, ops)?;
            if !starts_chunk {
                self.fragments.extend(rows.steps.first());
            }
            self.open.extend(rows);
        }
        if completes_chunk {
            ops.push(summary::put(trial, &self.open)?);
            self.open = Steps::default();
        }
        Ok(())
    }

    /// Makes one record of the open chunk and its fragments, where it has any.
    fn merge(&mut self, trial: TrialId, ops: &mut Vec<Op>) -> Result<(), Error> {
        if self.fragments.is_empty() {
            Ok(())
        } else {
            self.write_open(trial, ops)
        }
    }

    fn write_open(&mut self, trial: TrialId, ops: &mut Vec<Op>) -> Result<(), Error> {
        put(trial, &self.open, ops)?;
        for first in self.fragments.drain(..) {
            ops.push(Op::delete(&Key::Steps(trial, first)));
        }
        Ok(())
    }
}

/// The rows of a trial whose steps lie in `range`.
pub(crate) fn read(
    index: &Index,
    trial: TrialId,
    range: &impl RangeBounds<u64>,
) -> Result<Steps, Error> {
    let mut found = Steps::default();
    let mut keys = Key::steps(trial);
    if let Bound::Included(&from) | Bound::Excluded(&from) = range.start_bound() {
        // The record that begins last at or before the range may reach into it.
        let upto = keys.start.clone()..Key::Steps(trial, from.saturating_add(1)).encode();
        if let Some(key) = index.keys(upto)?.next_back() {
            keys.start = key?;
        }
    }
    let mut last = None;
    for entry in index.forwards(keys)? {
        let (key, value) = entry?;
        let steps = decode(&key, &value)?;
        if steps
            .steps
            .first()
            .is_some_and(|&first| is_past(first, range))
        {
            break;
        }
        // After damage a merged fragment may be there again; its rows have been read already.
        let fresh = |step: &u64| last.is_none_or(|last| *step > last);
        let start = steps
            .steps
            .partition_point(|step| !fresh(step) || is_before(*step, range));
        let end = steps.steps.partition_point(|step| !is_past(*step, range));
        last = last.max(steps.steps.last().copied());
        if start < end {
            found.extend(steps.slice(start..end));
        }
    }
    Ok(found)
}

/// What to write so that only summaries are left of a history.
///
/// # Errors
/// Those of reading.
pub(crate) fn thin(index: &Index, trial: TrialId) -> Result<Vec<Op>, Error> {
    let mut ops = Vec::new();
    for key in index.keys(Key::steps(trial))? {
        let key = key?;
        if let Some(Key::Steps(_, first)) = Key::decode(&key)
            && index.get(&Key::Summary(trial, first))?.is_none()
            && let Some(value) = index.get(&Key::Steps(trial, first))?
        {
            ops.push(summary::put(trial, &decode(&key, &value)?)?);
        }
        ops.push(Op::delete_encoded(key));
    }
    Ok(ops)
}

/// The last step of the last chunk that has a summary.
fn last_summarized(index: &Index, trial: TrialId) -> Result<Option<u64>, Error> {
    match index.backwards(Key::summaries(trial))?.next() {
        Some(entry) => Ok(Some(summary_of(entry?)?.last_step())),
        None => Ok(None),
    }
}

fn summary_of((key, value): Entry) -> Result<Summary, Error> {
    match Key::decode(&key) {
        Some(key) => Summary::decode(&key, &value),
        None => Err(malformed(&key)),
    }
}

/// The deletions and the rewrite that leave only steps before `first`, and the tail after them.
fn rewound(index: &Index, trial: TrialId, first: u64) -> Result<(Vec<Op>, Tail), Error> {
    let all = Key::steps(trial);
    let cut = Key::Steps(trial, first).encode();
    let mut ops = Vec::new();
    let summaries = Key::summaries(trial);
    let cut_summaries = Key::Summary(trial, first).encode();
    let later = index.keys(cut.clone()..all.end)?;
    for key in later.chain(index.keys(cut_summaries.clone()..summaries.end)?) {
        ops.push(Op::delete_encoded(key?));
    }
    if let Some(entry) = index.backwards(summaries.start..cut_summaries)?.next() {
        let before = summary_of(entry?)?;
        let key = Key::Steps(trial, before.first_step());
        let reaches_on = before.last_step() >= first;
        if reaches_on && index.get(&key)?.is_none() {
            let (from, to) = (before.first_step(), before.last_step());
            let problem = format!(
                "its steps from {from} to {to} were thinned out, and it cannot be rewritten from step {first} on; go on from after step {to}, or fork it"
            );
            return Err(Error::BadSteps { trial, problem });
        }
        if reaches_on {
            ops.push(Op::delete(&Key::Summary(trial, before.first_step())));
        }
    }
    let Some(entry) = index.backwards(all.start..cut)?.next() else {
        // What was thinned out, if anything was, ends before `first`.
        return Ok((ops, Tail::default()));
    };
    let (key, value) = entry?;
    let mut open = decode(&key, &value)?;
    let keep = open.steps.partition_point(|&step| step < first);
    if keep < open.len() {
        open = open.slice(0..keep);
        put(trial, &open, &mut ops)?;
    }
    let last_step = open.steps.last().copied();
    if open.len() == CHUNK_ROWS {
        open = Steps::default();
    }
    Ok((
        ops,
        Tail {
            last_step,
            open,
            fragments: Vec::new(),
        },
    ))
}

fn put(trial: TrialId, rows: &Steps, ops: &mut Vec<Op>) -> Result<(), Error> {
    if let Some(&first) = rows.steps.first() {
        let key = Key::Steps(trial, first);
        ops.push(Op::put(&key, chunk::encode(&key, rows)?)?);
    }
    Ok(())
}

fn decode(key: &[u8], value: &[u8]) -> Result<Steps, Error> {
    match Key::decode(key) {
        Some(key) => chunk::decode(&key, value),
        None => Err(malformed(key)),
    }
}

fn malformed(key: &[u8]) -> Error {
    Error::Unreadable {
        record: Key::describe(key),
        reason: "its key is malformed".to_owned(),
    }
}

fn is_before(step: u64, range: &impl RangeBounds<u64>) -> bool {
    match range.start_bound() {
        Bound::Included(&from) => step < from,
        Bound::Excluded(&from) => step <= from,
        Bound::Unbounded => false,
    }
}

fn is_past(step: u64, range: &impl RangeBounds<u64>) -> bool {
    match range.end_bound() {
        Bound::Included(&to) => step > to,
        Bound::Excluded(&to) => step >= to,
        Bound::Unbounded => false,
    }
}
