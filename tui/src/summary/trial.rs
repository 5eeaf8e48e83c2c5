//! One trial in full.

use super::{fact, is_rate, plot, room, shown_signal};
use crate::number;
use crate::paint;
use crate::plot::Series;
use crate::style::{Ink, Style};
use crate::text::{clean, fit_line, flow, wrap};
use attune_protocol::{Curve, Steer, TrialDetail, TrialState, TrialSummary};
use ratatui::text::{Line, Span};
use std::collections::BTreeMap;

/// A trial: what it was, how it ended, its settings, its metrics and its curves.
pub fn trial_page(detail: &TrialDetail, width: usize, style: Style) -> String {
    let width = room(width);
    let trial = &detail.trial;
    let mut lines = heading(trial, width, style);
    lines.extend(settings(trial, width, style));
    lines.extend(metrics(trial, width, style));
    for (name, series) in epoch_plots(detail) {
        lines.extend(plot(&series, ("epoch", &name), width, style));
    }
    let (signals, curves): (Vec<&Curve>, Vec<&Curve>) = detail
        .step_curves
        .iter()
        .partition(|curve| shown_signal(curve).is_some());
    let (rates, others): (Vec<&Curve>, Vec<&Curve>) =
        curves.into_iter().partition(|curve| is_rate(curve));
    // Epochs show the loss better, but where it all went wrong the single steps tell more.
    if trial.state == TrialState::Diverged || detail.epoch_curves.is_empty() {
        for curve in others {
            let series = [Series::of("", curve)];
            lines.extend(plot(&series, ("step", &curve.name), width, style));
        }
    }
    if !rates.is_empty() {
        let series: Vec<Series> = rates
            .iter()
            .map(|curve| Series::of(&curve.name, curve))
            .collect();
        lines.extend(plot(&series, ("step", "learning rate"), width, style));
    }
    for (name, series) in signal_plots(&signals) {
        let title = format!("{name}, as its scheduler saw it");
        lines.extend(plot(&series, ("step", &title), width, style));
    }
    let cut = |line| fit_line(line, width, style.symbols().ellipsis);
    paint::to_text(&lines.into_iter().map(cut).collect::<Vec<_>>())
}

/// What the scheduler was shown, the groups of a signal together, where it was shown.
fn signal_plots(curves: &[&Curve]) -> BTreeMap<String, Vec<Series>> {
    let mut plots: BTreeMap<String, Vec<Series>> = BTreeMap::new();
    for curve in curves {
        let Some((name, group)) = shown_signal(curve) else {
            continue;
        };
        let mut series = Series::of(group, curve);
        series.points.retain(|(_, value)| !value.is_nan());
        plots.entry(name.to_owned()).or_default().push(series);
    }
    plots
}

fn heading(trial: &TrialSummary, width: usize, style: Style) -> Vec<Line<'static>> {
    let state_ink = match trial.reason {
        Some(_) => Ink::Warning,
        None => Ink::Plain,
    };
    let separator = style.symbols().separator;
    let title = Line::from(vec![
        Span::styled(clean(&trial.id).into_owned(), style.ink(Ink::Strong)),
        Span::raw(format!("{separator}{}{separator}", clean(&trial.scheduler))),
        Span::styled(trial.state.to_string(), style.ink(state_ink)),
    ]);
    let mut lines = vec![title];
    if let Some(reason) = &trial.reason {
        let head = Span::styled("because:", style.ink(Ink::Warning));
        lines.extend(wrap(head, reason, width, style));
    }
    for warning in &trial.warnings {
        let head = Span::styled("warning:", style.ink(Ink::Warning));
        lines.extend(wrap(head, warning, width, style));
    }
    lines.push(Line::default());
    if let Some(value) = trial.value {
        let place = trial
            .best_epoch
            .map_or(String::new(), |epoch| format!(" at epoch {epoch}"));
        let text = format!("{}{place}", number::metric(value.0));
        lines.push(fact("best", text, LABELS, style));
    }
    let time = number::duration(number::seconds(trial.seconds));
    let trained = format!(
        "{} of {} epochs, {} steps, {time}",
        trial.epochs, trial.max_epochs, trial.steps
    );
    lines.push(fact("trained", trained, LABELS, style));
    lines.push(fact("seed", trial.seed.to_string(), LABELS, style));
    lines.push(fact(
        "plugin",
        clean(&trial.plugin).into_owned(),
        LABELS,
        style,
    ));
    lines.extend(past(trial, width, style));
    lines
}

/// What befell it: hands on its wheel, workers that died, and the checkpoints it left.
fn past(trial: &TrialSummary, width: usize, style: Style) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for done in &trial.interventions {
        let what = match &done.steer {
            Steer::SetRate(rate) => format!("rate set to {}", number::significant(rate.0)),
            Steer::Swap { scheduler, .. } => format!("{} took the wheel", clean(scheduler)),
        };
        let text = format!("before step {}: {what}", done.step);
        lines.push(fact("by hand", text, LABELS, style));
    }
    for death in &trial.deaths {
        let head = Span::styled("worker died:", style.ink(Ink::Warning));
        lines.extend(wrap(head, death, width, style));
    }
    if !trial.checkpoints.is_empty() {
        let steps: Vec<Line> = trial
            .checkpoints
            .iter()
            .map(|checkpoint| Line::from(format!("step {}", checkpoint.step)))
            .collect();
        lines.extend(labelled("saved at", steps, width, style));
    }
    lines
}

/// Columns of the labels at the page's left edge.
const LABELS: usize = 8;

/// `label` before the first of some lines, the others in line with it.
fn labelled(
    label: &str,
    pieces: Vec<Line<'static>>,
    width: usize,
    style: Style,
) -> Vec<Line<'static>> {
    let room = width.saturating_sub(LABELS + 2).max(1);
    let lines = flow(pieces, 3, room, style.symbols().ellipsis);
    let indented = lines.into_iter().enumerate().map(|(row, mut line)| {
        let label = if row == 0 { label } else { "" };
        let label = Span::styled(format!("{label:<LABELS$}  "), style.ink(Ink::Dim));
        line.spans.insert(0, label);
        line
    });
    indented.collect()
}

fn settings(trial: &TrialSummary, width: usize, style: Style) -> Vec<Line<'static>> {
    let own = format!("{}.", trial.scheduler);
    let piece = |name: &str, value: String| {
        Line::from(vec![
            Span::styled(format!("{} ", clean(name)), style.ink(Ink::Dim)),
            Span::raw(clean(&value).into_owned()),
        ])
    };
    let of_scheduler = |key: &str| key.starts_with(&own);
    let general = trial
        .config
        .iter()
        .filter(|(key, _)| !of_scheduler(key) && *key != "scheduler");
    let general = general.map(|(key, value)| piece(key, value.to_string()));
    let mut lines = labelled("settings", general.collect(), width, style);
    let inside = trial
        .config
        .iter()
        .filter_map(|(key, value)| Some(piece(key.strip_prefix(&own)?, value.to_string())));
    lines.extend(labelled("schedule", inside.collect(), width, style));
    lines
}

fn metrics(trial: &TrialSummary, width: usize, style: Style) -> Vec<Line<'static>> {
    let pieces = trial.metrics.iter().map(|(name, value)| {
        Line::from(vec![
            Span::styled(format!("{} ", clean(name)), style.ink(Ink::Dim)),
            Span::raw(number::metric(value.0)),
        ])
    });
    labelled("at last", pieces.collect(), width, style)
}

/// The epoch curves, those of one metric on training and validation rows together.
fn epoch_plots(detail: &TrialDetail) -> BTreeMap<String, Vec<Series>> {
    let mut plots: BTreeMap<String, Vec<Series>> = BTreeMap::new();
    for curve in &detail.epoch_curves {
        let name = ["train_", "valid_"]
            .iter()
            .find_map(|part| curve.name.strip_prefix(part))
            .unwrap_or(&curve.name);
        let series = Series::of(&curve.name, curve);
        plots.entry(name.to_owned()).or_default().push(series);
    }
    plots
}
