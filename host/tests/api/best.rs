//! Which trial is the best one while others go on.

use crate::hand::Hand;
use crate::support::{Home, small_study};
use attune_protocol::Number;
use attune_protocol::work::{EpochReport, News, Piece};
use serde_json::Value;

fn epoch(accuracy: f64) -> News {
    News::Piece(Piece {
        epochs: vec![EpochReport {
            epoch: 1,
            step: 0,
            metrics: [("valid_accuracy".into(), Number(accuracy))].into(),
            rate: Number(0.1),
            best: true,
            seconds: Number(0.1),
        }],
        ..Piece::default()
    })
}

/// While one in training is ahead, another that ends is not told to be the best, whoever is asked.
#[test]
fn the_best_trial_may_still_be_in_training() {
    let home = Home::new();
    let mut workers = Hand::hired(&home, 2);
    let study = small_study(&home, "trials = 2\nparallel = 2");
    let terminal = home.follow(&["run", &study, "--json"]);
    let [behind, ahead] = &mut workers[..] else {
        panic!("two were hired");
    };
    behind.take();
    ahead.take();
    behind.tell(epoch(0.8));
    ahead.tell(epoch(0.9));
    behind.fail();
    let listed = home.study("s1");
    ahead.fail();
    let told = terminal.finish().err;
    let events = told
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut ends = events.filter(|event: &Value| event["event"] == "trial_ended");
    let end = ends.next().expect("a trial's end");
    assert_eq!(end["trial"]["id"], "s1.0", "{end:#}");
    for study in [&end["study"], &listed] {
        assert_eq!(study["best_trial"], "s1.1", "{study:#}");
        assert_eq!(study["best_value"], 0.9, "{study:#}");
    }
}
