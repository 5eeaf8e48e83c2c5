//! A terminal with a program in it, and somebody who types and reads there.

use crate::support::{DEADLINE, Home, try_for};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};
use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use vt100::{MouseProtocolMode, Parser};

/// What ends a frame: the terminal shows it from here on.
const FRAME_END: &[u8] = b"\x1b[?2026l";

/// A terminal in which a program runs.
pub struct Terminal {
    seen: Arc<Mutex<Seen>>,
    child: Box<dyn Child + Send + Sync>,
    before: String,
    /// Nothing once it was unplugged.
    plug: Option<Plug>,
}

/// What holds a terminal's line open.
struct Plug {
    keyboard: Box<dyn Write + Send>,
    line: Box<dyn MasterPty + Send>,
    /// Reads what comes.
    reader: JoinHandle<()>,
    /// How the line is set is forgotten with the last one who holds this end of it.
    _far_end: Box<dyn SlavePty + Send>,
}

/// What has come from the program.
struct Seen {
    parser: Parser,
    bytes: u64,
    frames: u64,
    is_unplugged: bool,
    /// The end of what came last, in which a frame's end may have begun.
    tail: Vec<u8>,
}

impl Seen {
    fn take(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.bytes += bytes.len() as u64;
        self.tail.extend_from_slice(bytes);
        let ends = self.tail.windows(FRAME_END.len());
        self.frames += ends.filter(|window| *window == FRAME_END).count() as u64;
        let kept = self.tail.len().min(FRAME_END.len() - 1);
        self.tail.drain(..self.tail.len() - kept);
    }

    fn text(&self) -> String {
        let (_, columns) = self.parser.screen().size();
        let rows = self.parser.screen().rows(0, columns);
        rows.map(|row| row + "\n").collect()
    }
}

impl Terminal {
    /// The dashboard, on a colour terminal of so many columns and rows.
    pub fn dashboard(home: &Home, size: (u16, u16)) -> Self {
        Terminal::run(home, size, &home.attune())
    }

    /// A program, in the same way.
    pub fn run(home: &Home, (cols, rows): (u16, u16), program: &Command) -> Self {
        let pair = native_pty_system().openpty(size(cols, rows));
        let pair = pair.expect("a pseudo-terminal");
        let before = settings(&*pair.master);
        let mut output = pair.master.try_clone_reader().expect("its output");
        let keyboard = pair.master.take_writer().expect("its input");
        let command = in_terminal(home, program);
        let child = pair.slave.spawn_command(command);
        let seen = Arc::new(Mutex::new(Seen {
            parser: Parser::new(rows, cols, 0),
            bytes: 0,
            frames: 0,
            is_unplugged: false,
            tail: Vec::new(),
        }));
        let shown = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                let mut shown = lock(&shown);
                if shown.is_unplugged {
                    return;
                }
                shown.take(&buffer[..length]);
            }
        });
        Terminal {
            seen,
            child: child.expect("the program starts"),
            before,
            plug: Some(Plug {
                keyboard,
                line: pair.master,
                reader,
                _far_end: pair.slave,
            }),
        }
    }

    fn plug(&mut self) -> &mut Plug {
        self.plug.as_mut().expect("it is plugged in")
    }

    /// Takes the terminal away, as when its window is closed.
    pub fn unplug(&mut self) {
        lock(&self.seen).is_unplugged = true;
        // Its reader notices with the next that it reads, which is the page that this opens.
        self.press("?");
        let plug = self.plug.take().expect("it is plugged in");
        plug.reader.join().expect("it reads");
    }

    /// How the line is set: whether what is typed is shown, comes line by line, and so on.
    fn settings(&self) -> String {
        let plug = self.plug.as_ref().expect("it is plugged in");
        settings(&*plug.line)
    }

    /// The program's process.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("a process")
    }

    /// Bytes that have come from the program.
    pub fn bytes(&self) -> u64 {
        lock(&self.seen).bytes
    }

    /// Frames that have come whole.
    pub fn frames(&self) -> u64 {
        lock(&self.seen).frames
    }

    /// What the terminal shows.
    pub fn screen(&self) -> String {
        lock(&self.seen).text()
    }

    /// Presses keys: characters, and names in angle brackets such as `<enter>` or `<ctrl-p>`.
    pub fn press(&mut self, keys: &str) {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let (sent, after) = match named {
                Some((name, after)) => (sequence(name), after),
                None => {
                    let (typed, after) = rest.split_at(first.len_utf8());
                    (typed.as_bytes().to_vec(), after)
                }
            };
            let keyboard = &mut self.plug().keyboard;
            keyboard.write_all(&sent).expect("keys are taken");
            rest = after;
        }
    }

    /// Waits until the screen is as it should be; `what` says how, for the one who reads that it
    /// never was.
    #[track_caller]
    pub fn wait(&mut self, mut is_so: impl FnMut(&str) -> bool, what: &str) {
        let found = try_for(|| is_so(&self.screen()).then_some(()));
        if found.is_none() {
            let ended = self.child.try_wait().ok().flatten();
            let screen = self.screen();
            panic!("waited {DEADLINE:?} in vain until {what}; it ended: {ended:?}\n{screen}");
        }
    }

    #[track_caller]
    pub fn sees(&mut self, text: &str) {
        self.wait(
            |screen| screen.contains(text),
            &format!("`{text}` is shown"),
        );
    }

    #[track_caller]
    pub fn sees_no(&mut self, text: &str) {
        self.wait(
            |screen| !screen.contains(text),
            &format!("`{text}` is gone"),
        );
    }

    /// Waits until a line of the screen holds all of these.
    #[track_caller]
    pub fn sees_in_a_line(&mut self, texts: &[&str]) {
        self.wait(
            |screen| {
                let mut lines = screen.lines();
                lines.any(|line| texts.iter().all(|text| line.contains(text)))
            },
            &format!("a line shows {texts:?}"),
        );
    }

    /// Makes the terminal larger or smaller.
    pub fn resize(&mut self, (cols, rows): (u16, u16)) {
        let shown = Arc::clone(&self.seen);
        // What is drawn for the new size must not be taken for the old one's.
        let mut shown = lock(&shown);
        shown.parser.screen_mut().set_size(rows, cols);
        let resized = self.plug().line.resize(size(cols, rows));
        resized.expect("another size");
    }

    /// Waits until the program has ended by itself, and gives its exit code.
    #[track_caller]
    pub fn ended(&mut self) -> u32 {
        let found = try_for(|| self.child.try_wait().ok().flatten());
        let Some(status) = found else {
            panic!("it does not end; it shows\n{}", self.screen());
        };
        assert_eq!(status.signal(), None, "{}", self.screen());
        status.exit_code()
    }

    /// Waits until the program has the terminal to itself: another screen than the shell's, no
    /// cursor, keys and clicks as they are made.
    #[track_caller]
    pub fn is_taken_over(&mut self) {
        let is_so = try_for(|| {
            let seen = lock(&self.seen);
            let screen = seen.parser.screen();
            let is_taken = screen.alternate_screen()
                && screen.hide_cursor()
                && screen.bracketed_paste()
                && screen.mouse_protocol_mode() != MouseProtocolMode::None;
            (is_taken && self.settings() != self.before).then_some(())
        });
        assert!(is_so.is_some(), "not taken over:\n{}", self.screen());
    }

    /// Waits until the terminal is as it was before the program began.
    #[track_caller]
    pub fn is_given_back(&mut self) {
        let mut wrong = Vec::new();
        let is_so = try_for(|| {
            let seen = lock(&self.seen);
            let screen = seen.parser.screen();
            let not_yet = [
                (screen.alternate_screen(), "it shows the other screen"),
                (screen.hide_cursor(), "the cursor is hidden"),
                (screen.bracketed_paste(), "pasted text is marked"),
                (
                    screen.mouse_protocol_mode() != MouseProtocolMode::None,
                    "the mouse is taken",
                ),
                (self.settings() != self.before, "the line is set otherwise"),
            ];
            let found = not_yet.into_iter().filter(|(is_so, _)| *is_so);
            wrong = found.map(|(_, what)| what).collect();
            wrong.is_empty().then_some(())
        });
        assert!(is_so.is_some(), "{wrong:?}\n{}", self.screen());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Whatever a test came to, it does not live on. One that was reaped has no number any more;
        // that may be another's by now.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        cols,
        rows,
        ..PtySize::default()
    }
}

/// As text: its type is another library's own.
fn settings(line: &dyn MasterPty) -> String {
    format!("{:?}", line.get_termios().expect("a terminal's settings"))
}

/// The same program, with what a colour terminal tells programs.
fn in_terminal(home: &Home, program: &Command) -> CommandBuilder {
    let mut command = CommandBuilder::new(program.get_program());
    command.args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        }
    }
    for name in ["NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    command.cwd(home.path());
    command
}

/// What a terminal sends for a key that is no character.
fn sequence(name: &str) -> Vec<u8> {
    if let Some(letter) = name.strip_prefix("ctrl-") {
        return letter.bytes().map(|letter| letter & 0x1f).collect();
    }
    let sent: &[u8] = match name {
        "enter" => b"\r",
        "esc" => b"\x1b",
        "tab" => b"\t",
        "backspace" => b"\x7f",
        "up" => b"\x1b[A",
        "down" => b"\x1b[B",
        "right" => b"\x1b[C",
        "left" => b"\x1b[D",
        "f12" => b"\x1b[24~",
        other => panic!("no key is called {other}"),
    };
    sent.to_vec()
}
