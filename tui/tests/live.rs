//! The live view on a terminal.

mod made_up;
mod terminal;

use attune_protocol::Event;
use attune_tui::live::{Live, LiveSettings};
use attune_tui::{ColorDepth, Style};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;
use terminal::Terminal;

/// Every write that reached the terminal.
#[derive(Clone, Default)]
struct Writes(Rc<RefCell<Vec<Vec<u8>>>>);

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writes {
    fn count(&self) -> usize {
        self.0.borrow().len()
    }

    fn terminal(&self) -> Terminal {
        let mut terminal = Terminal::default();
        for write in self.0.borrow().iter() {
            terminal.feed(write);
        }
        terminal
    }
}

fn settings() -> LiveSettings {
    let style = Style {
        color: ColorDepth::Ansi256,
        unicode: true,
        ..Style::ASCII
    };
    LiveSettings {
        size: || (80, 24),
        ..LiveSettings::new(style, None)
    }
}

#[test]
fn finished_trials_scroll_away_above_the_view() {
    let writes = Writes::default();
    let mut live = Live::start(writes.clone(), settings());
    for (event, elapsed) in made_up::events(47) {
        live.handle(&event, elapsed);
    }
    let expected = "\
digits · study s12 · maximizing accuracy · 8 trials · seed 7
✓ s12.1  greedy        accuracy 0.9823  epoch 20/20  4.2 s  best so far
✓ s12.2  cosine        accuracy 0.9762  epoch 20/20  4.2 s
digits · maximizing accuracy                                                23 s
━━━━━━━━━━━──────────────────────────────────  2 of 8 trials · about 1m 09s left
best accuracy 0.9823  s12.1 greedy, epoch 20                              2 done
  trial  scheduler                  epoch  accuracy      rate  trend
  s12.3  hypergradient  ──────────   0/20         –         –
  s12.4  onecycle       ──────────   0/20         –         –";
    assert_eq!(writes.terminal().text(), expected);
    assert!(writes.terminal().cursor_is_below());
    live.finish();
    let left: Vec<&str> = expected.lines().take(3).collect();
    assert_eq!(writes.terminal().text(), left.join("\n"));
}

#[test]
fn after_every_single_write_the_terminal_is_as_it_was() {
    let writes = Writes::default();
    let mut live = Live::start(writes.clone(), settings());
    let mut terminal = Terminal::default();
    let mut seen = 0;
    for (event, elapsed) in made_up::events(usize::MAX) {
        live.handle(&event, elapsed);
        for write in &writes.0.borrow()[seen..] {
            terminal.feed(write);
            assert!(!terminal.cursor_hidden && !terminal.wrapping_off);
            assert!(terminal.cursor_is_below());
        }
        seen = writes.count();
    }
    assert!(seen > 50);
}

#[test]
fn nothing_is_written_unless_something_changed() {
    let writes = Writes::default();
    let mut live = Live::start(writes.clone(), settings());
    live.tick(Duration::from_secs(5));
    assert_eq!(
        writes.count(),
        0,
        "there is nothing to show before the first event"
    );
    for (event, _) in made_up::events(10) {
        live.handle(&event, Duration::from_secs(6));
    }
    live.tick(Duration::from_millis(6_100));
    let drawn = writes.count();
    for millis in (6_100..7_000).step_by(10) {
        live.tick(Duration::from_millis(millis));
    }
    assert_eq!(writes.count(), drawn, "the clock shows whole seconds");
    live.tick(Duration::from_secs(7));
    assert_eq!(writes.count(), drawn + 1);
    let last = writes.0.borrow().last().map_or(0, Vec::len);
    assert!(
        last < 600,
        "only lines that changed are written, not {last} bytes"
    );
}

#[test]
fn a_burst_of_events_is_drawn_once() {
    let writes = Writes::default();
    let mut live = Live::start(writes.clone(), settings());
    let at = Duration::from_secs(3);
    for (event, _) in made_up::events(47) {
        live.handle(&event, at);
    }
    assert_eq!(writes.count(), 1);
    live.tick(at + settings().pause);
    assert_eq!(writes.count(), 2);
    assert!(writes.terminal().text().contains("✓ s12.2"));
}

#[test]
fn a_narrower_terminal_gets_narrower_lines() {
    let writes = Writes::default();
    let narrow = LiveSettings {
        size: || (40, 8),
        ..settings()
    };
    let mut live = Live::start(writes.clone(), narrow);
    for (event, elapsed) in made_up::events(70) {
        live.handle(&event, elapsed);
    }
    let text = writes.terminal().text();
    let mut view = text.lines().skip_while(|line| !line.ends_with("34 s"));
    assert_eq!(view.clone().count(), 6, "{text}");
    assert!(view.all(|line| line.chars().count() <= 40), "{text}");
    assert!(
        text.contains("20/20  4.2 s  best so far"),
        "what stays is whole"
    );
}

#[test]
fn leaving_without_an_end_removes_the_view() {
    let writes = Writes::default();
    {
        let mut live = Live::start(writes.clone(), settings());
        for (event, elapsed) in made_up::events(10) {
            live.handle(&event, elapsed);
        }
        assert!(writes.terminal().text().contains("s12.2"));
    }
    let left = writes.terminal().text();
    assert_eq!(
        left,
        "digits · study s12 · maximizing accuracy · 8 trials · seed 7"
    );
}

#[test]
fn a_panic_leaves_the_view_and_a_usable_terminal() {
    let writes = Writes::default();
    let seen = writes.clone();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let mut live = Live::start(writes, settings());
        for (event, elapsed) in made_up::events(10) {
            live.handle(&event, elapsed);
        }
        std::panic::resume_unwind(Box::new("training went wrong"));
    }));
    assert!(result.is_err());
    let terminal = seen.terminal();
    assert!(terminal.cursor_is_below() && !terminal.cursor_hidden && !terminal.wrapping_off);
    assert!(terminal.text().contains("s12.2"));
}

#[test]
fn a_closed_terminal_does_not_stop_the_study() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut live = Live::start(Closed, settings());
    let message = "anything".to_owned();
    live.handle(&Event::Warning { message }, Duration::ZERO);
    live.finish();
}
