//! Trials side by side: only what differs.

use super::{is_rate, known_direction, metric_title, plot, room};
use crate::number;
use crate::paint;
use crate::plot::Series;
use crate::style::{Ink, Style};
use crate::table::{Cell, Column, GAP, Table};
use crate::text::{clean, fit_line, width};
use attune_protocol::{Curve, Direction, TrialDetail};
use ratatui::text::Line;
use std::collections::BTreeSet;

/// What the trials are judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objective {
    /// The metric's name, such as `accuracy`.
    pub metric: String,
    /// Whether it is better lower or higher.
    pub direction: Direction,
}

/// Trials side by side: the settings that differ, best and last metrics with the best of each
/// marked `*`, and their curves, the objective aligned by epoch and the rate by step.
pub fn compare(
    trials: &[TrialDetail],
    objective: &Objective,
    width: usize,
    style: Style,
) -> String {
    let width = room(width);
    let rows = rows(trials, objective, style);
    let mut lines = Vec::new();
    for group in groups(trials, &rows, width) {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(block(trials, &group, &rows).lines(width, style));
    }
    lines.extend(curves(trials, objective, width, style));
    let cut = |line| fit_line(line, width, style.symbols().ellipsis);
    paint::to_text(&lines.into_iter().map(cut).collect::<Vec<_>>())
}

/// What is compared, and how each trial does in it.
struct Row {
    name: String,
    cells: Vec<Cell>,
}

/// As many trials as fit side by side, again and again: what does not fit stands beneath.
fn groups(trials: &[TrialDetail], rows: &[Row], limit: usize) -> Vec<Vec<usize>> {
    let names = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut taken = 0;
    for (index, trial) in trials.iter().enumerate() {
        let cells = rows
            .iter()
            .map(|row| row.cells[index].width())
            .max()
            .unwrap_or(0);
        let wide = cells.max(width(&clean(&trial.trial.id))) + GAP;
        match groups.last_mut() {
            Some(group) if taken + wide <= limit => {
                group.push(index);
                taken += wide;
            }
            _ => {
                groups.push(vec![index]);
                taken = names + wide;
            }
        }
    }
    groups
}

fn block(trials: &[TrialDetail], group: &[usize], rows: &[Row]) -> Table {
    let trial_column = |index: &usize| Column::right(&*trials[*index].trial.id).at_least(8);
    let columns =
        std::iter::once(Column::left("").at_least(8)).chain(group.iter().map(trial_column));
    let table = Table::new(columns);
    table.rows(rows.iter().map(|row| {
        let name = Cell::inked(&row.name, Ink::Dim);
        let cells = group.iter().map(|index| row.cells[*index].clone());
        std::iter::once(name).chain(cells).collect()
    }))
}

fn rows(trials: &[TrialDetail], objective: &Objective, style: Style) -> Vec<Row> {
    let nothing = style.symbols().nothing;
    let mut rows = vec![text_row("scheduler", trials, |t| t.trial.scheduler.clone())];
    let keys: BTreeSet<&String> = trials.iter().flat_map(|t| t.trial.config.keys()).collect();
    for key in keys {
        let value = |t: &TrialDetail| t.trial.config.get(key).map(ToString::to_string);
        let differs = trials
            .windows(2)
            .any(|pair| value(&pair[0]) != value(&pair[1]));
        if differs && key != "scheduler" {
            rows.push(text_row(key, trials, |t| {
                value(t).unwrap_or(nothing.to_owned())
            }));
        }
    }
    rows.push(text_row("", trials, |_| String::new()));
    rows.push(text_row("state", trials, |t| t.trial.state.to_string()));
    let title = metric_title(&objective.metric, objective.direction, style);
    let values = trials
        .iter()
        .map(|t| t.trial.value.map(|value| value.0))
        .collect();
    rows.push(number_row(
        format!("best {title}"),
        values,
        Some(objective.direction),
        style,
    ));
    rows.push(text_row("at epoch", trials, |t| {
        t.trial
            .best_epoch
            .map_or(nothing.to_owned(), |epoch| epoch.to_string())
    }));
    let metrics: BTreeSet<&String> = trials.iter().flat_map(|t| t.trial.metrics.keys()).collect();
    for name in metrics {
        let values = trials
            .iter()
            .map(|t| t.trial.metrics.get(name).map(|value| value.0))
            .collect();
        let is_objective = name.strip_prefix("valid_").unwrap_or(name) == objective.metric;
        let direction = if is_objective {
            Some(objective.direction)
        } else {
            known_direction(name)
        };
        rows.push(number_row(format!("last {name}"), values, direction, style));
    }
    rows.push(text_row("epochs", trials, |t| {
        format!("{}/{}", t.trial.epochs, t.trial.max_epochs)
    }));
    rows.push(text_row("time", trials, |t| {
        number::duration(number::seconds(t.trial.seconds))
    }));
    rows
}

fn text_row(name: &str, trials: &[TrialDetail], text: impl Fn(&TrialDetail) -> String) -> Row {
    Row {
        name: name.to_owned(),
        cells: trials.iter().map(|trial| Cell::from(text(trial))).collect(),
    }
}

/// A row of numbers, the best of them marked.
fn number_row(
    name: String,
    values: Vec<Option<f64>>,
    direction: Option<Direction>,
    style: Style,
) -> Row {
    let best = direction.and_then(|direction| {
        let known = values
            .iter()
            .flatten()
            .copied()
            .filter(|value| !value.is_nan());
        known.reduce(|best, value| {
            if direction.better(value, best) {
                value
            } else {
                best
            }
        })
    });
    let cell = |value: &Option<f64>| match value {
        Some(value) if Some(*value) == best && values.len() > 1 => {
            Cell::inked(format!("* {}", number::metric(*value)), Ink::Best)
        }
        Some(value) => Cell::from(number::metric(*value)),
        None => Cell::from(style.symbols().nothing),
    };
    let cells = values.iter().map(cell).collect();
    Row { name, cells }
}

fn curves(
    trials: &[TrialDetail],
    objective: &Objective,
    width: usize,
    style: Style,
) -> Vec<Line<'static>> {
    let valid = format!("valid_{}", objective.metric);
    let is_objective = |curve: &&Curve| curve.name == objective.metric || curve.name == valid;
    let mut lines = Vec::new();
    let metric = series_of(trials, |t| t.epoch_curves.iter().find(is_objective));
    if metric.iter().any(|series| !series.points.is_empty()) {
        let title = clean(&objective.metric).into_owned();
        lines.extend(plot(&metric, ("epoch", &title), width, style));
    }
    let rates = series_of(trials, |t| {
        t.step_curves.iter().find(|curve| is_rate(curve))
    });
    if rates.iter().any(|series| !series.points.is_empty()) {
        lines.extend(plot(&rates, ("step", "learning rate"), width, style));
    }
    lines
}

/// One curve of each trial, an empty one where it has none, so that a trial keeps its marker and
/// colour from plot to plot.
fn series_of<'a>(
    trials: &'a [TrialDetail],
    curve: impl Fn(&'a TrialDetail) -> Option<&'a Curve>,
) -> Vec<Series> {
    let series = trials.iter().map(|trial| {
        let label = format!("{} {}", trial.trial.id, trial.trial.scheduler);
        match curve(trial) {
            Some(curve) => Series::of(label, curve),
            None => Series {
                label,
                points: Vec::new(),
            },
        }
    });
    series.collect()
}
