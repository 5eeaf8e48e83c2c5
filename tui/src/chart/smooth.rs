//! Smoothing: an exponential moving average that does not lean towards zero at its start.

use super::points::Points;
use std::ops::Range;

/// What older values may still weigh before they are forgotten.
const FORGOTTEN: f64 = 1e-12;

/// The moving average m(n) = w m(n-1) + (1 - w) y(n), divided by 1 - wⁿ (Kingma and Ba, "Adam",
/// 2015, section 3). Values that are not finite are left out.
#[derive(Debug, Clone)]
pub(super) struct Average {
    weight: f64,
    sum: f64,
    /// wⁿ: how much of the average is still the zero that it began with.
    unfilled: f64,
    /// After so many values what was before is forgotten.
    memory: usize,
}

impl Average {
    /// An average in which the past weighs `weight`, from 0 (no smoothing) to below 1.
    pub(super) fn new(weight: f64) -> Self {
        // A weight of one would never take anything in.
        let weight = weight.clamp(0.0, 0.9999);
        let memory = if weight > 0.0 {
            (FORGOTTEN.ln() / weight.ln()).ceil() as usize
        } else {
            1
        };
        Average {
            weight,
            sum: 0.0,
            unfilled: 1.0,
            memory,
        }
    }

    /// Where to begin, so that the average at `index` is what it would be from the first point on.
    pub(super) fn start(&self, index: usize) -> usize {
        index.saturating_sub(self.memory)
    }

    /// Takes in some points. Of more than it remembers, only the last are looked at.
    pub(super) fn take(&mut self, points: &Points<'_>, of: Range<usize>) {
        let from = of.end.saturating_sub(self.memory);
        let of = if from > of.start {
            (self.sum, self.unfilled) = (0.0, 1.0);
            from..of.end
        } else {
            of
        };
        match points {
            Points::Pairs(points) => self.take_all(&points[of], |p| p.1),
            Points::Numbers(points) => self.take_all(&points[of], |p| p.1.0),
            Points::Columns { ys, .. } => self.take_all(&ys[of], |y| *y),
            Points::Buckets(buckets) => self.take_all(&buckets[of], |b| b.mean.0),
        }
    }

    /// The average now; `None` before the first value.
    pub(super) fn value(&self) -> Option<f64> {
        (self.unfilled < 1.0).then(|| self.sum / (1.0 - self.unfilled))
    }

    fn take_all<T>(&mut self, of: &[T], value_of: impl Fn(&T) -> f64) {
        let w = self.weight;
        // Eight steps in one, so that they do not wait for each other.
        let weights: [f64; 8] = std::array::from_fn(|n| (1.0 - w) * w.powi(7 - n as i32));
        let w8 = w.powi(8);
        let (eights, rest) = of.as_chunks::<8>();
        for eight in eights {
            let mut taken = 0.0;
            for (value, weight) in eight.iter().zip(weights) {
                taken += weight * value_of(value);
            }
            if taken.is_finite() {
                self.sum = self.sum * w8 + taken;
                self.unfilled *= w8;
            } else {
                eight
                    .iter()
                    .for_each(|value| self.take_one(value_of(value)));
            }
        }
        rest.iter().for_each(|value| self.take_one(value_of(value)));
        // Numbers so small that they lose digits are slow to multiply.
        if self.unfilled < FORGOTTEN {
            self.unfilled = 0.0;
        }
    }

    fn take_one(&mut self, value: f64) {
        if value.is_finite() {
            self.sum = self.sum * self.weight + (1.0 - self.weight) * value;
            self.unfilled *= self.weight;
        }
    }
}

/// The average at a point, as it would be from the first point on.
pub(super) fn at(points: &Points<'_>, index: usize, weight: f64) -> f64 {
    let mut average = Average::new(weight);
    average.take(points, average.start(index + 1)..index + 1);
    average.value().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn averaged(ys: &[f64], weight: f64, pieces: usize) -> f64 {
        let xs = vec![0.0; ys.len()];
        let points = Points::Columns { xs: &xs, ys };
        let mut average = Average::new(weight);
        let mut from = average.start(ys.len());
        while from < ys.len() {
            let to = (from + pieces).min(ys.len());
            average.take(&points, from..to);
            from = to;
        }
        average.value().unwrap_or(f64::NAN)
    }

    #[test]
    fn it_begins_at_the_first_value_and_follows() {
        assert_eq!(averaged(&[3.0], 0.9, 1), 3.0);
        assert!((averaged(&[3.0; 50], 0.9, 7) - 3.0).abs() < 1e-12);
        assert!((averaged(&[1.0, 2.0], 0.5, 2) - 5.0 / 3.0).abs() < 1e-12);
        assert_eq!(averaged(&[1.0, 2.0, 7.0], 0.0, 2), 7.0);
        assert_eq!(averaged(&[f64::NAN, 4.0, f64::INFINITY], 0.9, 3), 4.0);
        assert!(averaged(&[f64::NAN], 0.9, 1).is_nan());
    }

    #[test]
    fn forgetting_and_steps_of_eight_change_nothing_that_can_be_seen() {
        let ys: Vec<f64> = (0..5000)
            .map(|n| (f64::from(n) * 0.7).sin() + f64::from(n))
            .collect();
        for weight in [0.5, 0.9, 0.97] {
            let mut exact = (0.0, 1.0);
            for y in &ys {
                exact = (exact.0 * weight + (1.0 - weight) * y, exact.1 * weight);
            }
            let exact = exact.0 / (1.0 - exact.1);
            for pieces in [1, 3, 100, 5000] {
                let found = averaged(&ys, weight, pieces);
                assert!(
                    (found - exact).abs() < 1e-6,
                    "{weight} {pieces}: {found} {exact}"
                );
            }
        }
    }
}
