//! From styled lines to the bytes that a terminal understands.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style as CellStyle};
use ratatui::text::Line;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// The lines as text, each ended by a newline. Colours become escape sequences; lines without
/// colours become plain text.
pub fn to_text(lines: &[Line<'_>]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(&one_line(line));
        text.push('\n');
    }
    text
}

/// The text of a full screen's cells, without colours and without spaces at the ends of lines.
pub fn screen_text(picture: &Buffer) -> String {
    let mut text = String::new();
    for y in picture.area.top()..picture.area.bottom() {
        let mut line = String::new();
        let mut x = picture.area.left();
        while x < picture.area.right() {
            let symbol = picture[(x, y)].symbol();
            line.push_str(symbol);
            x += symbol.width().max(1) as u16;
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A line as text, without a newline and without spaces at its end.
pub(crate) fn one_line(line: &Line<'_>) -> String {
    let mut text = String::new();
    for span in &line.spans {
        let codes = codes(span.style.patch(CellStyle::new()));
        if codes.is_empty() || span.content.is_empty() {
            text.push_str(&span.content);
        } else {
            let _ = write!(text, "\x1b[{codes}m{}\x1b[0m", span.content);
        }
    }
    text.truncate(text.trim_end_matches(' ').len());
    text
}

/// The parameters of "select graphic rendition", ECMA-48 section 8.3.117.
fn codes(style: CellStyle) -> String {
    let mut codes = Vec::new();
    if style.add_modifier.contains(Modifier::BOLD) {
        codes.push("1".to_owned());
    }
    if style.add_modifier.contains(Modifier::DIM) {
        codes.push("2".to_owned());
    }
    match style.fg {
        None | Some(Color::Reset) => {}
        Some(Color::Rgb(red, green, blue)) => codes.push(format!("38;2;{red};{green};{blue}")),
        Some(Color::Indexed(index)) => codes.push(format!("38;5;{index}")),
        Some(named) => codes.push(named_code(named).to_string()),
    }
    codes.join(";")
}

fn named_code(color: Color) -> u8 {
    match color {
        Color::Black => 30,
        Color::Red => 31,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Blue => 34,
        Color::Magenta => 35,
        Color::Cyan => 36,
        Color::Gray => 37,
        Color::DarkGray => 90,
        Color::LightRed => 91,
        Color::LightGreen => 92,
        Color::LightYellow => 93,
        Color::LightBlue => 94,
        Color::LightMagenta => 95,
        Color::LightCyan => 96,
        Color::White => 97,
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => 39,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::{ColorDepth, Ink, Style};
    use ratatui::text::Span;

    #[test]
    fn a_shade_is_its_colour_made_faint() {
        let table = [
            (ColorDepth::None, "raw"),
            (ColorDepth::Ansi16, "\x1b[2;33mraw\x1b[0m"),
            (ColorDepth::Ansi256, "\x1b[2;38;5;178mraw\x1b[0m"),
            (ColorDepth::True, "\x1b[38;2;179;143;64mraw\x1b[0m"),
        ];
        for (color, expected) in table {
            let style = Style {
                color,
                unicode: true,
                ..Style::ASCII
            };
            let line = Line::from(Span::styled("raw", style.ink(Ink::Shade(1))));
            assert_eq!(one_line(&line), expected);
        }
    }

    #[test]
    fn colours_are_written_as_the_terminal_has_them() {
        let table = [
            (ColorDepth::None, "best  "),
            (ColorDepth::Ansi16, "\x1b[1;32mbest\x1b[0m"),
            (ColorDepth::Ansi256, "\x1b[1;38;5;36mbest\x1b[0m"),
            (ColorDepth::True, "\x1b[1;38;2;0;158;115mbest\x1b[0m"),
        ];
        for (color, expected) in table {
            let style = Style {
                color,
                unicode: true,
                ..Style::ASCII
            };
            let line = Line::from(vec![
                Span::styled("best", style.ink(Ink::Best)),
                Span::raw("  "),
            ]);
            assert_eq!(to_text(&[line]), format!("{}\n", expected.trim_end()));
        }
    }
}
