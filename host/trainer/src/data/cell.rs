//! One cell of a table: missing, a number, a truth value or text.

/// Cells that say that there is no value, without regard to case.
const MISSING: [&str; 7] = ["", "na", "n/a", "nan", "null", "?", "-"];

/// Beyond this magnitude sums of squares overflow; such cells are read as missing.
const LARGEST: f64 = 1e100;

/// The share of numbers that a column of numbers has at least. Broken sensors and spreadsheets
/// leave far more than a few `error` or `offline` behind, and the numbers beside them are still
/// worth learning from; categories that happen to be numbered rarely come so close. Somewhat below
/// 70 %, because training rows are a sample: a file with 30 % of text must not depend on the seed.
const FEWEST_NUMBERS: f64 = 0.65;

/// Whether the cell says that there is no value.
pub(crate) fn is_missing(cell: &str) -> bool {
    let cell = cell.trim();
    // The longest marker has four letters: most cells are settled without comparing.
    cell.len() <= 4
        && MISSING
            .iter()
            .any(|marker| cell.eq_ignore_ascii_case(marker))
}

/// The cell as a finite number of reasonable size.
pub(crate) fn number(cell: &str) -> Option<f64> {
    let value: f64 = cell.trim().parse().ok()?;
    (value.abs() <= LARGEST).then_some(value)
}

/// Where the comma of a number stands that is written with a decimal comma, as `-1,5`.
pub(crate) fn decimal_comma(cell: &str) -> Option<usize> {
    let (whole, part) = cell.split_once(',')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.trim_start();
    let unsigned = unsigned.strip_prefix(['-', '+']).unwrap_or(unsigned);
    (digits(unsigned) && digits(part.trim_end())).then_some(whole.len())
}

/// Whether a number with a comma may as well be one of thousands, as `12,345`.
pub(crate) fn may_be_thousands(cell: &str) -> bool {
    cell.trim().split_once(',').is_some_and(|(whole, part)| {
        let whole = whole.trim_start_matches(['-', '+']);
        part.len() == 3 && whole.len() <= 3 && !whole.starts_with('0')
    })
}

/// Whether so many numbers among the cells that are present make a column of numbers, whose other
/// cells are mistakes or gaps that somebody put into words.
pub(crate) fn mostly_numbers(numbers: usize, present: usize) -> bool {
    numbers > 0 && numbers as f64 >= FEWEST_NUMBERS * present as f64
}

/// The cell as a truth value written in words.
pub(crate) fn truth(cell: &str) -> Option<bool> {
    const TRUE: [&str; 5] = ["true", "yes", "y", "t", "on"];
    const FALSE: [&str; 5] = ["false", "no", "n", "f", "off"];
    let cell = cell.trim();
    let is_one_of = |words: [&str; 5]| words.iter().any(|word| cell.eq_ignore_ascii_case(word));
    match (is_one_of(TRUE), is_one_of(FALSE)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{decimal_comma, is_missing, may_be_thousands, number, truth};

    #[test]
    fn missing_markers_are_known_in_any_case() {
        for cell in ["", "  ", "NA", "n/a", "NaN", "NULL", "?", "-"] {
            assert!(is_missing(cell), "{cell:?}");
        }
        for cell in ["0", "none", "--", "nano", "-1", "Ä"] {
            assert!(!is_missing(cell), "{cell:?}");
        }
    }

    #[test]
    fn numbers_are_finite_and_of_reasonable_size() {
        assert_eq!(number(" -1.5e3 "), Some(-1500.0));
        for cell in ["inf", "-infinity", "nan", "1e101", "1,5", "12 kg", ""] {
            assert_eq!(number(cell), None, "{cell:?}");
        }
    }

    #[test]
    fn a_decimal_comma_stands_between_digits() {
        assert_eq!(decimal_comma("1,5"), Some(1));
        assert_eq!(decimal_comma(" -12,25 "), Some(4));
        for cell in [
            "1.5", "15", ",5", "1,", "1,2,3", "1.234,5", "a,b", "1, 5", "--1,5",
        ] {
            assert_eq!(decimal_comma(cell), None, "{cell:?}");
        }
        for (cell, may) in [
            ("12,345", true),
            ("-1,000 ", true),
            ("0,125", false),
            ("1234,567", false),
            ("1,25", false),
        ] {
            assert_eq!(may_be_thousands(cell), may, "{cell:?}");
        }
    }

    #[test]
    fn truth_is_written_in_words() {
        assert_eq!(truth("Yes"), Some(true));
        assert_eq!(truth("off"), Some(false));
        assert_eq!(truth("1"), None);
    }
}
