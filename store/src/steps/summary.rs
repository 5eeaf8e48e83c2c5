//! What is left of a chunk of rows from afar: least, mean, greatest and last value of every group of
//! 64 rows, and of all of them.
//!
//! A whole chunk's summary is written in the same batch as the chunk, and goes with it when the
//! history is rewritten. So it always fits. A chunk that is still growing has none: it is one, and
//! is read itself. Where only the summary is left, the rows were thinned out.

use serde::{Deserialize, Serialize};

use super::chunk::Width;
use super::packing::{Malformed, pack, unpack};
use super::{CHUNK_ROWS, MAX_COLUMNS, Steps, Values};
use crate::error::Error;
use crate::id::TrialId;
use crate::journal::Op;
use crate::key::Key;
use crate::record::{self, Record, blob};

/// The rows of a group, but for a chunk's last one.
pub(crate) const GROUP_ROWS: usize = 64;

/// Some consecutive rows of one column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The first row's step.
    pub from_step: u64,
    /// The last row's step.
    pub to_step: u64,
    /// The number of rows.
    pub rows: u64,
    /// How many of them have no number: NaN, or no value at all. They count in nothing that follows,
    /// and where there is no other row, all that follows is NaN.
    pub nan: u64,
    /// The least value.
    pub min: f64,
    /// The mean value, exact to single precision where the column is in single precision.
    pub mean: f64,
    /// The greatest value.
    pub max: f64,
    /// The last value.
    pub last: f64,
}

impl Bucket {
    /// A row's bucket.
    pub(crate) fn of_row(step: u64, value: f64) -> Self {
        Self {
            from_step: step,
            to_step: step,
            rows: 1,
            nan: u64::from(value.is_nan()),
            min: value,
            mean: value,
            max: value,
            last: value,
        }
    }

    /// Adds what follows.
    pub(crate) fn extend(&mut self, next: &Self) {
        let (mine, more) = (self.rows - self.nan, next.rows - next.nan);
        self.to_step = next.to_step;
        self.rows += next.rows;
        self.nan += next.nan;
        if more == 0 {
            return;
        }
        self.last = next.last;
        if mine == 0 {
            (self.min, self.mean, self.max) = (next.min, next.mean, next.max);
            return;
        }
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        let all = (mine + more) as f64;
        // Not the sum over the count: sums of great numbers overflow where their mean does not.
        self.mean = self.mean * (mine as f64 / all) + next.mean * (more as f64 / all);
    }
}

#[derive(Serialize, Deserialize)]
struct StoredSummary {
    rows: u32,
    #[serde(with = "blob")]
    firsts: Vec<u8>,
    #[serde(with = "blob")]
    lasts: Vec<u8>,
    columns: Vec<StoredColumn>,
}

#[derive(Serialize, Deserialize)]
struct StoredColumn {
    name: String,
    width: Width,
    #[serde(with = "blob")]
    nan: Vec<u8>,
    #[serde(with = "blob")]
    min: Vec<u8>,
    #[serde(with = "blob")]
    mean: Vec<u8>,
    #[serde(with = "blob")]
    max: Vec<u8>,
    #[serde(with = "blob")]
    last: Vec<u8>,
    all: Figures,
}

/// A column's figures over the whole chunk.
#[derive(Serialize, Deserialize)]
struct Figures {
    nan: u64,
    min: f64,
    mean: f64,
    max: f64,
    last: f64,
}

impl Record for StoredSummary {
    const VERSION: u8 = 1;
}

/// A summary as it was read.
pub(crate) struct Summary {
    stored: StoredSummary,
    firsts: Vec<u64>,
    lasts: Vec<u64>,
}

/// The write that stores the summary of a chunk.
pub(crate) fn put(trial: TrialId, chunk: &Steps) -> Result<Op, Error> {
    let first = chunk.steps.first().copied().unwrap_or_default();
    let key = Key::Summary(trial, first);
    let groups = chunk.steps.chunks(GROUP_ROWS);
    let firsts: Vec<u64> = groups.clone().filter_map(|g| g.first().copied()).collect();
    let lasts: Vec<u64> = groups.filter_map(|g| g.last().copied()).collect();
    let columns = chunk.columns.iter().map(|column| {
        let groups = groups_of(&chunk.steps, &column.values);
        let mut all = groups
            .first()
            .copied()
            .unwrap_or(Bucket::of_row(0, f64::NAN));
        for group in groups.iter().skip(1) {
            all.extend(group);
        }
        let packed = |of: fn(&Bucket) -> f64| match column.values {
            Values::F32(_) => {
                let words: Vec<u64> = groups
                    .iter()
                    .map(|g| (of(g) as f32).to_bits().into())
                    .collect();
                pack(&words, 4)
            }
            Values::F64(_) => {
                let words: Vec<u64> = groups.iter().map(|g| of(g).to_bits()).collect();
                pack(&words, 8)
            }
        };
        let nan: Vec<u64> = groups.iter().map(|group| group.nan).collect();
        StoredColumn {
            name: column.name.clone(),
            width: Width::of(&column.values),
            nan: pack(&nan, 8),
            min: packed(|group| group.min),
            mean: packed(|group| group.mean),
            max: packed(|group| group.max),
            last: packed(|group| group.last),
            all: Figures {
                nan: all.nan,
                min: all.min,
                mean: all.mean,
                max: all.max,
                last: all.last,
            },
        }
    });
    let stored = StoredSummary {
        rows: u32::try_from(chunk.len()).unwrap_or(u32::MAX),
        firsts: pack(&firsts, 8),
        lasts: pack(&lasts, 8),
        columns: columns.collect(),
    };
    Op::put(&key, record::encode(&key, &stored)?)
}

fn groups_of(steps: &[u64], values: &Values) -> Vec<Bucket> {
    let mut groups: Vec<Bucket> = Vec::with_capacity(steps.len().div_ceil(GROUP_ROWS));
    for (row, &step) in steps.iter().enumerate() {
        let bucket = Bucket::of_row(step, values.get(row).unwrap_or(f64::NAN));
        match groups.last_mut() {
            Some(group) if row % GROUP_ROWS != 0 => group.extend(&bucket),
            _ => groups.push(bucket),
        }
    }
    groups
}

impl Summary {
    /// # Errors
    /// [`Error::Unreadable`] where it makes no sense, counts over the caps among it.
    pub(crate) fn decode(key: &Key, bytes: &[u8]) -> Result<Self, Error> {
        let stored: StoredSummary = record::decode(key, bytes)?;
        let rows = stored.rows as usize;
        if rows == 0 || rows > CHUNK_ROWS || stored.columns.len() > MAX_COLUMNS {
            let size = format!("{rows} rows of {} columns", stored.columns.len());
            return Err(record::unreadable(key, &size));
        }
        let groups = rows.div_ceil(GROUP_ROWS);
        let malformed = |Malformed| record::unreadable(key, &"its steps are malformed");
        Ok(Self {
            firsts: unpack(&stored.firsts, groups, 8).map_err(malformed)?,
            lasts: unpack(&stored.lasts, groups, 8).map_err(malformed)?,
            stored,
        })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.stored.rows.into()
    }

    pub(crate) fn first_step(&self) -> u64 {
        self.firsts.first().copied().unwrap_or_default()
    }

    pub(crate) fn last_step(&self) -> u64 {
        self.lasts.last().copied().unwrap_or_default()
    }

    pub(crate) fn column_names(&self) -> impl Iterator<Item = &str> {
        self.stored.columns.iter().map(|column| &column.name[..])
    }

    /// All rows of a column as one.
    pub(crate) fn whole(&self, column: &str) -> Bucket {
        let mut bucket = Bucket {
            from_step: self.first_step(),
            to_step: self.last_step(),
            rows: self.rows(),
            nan: self.rows(),
            min: f64::NAN,
            mean: f64::NAN,
            max: f64::NAN,
            last: f64::NAN,
        };
        if let Some(column) = self.column(column) {
            let Figures {
                nan,
                min,
                mean,
                max,
                last,
            } = column.all;
            (bucket.nan, bucket.min, bucket.mean) = (nan.min(bucket.rows), min, mean);
            (bucket.max, bucket.last) = (max, last);
        }
        bucket
    }

    /// The groups of a column.
    ///
    /// # Errors
    /// [`Error::Unreadable`] where they make no sense.
    pub(crate) fn groups(&self, key: &Key, column: &str) -> Result<Vec<Bucket>, Error> {
        self.try_groups(column)
            .map_err(|Malformed| record::unreadable(key, &"a column is malformed"))
    }

    fn try_groups(&self, column: &str) -> Result<Vec<Bucket>, Malformed> {
        let rows_of =
            |at: usize| GROUP_ROWS.min(self.stored.rows as usize - at * GROUP_ROWS) as u64;
        let count = self.firsts.len();
        let steps = self.firsts.iter().zip(&self.lasts).enumerate();
        let Some(column) = self.column(column) else {
            let groups = steps.map(|(at, (from, to))| Bucket {
                to_step: *to,
                rows: rows_of(at),
                nan: rows_of(at),
                ..Bucket::of_row(*from, f64::NAN)
            });
            return Ok(groups.collect());
        };
        let figures = |packed: &[u8]| -> Result<Vec<f64>, Malformed> {
            Ok(match column.width {
                Width::Single => unpack(packed, count, 4)?
                    .into_iter()
                    .map(|word| f32::from_bits(word as u32).into())
                    .collect(),
                Width::Double => unpack(packed, count, 8)?
                    .into_iter()
                    .map(f64::from_bits)
                    .collect(),
            })
        };
        let nan = unpack(&column.nan, count, 8)?;
        let (min, mean) = (figures(&column.min)?, figures(&column.mean)?);
        let (max, last) = (figures(&column.max)?, figures(&column.last)?);
        let groups = steps.map(|(at, (from, to))| Bucket {
            from_step: *from,
            to_step: *to,
            rows: rows_of(at),
            nan: nan[at].min(rows_of(at)),
            min: min[at],
            mean: mean[at],
            max: max[at],
            last: last[at],
        });
        Ok(groups.collect())
    }

    fn column(&self, name: &str) -> Option<&StoredColumn> {
        self.stored
            .columns
            .iter()
            .find(|column| column.name == name)
    }
}
