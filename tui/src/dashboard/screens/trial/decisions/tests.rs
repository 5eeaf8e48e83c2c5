//! Pages of decisions, before made-up data.

use super::*;
use crate::dashboard::cx::Focus;
use crate::dashboard::data::Data;
use crate::dashboard::data::want::Answer;
use crate::style::Style;
use attune_protocol::{Number, Zoom};

/// What is known of a trial of 10,000 steps whose rate fell at the steps 2,345 and 7,001.
fn long_trial(sight: Sight) -> Data {
    let mut data = Data::new();
    tell(&mut data, 10_000, attune_protocol::TrialState::Done);
    let rate = |step: u64| match step {
        0..2_345 => 0.1,
        2_345..7_001 => 0.05,
        _ => 0.02,
    };
    let buckets = (0..100).map(|n| (n * 100, n * 100 + 99));
    let buckets = buckets.map(|(from, to)| bucket(from, to, (rate(from), rate(to))));
    let mut wants = Wants::default();
    sight.want(&mut wants, &data, "s1.1", "lr", (10_000, false));
    let zoom = Zoom {
        name: "lr".to_owned(),
        buckets: buckets.collect(),
    };
    let (want, _) = wants.answers.remove(0);
    data.answer(&want, Ok(Answer::Zoom(zoom)), 0);
    for page in 0..10_000 / PAGE {
        let query = query(page);
        let from = query.from.unwrap();
        let steps = from..from + u64::from(query.limit.unwrap());
        let mut rows = StepRows {
            steps: steps.clone().collect(),
            ..StepRows::default()
        };
        let rates = steps.map(|step| Number(rate(step))).collect();
        rows.columns.insert("lr".to_owned(), rates);
        let want = Want::Steps("s1.1".to_owned(), query);
        data.answer(&want, Ok(Answer::Steps(rows)), 0);
    }
    data
}

/// The table says of the trial that it has made so many steps.
fn tell(data: &mut Data, steps: u64, state: attune_protocol::TrialState) {
    let row = attune_protocol::TrialRow {
        number: 1,
        state,
        scheduler: "greedy".to_owned(),
        config: Vec::new(),
        metrics: Vec::new(),
        epochs: 10,
        max_epochs: 10,
        steps,
        value: None,
        best_epoch: None,
        rungs: Vec::new(),
        seconds: Number(1.0),
        started_unix_ms: None,
        ended_unix_ms: None,
        reason: None,
        deaths: 0,
        tags: Vec::new(),
    };
    let table = attune_protocol::TrialTable {
        rows: vec![row],
        ..Default::default()
    };
    let want = Want::Trials("s1".to_owned(), 0);
    data.answer(&want, Ok(Answer::Trials(table)), 0);
}

#[test]
fn a_trial_that_makes_a_page_in_a_blink_does_not_fill_a_slow_line() {
    use attune_protocol::TrialState;
    let sight = Sight::new(None, Some(80), 1_000);
    let (mut data, mut decisions) = (Data::new(), Decisions::default());
    let mut pages = Vec::new();
    let rounds = (0..=70).map(|second| (second, TrialState::Running));
    for (second, state) in rounds.chain([(71, TrialState::Done)]) {
        tell(&mut data, 1_000 * (second + 1), state);
        let mut focus = Focus::default();
        let cx = Cx::new(&data, &mut focus, second * 1_000, "");
        let mut wants = Wants::default();
        decisions.wants(&Known::new("s1.1", &cx), &cx, sight, &mut wants);
        for (want, _) in wants.answers {
            if let Want::Steps(_, query) = want {
                pages.push(query);
            }
        }
    }
    pages.dedup();
    let last = |second: u64| query((1_000 * (second + 1) - 1) / PAGE);
    assert_eq!(pages, [last(0), last(30), last(60), last(71)]);
}

#[test]
fn pages_without_a_decision_are_passed_over() {
    let sight = Sight::new(None, Some(80), 10_000);
    let data = long_trial(sight);
    let mut focus = Focus::default();
    let cx = Cx::new(&data, &mut focus, 0, "");
    let known = Known::new("s1.1", &cx);
    let mut decisions = Decisions::default();
    let mut screen = ratatui::buffer::Buffer::empty(Rect::new(0, 0, 80, 20));
    let mut press = |command: Option<Command>| {
        if let Some(command) = command {
            assert!(decisions.act(command, &known, &cx, sight));
        }
        let area = screen.area;
        let mut pen = Pen {
            buffer: &mut screen,
            style: Style::ASCII,
        };
        decisions.draw(&mut pen, area, &known, &cx, sight);
        decisions.chosen(&known, &cx, sight)
    };
    assert_eq!(press(None), Some(7_001), "where the last decision was");
    assert_eq!(press(Some(Command::Up)), Some(2_345));
    assert_eq!(
        press(Some(Command::Up)),
        Some(2_345),
        "there is none before"
    );
    assert_eq!(press(Some(Command::Top)), Some(0));
    assert_eq!(press(Some(Command::Down)), Some(2_345));
    assert_eq!(press(Some(Command::PageDown)), Some(7_001));
    assert_eq!(press(Some(Command::Down)), Some(7_001));
    assert_eq!(press(Some(Command::Bottom)), Some(7_001));
}

fn bucket(from: u64, to: u64, ends: (f64, f64)) -> Bucket {
    Bucket {
        from,
        to,
        min: Number(ends.0.min(ends.1)),
        mean: Number(ends.0),
        max: Number(ends.0.max(ends.1)),
        last: Number(ends.1),
    }
}

#[test]
fn changes_within_and_between_stretches_are_found() {
    let rates = [
        bucket(0, 9, (0.1, 0.1)),
        bucket(10, 19, (0.1, 0.05)),
        bucket(20, 29, (0.05, 0.05)),
        bucket(30, 39, (0.02, 0.02)),
    ];
    assert_eq!(changes(&rates).collect::<Vec<_>>(), [(10, 19), (30, 39)]);
    assert_eq!(last_change(&rates), Some(39));
    assert_eq!(last_change(&rates[..1]), None);
}

#[test]
fn pages_begin_with_the_step_before() {
    assert_eq!((query(0).from, query(0).limit), (Some(0), Some(500)));
    assert_eq!((query(2).from, query(2).limit), (Some(999), Some(501)));
}
