//! A canvas of many trials that is kept from picture to picture, and brought to the screen.

use crate::canvas::{Canvas, Dot, Mark, Pen as Brush, braille};
use crate::chart::MarkKind;
use crate::dashboard::pen::Pen;
use crate::style::Ink;
use ratatui::layout::Rect;

/// Layers of a cloud, from the lowest up.
pub(super) const OTHERS: Brush = Brush {
    rank: 0,
    series: 0,
    dotted: true,
};
pub(super) const BEST: Brush = Brush {
    rank: 1,
    series: 1,
    dotted: false,
};

/// Marks of a cloud: the best trial, one of the best, and any other.
pub(super) const STAR: usize = 0;
pub(super) const NEXT: usize = 1;
pub(super) const POINT: usize = 2;

/// What a kept canvas was drawn from: its size, its data, and what else was chosen.
pub(super) type Key = (u16, u16, u64, usize, bool);

/// A canvas, and what it shows.
#[derive(Debug, Default)]
pub(super) struct Cloud {
    kept: Option<(Key, Canvas)>,
}

impl Cloud {
    /// Draws it to an area, anew where what it shows is another.
    pub(super) fn draw(
        &mut self,
        pen: &mut Pen<'_>,
        area: Rect,
        (generation, choice): (u64, usize),
        draw: impl FnOnce(&mut Canvas),
    ) {
        if area.is_empty() {
            return;
        }
        let unicode = pen.style.unicode;
        let key = (area.width, area.height, generation, choice, unicode);
        if self.kept.as_ref().is_none_or(|(kept, _)| *kept != key) {
            let mut canvas = Canvas::new(area.width.into(), area.height.into(), unicode);
            draw(&mut canvas);
            self.kept = Some((key, canvas));
        }
        if let Some((_, canvas)) = &self.kept {
            show(pen, area, canvas);
        }
    }
}

fn show(pen: &mut Pen<'_>, area: Rect, canvas: &Canvas) {
    let symbols = pen.style.symbols();
    let (others, best) = (pen.style.ink(Ink::Dim), pen.style.ink(Ink::Best));
    let star = symbols.mark(MarkKind::Best);
    // A hollow one of the same kind; in ASCII the lightest mark.
    let point = match pen.style.unicode {
        true => symbols.marker(4),
        false => symbols.layers[0],
    };
    for row in 0..area.height {
        for column in 0..area.width {
            let mark = canvas.at(column.into(), row.into());
            let Some(cell) = pen.buffer.cell_mut((area.x + column, area.y + row)) else {
                continue;
            };
            match mark {
                Mark::Empty => {}
                Mark::Marker { series } => {
                    let glyph = match series {
                        STAR => star,
                        NEXT => symbols.marker(0),
                        _ => point,
                    };
                    let style = if series < POINT {
                        best
                    } else {
                        Default::default()
                    };
                    cell.set_symbol(glyph).set_style(style);
                }
                Mark::Dots { rank, bits, .. } => {
                    let is_best = rank == BEST.rank;
                    cell.set_style(if is_best { best } else { others });
                    if pen.style.unicode {
                        cell.set_char(braille(bits));
                    } else if is_best {
                        cell.set_symbol(symbols.marker(2));
                    } else {
                        cell.set_symbol(symbols.layers[0]);
                    }
                }
            }
        }
    }
}

/// The dot in the middle of a column of cells, at a height from 0 to 1.
pub(super) fn dot(canvas: &Canvas, column: usize, height: f64) -> Dot {
    let (across, _) = canvas.cell_dots();
    (column * across + across / 2, canvas.dot(0.0, height).1)
}
