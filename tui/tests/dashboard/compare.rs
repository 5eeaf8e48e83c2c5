//! Trials side by side.

use crate::desk::{Desk, check, check_with};
use crate::toy::Toy;
use attune_tui::dashboard::{Deed, Want};

/// Marks the three best trials of s12 and compares them.
const THREE: &str = "j<enter>   c";

fn desk(keys: &str) -> Desk {
    let mut desk = Desk::new((120, 40));
    desk.press(keys);
    desk
}

#[test]
fn how_it_looks() {
    check("compare_none", "4");
    check("compare", THREE);
    check("compare_settings", &format!("{THREE}oG"));
    check("compare_many", "j<enter>        c<tab><tab><tab><tab>");
    check_with("compare_fork", || {
        let toy = Toy {
            is_forked: true,
            ..Toy::default()
        };
        (toy, "<enter> <esc>j<enter> 4v")
    });
}

#[test]
fn whoever_marked_too_few_is_told_how() {
    let mut desk = desk("4");
    desk.sees("no trial is marked yet");
    desk.press("1j<enter> 4");
    desk.sees("s12.1 is marked: mark one more");
    desk.press("2<down> c");
    desk.sees("2 trials");
}

#[test]
fn only_what_differs_is_shown_until_all_is_asked_for() {
    let mut desk = desk(THREE);
    desk.sees("settings that differ");
    desk.sees("batch_size");
    desk.sees_not("optimizer");
    desk.press("oG");
    desk.sees("optimizer");
    desk.press("og");
    desk.sees("highest accuracy");
    desk.sees("★ 0.9823");
}

#[test]
fn marks_are_taken_away_and_trials_opened() {
    let mut desk = desk(THREE);
    desk.press("<tab> ");
    desk.sees("s12.2 is taken out");
    desk.press("<enter>");
    desk.sees("s12.4 onecycle");
    desk.press("<esc>");
    let (x, y) = desk.find("s12.1").unwrap();
    desk.click(x, y);
    desk.click(x, y);
    desk.sees("s12.1 greedy");
    desk.press("<esc>*");
    desk.sees("no trial is marked yet");
}

#[test]
fn deeds_are_about_the_chosen_trial() {
    let mut desk = desk(THREE);
    desk.press("<tab>nthe second<enter>");
    let [Deed::NoteTrial(trial, note)] = desk.deeds() else {
        panic!("{:?}", desk.deeds());
    };
    assert_eq!(
        (trial.as_str(), note.text.as_str()),
        ("s12.2", "the second")
    );
}

#[test]
fn studies_with_different_aims_are_not_mixed_up() {
    // s11 is judged by rmse.
    let mut desk = desk("j<enter> 1j<enter> <down> 4");
    desk.sees("these studies have different aims (accuracy, rmse)");
    desk.sees("lowest rmse");
    desk.press("m");
    desk.sees("3 trials");
}

#[test]
fn too_many_are_cut_with_a_word() {
    let mut desk = Desk::new((150, 40));
    desk.press("j<enter>        1<up><enter>        4");
    desk.sees("the first 12 of 16 marked trials are shown");
    desk.press(&"<tab>".repeat(11));
    desk.press(" ");
    desk.sees("the first 12 of 15");
}

#[test]
fn forks_are_counted_from_the_fork_on() {
    let toy = Toy {
        is_forked: true,
        ..Toy::default()
    };
    let mut desk = Desk::before((120, 40), toy);
    desk.press("<enter> 1j<enter> 4");
    desk.sees("s12.1 at 138");
    desk.press("v");
    desk.sees("from the fork on");
    desk.press("aa");
    desk.sees("step");
    let mut none = Desk::new((120, 40));
    none.press(THREE);
    none.press("v");
    none.sees("none of these trials is a fork");
}

#[test]
fn each_trial_is_asked_for_once_when_it_has_ended() {
    let mut desk = desk(THREE);
    desk.toy.asked.clear();
    desk.wait(100_000);
    let trials = desk
        .toy
        .asked
        .iter()
        .any(|want| matches!(want, Want::Trial(_)));
    assert!(!trials, "{:?}", desk.toy.asked);
}
