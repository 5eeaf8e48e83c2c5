//! The Sobol sequence, plain and scrambled, with access to any point.

use rand::Rng;

use super::directions::DIRECTIONS;
use crate::stream::{Purpose, stream};

const BITS: usize = 32;

/// A Sobol sequence in Gray-code order (Antonov and Saleev 1979) over the direction numbers of Joe
/// and Kuo (2008), 32 bits deep.
#[derive(Debug, Clone)]
pub struct Sequence {
    dimensions: Vec<Dimension>,
}

/// One dimension: point n is `shift` plus, modulo two, those columns whose bits are set in the Gray
/// code of n.
#[derive(Debug, Clone)]
struct Dimension {
    columns: [u32; BITS],
    shift: u32,
}

impl Sequence {
    /// How many dimensions there are direction numbers for.
    pub const MAX_DIMENSIONS: usize = DIRECTIONS.len();

    /// The sequence as it is, whose point 0 is the origin. Dimensions beyond
    /// [`Sequence::MAX_DIMENSIONS`] are left out.
    pub fn plain(dimensions: usize) -> Sequence {
        let dimensions = DIRECTIONS
            .iter()
            .take(dimensions)
            .map(|(polynomial, initial)| Dimension {
                columns: columns(*polynomial, initial),
                shift: 0,
            })
            .collect();
        Sequence { dimensions }
    }

    /// The sequence under a random linear scramble and a random digital shift, one of each a
    /// dimension (Matoušek, "On the L2-discrepancy for anchored boxes", J. Complexity 14, 1998,
    /// §2.1). Both keep its even filling: wherever the plain sequence is a (t, m, s)-net, so is the
    /// scrambled one.
    pub fn scrambled(dimensions: usize, seed: u64) -> Sequence {
        let mut sequence = Sequence::plain(dimensions);
        for (index, dimension) in sequence.dimensions.iter_mut().enumerate() {
            dimension.scramble(seed, index as u64);
        }
        sequence
    }

    /// The point at `index`, each coordinate a multiple of 2⁻³² in [0, 1).
    pub fn point(&self, index: u32) -> Vec<f64> {
        let gray = index ^ (index >> 1);
        self.dimensions
            .iter()
            .map(|dimension| f64::from(dimension.digits(gray)) / (1_u64 << BITS) as f64)
            .collect()
    }
}

impl Dimension {
    fn digits(&self, gray: u32) -> u32 {
        (0..BITS)
            .filter(|bit| gray >> bit & 1 == 1)
            .fold(self.shift, |digits, bit| digits ^ self.columns[bit])
    }

    /// Multiplies every column by a random lower triangular matrix of bits with ones on its
    /// diagonal, so that each digit is changed by the more significant ones only.
    fn scramble(&mut self, seed: u64, index: u64) {
        let mut rng = stream(seed, Purpose::SCRAMBLE, index);
        self.shift = rng.next_u32();
        let rows: [u32; BITS] = std::array::from_fn(|digit| {
            let diagonal = 1 << (BITS - 1 - digit);
            let more_significant = !(u32::MAX >> digit);
            diagonal | (rng.next_u32() & more_significant)
        });
        for column in &mut self.columns {
            *column = rows.iter().fold(0, |product, row| {
                product << 1 | (row & *column).count_ones() & 1
            });
        }
    }
}

/// The direction numbers of one dimension by the recurrence of Joe and Kuo (2008), equations 2 and
/// 3, the most significant digit first.
fn columns(polynomial: u32, initial: &[u32]) -> [u32; BITS] {
    let degree = initial.len();
    let mut numbers = [1_u64; BITS];
    for (number, &m) in numbers.iter_mut().zip(initial) {
        *number = u64::from(m);
    }
    // The first dimension has degree nought and keeps its ones.
    if degree > 0 {
        for j in degree..BITS {
            numbers[j] = numbers[j - degree];
            for k in 1..=degree {
                if polynomial >> (degree - k) & 1 == 1 {
                    numbers[j] ^= numbers[j - k] << k;
                }
            }
        }
    }
    std::array::from_fn(|j| (numbers[j] << (BITS - 1 - j)) as u32)
}
