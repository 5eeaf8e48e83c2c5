//! The trials of a study, best first.

use super::{metric_title, room};
use crate::ended::{outcomes, trials};
use crate::number;
use crate::paint;
use crate::style::{Ink, Style};
use crate::table::{Cell, Column, Table};
use crate::text::{clean, fit_line, spread, wrap};
use attune_protocol::{StudyDetail, StudyState, TrialState, TrialSummary};
use ratatui::text::{Line, Span};
use std::collections::BTreeMap;

/// Reasons of trials that went wrong are listed up to this number.
const REASONS_SHOWN: usize = 3;

/// The best `limit` trials of a study, the best one marked `*`, with the settings in which its
/// trials differ; beneath it why trials failed.
pub fn leaderboard(detail: &StudyDetail, limit: usize, width: usize, style: Style) -> String {
    let width = room(width);
    let study = &detail.study;
    let ellipsis = style.symbols().ellipsis;
    let separator = style.symbols().separator;
    let mut title = vec![
        Span::styled(clean(&study.name).into_owned(), style.ink(Ink::Strong)),
        Span::styled(
            format!("{separator}study {}", clean(&study.id)),
            style.ink(Ink::Dim),
        ),
    ];
    if study.state != StudyState::Done {
        title.push(Span::raw(format!("{separator}{}", study.state)));
    }
    let outcomes = Line::from(outcomes(study, style));
    let mut lines = vec![spread(Line::from(title), outcomes, width, ellipsis)];
    if let Some(origin) = &study.origin {
        let (trial, step) = (clean(&origin.trial), origin.step);
        let text = match step {
            0 => format!("{trial} once more, from its beginning"),
            step => format!("forked from {trial} at step {step}"),
        };
        lines.push(Line::styled(text, style.ink(Ink::Dim)));
    }
    if let Some(reason) = &study.reason {
        let head = Span::styled("because:", style.ink(Ink::Warning));
        lines.extend(wrap(head, reason, width, style));
    }
    lines.push(Line::default());
    let metric = metric_title(&study.metric, study.direction, style);
    let varied = varied_settings(&detail.trials);
    let shown = detail.trials.iter().take(limit).enumerate();
    let table = Table::new([
        Column::right("#").rank(2),
        Column::left("trial"),
        Column::right(metric),
        Column::left("scheduler").rank(1),
        Column::left("state").rank(3),
        Column::right("best at").rank(4),
        Column::right("time").rank(6),
        Column::left("settings").rank(5).at_least(22),
    ])
    .rows(shown.map(|(place, trial)| {
        let best = study.best_trial.as_deref() == Some(trial.id.as_str());
        row(place, trial, best, &varied, style)
    }));
    lines.extend(table.lines(width, style));
    let hidden = detail.trials.len().saturating_sub(limit) as u32;
    if hidden > 0 {
        let more = format!("and {} more", trials(hidden));
        lines.push(Line::styled(more, style.ink(Ink::Dim)));
    }
    lines.extend(reasons(&detail.trials, width, style));
    let cut = |line| fit_line(line, width, ellipsis);
    paint::to_text(&lines.into_iter().map(cut).collect::<Vec<_>>())
}

fn row(place: usize, trial: &TrialSummary, best: bool, varied: &[&str], style: Style) -> Vec<Cell> {
    let nothing = style.symbols().nothing;
    let ink = if best { Ink::Best } else { Ink::Plain };
    let value = trial.value.map(|value| number::metric(value.0));
    let rank = match (&value, best) {
        (Some(_), true) => format!("* {}", place + 1),
        (Some(_), false) => (place + 1).to_string(),
        (None, _) => nothing.to_owned(),
    };
    let epoch = match trial.best_epoch {
        Some(epoch) => format!("{epoch}/{}", trial.epochs),
        None => format!("{nothing}/{}", trial.epochs),
    };
    vec![
        Cell::inked(rank, ink),
        Cell::inked(&trial.id, ink),
        Cell::inked(value.as_deref().unwrap_or(nothing), ink),
        Cell::from(&trial.scheduler),
        state(trial.state),
        Cell::from(epoch),
        Cell::from(number::duration(number::seconds(trial.seconds))),
        Cell::inked(settings(trial, varied), Ink::Dim),
    ]
}

/// A trial's state in its colour.
pub(super) fn state(state: TrialState) -> Cell {
    let ink = match state {
        TrialState::Done | TrialState::Running => Ink::Plain,
        TrialState::Queued | TrialState::Paused | TrialState::Stopped => Ink::Dim,
        TrialState::Diverged => Ink::Warning,
        TrialState::Failed | TrialState::Lost => Ink::Bad,
    };
    Cell::inked(state.to_string(), ink)
}

/// The settings that are not the same in all trials that have them, but for the scheduler, which
/// has a column of its own. A scheduler's parameters differ within the trials that it steered.
fn varied_settings(trials: &[TrialSummary]) -> Vec<&str> {
    let mut seen: BTreeMap<&str, (String, bool)> = BTreeMap::new();
    for (key, value) in trials.iter().flat_map(|trial| &trial.config) {
        let value = value.to_string();
        seen.entry(key)
            .and_modify(|(first, varies)| *varies |= *first != value)
            .or_insert((value, false));
    }
    let varied = seen.into_iter().filter(|(_, (_, varies))| *varies);
    varied
        .map(|(key, _)| key)
        .filter(|key| *key != "scheduler")
        .collect()
}

/// Such as `lr=0.1 patience=3`: the starting rate first, the scheduler's own parameters next and
/// without its name, which stands beside them.
fn settings(trial: &TrialSummary, varied: &[&str]) -> String {
    let own = format!("{}.", trial.scheduler);
    let order = |key: &str| match key {
        "lr" => 0,
        _ if key.starts_with(&own) => 1,
        _ => 2,
    };
    let mut shown: Vec<(&str, String)> = varied
        .iter()
        .filter_map(|key| Some((*key, trial.config.get(*key)?.to_string())))
        .collect();
    shown.sort_by_key(|(key, _)| order(key));
    let shown = shown.into_iter().map(|(key, value)| {
        let name = key.strip_prefix(&own).unwrap_or(key);
        format!("{name}={value}")
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Why trials failed or diverged.
fn reasons(trials: &[TrialSummary], width: usize, style: Style) -> Vec<Line<'static>> {
    let wrong: Vec<(&TrialSummary, &String)> = trials
        .iter()
        .filter(|trial| {
            let state = trial.state;
            matches!(
                state,
                TrialState::Failed | TrialState::Diverged | TrialState::Lost
            )
        })
        .filter_map(|trial| Some((trial, trial.reason.as_ref()?)))
        .collect();
    let mut lines = Vec::new();
    if !wrong.is_empty() {
        lines.push(Line::default());
    }
    for (trial, reason) in wrong.iter().take(REASONS_SHOWN) {
        let head = format!("{} {}:", clean(&trial.id), trial.state);
        let head = Span::styled(head, style.ink(Ink::Warning));
        lines.extend(wrap(head, reason, width, style));
    }
    if wrong.len() > REASONS_SHOWN {
        let more = format!("and {} more that went wrong", wrong.len() - REASONS_SHOWN);
        lines.push(Line::styled(more, style.ink(Ink::Dim)));
    }
    lines
}
