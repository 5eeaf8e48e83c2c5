//! Somebody at a terminal with the dashboard before a made-up daemon.

use crate::approved::approved;
use crate::made_up;
use crate::toy::Toy;
use attune_tui::dashboard::{App, Deed, Effect, Input};
use attune_tui::{ColorDepth, Style, screen_text};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Rect;
use ratatui::style::Color;
use unicode_width::UnicodeWidthStr;

/// Sizes and what the terminal can show.
const TERMINALS: [(&str, (u16, u16), ColorDepth, bool); 5] = [
    ("80x24", (80, 24), ColorDepth::Ansi256, true),
    ("120x40", (120, 40), ColorDepth::True, true),
    ("60x20", (60, 20), ColorDepth::Ansi16, true),
    ("plain", (80, 24), ColorDepth::None, true),
    ("ascii", (80, 24), ColorDepth::None, false),
];

pub(crate) struct Desk {
    pub(crate) app: App,
    pub(crate) toy: Toy,
    pub(crate) now: u64,
    buffer: Buffer,
    pub(crate) has_quit: bool,
}

impl Desk {
    /// A colour terminal of this size; the daemon has answered what the first screen wants.
    pub(crate) fn new(size: (u16, u16)) -> Self {
        Desk::before(size, Toy::default())
    }

    /// The same, before a daemon of one's own.
    pub(crate) fn before(size: (u16, u16), toy: Toy) -> Self {
        let style = Style {
            color: ColorDepth::Ansi256,
            unicode: true,
            ..Style::ASCII
        };
        Desk::with(size, style, toy)
    }

    pub(crate) fn with(size: (u16, u16), style: Style, toy: Toy) -> Self {
        let mut desk = Desk {
            app: App::new(style, "/home/ada"),
            toy,
            now: made_up::NOW,
            buffer: Buffer::empty(Rect::new(0, 0, size.0, size.1)),
            has_quit: false,
        };
        desk.input(Input::Linked);
        desk
    }

    /// Gives an input, and answers everything that is asked for because of it.
    pub(crate) fn input(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.app.handle([input], self.now) {
                match effect {
                    Effect::Ask(want) => {
                        let answer = self.toy.answer(&want);
                        inputs.push(Input::Answer(want, answer));
                    }
                    Effect::Do(number, deed) => {
                        let done = self.toy.perform(&deed);
                        inputs.push(Input::Done(number, done));
                    }
                    Effect::Quit => self.has_quit = true,
                }
            }
        }
        self.app.draw(&mut self.buffer);
    }

    /// Presses keys: characters, and names in angle brackets such as `<enter>` or `<ctrl-p>`;
    /// `<wait>` lets what was typed rest.
    pub(crate) fn press(&mut self, keys: &str) {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let (name, after) = match rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
                Some((name, after)) if !name.is_empty() && !name.contains(' ') => (name, after),
                _ => rest.split_at(first.len_utf8()),
            };
            match name {
                "wait" => self.wait(400),
                name => self.input(Input::Key(key(name))),
            }
            rest = after;
        }
    }

    /// So many milliseconds pass.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.now += ms;
        self.input(Input::Tick);
    }

    pub(crate) fn click(&mut self, x: u16, y: u16) {
        self.mouse(MouseEventKind::Down(MouseButton::Left), x, y);
        self.mouse(MouseEventKind::Up(MouseButton::Left), x, y);
    }

    pub(crate) fn drag(&mut self, from: (u16, u16), to: (u16, u16)) {
        self.mouse(MouseEventKind::Down(MouseButton::Left), from.0, from.1);
        self.mouse(MouseEventKind::Drag(MouseButton::Left), to.0, to.1);
        self.mouse(MouseEventKind::Up(MouseButton::Left), to.0, to.1);
    }

    pub(crate) fn mouse(&mut self, kind: MouseEventKind, x: u16, y: u16) {
        self.input(Input::Mouse(MouseEvent {
            kind,
            column: x,
            row: y,
            modifiers: KeyModifiers::NONE,
        }));
    }

    /// Where a text is on the screen.
    pub(crate) fn find(&self, text: &str) -> Option<(u16, u16)> {
        let screen = self.screen();
        screen.lines().enumerate().find_map(|(y, line)| {
            let at = line.find(text)?;
            Some((line[..at].width() as u16, y as u16))
        })
    }

    /// Fails, with the screen, where it does not show a text.
    pub(crate) fn sees(&self, text: &str) {
        assert!(
            self.screen().contains(text),
            "`{text}` is not on the screen:\n{}",
            self.screen()
        );
    }

    pub(crate) fn sees_not(&self, text: &str) {
        assert!(
            !self.screen().contains(text),
            "`{text}` is on the screen:\n{}",
            self.screen()
        );
    }

    pub(crate) fn deeds(&self) -> &[Deed] {
        &self.toy.deeds
    }

    /// What is on the screen, without spaces at the ends of lines.
    pub(crate) fn screen(&self) -> String {
        screen_text(&self.buffer)
    }

    fn has_colour(&self) -> bool {
        self.buffer
            .content()
            .iter()
            .any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    }
}

/// Compares what keys lead to, on each kind of terminal, with what it looked like when a person
/// last approved. After a wanted change: `UPDATE_SNAPSHOTS=1 cargo test -p attune-tui`, then read
/// the difference.
pub(crate) fn check(name: &str, keys: &str) {
    check_with(name, || (Toy::default(), keys));
}

/// The same, before a daemon of one's own.
pub(crate) fn check_with<'k>(name: &str, start: impl Fn() -> (Toy, &'k str)) {
    for (terminal, size, color, unicode) in TERMINALS {
        let style = Style {
            color,
            unicode,
            ..Style::ASCII
        };
        let (toy, keys) = start();
        let mut desk = Desk::with(size, style, toy);
        desk.press(keys);
        let actual = desk.screen();
        approved(&format!("dashboard/{name}_{terminal}"), &actual);
        // Names of studies are as they are in any alphabet.
        let own = actual.replace("温度", "??");
        assert!(unicode || own.is_ascii(), "{name}:\n{own}");
        assert_eq!(
            desk.has_colour(),
            color != ColorDepth::None,
            "{name} {terminal}"
        );
    }
}

fn key(name: &str) -> KeyEvent {
    let (name, modifiers) = match name.strip_prefix("ctrl-") {
        Some(name) => (name, KeyModifiers::CONTROL),
        None => (name, KeyModifiers::NONE),
    };
    let mut characters = name.chars();
    let code = match (characters.next(), characters.next()) {
        (Some(c), None) => KeyCode::Char(c),
        _ => match name {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "shift-tab" => KeyCode::BackTab,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "space" => KeyCode::Char(' '),
            "backspace" => KeyCode::Backspace,
            "page-down" => KeyCode::PageDown,
            "page-up" => KeyCode::PageUp,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "f12" => KeyCode::F(12),
            other => panic!("no key is called {other}"),
        },
    };
    KeyEvent::new(code, modifiers)
}
