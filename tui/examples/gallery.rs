//! Prints every view from made-up data, for eyes to judge.
//!
//! `cargo run -p attune-tui --example gallery -- [live|plain|study|studies|trial|compare|chart] [WIDTH]
//! [ascii] [color]` prints; with `watch` the study is played on the terminal as if it ran.

#[path = "../tests/made_up/mod.rs"]
mod made_up;

use attune_protocol::{Direction, TrialDetail};
use attune_tui::chart::{Chart, Curve, Panel, Points, Role, Unit, Values, View, XAxis};
use attune_tui::live::{Live, LiveSettings, LiveState, view};
use attune_tui::plain::PlainState;
use attune_tui::{ColorDepth, Style, summary, to_text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::time::Duration;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    let width = words
        .iter()
        .find_map(|word| word.parse().ok())
        .unwrap_or(80);
    let style = Style {
        color: if has("color") {
            ColorDepth::True
        } else {
            ColorDepth::None
        },
        unicode: !has("ascii"),
        ..Style::ASCII
    };
    if has("watch") {
        return watch(style);
    }
    let views = [
        "live", "plain", "study", "studies", "trial", "compare", "chart",
    ];
    let all = !views.iter().any(|view| has(view));
    for name in views.into_iter().filter(|name| all || has(name)) {
        println!("[{name}]\n{}", page(name, width, style));
    }
}

fn watch(style: Style) {
    let mut live = Live::start(std::io::stderr(), LiveSettings::new(style, None));
    for (event, elapsed) in made_up::events(usize::MAX) {
        live.handle(&event, elapsed);
        std::thread::sleep(Duration::from_millis(60));
        live.tick(elapsed + Duration::from_millis(60));
    }
    live.finish();
}

fn page(name: &str, width: usize, style: Style) -> String {
    let (study, trials) = (made_up::study(), made_up::details());
    match name {
        "live" => {
            let mut state = LiveState::new(None);
            for (event, _) in made_up::events(24) {
                state.apply(&event);
            }
            state.set_elapsed(Duration::from_secs(48));
            let rows = usize::from(LiveSettings::new(style, None).rows);
            to_text(&view(&state, width, rows, style))
        }
        "plain" => {
            let mut state = PlainState::new(style, None, Duration::from_secs(5));
            let lines = made_up::events(usize::MAX)
                .into_iter()
                .flat_map(|(event, elapsed)| state.lines(&event, elapsed));
            lines.map(|line| line + "\n").collect()
        }
        "study" => summary::leaderboard(&study, 10, width, style),
        "studies" => summary::study_list(&made_up::studies(), made_up::NOW, width, style),
        "trial" => summary::trial_page(&trials[0], width, style),
        "chart" => chart(width, style),
        _ => summary::compare(&trials, &made_up::objective(), width, style),
    }
}

/// The losses of three trials and below them their rates, the cross-hair in the middle.
fn chart(width: usize, style: Style) -> String {
    let trials = made_up::details();
    let curves = |pick: fn(&TrialDetail) -> &attune_protocol::Curve, stairs: bool| {
        let named = trials.iter().enumerate();
        named
            .map(|(n, detail)| {
                let steps = if stairs { 1.0 } else { 23.0 };
                Curve {
                    x_scale: steps,
                    stairs,
                    ..Curve::new(
                        &detail.trial.id,
                        Points::Numbers(&pick(detail).points),
                        Role::Chosen(n),
                    )
                }
            })
            .collect()
    };
    let losses = Panel {
        weight: 2,
        log_y: true,
        better: Some(Direction::Minimize),
        ..Panel::new("train loss", curves(|trial| &trial.epoch_curves[0], false))
    };
    let rates = Panel {
        values: Values::Rate,
        ..Panel::new("learning rate", curves(|trial| &trial.step_curves[0], true))
    };
    let view = View::default();
    let chart = Chart {
        cursor: Some(230.0),
        ..Chart::new(vec![losses, rates], XAxis::new(Unit::Step), &view, style)
    };
    let mut buffer = Buffer::empty(Rect::new(0, 0, width as u16, 30));
    chart.draw(buffer.area, &mut buffer);
    let line = |row: Rect| {
        let cells = row.columns().map(|cell| &buffer[(cell.x, cell.y)]);
        Line::from_iter(cells.map(|cell| Span::styled(cell.symbol().to_owned(), cell.style())))
    };
    to_text(&buffer.area.rows().map(line).collect::<Vec<_>>())
}
