//! The list of studies.

use crate::desk::{Desk, check, check_with};
use crate::toy::Toy;
use attune_tui::dashboard::Deed;

#[test]
fn how_it_looks() {
    check("studies", "");
    check("studies_filtered", "/state = running<enter>");
    check_with("studies_none", || {
        let toy = Toy {
            is_empty: true,
            ..Toy::default()
        };
        (toy, "")
    });
}

#[test]
fn a_study_is_found_and_opened() {
    let mut desk = Desk::new((100, 30));
    desk.press("/diab<enter>");
    desk.sees("filter: diab");
    desk.sees_not("wine quality");
    desk.press("<enter>");
    desk.sees("s11 diabetes");
    desk.press("<esc>/<ctrl-u><enter>");
    desk.sees("wine quality");
}

#[test]
fn a_bad_filter_is_told() {
    let mut desk = Desk::new((120, 30));
    desk.press("/speed > 3<enter>");
    desk.sees("there is nothing called `speed` here");
}

#[test]
fn a_deletion_is_asked_for_and_can_be_taken_back() {
    let mut desk = Desk::new((100, 30));
    desk.press("jd");
    desk.sees("Delete s12");
    desk.press("n");
    assert!(desk.deeds().is_empty());
    desk.press("dy");
    desk.sees("s12 is deleted in 8 s: u takes it back");
    desk.press("u");
    desk.wait(20_000);
    assert!(desk.deeds().is_empty());
    desk.press("dy");
    desk.wait(9_000);
    assert_eq!(desk.deeds(), [Deed::DeleteStudy("s12".to_owned())]);
}

#[test]
fn a_pause_is_taken_back_by_a_resume() {
    let mut desk = Desk::new((100, 30));
    desk.press("p");
    desk.sees("u takes it back");
    desk.press("u");
    let names: Vec<String> = desk
        .deeds()
        .iter()
        .map(|deed| format!("{deed:?}"))
        .collect();
    assert_eq!(names[0], "PauseStudy(\"s13\")");
    assert!(names[1].starts_with("ResumeStudy(\"s13\""), "{names:?}");
}

#[test]
fn a_click_chooses_and_a_double_click_opens() {
    let mut desk = Desk::new((100, 30));
    let (x, y) = desk.find("diabetes").unwrap();
    desk.click(x, y);
    desk.sees("s11 diabetes");
    desk.click(x, y);
    desk.sees("best rmse 53.215");
}
