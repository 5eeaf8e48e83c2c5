//! The points of pictures as numbers.

use super::cell::number;
use super::error::DataError;
use super::preprocess::deviations;
use super::shape::Shape;
use super::table::Table;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The column of a point of pictures, counted from 1.
pub(crate) fn point_name(point: usize) -> String {
    format!("point_{point}")
}

/// How the points of pictures become features: all alike, and not bent. In a table, they are the
/// columns `point_1`, `point_2` and so on, line after line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Points {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) mean: f64,
    pub(crate) scale: f64,
}

impl Points {
    pub(crate) fn shape(&self) -> Shape {
        let &Points {
            height,
            width,
            channels,
            ..
        } = self;
        Shape::Image {
            height,
            width,
            channels,
        }
    }

    pub(crate) fn scaled(&self, value: f64) -> f32 {
        deviations(value, self.mean, self.scale) as f32
    }

    /// Fills the rows from the columns of a table.
    pub(super) fn apply(
        &self,
        table: &Table,
        rows: &[usize],
        data: &mut [f32],
    ) -> Result<(), DataError> {
        let numbers = self.shape().numbers();
        // There may be very many.
        let headers = table.headers().iter().zip(0..);
        let places: HashMap<&str, usize> = headers.map(|(name, at)| (name.as_str(), at)).collect();
        for point in 0..numbers {
            let name = point_name(point + 1);
            let &place = places
                .get(name.as_str())
                .ok_or_else(|| DataError::MissingColumn {
                    file: table.name().into(),
                    column: name.clone(),
                })?;
            for (index, &row) in rows.iter().enumerate() {
                let cell = table.cell(row, place);
                let value = number(cell).ok_or_else(|| DataError::NoPoint {
                    file: table.name().into(),
                    line: table.line(row),
                    column: name.clone(),
                    cell: cell.trim().into(),
                })?;
                data[index * numbers + point] = self.scaled(value);
            }
        }
        Ok(())
    }
}
