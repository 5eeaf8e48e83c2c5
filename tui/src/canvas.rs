//! A grid of cells on which several curves are drawn.

/// What stands in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    Empty,
    /// Dots of a curve: the bits of a braille pattern, and the rank of the pen.
    Dots { rank: u8, series: usize, bits: u8 },
    /// The marker of a curve.
    Marker { series: usize },
}

/// What a curve is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pen {
    /// Where curves meet in a cell, only those of the highest rank are seen in it.
    pub(crate) rank: u8,
    /// Which curve.
    pub(crate) series: usize,
    /// Whether every second dot is left out.
    pub(crate) dotted: bool,
}

impl Pen {
    /// For curves that are all alike.
    pub(crate) fn solid(series: usize) -> Pen {
        Pen {
            rank: 0,
            series,
            dotted: false,
        }
    }
}

/// A grid of cells, each of `across` by `down` dots.
#[derive(Debug)]
pub(crate) struct Canvas {
    columns: usize,
    rows: usize,
    /// Binary logarithms of how many dots a cell has across and down: shifting is much quicker
    /// than dividing, and done for every dot.
    across: u32,
    down: u32,
    cells: Vec<Cell>,
}

/// A dot's place, from the left and from the top.
pub(crate) type Dot = (usize, usize);

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    bits: u8,
    rank: u8,
    /// Which curves pass, one bit each; curves beyond the 64th share the last.
    passing: u64,
    marked: u64,
}

/// The bits of a braille cell's dots by row and column, from the Unicode standard, chapter 21.1.
const BRAILLE: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Canvas {
    /// A canvas of braille cells, two by four dots each, or of single dots.
    pub(crate) fn new(columns: usize, rows: usize, braille: bool) -> Self {
        let (across, down) = if braille { (1, 2) } else { (0, 0) };
        Canvas {
            columns,
            rows,
            across,
            down,
            cells: vec![Cell::default(); columns * rows],
        }
    }

    /// The dot at a place given from 0 to 1, upwards.
    pub(crate) fn dot(&self, x: f64, y: f64) -> Dot {
        let along = |place: f64, dots: usize| (place * (dots - 1) as f64).round() as usize;
        let (wide, high) = self.dots();
        (along(x, wide), high - 1 - along(y, high))
    }

    /// How many dots there are across and down.
    pub(crate) fn dots(&self) -> (usize, usize) {
        (self.columns << self.across, self.rows << self.down)
    }

    /// How many dots a cell has across and down.
    pub(crate) fn cell_dots(&self) -> (usize, usize) {
        (1 << self.across, 1 << self.down)
    }

    /// The row of cells that a dot is in.
    pub(crate) fn row(&self, dot: Dot) -> usize {
        dot.1 >> self.down
    }

    /// The column of cells that a dot is in.
    pub(crate) fn column(&self, dot: Dot) -> usize {
        dot.0 >> self.across
    }

    /// Draws a straight line with Bresenham's algorithm (1965), both ends included.
    pub(crate) fn line(&mut self, pen: Pen, from: Dot, to: Dot) {
        let (mut x, mut y) = (from.0 as i64, from.1 as i64);
        let (end_x, end_y) = (to.0 as i64, to.1 as i64);
        let (wide, high) = ((end_x - x).abs(), -(end_y - y).abs());
        let (step_x, step_y) = ((end_x - x).signum(), (end_y - y).signum());
        let mut error = wide + high;
        // Counted along the longer side, so that a dotted line is one in every direction.
        let level = wide >= -high;
        // Neighbouring dots mostly lie in one cell, which is then touched only once.
        let mut pending = (self.index(from), 0u8);
        loop {
            let along = if level { x } else { y };
            if !pen.dotted || along % 2 == 0 {
                let dot = (x as usize, y as usize);
                let index = self.index(dot);
                if index != pending.0 {
                    self.add(pen, pending.0, pending.1);
                    pending = (index, 0);
                }
                pending.1 |= self.bits(dot);
            }
            if (x, y) == (end_x, end_y) {
                return self.add(pen, pending.0, pending.1);
            }
            let doubled = 2 * error;
            if doubled >= high {
                error += high;
                x += step_x;
            }
            if doubled <= wide {
                error += wide;
                y += step_y;
            }
        }
    }

    /// Puts a curve's marker on the cell of a dot.
    pub(crate) fn mark(&mut self, series: usize, dot: Dot) {
        let index = self.index(dot);
        if let Some(cell) = self.cells.get_mut(index) {
            cell.marked |= bit(series);
        }
    }

    /// What stands in a cell. Where several curves meet, they take turns from column to column, so
    /// that none hides another, even if both are the same.
    pub(crate) fn at(&self, column: usize, row: usize) -> Mark {
        let cell = self.cells[row * self.columns + column];
        if cell.marked != 0 {
            let series = turn(cell.marked, column);
            return Mark::Marker { series };
        }
        match cell.passing {
            0 => Mark::Empty,
            passing => Mark::Dots {
                rank: cell.rank,
                series: turn(passing, column),
                bits: cell.bits,
            },
        }
    }

    /// Sets one dot.
    pub(crate) fn set(&mut self, pen: Pen, dot: Dot) {
        self.add(pen, self.index(dot), self.bits(dot));
    }

    /// Sets dots of a cell.
    fn add(&mut self, pen: Pen, index: usize, bits: u8) {
        if bits == 0 {
            return;
        }
        let Some(cell) = self.cells.get_mut(index) else {
            return;
        };
        if cell.passing == 0 || pen.rank > cell.rank {
            cell.rank = pen.rank;
            cell.bits = bits;
            cell.passing = bit(pen.series);
        } else if pen.rank == cell.rank {
            cell.bits |= bits;
            cell.passing |= bit(pen.series);
        }
    }

    fn bits(&self, dot: Dot) -> u8 {
        BRAILLE[dot.1 & ((1 << self.down) - 1)][dot.0 & ((1 << self.across) - 1)]
    }

    fn index(&self, dot: Dot) -> usize {
        (dot.1 >> self.down) * self.columns + (dot.0 >> self.across)
    }
}

fn bit(series: usize) -> u64 {
    1 << series.min(63)
}

/// One of the set bits, another one in each column.
fn turn(bits: u64, column: usize) -> usize {
    let mut left = bits;
    for _ in 0..column % bits.count_ones() as usize {
        left &= left - 1;
    }
    left.trailing_zeros() as usize
}

/// At which columns a curve has markers. Those of several curves start at columns of their own, to
/// keep out of each other's way; a single curve needs none.
#[derive(Debug)]
pub(crate) struct Spacing {
    is_single: bool,
    period: usize,
    start: usize,
    next: usize,
}

impl Spacing {
    /// That of one of so many curves.
    pub(crate) fn of(series: usize, of: usize) -> Self {
        let period = (4 * of).max(12);
        let start = series * period / of.max(1);
        Spacing {
            is_single: of <= 1,
            period,
            start,
            next: start,
        }
    }

    /// Whether it is time for the next marker in this column.
    pub(crate) fn is_due(&self, column: usize) -> bool {
        !self.is_single && column >= self.next
    }

    /// A marker stands in this column.
    pub(crate) fn marked(&mut self, column: usize) {
        self.next = (column / self.period + 1) * self.period + self.start;
    }
}

/// The braille pattern of a cell's dots.
pub(crate) fn braille(bits: u8) -> char {
    char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ')
}
