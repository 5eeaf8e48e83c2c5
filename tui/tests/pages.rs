//! Every page as it looks, at three widths, beside what it looked like when a person last approved.
//!
//! After a wanted change: `UPDATE_SNAPSHOTS=1 cargo test -p attune-tui`, then read the difference.

mod approved;
mod made_up;

use approved::approved;
use attune_tui::live::{LiveState, view};
use attune_tui::plain::PlainState;
use attune_tui::{ColorDepth, Style, summary, to_text};
use std::time::Duration;

/// Widths and what the terminal can show.
const TERMINALS: [(&str, usize, bool); 3] = [
    ("60_ascii", 60, false),
    ("80", 80, true),
    ("120", 120, true),
];

/// Compares each terminal's form of a page with its file.
fn check(name: &str, page: impl Fn(usize, Style) -> String) {
    for (terminal, width, unicode) in TERMINALS {
        let style = Style {
            color: ColorDepth::None,
            unicode,
            ..Style::ASCII
        };
        let actual = page(width, style);
        approved(&format!("{name}_{terminal}"), &actual);
        assert!(unicode || actual.is_ascii(), "{name}");
    }
}

fn live_after(events: usize, rows: usize, width: usize, style: Style) -> String {
    let mut state = LiveState::new(Some(Duration::from_secs(120)));
    for (event, elapsed) in made_up::events(events) {
        state.apply(&event);
        state.set_elapsed(elapsed);
    }
    to_text(&view(&state, width, rows, style))
}

#[test]
fn progress() {
    check("live_begun", |width, style| {
        live_after(24, 10, width, style)
    });
    check("live_halfway", |width, style| {
        live_after(80, 10, width, style)
    });
}

#[test]
fn plain_progress() {
    check("plain", |_, style| {
        let mut state = PlainState::new(style, None, Duration::from_secs(8));
        let told = made_up::events(usize::MAX).into_iter();
        let lines = told.flat_map(|(event, elapsed)| state.lines(&event, elapsed));
        lines.map(|line| line + "\n").collect()
    });
}

#[test]
fn leaderboard() {
    check("leaderboard", |width, style| {
        summary::leaderboard(&made_up::study(), 7, width, style)
    });
}

#[test]
fn study_list() {
    check("studies", |width, style| {
        let mut studies = made_up::studies();
        studies.truncate(if style.unicode { 4 } else { 3 });
        summary::study_list(&studies, made_up::NOW, width, style)
    });
    assert!(summary::study_list(&[], 0, 80, Style::ASCII).starts_with("No studies yet."));
}

#[test]
fn trial_page() {
    check("trial", |width, style| {
        summary::trial_page(&made_up::details()[0], width, style)
    });
}

#[test]
fn comparison() {
    check("compare", |width, style| {
        summary::compare(&made_up::details(), &made_up::objective(), width, style)
    });
}

#[test]
fn colours_only_add_to_what_is_said_without_them() {
    let plain = Style {
        color: ColorDepth::None,
        unicode: true,
        ..Style::ASCII
    };
    for color in [ColorDepth::Ansi16, ColorDepth::Ansi256, ColorDepth::True] {
        let colored = Style { color, ..plain };
        let pages = |style| {
            let details = made_up::details();
            summary::leaderboard(&made_up::study(), 10, 80, style)
                + &summary::compare(&details, &made_up::objective(), 80, style)
                + &live_after(80, 10, 80, style)
        };
        let shown = pages(colored);
        assert!(shown.contains("\x1b["));
        let stripped = without_escapes(&shown);
        let lines = |text: &str| {
            text.lines()
                .map(|l| l.trim_end().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(&stripped), lines(&pages(plain)));
    }
}

fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| {
        kept + part.split_once('m').map_or(part, |(_, rest)| rest)
    })
}
