//! Dates as people write them, as days since 1970-01-01.

use serde::{Deserialize, Serialize};

/// How a column writes its dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DateForm {
    /// `2024-03-31` or `2024/3/31`, with or without a time of day after it.
    YearMonthDay,
    /// `31.3.2024`.
    DottedDayMonthYear,
    /// `3/31/2024`. Tried before the next one, so a column without a day above 12 is read so.
    MonthDayYear,
    /// `31/3/2024`.
    DayMonthYear,
}

impl DateForm {
    /// Every form, in the order in which a column tries them.
    pub(crate) const ALL: [DateForm; 4] = [
        DateForm::YearMonthDay,
        DateForm::DottedDayMonthYear,
        DateForm::MonthDayYear,
        DateForm::DayMonthYear,
    ];

    /// What the report calls it.
    pub(crate) fn pattern(self) -> &'static str {
        match self {
            DateForm::YearMonthDay => "year-month-day",
            DateForm::DottedDayMonthYear => "day.month.year",
            DateForm::MonthDayYear => "month/day/year",
            DateForm::DayMonthYear => "day/month/year",
        }
    }

    /// Reads a date, or nothing where the cell is not one in this form.
    pub(crate) fn read(self, cell: &str) -> Option<Date> {
        let cell = cell.trim();
        let (date, time) = match cell.find(['T', ' ']) {
            Some(at) => (&cell[..at], Some(&cell[at + 1..])),
            None => (cell, None),
        };
        let separator = match self {
            DateForm::YearMonthDay if date.contains('-') => '-',
            DateForm::DottedDayMonthYear => '.',
            _ => '/',
        };
        let mut parts = date.split(separator);
        let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (year, month, day) = match self {
            DateForm::YearMonthDay => (a, b, c),
            DateForm::DottedDayMonthYear | DateForm::DayMonthYear => (c, b, a),
            DateForm::MonthDayYear => (c, a, b),
        };
        let (year, month, day) = (
            digits(year, 4, 4)?,
            digits(month, 1, 2)?,
            digits(day, 1, 2)?,
        );
        let valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        let fraction = time.map_or(Some(0.0), time_of_day)?;
        valid.then(|| Date {
            days: days_since_epoch(year, month, day),
            fraction,
            month,
        })
    }
}

/// A day, with the time of day as a fraction of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Date {
    days: i64,
    fraction: f64,
    month: i64,
}

impl Date {
    /// Days since 1970-01-01.
    pub(crate) fn days(self) -> f64 {
        self.days as f64 + self.fraction
    }

    /// Where in the year: 0 for January, 11/12 for December.
    pub(crate) fn month_turn(self) -> f64 {
        (self.month - 1) as f64 / 12.0
    }

    /// Where in the week: 0 for Monday, 6/7 for Sunday.
    pub(crate) fn weekday_turn(self) -> f64 {
        // 1970-01-01 was a Thursday.
        (self.days + 3).rem_euclid(7) as f64 / 7.0
    }
}

/// A number of between `least` and `most` digits.
fn digits(text: &str, least: usize, most: usize) -> Option<i64> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

/// `13:45`, `13:45:10`, `13:45:10.5`, each with an optional zone, which is ignored: the zone of a
/// column is nearly always the same, and half a day matters little.
fn time_of_day(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches('Z');
    let text = text.split(['+', '-']).next()?;
    let mut parts = text.split(':');
    let hours = digits(parts.next()?, 1, 2)?;
    let minutes = digits(parts.next()?, 2, 2)?;
    let seconds: f64 = parts.next().map_or(Some(0.0), |s| s.parse().ok())?;
    let valid = hours < 24 && minutes < 60 && (0.0..61.0).contains(&seconds);
    (valid && parts.next().is_none())
        .then(|| (hours * 3600 + minutes * 60) as f64 / 86_400.0 + seconds / 86_400.0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so
/// that the leap day is a year's last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let before_year = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let before_month = (153 * month + 2) / 5;
    before_year + before_month + day - 1 - 719_468
}

/// A day as `2024-03-31`, or nothing where its year has not four digits.
pub(crate) fn written(days: i64) -> Option<String> {
    // From 0000-01-01 to 9999-12-31.
    if !(-719_528..=2_932_896).contains(&days) {
        return None;
    }
    // Hinnant's civil_from_days: in eras of 400 years from March.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    Some(format!(
        "{:04}-{month:02}-{day:02}",
        year + era * 400 + carry
    ))
}

#[cfg(test)]
mod tests {
    use super::{DateForm, written};

    #[test]
    fn days_are_written_as_they_are_read() {
        for days in (-719_528..=2_932_896).step_by(13) {
            let text = written(days).unwrap();
            let read = DateForm::YearMonthDay.read(&text).unwrap();
            assert_eq!(read.days(), days as f64, "{text}");
        }
        assert_eq!((written(-719_529), written(2_932_897)), (None, None));
    }

    #[test]
    fn days_agree_with_the_calendar() {
        let table = [
            (DateForm::YearMonthDay, "1970-01-01", 0.0),
            (DateForm::YearMonthDay, "2000-02-29", 11_016.0),
            (DateForm::YearMonthDay, "2024/3/1", 19_783.0),
            (DateForm::YearMonthDay, "1969-12-31T12:00:00Z", -0.5),
            (DateForm::YearMonthDay, "1970-01-02 06:00:00.0+02:00", 1.25),
            (DateForm::DottedDayMonthYear, "31.12.1999", 10_956.0),
            (DateForm::MonthDayYear, "12/31/1999", 10_956.0),
            (DateForm::DayMonthYear, "31/12/1999", 10_956.0),
        ];
        for (form, cell, days) in table {
            assert_eq!(form.read(cell).unwrap().days(), days, "{cell}");
        }
    }

    #[test]
    fn what_is_not_a_date_is_not_read_as_one() {
        for cell in [
            "2023-02-29",
            "2024-13-01",
            "24-01-01",
            "2024-1",
            "1.5.2024",
            "2024-01-01 25:00",
        ] {
            assert!(DateForm::YearMonthDay.read(cell).is_none(), "{cell}");
        }
        assert!(DateForm::MonthDayYear.read("31/12/1999").is_none());
    }

    #[test]
    fn months_and_weekdays_turn() {
        // A Sunday in December.
        let date = DateForm::YearMonthDay.read("2023-12-31").unwrap();
        assert_eq!(date.month_turn(), 11.0 / 12.0);
        assert_eq!(date.weekday_turn(), 6.0 / 7.0);
    }
}
