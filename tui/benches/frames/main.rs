//! How long does the dashboard take to draw, and to follow a key?
//!
//! The pure dashboard stands before a made-up daemon with a study of 50,000 trials, ten of which
//! are in training, and of which one has curves of 1,000,000 points: more than the real one ever
//! sends. Frames of 120 by 40 cells are drawn again and again; keys are pressed and events come,
//! until the frame that shows them has been written for the terminal. Beside the frames stands the
//! floor, below which no program can come that walks a column of the trials once, reads the points
//! that are drawn once, and writes the cells that are not blank.
//!
//! The goals: a frame in 8 ms, a key on the screen in 30 ms. `cargo bench -p attune-tui --bench frames`
//! measures all of it; `-- keys` that part alone, and so do `frames`, `news` and `bytes`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "nobody but its author gives it anything"
)]

mod daemon;
mod desk;
#[path = "../../tests/dashboard/history.rs"]
mod history;
#[path = "../../tests/made_up/mod.rs"]
mod made_up;
#[path = "../../tests/dashboard/toy.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod toy;

use daemon::{POINTS, TRIALS};
use desk::{Desk, Key};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::KeyCode;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The screens, how to come to them from the table of the study, and whether the long curve is
/// drawn there.
const SCREENS: &[(&str, &[Key], bool)] = &[
    ("Studies", &[Key::c('1')], false),
    ("Study", &[], true),
    ("Study, six trials marked", &[Key::Marks], true),
    ("Study, filtered", &[Key::Filter], true),
    ("Trial", &[Key::c('3')], true),
    ("Trial, next part", &[Key::c('3'), Key::TAB], true),
    ("Compare", &[Key::Marks, Key::c('4')], true),
    ("Launch", &[Key::c('5')], false),
    ("Plugins", &[Key::c('6')], false),
    ("Insight: importance", &[Key::c('7')], false),
    ("Insight: second plot", &[Key::c('7'), Key::TAB], false),
    (
        "Insight: third plot",
        &[Key::c('7'), Key::TAB, Key::TAB],
        false,
    ),
    (
        "Insight: fourth plot",
        &[Key::c('7'), Key::TAB, Key::TAB, Key::TAB],
        false,
    ),
    ("System", &[Key::c('8')], false),
    ("Help over the study", &[Key::c('?')], true),
];

/// Keys that are pressed on a screen, again and again.
const KEYS: &[(&str, &[Key], &[Key])] = &[
    ("down", &[], &[Key::c('j'), Key::c('k')]),
    ("a page down", &[], &[Key::PAGE_DOWN, Key::PAGE_UP]),
    (
        "to the last, to the first",
        &[],
        &[Key::c('G'), Key::c('g')],
    ),
    ("sort", &[], &[Key::c('s')]),
    ("the other way round", &[], &[Key::c('S')]),
    ("filter", &[], &[Key::Filter, Key::NoFilter]),
    (
        "mark",
        &[],
        &[Key::c(' '), Key::c('k'), Key::c(' '), Key::c('k')],
    ),
    ("zoom in, zoom out", &[], &[Key::c('+'), Key::c('-')]),
    ("smoother, less smooth", &[], &[Key::c('z'), Key::c('Z')]),
    ("logarithmic", &[], &[Key::c('y')]),
    ("next metric", &[], &[Key::c('m')]),
    ("next screen", &[], &[Key::c(']'), Key::c('[')]),
    ("open, back", &[], &[Key::ENTER, Key::ESC]),
    ("cross-hair of a trial", &[Key::c('3')], &[Key::c('h')]),
    (
        "zoom of a trial",
        &[Key::c('3')],
        &[Key::c('+'), Key::c('-')],
    ),
    ("next plot of insight", &[Key::c('7')], &[Key::TAB]),
    (
        "next trial compared",
        &[Key::Marks, Key::c('4')],
        &[Key::TAB],
    ),
];

/// A part of the bench: its name, and how it is measured with so many rounds.
type Part = (&'static str, fn(usize));

const PARTS: [Part; 4] = [
    ("frames", frames),
    ("keys", keys),
    ("news", news),
    ("bytes", bytes),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // Where cargo only wants to know that it runs.
    let is_short = !args.iter().any(|arg| arg == "--bench");
    let rounds = if is_short { 2 } else { 200 };
    let asked = |name: &str| args.iter().any(|arg| arg == name);
    let all = !PARTS.iter().any(|(name, _)| asked(name));
    println!("120 by 40 cells, {TRIALS} trials, {POINTS} points, {rounds} rounds, milliseconds");
    for (name, measure) in PARTS {
        if all || asked(name) {
            println!();
            measure(rounds);
        }
    }
}

fn frames(rounds: usize) {
    println!(
        "{:<28} {:>8} {:>8} {:>8} {:>8} {:>6} {:>7}",
        "a frame (goal 8)", "median", "p99", "worst", "floor", "cells", "bytes"
    );
    for &(name, keys, is_long) in SCREENS {
        let mut desk = Desk::at_study();
        for key in keys {
            desk.press(*key);
        }
        let before = desk.bytes();
        desk.redraw();
        let bytes = desk.bytes() - before;
        let times: Vec<Duration> = (0..rounds).map(|_| desk.frame()).collect();
        let (floor, cells) = floor(desk.buffer(), is_long, rounds);
        println!(
            "{name:<28} {} {floor:>8.3} {cells:>6} {bytes:>7}",
            told(times)
        );
    }
}

/// The least that a frame can take, and how many of its cells are not blank.
fn floor(buffer: &Buffer, is_long: bool, rounds: usize) -> (f64, usize) {
    let values: Vec<f64> = (0..TRIALS).map(f64::from).collect();
    let points: Vec<f64> = (0..if is_long { POINTS } else { 0 })
        .map(f64::from)
        .collect();
    let mut buffer = buffer.clone();
    let written = buffer.content.iter().filter(|cell| cell.symbol() != " ");
    let cells = written.count();
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            black_box(values.iter().copied().fold(f64::NAN, f64::max));
            black_box(points.iter().copied().fold(f64::NAN, f64::max));
            for cell in buffer.content.iter_mut().take(cells) {
                black_box(cell.set_char('⣿').set_style(ratatui::style::Style::new()));
            }
            begun.elapsed()
        })
        .collect();
    times.sort();
    (ms(times[rounds / 2]), cells)
}

fn keys(rounds: usize) {
    println!(
        "{:<28} {:>8} {:>8} {:>8}",
        "a key (goal 30)", "median", "p99", "worst"
    );
    for &(name, before, keys) in KEYS {
        let mut desk = Desk::at_study();
        for key in before {
            desk.press(*key);
        }
        let keys = keys.iter().cycle().take(rounds);
        let times: Vec<Duration> = keys.map(|key| desk.press(*key)).collect();
        println!("{name:<28} {}", told(times));
    }
}

fn news(rounds: usize) {
    println!(
        "{:<28} {:>8} {:>8} {:>8}",
        "64 events, then a frame", "median", "p99", "worst"
    );
    for (name, keys) in [
        ("Studies", &[Key::c('1')][..]),
        ("Study", &[]),
        ("Study, filtered", &[Key::Filter]),
        ("Trial", &[Key::c('3')]),
        ("Insight", &[Key::c('7'), Key::TAB]),
    ] {
        let mut desk = Desk::at_study();
        for key in keys {
            desk.press(*key);
        }
        let times: Vec<Duration> = (0..rounds).map(|_| desk.news(64)).collect();
        println!("{name:<28} {}", told(times));
    }
    let pages: Vec<Duration> = (0..rounds.min(20)).flat_map(|_| Desk::pages()).collect();
    println!("{:<28} {}", "a page of 5,000 trials", told(pages));
}

fn bytes(rounds: usize) {
    let seconds = rounds.div_ceil(4);
    println!(
        "{:<28} {:>8} {:>8} {:>8}",
        "ten trials run, bytes", "a frame", "most", "a second"
    );
    for (name, keys) in [
        ("Studies", &[Key::c('1')][..]),
        ("Study", &[]),
        ("Study, those in training", &[Key::Running]),
        ("Trial", &[Key::Running, Key::c('3')]),
        ("Compare", &[Key::Marks, Key::c('4')]),
        ("Insight", &[Key::c('7')]),
        ("System", &[Key::c('8')]),
    ] {
        let mut desk = Desk::at_study();
        for key in keys {
            desk.press(*key);
        }
        // As the shell does it: events of each trial twice a second, a frame four times.
        let frames: Vec<usize> = (0..seconds * 4)
            .map(|_| {
                let before = desk.bytes();
                desk.quarter();
                desk.bytes() - before
            })
            .collect();
        let all: usize = frames.iter().sum();
        let most = frames.iter().max().copied().unwrap_or_default();
        println!(
            "{name:<28} {:>8} {most:>8} {:>8}",
            all / frames.len(),
            all / seconds
        );
    }
}

/// The median, the 99th percentile and the worst.
fn told(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: f64| ms(times[((times.len() - 1) as f64 * part).ceil() as usize]);
    format!("{:>8.3} {:>8.3} {:>8.3}", at(0.5), at(0.99), at(1.0))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Key {
    const TAB: Key = Key::Code(KeyCode::Tab);
    const ENTER: Key = Key::Code(KeyCode::Enter);
    const ESC: Key = Key::Code(KeyCode::Esc);
    const PAGE_DOWN: Key = Key::Code(KeyCode::PageDown);
    const PAGE_UP: Key = Key::Code(KeyCode::PageUp);

    const fn c(c: char) -> Key {
        Key::Code(KeyCode::Char(c))
    }
}
