//! The form for a new study, and its text.

use crate::desk::{Desk, check};
use crate::toy::SPEC;
use attune_protocol::NewStudy;
use attune_tui::dashboard::{Deed, Input, Want};
use ratatui::crossterm::event::MouseEventKind;

/// From the first screen to a form that is filled in: the data's path is completed, its last column
/// is chosen.
const FILLED: &str = "N<wait>di<wait><tab><wait><down><left><wait>";

fn launched(desk: &Desk) -> Option<&NewStudy> {
    desk.deeds().iter().find_map(|deed| match deed {
        Deed::Launch(study) => Some(study),
        _ => None,
    })
}

fn checks(desk: &Desk) -> usize {
    let asked = desk.toy.asked.iter();
    asked.filter(|want| matches!(want, Want::Check(_))).count()
}

#[test]
fn how_it_looks() {
    check("launch_empty", "N<wait>");
    check("launch_target", FILLED);
    let to_greedy = "<down><down><down><down><down><down><down><down><down>";
    check(
        "launch_scheduler",
        &format!("{FILLED}{to_greedy}<enter><down><down>0<wait>"),
    );
    check(
        "launch_problem",
        &format!("{FILLED}<down><down><down><down><ctrl-u>0<wait>"),
    );
    check(
        "launch_text",
        &format!("{FILLED}<ctrl-e><page-up><page-up>trails = 1<enter><wait>"),
    );
}

#[test]
fn a_study_is_launched_from_nothing_with_the_text_that_is_shown() {
    let mut desk = Desk::new((120, 40));
    desk.press("N<wait>");
    desk.sees("choose a data file and its target");
    desk.press("<ctrl-r>");
    desk.sees("choose a data file and its target first");
    assert_eq!(checks(&desk), 0, "there is nothing to check");
    desk.press("di<wait>");
    desk.sees("digits.csv  262 kB");
    desk.sees_not("wine.csv");
    desk.press("<tab><wait>");
    desk.sees("1797 rows, 3 columns");
    desk.sees("next: choose the target among the columns");
    desk.press("<enter>");
    desk.sees("categories, 10 different: 0, 1, 2");
    desk.press("<left>");
    assert!(
        !desk
            .toy
            .asked
            .iter()
            .any(|want| matches!(want, Want::Draft(_))),
        "what is typed has not rested yet"
    );
    desk.press("<wait>");
    desk.sees("ready: ctrl-r launches it");
    desk.sees("about 12 minutes, from the trials of s12");
    desk.sees("learning rate");
    desk.sees("libmine.so was built for ABI 2");
    desk.press("<ctrl-r>");
    let study = launched(&desk).expect("it is launched");
    assert_eq!(
        study.spec,
        SPEC.replace("digits.csv", "/home/ada/digits.csv")
    );
    assert_eq!(study.file, "/home/ada/digits.toml");
    desk.sees("s14");
}

#[test]
fn it_is_checked_when_the_text_has_rested_and_at_once_where_it_is_launched() {
    let mut desk = Desk::new((120, 40));
    desk.press(FILLED);
    let before = checks(&desk);
    desk.press("<down><down><down><down><ctrl-u>1");
    desk.sees("now: checking");
    desk.sees("about 12 minutes");
    desk.press("2");
    assert_eq!(checks(&desk), before);
    desk.press("<wait>");
    assert_eq!(checks(&desk), before + 1);
    desk.sees_not("now: checking");
    desk.sees("12 trials of at most 20 epochs");
    desk.press("3<ctrl-r>");
    let study = launched(&desk).expect("it is launched");
    assert!(study.spec.contains("\ntrials = 123\n"), "{}", study.spec);
}

#[test]
fn what_is_wrong_is_told_at_its_field_and_not_launched() {
    let mut desk = Desk::new((120, 40));
    desk.press(FILLED);
    desk.press("<down><down><down><down><ctrl-u>2x");
    desk.sees("no: `2x` is not a whole number");
    desk.press("<down><ctrl-r>");
    desk.sees("trials: `2x` is not a whole number");
    assert_eq!(launched(&desk), None);
    // The field that is wrong is the one that is filled in again.
    desk.press("<ctrl-u>0<wait>");
    desk.sees("no: `trials` is 0, but must be");
    desk.press("<ctrl-r>");
    assert_eq!(launched(&desk), None);
    desk.press("<ctrl-u>9<wait>");
    desk.sees_not("no: ");
    desk.press("<ctrl-r>");
    assert!(launched(&desk).is_some());
}

#[test]
fn a_parameter_is_checked_by_its_range_and_comes_back_with_its_scheduler() {
    let mut desk = Desk::new((120, 40));
    desk.press(FILLED);
    let (x, y) = desk.find("[x] greedy").unwrap();
    desk.click(x + 8, y);
    desk.press("<enter>");
    desk.sees("searched: 1 to 20, log");
    desk.press("<down>1");
    desk.sees("no: must be: number, above 0, below 1");
    // It is told too where the parameters are not shown.
    desk.press("<up><left>");
    desk.sees("![x] greedy");
    desk.sees("no: factor: must be: number, above 0, below 1");
    desk.press("<right><down>");
    desk.press("<backspace>0.9<down>3 to 8");
    desk.sees_not("no: must be");
    let (_, y) = desk.find("[x] greedy").unwrap();
    desk.click(x + 1, y);
    desk.sees("[ ] greedy");
    desk.press("<ctrl-e>");
    desk.sees("scheduler = [\"cosine\", \"hypergradient\"]");
    desk.sees_not("greedy.factor");
    desk.press("<ctrl-e>");
    let (_, y) = desk.find("[ ] greedy").unwrap();
    desk.click(x + 1, y);
    desk.press("<ctrl-e>");
    desk.sees("greedy.factor = 0.9");
    desk.sees("greedy.patience = { low = 3, high = 8 }");
    desk.sees("# Handwritten digits.");
}

#[test]
fn form_and_text_are_one() {
    let mut desk = Desk::new((120, 40));
    desk.press(FILLED);
    desk.press("<ctrl-e>");
    desk.press("<page-up><page-up>trails = 1<enter><wait>");
    desk.sees("! 1");
    desk.sees("no: unknown key `trails`");
    desk.press("<ctrl-r>");
    assert_eq!(launched(&desk), None);
    desk.sees("line 1, column 1");
    desk.press("<ctrl-z>");
    for _ in 0..12 {
        desk.press("<ctrl-z>");
    }
    desk.wait(20_000);
    desk.sees_not("trails");
    // What is no TOML is told without the daemon.
    desk.press("=");
    desk.sees("no: not valid TOML");
    desk.press("<backspace># mine<enter><ctrl-f>trials<enter><end><backspace>5<wait><ctrl-e>");
    desk.sees("trials           5");
    desk.press("<ctrl-r>");
    let study = launched(&desk).expect("it is launched");
    assert!(study.spec.starts_with("# mine\n"), "{}", study.spec);
}

#[test]
fn what_is_no_table_has_fields_of_its_own() {
    let mut desk = Desk::new((120, 40));
    desk.press("N<wait><ctrl-e>[function]<enter>dimensions = 4<ctrl-e><wait>");
    for part in [
        "Function",
        "dimensions       4",
        "condition",
        "metric           loss",
    ] {
        desk.sees(part);
    }
    desk.sees_not("target");
    desk.sees_not("data file");
    desk.sees_not("activation");
    desk.press("<ctrl-r><wait>");
    let study = launched(&desk).expect("it needs no data");
    assert_eq!(study.spec, "[function]\ndimensions = 4");

    let mut desk = Desk::new((120, 40));
    desk.press("N<wait><ctrl-e>[factorisation]<ctrl-e><wait>");
    desk.sees("none: a matrix is made up");
    desk.sees("columns");
    desk.press("<down>di<wait><tab><wait>");
    desk.sees("leave out");
    desk.sees_not("planted");

    let mut desk = Desk::new((120, 40));
    desk.press("N<wait><ctrl-e>[data]<enter>path = 'a.txt'<enter>task = 'text'<ctrl-e><wait>");
    desk.sees("task             text");
    desk.sees("context");
    desk.sees_not("target  ");
    desk.sees_not("leave out");
}

#[test]
fn again_but_begins_with_a_study_where_it_lies() {
    let mut desk = Desk::new((120, 40));
    desk.press("<down>A<wait>");
    desk.sees("first.toml");
    desk.sees("1797 rows, 3 columns");
    let looked = Want::Look("/home/ada/studies/digits.csv".to_owned());
    assert!(desk.toy.asked.contains(&looked));
    for _ in 0..6 {
        desk.press("<down>");
    }
    desk.press("<ctrl-u>99<ctrl-r>");
    let study = launched(&desk).expect("it is launched");
    assert_eq!(study.spec, SPEC.replace("trials = 8", "trials = 99"));
    assert_eq!(study.file, "/home/ada/studies/first.toml");
}

#[test]
fn a_past_study_replaces_what_there_is_only_when_asked_to() {
    let mut desk = Desk::new((120, 40));
    desk.press("N<wait><up><right>");
    desk.sees("s13 wine quality");
    desk.press("<enter>");
    desk.sees("this is the study file of s13");
    desk.press("<down><down><down><down><down><down><ctrl-u>77<wait>");
    desk.press("<up><up><up><up><up><up><right><enter>");
    desk.sees("Replace the study file");
    desk.press("n");
    desk.sees("77");
    desk.press("<enter>y<wait>");
    desk.sees_not("77");
    desk.press("<right><right><right><right><right><right><right><right>");
    while desk.find("an empty study").is_none() {
        desk.press("<right>");
    }
    desk.press("<enter><wait>");
    desk.sees("choose a data file and its target");
}

#[test]
fn it_is_saved_under_a_name_that_is_not_there_yet() {
    let mut desk = Desk::new((120, 40));
    desk.press(FILLED);
    desk.press("<ctrl-s>");
    desk.sees("/home/ada/digits.toml");
    desk.press("<enter>");
    let text = SPEC.replace("digits.csv", "/home/ada/digits.csv");
    let save = |path: &str| Deed::Save {
        path: path.to_owned(),
        text: text.clone(),
    };
    assert_eq!(desk.deeds(), [save("/home/ada/digits.toml")]);
    desk.press("<ctrl-s>");
    desk.sees("/home/ada/digits-2.toml");
    desk.press("<ctrl-u>mine.toml<enter>");
    assert_eq!(desk.deeds()[1], save("/home/ada/mine.toml"));
}

#[test]
fn the_mouse_fills_it_in() {
    let mut desk = Desk::new((120, 40));
    desk.press("N<wait>");
    let (x, y) = desk.find("wine.csv").unwrap();
    desk.click(x, y);
    desk.press("<wait>");
    desk.sees("1797 rows");
    let (x, y) = desk.find("target   ").unwrap();
    desk.click(x, y);
    let (x, y) = desk.find("pixel1").unwrap();
    desk.click(x, y);
    desk.press("<wait>");
    let drafted = desk.toy.asked.iter().any(|want| {
        matches!(want, Want::Draft(draft)
            if draft.target == "pixel1" && draft.data == "/home/ada/wine.csv")
    });
    assert!(drafted, "{}", desk.screen());
    let (x, y) = desk.find("early stopping").unwrap();
    desk.click(x, y);
    desk.sees("early stopping   ◂ asha ▸");
    desk.now += 1_000;
    // The columns that were offered for the target are gone, and what stands below them went up.
    let (x, y) = desk.find("early stopping").unwrap();
    desk.click(x, y);
    desk.sees("early stopping   ◂ none ▸");
    desk.mouse(MouseEventKind::ScrollDown, x, y);
    desk.sees_not("begin with");
    desk.mouse(MouseEventKind::ScrollUp, x, y);
    desk.sees("begin with");
}

#[test]
fn every_field_is_in_sight_while_it_is_filled_in() {
    let mut desk = Desk::new((60, 20));
    desk.press("N<wait>");
    desk.input(Input::Paste("digits.csv".to_owned()));
    desk.press("<wait><down><left><wait>");
    for step in 0..60 {
        assert!(
            desk.screen().lines().any(|line| line.starts_with('▌')),
            "after {step} steps the chosen field is out of sight:\n{}",
            desk.screen()
        );
        desk.press("<tab>");
    }
    for step in 0..60 {
        assert!(
            desk.screen().lines().any(|line| line.starts_with('▌')),
            "after {step} steps back the chosen field is out of sight:\n{}",
            desk.screen()
        );
        desk.press("<shift-tab>");
    }
    // What is typed is text, whatever it means elsewhere; esc leaves, and the text is kept.
    desk.press("<esc>");
    desk.sees("studies");
    desk.press("N");
    desk.sees("1797 rows, 3 columns");
    assert!(!desk.has_quit);
}
