//! What the terminal can show, and which colours stand for what.

use crate::symbols::{self, Symbols};
use ratatui::style::{Color, Modifier, Style as CellStyle};
use std::fmt;

/// What the terminal that is written to can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// How many colours it has.
    pub color: ColorDepth,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// Which colours stand for what.
    pub theme: Theme,
}

/// Which colours stand for what. All are told apart in every common form of colour blindness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For white backgrounds: darker hues.
    Light,
    /// Pure and bright, for weak screens and tired eyes on black.
    Bright,
}

impl Theme {
    const ALL: [Theme; 3] = [Theme::Dark, Theme::Light, Theme::Bright];

    /// The next one, around the end.
    #[must_use]
    pub fn next(self) -> Theme {
        Theme::ALL[(self as usize + 1) % Theme::ALL.len()]
    }

    /// The theme of this name, if there is one.
    pub fn named(name: &str) -> Option<Theme> {
        Theme::ALL
            .into_iter()
            .find(|theme| theme.to_string() == name)
    }
}

impl fmt::Display for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Theme::Dark => "dark",
            Theme::Light => "light",
            Theme::Bright => "bright",
        })
    }
}

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColorDepth {
    /// None, or none are wanted: no escape sequence is written at all.
    None,
    /// The sixteen that the user's theme defines.
    Ansi16,
    /// The 256 of xterm.
    Ansi256,
    /// 24 bits.
    True,
}

/// What a piece of text is, from which its colour follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Nothing special.
    Plain,
    /// Headings, and what the eye should find first.
    Strong,
    /// Labels and details that may be overlooked.
    Dim,
    /// The progress made.
    Accent,
    /// The best of its kind.
    Best,
    /// It wants attention.
    Warning,
    /// It went wrong.
    Bad,
    /// The n-th of several things that are compared.
    Series(usize),
    /// The same thing's less important part, such as its values before smoothing.
    Shade(usize),
}

impl Style {
    /// Seven-bit characters without colour, which everything shows.
    pub const ASCII: Style = Style {
        color: ColorDepth::None,
        unicode: false,
        theme: Theme::Dark,
    };

    /// Works out what can be shown from whether the output is a terminal and from the environment,
    /// which `variable` looks up: `NO_COLOR` (<https://no-color.org>), `TERM`, `COLORTERM`, and
    /// for the characters the first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set.
    ///
    /// What is not a terminal gets no colour, but Unicode where the locale has it. The Linux
    /// console is said to have none: its font lacks the marks that curves are drawn with.
    pub fn detect(is_tty: bool, variable: impl Fn(&str) -> Option<String>) -> Style {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        let true_color = set("COLORTERM").is_some_and(|v| v == "truecolor" || v == "24bit");
        let color = match term.as_str() {
            _ if !is_tty || set("NO_COLOR").is_some() => ColorDepth::None,
            "" | "dumb" => ColorDepth::None,
            _ if true_color || term.ends_with("-direct") => ColorDepth::True,
            _ if term.contains("256color") => ColorDepth::Ansi256,
            _ => ColorDepth::Ansi16,
        };
        Style {
            color,
            unicode: utf8 && !(is_tty && matches!(term.as_str(), "linux" | "dumb")),
            theme: set("ATTUNE_THEME")
                .and_then(|name| Theme::named(&name))
                .unwrap_or_default(),
        }
    }

    /// The same terminal, without colour.
    pub fn without_color(self) -> Style {
        Style {
            color: ColorDepth::None,
            ..self
        }
    }

    pub(crate) fn symbols(self) -> &'static Symbols {
        if self.unicode {
            &symbols::UNICODE
        } else {
            &symbols::ASCII
        }
    }

    /// The colour of an ink on this terminal.
    pub(crate) fn ink(self, ink: Ink) -> CellStyle {
        if self.color == ColorDepth::None {
            return CellStyle::new();
        }
        match ink {
            Ink::Plain => CellStyle::new(),
            Ink::Strong => CellStyle::new().add_modifier(Modifier::BOLD),
            Ink::Dim => CellStyle::new().fg(match (self.color, self.theme) {
                (ColorDepth::Ansi16, _) => Color::DarkGray,
                (_, Theme::Bright) => Color::Indexed(250),
                _ => Color::Indexed(244),
            }),
            Ink::Accent => self.hue(self.hues().accent),
            Ink::Best => self.hue(self.hues().best).add_modifier(Modifier::BOLD),
            Ink::Warning => self.hue(self.hues().warning),
            Ink::Bad => self.hue(self.hues().bad),
            Ink::Series(index) => {
                let series = self.hues().series;
                self.hue(&series[index % series.len()])
            }
            Ink::Shade(index) => {
                let series = self.hues().series;
                let hue = &series[index % series.len()];
                match self.color {
                    // Half way to the grey that is seen on bright and on dark grounds alike.
                    ColorDepth::True => {
                        let half = |part: u8| part / 2 + 0x40;
                        let (red, green, blue) = hue.rgb;
                        CellStyle::new().fg(Color::Rgb(half(red), half(green), half(blue)))
                    }
                    _ => self.hue(hue).add_modifier(Modifier::DIM),
                }
            }
        }
    }

    /// How a row that is chosen is shown beneath its inks: reversed where there are few colours.
    pub(crate) fn chosen(self) -> CellStyle {
        let paper = match (self.color, self.theme) {
            (ColorDepth::None | ColorDepth::Ansi16, _) => {
                return CellStyle::new().add_modifier(Modifier::REVERSED);
            }
            (_, Theme::Dark) => 237,
            (_, Theme::Light) => 254,
            (_, Theme::Bright) => 239,
        };
        CellStyle::new()
            .bg(Color::Indexed(paper))
            .add_modifier(Modifier::BOLD)
    }

    fn hue(self, hue: &Hue) -> CellStyle {
        CellStyle::new().fg(hue.at(self.color))
    }

    fn hues(self) -> &'static Hues {
        match self.theme {
            Theme::Dark => &DARK,
            Theme::Light => &LIGHT,
            Theme::Bright => &BRIGHT,
        }
    }
}

/// A colour in the three forms that terminals know.
struct Hue {
    rgb: (u8, u8, u8),
    indexed: u8,
    ansi: Color,
}

impl Hue {
    fn at(&self, depth: ColorDepth) -> Color {
        match depth {
            ColorDepth::True => Color::Rgb(self.rgb.0, self.rgb.1, self.rgb.2),
            ColorDepth::Ansi256 => Color::Indexed(self.indexed),
            ColorDepth::Ansi16 => self.ansi,
            ColorDepth::None => Color::Reset,
        }
    }
}

/// The colours of a theme.
struct Hues {
    accent: &'static Hue,
    best: &'static Hue,
    warning: &'static Hue,
    bad: &'static Hue,
    series: &'static [Hue],
}

// The palette of Okabe and Ito, "Color Universal Design" (2008), which stays distinct for every
// common form of colour blindness; its black is left out since backgrounds are often black, and
// yellow comes last since others are white.
const SKY_BLUE: Hue = hue((0x56, 0xb4, 0xe9), 74, Color::Cyan);
const ORANGE: Hue = hue((0xe6, 0x9f, 0x00), 178, Color::Yellow);
const GREEN: Hue = hue((0x00, 0x9e, 0x73), 36, Color::Green);
const PURPLE: Hue = hue((0xcc, 0x79, 0xa7), 175, Color::Magenta);
const VERMILLION: Hue = hue((0xd5, 0x5e, 0x00), 166, Color::Red);
const BLUE: Hue = hue((0x00, 0x72, 0xb2), 25, Color::Blue);
const YELLOW: Hue = hue((0xf0, 0xe4, 0x42), 227, Color::LightYellow);

static DARK: Hues = Hues {
    accent: &SKY_BLUE,
    best: &GREEN,
    warning: &ORANGE,
    bad: &VERMILLION,
    series: &[SKY_BLUE, ORANGE, GREEN, PURPLE, VERMILLION, BLUE, YELLOW],
};

// Paul Tol's "bright" and "vibrant" schemes ("Colour Schemes", SRON/EPS/TN/09-002, 2021) keep apart
// on white what Okabe and Ito's yellow and sky blue do not.
static LIGHT: Hues = Hues {
    accent: &hue((0x00, 0x77, 0xbb), 25, Color::Blue),
    best: &hue((0x22, 0x88, 0x33), 28, Color::Green),
    warning: &hue((0xb0, 0x60, 0x00), 130, Color::Yellow),
    bad: &hue((0xcc, 0x33, 0x11), 160, Color::Red),
    series: &[
        hue((0x00, 0x77, 0xbb), 25, Color::Blue),
        hue((0xcc, 0x33, 0x11), 160, Color::Red),
        hue((0x22, 0x88, 0x33), 28, Color::Green),
        hue((0xaa, 0x33, 0x77), 126, Color::Magenta),
        hue((0x00, 0x99, 0x88), 30, Color::Cyan),
        hue((0xb0, 0x60, 0x00), 130, Color::Yellow),
    ],
};

static BRIGHT: Hues = Hues {
    accent: &hue((0x5f, 0xd7, 0xff), 81, Color::LightCyan),
    best: &hue((0x5f, 0xff, 0xaf), 85, Color::LightGreen),
    warning: &hue((0xff, 0xd7, 0x5f), 221, Color::LightYellow),
    bad: &hue((0xff, 0x87, 0x5f), 209, Color::LightRed),
    series: &[
        hue((0x5f, 0xd7, 0xff), 81, Color::LightCyan),
        hue((0xff, 0xd7, 0x5f), 221, Color::LightYellow),
        hue((0x5f, 0xff, 0xaf), 85, Color::LightGreen),
        hue((0xff, 0xaf, 0xff), 219, Color::LightMagenta),
        hue((0xff, 0x87, 0x5f), 209, Color::LightRed),
        hue((0xff, 0xff, 0xff), 231, Color::White),
    ],
};

const fn hue(rgb: (u8, u8, u8), indexed: u8, ansi: Color) -> Hue {
    Hue { rgb, indexed, ansi }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XTERM: (&str, &str) = ("TERM", "xterm-256color");
    const UTF8: (&str, &str) = ("LANG", "en_US.UTF-8");

    /// Whether it is a terminal, its environment, and its colours and Unicode.
    type Case = (
        bool,
        &'static [(&'static str, &'static str)],
        (ColorDepth, bool),
    );

    fn detected(is_tty: bool, environment: &[(&str, &str)]) -> (ColorDepth, bool) {
        let style = Style::detect(is_tty, |name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        (style.color, style.unicode)
    }

    #[test]
    fn a_terminal_is_known_by_its_environment() {
        use ColorDepth::*;
        let table: &[Case] = &[
            (true, &[XTERM, UTF8], (Ansi256, true)),
            (
                true,
                &[XTERM, UTF8, ("COLORTERM", "truecolor")],
                (True, true),
            ),
            (true, &[("TERM", "xterm-direct"), UTF8], (True, true)),
            (true, &[("TERM", "screen"), UTF8], (Ansi16, true)),
            (true, &[("TERM", "linux"), UTF8], (Ansi16, false)),
            (true, &[("TERM", "dumb"), UTF8], (None, false)),
            (true, &[UTF8], (None, true)),
            (true, &[XTERM, ("NO_COLOR", "1"), UTF8], (None, true)),
            (true, &[XTERM, ("NO_COLOR", ""), UTF8], (Ansi256, true)),
            (true, &[XTERM], (Ansi256, false)),
            (true, &[XTERM, ("LANG", "C.utf8")], (Ansi256, true)),
            (true, &[XTERM, UTF8, ("LC_ALL", "C")], (Ansi256, false)),
            (true, &[XTERM, UTF8, ("LC_ALL", "")], (Ansi256, true)),
            (
                true,
                &[XTERM, ("LC_CTYPE", "de_DE.UTF-8"), ("LANG", "C")],
                (Ansi256, true),
            ),
            (
                false,
                &[XTERM, UTF8, ("COLORTERM", "truecolor")],
                (None, true),
            ),
            (false, &[], (None, false)),
        ];
        for (is_tty, environment, expected) in table {
            assert_eq!(detected(*is_tty, environment), *expected, "{environment:?}");
        }
    }

    #[test]
    fn a_theme_is_known_by_its_name() {
        let mut theme = Theme::default();
        for _ in 0..Theme::ALL.len() {
            assert_eq!(Theme::named(&theme.to_string()), Some(theme));
            theme = theme.next();
        }
        assert_eq!((theme, Theme::named("pink")), (Theme::default(), None));
    }

    #[test]
    fn without_colour_no_ink_has_one() {
        for ink in [Ink::Strong, Ink::Dim, Ink::Best, Ink::Series(3)] {
            assert_eq!(Style::ASCII.ink(ink), CellStyle::new());
        }
    }
}
