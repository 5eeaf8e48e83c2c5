//! Live progress of a running study: a few lines at the end of a terminal's output, redrawn in
//! place, above which finished trials scroll away as ordinary lines.
//!
//! [`LiveState`] knows, [`view`] draws what it knows, and [`Live`] keeps the drawing on the
//! terminal. Neither raw mode nor the alternate screen is entered.

mod screen;
mod state;
mod view;

pub use state::LiveState;
pub use view::view;

use crate::style::Style;
use crate::{ended, paint};
use attune_protocol::Event;
use ratatui::text::Line;
use screen::Screen;
use std::io::Write;
use std::time::Duration;

/// How the progress is shown.
#[derive(Debug, Clone, Copy)]
pub struct LiveSettings {
    /// What the terminal can show.
    pub style: Style,
    /// How long the study may take, if that is limited.
    pub budget: Option<Duration>,
    /// Columns and rows of the terminal, asked for at each drawing.
    pub size: fn() -> (u16, u16),
    /// The most lines that are redrawn.
    pub rows: u16,
    /// The least time between two drawings.
    pub pause: Duration,
}

impl LiveSettings {
    /// Ten lines, at most twenty times a second.
    pub fn new(style: Style, budget: Option<Duration>) -> Self {
        LiveSettings {
            style,
            budget,
            size: terminal_size,
            rows: 10,
            pause: Duration::from_millis(50),
        }
    }
}

/// Columns and rows of the terminal that the program was started from; 80 by 24 where that cannot
/// be known.
pub fn terminal_size() -> (u16, u16) {
    ratatui::crossterm::terminal::size().unwrap_or((80, 24))
}

/// Keeps the progress of one study on a terminal.
///
/// Times are counted from the study's start by the caller, who calls [`Live::tick`] some ten times
/// a second. Nothing is written unless a line on screen changed. A terminal that can no longer be
/// written to is given up silently: training matters more than its picture.
#[derive(Debug)]
pub struct Live<W: Write> {
    screen: Screen<W>,
    state: LiveState,
    settings: LiveSettings,
    /// Lines to be written above the view at the next drawing.
    above: Vec<Line<'static>>,
    changed: bool,
    drawn_at: Option<Duration>,
    broken: bool,
}

impl<W: Write> Live<W> {
    /// Begins; nothing is written before the first event.
    pub fn start(writer: W, settings: LiveSettings) -> Self {
        Live {
            screen: Screen::new(writer),
            state: LiveState::new(settings.budget),
            settings,
            above: Vec::new(),
            changed: false,
            drawn_at: None,
            broken: false,
        }
    }

    /// Takes an event in, and draws unless that was done just now.
    pub fn handle(&mut self, event: &Event, elapsed: Duration) {
        self.state.apply(event);
        let line = ended::line(event, &self.state, elapsed, self.settings.style);
        self.above.extend(line);
        self.changed = true;
        self.tick(elapsed);
    }

    /// Moves the clock, and draws where something visible changed.
    pub fn tick(&mut self, elapsed: Duration) {
        let next_second = elapsed.as_secs() != self.state.elapsed().as_secs();
        self.changed |= next_second;
        self.state.set_elapsed(elapsed);
        let rested = self
            .drawn_at
            .is_none_or(|at| elapsed.saturating_sub(at) >= self.settings.pause);
        if self.changed && rested {
            self.draw(true);
        }
    }

    /// Ends: the lines that stay are written, the view is removed.
    pub fn finish(mut self) {
        self.draw(false);
    }

    fn draw(&mut self, with_view: bool) {
        let LiveSettings {
            style, size, rows, ..
        } = self.settings;
        let (columns, height) = size();
        let columns = usize::from(columns).max(1);
        // One line is left for the cursor, and one so that the scrolling is seen.
        let rows = usize::from(rows.min(height.saturating_sub(2)));
        let above: Vec<String> = self
            .above
            .drain(..)
            .map(|line| paint::one_line(&line))
            .collect();
        let lines = if with_view {
            view(&self.state, columns, rows, style)
        } else {
            Vec::new()
        };
        let lines = lines.iter().map(paint::one_line).collect();
        self.changed = false;
        self.drawn_at = Some(self.state.elapsed());
        if !self.broken {
            self.broken = self.screen.show(&above, lines, columns).is_err();
        }
    }
}

impl<W: Write> Drop for Live<W> {
    fn drop(&mut self) {
        // After a panic its message stands below the view, and both should stay readable.
        if !std::thread::panicking() {
            self.draw(false);
        }
    }
}
