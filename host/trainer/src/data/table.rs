//! A file as it stands: headers and cells of text, nothing interpreted yet but how numbers are written.

use super::cell;
use super::error::DataError;
use super::images::Wanted;
use super::source::Source;
use std::fmt::Write;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

/// The largest file that is read, in bytes, and the most text of a table.
pub(crate) const MAX_BYTES: u64 = 1 << 30;
/// The most cells of a table that comes from numbers.
const MAX_CELLS: u64 = 1 << 28;
/// The most columns.
const MAX_COLUMNS: usize = 10_000;
/// The most rows.
const MAX_ROWS: usize = 20_000_000;

/// A table of text cells with unique headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    name: String,
    headers: Vec<String>,
    /// All cells, row after row, in one piece of text: a `String` a cell would triple the memory.
    text: String,
    /// Where in `text` each cell ends.
    ends: Vec<u32>,
    /// The line on which each row begins.
    lines: Vec<u32>,
    /// Headers that occurred again, each with its place.
    repeats: Vec<(String, usize)>,
    notes: Vec<String>,
}

impl Table {
    /// Reads a table from any kind of file that [`Source`] knows.
    ///
    /// # Errors
    /// As [`Source::read`] and [`Source::into_table`].
    pub fn read(path: &Path) -> Result<Table, DataError> {
        Table::read_as(path, Wanted::default())
    }

    /// The same, with pictures brought to a size.
    pub(crate) fn read_as(path: &Path, wanted: Wanted) -> Result<Table, DataError> {
        Source::read(path)?.0.into_table_as(wanted)
    }

    /// Reads CSV text with a header line; `name` is what messages call it. Where it ends in `.tsv` or
    /// `.tab`, tabs part the cells; otherwise the delimiter (comma, semicolon or tab) is recognised by
    /// itself. Cells may be quoted; blank lines are skipped; rows must all have as many cells as the
    /// header. Where no comma parts the cells, columns of numbers may have decimal commas.
    ///
    /// # Errors
    /// Text that is empty, without rows, not UTF-8, or that has a row with too few or too many cells.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Table, DataError> {
        let text = decode(name, bytes)?;
        if text.trim().is_empty() {
            return Err(DataError::Empty { file: name.into() });
        }
        let delimiter = delimiter(name, text);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let malformed = |error: csv::Error| DataError::Malformed {
            file: name.into(),
            reason: error.to_string(),
        };

        let mut record = csv::StringRecord::new();
        if !reader.read_record(&mut record).map_err(malformed)? {
            return Err(DataError::Empty { file: name.into() });
        }
        cap(name, record.len() as u64, "columns", MAX_COLUMNS as u64)?;
        let (headers, repeats, notes) = unique_headers(&record);
        let mut table = Table {
            name: name.into(),
            headers,
            text: String::with_capacity(text.len()),
            ends: Vec::new(),
            lines: Vec::new(),
            repeats,
            notes,
        };
        while reader.read_record(&mut record).map_err(malformed)? {
            let line = record.position().map_or(0, csv::Position::line);
            table.push(&record, line)?;
        }
        if table.rows() == 0 {
            return Err(DataError::NoRows { file: name.into() });
        }
        if delimiter != b',' {
            table.read_decimal_commas();
        }
        Ok(table)
    }

    /// Turns `1,5` into `1.5` in columns of such numbers, and says so. Where every comma of the file may
    /// be one of thousands, all is left as it is.
    fn read_decimal_commas(&mut self) {
        if !self.text.contains(',') {
            return;
        }
        let (mut columns, mut is_clear) = (Vec::new(), false);
        for column in 0..self.headers.len() {
            let (mut commas, mut clear, mut numbers, mut present) = (0, 0, 0, 0);
            for cell in (0..self.rows()).map(|row| self.cell(row, column)) {
                let is_decimal = cell::decimal_comma(cell).is_some();
                commas += usize::from(is_decimal);
                clear += usize::from(is_decimal && !cell::may_be_thousands(cell));
                numbers += usize::from(is_decimal || cell::number(cell).is_some());
                present += usize::from(!cell::is_missing(cell));
            }
            if commas > 0 && cell::mostly_numbers(numbers, present) {
                columns.push(column);
                is_clear |= clear > 0;
            }
        }
        if !is_clear {
            return;
        }
        let names: Vec<&str> = columns
            .iter()
            .map(|&at| self.headers[at].as_str())
            .collect();
        let note = match names[..] {
            [one] => format!("column `{one}`: decimal commas are read as points"),
            _ => format!(
                "decimal commas of {} columns are read as points, of which `{}` is the first",
                names.len(),
                names[0]
            ),
        };
        // A point takes as many bytes as a comma, so every cell stays where it is.
        let mut text = String::with_capacity(self.text.len());
        for row in 0..self.rows() {
            for &column in &columns {
                let cell = self.place(row, column);
                if let Some(comma) = cell::decimal_comma(&self.text[cell.clone()]) {
                    let comma = cell.start + comma;
                    text.push_str(&self.text[text.len()..comma]);
                    text.push('.');
                }
            }
        }
        text.push_str(&self.text[text.len()..]);
        self.text = text;
        self.notes.push(note);
    }

    /// A table of so many rows that something else than text is turned into, with its first row still
    /// to come. Its rows are told by their number.
    pub(crate) fn of_columns(
        name: &str,
        columns: &[String],
        rows: u64,
    ) -> Result<Table, DataError> {
        cap(name, columns.len() as u64, "columns", MAX_COLUMNS as u64)?;
        Table::of_cells(name, columns, rows)
    }

    /// The same, but with any number of columns, as the points of pictures are.
    pub(crate) fn of_cells(name: &str, columns: &[String], rows: u64) -> Result<Table, DataError> {
        cap(name, rows, "rows", MAX_ROWS as u64)?;
        let cells = rows.saturating_mul(columns.len() as u64);
        cap(name, cells, "cells", MAX_CELLS)?;
        if rows == 0 {
            return Err(DataError::NoRows { file: name.into() });
        }
        let (headers, repeats, notes) = unique_headers(&csv::StringRecord::from(columns.to_vec()));
        Ok(Table {
            name: name.into(),
            headers,
            text: String::new(),
            ends: Vec::new(),
            lines: Vec::new(),
            repeats,
            notes,
        })
    }

    /// The next cell of a table that was begun with [`Table::of_columns`].
    pub(crate) fn push_cell(&mut self, cell: std::fmt::Arguments<'_>) -> Result<(), DataError> {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(cell);
        cap(
            &self.name,
            self.text.len() as u64,
            "bytes as text",
            MAX_BYTES,
        )?;
        self.ends.push(self.text.len() as u32);
        if self.ends.len() == (self.lines.len() + 1) * self.headers.len() {
            self.lines.push(self.lines.len() as u32 + 1);
        }
        Ok(())
    }

    /// What messages call it: the path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The unique headers, in the file's order.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// How many rows there are below the header.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// What was changed while reading, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The place of a column.
    ///
    /// # Errors
    /// There is none of this name, and the message suggests the nearest; or the file has the name
    /// twice, and it is not for this code to choose.
    pub fn column(&self, name: &str) -> Result<usize, DataError> {
        let place = self.find(name).ok_or_else(|| DataError::NoSuchColumn {
            file: self.name.clone(),
            column: name.into(),
            suggestion: self.nearest(name),
        })?;
        match self.repeats.iter().find(|(header, _)| header == name) {
            None => Ok(place),
            Some((_, again)) => Err(DataError::RepeatedColumn {
                file: self.name.clone(),
                column: name.into(),
                first: place + 1,
                again: again + 1,
            }),
        }
    }

    /// The place of a column, or nothing.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.headers.iter().position(|header| header == name)
    }

    /// A cell's text. Both places must exist.
    pub(crate) fn cell(&self, row: usize, column: usize) -> &str {
        &self.text[self.place(row, column)]
    }

    /// Where a cell's text is.
    fn place(&self, row: usize, column: usize) -> Range<usize> {
        let index = row * self.headers.len() + column;
        let start = match index {
            0 => 0,
            _ => self.ends[index - 1] as usize,
        };
        start..self.ends[index] as usize
    }

    /// The line on which a row begins, for messages.
    pub(crate) fn line(&self, row: usize) -> u64 {
        u64::from(self.lines[row])
    }

    fn push(&mut self, record: &csv::StringRecord, line: u64) -> Result<(), DataError> {
        let expected = self.headers.len();
        if record.len() != expected {
            let remedy = if record.len() < expected {
                "fill in the row, or look for a missing delimiter or an unclosed quote"
            } else {
                "quote cells that contain the delimiter"
            };
            return Err(DataError::Ragged {
                file: self.name.clone(),
                line,
                found: record.len(),
                expected,
                remedy,
            });
        }
        cap(&self.name, self.rows() as u64 + 1, "rows", MAX_ROWS as u64)?;
        for cell in record {
            self.text.push_str(cell);
            self.ends.push(self.text.len() as u32);
        }
        self.lines.push(line as u32);
        Ok(())
    }

    /// The end of a message about a column that does not exist.
    fn nearest(&self, name: &str) -> String {
        let wanted = name.to_lowercase();
        let mut scored: Vec<(f64, &str)> = self
            .headers
            .iter()
            .map(|header| {
                (
                    strsim::jaro_winkler(&wanted, &header.to_lowercase()),
                    header.as_str(),
                )
            })
            .filter(|(score, _)| *score > 0.75)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        let quoted = |names: &[&str]| {
            let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            quoted.join(", ")
        };
        if scored.is_empty() {
            let some: Vec<&str> = self.headers.iter().take(10).map(String::as_str).collect();
            let more = if self.headers.len() > 10 { ", …" } else { "" };
            format!("; its columns are {}{more}", quoted(&some))
        } else {
            let best: Vec<&str> = scored.iter().take(3).map(|(_, name)| *name).collect();
            format!("; did you mean {}?", quoted(&best))
        }
    }
}

/// The bytes of a file, if it is not too large.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, DataError> {
    let name = path.display().to_string();
    let unreadable = |error| DataError::unreadable(path, &error);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    cap(&name, size, "bytes", MAX_BYTES)?;
    let mut bytes = Vec::with_capacity(size as usize);
    // A pipe has no size, and a file may grow while it is read.
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    cap(&name, read.map_err(unreadable)? as u64, "bytes", MAX_BYTES)?;
    Ok(bytes)
}

pub(crate) fn cap(file: &str, found: u64, unit: &'static str, cap: u64) -> Result<(), DataError> {
    if found <= cap {
        return Ok(());
    }
    Err(DataError::TooLarge {
        file: file.into(),
        found,
        unit,
        cap,
    })
}

/// The text without its byte order mark.
pub(super) fn decode<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, DataError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let hint = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => " (it looks like UTF-16)",
            _ => " (it may be Latin-1 or Windows-1252)",
        };
        DataError::NotUtf8 {
            file: name.into(),
            line: before.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1,
            hint,
        }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn delimiter(name: &str, text: &str) -> u8 {
    let ending = Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str());
    let is_tabbed = ending.is_some_and(|ending| {
        ["tsv", "tab"]
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    });
    if is_tabbed {
        b'\t'
    } else {
        sniff_delimiter(text)
    }
}

/// The delimiter that occurs most often outside quotes in the header line. A file of one column
/// has none, and any answer will do.
fn sniff_delimiter(text: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in text.trim_start_matches(['\r', '\n']).bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => {
                if let Some((_, count)) = counts.iter_mut().find(|(d, _)| *d == byte) {
                    *count += 1;
                }
            }
        }
    }
    // The first of the greatest: a comma unless another is more frequent.
    counts
        .iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(delimiter, _)| *delimiter)
}

/// Trimmed headers, empty and repeated ones with a name of their own; the repeated ones with their
/// places; and a note on each of these.
fn unique_headers(record: &csv::StringRecord) -> (Vec<String>, Vec<(String, usize)>, Vec<String>) {
    let mut taken: std::collections::BTreeSet<String> =
        record.iter().map(|h| h.trim().to_owned()).collect();
    let mut seen = std::collections::BTreeSet::new();
    let mut headers = Vec::with_capacity(record.len());
    let mut repeats = Vec::new();
    let mut notes = Vec::new();
    for (index, header) in record.iter().enumerate() {
        let header = header.trim();
        if !header.is_empty() && seen.insert(header) {
            headers.push(header.to_owned());
            continue;
        }
        let place = index + 1;
        let stem = if header.is_empty() {
            format!("column_{place}")
        } else {
            repeats.push((header.to_owned(), index));
            format!("{header}_{place}")
        };
        let mut name = stem.clone();
        let mut attempt = 2;
        while !taken.insert(name.clone()) {
            name = format!("{stem}_{attempt}");
            attempt += 1;
        }
        notes.push(if header.is_empty() {
            format!("column {place} has no header and is called `{name}`")
        } else {
            format!("header `{header}` occurs again in column {place}, which is called `{name}`")
        });
        headers.push(name);
    }
    (headers, repeats, notes)
}

#[cfg(test)]
mod tests {
    use super::{DataError, Table};
    use std::path::Path;

    fn parse(text: &str) -> Table {
        Table::parse("data.csv", text.as_bytes()).unwrap()
    }

    fn message(bytes: &[u8]) -> String {
        Table::parse("data.csv", bytes).unwrap_err().to_string()
    }

    #[test]
    fn the_delimiter_is_recognised() {
        for text in [
            "a,b\n1,2\n",
            "a;b\n1;2\n",
            "a\tb\n1\t2\n",
            "\"a,x\";b\n1;2\n",
        ] {
            let table = parse(text);
            assert_eq!(table.headers().len(), 2, "{text:?}");
            assert_eq!(table.cell(0, 1), "2", "{text:?}");
        }
        assert_eq!(parse("only\n1\n2\n").headers(), ["only"]);
    }

    #[test]
    fn quotes_marks_and_foreign_letters_are_kept() {
        let table = parse("\u{feff}größe,名前\r\n\"1,5\",\"a \"\"b\"\"\"\r\n\r\n2,\"x\ny\"\r\n");
        assert_eq!(table.headers(), ["größe", "名前"]);
        assert_eq!(table.cell(0, 0), "1,5");
        assert_eq!(table.cell(0, 1), "a \"b\"");
        assert_eq!(table.cell(1, 1), "x\ny");
        assert_eq!(table.rows(), 2);
    }

    #[test]
    fn decimal_commas_are_read_where_no_comma_parts_the_cells() {
        let table = parse("a;b;c;d\n1,5;x,1;1,5,2;3\n-2,25;y;1,7;NA\n3.5;7,1;2;4,0\n");
        let column = |column| (0..3).map(move |row| (row, column));
        let cells = |number| column(number).map(|(row, column)| table.cell(row, column).to_owned());
        assert!(cells(0).eq(["1.5", "-2.25", "3.5"]));
        assert!(cells(1).eq(["x,1", "y", "7,1"]), "mostly text");
        assert!(cells(2).eq(["1,5,2", "1.7", "2"]));
        assert!(cells(3).eq(["3", "NA", "4.0"]));
        assert_eq!(
            table.notes(),
            ["decimal commas of 3 columns are read as points, of which `a` is the first"]
        );
        for text in ["a,b\n\"1,234\",2\n", "a;b\n1,234;2\n", "a;b\n1,234;x 2,5\n"] {
            assert_eq!(parse(text).cell(0, 0), "1,234", "it may be a thousand");
        }
        let table = parse("a;b\n1,234;2,5\n");
        assert_eq!(table.cell(0, 0), "1.234", "the file has decimal commas");
    }

    #[test]
    fn empty_and_repeated_headers_get_names_of_their_own() {
        let table = parse("a,,a,a_3\n1,2,3,4\n");
        assert_eq!(table.headers(), ["a", "column_2", "a_3_2", "a_3"]);
        assert_eq!(table.notes().len(), 2);
    }

    #[test]
    fn a_column_that_is_there_twice_is_not_chosen_silently() {
        let table = parse("a,y, y ,y\n1,2,3,4\n");
        let message = table.column("y").unwrap_err().to_string();
        assert_eq!(
            message,
            "data.csv has `y` twice in its header, as columns 2 and 3; rename or remove one of them"
        );
        assert_eq!(table.column("a"), Ok(0));
    }

    #[test]
    fn bad_files_are_named_with_place_and_remedy() {
        let table: [(&[u8], &str); 7] = [
            (b"", "data.csv is empty"),
            (b"\xef\xbb\xbf \n", "data.csv is empty"),
            (b"a,b\n", "data.csv has a header but no rows"),
            (
                b"a,b\n1,2\n3\n",
                "data.csv:3: 1 cells, but the header has 2; fill in",
            ),
            (
                b"a,b\n1,2,3\n",
                "data.csv:2: 3 cells, but the header has 2; quote cells",
            ),
            (
                b"a,b\n1,\xe4\n",
                "data.csv:2: this is not UTF-8 (it may be Latin-1",
            ),
            (
                b"\xff\xfea\0",
                "data.csv:1: this is not UTF-8 (it looks like UTF-16)",
            ),
        ];
        for (bytes, start) in table {
            assert!(message(bytes).starts_with(start), "{}", message(bytes));
        }
        let missing = Table::read(Path::new("nowhere.csv")).unwrap_err();
        assert!(matches!(missing, DataError::Unreadable { .. }));
    }

    #[test]
    fn an_unknown_column_suggests_the_nearest() {
        let table = parse("price,colour,size\n1,2,3\n");
        let message = table.column("Prise").unwrap_err().to_string();
        assert_eq!(
            message,
            "data.csv has no column `Prise`; did you mean `price`?"
        );
        let message = table.column("zzz").unwrap_err().to_string();
        assert!(message.ends_with("its columns are `price`, `colour`, `size`"));
    }
}
