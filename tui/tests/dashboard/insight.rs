//! What a study teaches.

use crate::desk::{Desk, check, check_with};
use crate::toy::Toy;

#[test]
fn how_it_looks() {
    check("insight_importance", "j<enter>7");
    check("insight_parallel", "j<enter>7<tab>");
    check("insight_parallel_brushed", "j<enter>7<tab> ");
    check("insight_slices", "j<enter>7<tab><tab>");
    check("insight_slices_words", "j<enter>7<tab><tab><right>");
    check("insight_timeline", "j<enter>7<shift-tab><right><right>");
    check_with("insight_none", || {
        let toy = Toy {
            is_empty: true,
            ..Toy::default()
        };
        (toy, "7")
    });
}

#[test]
fn a_bar_leads_to_its_slice() {
    let mut desk = Desk::new((100, 30));
    desk.press("j<enter>7");
    desk.sees("PED-ANOVA");
    desk.sees("0.05 to 0.1");
    desk.press("j<enter>");
    desk.sees("accuracy against");
    desk.sees("scheduler");
    desk.sees("best 0.9");
}

#[test]
fn a_brush_becomes_a_filter_of_the_study() {
    let mut desk = Desk::new((100, 30));
    desk.press("j<enter>7<tab><enter>");
    desk.sees("space brushes a part");
    desk.wait(20_000);
    desk.press(" ");
    desk.sees(" of 8 trials: lr >= ");
    let count = desk.screen();
    let line = count.lines().find(|line| line.contains(" of 8 trials: "));
    let (count, filter) = line.unwrap().trim().split_once(" of 8 trials: ").unwrap();
    let told = format!("{count} of 8 trials fit: {filter}");
    desk.press("<enter>");
    desk.sees("2 Study");
    desk.sees(&told);
}

#[test]
fn brushes_are_moved_widened_and_taken_away() {
    let mut desk = Desk::new((100, 30));
    desk.press("j<enter>7<tab> ");
    let told = |desk: &Desk| {
        let screen = desk.screen();
        let line = screen.lines().find(|line| line.contains(" of 8 trials: "));
        line.map(str::to_owned)
    };
    let first = told(&desk).unwrap();
    desk.press("j");
    let lower = told(&desk).unwrap();
    assert_ne!(first, lower);
    desk.press("+");
    assert_ne!(told(&desk).unwrap(), lower);
    desk.press("------------------------");
    assert_eq!(told(&desk), None, "all of the axis is no brush");
    // A second one, of words, beside the first.
    desk.press(" <right> ");
    assert!(
        told(&desk).unwrap().contains("and scheduler = "),
        "{}",
        desk.screen()
    );
    desk.press("0");
    assert_eq!(told(&desk), None);
}

#[test]
fn the_mouse_brushes() {
    let mut desk = Desk::new((100, 30));
    desk.press("j<enter>7<tab>");
    let (x, y) = desk.find(" value").unwrap();
    desk.drag((x + 3, y + 3), (x + 3, y + 9));
    desk.sees(" of 8 trials: value >= ");
    // On a slice along the setting.
    desk.press("0<tab>hhhhhhhhh");
    desk.drag((30, 10), (50, 10));
    desk.sees(" of 8 trials: lr >= ");
}

#[test]
fn trials_are_found_on_the_timeline() {
    let mut desk = Desk::new((100, 30));
    desk.press("j<enter>7<shift-tab>");
    desk.sees("packed into lanes by start and end");
    desk.press("<left>");
    let lanes = desk.screen();
    assert!(lanes.contains("✓"), "{lanes}");
    for _ in 0..60 {
        desk.press("<left>");
    }
    desk.sees("s12.1 ");
    desk.press(" ");
    desk.sees("marked");
    desk.press("<enter>");
    desk.sees("3 Trial");
    assert_eq!(desk.app.followed(), Some("s12"));
}

#[test]
fn of_very_many_trials_a_sample_is_drawn_and_said_to_be_one() {
    let toy = Toy {
        many: Some(50_000),
        ..Toy::default()
    };
    let mut desk = Desk::before((120, 40), toy);
    desk.press("j<enter>7<tab>");
    desk.sees("2000 of 50000 trials are drawn: the 10 best and an even sample");
    desk.press(" ");
    desk.sees(" of 50000 trials: lr >= ");
    desk.press("<tab>");
    desk.sees("log axis, ");
    desk.press("<tab>");
    desk.sees("hours");
    // Four trained at a time.
    desk.sees("  4 ✓");
    desk.sees_not("  5 ✓");
}
