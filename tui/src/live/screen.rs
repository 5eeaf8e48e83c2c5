//! A few lines at the end of a terminal's output that are redrawn in place.

use std::fmt::Write as _;
use std::io::{self, Write};

/// The lines, and where they were written to.
///
/// The cursor rests at the start of the line below them, and every movement is relative to it. So
/// nothing has to be asked of the terminal (the answer would come through stdin, after a question
/// that ratatui's inline viewport writes to *stdout*, where a program's data go), whatever else is
/// printed starts on a line of its own, and there is no state of the terminal to restore, however
/// the program ends.
#[derive(Debug)]
pub(super) struct Screen<W: Write> {
    writer: W,
    drawn: Vec<String>,
    columns: usize,
}

impl<W: Write> Screen<W> {
    pub(super) fn new(writer: W) -> Self {
        Screen {
            writer,
            drawn: Vec::new(),
            columns: 0,
        }
    }

    /// Writes the lines `above` for good and shows `view` beneath them. Only what changed is
    /// written, all at once; nothing where nothing did.
    pub(super) fn show(
        &mut self,
        above: &[String],
        view: Vec<String>,
        columns: usize,
    ) -> io::Result<()> {
        // On another width the terminal may have moved everything, so all of it is written anew.
        let resized = columns != self.columns;
        if above.is_empty() && view == self.drawn && (!resized || view.is_empty()) {
            return Ok(());
        }
        // The cursor is hidden and wrapping is off within this one write only: killed at any
        // moment, the program leaves the terminal as it was.
        let mut out = String::from("\x1b[?25l");
        if !self.drawn.is_empty() {
            let _ = write!(out, "\x1b[{}A", self.drawn.len());
        }
        out.push('\r');
        let anew = resized || !above.is_empty();
        if anew {
            out.push_str("\x1b[J");
        }
        // What stays may be longer than the terminal is wide: it wraps, and nothing of it is lost.
        for line in above {
            let _ = write!(out, "{line}\r\n");
        }
        out.push_str("\x1b[?7l");
        for (row, line) in view.iter().enumerate() {
            if anew || self.drawn.get(row) != Some(line) {
                let _ = write!(out, "\x1b[2K{line}");
            }
            out.push_str("\r\n");
        }
        if self.drawn.len() > view.len() && !anew {
            out.push_str("\x1b[J");
        }
        out.push_str("\x1b[?7h\x1b[?25h");
        self.drawn = view;
        self.columns = columns;
        self.writer.write_all(out.as_bytes())?;
        self.writer.flush()
    }
}
