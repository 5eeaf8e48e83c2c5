//! What all screens share: head and foot, help, palette, the line to the daemon.

use crate::desk::{Desk, check};
use crate::toy::Toy;
use attune_tui::Style;
use attune_tui::dashboard::{Deed, Input};

#[test]
fn how_help_and_palette_look() {
    check("help", "?");
    check("palette", ":fork");
}

#[test]
fn a_terminal_that_is_too_small_is_told_so() {
    let desk = Desk::new((50, 10));
    desk.sees("attune needs 60 x 20 columns and rows");
}

#[test]
fn every_screen_has_a_number_and_a_name_to_click() {
    let mut desk = Desk::new((120, 40));
    for (number, name) in [
        "Studies", "Study", "Trial", "Compare", "Launch", "Plugins", "Insight", "System",
    ]
    .into_iter()
    .enumerate()
    {
        // Launch is typed into, and is left by escape.
        desk.press(&format!("<esc>{}", number + 1));
        desk.sees(&format!(" {} {name}", number + 1));
    }
    let (x, y) = desk.find("1 Studies").unwrap();
    desk.click(x, y);
    desk.sees("4 studies");
}

#[test]
fn a_command_is_found_by_its_name() {
    let mut desk = Desk::new((100, 30));
    desk.press(":quit");
    desk.sees("Leave; studies go on");
    desk.press("<enter>");
    assert!(desk.has_quit);
}

#[test]
fn a_daemon_that_goes_away_is_told_of_and_everything_is_looked_at_anew() {
    let mut desk = Desk::new((100, 30));
    desk.input(Input::Unlinked("it was killed".to_owned()));
    desk.wait(3_000);
    desk.sees("daemon away for 3 s");
    desk.sees("it was killed");
    desk.toy.asked.clear();
    desk.input(Input::Linked);
    desk.sees("the daemon is back");
    assert!(!desk.toy.asked.is_empty());
    desk.wait(10_000);
    desk.sees_not("away");
}

#[test]
fn a_screenshot_is_text_and_svg() {
    let mut desk = Desk::new((100, 30));
    desk.press("<f12>");
    let [
        Deed::Save {
            path: svg,
            text: picture,
        },
        Deed::Save { path: txt, text },
    ] = desk.deeds()
    else {
        panic!("{:?}", desk.deeds());
    };
    let named = |ending: &str| format!("/home/ada/attune-studies-{}.{ending}", desk.now);
    assert_eq!((svg, txt), (&named("svg"), &named("txt")));
    assert!(picture.starts_with("<svg") && picture.contains(">wine<"));
    assert!(text.contains("wine quality"));
}

#[test]
fn nothing_is_drawn_anew_where_nothing_changed() {
    let mut desk = Desk::new((100, 30));
    desk.press("/name = diabetes<enter>");
    desk.wait(20_000);
    let before = desk.screen();
    // A study runs, so ages move; a key that does nothing changes nothing.
    desk.press("<f12>");
    desk.wait(20_000);
    assert_eq!(before, desk.screen());

    let toy = Toy {
        is_empty: true,
        ..Toy::default()
    };
    let mut quiet = Desk::with((100, 30), Style::ASCII, toy);
    assert!(!quiet.app.is_dirty(), "it was drawn");
    for second in 1..=20 {
        let asked = quiet.app.handle([Input::Tick], quiet.now + second * 1_000);
        assert!(!quiet.app.is_dirty(), "after {second} s, {asked:?}");
    }
    quiet
        .app
        .handle([Input::Unlinked("it was killed".to_owned())], quiet.now);
    assert!(quiet.app.is_dirty(), "the line to the daemon is gone");
}
