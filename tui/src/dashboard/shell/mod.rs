//! What surrounds the dashboard: the terminal, the line to the daemon, the clock.

mod line;
mod terminal;

use super::app::{App, Effect, Input};
use crate::style::Style;
use attune_protocol::Client;
use line::Line;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use terminal::Screen;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{self, Instant, MissedTickBehavior};

/// Something that will be there soon.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the program around the dashboard does for it: everything that is neither a question to the
/// daemon nor a picture.
pub trait Helper: Send + Sync {
    /// Starts the daemon where it does not run and can be started from here.
    fn revive(&self) -> Soon<'_, Result<(), String>>;

    /// Writes a study to a file in one of the forms of `attune export`; what to tell of it.
    fn export(
        &self,
        study: String,
        format: String,
        path: String,
    ) -> Soon<'_, Result<String, String>>;

    /// Writes a text file that must not be there yet.
    fn save(&self, path: String, text: String) -> Soon<'_, Result<(), String>>;
}

/// How a dashboard is begun.
pub struct Session {
    /// The daemon.
    pub client: Client,
    /// What the program does for it.
    pub helper: Arc<dyn Helper>,
    /// What the terminal can show.
    pub style: Style,
    /// The folder that the program was started in.
    pub folder: String,
    /// The study or trial to begin with.
    pub open: Option<String>,
}

/// Ages and clocks move once a second.
const TICK: Duration = Duration::from_secs(1);

/// A screen that is being waited for, as a check of what was typed, moves on sooner.
const QUICK_TICK: Duration = Duration::from_millis(100);

/// Pictures that no key asked for are at least so far apart: four a second are smooth enough, and
/// little to send over a slow line.
const REST: Duration = Duration::from_millis(250);

/// Inputs that are taken in together.
const BATCH: usize = 512;

/// How long what is being done is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the dashboard until it is left.
///
/// # Errors
/// Where the terminal cannot be used, and where a part of the dashboard panicked.
pub async fn run(session: Session) -> io::Result<()> {
    let (sender, mut inputs) = mpsc::channel(BATCH);
    let mut app = App::new(session.style, session.folder);
    if let Some(id) = &session.open {
        app.open(id);
    }
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut screen = Screen::open()?;
    screen.listen(sender.clone());
    let mut line = Line::new(session.client, session.helper, sender);
    line.listen();
    let mut ticks = time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drawn_at: Option<Instant> = None;
    loop {
        let due = drawn_at.filter(|_| app.is_dirty()).map(|at| at + REST);
        let mut batch = Vec::new();
        tokio::select! {
            count = inputs.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    batch.push(Input::Quit);
                }
            }
            _ = ticks.tick() => batch.push(Input::Tick),
            () = time::sleep(QUICK_TICK), if app.is_waiting() => batch.push(Input::Tick),
            () = time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            _ = hang_up.recv() => batch.push(Input::Quit),
            _ = terminate.recv() => batch.push(Input::Quit),
            _ = interrupt.recv() => batch.push(Input::Quit),
            fallen = terminal::panicked() => return Err(fallen),
        }
        // Whoever pressed a key is shown at once what came of it.
        let is_asked = batch.iter().any(|input| {
            matches!(
                input,
                Input::Key(_) | Input::Mouse(_) | Input::Paste(_) | Input::Resize
            )
        });
        for effect in app.handle(batch, now()) {
            match effect {
                Effect::Ask(want) => line.ask(want),
                Effect::Do(number, deed) => line.perform(number, deed),
                Effect::Quit => {
                    drop(screen);
                    line.finish(PATIENCE).await;
                    return Ok(());
                }
            }
        }
        line.follow(app.followed());
        let rested = drawn_at.is_none_or(|at| at.elapsed() >= REST);
        if app.is_dirty() && (is_asked || rested) {
            screen.draw(&mut app)?;
            drawn_at = Some(Instant::now());
        }
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
