//! Whatever is shown fits, and nothing that is shown can break the program.

mod made_up;

use attune_protocol::{Number, Scalar};
use attune_tui::live::{LiveState, view};
use attune_tui::plot::{PlotOptions, Series, Size, curves};
use attune_tui::table::{Cell, Column, Table};
use attune_tui::{ColorDepth, Style, summary, to_text};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

fn fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(
            line.width() <= width,
            "{} > {width}: {line:?}",
            line.width()
        );
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

fn style(unicode: bool) -> Style {
    Style {
        color: ColorDepth::None,
        unicode,
        ..Style::ASCII
    }
}

/// Any text, often with what is hard to measure: control, combining and wide characters.
fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z温é\u{301}\u{200d}\u{fe0f}👩👧🇩🇪*#0-9 \u{1b}\n\u{202e}]{0,40}",
    ]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -1e3..1e3, 1 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(0.0)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_plot_fits(
        series in prop::collection::vec(
            (label(), prop::collection::vec((float(), float()), 0..40)), 0..5),
        width in 10usize..150,
        height in 0usize..40,
        log_y: bool,
        unicode: bool,
        y_label in label(),
    ) {
        let named = |(label, points)| Series { label, points };
        let series: Vec<Series> = series.into_iter().map(named).collect();
        let options = PlotOptions { log_y, x_label: "step".to_owned(), y_label };
        let text = curves(&series, Size { width, height }, &options, style(unicode));
        fits(&text, width);
        // Heading, axis, labels and three lines of curve are always there, and the legend.
        prop_assert!(text.lines().count() <= height.max(6 + series.len()));
    }

    #[test]
    fn a_table_fits(
        rows in prop::collection::vec(prop::collection::vec(label(), 0..6), 0..6),
        titles in prop::collection::vec((label(), any::<bool>(), 0u8..4, 0usize..12), 1..6),
        width in 10usize..120,
        unicode: bool,
    ) {
        let column = |(title, right, rank, least): (String, bool, u8, usize)| {
            let column = if right { Column::right(title) } else { Column::left(title) };
            column.rank(rank).at_least(least)
        };
        let table = Table::new(titles.into_iter().map(column));
        let cells = |row: Vec<String>| row.into_iter().map(Cell::from).collect();
        let lines = rows.len() + 2;
        let text = table.rows(rows.into_iter().map(cells)).render(width, style(unicode));
        fits(&text, width);
        prop_assert_eq!(text.lines().count(), lines);
    }

    #[test]
    fn a_page_fits(name in label(), value in float(), width in 10usize..150, unicode: bool) {
        let style = style(unicode);
        let mut details = made_up::details();
        let mut study = made_up::study();
        study.study.name = name.clone();
        study.study.metric = name.clone();
        let trials = study.trials.iter_mut().chain(details.iter_mut().map(|d| &mut d.trial));
        for trial in trials {
            trial.id = format!("s1.{name}");
            trial.scheduler = name.clone();
            trial.reason = Some(name.clone());
            trial.plugin = name.clone();
            trial.value = Some(Number(value));
            trial.seconds = Number(value);
            trial.warnings = vec![name.clone()];
            trial.config.insert(name.clone(), Scalar::Text(name.clone()));
            trial.metrics.insert(name.clone(), Number(value));
        }
        details[0].step_curves[0].name = name.clone();
        fits(&summary::leaderboard(&study, 3, width, style), width);
        fits(&summary::study_list(&[study.study], made_up::NOW, width, style), width);
        fits(&summary::trial_page(&details[0], width, style), width);
        fits(&summary::compare(&details, &made_up::objective(), width, style), width);
    }

    #[test]
    fn the_live_view_fits(
        name in label(),
        width in 1usize..150,
        rows in 0usize..14,
        count in 0usize..60,
        unicode: bool,
    ) {
        let mut state = LiveState::new(Some(Duration::from_secs(3)));
        for (mut event, elapsed) in made_up::events(count) {
            if let attune_protocol::Event::TrialStarted { trial } = &mut event {
                trial.scheduler = name.clone();
            }
            state.apply(&event);
            state.set_elapsed(elapsed);
        }
        let lines = view(&state, width, rows, style(unicode));
        prop_assert!(lines.len() <= rows);
        fits(&to_text(&lines), width);
    }
}

#[test]
fn a_million_points_are_drawn_at_once() {
    let noise = |n: u32| f64::from(n.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
    let points: Vec<(f64, f64)> = (0..1_000_000).map(|n| (f64::from(n), noise(n))).collect();
    let series = [Series {
        label: String::new(),
        points,
    }];
    let size = Size {
        width: 60,
        height: 8,
    };
    let begun = Instant::now();
    let text = curves(&series, size, &PlotOptions::default(), Style::ASCII);
    // Some 20 ms where it is optimised; the bound is against drawing each of them as a line.
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    let full = text
        .lines()
        .take(6)
        .all(|line| line.matches('o').count() >= 50);
    assert!(full, "noise fills the plot:\n{text}");
}
