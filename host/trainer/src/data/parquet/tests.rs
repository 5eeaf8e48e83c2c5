use super::*;
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use std::sync::Arc;

const SCHEMA: &str = "message m {
    required int64 n; optional double x; required boolean b; optional binary word (utf8);
    required int32 day (date); required int64 at (timestamp(nanos,true)); }";

/// Three rows.
fn file(compression: ::parquet::basic::Compression) -> Vec<u8> {
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    macro_rules! column {
        ($type:ty, $values:expr, $defined:expr) => {
            let mut column = group.next_column().unwrap().unwrap();
            column
                .typed::<$type>()
                .write_batch($values, $defined, None)
                .unwrap();
            column.close().unwrap();
        };
    }
    column!(Int64Type, &[1, -2, i64::MAX], None);
    column!(DoubleType, &[0.5, 2.0], Some(&[1, 0, 1]));
    column!(BoolType, &[true, false, true], None);
    column!(
        ByteArrayType,
        &[ByteArray::from("a,b"), ByteArray::from("ü")],
        Some(&[1, 1, 0])
    );
    column!(Int32Type, &[0, 19_783, -1], None);
    column!(
        Int64Type,
        &[0, 86_400_000_000_000 * 366 + 3_661_000_000_000, -1],
        None
    );
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

fn message(bytes: Vec<u8>) -> String {
    parse("a.parquet", bytes).unwrap_err().to_string()
}

#[test]
fn plain_columns_become_cells() {
    use ::parquet::basic::{Compression, GzipLevel};
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4_RAW,
    ] {
        let table = parse("a.parquet", file(compression)).unwrap();
        assert_eq!(table.headers(), ["n", "x", "b", "word", "day", "at"]);
        let rows: Vec<Vec<&str>> = (0..table.rows())
            .map(|row| (0..6).map(|column| table.cell(row, column)).collect())
            .collect();
        assert_eq!(
            rows,
            [
                [
                    "1",
                    "0.5",
                    "true",
                    "a,b",
                    "1970-01-01",
                    "1970-01-01 00:00:00"
                ],
                ["-2", "", "false", "ü", "2024-03-01", "1971-01-02 01:01:01"],
                [
                    "9223372036854775807",
                    "2",
                    "true",
                    "",
                    "1969-12-31",
                    "1969-12-31 23:59:59"
                ],
            ]
        );
    }
}

#[test]
fn what_is_wrong_is_told() {
    let whole = file(::parquet::basic::Compression::SNAPPY);
    for cut in [0, 3, 11, whole.len() / 2, whole.len() - 1] {
        let message = message(whole[..cut].to_vec());
        assert!(
            message.starts_with("a.parquet: not a Parquet file that can be read: "),
            "{message}"
        );
    }
    let mut bytes = Vec::new();
    let schema = "message m { required group g { required int32 inner; } }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    SerializedFileWriter::new(&mut bytes, schema, Arc::default())
        .unwrap()
        .close()
        .unwrap();
    assert!(message(bytes).contains("its column `g` holds lists or structures"));
}

proptest! {
    #[test]
    fn damaged_files_are_errors_or_tables(
        at in prop::collection::vec((any::<usize>(), any::<u8>()), 1..5),
        cut in prop::option::of(0_usize..1000),
    ) {
        let mut bytes = file(::parquet::basic::Compression::SNAPPY);
        for (at, byte) in at {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes.truncate(cut.unwrap_or(usize::MAX));
        let _ = parse("a.parquet", bytes);
    }
}
