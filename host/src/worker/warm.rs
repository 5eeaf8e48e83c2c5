//! Things that are kept for when they are needed again, the least recently used let go first.

/// A bounded store of values by key, each of some weight.
#[derive(Debug)]
pub(crate) struct Warm<K, V> {
    most: usize,
    most_weight: u64,
    /// The least recently used first.
    kept: Vec<(K, u64, V)>,
}

impl<K: PartialEq, V> Warm<K, V> {
    /// Keeps so many values, of so much weight together.
    pub(crate) fn new(most: usize, most_weight: u64) -> Self {
        Warm {
            most,
            most_weight,
            kept: Vec::new(),
        }
    }

    /// Takes a value out.
    pub(crate) fn take(&mut self, key: &K) -> Option<V> {
        let at = self.kept.iter().position(|(kept, ..)| kept == key)?;
        Some(self.kept.remove(at).2)
    }

    /// Puts a value in as the one used last, in place of one of the same key, and lets go of what is
    /// too much: of the value itself, where it alone is.
    pub(crate) fn put(&mut self, key: K, weight: u64, value: V) {
        self.take(&key);
        self.kept.push((key, weight, value));
        while self.kept.len() > self.most || self.weight() > self.most_weight {
            self.kept.remove(0);
        }
    }

    fn weight(&self) -> u64 {
        let weights = self.kept.iter().map(|(_, weight, _)| *weight);
        weights.fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(warm: &Warm<u32, &str>) -> Vec<u32> {
        warm.kept.iter().map(|(key, ..)| *key).collect()
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut warm = Warm::new(3, u64::MAX);
        for key in 0..3 {
            warm.put(key, 1, "first");
        }
        assert_eq!(warm.take(&0), Some("first"));
        assert_eq!(warm.take(&0), None);
        warm.put(0, 1, "again");
        warm.put(3, 1, "new");
        assert_eq!(keys(&warm), [2, 0, 3]);
        warm.put(2, 1, "replaced");
        assert_eq!(keys(&warm), [0, 3, 2]);
        assert_eq!(warm.take(&2), Some("replaced"));
    }

    #[test]
    fn all_together_are_not_too_heavy() {
        let mut warm = Warm::new(10, 100);
        warm.put(1, 60, "");
        warm.put(2, 30, "");
        assert_eq!(keys(&warm), [1, 2]);
        warm.put(3, 11, "");
        assert_eq!(keys(&warm), [2, 3]);
        warm.put(4, 101, "");
        assert!(keys(&warm).is_empty());
        warm.put(5, u64::MAX, "");
        assert!(keys(&warm).is_empty());
    }
}
