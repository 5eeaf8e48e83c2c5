//! The end of the daemon's log, of some level, scrolled through or followed.

use crate::dashboard::cx::Cx;
use crate::dashboard::data::want::Loaded;
use crate::dashboard::keys::Command;
use crate::dashboard::pen::{Pen, inset, split_top};
use crate::dashboard::screens::{Pointer, Press};
use crate::style::Ink;
use crate::text::{width, wrap};
use attune_protocol::LogLine;
use ratatui::layout::Rect;
use ratatui::text::Span;

/// The log, and what was chosen on it.
#[derive(Debug, Default)]
pub(super) struct Log {
    level: Level,
    /// Only lines that hold this are shown.
    pub(super) word: String,
    /// The line that is looked at; nothing while the end is followed.
    at: Option<LogLine>,
    /// The lines that were drawn last: how many there are, which one was the chosen one, how many
    /// were in sight, and from where on.
    lines: Vec<LogLine>,
    page: usize,
    top: usize,
    drawn: Rect,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Level {
    #[default]
    All,
    Info,
    Warn,
    Error,
}

impl Level {
    fn next(self) -> Level {
        match self {
            Level::All => Level::Info,
            Level::Info => Level::Warn,
            Level::Warn => Level::Error,
            Level::Error => Level::All,
        }
    }

    /// As it is asked for.
    fn name(self) -> Option<String> {
        let name = match self {
            Level::All => return None,
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        Some(name.to_owned())
    }

    fn told(self) -> &'static str {
        match self {
            Level::All => "all of it",
            Level::Info => "info and graver",
            Level::Warn => "warnings and errors",
            Level::Error => "errors only",
        }
    }
}

/// Rows that a long line is told in below the others.
const WHOLE: u16 = 3;

impl Log {
    pub(super) fn level(&self) -> Option<String> {
        self.level.name()
    }

    pub(super) fn next_level(&mut self) {
        self.level = self.level.next();
        self.lines.clear();
        self.at = None;
    }

    /// Where the line that is looked at stands now; the last one while the end is followed, and
    /// where that line is gone.
    fn chosen(&self) -> usize {
        let last = self.lines.len().saturating_sub(1);
        let place = self
            .at
            .as_ref()
            .and_then(|at| self.lines.iter().rposition(|line| line == at));
        match (&self.at, place) {
            (None, _) => last,
            (Some(_), Some(place)) => place,
            // The log has gone on: what is left of it begins later.
            (Some(_), None) => 0,
        }
    }

    /// A command of lists; whether it was one.
    pub(super) fn act(&mut self, command: Command) -> bool {
        let last = self.lines.len().saturating_sub(1);
        let Some(to) = command.moved(self.chosen(), last, self.page) else {
            return false;
        };
        self.choose(to);
        true
    }

    /// Looks at a line; at the last one the end is followed.
    fn choose(&mut self, place: usize) {
        let is_last = place + 1 >= self.lines.len();
        self.at = match is_last {
            true => None,
            false => self.lines.get(place).cloned(),
        };
    }

    pub(super) fn pointer(&mut self, pointer: Pointer) -> bool {
        if !self.drawn.contains((pointer.x, pointer.y).into()) {
            return false;
        }
        match pointer.deed {
            Press::WheelUp => self.act(Command::Up),
            Press::WheelDown => self.act(Command::Down),
            Press::Click | Press::DoubleClick => {
                let place = self.top + usize::from(pointer.y - self.drawn.y);
                if place < self.lines.len() {
                    self.choose(place);
                }
                true
            }
            Press::Drag(..) | Press::Drop(..) => false,
        }
    }

    pub(super) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        let following = if self.at.is_none() {
            "the end is followed"
        } else {
            "G follows the end"
        };
        let mut note = format!("{}, {following}", self.level.told());
        if !self.word.is_empty() {
            note = format!("{note}, with \"{}\"", self.word);
        }
        let inside = pen.heading(area, "Log", &note);
        self.drawn = Rect::ZERO;
        let (text, ink) = match cx.data.log(&self.level()) {
            Loaded::Ready(lines) => {
                let word = self.word.to_lowercase();
                let holds =
                    |line: &&LogLine| word.is_empty() || line.text.to_lowercase().contains(&word);
                self.lines = lines.iter().filter(holds).cloned().collect();
                ("no line of the log fits", Ink::Dim)
            }
            Loaded::Waiting => ("asking the daemon for its log", Ink::Dim),
            Loaded::Failed(why) => (why, Ink::Bad),
        };
        if self.lines.is_empty() {
            pen.say(inside, text, ink);
            return;
        }
        let chosen = self.chosen();
        let whole = self.whole(pen, chosen, inset(inside).width);
        let low = (whole.len() as u16).min(WHOLE).min(inside.height / 2);
        let (list, low) = split_top(inside, inside.height - low);
        self.rows(pen, list, chosen);
        pen.lines(inset(low), &whole);
    }

    fn rows(&mut self, pen: &mut Pen<'_>, list: Rect, chosen: usize) {
        let (x, room) = (list.x + 1, list.width.saturating_sub(1));
        self.page = list.height.into();
        let least = (chosen + 1).saturating_sub(self.page.max(1));
        self.top = self.top.clamp(least, chosen);
        if self.at.is_none() {
            self.top = least;
        }
        self.drawn = list;
        let shown = self.lines.iter().enumerate().skip(self.top).take(self.page);
        for (row, (place, line)) in shown.enumerate() {
            let y = list.y + row as u16;
            let ink = ink(&line.level);
            let time = format!("{}  ", line.time);
            let level = format!("{:<5}  ", line.level);
            pen.pieces(
                x,
                y,
                room,
                &[
                    (&time, Ink::Dim),
                    (&level, ink),
                    (&line.text, text_ink(ink)),
                ],
            );
            if place == chosen && self.at.is_some() {
                pen.choose(Rect::new(list.x, y, list.width, 1));
            }
        }
    }

    /// The line that is looked at, whole, where it had to be cut.
    fn whole(&self, pen: &Pen<'_>, chosen: usize, room: u16) -> Vec<ratatui::text::Line<'static>> {
        let Some(line) = self.lines.get(chosen).filter(|_| self.at.is_some()) else {
            return Vec::new();
        };
        let taken = width(&line.time) + 2 + 7 + width(&line.text);
        if taken <= room.into() {
            return Vec::new();
        }
        let head = Span::styled(line.level.clone(), pen.style.ink(ink(&line.level)));
        wrap(head, &line.text, room.into(), pen.style)
    }
}

fn ink(level: &str) -> Ink {
    match level {
        "error" => Ink::Bad,
        "warn" => Ink::Warning,
        "debug" => Ink::Dim,
        _ => Ink::Plain,
    }
}

fn text_ink(level: Ink) -> Ink {
    if level == Ink::Dim {
        Ink::Dim
    } else {
        Ink::Plain
    }
}
