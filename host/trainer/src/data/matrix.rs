//! The numbers of a table as one matrix.

use super::cell::number;
use super::error::DataError;
use super::table::{Table, cap};

/// The numbers of a table, row after row, without some of its columns, and how many columns stay. At
/// most so many numbers are taken.
///
/// # Errors
/// A column to leave out that is not there; too many numbers; a cell that is no finite number of at
/// least 0.
pub(crate) fn nonnegative(
    table: &Table,
    ignore: &[String],
    most: usize,
) -> Result<(usize, Vec<f32>), DataError> {
    let left_out = ignore.iter().map(|name| table.column(name));
    let left_out = left_out.collect::<Result<Vec<usize>, DataError>>()?;
    let columns = 0..table.headers().len();
    let columns: Vec<usize> = columns.filter(|at| !left_out.contains(at)).collect();
    let size = (table.rows() as u64).saturating_mul(columns.len() as u64);
    cap(table.name(), size, "numbers", most as u64)?;
    let mut numbers = Vec::with_capacity(size as usize);
    for row in 0..table.rows() {
        for &column in &columns {
            let cell = table.cell(row, column);
            let number = number(cell).map(|number| number as f32);
            let fitting = number.filter(|number| number.is_finite() && *number >= 0.0);
            numbers.push(fitting.ok_or_else(|| DataError::NotNonnegative {
                file: table.name().into(),
                line: table.line(row),
                column: table.headers()[column].clone(),
                cell: cell.into(),
            })?);
        }
    }
    Ok((columns.len(), numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_that_stays_is_a_number_and_others_do_not_matter() {
        let table = Table::parse("m.csv", b"a,who,b\n1,x,2.5\n0,y,1e3\n").unwrap();
        let who = ["who".to_owned()];
        let read = nonnegative(&table, &who, 4).unwrap();
        assert_eq!(read, (2, vec![1.0, 2.5, 0.0, 1000.0]));
        let told = |ignore: &[String], most| nonnegative(&table, ignore, most).unwrap_err();
        let told = |ignore: &[String], most| told(ignore, most).to_string();
        assert!(told(&[], 9).starts_with("m.csv:2: column `who` is `x`, but"));
        assert!(told(&["whom".to_owned()], 9).contains("did you mean `who`?"));
        assert!(told(&who, 3).contains("4 numbers, but at most 3"));
        for cell in ["-1", "", "nan", "1e39", "inf"] {
            let table = Table::parse("m.csv", format!("a,b\n0,0\n0,{cell}\n").as_bytes()).unwrap();
            let error = nonnegative(&table, &[], 9).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("m.csv:3: column `b` is `{cell}`")),
                "{error}"
            );
        }
    }
}
