//! How numbers, rates and times are written for people.

use attune_protocol::{Number, Scalar};
use std::time::Duration;

/// Four significant digits, without trailing zeros, in scientific form where that is shorter.
pub fn significant(value: f64) -> String {
    Scalar::Float(Number(value)).to_string()
}

/// A time in at most two units, such as `350 ms`, `4.2 s`, `1m 05s` or `3h 20m`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.as_millis() < 1000 && time.as_millis() > 0 => format!("{} ms", time.as_millis()),
        0..10 => format!("{:.1} s", time.as_millis() as f64 / 1000.0),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A running clock, which shows whole seconds only.
pub(crate) fn clock(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        _ => duration(time),
    }
}

/// Seconds as they cross the wire; what is negative or not a number counts as none.
pub(crate) fn seconds(value: Number) -> Duration {
    Duration::try_from_secs_f64(value.0).unwrap_or_default()
}

/// Bytes for people, such as `12 MB`, in powers of a thousand.
pub fn bytes(count: u64) -> String {
    let (mut value, mut units) = (count as f64, ["kB", "MB", "GB", "TB"].iter());
    let mut unit = "bytes";
    while value >= 1000.0
        && let Some(next) = units.next()
    {
        value /= 1000.0;
        unit = next;
    }
    match unit {
        "bytes" => format!("{count} bytes"),
        unit if value < 10.0 => format!("{value:.1} {unit}"),
        unit => format!("{value:.0} {unit}"),
    }
}

/// How long ago something was, such as `just now`, `5 min ago` or `3 days ago`.
pub(crate) fn ago(then_unix_ms: u64, now_unix_ms: u64) -> String {
    let minutes = now_unix_ms.saturating_sub(then_unix_ms) / 60_000;
    match minutes {
        0 => "just now".to_owned(),
        1..60 => format!("{minutes} min ago"),
        60..1440 => format!("{} h ago", minutes / 60),
        1440..2880 => "yesterday".to_owned(),
        _ => format!("{} days ago", minutes / 1440),
    }
}

/// A metric's value: four decimals below ten, so that close results differ, and fewer digits
/// behind the point the larger it is.
pub(crate) fn metric(value: f64) -> String {
    let magnitude = value.abs();
    match magnitude {
        _ if magnitude == 0.0 => "0.0000".to_owned(),
        _ if !(1e-3..1e5).contains(&magnitude) => significant(value),
        _ if magnitude < 10.0 => format!("{value:.4}"),
        _ if magnitude < 100.0 => format!("{value:.3}"),
        _ if magnitude < 1000.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    }
}

/// A learning rate with three significant digits, in scientific form below one thousandth.
pub(crate) fn rate(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || !value.is_finite() {
        significant(value)
    } else if (1e-3..1e3).contains(&magnitude) {
        let decimals = (2 - magnitude.log10().floor() as i32).max(0) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        let table = [
            (0, "0.0 s"),
            (350, "350 ms"),
            (4_250, "4.2 s"),
            (59_900, "59 s"),
            (65_000, "1m 05s"),
            (12_000_000, "3h 20m"),
            (200_000_000, "2d 07h"),
        ];
        for (millis, shown) in table {
            assert_eq!(duration(Duration::from_millis(millis)), shown);
        }
        assert_eq!(clock(Duration::from_millis(4_900)), "4 s");
        assert_eq!(seconds(Number(f64::NAN)), Duration::ZERO);
        assert_eq!(seconds(Number(-1.0)), Duration::ZERO);
    }

    #[test]
    fn metrics_keep_the_digits_that_tell_results_apart() {
        let table = [
            (0.98125, "0.9812"),
            (1.0, "1.0000"),
            (0.0, "0.0000"),
            (0.00012, "1.2e-4"),
            (53.2141, "53.214"),
            (1234.56, "1234.6"),
            (-0.25, "-0.2500"),
            (f64::NAN, "NaN"),
        ];
        for (value, shown) in table {
            assert_eq!(metric(value), shown);
        }
    }

    #[test]
    fn rates_have_three_digits() {
        let table = [
            (0.05, "0.0500"),
            (0.1, "0.100"),
            (0.001, "0.00100"),
            (0.000123456, "1.23e-4"),
            (1.5, "1.50"),
            (0.0, "0"),
            (f64::INFINITY, "inf"),
        ];
        for (value, shown) in table {
            assert_eq!(rate(value), shown);
        }
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_reads_best() {
        for (value, told) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (12_345_678, "12 MB"),
            (10_000_000_000, "10 GB"),
        ] {
            assert_eq!(bytes(value), told);
        }
    }

    #[test]
    fn ages_are_rounded_down() {
        let minute = 60_000;
        let table = [
            (0, "just now"),
            (5 * minute, "5 min ago"),
            (61 * minute, "1 h ago"),
            (1441 * minute, "yesterday"),
            (4321 * minute, "3 days ago"),
        ];
        for (age, shown) in table {
            assert_eq!(ago(1_000, 1_000 + age), shown);
        }
        assert_eq!(ago(2_000, 1_000), "just now", "clocks may differ");
    }
}
