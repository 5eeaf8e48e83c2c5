//! Progress bars and spark lines.

use crate::style::{Ink, Style};
use ratatui::text::Span;

/// A bar, `columns` wide, of which `fraction` (cut to 0..=1) is done.
pub(crate) fn bar(fraction: f64, columns: usize, style: Style) -> Vec<Span<'static>> {
    let [full, half, left] = style.symbols().bar;
    let fraction = if fraction.is_finite() {
        fraction.clamp(0.0, 1.0)
    } else {
        0.0
    };
    // Rounded down, so that a bar is full only when everything is done.
    let halves = (fraction * 2.0 * columns as f64).floor() as usize;
    let mut done = full.repeat(halves / 2);
    // In ASCII half a cell looks like a whole one, and would run ahead.
    if halves % 2 == 1 && half != full {
        done.push_str(half);
    }
    let rest = columns - done.chars().count();
    vec![
        Span::styled(done, style.ink(Ink::Accent)),
        Span::styled(left.repeat(rest), style.ink(Ink::Dim)),
    ]
}

/// The last `columns` values as a line of small bars between their own lowest and highest. What
/// is not finite leaves a gap.
pub(crate) fn spark(values: &[f64], columns: usize, style: Style) -> String {
    let shown = &values[values.len().saturating_sub(columns)..];
    let finite = || shown.iter().copied().filter(|v| v.is_finite());
    let low = finite().fold(f64::INFINITY, f64::min);
    let high = finite().fold(f64::NEG_INFINITY, f64::max);
    let levels = style.symbols().sparks;
    let level = |value: f64| -> &'static str {
        if !value.is_finite() {
            return " ";
        }
        // Halved first: the distance between two finite numbers may be infinite.
        let range = high / 2.0 - low / 2.0;
        let place = if range > 0.0 {
            (value / 2.0 - low / 2.0) / range
        } else {
            0.5
        };
        levels[((place * levels.len() as f64) as usize).min(levels.len() - 1)]
    };
    shown.iter().map(|&value| level(value)).collect()
}

/// As many values as there is room for, evenly taken, the last one among them.
pub(crate) fn thinned(values: &[f64], count: usize) -> Vec<f64> {
    evenly(values.len(), count).map(|at| values[at]).collect()
}

/// So many places out of `count`, evenly spread, the last one among them; all where there are no
/// more.
pub(crate) fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (1..=taken).map(move |n| n * count / taken - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::ColorDepth;

    const UNICODE: Style = Style {
        color: ColorDepth::None,
        unicode: true,
        ..Style::ASCII
    };

    fn bar_text(fraction: f64, columns: usize, style: Style) -> String {
        bar(fraction, columns, style)
            .iter()
            .map(|span| span.content.as_ref())
            .collect()
    }

    #[test]
    fn a_bar_fills_from_the_left() {
        let table = [
            (0.0, "──────", "......"),
            (0.5, "━━━───", "###..."),
            (0.25, "━╸────", "#....."),
            (0.999, "━━━━━╸", "#####."),
            (1.0, "━━━━━━", "######"),
            (7.0, "━━━━━━", "######"),
            (-1.0, "──────", "......"),
            (f64::NAN, "──────", "......"),
        ];
        for (fraction, unicode, ascii) in table {
            assert_eq!(bar_text(fraction, 6, UNICODE), unicode);
            assert_eq!(bar_text(fraction, 6, Style::ASCII), ascii);
        }
    }

    #[test]
    fn a_spark_line_shows_the_latest_values() {
        let rising: Vec<f64> = (0..8).map(f64::from).collect();
        assert_eq!(spark(&rising, 8, UNICODE), "▁▂▃▄▅▆▇█");
        assert_eq!(spark(&rising, 3, UNICODE), "▁▅█");
        assert_eq!(spark(&rising, 8, Style::ASCII), "_.-=+*##");
        assert_eq!(spark(&[2.0, 2.0], 8, UNICODE), "▅▅");
        assert_eq!(spark(&[1.0, f64::NAN, 2.0], 8, UNICODE), "▁ █");
        assert_eq!(spark(&[f64::MIN, f64::MAX], 8, UNICODE), "▁█");
        assert_eq!(spark(&[], 8, UNICODE), "");
    }

    #[test]
    fn a_sample_is_even_and_ends_with_the_last() {
        assert_eq!(evenly(3, 10).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(evenly(10, 5).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
        assert_eq!(evenly(0, 5).count(), 0);
        assert_eq!(evenly(5, 0).count(), 0);
        let many: Vec<usize> = evenly(50_000, 2_000).collect();
        assert_eq!((many.len(), many.last()), (2_000, Some(&49_999)));
        assert!(many.windows(2).all(|pair| pair[1] - pair[0] == 25));
    }
}
