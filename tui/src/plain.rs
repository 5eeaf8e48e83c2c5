//! Progress of a running study as plain lines, for logs and pipes.

use crate::live::LiveState;
use crate::style::Style;
use crate::{ended, number, paint};
use attune_protocol::Event;
use ratatui::text::Line;
use std::time::Duration;

/// Turns events into lines: one when the study starts, one when a trial ends, one for each
/// warning, one when the study ends, and between them one now and then where nothing else is said.
#[derive(Debug, Clone)]
pub struct PlainState {
    state: LiveState,
    style: Style,
    every: Duration,
    spoke_at: Duration,
}

impl PlainState {
    /// The state before a study that may take `budget`; `every` is the longest silence while
    /// trials move.
    pub fn new(style: Style, budget: Option<Duration>, every: Duration) -> Self {
        PlainState {
            state: LiveState::new(budget),
            style,
            every,
            spoke_at: Duration::ZERO,
        }
    }

    /// The lines that an event gives, `elapsed` after the study's start.
    pub fn lines(&mut self, event: &Event, elapsed: Duration) -> Vec<String> {
        self.state.apply(event);
        self.state.set_elapsed(elapsed);
        let silent = elapsed.saturating_sub(self.spoke_at) >= self.every;
        let line = match ended::line(event, &self.state, elapsed, self.style) {
            Some(line) => Some(line),
            None if silent => self.progress(),
            None => None,
        };
        if line.is_some() {
            self.spoke_at = elapsed;
        }
        line.iter().map(paint::one_line).collect()
    }

    fn progress(&self) -> Option<Line<'static>> {
        let study = self.state.study()?;
        let ended = study.trials.ended();
        let mut facts = vec![match study.trials.planned {
            0 => format!("{} ended", ended::trials(ended)),
            planned => format!("{ended} of {}", ended::trials(planned)),
        }];
        facts.push(format!("{} running", self.state.running().len()));
        if let Some(value) = study.best_value {
            facts.push(format!("best {}", number::metric(value.0)));
        }
        facts.push(number::clock(self.state.elapsed()));
        if let Some(left) = self.state.left() {
            facts.push(format!("about {} left", number::clock(left)));
        }
        Some(Line::raw(format!(
            "  {}",
            facts.join(self.style.symbols().separator)
        )))
    }
}
