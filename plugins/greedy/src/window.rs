//! The mean of the last metrics.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A running mean over the last `size` values; a partial window averages what it holds.
///
/// It keeps a running sum, as the reference implementation does, so that both round alike. A NaN
/// therefore stays in the sum after it has left the window: hand in finite values only, unless
/// that behaviour is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    size: usize,
    values: VecDeque<f64>,
    sum: f64,
}

impl Window {
    /// An empty window of this many values, at least one.
    pub fn new(size: usize) -> Self {
        Window {
            size,
            values: VecDeque::new(),
            sum: 0.0,
        }
    }

    /// Takes a value in and returns the mean.
    pub fn mean_with(&mut self, value: f64) -> f64 {
        self.values.push_back(value);
        self.sum += value;
        if self.values.len() > self.size
            && let Some(oldest) = self.values.pop_front()
        {
            self.sum -= oldest;
        }
        self.sum / self.values.len() as f64
    }

    /// Forgets every value.
    pub fn clear(&mut self) {
        *self = Window::new(self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_averages_the_last_values() {
        let mut window = Window::new(3);
        let means = [1.0, 3.0, 5.0, 7.0, 0.0].map(|value| window.mean_with(value));
        assert_eq!(means, [1.0, 2.0, 3.0, 5.0, 4.0]);
    }

    #[test]
    fn clearing_forgets_even_a_nan() {
        let mut window = Window::new(2);
        for value in [f64::NAN, 1.0, 1.0, 1.0] {
            assert!(window.mean_with(value).is_nan());
        }
        window.clear();
        assert_eq!(window.mean_with(4.0), 4.0);
    }
}
