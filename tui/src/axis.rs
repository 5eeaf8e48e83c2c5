//! Axes: where a value lies between its ends, and which values are labelled.

use crate::number::significant;
use crate::text::width;

/// An axis from `low` to `high`, both finite and apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    log: bool,
    /// Whether only whole numbers make sense.
    whole: bool,
    /// Where the low end lies on an even scale, and how far from there the high end is.
    start: f64,
    span: f64,
}

/// A labelled place of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// From 0 at the low end to 1 at the high one.
    pub(crate) place: f64,
    pub(crate) label: String,
}

/// A label below a level axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    /// The column of the value.
    pub(crate) column: usize,
    /// The column at which the label begins.
    pub(crate) start: usize,
    pub(crate) label: String,
}

impl Axis {
    /// The axis that just holds the values it can show: the finite ones, and on a logarithmic axis
    /// the positive ones of them. `None` where there are none.
    pub(crate) fn around(values: impl Iterator<Item = f64>, log: bool) -> Option<Axis> {
        let mut low = f64::INFINITY;
        let mut high = f64::NEG_INFINITY;
        let mut whole = !log;
        for value in values.filter(|&value| shows(value, log)) {
            low = low.min(value);
            high = high.max(value);
            whole &= value.fract() == 0.0 && value.abs() < 1e15;
        }
        if low > high {
            return None;
        }
        let mut axis = Axis {
            low,
            high,
            log,
            whole,
            start: 0.0,
            span: 0.0,
        };
        axis.scale();
        if !axis.apart() {
            axis.widen();
            axis.scale();
        }
        Some(axis)
    }

    /// The same axis, labelled at whole numbers only where there are some.
    pub(crate) fn whole(self, whole: bool) -> Axis {
        Axis { whole, ..self }
    }

    /// Its ends.
    pub(crate) fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Whether it is logarithmic.
    pub(crate) fn is_log(&self) -> bool {
        self.log
    }

    /// The least value that can be shown at all, however the ends lie.
    pub(crate) fn floor(log: bool) -> f64 {
        if log { f64::MIN_POSITIVE } else { f64::MIN }
    }

    /// Whether a value can be shown at all.
    pub(crate) fn shows(&self, value: f64) -> bool {
        shows(value, self.log)
    }

    /// Where a value lies, from 0 at the low end to 1 at the high one.
    pub(crate) fn place(&self, value: f64) -> f64 {
        self.place_beyond(value).clamp(0.0, 1.0)
    }

    /// Where a value lies, below 0 and above 1 for one beyond the ends.
    pub(crate) fn place_beyond(&self, value: f64) -> f64 {
        (even(value, self.log) - self.start) / self.span
    }

    /// The value at a place, a finite one.
    pub(crate) fn at(&self, place: f64) -> f64 {
        uneven(self.start + place * self.span, self.log)
    }

    /// About `wanted` round values between the ends, with labels of the same precision.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<Tick> {
        let wanted = wanted.max(2);
        let ticks = if self.log {
            self.log_ticks(wanted)
        } else {
            Vec::new()
        };
        if ticks.len() >= 2 {
            ticks
        } else {
            self.linear_ticks(wanted)
        }
    }

    /// Labels below a level axis of so many columns, each centred below its value but not beyond
    /// the axis's ends, at least two columns apart.
    pub(crate) fn labels(&self, columns: usize) -> Vec<Placed> {
        let mut placed: Vec<Placed> = Vec::new();
        let mut taken = 0;
        for tick in self.ticks((columns / 9).clamp(2, 10)) {
            let wide = width(&tick.label);
            let column = (tick.place * columns.saturating_sub(1) as f64).round() as usize;
            let start = column
                .saturating_sub(wide / 2)
                .min(columns.saturating_sub(wide));
            let clear = placed.is_empty() || start >= taken + 2;
            if clear && start + wide <= columns {
                taken = start + wide;
                placed.push(Placed {
                    column,
                    start,
                    label: tick.label,
                });
            }
        }
        placed
    }

    fn scale(&mut self) {
        self.start = even(self.low, self.log);
        self.span = even(self.high, self.log) - self.start;
    }

    fn apart(&self) -> bool {
        let distance = self.place(self.high) - self.place(self.low);
        self.high > self.low && distance.is_finite() && distance > 0.5
    }

    /// Gives a single value some room on both sides.
    fn widen(&mut self) {
        let middle = self.low / 2.0 + self.high / 2.0;
        if self.log {
            self.low = (middle / 2.0).max(f64::MIN_POSITIVE);
            self.high = (middle * 2.0).min(f64::MAX);
            return;
        }
        let room = match middle.abs() {
            _ if self.whole => 1.0,
            0.0 => 1.0,
            magnitude => (magnitude * 0.1).max(f64::MIN_POSITIVE),
        };
        self.low = (middle - room).max(f64::MIN);
        self.high = (middle + room).min(f64::MAX);
        self.scale();
        if !self.apart() {
            // Numbers so large or so small that the room around them is lost to rounding.
            self.low = middle - middle.abs();
            self.high = self.low.max(middle).max(1.0);
        }
    }

    fn tick(&self, value: f64, label: String) -> Tick {
        Tick {
            place: self.place(value),
            label,
        }
    }

    fn linear_ticks(&self, wanted: usize) -> Vec<Tick> {
        let range = self.high - self.low;
        let mut step = round_step(range / wanted as f64);
        if self.whole && step.fract() != 0.0 {
            // Of the steps that are not whole, 2.5 goes up to 5 and all others are below 1.
            step = if step > 1.0 { step * 2.0 } else { 1.0 };
        }
        let first = (self.low / step).ceil();
        let count = ((self.high / step).floor() - first + 1.0).max(0.0);
        if !range.is_finite() || !first.is_finite() || !(1.0..=50.0).contains(&count) {
            let ends = [self.low, self.high];
            return ends
                .map(|value| self.tick(value, significant(value)))
                .to_vec();
        }
        let largest = self.low.abs().max(self.high.abs());
        (0..count as usize)
            .map(|n| (first + n as f64) * step)
            .map(|value| self.tick(value, label(value, step, largest)))
            .collect()
    }

    /// Powers of ten, every second or third where there are many; where there are few, twos and
    /// fives as well.
    fn log_ticks(&self, wanted: usize) -> Vec<Tick> {
        let first = self.low.log10().ceil() as i32;
        let last = self.high.log10().floor() as i32;
        let inside = |value: f64| {
            // A power of ten may differ from an end only by rounding.
            (value >= self.low * (1.0 - 1e-9) && value <= self.high * (1.0 + 1e-9))
                .then(|| self.tick(value, significant(value)))
        };
        let decades = (last - first + 1).max(0) as usize;
        if decades >= 2 {
            let stride = decades.div_ceil(wanted);
            return (first..=last)
                .step_by(stride)
                .filter_map(|power| inside(ten_to(power)))
                .collect();
        }
        (first - 1..=last)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * ten_to(power)))
            .filter_map(inside)
            .collect()
    }
}

fn shows(value: f64, log: bool) -> bool {
    value.is_finite() && (!log || value >= f64::MIN_POSITIVE)
}

/// A value on a scale on which equal distances look equal.
pub(crate) fn even(value: f64, log: bool) -> f64 {
    if log {
        value.log10()
    } else {
        // Halved: the distance between two finite numbers may be infinite.
        value / 2.0
    }
}

/// The finite value at a place of an even scale.
pub(crate) fn uneven(place: f64, log: bool) -> f64 {
    let value = if log { 10f64.powf(place) } else { place * 2.0 };
    value.clamp(Axis::floor(log), f64::MAX)
}

/// The power of ten as its literal would be read; `powi` is off by a rounding error.
fn ten_to(power: i32) -> f64 {
    format!("1e{power}").parse().unwrap_or(f64::NAN)
}

/// The least of 1, 2, 2.5, 5 and 10 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = ten_to(step.log10().floor() as i32);
    let digits = [1.0, 2.0, 2.5, 5.0, 10.0];
    let found = digits
        .into_iter()
        .find(|digit| digit * power >= step * (1.0 - 1e-9));
    found.unwrap_or(10.0) * power
}

/// A label with as many digits as the step between two of them needs.
fn label(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    // The decimals at which the step itself is exact, for 2.5 one more than for 2.
    let exact = |decimals: &i32| {
        let scaled = step * ten_to(*decimals);
        (scaled - scaled.round()).abs() < 1e-6 * scaled
    };
    let power = step.log10().floor() as i32;
    let decimals = (-power..=1 - power).find(exact).unwrap_or(1 - power);
    if (1e-4..1e6).contains(&largest) && decimals <= 8 {
        let decimals = decimals.max(0) as usize;
        return format!("{value:.decimals$}");
    }
    let digits = (value.abs().log10().floor() as i32 + decimals).clamp(0, 8) as usize;
    format!("{value:.digits$e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, log: bool, wanted: usize) -> String {
        let axis = Axis::around([low, high].into_iter(), log).unwrap();
        let ticks = axis.ticks(wanted);
        assert!(ticks.windows(2).all(|pair| pair[0].place < pair[1].place));
        let labels: Vec<String> = ticks.into_iter().map(|tick| tick.label).collect();
        labels.join(" ")
    }

    #[test]
    fn ticks_are_round_values_of_one_precision() {
        let table = [
            (0.91, 0.983, 4, "0.92 0.94 0.96 0.98"),
            (0.0, 1.01, 6, "0 0.2 0.4 0.6 0.8 1.0"),
            (0.0, 0.99, 4, "0 0.25 0.50 0.75"),
            (0.0, 1.0, 4, "0 1"),
            (1.0, 20.0, 9, "5 10 15 20"),
            (1.0, 20.0, 5, "5 10 15 20"),
            (1.0, 3.0, 8, "1 2 3"),
            (7.0, 7.0, 4, "6 7 8"),
            (-1.5, 1.5, 4, "-1 0 1"),
            (0.0, 3.2e7, 4, "0 1e7 2e7 3e7"),
            (2e-6, 6e-6, 3, "2e-6 4e-6 6e-6"),
            (f64::MIN, f64::MAX, 4, "-1.798e308 1.798e308"),
        ];
        for (low, high, wanted, expected) in table {
            assert_eq!(
                labels(low, high, false, wanted),
                expected,
                "{low} to {high}"
            );
        }
    }

    #[test]
    fn a_logarithmic_axis_has_powers_of_ten() {
        let table = [
            (1e-5, 1e-1, 5, "1e-5 1e-4 0.001 0.01 0.1"),
            (1e-8, 1.0, 3, "1e-8 1e-5 0.01"),
            (0.01, 0.06, 4, "0.01 0.02 0.05"),
            (0.021, 0.024, 3, "0.021 0.022 0.023 0.024"),
            (0.05, 0.05, 4, "0.05 0.1"),
        ];
        for (low, high, wanted, expected) in table {
            assert_eq!(labels(low, high, true, wanted), expected, "{low} to {high}");
        }
    }

    #[test]
    fn an_axis_leaves_out_what_it_cannot_show() {
        let values = [f64::NAN, 0.0, -1.0, 0.1, f64::INFINITY, 0.001];
        let axis = Axis::around(values.into_iter(), true).unwrap();
        assert_eq!((axis.low, axis.high), (0.001, 0.1));
        assert!((axis.place(0.01) - 0.5).abs() < 1e-12);
        assert!(Axis::around([f64::NAN, 0.0].into_iter(), true).is_none());
    }

    #[test]
    fn every_pair_of_ends_gives_an_axis() {
        let ends = [
            f64::MIN,
            -1e-300,
            -0.0,
            5e-324,
            1e-300,
            1.0,
            1.0 + f64::EPSILON,
            1e300,
            f64::MAX,
        ];
        for low in ends {
            for high in ends {
                for log in [false, true] {
                    let Some(axis) = Axis::around([low, high].into_iter(), log) else {
                        continue;
                    };
                    assert!(axis.place(low).is_finite() || log, "{low} {high} {log}");
                    let ticks = axis.ticks(5);
                    assert!((1..=60).contains(&ticks.len()), "{low} {high} {log}");
                }
            }
        }
    }
}
