//! A few thousand rows of step history as one record.

use serde::{Deserialize, Serialize};

use super::packing::{Malformed, pack, unpack};
use super::{CHUNK_ROWS, Column, MAX_COLUMNS, Steps, Values};
use crate::error::Error;
use crate::key::Key;
use crate::record::{self, Record, blob};

#[derive(Serialize, Deserialize)]
struct StoredChunk {
    rows: u32,
    #[serde(with = "blob")]
    steps: Vec<u8>,
    columns: Vec<StoredColumn>,
}

#[derive(Serialize, Deserialize)]
struct StoredColumn {
    name: String,
    width: Width,
    #[serde(with = "blob")]
    packed: Vec<u8>,
}

/// A column's precision.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Width {
    Single,
    Double,
}

impl Width {
    pub(crate) fn of(values: &Values) -> Self {
        match values {
            Values::F32(_) => Self::Single,
            Values::F64(_) => Self::Double,
        }
    }
}

impl Record for StoredChunk {
    const VERSION: u8 = 1;
}

/// The record of these rows, at most [`CHUNK_ROWS`].
pub(crate) fn encode(key: &Key, rows: &Steps) -> Result<Vec<u8>, Error> {
    let columns = rows.columns.iter().map(|column| {
        let packed = match &column.values {
            Values::F32(values) => {
                let words: Vec<u64> = values.iter().map(|value| value.to_bits().into()).collect();
                pack(&words, 4)
            }
            Values::F64(values) => {
                let words: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
                pack(&words, 8)
            }
        };
        StoredColumn {
            name: column.name.clone(),
            width: Width::of(&column.values),
            packed,
        }
    });
    let stored = StoredChunk {
        rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        steps: pack(&rows.steps, 8),
        columns: columns.collect(),
    };
    record::encode(key, &stored)
}

/// The rows of a record.
///
/// # Errors
/// [`Error::Unreadable`] where it makes no sense, counts over the caps among it.
pub(crate) fn decode(key: &Key, bytes: &[u8]) -> Result<Steps, Error> {
    let stored = decode_stored(key, bytes)?;
    let rows = stored.rows as usize;
    let malformed = |Malformed| record::unreadable(key, &"a column is malformed");
    let steps = unpack(&stored.steps, rows, 8).map_err(malformed)?;
    let columns = stored.columns.into_iter().map(|column| {
        Ok(Column {
            values: unpack_values(&column, rows)?,
            name: column.name,
        })
    });
    Ok(Steps {
        steps,
        columns: columns.collect::<Result<_, _>>().map_err(malformed)?,
    })
}

/// The steps of a record and, if it has that column, its values, widened where need be.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_column(
    key: &Key,
    bytes: &[u8],
    name: &str,
) -> Result<(Vec<u64>, Option<Vec<f64>>), Error> {
    let stored = decode_stored(key, bytes)?;
    let rows = stored.rows as usize;
    let malformed = |Malformed| record::unreadable(key, &"a column is malformed");
    let steps = unpack(&stored.steps, rows, 8).map_err(malformed)?;
    let column = stored.columns.iter().find(|column| column.name == name);
    let values = column.map(|column| {
        Ok(match unpack_values(column, rows)? {
            Values::F32(values) => values.into_iter().map(f64::from).collect(),
            Values::F64(values) => values,
        })
    });
    Ok((steps, values.transpose().map_err(malformed)?))
}

fn decode_stored(key: &Key, bytes: &[u8]) -> Result<StoredChunk, Error> {
    let stored: StoredChunk = record::decode(key, bytes)?;
    // The counts size what is allocated next, so they are held against the caps first.
    let rows = stored.rows as usize;
    if rows == 0 || rows > CHUNK_ROWS || stored.columns.len() > MAX_COLUMNS {
        let size = format!("{rows} rows of {} columns", stored.columns.len());
        return Err(record::unreadable(key, &size));
    }
    Ok(stored)
}

fn unpack_values(column: &StoredColumn, rows: usize) -> Result<Values, Malformed> {
    Ok(match column.width {
        Width::Single => Values::F32(
            unpack(&column.packed, rows, 4)?
                .into_iter()
                .map(|word| f32::from_bits(word as u32))
                .collect(),
        ),
        Width::Double => Values::F64(
            unpack(&column.packed, rows, 8)?
                .into_iter()
                .map(f64::from_bits)
                .collect(),
        ),
    })
}
