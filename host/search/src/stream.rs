//! Random streams that do not depend on the order in which they are drawn from.
//!
//! Every use of chance has a stream of its own, named by (seed, purpose, index), the index usually
//! being a trial's number. The name *is* the key of a ChaCha8 generator: its 32 bytes are
//!
//! ```text
//! seed, little endian | purpose, eight ASCII letters | index, little endian | eight zeros
//! ```
//!
//! Different names are therefore different keys, and ChaCha's rounds do the mixing, so no stream
//! tells anything about another. Values are taken from the 64-bit output directly rather than
//! through a distribution library, whose algorithms may change between releases.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// What a stream is for: eight ASCII letters that are part of its key.
///
/// A caller may name purposes of its own; two purposes never share a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Purpose(pub [u8; 8]);

impl Purpose {
    /// A trial's first suggestion.
    pub const SUGGEST: Purpose = Purpose(*b"suggest ");
    /// The suggestions after a quasi-random one that was already taken.
    pub const REDRAW: Purpose = Purpose(*b"redraw  ");
    /// The scrambling of one dimension of a quasi-random sequence.
    pub const SCRAMBLE: Purpose = Purpose(*b"scramble");
}

/// The stream of (seed, purpose, index), from its beginning.
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&purpose.0);
    key[16..24].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// The next number in [0, 1), a multiple of 2⁻⁵³.
pub fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::{Purpose, stream, unit};
    use rand::Rng;

    #[test]
    fn a_stream_is_its_name_and_nothing_else() {
        let first = |seed, purpose, index| stream(seed, purpose, index).next_u64();
        assert_eq!(first(1, Purpose::SUGGEST, 2), first(1, Purpose::SUGGEST, 2));
        let others = [
            first(1, Purpose::SUGGEST, 2),
            first(2, Purpose::SUGGEST, 1),
            first(1, Purpose::REDRAW, 2),
            first(1, Purpose::SUGGEST, 3),
            first(2, Purpose::SUGGEST, 2),
        ];
        for (i, a) in others.iter().enumerate() {
            assert!(others[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn unit_numbers_fill_the_unit_interval_evenly() {
        let mut rng = stream(0, Purpose::SUGGEST, 0);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            counts[(unit(&mut rng) * 10.0) as usize] += 1;
        }
        // The chi-square statistic with nine degrees of freedom exceeds 27.9 once in a thousand.
        let statistic: f64 = counts
            .iter()
            .map(|&count| (f64::from(count) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!(statistic < 27.9, "{counts:?}");
    }
}
