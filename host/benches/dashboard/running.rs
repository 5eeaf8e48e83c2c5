//! Ten trials in training, each of them with many epochs a second: what comes from the daemon, and
//! what goes to the terminal.

use crate::support::{Home, SPACE, study_of, wait_until};
use crate::watched::Watched;
use std::time::Duration;

const RUNNING: u64 = 10;

pub fn measure(is_short: bool) {
    let seconds = Duration::from_secs(if is_short { 1 } else { 10 });
    let home = Home::new();
    home.configure("workers = 10\n");
    let file = study_of(
        &home,
        "trials = 1000\nparallel = 10\nbudget = \"20m\"",
        "method = \"none\"\nmax_epochs = 1000000",
        SPACE,
    );
    let id = home.start_detached(&file);
    let all_run = || home.study(&id)["trials"]["running"] == RUNNING;
    wait_until(all_run, "ten trials run");
    let mut watched = Watched::open(&home, &[]);
    watched.terminal.sees("1 Studies");
    println!(
        "{:<12} {:>11} {:>9} {:>11} {:>8} {:>7}",
        "bytes/s", "from daemon", "to daemon", "to terminal", "frames/s", "a core"
    );
    for (name, keys) in [
        ("Studies", ""),
        ("Study", "<enter>"),
        ("  7 marked", "       "),
        ("Compare", "c"),
        ("Trial", "3"),
        ("  decisions", "<tab>"),
        ("  settings", "<tab>"),
        ("  log", "<tab>"),
        ("Insight", "7"),
        ("  parallel", "<tab>"),
        ("  slices", "<tab>"),
        ("  timeline", "<tab>"),
        ("Plugins", "6"),
        ("System", "8"),
    ] {
        watched.terminal.press(keys);
        if !is_short {
            watched.settle();
        }
        let rates = watched.rates(seconds);
        println!(
            "{name:<12} {:>11.0} {:>9.0} {:>11.0} {:>8.1} {:>6.2}%",
            rates.from_daemon,
            rates.to_daemon,
            rates.to_terminal,
            rates.frames,
            rates.busy * 100.0
        );
    }
    println!("(goal: at most 20000 bytes/s from the daemon)");
    let (now, most) = watched.memory();
    println!("{now:.0} MB now, {most:.0} MB at most (goal: 60 MB)");
    println!(
        "{:<28} {:>7} {:>7} {:>7}",
        "a key", "median", "p99", "worst"
    );
    println!("(until the next frame, whatever caused it: news of trials draw too)");
    watched.terminal.press("2");
    for (name, keys) in [("down, up", &["j", "k"][..]), ("sort", &["s"])] {
        watched.tell_answers(name, keys, if is_short { 2 } else { 100 });
    }
    watched.terminal.press("q");
    watched.terminal.ended();
}
