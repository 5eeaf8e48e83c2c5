//! A day at the dashboard, from the first look to the last.

use crate::ground::Terminal;
use crate::support::{Home, signal, small_study, wait_until};
use rustix::process::Signal;

/// Two rows of the table have a value, and stand in the order of it.
fn are_two_trials_valued(screen: &str) -> bool {
    let valued = |line: &&str| {
        let line = line.trim_start_matches([' ', '▌']);
        line.starts_with("s1.") && line.contains("0.")
    };
    screen.lines().filter(valued).count() >= 2
}

/// Goes down the form to a field.
fn go_to(terminal: &mut Terminal, field: &str) {
    let chosen = |screen: &str| {
        let line = screen.lines().find(|line| line.starts_with('▌'));
        line.map(|line| line.chars().take(20).collect::<String>())
    };
    loop {
        let here = chosen(&terminal.screen());
        if here
            .as_deref()
            .is_some_and(|here| here[3..].trim_start().starts_with(field))
        {
            return;
        }
        terminal.press("<down>");
        // For a moment of its being drawn, none may be.
        terminal.wait(
            |screen| chosen(screen).is_some_and(|now| Some(now) != here),
            "the next field is chosen",
        );
    }
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
    go_to(&mut terminal, "trials");
    terminal.press("<ctrl-u>90000");
    go_to(&mut terminal, "epochs");
    terminal.press("<ctrl-u>90000");
    terminal.sees("size: 90000 trials of at most 90000 epochs");
    terminal.press("<ctrl-r>");
    terminal.sees_in_a_line(&["2 Study", "s1 wine"]);
    terminal.wait(are_two_trials_valued, "two trials have a value");

    // Two are marked and held against each other.
    terminal.press("  c");
    terminal.sees_in_a_line(&["4 Compare", "2 trials"]);
    terminal.sees("settings that differ");

    // It is paused: what was in training is laid down at a checkpoint, and one of those goes on in a
    // study of its own with another scheduler.
    terminal.press("<esc>");
    terminal.sees("Learning curves");
    terminal.press("*gp");
    terminal.sees("◂ s1 ▸");
    terminal.press("<enter>");
    terminal.sees("s1 is paused");
    home.wait_for_state("s1", "paused");
    let board = home.json(&["ls", "s1", "--json"]);
    let trials = board["trials"].as_array().unwrap();
    let laid_down = trials.iter().find(|trial| {
        trial["checkpoints"]
            .as_array()
            .is_some_and(|c| !c.is_empty())
    });
    let id = laid_down.expect("one that was in training")["id"].as_str();
    let number = id.unwrap().trim_start_matches("s1.");
    terminal.press(&format!("/trial = {number}<enter>"));
    terminal.sees("1 of ");
    terminal.press("f");
    terminal.wait(
        |screen| screen.contains("at steps ") || screen.contains("one, at step "),
        "its checkpoints are told",
    );
    terminal.press("<right>");
    terminal.sees("◂ constant ▸");
    terminal.press("<tab><tab><enter>");
    terminal.sees_in_a_line(&["2 Study", "s2", "fork of s1."]);
    let origin = home.study("s2")["origin"]["trial"].take();
    assert!(
        origin
            .as_str()
            .is_some_and(|trial| trial.starts_with("s1.")),
        "{origin}"
    );

    // Back to the first study, which goes on.
    terminal.press("1");
    terminal.sees("2 studies");
    // The newest stands first.
    terminal.press("G<enter>");
    terminal.sees_in_a_line(&["2 Study", "s1 wine"]);
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
    let seconds = |home: &Home| home.study("s1")["seconds"].as_f64();
    let before = seconds(&home);
    wait_until(
        || seconds(&home) > before,
        "the study goes on under the new daemon",
    );
    terminal.sees_in_a_line(&["running", "/90000"]);

    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_given_back();
    assert_eq!(home.study("s1")["state"], "running");
}
