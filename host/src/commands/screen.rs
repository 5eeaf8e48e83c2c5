//! What stdout and stderr can show, and writing to them.

use attune_protocol::Event;
use attune_tui::live::{Live, LiveSettings, terminal_size};
use attune_tui::plain::PlainState;
use attune_tui::{ColorDepth, Style};
use serde::Serialize;
use std::io::{self, IsTerminal, Stderr, Write};
use std::time::{Duration, Instant};

/// Whoever watches a running study.
pub(crate) trait Audience {
    /// Something happened, and is stored.
    fn tell(&mut self, event: &Event);

    /// Time passes; called several times a second.
    fn tick(&mut self) {}
}

/// Columns of a page whose reader is no terminal and which `COLUMNS` says nothing of.
const PAGE_COLUMNS: usize = 120;

/// The longest silence of a log while trials move.
const SILENCE: Duration = Duration::from_secs(10);

/// Where results are printed.
pub(crate) struct Screen {
    style: Style,
    width: usize,
}

impl Screen {
    pub(crate) fn stdout() -> Self {
        let is_tty = io::stdout().is_terminal();
        Screen {
            style: style(is_tty),
            // Through a pager's pipe it is still read on this terminal.
            width: if is_tty || io::stderr().is_terminal() {
                terminal_size().0.into()
            } else {
                let columns = std::env::var("COLUMNS").ok();
                let columns = columns.and_then(|columns| columns.parse().ok());
                columns.unwrap_or(PAGE_COLUMNS)
            },
        }
    }

    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// Prints a result: as JSON for programs, else as a page for people.
    pub(crate) fn print(
        &self,
        json: bool,
        result: &impl Serialize,
        page: impl FnOnce(usize, Style) -> String,
    ) -> anyhow::Result<()> {
        let text = if json {
            serde_json::to_string_pretty(result)? + "\n"
        } else {
            page(self.width, self.style)
        };
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(())
    }
}

fn style(is_tty: bool) -> Style {
    Style::detect(is_tty, |name| std::env::var(name).ok())
}

/// Whoever watches a running study, on stderr: a live view on a terminal, lines elsewhere, JSON
/// lines for programs.
pub(crate) fn audience(json: bool, budget: Option<Duration>) -> Box<dyn Audience> {
    if json {
        return Box::new(Program);
    }
    let is_tty = io::stderr().is_terminal();
    let style = style(is_tty);
    let begun = Instant::now();
    if is_tty && std::env::var_os("TERM").is_none_or(|term| term != "dumb") {
        let live = Live::start(io::stderr(), LiveSettings::new(style, budget));
        return Box::new(Watcher { live, begun });
    }
    let plain = PlainState::new(
        Style {
            color: ColorDepth::None,
            ..style
        },
        budget,
        SILENCE,
    );
    Box::new(Log { plain, begun })
}

struct Watcher {
    live: Live<Stderr>,
    begun: Instant,
}

impl Audience for Watcher {
    fn tell(&mut self, event: &Event) {
        self.live.handle(event, self.begun.elapsed());
    }

    fn tick(&mut self) {
        self.live.tick(self.begun.elapsed());
    }
}

struct Log {
    plain: PlainState,
    begun: Instant,
}

impl Audience for Log {
    fn tell(&mut self, event: &Event) {
        for line in self.plain.lines(event, self.begun.elapsed()) {
            say!("{line}");
        }
    }
}

struct Program;

impl Audience for Program {
    fn tell(&mut self, event: &Event) {
        // Events are our own types, which always can be written as JSON.
        if let Ok(line) = serde_json::to_string(event) {
            say!("{line}");
        }
    }
}
