//! The daemon's log: files that are rotated by size, written by a thread of their own.
//!
//! How it is read back as lines with their levels is in `latest`.
//!
//! Whoever logs never waits for the disk: lines queue, and where the queue is full they are dropped
//! and counted. What must not get lost is in the store, not here.

mod latest;

pub(crate) use latest::{Level, latest};

use std::backtrace::Backtrace;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};

/// A full file becomes `daemon.log.1`, that one `daemon.log.2` and so on.
const NAME: &str = "daemon.log";
const USUAL: Sizes = Sizes {
    bytes: 10 << 20,
    files: 5,
};

/// The most lines that wait for the disk.
const QUEUE: usize = 8192;

/// How often whoever follows the log looks for more.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How large the log may become.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// Of one file.
    bytes: u64,
    files: u32,
}

/// Keeps the log open; dropped, it writes down what waits, for at most a second.
#[must_use]
pub(crate) struct LogGuard {
    dropped: ErrorCounter,
    _writes_on_drop: WorkerGuard,
}

impl LogGuard {
    /// How many lines were dropped because the disk was too slow.
    pub(crate) fn dropped_lines(&self) -> usize {
        self.dropped.dropped_lines()
    }
}

/// Sends everything that this process traces to the log in `folder`, panics among it.
///
/// # Errors
/// Where the file cannot be opened, or this process has a log already.
pub(crate) fn start(folder: &Path, level: LevelFilter) -> io::Result<LogGuard> {
    let (subscriber, guard) = open(folder, level, USUAL)?;
    tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)?;
    log_panics();
    Ok(guard)
}

/// Writes the last `lines` lines of the log in `folder` to `out`, over all its files; nothing where
/// there is no log. What comes after them can be followed.
///
/// # Errors
/// Where a file cannot be read or `out` not be written.
pub(crate) fn tail(folder: &Path, lines: usize, out: &mut dyn Write) -> io::Result<Follower> {
    let mut files = open_all(folder)?;
    let newest = match files.first_mut() {
        None => None,
        Some(file) => {
            let end = file.seek(SeekFrom::End(0))?;
            Some((file.try_clone()?, end))
        }
    };
    let mut wanted = lines;
    let mut starts = Vec::new();
    for mut file in files {
        let (start, found) = start_of_last_lines(&mut file, wanted)?;
        starts.push((file, start));
        wanted -= found;
        if wanted == 0 {
            break;
        }
    }
    let mut follower = Follower {
        folder: folder.to_owned(),
        at: None,
    };
    for (index, (mut file, start)) in starts.into_iter().enumerate().rev() {
        file.seek(SeekFrom::Start(start))?;
        // The newest only so far as it was counted; the rest is what is followed.
        let end = newest.as_ref().filter(|_| index == 0).map(|(_, end)| *end);
        let length = end.map_or(u64::MAX, |end| end.saturating_sub(start));
        io::copy(&mut file.take(length), out)?;
    }
    if let Some((mut file, end)) = newest {
        file.seek(SeekFrom::Start(end))?;
        follower.at = Some(file);
    }
    out.flush()?;
    Ok(follower)
}

/// A place in the log from where it is read on, over rotations.
pub(crate) struct Follower {
    folder: PathBuf,
    /// The file that was the newest, at the place up to which it was read.
    at: Option<File>,
}

impl Follower {
    /// Writes what was logged since the last time to `out`.
    ///
    /// # Errors
    /// Where a file cannot be read or `out` not be written.
    pub(crate) fn copy_news(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let files = open_all(&self.folder)?;
        let mut newer = files.len();
        if let Some(at) = &mut self.at {
            // First its rest, which may have been written before it was put aside.
            io::copy(at, out)?;
            let known = at.metadata()?;
            newer = 0;
            for file in &files {
                let meta = file.metadata()?;
                if (meta.dev(), meta.ino()) == (known.dev(), known.ino()) {
                    break;
                }
                newer += 1;
            }
        }
        for mut file in files.into_iter().take(newer).rev() {
            io::copy(&mut file, out)?;
            self.at = Some(file);
        }
        out.flush()
    }

    /// Writes what is logged to `out` as it comes, until `end` is over.
    ///
    /// # Errors
    /// Where a file cannot be read or `out` not be written.
    pub(crate) async fn follow(
        mut self,
        out: &mut dyn Write,
        end: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        tokio::pin!(end);
        loop {
            tokio::select! {
                _ = look.tick() => self.copy_news(out)?,
                () = &mut end => return self.copy_news(out),
            }
        }
    }
}

fn open(
    folder: &Path,
    level: LevelFilter,
    sizes: Sizes,
) -> io::Result<(impl Subscriber + Send + Sync + use<>, LogGuard)> {
    let file = Rotating::open(folder.join(NAME), sizes)?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUE)
        .lossy(true)
        .thread_name("log")
        .finish(file);
    let dropped = writer.error_counter();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(writer)
        .finish();
    let guard = LogGuard {
        dropped,
        _writes_on_drop: guard,
    };
    Ok((subscriber, guard))
}

/// A panic that nobody reads on a terminal must not be silent.
fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        tracing::error!(
            thread = thread.name().unwrap_or("without a name"),
            place = panic.location().map(tracing::field::display),
            "panicked: {}\n{}",
            panic.payload_as_str().unwrap_or("for an unknown reason"),
            Backtrace::force_capture(),
        );
        before(panic);
    }));
}

/// A file that is put aside when it is full.
struct Rotating {
    path: PathBuf,
    sizes: Sizes,
    file: File,
    written: u64,
    /// The last line may be torn, as on a full disk.
    torn: bool,
}

impl Rotating {
    fn open(path: PathBuf, sizes: Sizes) -> io::Result<Self> {
        let file = open_to_append(&path)?;
        let written = file.metadata()?.len();
        Ok(Rotating {
            path,
            sizes,
            file,
            written,
            torn: false,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..self.sizes.files.saturating_sub(1)).rev() {
            let (from, to) = (
                numbered(&self.path, number),
                numbered(&self.path, number + 1),
            );
            match fs::rename(from, to) {
                // Somebody may tidy up.
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.sizes.files < 2 {
            fs::remove_file(&self.path)?;
        }
        self.file = open_to_append(&self.path)?;
        self.written = self.file.metadata()?.len();
        Ok(())
    }
}

impl Write for Rotating {
    /// Takes whole lines, and never parts one between two files. Where a line cannot be written it
    /// is lost, and the next one is tried.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64;
        if self.written > 0 && self.written + length > self.sizes.bytes {
            self.rotate()?;
            self.torn = false;
        }
        if self.torn {
            self.file.write_all(b"\n")?;
        }
        self.torn = true;
        self.file.write_all(line)?;
        self.torn = false;
        self.written += length;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    match number {
        0 => path.to_owned(),
        number => {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            name.into()
        }
    }
}

/// Every file of the log, the newest first.
fn open_all(folder: &Path) -> io::Result<Vec<File>> {
    let mut files: Vec<File> = Vec::new();
    let mut last = None;
    for number in 0..USUAL.files {
        match File::open(numbered(&folder.join(NAME), number)) {
            Ok(file) => {
                // One that is put aside while we look is met twice.
                let id = file.metadata().map(|meta| (meta.dev(), meta.ino()))?;
                if last.replace(id) != Some(id) {
                    files.push(file);
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

/// Where the last `wanted` lines of a file start, and how many it has of them.
fn start_of_last_lines(file: &mut File, wanted: usize) -> io::Result<(u64, usize)> {
    const BLOCK: u64 = 64 * 1024;
    let end = file.seek(SeekFrom::End(0))?;
    if wanted == 0 || end == 0 {
        return Ok((end, 0));
    }
    let mut block = Vec::new();
    let mut block_end = end;
    let mut found = 0;
    while block_end > 0 {
        let block_start = block_end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(block_start))?;
        block.clear();
        Read::by_ref(file)
            .take(block_end - block_start)
            .read_to_end(&mut block)?;
        for (index, _) in block.iter().enumerate().rev().filter(|(_, b)| **b == b'\n') {
            let line_start = block_start + index as u64 + 1;
            // The newline at the very end starts no line.
            if line_start < end {
                found += 1;
                if found == wanted {
                    return Ok((line_start, found));
                }
            }
        }
        block_end = block_start;
    }
    Ok((0, found + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const SMALL: Sizes = Sizes {
        bytes: 1000,
        files: 5,
    };

    pub(super) fn log_lines(folder: &Path, range: std::ops::Range<usize>) {
        let (subscriber, guard) = open(folder, LevelFilter::INFO, SMALL).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            for number in range {
                tracing::info!("line {number} of the log");
                tracing::debug!("not at this level");
            }
        });
        drop(guard);
    }

    fn numbers(text: &[u8]) -> Vec<usize> {
        let text = std::str::from_utf8(text).unwrap();
        text.lines()
            .map(|line| {
                let after = line.split("line ").nth(1).expect(line);
                after.split(' ').next().unwrap().parse().unwrap()
            })
            .collect()
    }

    fn last(folder: &Path, lines: usize) -> Vec<usize> {
        let mut out = Vec::new();
        tail(folder, lines, &mut out).unwrap();
        numbers(&out)
    }

    #[test]
    fn the_log_is_bounded_and_its_last_lines_are_whole_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(last(dir.path(), 10), [0; 0], "no log yet");
        log_lines(dir.path(), 0..150);
        // A daemon that starts again goes on in the same file.
        log_lines(dir.path(), 150..300);

        let files = fs::read_dir(dir.path()).unwrap();
        let sizes: Vec<u64> = files
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 5);
        assert!(sizes.iter().all(|size| *size <= SMALL.bytes), "{sizes:?}");

        let kept = last(dir.path(), usize::MAX);
        assert!(kept.len() > 40 && kept.len() < 100, "{}", kept.len());
        assert_eq!(kept, (300 - kept.len()..300).collect::<Vec<_>>());
        for lines in [0, 1, 2, 13, 14, 15, 39, kept.len() - 1, kept.len()] {
            assert_eq!(
                last(dir.path(), lines),
                kept[kept.len() - lines..],
                "{lines}"
            );
        }
    }

    #[test]
    fn long_files_are_read_from_their_end() {
        let dir = tempfile::tempdir().unwrap();
        let lines: Vec<String> = (0..20_000).map(|n| format!("line {n} ")).collect();
        for (text, name) in [
            (lines.join("\n") + "\n", "with a newline at the end"),
            (lines.join("\n"), "without"),
        ] {
            fs::write(dir.path().join(NAME), text).unwrap();
            for count in [1, 2, 7000, 19_999, 20_000, 20_001] {
                let expected: Vec<usize> = (20_000 - count.min(20_000)..20_000).collect();
                assert_eq!(last(dir.path(), count), expected, "{count}, {name}");
            }
        }
    }

    #[test]
    fn a_follower_misses_nothing_and_repeats_nothing_over_rotations() {
        let dir = tempfile::tempdir().unwrap();
        for before in [0, 5, 40] {
            log_lines(dir.path(), 0..before);
            let mut out = Vec::new();
            let mut follower = tail(dir.path(), usize::MAX, &mut out).unwrap();
            out.clear();
            // Within a file, into the next, over two at once, and nothing.
            let mut from = before;
            for step in [1, 3, 0, 12, 30, 1] {
                log_lines(dir.path(), from..from + step);
                from += step;
                follower.copy_news(&mut out).unwrap();
            }
            assert_eq!(numbers(&out), (before..from).collect::<Vec<_>>());
            for file in fs::read_dir(dir.path()).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn following_ends_with_what_was_logged_until_then() {
        let dir = tempfile::tempdir().unwrap();
        let follower = tail(dir.path(), 10, &mut Vec::new()).unwrap();
        let folder = dir.path().to_owned();
        let end = async move { log_lines(&folder, 0..3) };
        let mut out = Vec::new();
        follower.follow(&mut out, end).await.unwrap();
        assert_eq!(numbers(&out), [0, 1, 2]);
    }

    #[test]
    fn a_torn_line_does_not_spoil_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Rotating::open(dir.path().join(NAME), SMALL).unwrap();
        log.write_all(b"whole\n").unwrap();
        // As a disk that fills up in the middle of a line leaves it.
        log.file.write_all(b"to").unwrap();
        log.torn = true;
        log.write_all(b"next\n").unwrap();
        let text = fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert_eq!(text, "whole\nto\nnext\n");
    }

    #[test]
    fn a_log_that_is_removed_comes_back_with_the_next_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Rotating::open(dir.path().join(NAME), SMALL).unwrap();
        log.write_all(&[b'a'; 600]).unwrap();
        fs::remove_file(dir.path().join(NAME)).unwrap();
        log.write_all(&[b'b'; 600]).unwrap();
        assert_eq!(fs::read(dir.path().join(NAME)).unwrap(), [b'b'; 600]);
    }

    #[test]
    fn a_panic_is_logged_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (subscriber, guard) = open(dir.path(), LevelFilter::INFO, USUAL).unwrap();
        let before = std::panic::take_hook();
        // The usual hook would print it among the test's output.
        std::panic::set_hook(Box::new(|_| {}));
        log_panics();
        tracing::subscriber::with_default(subscriber, || {
            let caught = std::panic::catch_unwind(|| panic!("on purpose"));
            assert!(caught.is_err());
        });
        std::panic::set_hook(before);
        drop(guard);
        let text = fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert!(text.contains("panicked: on purpose"), "{text}");
        assert!(text.contains("place=host/src/daemon/log.rs:"), "{text}");
    }
}
