//! Arrays of NumPy: `.npy` files, and `.npz` archives with the arrays `x` and `y`.

use super::error::DataError;
use super::table::{MAX_BYTES, Table, cap};
use npyz::{DType, Deserialize, NpyFile, Order, TypeChar};
use std::io::{Cursor, Read};

/// No header that NumPy writes for plain arrays is longer.
const MAX_HEADER: usize = 4096;
/// Nor has it more brackets. The reader goes down into each.
const MAX_BRACKETS: usize = 16;
/// So many digits make no number of elements that overflows.
const MAX_DIGITS: usize = 18;

/// A two-dimensional array; one with a single dimension is one of a single column.
struct Array {
    rows: usize,
    columns: usize,
    is_fortran: bool,
    cells: Cells,
}

enum Cells {
    Whole(Vec<i64>),
    /// Beyond what `Whole` holds.
    Large(Vec<u64>),
    Single(Vec<f32>),
    Double(Vec<f64>),
    Text(Vec<String>),
}

/// A two-dimensional array whose last column is the target, `y`; the others are `x1`, `x2` and so on.
pub(crate) fn parse_npy(name: &str, bytes: &[u8]) -> Result<Table, DataError> {
    let array = read(name, name, bytes)?;
    if array.columns < 2 {
        return Err(unfit(
            name,
            format!("its array has {} column", array.columns),
            "it needs two at least, of which the last is the target",
        ));
    }
    let mut headers = numbered(array.columns - 1);
    headers.push("y".into());
    let mut table = Table::of_columns(name, &headers, array.rows as u64)?;
    for row in 0..array.rows {
        for column in 0..array.columns {
            array.push(row, column, &mut table)?;
        }
    }
    Ok(table)
}

/// The arrays `x`, with a row for each, and `y`, with what is predicted of it.
pub(crate) fn parse_npz(name: &str, bytes: &[u8]) -> Result<Table, DataError> {
    let broken = |error: zip::result::ZipError| {
        unfit(
            name,
            format!("not an archive of arrays: {error}"),
            "save it anew with numpy.savez",
        )
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let names: Result<Vec<String>, _> = archive
        .file_names()
        .map(|name| name.map(|name| name.into_owned()))
        .collect();
    let names = names.map_err(broken)?;
    let mut array = |wanted: &str| -> Result<Array, DataError> {
        let is_wanted = |entry: &&String| {
            let stem = entry.strip_suffix(".npy").unwrap_or(entry);
            stem.eq_ignore_ascii_case(wanted)
        };
        let entry = names.iter().find(is_wanted).ok_or_else(|| {
            let mut some: Vec<String> = names.iter().take(10).cloned().collect();
            some.sort_unstable();
            let has = match some.is_empty() {
                true => "nothing".into(),
                false => some.join(", "),
            };
            unfit(
                name,
                format!("it has no array `{wanted}`, but {has}"),
                "save it with numpy.savez(FILE, x=ROWS, y=TARGETS)",
            )
        })?;
        let mut content = Vec::new();
        let file = archive.by_name(entry).map_err(broken)?;
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut content)
            .map_err(|error| broken(error.into()))?;
        cap(name, content.len() as u64, "bytes in an array", MAX_BYTES)?;
        read(name, &format!("{name}, array `{wanted}`"), &content)
    };
    let (x, y) = (array("x")?, array("y")?);
    let fault = match (x.rows == y.rows, y.columns) {
        (true, 1) => None,
        (false, _) => Some(format!("`x` has {} rows, but `y` {}", x.rows, y.rows)),
        (_, columns) => Some(format!("`y` has {columns} columns, but one is predicted")),
    };
    if let Some(fault) = fault {
        return Err(unfit(name, fault, "save the arrays that belong together"));
    }
    let mut headers = numbered(x.columns);
    headers.push("y".into());
    let mut table = Table::of_columns(name, &headers, x.rows as u64)?;
    for row in 0..x.rows {
        for column in 0..x.columns {
            x.push(row, column, &mut table)?;
        }
        y.push(row, 0, &mut table)?;
    }
    Ok(table)
}

fn numbered(columns: usize) -> Vec<String> {
    (1..=columns).map(|place| format!("x{place}")).collect()
}

impl Array {
    fn push(&self, row: usize, column: usize, table: &mut Table) -> Result<(), DataError> {
        let at = match self.is_fortran {
            true => column * self.rows + row,
            false => row * self.columns + column,
        };
        match &self.cells {
            Cells::Whole(cells) => table.push_cell(format_args!("{}", cells[at])),
            Cells::Large(cells) => table.push_cell(format_args!("{}", cells[at])),
            Cells::Single(cells) => table.push_cell(format_args!("{}", cells[at])),
            Cells::Double(cells) => table.push_cell(format_args!("{}", cells[at])),
            Cells::Text(cells) => table.push_cell(format_args!("{}", cells[at])),
        }
    }
}

fn read(name: &str, what: &str, bytes: &[u8]) -> Result<Array, DataError> {
    let broken = |fault: String| unfit(what, fault, "save it anew with numpy.save");
    if !is_plain(bytes) {
        return Err(broken("its header is not that of a plain array".into()));
    }
    let file = NpyFile::new(bytes).map_err(|error| broken(error.to_string()))?;
    let (rows, columns) = match *file.shape() {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        ref shape => {
            return Err(unfit(
                what,
                format!("it is an array of {} dimensions", shape.len()),
                "reshape it to two, with a row for each example",
            ));
        }
    };
    // More than there are bytes are refused before there is memory for them.
    cap(
        name,
        file.len().max(rows).max(columns),
        "numbers",
        bytes.len() as u64,
    )
    .map_err(|_| broken(format!("it ends before its {} elements", file.len())))?;
    let is_fortran = file.order() == Order::Fortran;
    let cells = match file.dtype() {
        DType::Plain(ty) => match (ty.type_char(), ty.size_field()) {
            (TypeChar::Bool, _) => {
                all::<bool>(file).map(|all| Cells::Whole(all.into_iter().map(i64::from).collect()))
            }
            (TypeChar::Int, 1) => whole::<i8>(file),
            (TypeChar::Int, 2) => whole::<i16>(file),
            (TypeChar::Int, 4) => whole::<i32>(file),
            (TypeChar::Int, 8) => all(file).map(Cells::Whole),
            (TypeChar::Uint, 1) => whole::<u8>(file),
            (TypeChar::Uint, 2) => whole::<u16>(file),
            (TypeChar::Uint, 4) => whole::<u32>(file),
            (TypeChar::Uint, 8) => all(file).map(Cells::Large),
            (TypeChar::Float, 4) => all(file).map(Cells::Single),
            (TypeChar::Float, 8) => all(file).map(Cells::Double),
            (TypeChar::UnicodeStr, 1..=256) => all(file).map(Cells::Text),
            _ => Err(format!("it holds elements of type {ty}")),
        },
        other => Err(format!("it holds elements of type {}", other.descr())),
    };
    let cells = cells.map_err(|fault| {
        unfit(
            what,
            fault,
            "save it anew with numpy.save, as numbers: array.astype('float64')",
        )
    })?;
    Ok(Array {
        rows: rows as usize,
        columns: columns as usize,
        is_fortran,
        cells,
    })
}

fn all<T: Deserialize>(file: NpyFile<&[u8]>) -> Result<Vec<T>, String> {
    let (expected, items) = (file.len(), file.data::<T>().map_err(|e| e.to_string())?);
    let all: Result<Vec<T>, _> = items.collect();
    match all {
        Ok(all) if all.len() as u64 == expected => Ok(all),
        _ => Err(format!("it ends before its {expected} elements")),
    }
}

fn whole<T: Deserialize + Into<i64>>(file: NpyFile<&[u8]>) -> Result<Cells, String> {
    let all = all::<T>(file)?;
    Ok(Cells::Whole(all.into_iter().map(Into::into).collect()))
}

/// Whether the header is one that the reader can be given: it goes down into every bracket, and
/// multiplies what stands in the shape.
fn is_plain(bytes: &[u8]) -> bool {
    let length = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => u16::from_le_bytes([*a, *b]).into(),
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, a, b, c, d, ..] => {
            u32::from_le_bytes([*a, *b, *c, *d])
        }
        _ => return false,
    };
    let start = if bytes[6] == 1 { 10 } else { 12 };
    let Some(header) = bytes.get(start..start + length as usize) else {
        return false;
    };
    let count = |is: fn(&u8) -> bool| header.iter().filter(|byte| is(byte)).count();
    header.len() <= MAX_HEADER
        && count(|byte| b"([{".contains(byte)) <= MAX_BRACKETS
        && count(u8::is_ascii_digit) <= MAX_DIGITS
}

fn unfit(name: &str, fault: String, remedy: &str) -> DataError {
    DataError::Unfit {
        file: name.into(),
        fault,
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    /// An array as NumPy writes it.
    fn npy(descr: &str, fortran: bool, shape: &str, content: &[u8]) -> Vec<u8> {
        let fortran = if fortran { "True" } else { "False" };
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({shape}), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(content);
        bytes
    }

    fn doubles(values: &[f64]) -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    fn npz(arrays: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (at, (name, content)) in arrays.iter().enumerate() {
            let method = [
                zip::CompressionMethod::Stored,
                zip::CompressionMethod::Deflated,
            ][at % 2];
            let options = zip::write::SimpleFileOptions::default().compression_method(method);
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn cells(table: &Table) -> Vec<Vec<&str>> {
        let columns = table.headers().len();
        (0..table.rows())
            .map(|row| (0..columns).map(|column| table.cell(row, column)).collect())
            .collect()
    }

    #[test]
    fn arrays_become_tables_whatever_their_order_and_type() {
        let values = doubles(&[1.0, 2.5, f64::NAN, -4.0, 5.0, 6.0]);
        let table = parse_npy("a.npy", &npy("<f8", false, "2, 3", &values)).unwrap();
        assert_eq!(table.headers(), ["x1", "x2", "y"]);
        assert_eq!(cells(&table), [["1", "2.5", "NaN"], ["-4", "5", "6"]]);
        let table = parse_npy("a.npy", &npy("<f8", true, "2, 3", &values)).unwrap();
        assert_eq!(cells(&table), [["1", "NaN", "5"], ["2.5", "-4", "6"]]);
        let big = npy(">i2", false, "1, 2", &[1, 0, 255, 255]);
        assert_eq!(cells(&parse_npy("a.npy", &big).unwrap()), [["256", "-1"]]);
    }

    #[test]
    fn archives_hold_rows_and_their_targets() {
        let x = npy("|u1", false, "3, 2", &[1, 2, 3, 4, 5, 6]);
        let words: Vec<u8> = "abc"
            .chars()
            .flat_map(|c| (c as u32).to_le_bytes())
            .collect();
        let y = npy("<U1", false, "3,", &words);
        let table = parse_npz("a.npz", &npz(&[("X.npy", &x), ("y.npy", &y)])).unwrap();
        assert_eq!(
            cells(&table),
            [["1", "2", "a"], ["3", "4", "b"], ["5", "6", "c"]]
        );
    }

    #[test]
    fn what_is_wrong_with_arrays_is_told() {
        let two = npy("|u1", false, "2, 2", &[1, 2, 3, 4]);
        let three = npy("|u1", false, "3,", &[1, 2, 3]);
        let npy_of = |bytes: &[u8]| parse_npy("a.npy", bytes).unwrap_err().to_string();
        let npz_of = |arrays: &[(&str, &[u8])]| {
            let archive = npz(arrays);
            parse_npz("a.npz", &archive).unwrap_err().to_string()
        };
        let deep = npy("<f8", false, &"(".repeat(3000), &[]);
        let huge = npy("<f8", false, "9999999999, 9999999999", &[]);
        let long = npy("<f8", false, "99999999, 99999999", &[]);
        for (message, part) in [
            (
                npy_of(b"\x93NUMPY"),
                "a.npy: its header is not that of a plain array",
            ),
            (npy_of(&deep), "its header is not that of a plain array"),
            (npy_of(&huge), "its header is not that of a plain array"),
            (
                npy_of(&long),
                "it ends before its 9999999800000001 elements",
            ),
            (
                npy_of(&two[..two.len() - 1]),
                "it ends before its 4 elements",
            ),
            (npy_of(&three), "its array has 1 column; it needs two"),
            (
                npy_of(&npy("<f8", false, "1, 1, 1", &[0; 8])),
                "an array of 3 dimensions",
            ),
            (
                npy_of(&npy("<c16", false, "1, 2", &[0; 32])),
                "elements of type <c16",
            ),
            (
                npz_of(&[("a.npy", &two)]),
                "it has no array `x`, but a.npy; save it with",
            ),
            (
                npz_of(&[("x", &two), ("y", &three)]),
                "`x` has 2 rows, but `y` 3",
            ),
            (npz_of(&[("x", &two), ("y", &two)]), "`y` has 2 columns"),
            (
                npz_of(&[("x", &two), ("y", b"PK")]),
                "a.npz, array `y`: its header",
            ),
            (
                parse_npz("a.npz", b"PK").unwrap_err().to_string(),
                "a.npz: not an archive",
            ),
        ] {
            assert!(message.contains(part), "{message}");
        }
    }

    proptest! {
        #[test]
        fn damaged_arrays_are_errors_or_tables(
            at in prop::collection::vec((any::<usize>(), any::<u8>()), 0..5),
            cut in prop::option::of(0_usize..500),
        ) {
            let array = npy("<f4", false, "3, 2", &[7; 24]);
            let archive = npz(&[("x.npy", &array), ("y.npy", &npy("|b1", false, "3,", &[0, 1, 0]))]);
            for mut bytes in [array, archive] {
                for (at, byte) in &at {
                    let at = at % bytes.len();
                    bytes[at] = *byte;
                }
                bytes.truncate(cut.unwrap_or(500));
                let _ = parse_npy("a.npy", &bytes);
                let _ = parse_npz("a.npz", &bytes);
            }
        }
    }
}
