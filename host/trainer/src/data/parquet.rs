//! Parquet files of plain columns.

use super::date;
use super::error::DataError;
use super::table::Table;
use ::parquet::basic::{LogicalType, TimeUnit};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use ::parquet::schema::types::Type;
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Columns of numbers, truth values, texts, dates, times and nulls.
pub(crate) fn parse(name: &str, bytes: Vec<u8>) -> Result<Table, DataError> {
    // The reader panics over some damage.
    catch_unwind(AssertUnwindSafe(|| read(name, bytes)))
        .unwrap_or_else(|_| Err(broken(name, "its reader gave up")))
}

fn read(name: &str, bytes: Vec<u8>) -> Result<Table, DataError> {
    let broken = |error: ::parquet::errors::ParquetError| broken(name, error.to_string());
    let file = SerializedFileReader::new(Bytes::from(bytes)).map_err(broken)?;
    let meta = file.metadata().file_metadata();
    let fields = meta.schema().get_fields();
    if let Some(nested) = fields.iter().find(|field| !field.is_primitive()) {
        return Err(DataError::Unfit {
            file: name.into(),
            fault: format!("its column `{}` holds lists or structures", nested.name()),
            remedy: "write it anew with plain columns only".into(),
        });
    }
    let in_a_second: Vec<Option<i64>> = fields.iter().map(|field| nanoseconds(field)).collect();
    let headers: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
    let rows = u64::try_from(meta.num_rows()).unwrap_or(u64::MAX);
    let mut table = Table::of_columns(name, &headers, rows)?;
    for (row, record) in file.get_row_iter(None).map_err(broken)?.enumerate() {
        let record = record.map_err(broken)?;
        let told = u64::try_from(row).is_ok_and(|row| row < rows);
        if !told || record.len() != headers.len() {
            return Err(damaged(name, row));
        }
        for ((header, field), per_second) in record.get_column_iter().zip(&in_a_second) {
            push(&mut table, field, *per_second).map_err(|fault| match fault {
                Fault::Data(error) => error,
                Fault::Field(what) => DataError::Unfit {
                    file: name.into(),
                    fault: format!("column `{header}` has {what} in row {}", row + 1),
                    remedy: "write it anew with numbers, texts or dates there".into(),
                },
            })?;
        }
    }
    match table.rows() as u64 == rows {
        true => Ok(table),
        false => Err(damaged(name, table.rows())),
    }
}

enum Fault {
    Data(DataError),
    Field(&'static str),
}

impl From<DataError> for Fault {
    fn from(error: DataError) -> Self {
        Fault::Data(error)
    }
}

fn push(table: &mut Table, field: &Field, per_second: Option<i64>) -> Result<(), Fault> {
    match field {
        Field::Null => table.push_cell(format_args!(""))?,
        Field::Bool(value) => table.push_cell(format_args!("{value}"))?,
        Field::Byte(value) => table.push_cell(format_args!("{value}"))?,
        Field::Short(value) => table.push_cell(format_args!("{value}"))?,
        Field::Int(value) => table.push_cell(format_args!("{value}"))?,
        Field::Long(value) => match per_second {
            Some(per_second) => moment(table, *value, per_second)?,
            None => table.push_cell(format_args!("{value}"))?,
        },
        Field::UByte(value) => table.push_cell(format_args!("{value}"))?,
        Field::UShort(value) => table.push_cell(format_args!("{value}"))?,
        Field::UInt(value) => table.push_cell(format_args!("{value}"))?,
        Field::ULong(value) => table.push_cell(format_args!("{value}"))?,
        Field::Float16(value) => table.push_cell(format_args!("{}", value.to_f32()))?,
        Field::Float(value) => table.push_cell(format_args!("{value}"))?,
        Field::Double(value) => table.push_cell(format_args!("{value}"))?,
        Field::Decimal(_) => table.push_cell(format_args!("{field}"))?,
        Field::Str(text) => table.push_cell(format_args!("{text}"))?,
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => table.push_cell(format_args!("{text}"))?,
            Err(_) => return Err(Fault::Field("bytes that are no text")),
        },
        Field::Date(days) => {
            let day = date::written(i64::from(*days)).unwrap_or_default();
            table.push_cell(format_args!("{day}"))?;
        }
        Field::TimeMillis(millis) => {
            table.push_cell(format_args!("{}", f64::from(*millis) / 1e3))?;
        }
        Field::TimeMicros(micros) => {
            table.push_cell(format_args!("{}", *micros as f64 / 1e6))?;
        }
        Field::TimestampMillis(millis) => moment(table, *millis, 1_000)?,
        Field::TimestampMicros(micros) => moment(table, *micros, 1_000_000)?,
        Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => {
            return Err(Fault::Field("a list or a structure"));
        }
    }
    Ok(())
}

/// A day with its time, to the second.
fn moment(table: &mut Table, since_1970: i64, per_second: i64) -> Result<(), DataError> {
    let seconds = since_1970.div_euclid(per_second);
    let (day, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    match date::written(day) {
        None => table.push_cell(format_args!("")),
        Some(day) => {
            let (hours, minutes, seconds) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
            table.push_cell(format_args!("{day} {hours:02}:{minutes:02}:{seconds:02}"))
        }
    }
}

/// How many units a second has, in a column of moments that the reader takes for plain numbers.
fn nanoseconds(field: &Type) -> Option<i64> {
    match field.get_basic_info().logical_type_ref()? {
        LogicalType::Timestamp(moment) => match moment.unit {
            TimeUnit::MILLIS => Some(1_000),
            TimeUnit::MICROS => Some(1_000_000),
            TimeUnit::NANOS => Some(1_000_000_000),
        },
        _ => None,
    }
}

fn broken(name: &str, reason: impl Into<String>) -> DataError {
    DataError::Unfit {
        file: name.into(),
        fault: format!("not a Parquet file that can be read: {}", reason.into()),
        remedy: "write it anew, uncompressed or with Snappy, gzip or LZ4".into(),
    }
}

fn damaged(name: &str, row: usize) -> DataError {
    broken(name, format!("it is damaged at row {}", row + 1))
}

#[cfg(test)]
mod tests;
