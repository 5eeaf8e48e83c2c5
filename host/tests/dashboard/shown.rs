//! What becomes of the screen: its size, pictures of it.

use crate::ground::Terminal;
use crate::studies::{endless, start};
use crate::support::{Home, small_study, wait_for};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    let shots = |ending: &str| -> BTreeMap<PathBuf, String> {
        let entries = std::fs::read_dir(home.path()).expect("the folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let of_form = paths.filter(|path| path.extension().is_some_and(|e| e == ending));
        // Each is there before it is whole.
        let whole = |path: PathBuf| {
            let text = std::fs::read_to_string(&path).ok()?;
            text.ends_with('\n').then_some((path, text))
        };
        of_form.filter_map(whole).collect()
    };
    let made = |count: usize| {
        let [pictures, texts] = ["svg", "txt"].map(|ending| {
            let there = || Some(shots(ending)).filter(|shots| shots.len() == count);
            wait_for(there, &format!("{count} shots as {ending}"))
        });
        (pictures, texts)
    };
    let (pictures, texts) = made(1);
    let (picture, text) = (&pictures.values().next(), &texts.values().next());
    let (picture, text) = (picture.expect("one"), text.expect("one"));
    assert!(picture.starts_with("<svg"), "{picture}");
    assert!(picture.trim_end().ends_with("</svg>"), "{picture}");
    // In the picture each word has a place of its own.
    let named = |text: &str| text.contains("vineyard") && text.contains("Studies");
    assert!(named(picture) && named(text), "{picture}\n{text}");
    // Those that are there are not written over: the next ones have other names.
    terminal.press("!");
    let (later, _) = made(2);
    assert!(
        pictures
            .iter()
            .all(|(path, text)| later.get(path) == Some(text))
    );
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
