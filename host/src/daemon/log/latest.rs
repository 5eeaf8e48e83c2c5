//! The latest lines of the log, read back as what was logged.

use super::{open_all, start_of_last_lines};
use attune_protocol::LogLine;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The most bytes of one file that are looked at: more than a file has.
const MAX_BYTES: u64 = 32 << 20;

/// The longest text of a line that is told, in bytes: a panic's backtrace is long.
const MAX_TEXT: usize = 16 << 10;

/// How grave a line can be, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Something failed.
    Error,
    /// Something should be looked at.
    Warn,
    /// Something happened.
    Info,
    /// Something that helps to find a mistake.
    Debug,
}

impl Level {
    /// All of them.
    pub(crate) const ALL: [Level; 4] = [Level::Error, Level::Warn, Level::Info, Level::Debug];

    /// As it is told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }

    /// As it stands in the log.
    fn of(word: &str) -> Option<Self> {
        match word {
            "ERROR" => Some(Level::Error),
            "WARN" => Some(Level::Warn),
            "INFO" => Some(Level::Info),
            "DEBUG" | "TRACE" => Some(Level::Debug),
            _ => None,
        }
    }
}

/// The last `wanted` lines of the log in `folder` that are at least so grave, the oldest first, over
/// all its files; nothing where there is no log. What was logged in several lines is told as one.
///
/// # Errors
/// Where a file cannot be read.
pub(crate) fn latest(
    folder: &Path,
    wanted: usize,
    least: Option<Level>,
) -> io::Result<Vec<LogLine>> {
    let mut found: Vec<LogLine> = Vec::new();
    for mut file in open_all(folder)? {
        if found.len() >= wanted {
            break;
        }
        let lines = of_file(&mut file, wanted - found.len(), least)?;
        found.splice(..0, lines);
    }
    Ok(found)
}

/// The last lines of one file.
fn of_file(file: &mut File, wanted: usize, least: Option<Level>) -> io::Result<Vec<LogLine>> {
    // Mostly few of them are enough.
    let (mut start, _) = start_of_last_lines(file, wanted.saturating_add(1))?;
    loop {
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        Read::by_ref(file).take(MAX_BYTES).read_to_end(&mut bytes)?;
        let mut lines = parse(&String::from_utf8_lossy(&bytes), start == 0);
        lines.retain(|(level, _)| least.is_none_or(|least| level.is_some_and(|l| l <= least)));
        if lines.len() >= wanted || start == 0 {
            let last = lines.len().saturating_sub(wanted);
            return Ok(lines.drain(last..).map(|(_, line)| line).collect());
        }
        start = 0;
    }
}

/// What stands in a piece of the log. What goes on a line that is not in the piece is left out, but
/// for where there is none.
fn parse(text: &str, is_whole: bool) -> Vec<(Option<Level>, LogLine)> {
    let mut lines: Vec<(Option<Level>, LogLine)> = Vec::new();
    for line in text.lines() {
        match (head(line), lines.last_mut()) {
            (Some((time, level, text)), _) => {
                let text = text.to_owned();
                let (time, told) = (time.to_owned(), level.name().to_owned());
                lines.push((
                    Some(level),
                    LogLine {
                        time,
                        level: told,
                        text,
                    },
                ));
            }
            (None, Some((_, before))) if before.text.len() + line.len() < MAX_TEXT => {
                before.text.push('\n');
                before.text.push_str(line);
            }
            (None, None) if is_whole => lines.push((
                None,
                LogLine {
                    time: String::new(),
                    level: String::new(),
                    text: line.to_owned(),
                },
            )),
            (None, _) => {}
        }
    }
    for (_, line) in &mut lines {
        let end = line.text.floor_char_boundary(MAX_TEXT);
        line.text.truncate(end);
    }
    lines
}

/// Time, level and text of a line that begins something.
fn head(line: &str) -> Option<(&str, Level, &str)> {
    let (time, rest) = line.split_once(' ')?;
    let is_time = time.len() >= 20 && time.ends_with('Z') && time.as_bytes().get(10) == Some(&b'T');
    let (level, text) = rest.trim_start().split_once(' ')?;
    is_time.then_some((time, Level::of(level)?, text))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SMALL, log_lines};
    use super::super::{NAME, open};
    use super::*;
    use std::fs;
    use tracing::level_filters::LevelFilter;

    #[test]
    fn lines_are_found_over_all_files_and_by_their_level() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(latest(dir.path(), 10, None).unwrap(), []);
        log_lines(dir.path(), 0..40);
        let (subscriber, guard) = open(dir.path(), LevelFilter::DEBUG, SMALL).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(study = "s1", "line 40: a warning");
            tracing::error!("line 41: it\nwent wrong");
        });
        drop(guard);
        log_lines(dir.path(), 42..60);
        assert!(fs::read_dir(dir.path()).unwrap().count() > 2);

        let numbers = |wanted, least| {
            let lines = latest(dir.path(), wanted, least).unwrap();
            let numbers = lines.iter().map(|line| {
                let number = line.text.split("line ").nth(1).expect("a number");
                number.split([' ', ':']).next().unwrap().parse().unwrap()
            });
            numbers.collect::<Vec<usize>>()
        };
        let all = numbers(5000, None);
        assert_eq!(all, (60 - all.len()..60).collect::<Vec<_>>());
        for wanted in [1, 2, 17, 18, 19, 20, 30] {
            assert_eq!(numbers(wanted, None), all[all.len() - wanted..], "{wanted}");
        }
        assert_eq!(numbers(10, Some(Level::Warn)), [40, 41]);
        assert_eq!(numbers(1, Some(Level::Warn)), [41]);
        assert_eq!(numbers(10, Some(Level::Error)), [41]);
        let line = &latest(dir.path(), 1, Some(Level::Error)).unwrap()[0];
        assert_eq!(line.level, "error");
        assert!(line.text.ends_with("line 41: it\nwent wrong"), "{line:?}");
        assert!(line.time.ends_with('Z') && line.time.len() > 20);
        let line = &latest(dir.path(), 2, Some(Level::Warn)).unwrap()[0];
        assert!(line.text.ends_with("a warning study=\"s1\""), "{line:?}");
    }

    #[test]
    fn what_is_no_line_of_ours_is_told_as_it_stands() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NAME), "torn\n\u{fffd}\n").unwrap();
        let lines = latest(dir.path(), 10, None).unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].text, "torn\n\u{fffd}");
        assert_eq!(lines[0].level, "");
        assert_eq!(latest(dir.path(), 10, Some(Level::Debug)).unwrap(), []);
    }
}
