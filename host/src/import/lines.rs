//! A file line by line, each no longer than a line may be.

use crate::export::jsonl::MAX_LINE;
use anyhow::{Context, ensure};
use serde::de::DeserializeOwned;
use std::io::{BufRead, Read};

/// The lines of a file that have something in them.
pub(super) struct Lines<'s, R> {
    source: &'s str,
    content: R,
    next: Option<Line>,
    read: u64,
}

/// One line.
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: u64,
    bytes: Vec<u8>,
}

/// What a line says.
pub(super) enum Said<T> {
    /// This.
    Whole(T),
    /// Nothing: it is the last line, and was cut. A sentence for the user.
    Cut(String),
}

impl<'s, R: BufRead> Lines<'s, R> {
    /// Begins at the first line. Errors name `source`.
    pub(super) fn new(source: &'s str, content: R) -> anyhow::Result<Self> {
        let mut lines = Lines {
            source,
            content,
            next: None,
            read: 0,
        };
        lines.next = lines.read_line()?;
        Ok(lines)
    }

    /// What the lines are from.
    pub(super) fn source(&self) -> &'s str {
        self.source
    }

    /// The next line.
    pub(super) fn peek(&self) -> Option<&[u8]> {
        self.next.as_ref().map(|line| line.bytes.as_slice())
    }

    /// Goes on by a line and reads it with `parse`; `None` at the end.
    pub(super) fn next<T>(
        &mut self,
        parse: impl FnOnce(&[u8]) -> serde_json::Result<T>,
    ) -> anyhow::Result<Option<(u64, Said<T>)>> {
        let Some(Line { number, bytes }) = self.next.take() else {
            return Ok(None);
        };
        self.next = self.read_line()?;
        let said = match parse(&bytes) {
            Ok(whole) => Said::Whole(whole),
            Err(error) if self.next.is_none() && is_cut(&bytes) => Said::Cut(format!(
                "the last line of {}, line {number}, was cut after {} bytes ({error}) and is left \
                 out",
                self.source,
                bytes.len()
            )),
            Err(error) => {
                let place = self.place(number);
                return Err(error).with_context(|| {
                    format!("{place} is damaged; take the file from where it was written")
                });
            }
        };
        Ok(Some((number, said)))
    }

    /// How errors name a line.
    pub(super) fn place(&self, number: u64) -> String {
        format!("{} line {number}", self.source)
    }

    fn read_line(&mut self) -> anyhow::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            let number = self.read + 1;
            // One more than a line may have: its end, if it is not too long.
            let mut bounded = self.content.by_ref().take(MAX_LINE as u64 + 1);
            bounded
                .read_until(b'\n', &mut bytes)
                .with_context(|| format!("cannot read {} line {number}", self.source))?;
            if bytes.is_empty() {
                return Ok(None);
            }
            self.read = number;
            ensure!(
                bytes.len() <= MAX_LINE || bytes.ends_with(b"\n"),
                "{} line {number} is longer than {MAX_LINE} bytes; it is no export of Attune and \
                 no Optuna journal",
                self.source
            );
            while bytes.last().is_some_and(u8::is_ascii_whitespace) {
                bytes.pop();
            }
            if !bytes.is_empty() {
                return Ok(Some(Line { number, bytes }));
            }
        }
    }
}

/// Whether bytes may be the beginning of an object, rather than a whole one that says the wrong
/// things.
fn is_cut(bytes: &[u8]) -> bool {
    super::python::from_slice::<serde::de::IgnoredAny>(bytes).is_err()
}

/// Reads JSON proper.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes)
}
