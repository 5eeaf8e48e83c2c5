//! What becomes of the screen: its size, pictures of it.

use crate::ground::Terminal;
use crate::studies::{endless, start};
use crate::support::{Home, small_study, wait_for};

#[test]
fn a_terminal_that_is_too_small_says_so_until_it_grows() {
    let home = Home::new();
    let mut terminal = Terminal::dashboard(&home, (50, 12));
    terminal.sees("attune needs 60 x 20 columns and rows");
    terminal.resize((60, 20));
    terminal.sees("1 Studies");
    terminal.sees_no("attune needs");
    terminal.resize((140, 45));
    terminal.sees_in_a_line(&["1 Studies", "4 Compare", "8 System"]);
    terminal.resize((59, 20));
    terminal.sees("attune needs 60 x 20");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    terminal.is_given_back();
}

#[test]
fn a_key_saves_the_screen_as_picture_and_as_text() {
    let home = Home::new();
    let study = small_study(&home, "name = \"vineyard\"\ntrials = 2");
    home.run(&["run", &study]).ok();
    let mut terminal = Terminal::dashboard(&home, (100, 30));
    terminal.sees("vineyard");
    terminal.press("<f12>");
    terminal.sees("attune-studies-1.");
    let read = |ending: &str| {
        let path = home.path().join(format!("attune-studies-1.{ending}"));
        // It is there before it is whole.
        let whole = |text: String| Some(text).filter(|text| text.ends_with('\n'));
        let read = || std::fs::read_to_string(&path).ok().and_then(whole);
        wait_for(read, &format!("{} is written", path.display()))
    };
    let (picture, text) = (read("svg"), read("txt"));
    assert!(picture.starts_with("<svg"), "{picture}");
    assert!(picture.trim_end().ends_with("</svg>"), "{picture}");
    // In the picture each word has a place of its own.
    let named = |text: &str| text.contains("vineyard") && text.contains("Studies");
    assert!(named(&picture) && named(&text), "{picture}\n{text}");
    // Those that are there are not written over: the next ones have other names.
    terminal.press("!");
    terminal.sees("attune-studies-2.");
    assert_eq!((read("svg"), read("txt")), (picture, text));
}

#[test]
fn a_study_is_opened_by_its_id_and_followed() {
    let home = Home::new();
    let study = start(&home, &endless(&home));
    let mut program = home.attune();
    program.args(["dash", &study]);
    let mut terminal = Terminal::run(&home, (120, 40), &program);
    terminal.sees_in_a_line(&["2 Study", &study]);
    terminal.sees("running");
    // Its epochs are counted as they are trained.
    let epoch = |screen: &str| {
        let row = screen
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{study}.0")));
        row.map(str::to_owned)
    };
    terminal.wait(|screen| epoch(screen).is_some(), "the first trial is shown");
    let first = epoch(&terminal.screen());
    terminal.wait(|screen| epoch(screen) != first, "its row moves");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    assert_eq!(home.study(&study)["state"], "running");
}
