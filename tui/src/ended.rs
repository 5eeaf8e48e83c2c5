//! The sentences that progress leaves behind, on a terminal as in a log: a study's beginning, a
//! trial's end, a warning, a study's end.

use crate::live::LiveState;
use crate::number;
use crate::style::{Ink, Style};
use crate::text::{clean, pad};
use attune_protocol::{Direction, Event, StudySummary, TrialState, TrialSummary};
use ratatui::text::{Line, Span};
use std::time::Duration;

/// What an event leaves behind for good, in `state` as it is after the event.
pub(crate) fn line(
    event: &Event,
    state: &LiveState,
    elapsed: Duration,
    style: Style,
) -> Option<Line<'static>> {
    match event {
        Event::StudyStarted { study } => Some(study_started(study, style)),
        Event::TrialEnded { trial, study } => Some(trial_ended(trial, study, state, style)),
        Event::Warning { message } => Some(Line::from(vec![
            Span::styled("warning: ", style.ink(Ink::Warning)),
            Span::raw(clean(message).into_owned()),
        ])),
        Event::StudyEnded { study } => Some(study_ended(study, state, elapsed, style)),
        Event::TrialStarted { .. }
        | Event::Epoch(_)
        | Event::TrialChanged { .. }
        | Event::StudyChanged { .. }
        | Event::StudyRemoved { .. } => None,
    }
}

/// Such as `16 trials`, or `1 trial`.
pub(crate) fn trials(count: u32) -> String {
    match count {
        1 => "1 trial".to_owned(),
        _ => format!("{count} trials"),
    }
}

/// What the study is after.
pub(crate) fn aim(study: &StudySummary) -> String {
    let verb = match study.direction {
        Direction::Minimize => "minimizing",
        Direction::Maximize => "maximizing",
    };
    format!("{verb} {}", clean(&study.metric))
}

/// How the trials ended, leaving out what did not happen; only `done` is always said.
pub(crate) fn outcomes(study: &StudySummary, style: Style) -> Vec<Span<'static>> {
    let trials = &study.trials;
    let counted = [
        (trials.done, "done", Ink::Plain),
        (trials.stopped, "stopped", Ink::Plain),
        (trials.diverged, "diverged", Ink::Warning),
        (trials.failed, "failed", Ink::Bad),
    ];
    let mut spans = Vec::new();
    for (count, outcome, ink) in counted {
        if count > 0 || outcome == "done" {
            if !spans.is_empty() {
                spans.push(Span::styled(style.symbols().separator, style.ink(Ink::Dim)));
            }
            spans.push(Span::styled(format!("{count} {outcome}"), style.ink(ink)));
        }
    }
    spans
}

fn study_started(study: &StudySummary, style: Style) -> Line<'static> {
    let mut facts = vec![format!("study {}", clean(&study.id)), aim(study)];
    if study.trials.planned > 0 {
        facts.push(trials(study.trials.planned));
    }
    facts.push(format!("seed {}", study.seed));
    let separator = style.symbols().separator;
    Line::from(vec![
        Span::styled(clean(&study.name).into_owned(), style.ink(Ink::Strong)),
        Span::styled(
            format!("{separator}{}", facts.join(separator)),
            style.ink(Ink::Dim),
        ),
    ])
}

fn trial_ended(
    trial: &TrialSummary,
    study: &StudySummary,
    state: &LiveState,
    style: Style,
) -> Line<'static> {
    let symbols = style.symbols();
    let best = study.best_trial.as_deref() == Some(trial.id.as_str());
    let ink = match trial.state {
        TrialState::Done if best => Ink::Best,
        TrialState::Diverged => Ink::Warning,
        TrialState::Failed | TrialState::Lost => Ink::Bad,
        _ => Ink::Plain,
    };
    let (id_columns, scheduler_columns) = state.name_columns();
    let value = match trial.value {
        Some(value) => number::metric(value.0),
        None => symbols.nothing.to_owned(),
    };
    let epochs = format!("epoch {:>2}/{}", trial.epochs, trial.max_epochs);
    let time = number::duration(number::seconds(trial.seconds));
    let mut spans = vec![
        Span::styled(format!("{} ", symbols.state(trial.state)), style.ink(ink)),
        Span::raw(pad(&clean(&trial.id), id_columns + 1)),
        Span::raw(pad(&clean(&trial.scheduler), scheduler_columns + 1)),
        Span::styled(format!("{} ", clean(&study.metric)), style.ink(Ink::Dim)),
        Span::styled(
            format!("{value:<7} "),
            style.ink(if best { Ink::Best } else { Ink::Plain }),
        ),
        Span::styled(format!("{epochs:<11} {time:>6}"), style.ink(Ink::Dim)),
    ];
    let mut ending = Vec::new();
    if best {
        ending.push("best so far".to_owned());
    }
    if trial.state != TrialState::Done {
        let reason = trial.reason.as_deref().map(clean);
        ending.push(match reason {
            Some(reason) => format!("{}: {reason}", trial.state),
            None => trial.state.to_string(),
        });
    }
    if !ending.is_empty() {
        spans.push(Span::styled(
            format!("  {}", ending.join(", ")),
            style.ink(ink),
        ));
    }
    Line::from(spans)
}

fn study_ended(
    study: &StudySummary,
    state: &LiveState,
    elapsed: Duration,
    style: Style,
) -> Line<'static> {
    let mut spans = vec![
        Span::styled(clean(&study.name).into_owned(), style.ink(Ink::Strong)),
        Span::raw(format!(
            " {} after {} in {}: ",
            study.state,
            trials(study.trials.ended()),
            number::duration(elapsed)
        )),
    ];
    match (study.best_value, &study.best_trial) {
        (Some(value), Some(id)) => {
            let value = format!("best {} {}", clean(&study.metric), number::metric(value.0));
            let place = match state.best() {
                Some(best) => format!(" by {} ({})", clean(id), clean(&best.scheduler)),
                None => format!(" by {}", clean(id)),
            };
            spans.push(Span::styled(value, style.ink(Ink::Best)));
            spans.push(Span::raw(place));
        }
        _ => spans.push(Span::raw("no trial has a result")),
    }
    Line::from(spans)
}
