//! One study: its table and its curves.

use crate::desk::{Desk, check};
use crate::toy::Toy;
use attune_protocol::{Note, Number, Steer};
use attune_tui::Style;
use attune_tui::dashboard::{Deed, Want};

#[test]
fn how_it_looks() {
    check("study", "j<enter>");
    check("study_marked", "j<enter> <down><down> ");
    check("study_filtered", "j<enter>/greedy or lr < 0.05<enter>");
}

#[test]
fn trials_are_sorted_and_filtered() {
    let mut desk = Desk::new((120, 40));
    desk.press("j<enter>");
    let (_, best) = desk.find("s12.1 ").unwrap();
    let (_, worse) = desk.find("s12.7").unwrap();
    assert!(best < worse, "{}", desk.screen());
    desk.press("S");
    let first = desk.screen().lines().nth(4).map(str::to_owned);
    assert!(
        first.is_some_and(|line| line.contains("s12.6")),
        "{}",
        desk.screen()
    );
    desk.press("/state = diverged<enter>");
    desk.sees("1 of 8 trials fit");
    desk.press("/<ctrl-u>nonsense = 3<enter>");
    desk.sees("there is nothing called `nonsense` here");
}

#[test]
fn the_wheel_is_taken() {
    let mut desk = Desk::new((120, 40));
    desk.press("<enter>e<ctrl-u>0.02<enter>");
    let steer = Steer::SetRate(Number(0.02));
    assert_eq!(desk.deeds(), [Deed::Steer("s13.1".to_owned(), steer)]);
    desk.press("e<ctrl-u>fast<enter>");
    desk.sees("`fast` is not a rate");
    assert_eq!(desk.deeds().len(), 1);
}

#[test]
fn a_fork_takes_another_scheduler_and_leads_to_its_study() {
    let mut desk = Desk::new((120, 40));
    desk.press("j<enter>f");
    desk.sees("at steps 46, 138, 414, 460");
    desk.press("<right><tab>46<tab>lr=0.01<enter>");
    let [Deed::Fork(trial, fork)] = desk.deeds() else {
        panic!("{:?}", desk.deeds());
    };
    assert_eq!(trial, "s12.1");
    assert_eq!(
        (fork.at, fork.scheduler.as_deref()),
        (Some(46), Some("cosine"))
    );
    assert_eq!(fork.set["lr"], "0.01");
    desk.sees("s14");
}

#[test]
fn a_pause_asks_whether_the_study_or_the_trial_is_meant() {
    let mut desk = Desk::new((120, 40));
    desk.press("<enter>p<right><enter>");
    assert_eq!(desk.deeds(), [Deed::PauseTrial("s13.1".to_owned())]);
    desk.press("p<enter>");
    assert_eq!(desk.deeds()[1], Deed::PauseStudy("s13".to_owned()));
}

#[test]
fn what_is_chosen_after_a_filter_is_what_is_forked() {
    let mut desk = Desk::new((120, 40));
    desk.press("j<enter>  c");
    desk.sees("2 trials");
    desk.press("<esc>*gp<enter>/state = done<enter>");
    desk.sees("5 of 8 trials fit: state = done");
    desk.press("gf");
    desk.sees("the last checkpoint of s12.1 at");
}

#[test]
fn the_rates_of_trials_in_training_do_not_fill_a_slow_line() {
    let mut desk = Desk::new((120, 40));
    desk.press("<enter>/state = running<enter>   ");
    desk.sees("3 of 8 trials fit");
    desk.toy.asked.clear();
    for _ in 0..60 {
        desk.wait(1_000);
    }
    let zooms = desk
        .toy
        .asked
        .iter()
        .filter(|want| matches!(want, Want::Zoom(..)));
    // Each of the three is some 22 kB, and 8 kB a second are theirs.
    let count = zooms.count();
    assert!(
        (15..=24).contains(&count),
        "asked {count} times in a minute"
    );
}

#[test]
fn what_was_written_before_stays_when_more_is_written() {
    let note = Note {
        text: "good".to_owned(),
        tags: vec!["seen".to_owned()],
    };
    let toy = Toy {
        notes: [("s12.1".to_owned(), note.clone())].into(),
        ..Toy::default()
    };
    let mut desk = Desk::with((120, 40), Style::ASCII, toy);
    // The table holds no texts: the note is asked for, and nothing can be written over meanwhile.
    desk.press("j<enter>t");
    desk.sees("the note is on its way; press it once more");
    desk.press("t fast<enter>");
    // The screen knows of it at once.
    desk.press("n<end>, and quick<enter>");
    let tags = vec!["seen".to_owned(), "fast".to_owned()];
    let tagged = Note { tags, ..note };
    let text = "good, and quick".to_owned();
    let both = Note {
        text,
        ..tagged.clone()
    };
    let written = |note: Note| Deed::NoteTrial("s12.1".to_owned(), note);
    assert_eq!(desk.deeds(), [written(tagged), written(both)]);
}

#[test]
fn a_question_has_room_for_its_answer_whatever_it_tells() {
    let toy = Toy {
        keeps_all: true,
        ..Toy::default()
    };
    let mut desk = Desk::with((60, 20), Style::ASCII, toy);
    desk.press("j<enter>f");
    for part in [
        "They are at steps 23, 46",
        "scheduler",
        "settings",
        "esc: leave it",
    ] {
        desk.sees(part);
    }
}
