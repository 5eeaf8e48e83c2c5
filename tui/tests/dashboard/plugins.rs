//! The schedulers, their parameters and their schedules.

use crate::desk::{Desk, check};
use attune_protocol::{Number, Preview, Scalar};
use attune_tui::dashboard::{Deed, Want};

/// The schedules that were asked for.
fn previews(desk: &Desk) -> Vec<&Preview> {
    let asked = desk.toy.asked.iter();
    asked
        .filter_map(|want| match want {
            Want::Preview(preview) => Some(preview),
            _ => None,
        })
        .collect()
}

#[test]
fn how_it_looks() {
    check("plugins", "6");
    check("plugins_broken", "6G");
    check("plugins_parameters", "6j<tab>j");
    check("plugins_preview", "6j<tab>e<ctrl-u>0.5<enter><tab>");
}

#[test]
fn a_parameter_is_changed_checked_and_set_back() {
    let mut desk = Desk::new((80, 24));
    desk.press("6j<tab>e<ctrl-u>1.5<enter>");
    desk.sees("`1.5` does not fit factor: number, above 0, below 1");
    desk.press("<ctrl-u>0.5<enter><tab>");
    desk.sees("as it is set");
    desk.sees("at its defaults");
    let asked = previews(&desk);
    let changed = asked.iter().find(|preview| !preview.params.is_empty());
    let factor = &changed.unwrap().params["factor"];
    assert_eq!(*factor, Scalar::Float(Number(0.5)));
    desk.press("0");
    desk.sees("factor = 0.95");
    desk.sees_not("at its defaults");
    // The word is chosen, not typed.
    desk.press("jje<right><enter>");
    desk.sees("mode = min");
    // Nothing is the default.
    desk.press("e<left><enter>k");
    desk.press("e<ctrl-u><enter>");
    desk.sees("patience = 10");
}

#[test]
fn the_preview_itself_has_a_rate_and_a_length() {
    let mut desk = Desk::new((80, 24));
    // Cosine has no parameters of its own.
    desk.press("6<tab><tab>");
    desk.sees("first rate = 0.1");
    desk.press("je<ctrl-u>5000<enter>");
    desk.sees("steps = 5000");
    let last = *previews(&desk).last().unwrap();
    assert_eq!((last.scheduler.as_str(), last.steps), ("cosine", 5_000));
    desk.press("e<ctrl-u>0<enter>");
    desk.sees("`0` does not fit steps");
}

#[test]
fn schedules_are_asked_for_only_where_somebody_looks() {
    let mut desk = Desk::new((80, 24));
    desk.press("6jjjkk");
    assert!(previews(&desk).is_empty(), "{:?}", previews(&desk));
    // With everything in sight they are asked for where one stays.
    let mut desk = Desk::new((120, 40));
    desk.press("6jjjkk");
    assert!(previews(&desk).is_empty(), "{:?}", previews(&desk));
    desk.wait(300);
    desk.wait(300);
    let asked: Vec<&str> = previews(&desk)
        .iter()
        .map(|p| p.scheduler.as_str())
        .collect();
    assert_eq!(asked, ["greedy"]);
}

#[test]
fn a_plugin_is_released_and_plugins_are_looked_for_again() {
    let mut desk = Desk::new((80, 24));
    desk.press("6x");
    desk.sees("it is not in quarantine");
    desk.press("GkG");
    desk.sees("built for ABI 2");
    desk.sees("mend or rebuild the library, and press r");
    desk.press("k");
    desk.sees("it killed two workers by SIGSEGV");
    desk.press("x");
    desk.sees("Let wild run again?");
    desk.press("y");
    desk.press("r");
    assert_eq!(
        desk.deeds(),
        [Deed::Release("wild".to_owned()), Deed::Reload]
    );
}

#[test]
fn the_list_is_sorted_and_clicked() {
    let mut desk = Desk::new((80, 24));
    desk.press("6");
    let (x, y) = desk.find("health").unwrap();
    desk.click(x, y);
    let (_, broken) = desk.find("libmine.so").unwrap();
    let (_, fine) = desk.find("cosine  ").unwrap();
    assert!(broken < fine, "{}", desk.screen());
    let (x, y) = desk.find("one-cycle").unwrap();
    desk.click(x, y);
    desk.click(x, y);
    desk.sees("first rate");
    let (x, y) = desk.find("preview").unwrap();
    desk.click(x, y);
    desk.sees("Preview of one-cycle");
}
