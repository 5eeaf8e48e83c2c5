//! One trial in full.

use crate::desk::{Desk, check};
use crate::toy::Toy;
use attune_protocol::{Number, Steer, StepsQuery};
use attune_tui::Style;
use attune_tui::dashboard::{Deed, Input, Want};

/// Opens the best trial of the study s12.
const BEST: &str = "j<enter><enter>";

/// Opens s12.3, which was taken by hand.
const BY_HAND: &str = "j<enter>/number = 3<enter><enter>";

/// Opens s12.5, which diverged and lost a worker.
const DIVERGED: &str = "j<enter>/number = 5<enter><enter>";

fn desk(keys: &str) -> Desk {
    let mut desk = Desk::new((120, 40));
    desk.press(keys);
    desk
}

#[test]
fn how_it_looks() {
    check("trial_curves", BEST);
    check("trial_cursor", &format!("{BEST}<left><left><left>"));
    check("trial_decisions", &format!("{BY_HAND}<tab>"));
    check("trial_settings", &format!("{BEST}<tab><tab>"));
    check("trial_log", &format!("{DIVERGED}<shift-tab>"));
}

#[test]
fn without_a_trial_the_best_one_is_shown() {
    let desk = desk("3");
    desk.sees("best accuracy");
    let mut empty = Desk::with(
        (80, 24),
        Style::ASCII,
        Toy {
            is_empty: true,
            ..Toy::default()
        },
    );
    empty.press("3");
    empty.sees("no trial is chosen");
}

#[test]
fn metrics_are_gone_through() {
    let mut desk = desk(BY_HAND);
    desk.sees("accuracy");
    desk.press("m");
    desk.sees("train loss");
    desk.sees_not("valid accuracy");
    desk.press("m");
    desk.sees("grad_angle, as the scheduler saw it");
    desk.press("m");
    desk.sees("valid accuracy");
}

#[test]
fn a_stretch_that_is_zoomed_to_is_asked_for() {
    let mut desk = Desk::new((80, 24));
    desk.press(BEST);
    desk.toy.asked.clear();
    desk.press("v");
    let found = desk.toy.asked.iter().find_map(|want| match want {
        Want::Zoom(trial, query) if query.column == "lr" => Some((trial, query)),
        _ => None,
    });
    let (trial, query) = found.expect("a rate is asked for");
    assert_eq!(trial, "s12.1");
    let (from, to) = (query.from.unwrap(), query.to.unwrap());
    assert!(
        (400..=414).contains(&from) && (459..480).contains(&to),
        "{query:?}"
    );
    desk.toy.asked.clear();
    desk.press("v");
    desk.wait(100_000);
    let zooms = desk
        .toy
        .asked
        .iter()
        .any(|want| matches!(want, Want::Zoom(..)));
    assert!(
        !zooms,
        "what has ended is asked for once: {:?}",
        desk.toy.asked
    );
}

#[test]
fn a_trial_in_training_is_looked_at_anew() {
    let mut desk = desk("<enter>/number = 7<enter><enter>");
    desk.sees("running");
    desk.toy.asked.clear();
    desk.wait(60_000);
    let again = |name: &str| {
        let asked = desk.toy.asked.iter();
        let asked: Vec<String> = asked.map(|want| format!("{want:?}")).collect();
        asked.iter().any(|want| want.starts_with(name))
    };
    assert!(again("Trial(\"s13.7\")"), "{:?}", desk.toy.asked);
    assert!(again("Zoom(\"s13.7\""), "{:?}", desk.toy.asked);
    // An epoch is seen at once.
    let progress = attune_protocol::Progress {
        trial: "s13.7".to_owned(),
        epoch: 12,
        step: 276,
        metrics: [("valid_accuracy".to_owned(), Number(0.9991))].into(),
        rate: Number(0.0123),
    };
    desk.input(Input::Event(attune_protocol::Event::Epoch(progress)));
    desk.sees("epoch 12 of 20");
    desk.sees("0.9991");
    desk.sees("rate 0.0123");
}

#[test]
fn decisions_are_told_with_what_was_seen() {
    let mut desk = desk(BY_HAND);
    desk.press("<tab>");
    desk.sees("grad_angle");
    let steps = StepsQuery {
        from: Some(0),
        limit: Some(500),
    };
    assert!(
        desk.toy
            .asked
            .contains(&Want::Steps("s12.3".to_owned(), steps))
    );
    desk.press("g");
    desk.sees("began");
    desk.sees("raised");
    desk.press(&"<down>".repeat(59));
    desk.sees("by hand: rate set to 0.05");
    // The cross-hair goes with the rows, and the rows with the cross-hair.
    let screen = desk.screen();
    let labels = screen.lines().rev().nth(1).unwrap_or_default();
    assert!(labels.contains(" 60 "), "{screen}");
    let chosen = |desk: &Desk| desk.find("by hand: rate set").is_some();
    desk.press(&"<right>".repeat(40));
    assert!(!chosen(&desk), "{}", desk.screen());
    desk.press("<enter>");
    desk.sees("[Curves]");
}

#[test]
fn a_rate_that_changes_rarely_is_told_where_it_does() {
    let mut desk = desk(BEST);
    desk.press("<tab>");
    desk.sees("-5.00%");
    desk.sees("lowered");
    desk.sees("more steps here the rate stayed as it was");
}

#[test]
fn one_goes_from_trial_to_trial() {
    let mut desk = desk(BY_HAND);
    desk.press(")");
    desk.sees("s12.4 onecycle");
    desk.press("((");
    desk.sees("s12.2 cosine");
    desk.press("((");
    desk.sees("there is no further trial");
    desk.sees("s12.1 greedy");
    desk.press(" ");
    desk.sees("marked");
}

#[test]
fn a_fork_leads_to_where_it_comes_from() {
    let toy = Toy {
        is_forked: true,
        ..Toy::default()
    };
    let mut desk = Desk::before((120, 40), toy);
    desk.press("<enter><enter>");
    desk.sees("fork of s12.1 at step 138");
    desk.press("<tab><tab>");
    let (x, y) = desk.find("s12.1 at step 138").unwrap();
    // The first one is in the head.
    let below = desk
        .screen()
        .lines()
        .skip(usize::from(y) + 1)
        .position(|line| line.contains("s12.1 at step 138"));
    let y = y + 1 + below.expect("the lineage names the origin") as u16;
    desk.click(x, y);
    desk.press("<enter>");
    desk.sees("s12.1 greedy");
    desk.sees("forked as");
}

#[test]
fn what_went_wrong_is_told() {
    let mut desk = desk(DIVERGED);
    desk.sees("the loss was NaN at step 57");
    desk.sees("Log (3)");
    let (x, y) = desk.find("Log (3)").unwrap();
    desk.click(x, y);
    desk.sees("killed by SIGKILL at step 31");
    desk.sees("asked for a rate of NaN at step 12");
}

#[test]
fn deeds_are_about_the_trial() {
    let mut desk = desk("<enter>/number = 7<enter><enter>e<ctrl-u>0.02<enter>");
    let steer = Steer::SetRate(Number(0.02));
    assert_eq!(desk.deeds(), [Deed::Steer("s13.7".to_owned(), steer)]);
    desk.press("p");
    assert_eq!(desk.deeds()[1], Deed::PauseTrial("s13.7".to_owned()));
}

#[test]
fn what_is_not_there_is_told_with_what_to_do() {
    let mut desk = Desk::new((100, 30));
    desk.app.open("s12.99");
    desk.wait(1);
    desk.sees("there is no trial s12.99");
    desk.sees("2 shows the study's trials");
}
