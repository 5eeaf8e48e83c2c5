//! Screenshots: a picture as SVG, and as text.

/// The picture as text.
pub(crate) use crate::paint::screen_text as text;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A cell's size in the picture, in SVG's own units.
const CELL: (f64, f64) = (8.4, 18.0);

/// The room around the picture.
const MARGIN: f64 = 12.0;

/// What a terminal without a theme shows.
const INK: &str = "#d8dee9";
const PAPER: &str = "#14171c";

/// The sixteen colours as most terminals have them.
const ANSI: [&str; 16] = [
    "#1c1f26", "#d54e53", "#5fb3a1", "#e7c547", "#5b9bd5", "#c397d8", "#56b4e9", "#d8dee9",
    "#6c7686", "#ff6f6f", "#8fd3b0", "#f0e442", "#82b7ea", "#dab2e8", "#8fd0f2", "#ffffff",
];

/// The picture as SVG: text, so that it can be searched and stays sharp.
pub(crate) fn svg(picture: &Buffer, title: &str) -> String {
    let area = picture.area;
    let wide = f64::from(area.width) * CELL.0 + 2.0 * MARGIN;
    let high = f64::from(area.height) * CELL.1 + 2.0 * MARGIN;
    let mut out = String::new();
    // Nothing can go wrong in writing to a string.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide:.0} {high:.0}\" \
         width=\"{wide:.0}\" height=\"{high:.0}\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{PAPER}\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" \
         font-size=\"14\" xml:space=\"preserve\">\n",
        escaped(title)
    );
    for y in area.top()..area.bottom() {
        let mut x = area.left();
        while x < area.right() {
            let look = Look::of(picture, x, y);
            let start = x;
            let mut run = String::new();
            // Neighbours that look alike become one element.
            while x < area.right() && Look::of(picture, x, y) == look {
                let symbol = picture[(x, y)].symbol();
                run.push_str(symbol);
                x += symbol.width().max(1) as u16;
            }
            write_run(
                &mut out,
                (start - area.left(), y - area.top()),
                x - start,
                &run,
                &look,
            );
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

#[derive(Debug, PartialEq, Eq)]
struct Look {
    ink: String,
    paper: Option<String>,
    is_bold: bool,
}

impl Look {
    fn of(picture: &Buffer, x: u16, y: u16) -> Look {
        let cell = &picture[(x, y)];
        let mut ink = rgb(cell.fg, INK);
        let mut paper = match cell.bg {
            Color::Reset => None,
            color => Some(rgb(color, PAPER)),
        };
        if cell.modifier.contains(Modifier::REVERSED) {
            let under = paper.unwrap_or_else(|| PAPER.to_owned());
            paper = Some(std::mem::replace(&mut ink, under));
        }
        Look {
            ink,
            paper,
            is_bold: cell.modifier.contains(Modifier::BOLD),
        }
    }
}

fn write_run(out: &mut String, place: (u16, u16), columns: u16, run: &str, look: &Look) {
    let x = MARGIN + f64::from(place.0) * CELL.0;
    let y = MARGIN + f64::from(place.1) * CELL.1;
    let wide = f64::from(columns) * CELL.0;
    if let Some(paper) = &look.paper {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{:.1}\" fill=\"{paper}\"/>",
            CELL.1
        );
    }
    let weight = if look.is_bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let baseline = y + 13.5;
    let mut column = 0;
    // Word by word, each at its place: whatever font there is, columns stay columns.
    for word in run.split(' ') {
        let wide = word.width();
        if wide > 0 {
            let at = |column: usize| format!("{:.1}", x + column as f64 * CELL.0);
            let place = match word.is_ascii() {
                true => format!(
                    "x=\"{}\" textLength=\"{:.1}\"",
                    at(column),
                    wide as f64 * CELL.0
                ),
                // Few fonts have all of these in one width: each has a place of its own.
                false => {
                    let mut next = column;
                    let places = word.chars().map(|c| {
                        let place = at(next);
                        next += c.width().unwrap_or(0);
                        place
                    });
                    format!("x=\"{}\"", places.collect::<Vec<_>>().join(" "))
                }
            };
            let _ = writeln!(
                out,
                "<text {place} y=\"{baseline:.1}\" fill=\"{}\"{weight}>{}</text>",
                look.ink,
                escaped(word)
            );
        }
        column += wide + 1;
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn rgb(color: Color, reset: &str) -> String {
    let ansi = |index: usize| ANSI[index].to_owned();
    match color {
        Color::Reset => reset.to_owned(),
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Indexed(index) => indexed(index),
        Color::Black => ansi(0),
        Color::Red => ansi(1),
        Color::Green => ansi(2),
        Color::Yellow => ansi(3),
        Color::Blue => ansi(4),
        Color::Magenta => ansi(5),
        Color::Cyan => ansi(6),
        Color::Gray => ansi(7),
        Color::DarkGray => ansi(8),
        Color::LightRed => ansi(9),
        Color::LightGreen => ansi(10),
        Color::LightYellow => ansi(11),
        Color::LightBlue => ansi(12),
        Color::LightMagenta => ansi(13),
        Color::LightCyan => ansi(14),
        Color::White => ansi(15),
    }
}

/// The colours of xterm: sixteen of the theme, a cube of 6 by 6 by 6, and greys.
fn indexed(index: u8) -> String {
    match index {
        0..16 => ANSI[usize::from(index)].to_owned(),
        16..232 => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let cube = index - 16;
            let (r, g, b) = (level(cube / 36), level(cube / 6 % 6), level(cube % 6));
            format!("#{r:02x}{g:02x}{b:02x}")
        }
        232.. => {
            let grey = 8 + 10 * (index - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn a_picture_keeps_text_and_colours() {
        let mut picture = Buffer::empty(Rect::new(0, 0, 12, 2));
        picture.set_string(0, 0, "a <b> 温度", Style::new().fg(Color::Indexed(74)));
        picture.set_string(2, 1, "hot", Style::new().add_modifier(Modifier::REVERSED));
        assert_eq!(text(&picture), "a <b> 温度\n  hot\n");
        let svg = svg(&picture, "1 < 2");
        assert!(svg.contains("<title>1 &lt; 2</title>"));
        assert!(svg.contains("fill=\"#5fafd7\">&lt;b&gt;</text>"), "{svg}");
        assert!(svg.contains("x=\"62.4 79.2\""), "{svg}");
        assert!(svg.contains(">温度</text>"), "{svg}");
        assert!(
            svg.contains(&format!("fill=\"{PAPER}\">hot</text>")),
            "{svg}"
        );
    }

    #[test]
    fn the_cube_and_the_greys_are_those_of_xterm() {
        let table = [
            (16, "#000000"),
            (231, "#ffffff"),
            (244, "#808080"),
            (255, "#eeeeee"),
        ];
        for (index, hex) in table {
            assert_eq!(indexed(index), hex);
        }
    }
}
