//! Prints every view from made-up data, for eyes to judge.
//!
//! `cargo run -p attune-tui --example gallery -- [live|plain|study|studies|trial|compare] [WIDTH]
//! [ascii] [color]` prints; with `watch` the study is played on the terminal as if it ran.

#[path = "../tests/made_up/mod.rs"]
mod made_up;

use attune_tui::live::{Live, LiveSettings, LiveState, view};
use attune_tui::plain::PlainState;
use attune_tui::{ColorDepth, Style, summary, to_text};
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
    };
    if has("watch") {
        return watch(style);
    }
    let views = ["live", "plain", "study", "studies", "trial", "compare"];
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
        _ => summary::compare(&trials, &made_up::objective(), width, style),
    }
}
