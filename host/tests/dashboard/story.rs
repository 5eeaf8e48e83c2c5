//! A day at the dashboard, from the first look to the last.

use crate::ground::Terminal;
use crate::support::{Home, signal, small_study, wait_for, wait_until};
use rustix::process::Signal;

/// Two rows of the table have a value, and stand in the order of it.
fn are_two_trials_valued(screen: &str) -> bool {
    let valued = |line: &&str| {
        let line = line.trim_start_matches([' ', '▌']);
        line.starts_with("s1.") && line.contains("0.")
    };
    screen.lines().filter(valued).count() >= 2
}

#[test]
fn a_study_is_launched_watched_compared_forked_paused_and_outlives_its_daemon() {
    let home = Home::new();
    // For its table; the study is made in the form.
    small_study(&home, "");
    let mut terminal = Terminal::dashboard(&home, (120, 40));
    terminal.is_taken_over();
    terminal.sees("no study yet: N opens a form");

    // The form: a table, its target, more trials than anybody waits for.
    terminal.press("N");
    terminal.sees("choose a data file and its target");
    terminal.press("wine.csv");
    terminal.sees("178 rows, 14 columns");
    terminal.press("<enter>");
    terminal.sees("different:");
    // The target is the last column.
    terminal.press("<left>");
    terminal.sees("ready: ctrl-r launches it");
    terminal.press("<down><down><down><down><ctrl-u>90000");
    terminal.sees("size: 90000 trials");
    terminal.press("<ctrl-r>");
    terminal.sees_in_a_line(&["2 Study", "s1 wine"]);
    terminal.wait(are_two_trials_valued, "two trials have a value");

    // Two are marked and held against each other.
    terminal.press("  c");
    terminal.sees_in_a_line(&["4 Compare", "2 trials"]);
    terminal.sees("settings that differ");

    // The best one goes on with another scheduler, once it has come to a checkpoint.
    terminal.press("<esc>");
    terminal.sees("Learning curves");
    terminal.press("*g");
    terminal.press("f");
    terminal.wait(
        |screen| screen.contains("at steps ") || screen.contains("one, at step "),
        "its checkpoints are told",
    );
    terminal.press("<right>");
    terminal.sees("◂ constant ▸");
    terminal.press("<tab><tab><enter>");
    terminal.sees_in_a_line(&["2 Study", "s2", "fork of s1."]);
    let forked = home.study("s2");
    assert!(
        forked["origin"]["trial"]
            .as_str()
            .unwrap()
            .starts_with("s1."),
        "{forked:#}"
    );

    // Back to the first study, which is paused and goes on.
    terminal.press("1");
    terminal.sees("2 studies");
    terminal.press("<enter>");
    terminal.sees_in_a_line(&["2 Study", "s1 wine"]);
    terminal.press("p");
    terminal.sees("◂ s1 ▸");
    terminal.press("<enter>");
    terminal.sees("s1 is paused");
    home.wait_for_state("s1", "paused");
    terminal.press("r");
    terminal.sees("s1 goes on");
    home.wait_for_state("s1", "running");

    // The daemon dies; the dashboard starts another and goes on watching.
    let killed = home.daemon_pid().expect("a daemon");
    assert!(signal(killed, Signal::KILL));
    terminal.sees("the daemon is back");
    wait_until(
        || home.daemon_pid().is_some_and(|pid| pid != killed),
        "another daemon runs",
    );
    let ended = |home: &Home| home.study("s1")["trials"]["stopped"].as_u64();
    let before = ended(&home);
    wait_for(
        || (ended(&home) > before).then_some(()),
        "trials end under the new daemon",
    );
    terminal.sees_in_a_line(&["running", "/90000"]);

    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_given_back();
    assert_eq!(home.study("s1")["state"], "running");
}
