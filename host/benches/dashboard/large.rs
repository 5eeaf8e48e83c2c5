//! A study of 50,000 trials, at which nothing happens.

use crate::support::{Home, small_study};
use crate::watched::Watched;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const TRIALS: usize = 50_000;

pub fn measure(is_short: bool) {
    let trials = if is_short { 200 } else { TRIALS };
    let home = Home::new();
    fill(&home, trials);
    let began = Instant::now();
    let mut watched = Watched::open(&home, &["dash", "s2"]);
    watched.terminal.sees("1 Studies");
    let shown = began.elapsed();
    watched.terminal.sees(&format!("of {trials} trials"));
    println!(
        "{:.0} ms until something is shown, {:.0} ms until all {trials} trials are there",
        shown.as_secs_f64() * 1e3,
        began.elapsed().as_secs_f64() * 1e3
    );

    for keys in [
        "3", "2", "   c", "6", "7", "<tab>", "<tab>", "<tab>", "8", "1", "2",
    ] {
        watched.terminal.press(keys);
        // Until what the screen asks for has come.
        rest(&watched);
    }
    let (now, most) = watched.memory();
    println!("{now:.0} MB after a visit to every screen, {most:.0} MB at most (goal: 60 MB)");

    let idle = watched.rates(Duration::from_secs(if is_short { 1 } else { 20 }));
    println!(
        "at rest: {:.2}% of a core (goal: 1%), {:.2} frames/s, {:.0} bytes/s from the daemon",
        idle.busy * 100.0,
        idle.frames,
        idle.from_daemon
    );

    let rounds = if is_short { 2 } else { 100 };
    println!(
        "{:<28} {:>7} {:>7} {:>7}",
        "a key", "median", "p99", "worst"
    );
    for (name, keys) in [
        ("down", &["j"][..]),
        ("to the last, to the first", &["G", "g"]),
        ("sort", &["s"]),
        ("the other way round", &["S"]),
        ("mark", &[" "]),
        ("zoom in, zoom out", &["+", "-"]),
        ("next screen", &["]", "["]),
        ("open, back", &["<enter>", "2"]),
        (
            "a filter",
            &["/", "<ctrl-u>", "l", "r", "<", "1", "<enter>"],
        ),
    ] {
        watched.tell_answers(name, keys, rounds);
    }
    watched.terminal.press("q");
    watched.terminal.ended();
}

/// Waits until it draws nothing any more.
fn rest(watched: &Watched) {
    let mut before = 0;
    while watched.terminal.frames() != before {
        before = watched.terminal.frames();
        std::thread::sleep(Duration::from_millis(400));
    }
}

/// Fills a home with a study of so many trials: one is trained, and told again and again with other
/// settings and results.
fn fill(home: &Home, trials: usize) {
    home.run(&["run", &small_study(home, "trials = 1")]).ok();
    let one = home.path().join("one.jsonl");
    let one = one.to_string_lossy();
    home.run(&["export", "s1", "--to", &one]).ok();
    let many = home.path().join("many.jsonl");
    multiply(Path::new(&*one), &many, trials);
    let began = Instant::now();
    home.run(&["import", &many.to_string_lossy()]).ok();
    println!(
        "{trials} trials, {} MB of JSON lines, were imported in {:.1} s",
        std::fs::metadata(&many).unwrap().len() / 1_000_000,
        began.elapsed().as_secs_f64()
    );
}

fn multiply(one: &Path, many: &Path, trials: usize) {
    let text = std::fs::read_to_string(one).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    let of = |kind: &str| lines.iter().find(|line| !line[kind].is_null());
    let mut head = of("export").unwrap().clone();
    head["export"]["study"]["trials"]["planned"] = json!(trials);
    let mut out = BufWriter::new(File::create(many).unwrap());
    let mut write = |line: &Value| writeln!(out, "{line}").unwrap();
    write(&head);
    let (mut trial, mut epochs) = (of("trial").unwrap().clone(), of("epochs").unwrap().clone());
    for number in 0..trials {
        // The golden ratio spreads whatever number of values evenly.
        let part = (number as f64 * 0.618_033_988_749_895).fract();
        let id = format!("s1.{number}");
        trial["trial"]["id"] = json!(id);
        trial["trial"]["config"]["lr"]["float"] = json!(10f64.powf(-3.0 + 3.0 * part));
        trial["trial"]["value"] = json!(0.5 + 0.5 * part);
        epochs["epochs"]["of"] = json!(id);
        write(&trial);
        write(&epochs);
    }
    let each = epochs["epochs"]["epochs"].as_object().unwrap().len();
    write(&json!({"end": {"trials": trials, "epochs": trials * each, "steps": 0}}));
    out.flush().unwrap();
}
