//! What a study file comes to: whether it can run, how much of everything, how long, and what would
//! be done to the data.

use super::check::{Problem, State};
use crate::style::{Ink, Style};
use crate::text::wrap;
use attune_protocol::{Checked, Direction};
use ratatui::text::{Line, Span};

/// Everything that is told.
pub(super) struct Summary<'a> {
    /// What to do before there is anything that can be checked.
    pub(super) lacks: Option<&'static str>,
    pub(super) state: State<'a>,
    pub(super) checked: Option<&'a Checked>,
    pub(super) problems: &'a [Problem],
}

impl Summary<'_> {
    /// It, in so many columns.
    pub(super) fn lines(&self, room: usize, style: Style) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        let mut say = |head: &'static str, text: &str, ink: Ink| {
            let ink = style.ink(ink);
            let told = wrap(Span::styled(head, ink), text, room, style);
            lines.extend(told);
        };
        self.readiness(&mut say);
        let Some(checked) = self.checked.filter(|_| self.lacks.is_none()) else {
            return lines;
        };
        if !checked.metric.is_empty() {
            let better = match checked.direction {
                Some(Direction::Minimize) => ", the lower the better",
                Some(Direction::Maximize) => ", the higher the better",
                None => "",
            };
            say("aim:", &format!("{}{better}", checked.metric), Ink::Dim);
        }
        if checked.max_epochs > 0 {
            say("size:", &size(checked), Ink::Dim);
        }
        match &checked.estimate {
            Some(estimate) => {
                let about = about(estimate.seconds.0);
                let text = format!("about {about}, from {}", estimate.basis);
                say("time:", &text, Ink::Dim);
            }
            None if checked.max_epochs > 0 => {
                say(
                    "time:",
                    "no estimate before a first trial has run",
                    Ink::Dim,
                );
            }
            None => {}
        }
        for warning in &checked.warnings {
            say("warning:", warning, Ink::Warning);
        }
        let searched = checked.space.iter().filter(|part| part.searched);
        let searched: Vec<&str> = searched.map(|part| part.name.as_str()).collect();
        if !searched.is_empty() {
            say("searched:", &searched.join(", "), Ink::Dim);
        }
        for note in &checked.notes {
            say("data:", note, Ink::Dim);
        }
        lines
    }

    fn readiness(&self, say: &mut impl FnMut(&'static str, &str, Ink)) {
        if let Some(next) = self.lacks {
            say("next:", next, Ink::Accent);
            return;
        }
        match self.state {
            State::Checking => say("now:", "checking", Ink::Accent),
            State::Failed(why) => say("now:", &format!("cannot be checked: {why}"), Ink::Warning),
            State::Checked if self.problems.is_empty() => {
                say("ready:", "ctrl-r launches it", Ink::Best);
            }
            State::Checked => {}
        }
        for problem in self.problems {
            say("no:", &problem.told(), Ink::Bad);
        }
    }
}

/// Such as `32 trials of at most 36 epochs; 9 settings are searched, 12 are fixed`.
fn size(checked: &Checked) -> String {
    let trials = match (checked.trials, checked.budget_seconds) {
        (Some(1), _) => "1 trial".to_owned(),
        (Some(trials), None) => format!("{trials} trials"),
        (Some(trials), Some(budget)) => {
            format!("{trials} trials, or what {} allow,", about(budget.0))
        }
        (None, Some(budget)) => format!("as many trials as {} allow,", about(budget.0)),
        (None, None) => "trials".to_owned(),
    };
    let searched = checked.space.iter().filter(|part| part.searched).count();
    let fixed = checked.space.len() - searched;
    let epochs = checked.max_epochs;
    format!("{trials} of at most {epochs} epochs; {searched} settings are searched, {fixed} fixed")
}

/// A time as people say it.
fn about(seconds: f64) -> String {
    let told = |count: f64, unit: &str| {
        let count = count.round();
        let end = if count == 1.0 { "" } else { "s" };
        format!("{count} {unit}{end}")
    };
    match seconds {
        s if !s.is_finite() => "an unknown time".to_owned(),
        s if s < 90.0 => told(s.max(1.0), "second"),
        s if s < 5_400.0 => told(s / 60.0, "minute"),
        s if s < 172_800.0 => told(s / 3_600.0, "hour"),
        s => told(s / 86_400.0, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_say_them() {
        for (seconds, expected) in [
            (0.2, "1 second"),
            (59.6, "60 seconds"),
            (700.0, "12 minutes"),
            (7_200.0, "2 hours"),
            (1e6, "12 days"),
            (f64::NAN, "an unknown time"),
        ] {
            assert_eq!(about(seconds), expected);
        }
    }
}
