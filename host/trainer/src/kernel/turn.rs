//! Matrices turned: rows for columns.

#[cfg(target_arch = "x86_64")]
use pulp::core_arch::x86::Sse;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m128;

/// So many rows are turned at once: they fill the lines of the cache that are written.
const ROWS: usize = 16;
/// The side of a square that is turned in registers.
const SIDE: usize = 4;

type Square = [[f32; SIDE]; SIDE];

/// Writes each column of a matrix as a row, one after another: so many rows of so many columns, which
/// begin `step` numbers apart.
///
/// # Panics
/// Numbers that are too few.
pub(super) fn turn(from: &[f32], rows: usize, columns: usize, step: usize, to: &mut [f32]) {
    let (whole_rows, whole_columns) = (rows / ROWS * ROWS, columns / SIDE * SIDE);
    for first in (0..whole_rows).step_by(ROWS) {
        let stripe = &from[first * step..];
        for (at, rows_of_square) in to.chunks_exact_mut(SIDE * rows).enumerate() {
            let mut places = rows_of_square.chunks_exact_mut(rows).map(|row| {
                let (places, _) = row[first..first + ROWS].as_chunks_mut::<SIDE>();
                places
            });
            let (Some(a), Some(b), Some(c), Some(d)) =
                (places.next(), places.next(), places.next(), places.next())
            else {
                break;
            };
            let places = a.iter_mut().zip(b).zip(c).zip(d);
            for (block, (((a, b), c), d)) in stripe.chunks(SIDE * step).zip(places) {
                let row = |row: usize| {
                    let numbers = &block[row * step + at * SIDE..];
                    numbers.first_chunk().copied().unwrap_or_default()
                };
                [*a, *b, *c, *d] = turned([row(0), row(1), row(2), row(3)]);
            }
        }
    }
    let mut put = |row: usize, column: usize| to[column * rows + row] = from[row * step + column];
    for row in 0..rows {
        let rest = if row < whole_rows { whole_columns } else { 0 };
        (rest..columns).for_each(|column| put(row, column));
    }
}

/// The compiler makes single moves of what is plainly written.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn turned(square: Square) -> Square {
    let Some(sse) = Sse::try_new() else {
        return plainly(square);
    };
    let [a, b, c, d]: [__m128; SIDE] = bytemuck::cast(square);
    let (ab, cd) = (sse._mm_unpacklo_ps(a, b), sse._mm_unpacklo_ps(c, d));
    let (ab_end, cd_end) = (sse._mm_unpackhi_ps(a, b), sse._mm_unpackhi_ps(c, d));
    bytemuck::cast([
        sse._mm_movelh_ps(ab, cd),
        sse._mm_movehl_ps(cd, ab),
        sse._mm_movelh_ps(ab_end, cd_end),
        sse._mm_movehl_ps(cd_end, ab_end),
    ])
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn turned(square: Square) -> Square {
    plainly(square)
}

#[inline(always)]
fn plainly(square: Square) -> Square {
    std::array::from_fn(|column| square.map(|row| row[column]))
}

#[cfg(test)]
mod tests {
    use super::{Square, plainly, turn, turned};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_finds_its_place(
            rows in 0_usize..70, columns in 1_usize..40, gap in 0_usize..9,
        ) {
            let step = columns + gap;
            let from: Vec<f32> = (0..(rows * step).saturating_sub(gap)).map(|at| at as f32).collect();
            let mut to = vec![f32::NAN; rows * columns];
            turn(&from, rows, columns, step, &mut to);
            for row in 0..rows {
                for column in 0..columns {
                    prop_assert_eq!(to[column * rows + row], from[row * step + column]);
                }
            }
        }
    }

    #[test]
    fn a_square_is_turned_as_it_is_plainly() {
        let square: Square =
            std::array::from_fn(|row| [0.0, 1.0, 2.0, 3.0].map(|x| x + 4.0 * row as f32));
        assert_eq!(turned(square), plainly(square));
        assert_eq!(turned(square)[1], [1.0, 5.0, 9.0, 13.0]);
    }
}
