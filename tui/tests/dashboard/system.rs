//! Machine, daemon, workers, queue, store and log.

use crate::desk::{Desk, check};
use attune_tui::dashboard::Want;

#[test]
fn how_it_looks() {
    check("system", "8");
    check("system_log", "8vvg");
}

#[test]
fn everything_is_told() {
    let mut desk = Desk::new((120, 40));
    desk.press("8");
    for told in [
        "analytical-engine",
        "2.25 of 8 cores",
        "NVIDIA H100",
        "up 2h 00m",
        "checkpoints and models",
        "of at most 11 GB",
        "warning: the disk of the state folder",
        "step 253 of s13.6, inside scheduler cosine",
        "s13.7 +1",
        "trains 2 trials, 1 more waits",
        "2 trials in training, 1 wait",
    ] {
        desk.sees(told);
    }
}

#[test]
fn it_is_asked_for_every_second() {
    let mut desk = Desk::new((80, 24));
    desk.press("8");
    desk.toy.asked.clear();
    desk.wait(500);
    desk.wait(600);
    let count = |desk: &Desk| {
        desk.toy
            .asked
            .iter()
            .filter(|w| **w == Want::Status)
            .count()
    };
    assert_eq!(count(&desk), 1);
    desk.wait(1_000);
    assert_eq!(count(&desk), 2);
}

#[test]
fn the_log_has_levels_and_can_be_searched() {
    let mut desk = Desk::new((100, 30));
    desk.press("8");
    desk.sees("worker 1 (pid 4250) took s13.1");
    desk.press("v");
    desk.sees("info and graver");
    desk.sees_not("took s13.1");
    desk.press("v");
    desk.sees_not("study s13 began");
    desk.press("v");
    desk.sees("errors only");
    desk.sees_not("SIGKILL");
    desk.press("v/sigkill<enter>");
    desk.sees("s13.4 is retried");
    desk.sees_not("took s13.1");
    desk.press("/<ctrl-u>nothing<enter>");
    desk.sees("no line of the log fits");
}

#[test]
fn the_log_is_followed_until_somebody_reads() {
    let mut desk = Desk::new((80, 24));
    desk.press("8");
    desk.sees("the end is followed");
    desk.press("kk");
    desk.sees("G follows the end");
    desk.press("G");
    desk.sees("the end is followed");
}
