//! The dashboard before the large daemon, on a terminal that counts what is written to it.

use crate::daemon::Daemon;
use crate::made_up::NOW;
use attune_tui::dashboard::{App, Effect, Input, Want};
use attune_tui::{ColorDepth, Style};
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

const SCREEN: Rect = Rect::new(0, 0, 120, 40);

/// Something that is pressed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Code(KeyCode),
    /// Marks the first six trials of the table.
    Marks,
    /// Shows only some trials.
    Filter,
    /// Shows all trials again.
    NoFilter,
    /// Goes to a trial that is in training.
    Running,
}

/// Counts what is written.
#[derive(Debug, Clone, Default)]
struct Count(Rc<Cell<usize>>);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct Desk {
    app: App,
    daemon: Daemon,
    now: u64,
    buffer: Buffer,
    terminal: Terminal<CrosstermBackend<Count>>,
    count: Count,
}

impl Desk {
    fn new() -> Self {
        let style = Style {
            color: ColorDepth::Ansi256,
            unicode: true,
            ..Style::ASCII
        };
        let count = Count::default();
        Desk {
            app: App::new(style, "/home/ada"),
            daemon: Daemon::default(),
            now: NOW,
            buffer: Buffer::empty(SCREEN),
            terminal: blank(&count),
            count,
        }
    }

    /// With the large study on the screen, and all that it wants there.
    pub(crate) fn at_study() -> Self {
        let mut desk = Desk::new();
        let effects = desk.app.handle([Input::Linked], desk.now);
        desk.answer(effects);
        desk.press(Key::Code(KeyCode::Enter));
        desk.redraw();
        desk
    }

    /// How long each page of the large study's table took to be taken in and shown.
    pub(crate) fn pages() -> Vec<Duration> {
        let mut desk = Desk::new();
        let effects = desk.app.handle([Input::Linked], desk.now);
        desk.answer(effects);
        let mut effects = desk.handle(KeyCode::Enter);
        let mut times = Vec::new();
        while let Some(effect) = effects.pop() {
            let Effect::Ask(want) = effect else { continue };
            let is_page = matches!(want, Want::Trials(..));
            let answer = desk.daemon.answer(&want);
            let answer = Input::Answer(want, answer);
            let begun = Instant::now();
            effects.extend(desk.app.handle([answer], desk.now));
            desk.draw();
            if is_page {
                times.push(begun.elapsed());
            }
        }
        times
    }

    /// Presses a key, and tells how long it took until the frame that shows it was written. What is
    /// asked for because of it is answered after that.
    pub(crate) fn press(&mut self, key: Key) -> Duration {
        let code = match key {
            Key::Code(code) => code,
            Key::Marks => return self.each(" jjj jjj jjj jjj jjj "),
            Key::Filter => {
                self.each("/");
                self.handle_all("lr < 0.05 and dropout > 0.1");
                return self.press(Key::Code(KeyCode::Enter));
            }
            Key::NoFilter => {
                self.each("/");
                self.handle_all("\u{15}");
                return self.press(Key::Code(KeyCode::Enter));
            }
            Key::Running => {
                self.each("/");
                self.handle_all("state = running");
                return self.press(Key::Code(KeyCode::Enter));
            }
        };
        self.now += 150;
        let begun = Instant::now();
        let effects = self.handle(code);
        self.draw();
        let took = begun.elapsed();
        self.answer(effects);
        self.draw();
        took
    }

    fn each(&mut self, keys: &str) -> Duration {
        let last = keys
            .chars()
            .map(|c| self.press(Key::Code(KeyCode::Char(c))));
        last.last().unwrap_or_default()
    }

    fn handle_all(&mut self, keys: &str) {
        for c in keys.chars() {
            let effects = self.handle(KeyCode::Char(c));
            self.answer(effects);
        }
    }

    fn handle(&mut self, code: KeyCode) -> Vec<Effect> {
        let event = match code {
            KeyCode::Char('\u{15}') => KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL),
            code => KeyEvent::new(code, KeyModifiers::NONE),
        };
        self.app.handle([Input::Key(event)], self.now)
    }

    /// So many events come at once; how long until the frame that shows them was written.
    pub(crate) fn news(&mut self, count: usize) -> Duration {
        self.now += 250;
        let events = self.daemon.news(count, self.now);
        let begun = Instant::now();
        let effects = self
            .app
            .handle(events.into_iter().map(Input::Event), self.now);
        self.draw();
        let took = begun.elapsed();
        self.answer(effects);
        took
    }

    /// A quarter of a second passes, in which half of the trials in training tell of themselves.
    pub(crate) fn quarter(&mut self) {
        self.news(5);
        let effects = self.app.handle([Input::Tick], self.now);
        self.answer(effects);
    }

    /// How long the same frame takes to draw.
    pub(crate) fn frame(&mut self) -> Duration {
        let begun = Instant::now();
        self.app.draw(&mut self.buffer);
        begun.elapsed()
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    pub(crate) fn bytes(&self) -> usize {
        self.count.0.get()
    }

    /// Writes the whole frame.
    pub(crate) fn redraw(&mut self) {
        self.terminal = blank(&self.count);
        self.draw();
    }

    fn draw(&mut self) {
        let drawn = self
            .terminal
            .draw(|frame| self.app.draw(frame.buffer_mut()));
        drawn.expect("it is written");
    }

    /// Answers everything that is asked for, and what is asked for because of that.
    fn answer(&mut self, mut effects: Vec<Effect>) {
        while let Some(effect) = effects.pop() {
            if let Effect::Ask(want) = effect {
                let answer = self.daemon.answer(&want);
                let input = Input::Answer(want, answer);
                effects.extend(self.app.handle([input], self.now));
            }
        }
    }
}

/// A terminal that shows nothing yet.
fn blank(count: &Count) -> Terminal<CrosstermBackend<Count>> {
    let options = TerminalOptions {
        viewport: Viewport::Fixed(SCREEN),
    };
    let backend = CrosstermBackend::new(count.clone());
    Terminal::with_options(backend, options).expect("a terminal")
}
