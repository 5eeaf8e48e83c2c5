//! Random streams that do not depend on the order in which they are drawn from.
//!
//! Every use of chance in a trial has a stream of its own, named by (seed, purpose, index), the
//! index being an epoch, a batch, a class or a tensor. The name is the key of a ChaCha8 generator. So a
//! trial is the same bit for bit whatever runs beside it and in whatever pieces it is advanced.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Which rows train, validate and test; the index is the class.
    Split,
    /// Initial weights; the index is that of the tensor among those that are drawn.
    Init,
    /// The order of the training rows; the index is the epoch.
    Shuffle,
    /// Dropout masks; the index is the batch.
    Dropout,
    /// What a task draws for a batch; the index is the batch.
    Noise,
    /// What a task's author draws; the index is 0.
    Own,
}

impl Purpose {
    fn name(self) -> [u8; 8] {
        match self {
            Purpose::Split => *b"t-split ",
            Purpose::Init => *b"t-init  ",
            Purpose::Shuffle => *b"t-order ",
            Purpose::Dropout => *b"t-drop  ",
            Purpose::Noise => *b"t-noise ",
            Purpose::Own => *b"t-own   ",
        }
    }
}

/// A stream of random numbers, for tasks and whoever makes up data for them.
#[derive(Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of a seed, which is no other that a trial draws from.
    pub fn new(seed: u64) -> Self {
        Random::of(seed, Purpose::Own, 0)
    }

    pub(crate) fn of(seed: u64, purpose: Purpose, index: u64) -> Self {
        Random(stream(seed, purpose, index))
    }

    /// The next number, uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        0.5 + 0.5 * symmetric(&mut self.0)
    }

    /// The next number of the standard normal distribution.
    pub fn normal(&mut self) -> f64 {
        normal(&mut self.0)
    }

    /// The next whole number, uniform in [0, bound); 0 where the bound is.
    pub fn below(&mut self, bound: usize) -> usize {
        match bound {
            0 => 0,
            bound => below(bound as u64, &mut self.0) as usize,
        }
    }
}

/// The stream of (seed, purpose, index), from its beginning.
pub(crate) fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&purpose.name());
    key[16..24].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// The next number in [-1, 1), a multiple of 2⁻⁵².
pub(crate) fn symmetric(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// The next number of the standard normal distribution (Box and Muller 1958; the second of each pair
/// is left out).
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let [radius, turn] = [(); 2].map(|()| 0.5 + 0.5 * symmetric(rng));
    // In (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - radius).ln()).sqrt();
    radius * (std::f64::consts::TAU * turn).cos()
}

/// Puts the items into a uniformly random order (Fisher and Yates).
pub(crate) fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last as u64 + 1, rng) as usize);
    }
}

/// The next whole number in [0, bound), without bias (Lemire 2019, algorithm 5).
pub(crate) fn below(bound: u64, rng: &mut ChaCha8Rng) -> u64 {
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        if product as u64 >= bound.wrapping_neg() % bound {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Purpose, normal, shuffle, stream, symmetric};
    use rand::Rng;

    #[test]
    fn a_stream_is_its_name_and_nothing_else() {
        let first = |seed, purpose, index| stream(seed, purpose, index).next_u64();
        assert_eq!(first(1, Purpose::Init, 2), first(1, Purpose::Init, 2));
        assert_ne!(first(1, Purpose::Init, 2), first(2, Purpose::Init, 1));
        assert_ne!(first(1, Purpose::Init, 2), first(1, Purpose::Shuffle, 2));
        assert_ne!(first(1, Purpose::Init, 2), first(1, Purpose::Init, 3));
    }

    #[test]
    fn every_order_of_three_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for index in 0..6_000 {
            let mut items = [0, 1, 2];
            shuffle(&mut items, &mut stream(0, Purpose::Shuffle, index));
            *counts.entry(items).or_insert(0_u32) += 1;
        }
        // The chi-square statistic with five degrees of freedom exceeds 20.5 once in a thousand.
        let statistic: f64 = counts
            .values()
            .map(|&count| (f64::from(count) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert_eq!(counts.len(), 6);
        assert!(statistic < 20.5, "{counts:?}");
    }

    #[test]
    fn normal_numbers_have_the_moments_of_their_distribution() {
        let mut rng = stream(3, Purpose::Init, 0);
        let drawn: Vec<f64> = (0..10_000).map(|_| normal(&mut rng)).collect();
        let moment = |power| drawn.iter().map(|x| x.powi(power)).sum::<f64>() / 10_000.0;
        let found = [1, 2, 3, 4].map(moment);
        for ((found, expected), within) in found
            .iter()
            .zip([0.0, 1.0, 0.0, 3.0])
            .zip([0.04, 0.05, 0.13, 0.35])
        {
            assert!((found - expected).abs() < within, "{found} {expected}");
        }
    }

    #[test]
    fn symmetric_numbers_fill_their_interval() {
        let mut rng = stream(3, Purpose::Init, 0);
        let drawn: Vec<f64> = (0..10_000).map(|_| symmetric(&mut rng)).collect();
        assert!(drawn.iter().all(|x| (-1.0..1.0).contains(x)));
        let mean = drawn.iter().sum::<f64>() / 10_000.0;
        let square = drawn.iter().map(|x| x * x).sum::<f64>() / 10_000.0;
        assert!(mean.abs() < 0.02 && (square - 1.0 / 3.0).abs() < 0.01);
    }
}
