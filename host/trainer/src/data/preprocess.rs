//! From text cells to finite numbers: fitted on training rows, applied to any table.

use super::alike::{Alike, Spread};
use super::cell::{is_missing, number, truth};
use super::column::{ColumnAction, ColumnKind, ColumnReport, Encoding, infer, mean_and_scale};
use super::error::DataError;
use super::features::Features;
use super::images::{Size, Wanted};
use super::points::Points;
use super::shape::Shape;
use super::table::{Table, cap};
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;
use std::fmt;

/// Standardised numbers stay within this many deviations.
const FARTHEST: f64 = 3.0;
/// The most numbers that a part of the data may have: four GiB of them.
pub(crate) const MAX_NUMBERS: u64 = 1 << 30;

/// Turns a table's columns into features, always the same way. Numbers are standardised with their
/// training mean and deviation and bent smoothly into ±3, missing ones filled with the training
/// median and marked in a column of their own where training rows had such. Where at least eight
/// columns reach from the same lowest to the same highest number, as the points of pictures do, they
/// and those within that range are taken for measured on one scale, and have one mean and deviation.
/// Categories become one column each. A category that training rows did not have counts as "other"
/// where there is such a column, and as none of the known ones otherwise.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Preprocessor {
    columns: Vec<Column>,
    /// Height, width and channels, where the columns are pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<[usize; 3]>,
    /// Of pictures, which have no other columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    points: Option<Points>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Column {
    name: String,
    encoding: Encoding,
    marks_missing: bool,
}

/// Cells of a column that hold something else than its training rows did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) column: String,
    pub(crate) cells: usize,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unread { column, cells } = self;
        match cells {
            1 => write!(
                f,
                "column `{column}`: 1 cell could not be read and counts as missing"
            ),
            n => write!(
                f,
                "column `{column}`: {n} cells could not be read and count as missing"
            ),
        }
    }
}

impl Preprocessor {
    /// Judges these columns from these rows, and reports on every column.
    pub(crate) fn fit(
        table: &Table,
        columns: &[usize],
        rows: &[usize],
    ) -> (Self, Vec<ColumnReport>) {
        let mut fitted = Vec::new();
        let mut reports = Vec::new();
        for &column in columns {
            let name = &table.headers()[column];
            let cells: Vec<&str> = rows.iter().map(|&row| table.cell(row, column)).collect();
            let (encoding, report) = infer(name, &cells);
            reports.push(report);
            if let Some(encoding) = encoding {
                fitted.push(Column {
                    name: name.clone(),
                    marks_missing: cells.iter().any(|cell| encoding.lacks_value(cell)),
                    encoding,
                });
            }
        }
        share_scale(table, rows, &mut fitted, &mut reports);
        let preprocessor = Preprocessor {
            columns: fitted,
            image: None,
            points: None,
        };
        (preprocessor, reports)
    }

    /// Takes these columns for pictures of this height, width and number of channels.
    ///
    /// # Errors
    /// Another number of columns than such a picture has, or a training cell that is no number.
    pub(crate) fn fit_picture(
        table: &Table,
        columns: &[usize],
        rows: &[usize],
        sides: [usize; 3],
    ) -> Result<(Self, Vec<ColumnReport>), DataError> {
        let file = || table.name().to_owned();
        let numbers = numbers_of(sides).filter(|&numbers| numbers == columns.len());
        if numbers.is_none() || columns.is_empty() {
            return Err(DataError::NoPicture {
                file: file(),
                image: format!("{sides:?}"),
                expected: numbers_of(sides)
                    .map_or_else(|| "too many".to_owned(), |numbers| numbers.to_string()),
                found: columns.len(),
            });
        }
        let mut values = Vec::with_capacity(columns.len() * rows.len());
        for &row in rows {
            for &column in columns {
                let cell = table.cell(row, column);
                let value = number(cell.trim()).ok_or_else(|| DataError::PointNotNumeric {
                    file: file(),
                    line: table.line(row),
                    column: table.headers()[column].clone(),
                    cell: cell.to_owned(),
                })?;
                values.push(value);
            }
        }
        let (mean, scale) = mean_and_scale(&values);
        let names = columns
            .iter()
            .map(|&column| table.headers()[column].clone());
        let columns = names.clone().map(|name| Column {
            name,
            encoding: Encoding::Point { mean, scale },
            marks_missing: false,
        });
        let reports = names.map(|column| ColumnReport {
            column,
            kind: ColumnKind::Numeric,
            action: ColumnAction::Encoded,
            detail: "a number of a picture, scaled as all of them".into(),
        });
        let preprocessor = Preprocessor {
            columns: columns.collect(),
            image: Some(sides),
            points: None,
        };
        Ok((preprocessor, reports.collect()))
    }

    /// What pictures must be brought to before this can be applied to their points.
    pub(crate) fn wanted(&self) -> Wanted {
        self.points.map_or_else(Wanted::default, |points| Wanted {
            size: Some(Size {
                height: points.height as u32,
                width: points.width as u32,
            }),
            channels: Some(points.channels),
        })
    }

    /// How the points of pictures are scaled, where it is for such.
    pub(crate) fn points(&self) -> Option<Points> {
        self.points
    }

    /// For pictures.
    pub(crate) fn of_points(points: Points) -> Self {
        Preprocessor {
            columns: Vec::new(),
            image: None,
            points: Some(points),
        }
    }

    /// How many features a row becomes.
    pub fn width(&self) -> usize {
        self.shape().numbers()
    }

    /// What the features of a row are.
    pub fn shape(&self) -> Shape {
        let all = self.columns.iter().map(Column::width).sum();
        match (&self.points, self.image) {
            (Some(points), _) => points.shape(),
            (None, Some(sides @ [height, width, channels])) if numbers_of(sides) == Some(all) => {
                Shape::Image {
                    height,
                    width,
                    channels,
                }
            }
            _ => Shape::Row(all),
        }
    }

    /// The columns that it reads, by name.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// Whether a column holds a point of the pictures that it is for.
    pub(crate) fn is_point(&self, column: &str) -> bool {
        let place = column
            .strip_prefix("point_")
            .and_then(|n| n.parse::<usize>().ok());
        self.points.is_some() && place.is_some_and(|n| (1..=self.width()).contains(&n))
    }

    /// Turns these rows into features, and counts what could not be read in each column that has
    /// such. The table's columns may come in any order; those that were not there in training are
    /// ignored.
    ///
    /// # Errors
    /// A column is missing, or the features would not fit into 4 GiB.
    pub(crate) fn apply(
        &self,
        table: &Table,
        rows: &[usize],
    ) -> Result<(Features, Vec<Unread>), DataError> {
        let width = self.width();
        let numbers = width as u64 * rows.len() as u64;
        let unit = "numbers after encoding";
        cap(table.name(), numbers, unit, MAX_NUMBERS)?;
        let mut data = vec![0.0; width * rows.len()];
        if let Some(points) = &self.points {
            points.apply(table, rows, &mut data)?;
        }
        let mut unread = Vec::new();
        let mut offset = 0;
        for column in &self.columns {
            let place = table
                .find(&column.name)
                .ok_or_else(|| DataError::MissingColumn {
                    file: table.name().into(),
                    column: column.name.clone(),
                })?;
            let mut cells = 0_usize;
            for (index, &row) in rows.iter().enumerate() {
                let at = index * width + offset;
                let out = &mut data[at..at + column.width()];
                cells += usize::from(!column.encode(table.cell(row, place), out));
            }
            if cells > 0 {
                unread.push(Unread {
                    column: column.name.clone(),
                    cells,
                });
            }
            offset += column.width();
        }
        Ok((Features::of_table(width, rows.len(), data), unread))
    }
}

impl Column {
    fn width(&self) -> usize {
        let own = match &self.encoding {
            Encoding::Number { .. } | Encoding::Point { .. } | Encoding::Truth { .. } => 1,
            Encoding::Date { .. } => 5,
            Encoding::OneHot { categories, other } => categories.len() + usize::from(*other),
        };
        own + usize::from(self.marks_missing)
    }

    /// Writes a cell's features into zeros; false where the cell has text that cannot be read.
    fn encode(&self, cell: &str, out: &mut [f32]) -> bool {
        let cell = cell.trim();
        let missing = is_missing(cell);
        let read = match &self.encoding {
            Encoding::Number { fill, mean, scale } => {
                let value = number(cell);
                out[0] = standardised(value.unwrap_or(*fill), *mean, *scale);
                value.is_some()
            }
            Encoding::Point { mean, scale } => {
                // A point that is missing is like the mean of all.
                let value = number(cell);
                out[0] = deviations(value.unwrap_or(*mean), *mean, *scale) as f32;
                value.is_some()
            }
            Encoding::Truth { fill, mean, scale } => {
                let value = truth(cell).map(|yes| f64::from(u8::from(yes)));
                out[0] = standardised(value.unwrap_or(*fill), *mean, *scale);
                value.is_some()
            }
            Encoding::Date {
                form,
                fill,
                mean,
                scale,
            } => {
                let date = form.read(cell);
                out[0] = standardised(date.map_or(*fill, |date| date.days()), *mean, *scale);
                if let Some(date) = date {
                    let turns = [date.month_turn(), date.weekday_turn()];
                    for (pair, turn) in out[1..5].chunks_mut(2).zip(turns) {
                        pair[0] = (TAU * turn).sin() as f32;
                        pair[1] = (TAU * turn).cos() as f32;
                    }
                }
                date.is_some()
            }
            Encoding::OneHot { categories, other } => {
                if !missing {
                    match categories.binary_search_by(|category| category.as_str().cmp(cell)) {
                        Ok(known) => out[known] = 1.0,
                        Err(_) if *other => out[categories.len()] = 1.0,
                        Err(_) => {}
                    }
                }
                !missing
            }
        };
        if self.marks_missing
            && !read
            && let Some(mark) = out.last_mut()
        {
            *mark = 1.0;
        }
        read || missing
    }
}

/// Standardises columns that are measured on one scale by one mean and deviation.
fn share_scale(
    table: &Table,
    rows: &[usize],
    columns: &mut [Column],
    reports: &mut [ColumnReport],
) {
    let numeric = columns.iter_mut().filter_map(|column| {
        let Encoding::Number { mean, scale, .. } = &mut column.encoding else {
            return None;
        };
        let place = table.find(&column.name)?;
        let cells = rows.iter().map(|&row| table.cell(row, place).trim());
        let values = cells.filter_map(number);
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = values.fold(ends, |(low, high), x| (low.min(x), high.max(x)));
        let spread = Spread {
            low,
            high,
            mean: *mean,
            deviation: *scale,
        };
        Some((spread, (&column.name, mean, scale)))
    });
    let (spreads, mut numeric): (Vec<Spread>, Vec<_>) = numeric.unzip();
    let Some(alike) = Alike::of(&spreads) else {
        return;
    };
    let (low, high) = (alike.low, alike.high);
    let count = alike.members.len();
    let told = format!("standardised together with all {count} columns from {low} to {high}");
    for &place in &alike.members {
        let (name, mean, scale) = &mut numeric[place];
        (**mean, **scale) = (alike.mean, alike.deviation);
        for report in reports.iter_mut().filter(|report| report.column == **name) {
            report.detail = report.detail.replacen("standardised", &told, 1);
        }
    }
}

/// Standardised and then bent smoothly into ±3, as RealMLP does (Holzmüller, Grinsztajn and Steinwart
/// 2024, §3, though after another scaling): one wild cell, or a column that is nearly constant, then
/// cannot drown the others.
fn standardised(value: f64, mean: f64, scale: f64) -> f32 {
    let z = deviations(value, mean, scale);
    (z / (1.0 + (z / FARTHEST).powi(2)).sqrt()) as f32
}

pub(super) fn deviations(value: f64, mean: f64, scale: f64) -> f64 {
    // The square of anything beyond would overflow.
    ((value - mean) / scale).clamp(-1e6, 1e6)
}

/// How many numbers a picture has; nothing where that overflows.
fn numbers_of(sides: [usize; 3]) -> Option<usize> {
    sides
        .into_iter()
        .try_fold(1_usize, |numbers, side| numbers.checked_mul(side))
}

#[cfg(test)]
mod tests {
    use super::{Preprocessor, Table};
    use crate::data::error::DataError;
    use proptest::prelude::*;

    fn fit(text: &str) -> (Preprocessor, Table) {
        let table = Table::parse("train.csv", text.as_bytes()).unwrap();
        let columns: Vec<usize> = (0..table.headers().len()).collect();
        let rows: Vec<usize> = (0..table.rows()).collect();
        (Preprocessor::fit(&table, &columns, &rows).0, table)
    }

    fn apply(preprocessor: &Preprocessor, text: &str) -> (Vec<f32>, Vec<String>) {
        let table = Table::parse("new.csv", text.as_bytes()).unwrap();
        let rows: Vec<usize> = (0..table.rows()).collect();
        let (features, unread) = preprocessor.apply(&table, &rows).unwrap();
        let notes = unread.iter().map(ToString::to_string).collect();
        (features.data().to_vec(), notes)
    }

    #[test]
    fn numbers_are_standardised_filled_and_marked() {
        // Of 1, 3 and 8: median 3, mean 4, deviation √(26/3).
        let (preprocessor, _) = fit("x\n1\n3\n8\nNA\n");
        let filled = -1.0 / (26.0_f32 / 3.0).sqrt();
        let filled = filled / (1.0 + filled * filled / 9.0).sqrt();
        let (features, notes) = apply(&preprocessor, "x\n4\n?\noops\n1e99\n");
        let expected = [0.0, 0.0, filled, 1.0, filled, 1.0, 3.0, 0.0];
        for (found, expected) in features.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{features:?}");
        }
        assert_eq!(
            notes,
            ["column `x`: 1 cell could not be read and counts as missing"]
        );
    }

    /// A point that is hardly ever set stays as small as it is beside the others.
    #[test]
    fn columns_on_one_scale_are_standardised_together() {
        let text = |columns: usize| {
            let names: Vec<String> = (0..columns).map(|column| format!("p{column}")).collect();
            let line = |value: &str, last: &str| {
                format!("{}{last}\n", format!("{value},").repeat(columns))
            };
            format!("{},rare\n", names.join(",")) + &line("0", "0").repeat(3) + &line("16", "1")
        };
        // Eight columns have mean 4 and variance 48, the rare one 1/4 and 3/16.
        let mean = 32.25_f32 / 9.0;
        let variance = (8.0 * 64.0 + 0.25) / 9.0 - mean * mean;
        for (columns, expected) in [(7, 3.0_f32.sqrt()), (8, (1.0 - mean) / variance.sqrt())] {
            let (preprocessor, _) = fit(&text(columns));
            let (features, _) = apply(&preprocessor, &text(columns));
            let bent = expected / (1.0 + expected * expected / 9.0).sqrt();
            let rare = features.last().unwrap();
            assert!((rare - bent).abs() < 1e-3, "{rare} {bent}");
        }
        let table = Table::parse("train.csv", text(8).as_bytes()).unwrap();
        let (_, reports) = Preprocessor::fit(&table, &[0, 1, 2, 3, 4, 5, 6, 7, 8], &[0, 1, 2, 3]);
        let told = "standardised together with all 9 columns from 0 to 16";
        assert!(
            reports.iter().all(|report| report.detail == told),
            "{reports:?}"
        );
    }

    /// A stray word in training rows is marked like a missing cell, so that it is told apart from
    /// the median that stands in for it.
    #[test]
    fn stray_words_are_marked_too() {
        let (preprocessor, _) = fit("x\n1\n3\n8\nerror\n");
        let (features, notes) = apply(&preprocessor, "x\n3\nerror\noffline\n");
        let marks: Vec<f32> = features.chunks(2).map(|row| row[1]).collect();
        assert_eq!(marks, [0.0, 1.0, 1.0]);
        assert_eq!(
            notes,
            ["column `x`: 2 cells could not be read and count as missing"]
        );
    }

    #[test]
    fn unknown_categories_are_none_of_the_known() {
        let (preprocessor, _) = fit("c,d\nred,1\nblue,2\nred,3\n");
        let (features, _) = apply(&preprocessor, "d,extra,c\n2,9,red\n2,9,green\n2,9,\n");
        let categories: Vec<&[f32]> = features.chunks(3).map(|row| &row[..2]).collect();
        assert_eq!(categories, [[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]);
    }

    #[test]
    fn dates_become_days_and_points_on_circles() {
        let (preprocessor, _) = fit("when\n2024-01-01\n2024-01-03\n");
        let (features, _) = apply(&preprocessor, "when\n2024-01-02\n");
        // The mean day; January; a Tuesday, a seventh of the way round the week.
        let angle = std::f32::consts::TAU / 7.0;
        let expected = [0.0, 0.0, 1.0, angle.sin(), angle.cos()];
        for (found, expected) in features.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{features:?}");
        }
    }

    #[test]
    fn a_column_that_is_missing_is_named() {
        let (preprocessor, _) = fit("a,b\n1,2\n3,5\n");
        let table = Table::parse("new.csv", b"b\n2\n").unwrap();
        let error = preprocessor.apply(&table, &[0]).unwrap_err();
        assert!(matches!(error, DataError::MissingColumn { column, .. } if column == "a"));
    }

    #[test]
    fn it_survives_being_written_and_read() {
        let text = "n,b,d,c\n0.1,yes,2024-01-01,x\n,no,2024-02-05,y\n7e-9,no,,x\n";
        let (preprocessor, _) = fit(text);
        let json = serde_json::to_string(&preprocessor).unwrap();
        let read: Preprocessor = serde_json::from_str(&json).unwrap();
        assert_eq!(read, preprocessor);
        assert_eq!(apply(&read, text), apply(&preprocessor, text));
    }

    fn any_cell() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<f64>().prop_map(|x| x.to_string()),
            any::<i64>().prop_map(|x| x.to_string()),
            "[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}( [0-9:.+]{1,9})?",
            Just(String::new()),
            Just("NA".to_owned()),
            Just("yes".to_owned()),
            Just("1e308".to_owned()),
            Just("inf".to_owned()),
            "[a-c]",
            any::<String>(),
        ]
    }

    fn csv_of(rows: &[Vec<String>]) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new()
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        writer.write_record(["a", "b", "id"]).unwrap();
        for row in rows {
            writer.write_record(row).unwrap();
        }
        writer.into_inner().unwrap()
    }

    proptest! {
        #[test]
        fn any_cells_become_finite_features(
            train in prop::collection::vec(prop::collection::vec(any_cell(), 3), 1..30),
            new in prop::collection::vec(prop::collection::vec(any_cell(), 3), 1..10),
        ) {
            let table = Table::parse("train.csv", &csv_of(&train)).unwrap();
            let rows: Vec<usize> = (0..table.rows()).collect();
            let (preprocessor, reports) = Preprocessor::fit(&table, &[0, 1, 2], &rows);
            prop_assert_eq!(reports.len(), 3);
            for text in [&train, &new] {
                let table = Table::parse("new.csv", &csv_of(text)).unwrap();
                let rows: Vec<usize> = (0..table.rows()).collect();
                let (features, _) = preprocessor.apply(&table, &rows).unwrap();
                prop_assert_eq!(features.data().len(), preprocessor.width() * text.len());
                prop_assert!(features.data().iter().all(|x| x.is_finite()));
            }
        }

        #[test]
        fn any_bytes_are_a_table_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Table::parse("any.csv", &bytes);
        }

        #[test]
        fn any_text_is_a_table_or_an_error(text in "[a,;\"\t\n\r0-9é]{0,80}") {
            let _ = Table::parse("any.csv", text.as_bytes());
        }
    }
}
