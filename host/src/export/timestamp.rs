//! Points in time as ISO 8601 text, the one form that Python writes and reads.

use std::fmt;

const MICROS_A_DAY: i64 = 86_400 * 1_000_000;

/// The largest span from 1970 that is written or read, in days: the years 1 to 9999.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;

/// A point in time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp {
    /// Microseconds since 1970.
    micros: i64,
}

impl Timestamp {
    /// From milliseconds since 1970; the last microsecond of the year 9999 for anything later.
    pub(crate) fn from_unix_ms(ms: u64) -> Self {
        let last = (DAYS.end() + 1) * MICROS_A_DAY - 1;
        let micros = i64::try_from(ms).ok().and_then(|ms| ms.checked_mul(1000));
        Timestamp {
            micros: micros.unwrap_or(last).min(last),
        }
    }

    /// Milliseconds since 1970; 0 for anything before.
    pub(crate) fn unix_ms(self) -> u64 {
        u64::try_from(self.micros.div_euclid(1000)).unwrap_or(0)
    }

    /// This much later; not before 1970 and not after the year 9999. What is not a number of
    /// seconds is none.
    pub(crate) fn plus_seconds(self, seconds: f64) -> Self {
        // A float turns into the nearest whole number there is, and NaN into 0.
        let ms = (seconds * 1000.0) as i64;
        let sum = (self.unix_ms() as i64).saturating_add(ms).max(0);
        Timestamp::from_unix_ms(sum as u64)
    }

    /// Seconds since an earlier one.
    pub(crate) fn seconds_since(self, earlier: Timestamp) -> f64 {
        (self.micros - earlier.micros) as f64 / 1e6
    }

    /// Reads `2026-01-31T12:00:00.123456+00:00`. The fraction may have any number of digits or be
    /// missing; without an offset the time is taken as UTC.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let rest = rest.strip_prefix(['T', ' '])?;
        let (time, rest) = rest.split_at_checked(8)?;
        let [year, month, day] = three(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = three(time, ':', [2, 2, 2])?;
        let in_range = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !in_range {
            return None;
        }
        let (fraction, offset) = match rest.strip_prefix('.') {
            Some(rest) => {
                let end = rest
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(rest.len());
                rest.split_at_checked(end)?
            }
            None => ("", rest),
        };
        let mut micros = 0;
        for at in 0..6 {
            let digit = fraction
                .as_bytes()
                .get(at)
                .map_or(0, |b| i64::from(b - b'0'));
            micros = micros * 10 + digit;
        }
        let seconds = (hour * 60 + minute) * 60 + second - offset_seconds(offset)?;
        let days = days_from_civil(year, month, day);
        Some(Timestamp {
            micros: days * MICROS_A_DAY + seconds * 1_000_000 + micros,
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.micros.div_euclid(MICROS_A_DAY);
        let (year, month, day) = civil_from_days(days.clamp(*DAYS.start(), *DAYS.end()));
        let in_day = self.micros.rem_euclid(MICROS_A_DAY);
        let (seconds, micros) = (in_day / 1_000_000, in_day % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00"
        )
    }
}

/// Three whole numbers of so many digits each.
fn three(text: &str, between: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let whole = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        *number = part.parse().ok().filter(|_| whole)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// `+02:00`, `Z` or nothing.
fn offset_seconds(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first() {
        None | Some(b'Z') if text.len() <= 1 => return Some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |part: &str| -> Option<i64> {
        let whole = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse().ok().filter(|_| whole)
    };
    Some(sign * (two(hours)? * 3600 + two(minutes)? * 60))
}

/// Days since 1970 of a date of the Gregorian calendar. Years are counted from March, so that the
/// leap day is their last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The other way round.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        // From Python: datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(...)
        let table = [
            (0, "1970-01-01T00:00:00.000000+00:00"),
            (951_782_399_999, "2000-02-28T23:59:59.999000+00:00"),
            (951_782_400_000, "2000-02-29T00:00:00.000000+00:00"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000000+00:00"),
            (1_767_225_599_001, "2025-12-31T23:59:59.001000+00:00"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000000+00:00"),
            (253_402_300_799_000, "9999-12-31T23:59:59.000000+00:00"),
        ];
        for (ms, text) in table {
            assert_eq!(Timestamp::from_unix_ms(ms).to_string(), text);
            assert_eq!(Timestamp::parse(text).unwrap().unix_ms(), ms);
        }
        let last = Timestamp::from_unix_ms(u64::MAX).to_string();
        assert_eq!(last, "9999-12-31T23:59:59.999999+00:00");
        assert_eq!(Timestamp::parse(&last).unwrap().to_string(), last);
    }

    #[test]
    fn offsets_fractions_and_spans_are_understood() {
        let noon = Timestamp::parse("2026-01-31T12:00:00").unwrap();
        for same in [
            "2026-01-31T12:00:00Z",
            "2026-01-31 12:00:00.0",
            "2026-01-31T14:30:00.000000+02:30",
            "2026-01-30T23:00:00-13:00",
        ] {
            assert_eq!(Timestamp::parse(same).unwrap(), noon, "{same}");
        }
        let later = Timestamp::parse("2026-01-31T12:01:00.2500009Z").unwrap();
        assert_eq!(later.seconds_since(noon), 60.25);
        assert_eq!(noon.plus_seconds(60.25), later);
        for odd in [f64::NAN, f64::NEG_INFINITY, f64::INFINITY, -1e300] {
            noon.plus_seconds(odd).to_string();
        }
        assert_eq!(noon.plus_seconds(f64::NAN), noon);
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "2026-01-31",
            "2026-13-31T12:00:00",
            "2026-01-31T24:00:00",
            "2026-01-31T12:00:00+0200",
            "2026-01-31T12:00:00.5x",
            "+026-01-31T12:00:00",
            "2026-01-31T12:00:0é",
            "20é6-01-31T12:00:00",
            "0000-01-01T00:00:00",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text:?}");
        }
    }
}
