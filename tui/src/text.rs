//! Text of a known width: cleaning, cutting, padding and wrapping.
//!
//! A width is counted in terminal columns, where some characters take two and some none.

use crate::style::Style;
use ratatui::text::{Line, Span};
use std::borrow::Cow;
use unicode_width::UnicodeWidthStr;

/// `text` without characters that steer a terminal or change the direction of writing; each is
/// shown as `?`. Names, settings and errors come from files and plugins, and may hold anything.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(steers) {
        let kept = text.chars().map(|c| if steers(c) { '?' } else { c });
        Cow::Owned(kept.collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Columns that a line takes.
///
/// The sum over its pieces: counted as one text, characters of two pieces could join.
pub(crate) fn line_width(line: &Line<'_>) -> usize {
    line.spans.iter().map(|span| width(&span.content)).sum()
}

/// As much of `text` as fits `limit` columns, the cut marked by `ellipsis`.
pub(crate) fn fit<'a>(text: &'a str, limit: usize, ellipsis: &str) -> Cow<'a, str> {
    if width(text) <= limit {
        return Cow::Borrowed(text);
    }
    // A mark that would itself fill the place says less than a few letters do.
    let mark = if width(ellipsis) < limit {
        ellipsis
    } else {
        ""
    };
    let kept = head(text, limit - width(mark));
    Cow::Owned(format!("{kept}{mark}"))
}

/// As much of a line as fits `limit` columns, the cut marked by `ellipsis`.
pub(crate) fn fit_line(line: Line<'static>, limit: usize, ellipsis: &str) -> Line<'static> {
    if line_width(&line) <= limit {
        return line;
    }
    let mark = if width(ellipsis) < limit {
        ellipsis
    } else {
        ""
    };
    let mut left = limit - width(mark);
    let mut spans = Vec::new();
    for span in line.spans {
        let wide = width(&span.content);
        if wide > left {
            let cut = format!("{}{mark}", head(&span.content, left));
            spans.push(Span::styled(cut, span.style));
            break;
        }
        left -= wide;
        spans.push(span);
    }
    Line::from(spans)
}

/// `left` at the left edge and `right` at the right edge of `limit` columns. Where both do not
/// fit, the right one is left out.
pub(crate) fn spread(
    mut left: Line<'static>,
    right: Line<'static>,
    limit: usize,
    ellipsis: &str,
) -> Line<'static> {
    let taken = line_width(&left) + line_width(&right);
    if !right.spans.is_empty() && taken + 2 <= limit {
        left.spans.push(Span::raw(" ".repeat(limit - taken)));
        left.spans.extend(right.spans);
    }
    fit_line(left, limit, ellipsis)
}

/// `text` with spaces behind it, `columns` wide unless it is wider by itself.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// `text` with spaces before it, `columns` wide unless it is wider by itself.
pub(crate) fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Sets pieces one after the other, `gap` columns apart, on as many lines as they need; a piece
/// that is wider than a line is cut.
pub(crate) fn flow(
    pieces: Vec<Line<'static>>,
    gap: usize,
    limit: usize,
    ellipsis: &str,
) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut taken = 0;
    for piece in pieces {
        let piece = fit_line(piece, limit, ellipsis);
        let wide = line_width(&piece);
        match lines.last_mut() {
            Some(line) if taken + gap + wide <= limit => {
                line.spans.push(Span::raw(" ".repeat(gap)));
                line.spans.extend(piece.spans);
                taken += gap + wide;
            }
            _ => {
                lines.push(piece);
                taken = wide;
            }
        }
    }
    lines
}

/// A heading and a text behind it on as many lines as they need, broken between words.
pub(crate) fn wrap(
    head: Span<'static>,
    text: &str,
    limit: usize,
    style: Style,
) -> Vec<Line<'static>> {
    let mut words = vec![Line::from(head)];
    words.extend(
        clean(text)
            .split(' ')
            .map(|word| Line::raw(word.to_owned())),
    );
    flow(words, 1, limit, style.symbols().ellipsis)
}

/// The longest beginning of `text` that fits `limit` columns.
fn head(text: &str, limit: usize) -> &str {
    let mut end = 0;
    for (start, character) in text.char_indices() {
        let next = start + character.len_utf8();
        // Measured from the start each time, since characters that join are narrower together.
        if width(&text[..next]) > limit {
            break;
        }
        end = next;
    }
    &text[..end]
}

/// The longest end of `text` that fits `limit` columns.
pub(crate) fn tail(text: &str, limit: usize) -> &str {
    // From the end on, so that what is left out is never measured however long it is.
    let starts = text.char_indices().rev().map(|(start, _)| start);
    let fits = |start: &usize| width(&text[*start..]) <= limit;
    let start = starts.take_while(fits).last().unwrap_or(text.len());
    &text[start..]
}

fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
        || ('\u{202a}'..='\u{202e}').contains(&character)
        || ('\u{2066}'..='\u{2069}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_cut_at_a_column() {
        let table = [
            ("greedy", 6, "…", "greedy"),
            ("greedy", 5, "…", "gree…"),
            ("greedy", 5, "...", "gr..."),
            ("greedy", 3, "...", "gre"),
            ("greedy", 0, "…", ""),
            ("温度計", 5, "…", "温度…"),
            ("温度計", 4, "…", "温…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "…", "e\u{301}…"),
        ];
        for (text, limit, ellipsis, expected) in table {
            assert_eq!(fit(text, limit, ellipsis), expected);
        }
    }

    #[test]
    fn the_end_of_a_text_is_as_long_as_fits() {
        for (text, limit, expected) in [
            ("greedy", 9, "greedy"),
            ("greedy", 3, "edy"),
            ("greedy", 0, ""),
            ("温度計", 5, "度計"),
            ("ae\u{301}e\u{301}", 2, "e\u{301}e\u{301}"),
            ("", 2, ""),
        ] {
            assert_eq!(tail(text, limit), expected);
        }
    }

    #[test]
    fn nothing_in_a_name_steers_the_terminal() {
        assert_eq!(clean("plain ünïcode"), "plain ünïcode");
        assert_eq!(clean("a\u{1b}[2Jb\nc\td\u{202e}e"), "a?[2Jb?c?d?e");
    }

    #[test]
    fn pieces_flow_over_lines() {
        let pieces = ["one", "two", "three", "fourteen"].map(Line::raw).to_vec();
        let lines = flow(pieces, 2, 8, "…");
        let shown: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["one  two", "three", "fourteen"]);
    }

    proptest! {
        #[test]
        fn what_is_cut_fits(text in "\\PC{0,20}", other in "\\PC{0,20}", limit in 0usize..30) {
            prop_assert!(width(&fit(&text, limit, "…")) <= limit);
            let line = Line::from(vec![Span::raw(text), Span::raw(other)]);
            prop_assert!(line_width(&fit_line(line.clone(), limit, "...")) <= limit);
            prop_assert!(line_width(&spread(line.clone(), line, limit, "…")) <= limit);
        }
    }
}
