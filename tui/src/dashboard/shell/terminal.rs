//! The terminal: taken over at the beginning, and given back as it was however the program ends.

use crate::dashboard::app::{App, Input};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
    Event,
};
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{execute, queue};
use std::io::{self, BufWriter, Stdout, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;

/// A frame is written in one piece where it fits.
const BUFFER: usize = 64 << 10;

/// Whether the terminal is taken over and not given back.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Wakes whoever waits for some part of the program to panic.
static PANICS: Notify = Notify::const_new();

/// Waits until some part of the program has panicked, on whichever thread: the rest of it goes on,
/// but has no terminal any more.
pub(super) async fn panicked() -> io::Error {
    PANICS.notified().await;
    fallen()
}

fn fallen() -> io::Error {
    io::Error::other("a part of it panicked, as told above; studies go on")
}

/// The terminal while the dashboard has it.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn open() -> io::Result<Self> {
        // Before anything is changed, so that a panic at any moment finds its message on a terminal
        // that shows it.
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
            PANICS.notify_one();
        }));
        IS_TAKEN.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        let taken = execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableMouseCapture,
            EnableBracketedPaste
        );
        let out = BufWriter::with_capacity(BUFFER, io::stdout());
        let terminal = taken.and_then(|()| Terminal::new(CrosstermBackend::new(out)));
        match terminal {
            Ok(mut terminal) => {
                terminal.hide_cursor()?;
                Ok(Screen { terminal })
            }
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Passes on what is typed and clicked, on a thread of its own: reading it blocks.
    pub(super) fn listen(&self, inputs: Sender<Input>) {
        thread::spawn(move || {
            while let Ok(event) = event::read() {
                let input = match event {
                    Event::Key(key) => Input::Key(key),
                    Event::Mouse(mouse) => Input::Mouse(mouse),
                    Event::Paste(text) => Input::Paste(text),
                    Event::Resize(..) => Input::Resize,
                    Event::FocusGained | Event::FocusLost => continue,
                };
                if inputs.blocking_send(input).is_err() {
                    return;
                }
            }
            // Nothing can be typed any more, as when the terminal is gone.
            let _ = inputs.blocking_send(Input::Quit);
        });
    }

    /// Draws what changed.
    pub(super) fn draw(&mut self, app: &mut App) -> io::Result<()> {
        if !IS_TAKEN.load(Ordering::SeqCst) {
            return Err(fallen());
        }
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| app.draw(frame.buffer_mut()))?;
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        Write::flush(self.terminal.backend_mut())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, once: a second time would move the cursor back over what was said after
/// the first. What fails cannot be helped: there may be no terminal any more.
fn restore() {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = disable_raw_mode();
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        Show
    );
}
